//! A deadline applies in every state of a run: while a webhook rejects writes, or the server does not answer.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rollout::driver::context::OnFailure;
use rollout::driver::outcome::FailureKind;
use rollout::sandbox::fault::{RequestInfo, Verb, Verdict};

use crate::support::fault::{Fate, PASS, status};
use crate::support::manifest::{component, request_for, web};
use crate::support::pod_rules;
use crate::support::process::Process;
use crate::support::scenario::IDENTITY;
use crate::support::test_cluster::TestCluster;

/// The batch deadline, far shorter than the retries of a failing API server.
const BATCH: Duration = Duration::from_secs(40);

fn is_scaling(seen: &RequestInfo) -> bool {
    seen.verb == Verb::Patch && seen.kind == "deployments" && seen.name.as_deref() == Some("web-v2")
}

/// A process whose writes to the target always get the same response, until its failure is recorded.
fn failing(verdict: fn() -> Verdict) -> Process {
    let records = AtomicUsize::new(0);
    let mut process = Process::with(IDENTITY, move |seen| {
        let is_record = seen.verb == Verb::Patch && seen.name.as_deref() == Some("rollout-web");
        let written = records.fetch_add(usize::from(is_record), Ordering::Relaxed);
        if is_scaling(seen) && written < 2 { Fate::Verdict(verdict()) } else { PASS }
    });
    process.limits.batch = BATCH;
    process
}

fn webhook() -> Verdict {
    let message = "Internal error occurred: failed calling webhook \"check.example\": connection refused";
    Verdict::Answer(status(500, "InternalError", message))
}

#[tokio::test(start_paused = true)]
async fn a_write_that_keeps_failing_ends_at_the_batch_deadline() {
    for verdict in [webhook as fn() -> Verdict, || Verdict::Hang] {
        let cluster = TestCluster::open(pod_rules::READY).await;
        cluster.apply(&[web(1, 3)]).await;
        let began = cluster.clock.elapsed();
        let run = cluster.run(&failing(verdict), &request_for(&[web(2, 3)])).await;
        let late = (cluster.clock.elapsed() - began).unsigned_abs();
        let failures = run.failures();
        assert_eq!(failures[0].kind, FailureKind::NotReady, "{}", run.transcript());
        assert!(failures[0].reason.contains("(`--batch-timeout`)"), "{}", failures[0].reason);
        // Gathering the evidence takes at most ten seconds.
        assert!(late <= BATCH + Duration::from_secs(15), "{late:?}: {}", run.transcript());
        assert_eq!(cluster.record("web").unwrap()["run"]["outcome"], "Failed");
        cluster.apply(&[web(2, 3)]).await;
    }
}

/// Progress of another component does not extend the deadline of a failing one, which is rolled back.
#[tokio::test(start_paused = true)]
async fn progress_of_a_sibling_does_not_extend_the_deadline() {
    let cluster = TestCluster::open(pod_rules::slow("api:2", "15s")).await;
    let release = |version| {
        let batches = ["1"; 12];
        [component("api", version, 12).batches(&batches), web(version, 3)]
    };
    cluster.apply(&release(1)).await;
    let mut failing = failing(webhook);
    failing.limits.on_failure = OnFailure::Undo;
    let run = cluster.run(&failing, &request_for(&release(2))).await;
    let kinds: Vec<FailureKind> = run.failures().iter().map(|failure| failure.kind).collect();
    assert_eq!(kinds, [FailureKind::NotReady], "{}", run.transcript());
    assert_eq!(
        cluster.sizes(),
        [("api-v2".to_owned(), 12), ("web-v1".to_owned(), 3)],
        "{}",
        run.transcript()
    );
    assert_eq!(cluster.record("web").unwrap()["run"]["purpose"], "Abort");
}

/// Pods that alternate between ready and unready neither pass a soak time nor restart the batch deadline.
#[tokio::test(start_paused = true)]
async fn pods_that_flap_at_a_soak_time_fail_the_batch() {
    let cluster = TestCluster::open(pod_rules::READY).await;
    cluster.apply(&[web(1, 4)]).await;
    let mut process = Process::new(IDENTITY);
    process.limits.batch = Duration::from_secs(300);
    let manifest = request_for(&[web(2, 4).batches(&["1", "3"]).rollout("soak: 1m")]);
    let flap = async {
        loop {
            cluster.clock.pause(Duration::from_secs(30)).await;
            cluster.set_pod_rules(pod_rules::failing("web:2", "NeverReady"));
            cluster.clock.pause(Duration::from_secs(120)).await;
            cluster.set_pod_rules(pod_rules::READY);
        }
    };
    let run = tokio::select! {
        run = cluster.run(&process, &manifest) => run,
        () = flap => unreachable!("it never ends"),
    };
    assert_eq!(run.failures()[0].kind, FailureKind::NotReady, "{}", run.transcript());
}

/// While older pods are broken, the status of a StatefulSet does not show which pods are ready, so they are counted,
/// even while other components wait for theirs.
#[tokio::test(start_paused = true)]
async fn slow_neighbours_do_not_delay_the_count_of_ready_pods() {
    let neighbours = ["a", "b", "c", "d", "e", "f"];
    let release = |version| {
        let base = component("base", version, 1);
        let set = component("set", version, 4).of("statefulset").batches(&["1", "3"]);
        let set = set.property("podManagementPolicy: Parallel").depends_on("base");
        let others = neighbours.map(|name| component(name, version, 1));
        [base, set].into_iter().chain(others).collect::<Vec<_>>()
    };
    let cluster = TestCluster::open(pod_rules::READY).await;
    cluster.apply(&release(1)).await;
    let slow = neighbours.map(|name| format!("- {{image: '{name}:2', readyAfter: 150s}}\n")).concat();
    let broken = "- {image: 'set:1', fail: NeverReady}\n- {image: 'base:2', readyAfter: 4s}\n";
    cluster.set_pod_rules(format!("{slow}{broken}{}", pod_rules::READY));
    let mut process = Process::new(IDENTITY);
    process.limits.batch = Duration::from_secs(160);
    let run = cluster.run(&process, &request_for(&release(2))).await;
    assert!(run.is_success(), "{}", run.transcript());
    let of_set =
        run.requests.iter().filter(|one| one.is_write() && one.seen.name.as_deref() == Some("rollout-set"));
    let end = of_set.map(|one| one.at).max().unwrap();
    assert!(end < Duration::from_secs(30), "{end:?}: {}", run.transcript());
}
