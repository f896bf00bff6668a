//! Two processes on one sandbox: one after the other, or one for the other.

use std::process::Command;

use crate::exit_codes::open_shop;
use crate::support::application::application;
use crate::support::child::Child;
use crate::support::{redact, test_env::TestEnv};

/// A command line of a run with this name.
pub(crate) fn by(name: &str, env: &TestEnv, line: &str) -> Command {
    let mut command = env.command(line);
    command.env("ROLLOUT_IDENTITY", name);
    command
}

/// A shop in which `first` waits for pods of `web-v2`, which do not come before the rules change.
fn busy() -> (TestEnv, Child) {
    let env = open_shop();
    env.pods("- {image: '*:2', fail: NeverReady}\n- {image: '*', readyAfter: 20ms}");
    let mut first = Child::spawn(by("first", &env, "apply v2.yaml"));
    first.until("waiting for `web-v2`: 0 of 1 ready");
    (env, first)
}

/// What the first waits for comes: a command beside it gives the pods other rules.
fn pods_come(env: &TestEnv) {
    env.pods("- {image: '*', readyAfter: 20ms}");
    env.write("other.yaml", application("other", "other", "v1", "x:1", "targetSize: 1"));
    env.run_ok("apply other.yaml");
}

#[test]
fn the_second_waits_in_line_and_then_does_its_work() {
    let (env, first) = busy();
    let mut second = Child::spawn(by("second", &env, "apply v1.yaml"));
    second.until("waiting for the run of `first`, which holds the lease");
    pods_come(&env);
    let first = first.end();
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    let second = second.end();
    assert_eq!(second.code, Some(0), "{}", second.stderr);
    assert_eq!(env.deployments(), ["other-v1 1/1", "web-v1 3/3"], "{}", second.stderr);
}

#[test]
fn a_queue_that_does_not_move_is_5() {
    let (env, _first) = busy();
    let second = Child::spawn(by("second", &env, "apply v1.yaml --lock-timeout 100ms")).end();
    insta::assert_snapshot!(second.transcript(), @"
    NAME   TARGET   UPGRADED   READY   BATCH-STATE      ROLLING-STATE      AGE
    web    3        1          0       batchVerifying   rollingInBatches   0s
    --- stderr
    shop: waiting for the run of `first`, which holds the lease
    shop: failed: `first` is still driving application `shop`
      hint: wait longer with `--lock-timeout`, or take over with the `--identity` of that run
    [exit 5]
    ");
}

#[test]
fn the_same_name_takes_over_and_the_first_is_5() {
    let (env, first) = busy();
    let mut again = Child::spawn(by("first", &env, "apply v2.yaml"));
    again.until("resuming the upgrade");
    let first = first.end();
    assert_eq!(first.code, Some(5), "{}", first.stderr);
    assert!(first.stderr.contains("taken over"), "{}", first.stderr);
    pods_come(&env);
    let again = again.end();
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert_eq!(env.deployments(), ["other-v1 1/1", "web-v2 3/3"]);
}

#[test]
fn looking_goes_beside_a_run() {
    let (env, first) = busy();
    insta::assert_snapshot!(redact::data(&env.run_ok("status -o wide").stdout), @"
    NAME   TARGET   UPGRADED   READY   BATCH-STATE      ROLLING-STATE      AGE   BATCH   REVISION
    web    3        1          0       batchVerifying   rollingInBatches   0s    1/2     web-v2
    ");
    insta::assert_snapshot!(redact::data(&env.run_ok("history").stdout), @"
    REVISION   NAME     IMAGE                    READY   AGE
    1          web-v1   registry.example/web:1   3/3     0s
    2          web-v2   registry.example/web:2   0/1     0s

    RUN       REVISIONS         SIZE    OUTCOME     BY       AGE
    Upgrade   web-v1 → web-v2   3       Running     first    0s
    Release   web-v1            0 → 3   Succeeded   tester   0s
    ");
    env.run_ok("plan v1.yaml");
    env.run_ok("apply v1.yaml --dry-run=client");
    drop(first);
}
