//! Ctrl-C, SIGTERM, and resuming afterwards.

use rustix::process::Signal;

use crate::support::child::Child;
use crate::support::pod_rules;
use crate::support::shop::open_shop;
use crate::support::test_env::TestEnv;

/// An upgrade that waits for the first pod of `web-v2`, which does not come.
fn waiting() -> (TestEnv, Child) {
    let env = open_shop();
    env.pods(pod_rules::failing("*:2", "NeverReady"));
    let mut child = env.start("apply v2.yaml");
    child.until("waiting for `web-v2`: 0 of 1 ready");
    (env, child)
}

/// The same command again, now that the pods come.
fn resumes(env: &TestEnv) {
    env.pods(pod_rules::READY);
    let ran = env.run_ok("apply v2.yaml");
    assert!(ran.stderr.contains("resuming the upgrade to `web-v2`"), "{}", ran.stderr);
    assert_eq!(env.deployments(), ["web-v2 3/3"]);
    assert!(env.run("status -o json").stdout.contains("rolloutSucceed"));
}

#[test]
fn an_interrupt_is_130_and_the_run_goes_on() {
    let (env, mut child) = waiting();
    child.signal(Signal::INT);
    insta::assert_snapshot!(child.end().transcript(), @"
    --- stderr
    web: upgrade to `web-v2`
      from `web-v1`: 3 replicas in 2 batches (1 and 2), batch timeout 10m
    web: revision 2 recorded as `web-v2`
    web: workload `web-v2` created
    web: batch 1 of 2: `web-v2` 0 → 1
    web: interrupted in batch 1 of 2: 1 of 3 upgraded, 0 ready, source 3
      hint: the run is recorded: rerun the same command to resume it
    [exit 130]
    ");
    assert_eq!(env.deployments(), ["web-v1 3/3", "web-v2 0/1"]);
    insta::assert_snapshot!(env.run("status").transcript(), @"
    NAME   TARGET   UPGRADED   READY   BATCH-STATE      ROLLING-STATE      AGE
    web    3        1          0       batchVerifying   rollingInBatches   0s
    --- stderr
    web: interrupted
    [exit 0]
    ");
    let history = env.run_ok("history").stdout;
    assert!(history.contains("Interrupted"), "{history}");
    resumes(&env);
}

#[test]
fn a_termination_is_143_and_the_run_goes_on() {
    let (env, mut child) = waiting();
    child.signal(Signal::TERM);
    let ran = child.end();
    assert_eq!(ran.code, Some(143), "{}", ran.stderr);
    assert!(ran.stderr.contains("rerun the same command"), "{}", ran.stderr);
    resumes(&env);
}

#[test]
fn a_second_signal_stops_at_once() {
    let (env, mut child) = waiting();
    // Both are there before the first is heeded, as after two quick presses.
    child.signal(Signal::STOP).signal(Signal::INT).signal(Signal::TERM).signal(Signal::CONT);
    let ran = child.end();
    assert!(matches!(ran.code, Some(130 | 143)), "{ran:?}");
    assert!(ran.stderr.contains("rerun the same command"), "{}", ran.stderr);
    resumes(&env);
}

#[test]
fn a_signal_while_waiting_in_line_leaves_no_trace() {
    let (env, first) = waiting();
    let mut second = env.start_as("second", "apply v1.yaml");
    second.until("waiting for the run of `tester`").signal(Signal::INT);
    insta::assert_snapshot!(second.end().transcript(), @"
    --- stderr
    shop: waiting for the run of `tester`, which holds the lease
    shop: interrupted
    [exit 130]
    ");
    drop(first);
    resumes(&env);
}

#[test]
fn a_run_that_is_watched_ends_by_a_signal() {
    let env = open_shop();
    let mut child = env.start("status --watch");
    child.until_data("web ");
    child.signal(Signal::INT);
    let ran = child.end();
    assert!(ran.stderr.is_empty(), "{ran:?}");
}
