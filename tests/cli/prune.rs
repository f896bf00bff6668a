//! Components that are no longer in the manifest: reported, and pruned on request.

use crate::support::manifest::{Component, application, component, web};
use crate::support::pod_rules;
use crate::support::screen::Screen;
use crate::support::test_env::TestEnv;

/// An application with two components, and the same with one.
fn shop() -> TestEnv {
    let env = TestEnv::new();
    env.write("both.yaml", application("shop", &[web(1, 2), component("job", 1, 1)]));
    env.write("one.yaml", application("shop", &[web(1, 2)]));
    env.run_ok("apply both.yaml");
    env
}

#[test]
fn removed_components_are_reported_and_kept() {
    let env = shop();
    for line in ["apply one.yaml", "plan one.yaml", "apply one.yaml --dry-run=client"] {
        let told = "warning: component `job` of application `shop` is no longer in the manifest and is kept; \
                    delete it with `apply --prune` or \
                    `rollout delete job -n default --sandbox=box.json`";
        env.run_ok(line).says(told);
    }
    assert_eq!(env.deployments(), ["job-v1 1/1", "web-v1 2/2"]);
    // Commands about one component do not report removed ones.
    assert!(!env.run_ok("scale web --replicas 3 --dry-run=client").stderr.contains("warning"));
}

#[test]
fn removed_components_are_pruned_after_everything_else() {
    let env = shop();
    let ran = env.run_ok("apply one.yaml --prune");
    ran.says("deployment.apps/job-v1 deleted\n");
    assert!(!ran.stdout.contains("deleted"), "{}", ran.stdout);
    assert_eq!(env.deployments(), ["web-v1 2/2"]);
    assert!(!env.run_ok("status").stdout.contains("job"));
    assert!(!env.run_ok("apply one.yaml").stderr.contains("warning"));
}

