//! Smoke tests: Jobs before and after a batch, their variables, and their removal.

use std::time::Duration;

use rollout::driver::context::OnFailure;
use rollout::driver::outcome::FailureKind;
use rollout::report::event::EventKind;
use rollout::sandbox::fault::{RequestInfo, Verb};
use serde_json::{Value, json};

use crate::support::command::Command;
use crate::support::delayed_request::DelayedRequest;
use crate::support::fault::{Fate, PASS, is_effect};
use crate::support::manifest::{Component, request_for, web};
use crate::support::pod_rules;
use crate::support::process::{Process, Run};
use crate::support::scenario::IDENTITY;
use crate::support::test_cluster::TestCluster;

const TESTS: &str = "smokeTests: [{name: first, when: before, spec: {template: {spec: {containers: \
     [{name: t, image: 'curl:1'}]}}}}, {name: ping, spec: {template: {spec: {containers: [{name: t, image: 'curl:2'}]}}}}]";

/// Three pods in two batches, with both tests around each.
fn tested(version: u32) -> Component {
    web(version, 3).batches(&["1", "2"]).rollout(TESTS)
}

async fn open() -> TestCluster {
    let cluster = TestCluster::open(pod_rules::READY).await;
    cluster.apply(&[web(1, 3)]).await;
    cluster
}

fn is_job_request(seen: &RequestInfo, verb: Verb) -> bool {
    seen.kind == "jobs" && seen.verb == verb
}

fn jobs_created(run: &Run) -> usize {
    run.effects().iter().filter(|request| is_job_request(&request.seen, Verb::Create)).count()
}

fn jobs(cluster: &TestCluster) -> Vec<Value> {
    cluster.objects("Job")
}

#[tokio::test(start_paused = true)]
async fn tests_run_around_each_batch_and_are_deleted() {
    let cluster = open().await;
    let began = Process::new(IDENTITY);
    let run = cluster.run(&began, &request_for(&[tested(2)])).await.succeeded();
    assert_eq!(jobs_created(&run), 4, "{}", run.transcript());
    assert_eq!(jobs(&cluster), Vec::<Value>::new());
    assert_eq!(cluster.sizes(), [("web-v2".to_owned(), 3)]);
}

#[tokio::test(start_paused = true)]
async fn a_test_gets_variables_and_is_started_once() {
    let cluster = open().await;
    // The process dies when the test after the first batch has been started.
    let component = || {
        web(2, 3).batches(&["1", "2"]).rollout(TESTS.replace("name: first, when: before,", "name: first,"))
    };
    let first = Process::with(IDENTITY, |seen| {
        if is_effect(seen) && is_job_request(seen, Verb::Create) { Fate::DeathAfter } else { PASS }
    });
    let died = cluster.run(&first, &request_for(&[component()])).await;
    assert!(died.ends.is_none(), "it did not die\n{}", died.transcript());
    let started = jobs(&cluster);
    let [job] = started.as_slice() else { panic!("{started:?}") };
    let variables = &job["spec"]["template"]["spec"]["containers"][0]["env"];
    let value = |name: &str| {
        let all = variables.as_array().unwrap();
        all.iter().find(|one| one["name"] == name).map(|one| one["value"].clone()).unwrap()
    };
    assert_eq!(value("ROLLOUT_REVISION"), "web-v2");
    assert_eq!(value("ROLLOUT_SOURCE"), "web-v1");
    assert_eq!(value("ROLLOUT_BATCH"), "1");
    let address = value("ROLLOUT_ADDRESSES");
    let is_single_address = address.as_str().is_some_and(|one| one.parse::<std::net::IpAddr>().is_ok());
    assert!(is_single_address, "{address}");
    assert_eq!(job["metadata"]["ownerReferences"][0]["name"], "rollout-web");
    assert_eq!(job["spec"]["backoffLimit"], json!(0));
    let again = cluster.run(&Process::new(IDENTITY), &request_for(&[component()])).await.succeeded();
    assert_eq!(jobs_created(&again), 3, "the first is found again\n{}", again.transcript());
    assert_eq!(jobs(&cluster), Vec::<Value>::new());
}

