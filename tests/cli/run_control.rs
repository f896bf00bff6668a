//! `pause`, `resume`, `promote`, `abort`, `scale`: alone, during a run, and in sequence.

use serde_json::{Value, json};

use crate::support::manifest::{application, component, web};
use crate::support::pod_rules;
use crate::support::shop::{held_shop, open_shop, upgraded_shop, waiting_shop};
use crate::support::test_env::TestEnv;

#[test]
fn promote_continues_to_the_next_gate() {
    let env = open_shop();
    env.run_ok("apply v2.yaml --batches 1,1,1 --partition 0");
    insta::assert_snapshot!(env.run("promote").transcript(), @"
    NAME   TARGET   UPGRADED   READY   BATCH-STATE   ROLLING-STATE      AGE
    web    3        2          2       batchReady    rollingInBatches   0s
    --- stderr
    web: resuming the upgrade to `web-v2`
      from `web-v1`: 3 replicas in 3 batches (1, 1 and 1), batch timeout 10m
    web: batch 2 of 3: `web-v2` 1 → 2
    web: batch 2 of 3: `web-v1` 2 → 1
    web: batch 2 of 3 ready: 2 of 3 upgraded, 2 ready, source 1
    web: held after batch 2 of 3 as requested: 2 of 3 upgraded, 2 ready, source 1
      hint: continue with `rollout promote web --sandbox=box.json`
    [exit 0]
    ");
    assert_eq!(env.deployments(), ["web-v1 1/1", "web-v2 2/2"]);
    env.run_ok("promote web");
    assert_eq!(env.deployments(), ["web-v2 3/3"]);
    env.run_ok("promote").says("nothing to do");
}

#[test]
fn promote_in_full_passes_every_gate() {
    let env = open_shop();
    env.run_ok("apply v2.yaml --batches 1,1,1 --partition 0");
    env.run_ok("promote web --full");
    assert_eq!(env.deployments(), ["web-v2 3/3"]);
}

#[test]
fn resume_stays_at_the_gate() {
    let env = held_shop();
    env.run_ok("resume web").says("held after batch 1 of 2");
    assert_eq!(env.deployments(), ["web-v1 2/2", "web-v2 1/1"]);
}

#[test]
fn status_says_that_the_source_of_a_held_run_was_resized() {
    let env = held_shop();
    env.run_ok("status").says("web: held after batch 1 of 2 as requested\n");
    env.edit(|objects| {
        let mut deployments = objects.iter_mut().filter(|one| one["kind"] == "Deployment");
        let source = deployments.find(|one| one["metadata"]["name"] == "web-v1").unwrap();
        source["spec"]["replicas"] = json!(0);
    });
    env.run_ok("status")
        .says("web: held after batch 1 of 2 as requested; `web-v1` has 0 replicas, expected 2");
}

#[test]
fn resume_during_a_run_names_the_process_that_it_waits_for() {
    let (env, driver) = waiting_shop();
    let mut resumed = env.start_as("jane", "resume web");
    resumed.until("waiting for the run of `driver`, which holds the lease");
    env.let_pods_get_ready();
    driver.end_with(0);
    let resumed = resumed.end();
    resumed.says("nothing to do");
}

#[test]
fn abort_rolls_back_in_one_batch() {
    let env = held_shop();
    insta::assert_snapshot!(env.run("abort").transcript(), @"
    NAME   TARGET   UPGRADED   READY   BATCH-STATE   ROLLING-STATE    AGE
    web    3        3          3       batchReady    rolloutSucceed   0s
    --- stderr
    web: rollback to `web-v1`
      from `web-v2`: 3 replicas in 1 batch (3), batch timeout 10m
    web: batch 1 of 1: `web-v1` 2 → 3
    web: batch 1 of 1: `web-v2` 1 → 0
    web: batch 1 of 1 ready: 3 of 3 upgraded, 3 ready
    web: workload `web-v2` deleted
    web: done: 3 of 3 upgraded, 3 ready
    [exit 0]
    ");
    assert_eq!(env.deployments(), ["web-v1 3/3"]);
    insta::assert_snapshot!(env.run("abort").transcript(), @"
    NAME   TARGET   UPGRADED   READY   BATCH-STATE   ROLLING-STATE    AGE
    web    3        3          3       batchReady    rolloutSucceed   0s
    --- stderr
    web: nothing to do: 3 of 3 upgraded, 3 ready
    [exit 0]
    ");
}

#[test]
fn an_interrupted_abort_resumes_when_rerun() {
    let env = held_shop();
    env.pods(pod_rules::failing("*:1", "NeverReady"));
    let mut first = env.start_as("first", "abort");
    first.until("waiting for `web-v1`:");
    drop(first);
    env.pods(pod_rules::READY);
    env.run_ok("abort").says("resuming the rollback to `web-v1`");
    assert_eq!(env.deployments(), ["web-v1 3/3"]);
}

#[test]
fn an_interrupted_undo_resumes_when_rerun() {
    let env = open_shop();
    env.run_ok("apply v2.yaml");
    env.pods(pod_rules::failing("*:1", "NeverReady"));
    let mut first = env.start_as("first", "undo");
    first.until("waiting for `web-v1`:");
    drop(first);
    env.pods(pod_rules::READY);
    env.run_ok("undo");
    assert_eq!(env.deployments(), ["web-v1 3/3"]);
}

#[test]
fn abort_takes_over_from_the_driver() {
    let (env, driver) = waiting_shop();
    env.start_as("jane", "abort").end_with(0);
    // The record is that of the rollback by then, which has a single batch.
    driver.end_with(5).says("web: failed: component `web` was taken over by `jane`");
    assert_eq!(env.deployments(), ["web-v1 3/3"]);
}

#[test]
fn the_final_state_names_the_process_that_took_over() {
    let (env, driver) = open_shop().waiting("apply v2.yaml -o json", "*");
    let mut jane = env.start_as("jane", "abort");
    jane.until(": waiting for `web-v1`");
    let ended = driver.end_with(5);
    let state: Value = serde_json::from_str(&ended.stdout).unwrap();
    let web = &state["items"][0];
    assert_eq!(
        (&web["driver"], &web["message"]),
        (&json!("jane"), &json!("`jane` drives the run")),
        "{state}"
    );
    env.let_pods_get_ready();
    jane.end_with(0);
}

#[test]
fn percentages_fit_a_single_pod() {
    let env = TestEnv::new();
    let staging = |version| application("shop", &[web(version, 1).batches(&["20%", "30%", "50%"])]);
    env.write("app.yaml", staging(1));
    env.run_ok("apply app.yaml");
    env.write("app.yaml", staging(2));
    env.run_ok("apply app.yaml --partition 0").says("1 replica in 3 batches (1, 0 and 0)");
    env.run_ok("promote web").says("held after batch 2 of 3");
    env.run_ok("promote web --full").says("done: 1 of 1 upgraded");
    assert_eq!(env.deployments(), ["web-v2 1/1"]);
}

#[test]
fn undo_now_takes_over_in_one_batch() {
    let (env, driver) = waiting_shop();
    env.start_as("jane", "undo --now").end_with(0).says("in 1 batch (3)");
    driver.end_with(5);
    assert_eq!(env.deployments(), ["web-v1 3/3"]);
}

#[test]
fn a_first_release_cannot_be_rolled_back() {
    let env = TestEnv::new();
    env.write("v1.yaml", crate::support::manifest::shop("v1", "web:1"));
    env.run_ok("apply v1.yaml --partition 0");
    insta::assert_snapshot!(env.run("abort").transcript(), @"
    --- stderr
    web: failed: component `web` cannot be rolled back: this is its first release
      hint: delete it with `rollout delete web --sandbox=box.json`
    [exit 4]
    ");
}

#[test]
fn scale_changes_the_size_in_batches() {
    let env = open_shop();
    insta::assert_snapshot!(env.run("scale web --replicas 5 --batches 1,1").transcript(), @"
    NAME   TARGET   UPGRADED   READY   BATCH-STATE   ROLLING-STATE    AGE
    web    5        5          5       batchReady    rolloutSucceed   0s
    --- stderr
    web: scaling of `web-v1`
      3 → 5 replicas in 2 batches (1 and 1), batch timeout 10m
    web: batch 1 of 2: `web-v1` 3 → 4
    web: batch 1 of 2 ready: 4 of 5 upgraded, 4 ready
    web: batch 2 of 2: `web-v1` 4 → 5
    web: batch 2 of 2 ready: 5 of 5 upgraded, 5 ready
    web: done: 5 of 5 upgraded, 5 ready
    [exit 0]
    ");
    assert_eq!(env.deployments(), ["web-v1 5/5"]);
    env.run_ok("scale --replicas 0");
    assert_eq!(env.deployments(), ["web-v1 0/0"]);
    env.run_ok("scale web --replicas 2");
    assert_eq!(env.deployments(), ["web-v1 2/2"]);
    assert_eq!(env.run("scale web --replicas -1").code, Some(2));
}

#[test]
fn scale_is_rejected_during_an_upgrade() {
    let env = held_shop();
    insta::assert_snapshot!(env.run("scale web --replicas 5").transcript(), @"
    --- stderr
    web: failed: component `web` is in the middle of an upgrade
      hint: finish it with `rollout promote web --full --sandbox=box.json`, or roll it back with `rollout abort web --sandbox=box.json`
    [exit 4]
    ");
    assert_eq!(env.deployments(), ["web-v1 2/2", "web-v2 1/1"]);
}

#[test]
fn a_paused_process_waits_and_resumes() {
    let (env, mut driver) = waiting_shop();
    let paused = env.start_as("jane", "pause web").end();
    insta::assert_snapshot!(paused.transcript(), @"
    NAME   TARGET   UPGRADED   READY   BATCH-STATE      ROLLING-STATE      AGE
    web    3        1          0       batchVerifying   rollingInBatches   0s
    --- stderr
    web: paused; resume it with `rollout resume web --sandbox=box.json`
    [exit 0]
    ");
    driver.until("paused by `jane` in batch 1 of 2");
    env.let_pods_get_ready();
    env.settle();
    assert_eq!(env.deployments(), ["web-v1 3/3", "web-v2 1/1"], "nothing moves");
    insta::assert_snapshot!(env.run("apply v2.yaml").transcript(), @"
    --- stderr
    web: failed: component `web` is paused by `jane`
      hint: resume it with `rollout resume web --sandbox=box.json`
    [exit 4]
    ");
    let resumed = env.run_ok("resume web");
    let driver = driver.end_with(0);
    driver.says("web: resumed");
    assert_eq!(driver.stderr.matches("paused by").count(), 1, "it is said once\n{}", driver.stderr);
    resumed.says("nothing to do");
    assert_eq!(env.deployments(), ["web-v2 3/3"]);
}

#[test]
fn a_pause_outlives_its_process() {
    let (env, mut driver) = waiting_shop();
    env.run_ok("pause");
    driver.until("paused by `tester`");
    drop(driver);
    env.pods(pod_rules::READY);
    assert_eq!(env.run("apply v2.yaml").code, Some(4));
    assert!(env.run_ok("pause").stderr.contains("already paused"));
    env.run_ok("resume").says("resuming the upgrade");
    assert_eq!(env.deployments(), ["web-v2 3/3"]);
}

#[test]
fn a_completed_run_cannot_be_paused() {
    insta::assert_snapshot!(open_shop().run("pause").transcript(), @"
    --- stderr
    error: component `web` has no run under way
    hint: see `rollout status web --sandbox=box.json`
    [exit 4]
    ");
}

/// Each pair in either order, on a held run without a driving process: the state after the second.
#[test]
fn every_sequence_of_two_commands() {
    const V1: &[&str] = &["web-v1 3/3"];
    const V2: &[&str] = &["web-v2 3/3"];
    const HELD: &[&str] = &["web-v1 2/2", "web-v2 1/1"];
    const FIVE: &[&str] = &["web-v2 5/5"];
    const NONE: &[&str] = &[];
    let cases: &[(&str, &str, u8, &[&str])] = &[
        ("pause", "pause", 0, HELD),
        ("pause", "resume", 0, HELD),
        ("pause", "promote", 0, V2),
        ("pause", "promote --full", 0, V2),
        ("pause", "abort", 0, V1),
        ("pause", "undo", 0, V1),
        ("pause", "undo --now", 0, V1),
        ("pause", "scale web --replicas 5", 4, HELD),
        ("pause", "delete web", 0, NONE),
        ("pause", "apply v2.yaml", 4, HELD),
        ("resume", "pause", 0, HELD),
        ("resume", "resume", 0, HELD),
        ("resume", "promote", 0, V2),
        ("resume", "abort", 0, V1),
        ("resume", "undo", 0, V1),
        ("resume", "scale web --replicas 5", 4, HELD),
        ("resume", "apply v2.yaml", 0, V2),
        ("promote", "pause", 4, V2),
        ("promote", "resume", 0, V2),
        ("promote", "promote", 0, V2),
        ("promote", "abort", 4, V2),
        ("promote", "undo", 0, V1),
        ("promote", "scale web --replicas 5", 0, FIVE),
        ("promote", "delete web", 0, NONE),
        ("promote", "apply v2.yaml", 0, V2),
        ("abort", "pause", 4, V1),
        ("abort", "resume", 0, V1),
        ("abort", "promote", 0, V1),
        ("abort", "promote --full", 0, V1),
        ("abort", "abort", 0, V1),
        ("abort", "undo", 4, V1),
        ("abort", "scale web --replicas 5", 0, &["web-v1 5/5"]),
        ("abort", "delete web", 0, NONE),
        ("abort", "apply v2.yaml", 0, V2),
        ("undo", "pause", 4, V1),
        ("undo", "resume", 0, V1),
        ("undo", "promote", 0, V1),
        ("undo", "abort", 4, V1),
        ("undo", "undo", 4, V1),
        ("undo --now", "undo --now", 4, V1),
        ("undo", "scale web --replicas 5", 0, &["web-v1 5/5"]),
        ("undo", "apply v2.yaml", 0, V2),
        ("scale web --replicas 5", "promote", 0, V2),
        ("scale web --replicas 5", "abort", 0, V1),
        ("delete web", "pause", 4, NONE),
        ("delete web", "resume", 4, NONE),
        ("delete web", "promote", 4, NONE),
        ("delete web", "abort", 4, NONE),
        ("delete web", "undo", 4, NONE),
        ("delete web", "scale web --replicas 5", 4, NONE),
        ("delete web", "delete web", 4, NONE),
        ("delete web", "apply v2.yaml", 0, V2),
    ];
    for (first, second, code, left) in cases {
        let env = held_shop();
        // It may also be rejected.
        drop(env.run(first));
        let ran = env.run(second);
        assert_eq!(ran.code, Some(i32::from(*code)), "{first}, {second}\n{}", ran.stderr);
        env.settle();
        assert_eq!(env.deployments(), *left, "{first}, {second}\n{}", ran.stderr);
    }
}

#[test]
fn a_failed_run_can_be_rolled_back_automatically() {
    let env = open_shop();
    env.pods(pod_rules::failing("*:2", "ImagePullBackOff"));
    let ran = env.run_to("apply v2.yaml --fail-fast --on-failure undo", 3);
    let said = [
        "cannot become ready (`--fail-fast`): ImagePullBackOff",
        "warning event",
        "hint: rolling back now (`--on-failure undo`)",
        "web: rollback to `web-v1`",
        "from `web-v2`: 4 → 3 replicas in 1 batch (3)",
        "workload `web-v2` deleted",
        "web: done: 3 of 3 upgraded, 3 ready",
    ];
    let mut rest = ran.stderr.as_str();
    for text in said {
        let at = rest.find(text).unwrap_or_else(|| panic!("`{text}` is missing or early\n{}", ran.stderr));
        rest = &rest[at..];
    }
    assert!(!ran.stderr.contains("is held up"), "it is said once\n{}", ran.stderr);
    assert_eq!(env.deployments(), ["web-v1 3/3"]);
}

#[test]
fn a_promotion_or_resumption_that_fails_is_rolled_back_if_requested() {
    let env = held_shop();
    env.pods(pod_rules::failing("*:2", "ImagePullBackOff"));
    env.run_to("promote web --full --fail-fast --on-failure undo", 3)
        .says("hint: rolling back now (`--on-failure undo`)")
        .says("web: rollback to `web-v1`");
    assert_eq!(env.deployments(), ["web-v1 3/3"]);

    env.run_to("apply v2.yaml --fail-fast", 3);
    env.run_to("resume web --fail-fast --on-failure undo", 3).says("web: rollback to `web-v1`");
    assert_eq!(env.deployments(), ["web-v1 3/3"]);
}

#[test]
fn a_rollback_that_fails_is_not_rolled_back_in_turn() {
    let env = held_shop();
    env.pods(pod_rules::failing("*:1", "ImagePullBackOff"));
    env.run_to("abort web --fail-fast", 3);
    let resumed = env.run_to("resume web --fail-fast --on-failure undo", 3);
    assert_eq!(resumed.stderr.matches("web: failed").count(), 1, "{}", resumed.stderr);
    assert!(!resumed.stderr.contains("rolling back now"), "{}", resumed.stderr);
}

#[test]
fn a_component_at_rest_is_left_as_it_is() {
    let env = upgraded_shop();
    env.edit(|objects| {
        let web =
            objects.iter_mut().find(|one| one["kind"] == "Deployment" && one["metadata"]["name"] == "web-v2");
        let web = web.unwrap();
        web["spec"]["replicas"] = 5.into();
        web["metadata"]["generation"] = (web["metadata"]["generation"].as_u64().unwrap() + 1).into();
    });
    for command in ["promote", "promote --full", "resume"] {
        env.run_ok(&format!("{command} web")).says("web: nothing to do: ");
        let [web] = env.deployments().try_into().unwrap();
        assert!(web.starts_with("web-v2 ") && web.ends_with("/5"), "{command}: {web}");
    }
    let planned = env.run_ok("promote web --dry-run=client").stdout;
    assert!(planned.contains("`web-v2` has 5 replicas; nothing to do"), "{planned}");
    env.run_ok("apply v2.yaml");
    assert_eq!(env.deployments(), ["web-v2 3/3"]);
}

#[test]
fn a_promotion_continues_the_components_that_wait_for_a_held_one() {
    let env = TestEnv::new();
    let release = |version| {
        let db = component("db", version, 2).batches(&["1", "1"]);
        let web = component("web", version, 2).batches(&["1", "1"]).depends_on("db");
        application("shop", &[db, web])
    };
    env.write("v1.yaml", release(1));
    env.write("v2.yaml", release(2));
    env.run_ok("apply v1.yaml");
    let planned = env.run_ok("plan v2.yaml --partition 0").stdout;
    let held = "held until `db` is done; continue with `rollout promote shop --sandbox=box.json`";
    assert!(planned.contains(held), "{planned}");
    env.run_ok("apply v2.yaml --partition 0")
        .says("web: waits for `db`, which is held")
        .says("hint: continue with `rollout promote shop --sandbox=box.json`");
    assert_eq!(env.deployments(), ["db-v1 1/1", "db-v2 1/1", "web-v1 2/2"]);
    env.run_ok("status").says("web: waits for `db`; continue with `rollout promote shop --sandbox=box.json`");
    env.run_to("status --until done --timeout 10ms", 3);
    let before = env.bytes();
    env.run_ok("apply v2.yaml --partition 0").says("web: waits for `db`, which is held");
    assert_eq!(env.bytes(), before);
    env.run_ok("promote db --full").says("db: done").says("web: done");
    assert_eq!(env.deployments(), ["db-v2 2/2", "web-v2 2/2"]);
    env.run_ok("status --until done");
}

#[test]
fn an_application_is_promoted_by_its_name() {
    let env = TestEnv::new();
    let release = |version| {
        application("shop", &["db", "web"].map(|name| component(name, version, 2).batches(&["1", "1"])))
    };
    env.write("v1.yaml", release(1));
    env.write("v2.yaml", release(2));
    env.run_ok("apply v1.yaml");
    env.run_ok("apply v2.yaml --partition 0");
    env.run_ok("promote shop").says("db: done").says("web: done");
    assert_eq!(env.deployments(), ["db-v2 2/2", "web-v2 2/2"]);
}

/// The rollback is older than the release, and the manifest agrees with it.
#[test]
fn a_component_that_was_rolled_back_before_holds_nothing() {
    let env = TestEnv::new();
    let write = |name: &str, api: u32, others: u32| {
        let db = component("db", others, 2).batches(&["1", "1"]);
        let web = component("web", others, 1).depends_on("api");
        env.write(name, application("shop", &[db, component("api", api, 1).depends_on("db"), web]));
    };
    write("v1.yaml", 1, 1);
    write("v2.yaml", 2, 1);
    write("v3.yaml", 1, 3);
    env.run_ok("apply v1.yaml");
    env.run_ok("apply v2.yaml");
    env.run_ok("undo api");
    env.run_ok("apply v3.yaml --partition 0").says("web: waits for `db`, which is held");
    env.run_ok("status").says("web: waits for `db`; continue with");
    env.run_ok("promote db --full").says("web: done");
    assert_eq!(env.deployments(), ["api-v1 1/1", "db-v3 2/2", "web-v3 1/1"]);
}
