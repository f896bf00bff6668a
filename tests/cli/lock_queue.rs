//! Two processes on one sandbox: they queue, or one takes over from the other.

use crate::support::manifest::{application, component};
use crate::support::pod_rules;
use crate::support::redact;
use crate::support::shop::waiting_shop;
use crate::support::test_env::TestEnv;

#[test]
fn the_second_run_queues_and_then_proceeds() {
    let (env, first) = waiting_shop();
    let mut second = env.start_as("second", "apply v1.yaml");
    second.until("waiting for the run of `driver`, which holds the lease");
    env.let_pods_get_ready();
    first.end_with(0);
    let second = second.end_with(0);
    assert_eq!(env.deployments(), ["web-v1 3/3"], "{}", second.stderr);
}

#[test]
fn a_queue_that_does_not_move_is_5() {
    let (env, _first) = waiting_shop();
    let second = env.start_as("second", "apply v1.yaml --lock-timeout 100ms").end();
    insta::assert_snapshot!(second.transcript(), @"
    NAME   TARGET   UPGRADED   READY   BATCH-STATE      ROLLING-STATE      AGE
    web    3        1          0       batchVerifying   rollingInBatches   0s
    --- stderr
    shop: waiting for the run of `driver`, which holds the lease
    shop: failed: `driver` is still driving application `shop`
      hint: wait longer with `--lock-timeout`, or take over with the `--identity` of that run
    [exit 5]
    ");
}

#[test]
fn a_run_with_the_same_identity_takes_over_and_the_first_is_5() {
    let (env, first) = waiting_shop();
    let mut again = env.start_as("driver", "apply v2.yaml");
    again.until("resuming the upgrade");
    first.end_with(5).says("taken over");
    env.let_pods_get_ready();
    again.end_with(0);
    assert_eq!(env.deployments(), ["web-v2 3/3"]);
}

#[test]
fn commands_that_only_read_do_not_queue() {
    let (env, first) = waiting_shop();
    insta::assert_snapshot!(redact::data(&env.run_ok("status -o wide").stdout), @"
    NAME   TARGET   UPGRADED   READY   BATCH-STATE      ROLLING-STATE      AGE   BATCH   REVISION
    web    3        1          0       batchVerifying   rollingInBatches   0s    1/2     web-v2
    ");
    insta::assert_snapshot!(redact::data(&env.run_ok("history").stdout), @"
    REVISION   NAME     IMAGE                    READY   AGE
    1          web-v1   registry.example/web:1   3/3     0s
    2          web-v2   registry.example/web:2   0/1     0s

    RUN       REVISIONS         SIZE    OUTCOME     BY       AGE
    Upgrade   web-v1 → web-v2   3       Running     driver   0s
    Release   web-v1            0 → 3   Succeeded   tester   0s
    ");
    env.run_ok("plan v1.yaml");
    env.run_ok("apply v1.yaml --dry-run=client");
    drop(first);
}

#[test]
fn a_deletion_in_line_deletes_what_the_run_before_it_has_claimed_meanwhile() {
    let env = TestEnv::new();
    let release = |version| {
        application("shop", &[component("db", version, 1), component("web", version, 1).depends_on("db")])
    };
    env.write("v1.yaml", release(1));
    env.write("v2.yaml", release(2));
    env.run_ok("apply v1.yaml");
    env.pods(pod_rules::failing("db:2", "NeverReady"));
    let mut first = env.start_as("driver", "apply v2.yaml");
    first.until("waiting for `db-v2`: 0 of 1 ready");
    let mut second = env.start_as("second", "delete shop --yes");
    second.until("waiting for the run of `driver`, which holds the lease");
    env.let_pods_get_ready();
    first.end_with(0).says("web: done");
    second.end_with(0);
    assert!(env.deployments().is_empty());
}
