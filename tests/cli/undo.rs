//! `undo` and `history`.

use crate::support::manifest::{application, component, shop};
use crate::support::shop::{open_shop, upgraded_shop};
use crate::support::test_env::TestEnv;

#[test]
fn the_default_is_the_previous_revision() {
    let env = upgraded_shop();
    insta::assert_snapshot!(env.run("undo").transcript(), @"
    NAME   TARGET   UPGRADED   READY   BATCH-STATE   ROLLING-STATE    AGE
    web    3        3          3       batchReady    rolloutSucceed   0s
    --- stderr
    web: rollback to `web-v1`
      from `web-v2`: 3 replicas in 2 batches (1 and 2), batch timeout 10m
    web: workload `web-v1` created
    web: batch 1 of 2: `web-v1` 0 → 1
    web: batch 1 of 2: `web-v2` 3 → 2
    web: batch 1 of 2 ready: 1 of 3 upgraded, 1 ready, source 2
    web: batch 2 of 2: `web-v1` 1 → 3
    web: batch 2 of 2: `web-v2` 2 → 0
    web: batch 2 of 2 ready: 3 of 3 upgraded, 3 ready
    web: workload `web-v2` deleted
    web: done: 3 of 3 upgraded, 3 ready
    [exit 0]
    ");
    assert_eq!(env.deployments(), ["web-v1 3/3"]);
    env.run_ok("undo web");
    assert_eq!(env.deployments(), ["web-v2 3/3"], "undoing it again goes forward again");
}

#[test]
fn a_revision_has_three_names() {
    for name in ["v1", "web-v1", "1"] {
        let env = upgraded_shop();
        env.run_ok(&format!("undo web --to-revision {name}"));
        assert_eq!(env.deployments(), ["web-v1 3/3"], "{name}");
    }
}

/// Each revision has its own number from the first manifest on, and one that an earlier version recorded without a
/// number is not selected by one.
#[test]
fn revisions_without_a_number_in_their_name_are_numbered() {
    let env = TestEnv::new();
    for name in ["blue", "green"] {
        let text = shop(name, &format!("registry.example/web:{name}"));
        env.write("app.yaml", text);
        env.run_ok("apply app.yaml");
    }
    let numbers = |env: &TestEnv| {
        let table = env.run_ok("history").stdout;
        let revisions = table.lines().skip(1).take_while(|line| !line.is_empty());
        let number = |line: &str| line.split_whitespace().next().unwrap_or_default().to_owned();
        revisions.map(number).collect::<Vec<String>>()
    };
    assert_eq!(numbers(&env), ["1", "2"]);
    env.run_ok("undo --to-revision 1");
    assert_eq!(env.deployments(), ["web-blue 3/3"]);
    for (recorded, shown) in
        [([0, 2], ["<none>", "2"]), ([0, 0], ["<none>", "<none>"]), ([4, 4], ["<none>", "<none>"])]
    {
        env.edit(|objects| {
            let revisions = objects.iter_mut().filter(|object| object["kind"] == "ControllerRevision");
            revisions.zip(recorded).for_each(|(revision, number)| revision["revision"] = number.into());
        });
        assert_eq!(numbers(&env), shown);
        assert_eq!(env.run(&format!("undo --to-revision {}", recorded[0])).code, Some(4));
    }
    let ambiguous = env.run("undo --to-revision 4").stderr;
    assert!(ambiguous.contains("ambiguous: `web-blue`, `web-green`"), "{ambiguous}");
}

#[test]
fn batches_and_a_gate_can_be_specified() {
    let env = upgraded_shop();
    env.run_ok("undo --batches 1,1,1 --partition 1").says("3 batches (1, 1 and 1)");
    assert_eq!(env.deployments(), ["web-v1 2/2", "web-v2 1/1"]);
    env.run_ok("undo --to-revision v1");
    assert_eq!(env.deployments(), ["web-v1 3/3"]);
}

#[test]
fn a_held_upgrade_is_undone() {
    let env = open_shop();
    env.run_ok("apply v2.yaml --partition 0");
    env.run_ok("undo");
    assert_eq!(env.deployments(), ["web-v1 3/3"]);
}

#[test]
fn undo_to_the_running_revision_does_nothing() {
    let env = upgraded_shop();
    let before = env.bytes();
    insta::assert_snapshot!(env.run("undo --to-revision v2").transcript(), @"
    NAME   TARGET   UPGRADED   READY   BATCH-STATE   ROLLING-STATE    AGE
    web    3        3          3       batchReady    rolloutSucceed   0s
    --- stderr
    web: nothing to do: 3 of 3 upgraded, 3 ready
    [exit 0]
    ");
    assert!(env.bytes() == before, "looking writes nothing");
}

#[test]
fn an_unknown_revision_is_rejected_with_a_list() {
    let env = upgraded_shop();
    let before = env.bytes();
    insta::assert_snapshot!(env.run("undo --to-revision v9").transcript(), @"
    --- stderr
    web: failed: component `web` has no revision `v9`, it has `web-v1`, `web-v2`
      hint: did you mean `v1`?
    [exit 4]
    ");
    assert!(env.bytes() == before, "looking writes nothing");
}

#[test]
fn undo_without_an_earlier_revision_is_rejected() {
    insta::assert_snapshot!(open_shop().run("undo").transcript(), @"
    --- stderr
    web: failed: component `web` has no revision before `web-v1` that succeeded
      hint: choose one from `rollout history web --sandbox=box.json` with `--to-revision`
    [exit 4]
    ");
}

#[test]
fn of_several_components_one_must_be_named() {
    let env = upgraded_shop();
    env.write("tea.yaml", application("tea", &[component("pot", 1, 1)]));
    env.run_ok("apply tea.yaml");
    insta::assert_snapshot!(env.run("undo").transcript(), @"
    --- stderr
    error: namespace `default` has more than one component: `pot` and `web`
    hint: specify one of them
    [exit 2]
    ");
    insta::assert_snapshot!(env.run("history nobody").transcript(), @"
    --- stderr
    error: nothing named `nobody` has been rolled out in namespace `default`
    hint: the namespace has `pot` and `web`
    [exit 4]
    ");
    insta::assert_snapshot!(env.run("undo shop").transcript(), @"
    --- stderr
    error: `shop` is an application, and this command takes a component
    hint: it has `web`
    [exit 4]
    ");
    env.run_ok("undo rollout/web");
    assert_eq!(env.deployments(), ["pot-v1 1/1", "web-v1 3/3"]);
}

#[test]
fn history_is_printed_in_every_format() {
    let env = upgraded_shop();
    insta::assert_snapshot!(env.run("history").transcript(), @"
    REVISION   NAME     IMAGE                    READY   AGE
    1          web-v1   registry.example/web:1   -       0s
    2          web-v2   registry.example/web:2   3/3     0s

    RUN       REVISIONS         SIZE    OUTCOME     BY       AGE
    Upgrade   web-v1 → web-v2   3       Succeeded   tester   0s
    Release   web-v1            0 → 3   Succeeded   tester   0s
    --- stderr
    [exit 0]
    ");
    assert_eq!(
        env.run_ok("history -o name").stdout,
        "controllerrevision/web-v1\ncontrollerrevision/web-v2\n"
    );
    let document: serde_json::Value = serde_json::from_str(&env.run_ok("history -o json").stdout).unwrap();
    assert_eq!(document["revisions"][1]["image"], "registry.example/web:2");
    assert_eq!(document["runs"][0]["outcome"], "Succeeded");
    assert_eq!(document["runs"][0]["from"][0], "web-v1");
    assert!(env.run_ok("history -o yaml").stdout.starts_with("version: 1\n"));
    env.run_ok("undo");
    let table = env.run_ok("history").stdout;
    assert!(table.contains("\nRollback   web-v2 → web-v1   3 "), "{table}");
    let document = env.run_ok("history -o json").stdout;
    assert!(document.contains(r#""action": "Upgrade""#) && !document.contains("Rollback"), "{document}");
}

#[test]
fn history_shows_the_content_of_a_revision() {
    let env = upgraded_shop();
    let before = env.bytes();
    for name in ["v1", "web-v1", "1"] {
        let body = env.run_ok(&format!("history web --revision {name}")).stdout;
        assert!(body.starts_with("apiVersion: apps/v1\nkind: Deployment\n"), "{body}");
        assert!(body.contains("  name: web-v1\n") && body.contains("  replicas: 3\n"), "{body}");
        assert!(body.contains("image: registry.example/web:1\n"), "{body}");
    }
    let body: serde_json::Value =
        serde_json::from_str(&env.run_ok("history --revision v2 -o json").stdout).unwrap();
    assert_eq!(body["spec"]["template"]["spec"]["containers"][0]["image"], "registry.example/web:2");
    insta::assert_snapshot!(env.run("history --revision v9").transcript(), @"
    --- stderr
    error: component `web` has no revision `v9`, it has `web-v1`, `web-v2`
    hint: did you mean `v1`?
    [exit 4]
    ");
    assert!(env.bytes() == before, "looking writes nothing");
}

#[test]
fn history_shows_the_difference_of_two_revisions() {
    let env = upgraded_shop();
    let diff = env.run_ok("history web --diff v1 v2");
    assert!(diff.stdout.starts_with("--- deployment/web-v1\n+++ deployment/web-v2\n@@ "), "{}", diff.stdout);
    let changed: Vec<&str> =
        diff.stdout.lines().skip(3).filter(|line| line.starts_with(['-', '+'])).collect();
    assert_eq!(changed, ["-      - image: registry.example/web:1", "+      - image: registry.example/web:2"]);
    assert_eq!(env.run("history --diff v1 v1").transcript(), "--- stderr\n[exit 0]");
    let coloured = env.run_ok("history --diff v1 v2 --color always").stdout;
    assert!(coloured.contains("\x1b[31m-      - image: "), "{coloured:?}");
    assert_eq!(env.run("history --diff v1 v9").code, Some(4));
    assert_eq!(env.run("history --diff v1 v2 --revision v1").code, Some(2));
}

/// A revision that worked, and two after it that did not.
fn tried_twice() -> TestEnv {
    let env = TestEnv::new();
    env.pods("- {image: '*:1', readyAfter: 20ms}\n- {image: '*', fail: NeverReady}");
    for (revision, code) in [("1", 0), ("2", 3), ("3", 3)] {
        env.write("app.yaml", shop(&format!("v{revision}"), &format!("web:{revision}")));
        let ran = env.run("apply app.yaml --batch-timeout 1s");
        assert_eq!(ran.code, Some(code), "{}", ran.stderr);
        let hint = "roll back with `rollout undo web --to-revision web-v1";
        assert_eq!(ran.stderr.contains(hint), code == 3, "{}", ran.stderr);
    }
    env
}

#[test]
fn a_rollback_restores_the_last_successful_revision_and_its_size() {
    for line in ["undo", "undo --now", "abort", "apply app.yaml --batch-timeout 2s --on-failure undo"] {
        let env = tried_twice();
        let ran = env.run(line);
        assert_eq!(ran.code, Some(if line.starts_with("apply") { 3 } else { 0 }), "{line}: {}", ran.stderr);
        env.settle();
        assert_eq!(env.deployments(), ["web-v1 3/3"], "{line}");
    }
    let history = tried_twice().run_ok("history").stdout;
    assert_eq!(history.matches("Failed").count(), 2, "{history}");
}
