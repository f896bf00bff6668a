//! Queueing for the Lease.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rollout::driver::outcome::FailureKind;
use rollout::report::event::EventKind;
use rollout::sandbox::fault::{RequestInfo, Verdict};

use crate::support::fault::{Fate, PASS, Request, no_leader};
use crate::support::manifest::{Component, request_for, web};
use crate::support::pod_rules;
use crate::support::process::Process;
use crate::support::test_cluster::TestCluster;
use crate::support::{invariants, preconditions};

pub(crate) fn is_queued(what: &EventKind) -> bool {
    matches!(what, EventKind::Queued { .. })
}

pub(crate) fn is_scaled(what: &EventKind) -> bool {
    matches!(what, EventKind::WorkloadScaled { .. })
}

pub(crate) async fn released(rules: impl AsRef<str>) -> TestCluster {
    let cluster = TestCluster::open(rules).await;
    cluster.apply(&[web(1, 5)]).await;
    cluster
}

#[tokio::test(start_paused = true)]
async fn the_second_run_reports_the_process_that_it_waits_for() {
    let cluster = released(pod_rules::ready_after("1m")).await;
    let from = cluster.history().len();
    let (alice, bob) = (Process::new("alice"), Process::new("bob"));
    let first = request_for(&[web(2, 5).batches(&["2", "3"])]);
    let second = request_for(&[web(3, 5).batches(&["2", "3"])]);
    let (one, other) = tokio::join!(cluster.run(&alice, &first), async {
        alice.heard(1, is_scaled).await;
        cluster.run(&bob, &second).await
    });
    assert!(one.is_success() && other.is_success(), "{}\n{}", one.transcript(), other.transcript());
    let holders: Vec<&EventKind> =
        other.events.iter().map(|event| &event.what).filter(|what| is_queued(what)).collect();
    assert_eq!(holders, [&EventKind::Queued { holder: "alice".to_owned() }]);
    let ended = one.requests.iter().map(|request| request.at).max().unwrap();
    assert!(other.writes().iter().all(|request| request.at >= ended), "{}", other.transcript());
    assert_eq!(cluster.sizes(), [("web-v3".to_owned(), 5)]);
    judge(&cluster, from, &[&one.requests, &other.requests], &[web(3, 5).batches(&["2", "3"])]);
}

pub(crate) fn judge(cluster: &TestCluster, from: usize, requests: &[&Vec<Request>], manifest: &[Component]) {
    requests.iter().for_each(|requests| preconditions::check(requests));
    let mut allowances: Vec<_> = manifest.iter().map(Component::allowance).collect();
    // Each of the two runs may add a batch.
    allowances.iter_mut().for_each(|allowance| allowance.largest *= 2);
    invariants::check(&cluster.history(), from, &allowances);
}

/// Two runs of the same manifest: the second has nothing left to do.
#[tokio::test(start_paused = true)]
async fn the_second_of_two_runs_of_a_manifest_writes_nothing() {
    let cluster = released(pod_rules::ready_after("10s")).await;
    let (alice, bob) = (Process::new("alice"), Process::new("bob"));
    let manifest = request_for(&[web(2, 5).batches(&["2", "3"])]);
    let (one, other) = tokio::join!(cluster.run(&alice, &manifest), cluster.run(&bob, &manifest));
    assert!(one.is_success() && other.is_success(), "{}\n{}", one.transcript(), other.transcript());
    let idle = if one.effects().is_empty() { &one } else { &other };
    assert!(idle.effects().is_empty(), "{}", idle.transcript());
    assert_eq!(cluster.sizes(), [("web-v2".to_owned(), 5)]);
}