#[tokio::test(start_paused = true)]
async fn a_test_that_fails_ends_the_run_with_its_log() {
    let cluster = open().await;
    let failing = "- {image: 'curl:2', fail: CrashLoopBackOff, log: \"no route to host\"}\n";
    cluster.set_pod_rules(format!("{failing}{}", pod_rules::READY));
    let run = cluster.run(&Process::new(IDENTITY), &request_for(&[tested(2)])).await;
    let failure = &run.failures()[0];
    assert_eq!(failure.kind, FailureKind::GateFailed, "{}", run.transcript());
    assert!(
        failure.reason.starts_with("after batch 1 of 2, smoke test `ping` failed: BackoffLimitExceeded"),
        "{}",
        failure.reason
    );
    assert!(failure.evidence.iter().any(|line| line.ends_with(": no route to host")), "{failure:?}");
    assert_eq!(jobs(&cluster), Vec::<Value>::new());
    assert_eq!(cluster.sizes(), [("web-v1".to_owned(), 2), ("web-v2".to_owned(), 1)]);
    // A rerun repeats the test.
    cluster.set_pod_rules(pod_rules::READY);
    cluster.run(&Process::new(IDENTITY), &request_for(&[tested(2)])).await.succeeded();
}

#[tokio::test(start_paused = true)]
async fn a_failed_test_rolls_back_if_requested() {
    let cluster = open().await;
    cluster.set_pod_rules(pod_rules::failing("curl:2", "CrashLoopBackOff"));
    let mut process = Process::new(IDENTITY);
    process.limits.on_failure = OnFailure::Undo;
    let run = cluster.run(&process, &request_for(&[tested(2)])).await;
    assert_eq!(run.failures()[0].kind, FailureKind::GateFailed, "{}", run.transcript());
    assert_eq!(cluster.sizes(), [("web-v1".to_owned(), 3)]);
}

#[tokio::test(start_paused = true)]
async fn a_test_that_does_not_end_is_removed_after_its_limit() {
    let cluster = open().await;
    cluster.set_pod_rules(pod_rules::failing("curl:2", "ImagePullBackOff"));
    let mut process = Process::new(IDENTITY);
    process.limits.batch = Duration::from_secs(60);
    let run = cluster.run(&process, &request_for(&[tested(2)])).await;
    let failure = &run.failures()[0];
    assert_eq!(
        failure.reason,
        "after batch 1 of 2, smoke test `ping` has not ended after 1m (`--batch-timeout`)"
    );
    assert!(failure.evidence[0].contains("ImagePullBackOff"), "{failure:?}");
    let waits = run.events.iter().filter(|event| {
        matches!(&event.what, EventKind::Waiting { on, .. } if on == "smoke test `ping` after batch 1 of 2")
    });
    assert!(waits.count() > 0, "{}", run.transcript());
    assert_eq!(jobs(&cluster), Vec::<Value>::new());
}

