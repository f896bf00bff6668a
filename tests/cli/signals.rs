//! Ctrl-C, SIGTERM, and resuming afterwards.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use http::Method;
use rustix::process::Signal;

use crate::support::child::Child;
use crate::support::http_server::HttpServer;
use crate::support::manifest::shop;
use crate::support::pod_rules;
use crate::support::shop::open_shop;
use crate::support::test_env::TestEnv;

/// An upgrade that waits for the first pod of `web-v2`, which does not become ready.
fn waiting() -> (TestEnv, Child) {
    let env = open_shop();
    env.pods(pod_rules::failing("*:2", "NeverReady"));
    let mut child = env.start("apply v2.yaml");
    child.until("waiting for `web-v2`: 0 of 1 ready");
    (env, child)
}

/// Reruns the command, now with pods that become ready.
fn resumes(env: &TestEnv) {
    env.pods(pod_rules::READY);
    env.run_ok("apply v2.yaml").says("resuming the upgrade to `web-v2`");
    assert_eq!(env.deployments(), ["web-v2 3/3"]);
    assert!(env.run("status -o json").stdout.contains("rolloutSucceed"));
}

#[test]
fn an_interrupt_is_130_and_the_run_can_be_resumed() {
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
fn a_termination_is_143_and_the_run_can_be_resumed() {
    let (env, mut child) = waiting();
    child.signal(Signal::TERM);
    let ran = child.end_with(143);
    ran.says("rerun the same command");
    resumes(&env);
}

#[test]
fn a_second_signal_stops_at_once() {
    let (env, mut child) = waiting();
    // Both signals are pending before the first is handled, as after pressing twice quickly.
    child.signal(Signal::STOP).signal(Signal::INT).signal(Signal::TERM).signal(Signal::CONT);
    let ran = child.end();
    assert!(matches!(ran.code, Some(130 | 143)), "{ran:?}");
    ran.says("rerun the same command");
    resumes(&env);
}

/// The server hangs once the Lease is released, when only the final state is left to read.
#[test]
fn a_signal_ends_the_final_read() {
    let (reads, is_reading) = mpsc::channel();
    let lease_writes = AtomicUsize::new(0);
    let server = HttpServer::open(pod_rules::READY, move |request| {
        if request.method != Method::GET && request.uri.path().contains("/leases") {
            lease_writes.fetch_add(1, Ordering::Relaxed);
        }
        if request.method == Method::GET && lease_writes.load(Ordering::Relaxed) > 1 {
            reads.send(()).unwrap();
            loop {
                thread::park();
            }
        }
        None
    });
    let env = TestEnv::new();
    env.kubeconfig(&format!("server: '{}'", server.address()), "");
    env.write("v1.yaml", shop("v1", "web:1"));
    let mut child = Child::spawn(env.bare("apply v1.yaml --kubeconfig config"));
    is_reading.recv().unwrap();
    child.signal(Signal::INT);
    let ran = child.end();
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(130), ""), "{ran:?}");
    assert!(ran.stderr.contains("web: done: 3 of 3"), "{ran:?}");
    assert!(ran.stderr.ends_with("error: interrupted before the final state was reported\n"), "{ran:?}");
}

#[test]
fn a_signal_while_queued_leaves_no_changes() {
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

/// A process without a handler is killed by a signal, or ignores it as the first process of a container.
#[test]
fn commands_that_only_read_exit_with_the_code_of_the_signal() {
    let (env, driver) = waiting();
    let until = "status web --until done --timeout 1h";
    for (command, signal, code) in [
        ("status --watch", Signal::INT, 130),
        ("status --watch", Signal::TERM, 143),
        (until, Signal::TERM, 143),
    ] {
        let mut child = env.start(command);
        child.until_data("web ").signal(signal);
        let ran = child.end_with(code);
        assert!(!ran.stderr.contains("error"), "{command}: {ran:?}");
    }
    drop(driver);
}

#[test]
fn a_signal_stops_a_deletion_which_can_be_resumed() {
    let env = open_shop();
    env.edit(|objects| {
        let deployment = objects.iter_mut().find(|object| object["kind"] == "Deployment").unwrap();
        deployment["metadata"]["finalizers"] = serde_json::json!(["example.com/block"]);
    });
    let mut child = env.start("delete shop --yes");
    child.until("blocked by its finalizers: example.com/block").signal(Signal::TERM);
    child.end_with(143).says(
        "error: interrupted before everything was deleted\nhint: rerun the same command to delete the rest",
    );
    // The next process in line need not wait until the lease expires.
    assert_eq!(env.objects("Lease")[0]["spec"]["holderIdentity"], "");
    // As a server does once the last finalizer is removed.
    env.edit(|objects| objects.retain(|object| object["kind"] != "Deployment"));
    env.run_ok("delete shop --yes");
    assert!(env.objects("ConfigMap").is_empty());
}