#[tokio::test(start_paused = true)]
async fn a_queued_run_times_out() {
    let cluster = released(pod_rules::ready_after("5m")).await;
    let (alice, mut bob) = (Process::new("alice"), Process::new("bob"));
    bob.limits.lock = Duration::from_secs(30);
    let (first, second) = (request_for(&[web(2, 5)]), request_for(&[web(3, 5)]));
    let (one, other) = tokio::join!(cluster.run(&alice, &first), async {
        alice.heard(1, is_scaled).await;
        cluster.run(&bob, &second).await
    });
    assert!(one.is_success(), "{}", one.transcript());
    let failures = other.failures();
    assert_eq!(failures[0].kind, FailureKind::Superseded, "{}", other.transcript());
    assert!(failures[0].reason.contains("`alice`"), "{}", other.transcript());
    assert!(other.writes().is_empty(), "{}", other.transcript());
}

/// A holder that no longer renews its Lease is succeeded after one lease duration, and not before.
#[tokio::test(start_paused = true)]
async fn a_dead_holders_lease_expires() {
    let cluster = released(pod_rules::ready_after("5m")).await;
    let from = cluster.history().len();
    let (alice, bob) = (Process::new("alice"), Process::new("bob"));
    let first = request_for(&[web(2, 5).batches(&["2", "3"])]);
    tokio::select! {
        biased;
        () = alice.heard(1, is_scaled) => {}
        run = cluster.run(&alice, &first) => panic!("{}", run.transcript()),
    }
    let begun = cluster.clock.elapsed().unsigned_abs();
    let run = cluster.run(&bob, &first).await.succeeded();
    let waited = run.writes()[0].at - begun;
    assert!((15..20).contains(&waited.as_secs()), "{waited:?}\n{}", run.transcript());
    cluster.settle().await;
    judge(&cluster, from, &[&alice.tap.requests(), &run.requests], &[web(2, 5).batches(&["2", "3"])]);
    assert_eq!(cluster.sizes(), [("web-v2".to_owned(), 5)]);
}

/// A renewal without a response is abandoned in time for the next one.
#[tokio::test(start_paused = true)]
async fn a_hanging_renewal_does_not_lose_the_lease() {
    for hanging in [0..1, 3..4, 0..100] {
        let cluster = released(pod_rules::ready_after("1m")).await;
        let renewals = AtomicUsize::new(0);
        let is_lost = hanging.len() > 1;
        let alice = Process::with("alice", move |seen| {
            let is_renewal = seen.kind == "leases"
                && seen.body.as_ref().is_some_and(|body| body.to_string().contains("/spec/renewTime"));
            if is_renewal && hanging.contains(&renewals.fetch_add(1, Ordering::Relaxed)) {
                return Fate::Verdict(Verdict::Hang);
            }
            PASS
        });
        let bob = Process::new("bob");
        let (first, second) = (request_for(&[web(2, 5)]), request_for(&[web(3, 5)]));
        let (one, other) = tokio::join!(cluster.run(&alice, &first), async {
            alice.heard(1, is_scaled).await;
            cluster.run(&bob, &second).await
        });
        assert!(other.is_success(), "{}", other.transcript());
        assert_eq!(one.is_success(), !is_lost, "{}\n{}", one.transcript(), other.transcript());
    }
}

/// A run that cannot renew its Lease stops until it can.
#[tokio::test(start_paused = true)]
async fn nothing_is_written_on_a_lease_that_may_have_expired() {
    let cluster = released(pod_rules::ready_after("20s")).await;
    let out = Duration::from_secs(25)..Duration::from_secs(100);
    let begun = cluster.clock.elapsed().unsigned_abs();
    let (window, clock) = (out.clone(), cluster.clock.clone());
    let is_out = move |seen: &RequestInfo| {
        let now = clock.elapsed().unsigned_abs() - begun;
        seen.kind == "leases" && window.contains(&now)
    };
    let alice = Process::with("alice", move |seen| if is_out(seen) { no_leader() } else { PASS });
    let run =
        cluster.run(&alice, &request_for(&[web(2, 5).batches(&["1", "1", "1", "1", "1"])])).await.succeeded();
    let late = run
        .effects()
        .into_iter()
        .filter(|request| (out.start + Duration::from_secs(10)..out.end).contains(&(request.at - begun)));
    assert_eq!(late.count(), 0, "{}", run.transcript());
}
