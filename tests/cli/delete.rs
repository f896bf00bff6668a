//! `delete`: deleted and kept objects, and confirmation.

use crate::support::manifest::{application, component};
use crate::support::screen::Screen;
use crate::support::shop::open_shop;
use crate::support::test_env::TestEnv;

#[test]
fn only_the_objects_of_an_application_are_deleted() {
    let env = open_shop();
    env.write("other.yaml", application("other", &[component("pot", 1, 1)]));
    env.run_ok("apply other.yaml");
    env.run_ok("apply v2.yaml --partition 0");
    insta::assert_snapshot!(env.run("delete shop --dry-run=client").transcript(), @"
    deployment.apps/web-v1 would be deleted
    deployment.apps/web-v2 would be deleted
    controllerrevision.apps/web-v1 would be deleted
    controllerrevision.apps/web-v2 would be deleted
    configmap/rollout-web would be deleted
    --- stderr
    [exit 0]
    ");
    assert_eq!(env.deployments(), ["pot-v1 1/1", "web-v1 2/2", "web-v2 1/1"]);
    insta::assert_snapshot!(env.run("delete v1.yaml").transcript(), @"
    deployment.apps/web-v1 deleted
    deployment.apps/web-v2 deleted
    controllerrevision.apps/web-v1 deleted
    controllerrevision.apps/web-v2 deleted
    configmap/rollout-web deleted
    --- stderr
    [exit 0]
    ");
    env.settle();
    assert_eq!(env.deployments(), ["pot-v1 1/1"]);
    for kind in ["ControllerRevision", "ConfigMap", "Lease"] {
        let names: Vec<String> =
            env.objects(kind).iter().map(|object| object["metadata"]["name"].to_string()).collect();
        assert!(names.iter().all(|name| !name.contains("web") && !name.contains("shop")), "{kind} {names:?}");
        assert_eq!(names.len(), 1, "{kind} of the other: {names:?}");
    }
    let again = env.run("delete v1.yaml");
    assert_eq!((again.code, again.stderr.as_str()), (Some(0), "nothing to delete\n"));
}

#[test]
fn a_service_is_deleted_with_its_component() {
    let env = open_shop();
    let exposed = application("tea", &[component("pot", 1, 1)])
        .replace("image: pot:1", "image: pot:1\n        ports: [{port: 80, expose: true}]");
    env.write("tea.yaml", exposed);
    env.run_ok("apply tea.yaml");
    assert_eq!(env.objects("Service").len(), 1);
    env.run_ok("delete pot");
    assert!(env.objects("Service").is_empty());
    assert_eq!(env.deployments(), ["web-v1 3/3"]);
}

/// The revisions list the objects.
#[test]
fn an_application_without_records_is_deleted() {
    for name in ["shop", "web"] {
        let env = open_shop();
        env.edit(|objects| {
            objects.retain(|one| one["metadata"]["name"] != "rollout-web" && one["kind"] != "Lease");
        });
        env.write("other.yaml", application("tea", &[component("web", 1, 1)]));
        env.run_to("apply other.yaml", 4).says("component `web` belongs to application `shop`");
        env.run_ok(&format!("delete {name} --yes"));
        assert!(env.deployments().is_empty() && env.objects("ControllerRevision").is_empty());
        env.run_ok("apply other.yaml");
    }
}

/// The component of a name comes before the application.
#[test]
fn the_rest_of_an_application_with_the_name_of_a_component_is_reported() {
    let env = TestEnv::new();
    env.write("shop.yaml", application("shop", &[component("shop", 1, 1), component("config", 1, 1)]));
    env.run_ok("apply shop.yaml");
    let warning = "warning: `shop` is a component here: `config` of application `shop` remains; to delete the \
         application, pass its manifest, or rerun the command after this\n";
    env.run_ok("delete shop --dry-run").says(warning);
    env.run_ok("delete shop --yes").says(warning);
    assert_eq!(env.deployments(), ["config-v1 1/1"]);
    let rerun = env.run_ok("delete shop --yes");
    assert_eq!((rerun.stderr.as_str(), env.deployments().len()), ("", 0));
}

#[test]
fn an_unknown_name_is_rejected() {
    insta::assert_snapshot!(open_shop().run("delete nobody").transcript(), @"
    --- stderr
    error: nothing named `nobody` has been rolled out in namespace `default`
    hint: the namespace has `web`
    [exit 4]
    ");
}

/// The screen of a terminal after the question and this answer.
fn answered(env: &TestEnv, line: &str, answer: &str) -> String {
    let mut screen = Screen::start(env.command(line), 80);
    screen.until("[y/N]").types(&format!("{answer}\n"));
    screen.end()
}

#[test]
fn a_user_at_a_terminal_must_confirm() {
    let env = open_shop();
    for answer in ["", "n", "no", "yep"] {
        let screen = answered(&env, "delete shop", answer);
        assert!(screen.ends_with("error: nothing was changed\n[exit 4]"), "{answer}: {screen}");
        assert_eq!(env.deployments(), ["web-v1 3/3"]);
    }
    insta::assert_snapshot!(answered(&env, "delete shop", "y"), @"
    To be deleted from namespace `default`, with all pods:
      deployment.apps/web-v1
      controllerrevision.apps/web-v1
      configmap/rollout-web
    Delete? [y/N] y
    deployment.apps/web-v1 deleted
    controllerrevision.apps/web-v1 deleted
    configmap/rollout-web deleted
    [exit 0]
    ");
    assert!(env.deployments().is_empty());
}

#[test]
fn end_of_input_declines() {
    let env = open_shop();
    let mut screen = Screen::start(env.command("delete shop"), 80);
    assert!(screen.until("[y/N]").types("\u{4}").end().ends_with("[exit 4]"));
    assert_eq!(env.deployments(), ["web-v1 3/3"]);
}

#[test]
fn yes_skips_the_confirmation() {
    let env = open_shop();
    let screen = Screen::start(env.command("delete shop --yes"), 80).end();
    assert!(screen.starts_with("deployment.apps/web-v1 deleted\n"), "{screen}");
    assert!(screen.ends_with("[exit 0]"), "{screen}");
}

/// The process is killed between deleting the last record and the Lease.
#[test]
fn the_lease_of_a_killed_removal_is_deleted_by_the_next() {
    let env = open_shop();
    env.edit(|objects| objects.retain(|object| object["kind"] == "Lease"));
    assert_eq!(env.objects("Lease").len(), 1);
    env.run_ok("delete v1.yaml --dry-run");
    assert_eq!(env.objects("Lease").len(), 1);
    assert_eq!(env.run_ok("delete v1.yaml").stderr, "nothing to delete\n");
    assert!(env.objects("Lease").is_empty());
}

#[test]
fn finalizers_and_kept_objects_are_reported() {
    let env = TestEnv::new();
    env.write(
        "app.yaml",
        "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {name: shop}\nspec:\n  components:\n    \
         - {name: raw, type: k8s-objects, properties: {objects: [\
         {apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: pots.example.com}, \
         spec: {group: example.com, names: {plural: pots, kind: Pot}, scope: Namespaced, versions: [{name: v1, \
         served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]}}, \
         {apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], \
         resources: {requests: {storage: 1Gi}}}}]}}\n",
    );
    env.run_ok("apply app.yaml");
    let kept = "persistentvolumeclaim/data is kept: delete it with kubectl, if nothing needs it";
    let preview = env.run_ok("delete --dry-run shop");
    preview.says(kept);
    let definition = "customresourcedefinition.apiextensions.k8s.io/pots.example.com";
    assert!(preview.stdout.contains(&format!("{definition} would be deleted\n")), "{}", preview.stdout);
    let deleted = env.run_ok("delete shop --yes");
    deleted.says(kept);
    assert_eq!(deleted.stdout.matches(&format!("{definition} deleted\n")).count(), 1, "{}", deleted.stdout);
}