#[test]
fn what_is_pruned_can_be_planned() {
    let env = shop();
    let before = env.bytes();
    env.run_to("plan one.yaml --detailed-exitcode", 0);
    let planned = env.run_to("plan one.yaml --prune --detailed-exitcode", 8);
    assert!(!planned.stderr.contains("warning"), "{}", planned.stderr);
    let (_, pruned) = planned.stdout.split_once("nothing to do\n\n").unwrap();
    insta::assert_snapshot!(pruned, @"
    component `job` of application `shop` in namespace `default`
      no longer in the manifest; pruned once all other components are rolled out

    OBJECT                           CHANGE
    deployment.apps/job-v1           delete
    controllerrevision.apps/job-v1   delete
    configmap/rollout-job            delete
    ");
    for form in ["table", "json", "name"] {
        let plan = env.run_ok(&format!("plan one.yaml --prune -o {form}"));
        let dry_run = env.run_ok(&format!("apply one.yaml --prune --dry-run -o {form}"));
        assert_eq!(plan.transcript(), dry_run.transcript());
    }
    assert_eq!(env.run_ok("plan one.yaml --prune -o name").stdout, "rollout/job\n");
    assert_eq!(env.bytes(), before);
    env.run_to("plan one.yaml --prune --context eu --context us", 2).says("`--prune` acts on one cluster");
    // `apply --prune` deletes what was planned.
    let deleted = env.run_ok("apply one.yaml --prune").stderr;
    for object in ["deployment.apps/job-v1", "controllerrevision.apps/job-v1", "configmap/rollout-job"] {
        assert!(deleted.contains(&format!("{object} deleted")), "{deleted}");
    }
    env.run_to("plan one.yaml --prune --detailed-exitcode", 0);
}

/// Scripts pass it always.
#[test]
fn yes_alone_does_not_prune() {
    let env = shop();
    env.run_ok("apply both.yaml --yes");
    env.run_ok("apply one.yaml -y");
    assert_eq!(env.deployments(), ["job-v1 1/1", "web-v1 2/2"], "it prunes nothing");
}

#[test]
fn nothing_is_pruned_before_the_end() {
    let env = shop();
    env.write("next.yaml", application("shop", &[web(2, 2).batches(&["1", "1"])]));
    env.run_ok("apply next.yaml --prune --partition 0").says("shop: not complete yet, nothing is pruned");
    env.pods(pod_rules::failing("web:2", "NeverReady"));
    assert_eq!(env.run("apply next.yaml --prune --batch-timeout 300ms").code, Some(3));
    assert!(env.deployments().contains(&"job-v1 1/1".to_owned()));
}

#[test]
fn components_of_another_application_are_kept() {
    let env = shop();
    env.write("other.yaml", application("other", &[component("api", 1, 1)]));
    let ran = env.run_ok("apply other.yaml --prune");
    assert!(!ran.stderr.contains("job") && !ran.stderr.contains("web"), "{}", ran.stderr);
    assert_eq!(env.deployments().len(), 3);
}

#[test]
fn a_user_at_a_terminal_must_confirm_pruning() {
    let env = shop();
    let answered = |answer: &str| {
        let mut screen = Screen::start(env.command("apply one.yaml --prune"), 80);
        screen.until("[y/N]").types(answer);
        screen.end()
    };
    let screen = answered("n\n");
    assert!(screen.ends_with("error: nothing was changed\n[exit 4]"), "{screen}");
    assert_eq!(env.deployments(), ["job-v1 1/1", "web-v1 2/2"]);
    insta::assert_snapshot!(answered("yes\n"), @"
    To be deleted from namespace `default`, with all pods:
      deployment.apps/job-v1
      controllerrevision.apps/job-v1
      configmap/rollout-job
    Delete? [y/N] yes
    [   0s] web: nothing to do: 2 of 2 upgraded, 2 ready
    NAME   TARGET   UPGRADED   READY   BATCH-STATE   ROLLING-STATE    AGE
    web    2        2          2       batchReady    rolloutSucceed   0s
    deployment.apps/job-v1 deleted
    controllerrevision.apps/job-v1 deleted
    configmap/rollout-job deleted
    [exit 0]
    ");
    assert_eq!(env.deployments(), ["web-v1 2/2"]);
    // Nothing is left to confirm.
    let screen = Screen::start(env.command("apply one.yaml --prune"), 80).end();
    assert!(screen.ends_with("[exit 0]") && !screen.contains("[y/N]"), "{screen}");
}

/// A run that prunes, and one queued behind it whose manifest has another component as well: returns the final
/// Deployments, and the output of the first run.
fn pruned_before_a_later_run(added: &Component) -> (Vec<String>, String) {
    let env = shop();
    env.write("later.yaml", application("shop", &[web(2, 2), added.clone()]));
    env.write("next.yaml", application("shop", &[web(2, 2)]));
    env.pods(pod_rules::slow("web:2", "2s"));
    let mut first = env.start_as("first", "apply next.yaml --prune --yes");
    first.until(": waiting for `web-v2`");
    let mut later = env.start_as("later", "apply later.yaml");
    later.until("waiting for the run of `first`");
    let (first, later) = (first.end(), later.end());
    assert_eq!((first.code, later.code), (Some(0), Some(0)), "{}\n{}", first.stderr, later.stderr);
    env.settle();
    (env.deployments(), first.stderr)
}

/// The components to prune are determined before the run, so one that a later run adds is not pruned by an earlier run.
#[test]
fn a_component_created_during_the_run_is_not_pruned() {
    let (left, stderr) = pruned_before_a_later_run(&component("api", 1, 1));
    assert!(left.contains(&"api-v1 1/1".to_owned()), "{left:?}\n{stderr}");
    assert!(!left.iter().any(|one| one.starts_with("job-v1")), "{left:?}\n{stderr}");
}

/// A removed component that the next queued run rolls out again exists in the end.
#[test]
fn a_component_that_was_rolled_out_again_is_not_pruned() {
    let (left, stderr) = pruned_before_a_later_run(&component("job", 2, 1));
    assert!(left.iter().any(|one| one.starts_with("job-v2")), "{left:?}\n{stderr}");
}
