//! `status --until`: during a run that another process drives.

use crate::support::pod_rules;
use crate::support::shop::{open_shop, waiting_shop};

#[test]
fn a_state_already_reached_returns_at_once() {
    let env = open_shop();
    insta::assert_snapshot!(env.run("status web --until done").transcript(), @"
    NAME   TARGET   UPGRADED   READY   BATCH-STATE   ROLLING-STATE    AGE
    web    3        3          3       batchReady    rolloutSucceed   0s
    --- stderr
    [exit 0]
    ");
    env.run_ok("apply v2.yaml --partition 0");
    insta::assert_snapshot!(env.run("status web --until gate").transcript(), @"
    NAME   TARGET   UPGRADED   READY   BATCH-STATE   ROLLING-STATE      AGE
    web    3        1          1       batchReady    rollingInBatches   0s
    --- stderr
    web: held after batch 1 of 2 as requested
    [exit 0]
    ");
    env.run_ok("status --until ready");
    insta::assert_snapshot!(env.run("status web --until done --timeout 100ms").transcript(), @"
    NAME   TARGET   UPGRADED   READY   BATCH-STATE   ROLLING-STATE      AGE
    web    3        1          1       batchReady    rollingInBatches   0s
    --- stderr
    web: held after batch 1 of 2 as requested
    waiting until done, for at most 100ms
    error: not done after 100ms (`--timeout`)
    hint: see `rollout status --sandbox=box.json` and `rollout history --sandbox=box.json`
    [exit 3]
    ");
    assert_eq!(env.run("status nobody --until done").code, Some(4));
}

#[test]
fn a_run_that_failed_is_3_at_once() {
    let env = open_shop();
    env.pods(pod_rules::failing("*:2", "NeverReady"));
    assert_eq!(env.run("apply v2.yaml --batch-timeout 500ms").code, Some(3));
    insta::assert_snapshot!(env.run("status --until done").transcript(), @"
    NAME   TARGET   UPGRADED   READY   BATCH-STATE         ROLLING-STATE   AGE
    web    3        1          0       batchVerifyFailed   rolloutFailed   0s
    --- stderr
    web: not ready after 500ms (`--batch-timeout`): `web-v2`: 0 of 1 ready
    error: the rollout of `web` failed
    hint: the run is recorded: rerun the command that drove it to resume it
    hint: or roll it back with `rollout abort web --sandbox=box.json`
    [exit 3]
    ");
}

#[test]
fn a_concurrent_run_is_followed_to_its_end() {
    let (env, driver) = waiting_shop();
    let mut watcher = env.start("status web --until done");
    watcher.until("waiting until done, for at most 30m");
    env.let_pods_get_ready();
    driver.end_with(0);
    let watched = watcher.end_with(0);
    assert!(
        watched.stdout.trim_end().lines().last().unwrap().contains("rolloutSucceed"),
        "{}",
        watched.stdout
    );
}

#[test]
fn successive_documents_are_separated() {
    let (env, driver) = waiting_shop();
    let mut watcher = env.start("status web --until done -o yaml");
    watcher.until("waiting until done, for at most 30m");
    env.let_pods_get_ready();
    driver.end_with(0);
    let watched = watcher.end_with(0);
    let documents: Vec<&str> = watched.stdout.split("---\n").collect();
    assert!(documents.len() > 1, "{}", watched.stdout);
    for document in documents {
        assert_eq!(document.matches("version: 1\n").count(), 1, "{}", watched.stdout);
        assert!(document.starts_with("version: 1\n"), "{}", watched.stdout);
    }
}

#[test]
fn a_deleted_workload_is_not_done() {
    let env = open_shop();
    env.edit(|objects| objects.retain(|object| object["kind"] == "ConfigMap"));
    for until in ["done", "gate", "ready"] {
        env.run_to(&format!("status --until {until} --timeout 200ms"), 3)
            .says("web: `web-v1` no longer exists\n");
    }
}

#[test]
fn a_timeout_without_a_state_to_wait_for_is_rejected() {
    let ran = open_shop().run("status web --timeout 5s");
    assert_eq!(ran.code, Some(2));
    ran.says("--until <STATE>");
}