/// Jobs of a replaced run are deleted, whether its process is alive or dead.
#[tokio::test(start_paused = true)]
async fn a_run_that_replaces_another_removes_its_tests() {
    for replacing in [None, Some(tested(3)), Some(web(3, 3))] {
        for is_alive in [true, false] {
            let cluster = open().await;
            cluster.set_pod_rules(pod_rules::failing("curl:2", "ImagePullBackOff"));
            let (first, second) = (Process::new(IDENTITY), Process::new("jane"));
            let request = request_for(&[tested(2)]);
            let replace = async {
                let is_waiting =
                    |what: &EventKind| matches!(what, EventKind::Waiting { on, .. } if on.contains("ping"));
                first.heard(1, is_waiting).await;
                assert_eq!(jobs(&cluster).len(), 1);
                if !is_alive {
                    first.stopper.stop();
                    cluster.clock.pause(Duration::from_secs(60)).await;
                }
                match &replacing {
                    None => Command::Abort.run(&cluster, &second).await,
                    Some(component) => {
                        cluster.set_pod_rules(pod_rules::READY);
                        cluster.run(&second, &request_for(std::slice::from_ref(component))).await
                    }
                }
            };
            let (run, replaced) = tokio::join!(cluster.run(&first, &request), replace);
            assert!(replaced.is_success(), "{}\n{}", run.transcript(), replaced.transcript());
            assert_eq!(jobs(&cluster), Vec::<Value>::new(), "{}", replaced.transcript());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_spec_that_the_server_rejects_is_rejected_before_the_first_write() {
    let cluster = open().await;
    let wrong = TESTS.replace(
        "{template: {spec: {containers: [{name: t, image: 'curl:2'}]",
        "{completions: -1, template: {spec: {containers: [{name: t, image: 'curl:2'}]",
    );
    let component = web(2, 3).batches(&["1", "2"]).rollout(&wrong);
    let run = cluster.run(&Process::new(IDENTITY), &request_for(&[component])).await;
    let failure = &run.failures()[0];
    assert_eq!(failure.kind, FailureKind::Refused, "{}", run.transcript());
    assert!(
        failure.reason.starts_with("smoke test `ping`: ") && failure.reason.contains("completions"),
        "{failure:?}"
    );
    assert!(run.effects().is_empty(), "{}", run.transcript());
}

/// The process stalls just before it starts a test, or its request is delayed, until another run has taken over.
#[tokio::test(start_paused = true)]
async fn a_test_is_not_started_once_another_run_has_taken_over() {
    for (method, path, most) in [("GET", "/pods", 0), ("POST", "/jobs", 1)] {
        let cluster = open().await;
        cluster.set_pod_rules(pod_rules::failing("curl:2", "ImagePullBackOff"));
        let (first, second) = (Process::new(IDENTITY), Process::new("jane"));
        let component = || web(2, 3).batches(&["1", "2"]).rollout(TESTS.replace("curl:1", "curl:2"));
        let delayed = DelayedRequest::new(move |request| {
            let is_dry_run = request.uri().query().is_some_and(|query| query.contains("dryRun"));
            request.method() == method && request.uri().path().ends_with(path) && !is_dry_run
        });
        let client = cluster.delayed_client(&first, delayed.clone());
        let request = request_for(&[component()]);
        let (one, other) = tokio::join!(first.apply(client, &cluster.clock, &request), async {
            delayed.reached().await;
            // Two runs never start at the very same moment.
            cluster.clock.pause(Duration::from_secs(1)).await;
            let run = Command::Abort.run(&cluster, &second).await;
            delayed.release();
            run
        });
        assert!(other.is_success(), "{}\n{}", one.transcript(), other.transcript());
        assert_eq!(one.failures()[0].kind, FailureKind::Superseded, "{}", one.transcript());
        assert_eq!(jobs_created(&one), most, "{}", one.transcript());
        assert_eq!(jobs(&cluster), Vec::<Value>::new(), "{}", one.transcript());
    }
}

/// The process that replaces a run dies before it has removed the Jobs of that run.
#[tokio::test(start_paused = true)]
async fn the_tests_of_a_replaced_run_are_removed_by_the_run_that_resumes() {
    let cluster = open().await;
    cluster.set_pod_rules(pod_rules::failing("curl:2", "ImagePullBackOff"));
    let first = Process::new(IDENTITY);
    let request = request_for(&[tested(2)]);
    let replace =
        async {
            let is_waiting =
                |what: &EventKind| matches!(what, EventKind::Waiting { on, .. } if on.contains("ping"));
            first.heard(1, is_waiting).await;
            let dying = Process::with("jane", |seen| {
                if is_job_request(seen, Verb::List) { Fate::DeathBefore } else { PASS }
            });
            let died = Command::Abort.run(&cluster, &dying).await;
            assert!(died.ends.is_none(), "it did not die\n{}", died.transcript());
            assert_eq!(jobs(&cluster).len(), 1);
            Command::Abort.run(&cluster, &Process::new("jane")).await
        };
    let (_, replaced) = tokio::join!(cluster.run(&first, &request), replace);
    assert!(replaced.is_success(), "{}", replaced.transcript());
    assert_eq!(jobs(&cluster), Vec::<Value>::new(), "{}", replaced.transcript());
}
