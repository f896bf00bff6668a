//! Commands that control a run while another process drives it: the ends of both, and the final state.

use crate::support::child::Child;
use crate::support::manifest::shop;
use crate::support::pod_rules;
use crate::support::shop::open_shop;
use crate::support::test_env::{CommandOutput, TestEnv};

/// A shop in the first batch of an upgrade.
fn upgraded(line: &str) -> (TestEnv, Child) {
    open_shop().waiting(line, "*:2")
}

/// A shop in the first batch of a first release.
fn released() -> (TestEnv, Child) {
    let env = TestEnv::new();
    env.write("v1.yaml", shop("v1", "registry.example/web:1"));
    env.waiting("apply v1.yaml", "*:1")
}

/// A shop in the first batch of a rollback from `web-v2`.
fn returned() -> (TestEnv, Child) {
    let env = open_shop();
    env.run_ok("apply v2.yaml");
    env.waiting("undo", "*:1")
}

fn jane(env: &TestEnv, line: &str) -> Child {
    env.start_as("jane", line)
}

/// Runs a command that queues behind a run, which then completes; both succeed.
fn waits_in_line(env: &TestEnv, driver: Child, line: &str) -> [CommandOutput; 2] {
    let mut waiting = jane(env, line);
    waiting.until("waiting for the run of `driver`");
    env.let_pods_get_ready();
    [driver.end_with(0), waiting.end_with(0)]
}

/// A shop in the first batch of a paused upgrade.
fn paused() -> (TestEnv, Child) {
    pauses(upgraded("apply v2.yaml"))
}

fn pauses((env, mut driver): (TestEnv, Child)) -> (TestEnv, Child) {
    jane(&env, "pause web").end_with(0);
    driver.until("paused by `jane`");
    (env, driver)
}

/// Asserts that nothing is in progress, half done or without an owner, and that `status` shows it.
fn rests(env: &TestEnv, deployments: &[&str], runs: &[&str]) {
    env.settle();
    assert_eq!(env.deployments(), deployments);
    let history = if runs.is_empty() { String::new() } else { env.run_ok("history web").stdout };
    let of_runs = history.lines().skip_while(|line| !line.starts_with("RUN")).skip(1);
    let outcomes: Vec<&str> =
        of_runs.map(|line| line.split_whitespace().rev().nth(2).unwrap_or_default()).collect();
    assert_eq!(outcomes, runs, "{history}");
}

#[test]
fn scale_during_an_upgrade_queues() {
    let (env, driver) = upgraded("apply v2.yaml");
    jane(&env, "scale web --replicas 5 --lock-timeout 100ms").end_with(5);
    waits_in_line(&env, driver, "scale web --replicas 5");
    rests(&env, &["web-v2 5/5"], &["Succeeded", "Succeeded", "Succeeded"]);
}

#[test]
fn status_names_the_driving_process_if_there_is_one() {
    let (env, driver) = upgraded("apply v2.yaml");
    env.run_ok("status").says("web: `driver` drives the run\n");
    let status: serde_json::Value = serde_json::from_str(&env.run_ok("status -o json").stdout).unwrap();
    assert_eq!(status["items"][0]["driver"], "driver");
    drop(driver);
    let status = env.run_ok("status");
    let abandoned =
        "web: no process drives the run; resume it with `rollout resume web --sandbox=box.json`\n";
    status.says(abandoned);
    env.pods(pod_rules::READY);
    env.run_ok("resume web");
    assert_eq!(env.run_ok("status").stderr, "");
}

#[test]
fn scale_during_a_release_queues() {
    let (env, driver) = released();
    jane(&env, "scale web --replicas 5 --lock-timeout 100ms").end_with(5);
    waits_in_line(&env, driver, "scale web --replicas 5");
    rests(&env, &["web-v1 5/5"], &["Succeeded", "Succeeded"]);
}

#[test]
fn resume_of_a_run_that_is_not_paused_waits_for_its_end() {
    let (env, driver) = upgraded("apply v2.yaml");
    jane(&env, "resume web --lock-timeout 100ms").end_with(5);
    let [driver, resumed] = waits_in_line(&env, driver, "resume web");
    assert!(!driver.stderr.contains("pause"), "{}", driver.stderr);
    resumed.says("nothing to do");
    rests(&env, &["web-v2 3/3"], &["Succeeded", "Succeeded"]);
}

#[test]
fn promote_before_the_gate_waits_for_it_and_passes() {
    let (env, driver) = upgraded("apply v2.yaml --batches 1,1,1 --partition 0");
    let [driver, promoted] = waits_in_line(&env, driver, "promote web");
    driver.says("held after batch 1 of 3");
    promoted.says("held after batch 2 of 3");
    rests(&env, &["web-v1 1/1", "web-v2 2/2"], &["Held", "Succeeded"]);
}

#[test]
fn promote_in_full_before_the_gate_runs_to_completion() {
    let (env, driver) = upgraded("apply v2.yaml --batches 1,1,1 --partition 0");
    waits_in_line(&env, driver, "promote web --full");
    rests(&env, &["web-v2 3/3"], &["Succeeded", "Succeeded"]);
}

#[test]
fn delete_queues() {
    let (env, driver) = upgraded("apply v2.yaml");
    let deleted = jane(&env, "delete web --lock-timeout 100ms").end_with(5);
    assert!(deleted.stdout.is_empty(), "{}", deleted.stdout);
    waits_in_line(&env, driver, "delete web");
    rests(&env, &[], &[]);
    assert!(env.objects("ConfigMap").is_empty());
}

#[test]
fn undo_queues() {
    let (env, driver) = upgraded("apply v2.yaml");
    waits_in_line(&env, driver, "undo web");
    rests(&env, &["web-v1 3/3"], &["Succeeded", "Succeeded", "Succeeded"]);
}

#[test]
fn a_second_pause_reports_the_first() {
    let (env, driver) = paused();
    let again = env.start_as("joe", "pause web").end_with(0);
    again.says("web: already paused");
    env.let_pods_get_ready();
    jane(&env, "resume web").end_with(0);
    let driver = driver.end_with(0);
    assert!(!driver.stderr.contains("`joe`"), "the first word counts\n{}", driver.stderr);
    rests(&env, &["web-v2 3/3"], &["Succeeded", "Succeeded"]);
}

/// A paused process yields to a command that takes over.
fn paused_gives_way(line: &str) -> TestEnv {
    let (env, driver) = paused();
    jane(&env, line).end_with(0);
    driver.end_with(5);
    env
}

#[test]
fn abort_of_a_paused_run_takes_over() {
    let env = paused_gives_way("abort web");
    rests(&env, &["web-v1 3/3"], &["Succeeded", "Superseded", "Succeeded"]);
}

#[test]
fn undo_of_a_paused_run_takes_over() {
    let env = paused_gives_way("undo web");
    rests(&env, &["web-v1 3/3"], &["Succeeded", "Superseded", "Succeeded"]);
}

#[test]
fn delete_of_a_paused_run_takes_over() {
    let env = paused_gives_way("delete web");
    rests(&env, &[], &[]);
    assert!(env.objects("ConfigMap").is_empty());
}

#[test]
fn scale_of_a_paused_upgrade_is_rejected_and_it_stays_paused() {
    let (env, driver) = paused();
    jane(&env, "scale web --replicas 5").end_with(4);
    assert!(env.run_ok("status web").stderr.contains("paused by `jane`"));
    env.let_pods_get_ready();
    jane(&env, "resume web").end_with(0);
    driver.end_with(0);
    rests(&env, &["web-v2 3/3"], &["Succeeded", "Succeeded"]);
}

#[test]
fn scale_of_a_paused_release_takes_over() {
    let (env, driver) = pauses(released());
    let mut scaled = jane(&env, "scale web --replicas 5");
    scaled.until("waiting for `web-v1`");
    driver.end_with(5);
    env.let_pods_get_ready();
    scaled.end_with(0);
    rests(&env, &["web-v1 5/5"], &["Succeeded", "Superseded"]);
}

#[test]
fn promote_ends_a_pause_and_waits_for_the_process() {
    let (env, driver) = paused();
    env.let_pods_get_ready();
    jane(&env, "promote web").end_with(0);
    let driver = driver.end_with(0);
    driver.says("web: resumed");
    rests(&env, &["web-v2 3/3"], &["Succeeded", "Succeeded"]);
}

#[test]
fn abort_of_an_undo_rolls_it_back() {
    let (env, driver) = returned();
    jane(&env, "abort web").end_with(0);
    driver.end_with(5);
    rests(&env, &["web-v2 3/3"], &["Succeeded", "Superseded", "Succeeded", "Succeeded"]);
}

#[test]
fn undo_now_of_an_abort_continues_it() {
    let env = open_shop();
    env.run_ok("apply v2.yaml --partition 0");
    let (env, driver) = env.waiting("abort web", "*:1");
    let mut undone = jane(&env, "undo web --now");
    undone.until("waiting for `web-v1`");
    driver.end_with(5);
    env.let_pods_get_ready();
    undone.end_with(0);
    rests(&env, &["web-v1 3/3"], &["Succeeded", "Superseded", "Succeeded"]);
}
