//! While its Lease may have expired, a process writes nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rollout::driver::outcome::FailureKind;
use rollout::report::event::EventKind;
use rollout::sandbox::fault::{RequestInfo, Verb, Verdict, WatchFault};

use super::lock_queue::{is_scaled, released};
use crate::support::command::Command;
use crate::support::delayed_request::DelayedRequest;
use crate::support::fault::{Fate, PASS, Request, no_leader, status};
use crate::support::manifest::{request_for, web};
use crate::support::pod_rules;
use crate::support::process::{Process, Run};
use crate::support::test_cluster::TestCluster;
use crate::support::trial::case;

/// How long after the request of the last renewal a process still writes.
const VALID: Duration = Duration::from_secs(10);

fn is_renewal(seen: &RequestInfo) -> bool {
    let body = seen.body.as_ref().map(ToString::to_string).unwrap_or_default();
    seen.kind == "leases" && seen.verb == Verb::Patch && body.contains("/spec/renewTime")
}

/// The writes between two times, during which no renewal was requested that could have been granted.
fn written(run: &Run, from: Duration, until: Duration) -> Vec<String> {
    let late = run.effects().into_iter().filter(|request| (from..until).contains(&request.at));
    late.map(Request::line).collect()
}

/// The response to a renewal takes five seconds, and no later renewal succeeds: the five seconds count.
#[tokio::test(start_paused = true)]
async fn a_lease_is_valid_from_the_request_for_its_renewal() {
    let cluster = released(pod_rules::ready_after("16s")).await;
    let begun = cluster.clock.elapsed().unsigned_abs();
    let is_cut_off = Arc::new(AtomicBool::new(false));
    let cut_off = is_cut_off.clone();
    let alice = Process::with("alice", move |seen| {
        if is_renewal(seen) && cut_off.swap(true, Ordering::Relaxed) { no_leader() } else { PASS }
    });
    // The first write acquires the Lease.
    let writes = AtomicUsize::new(0);
    let answer = DelayedRequest::of_answer(move |request| {
        let is_write = request.method() == "PATCH" && request.uri().path().contains("/leases/");
        is_write && writes.fetch_add(1, Ordering::Relaxed) == 1
    });
    let manifest = request_for(&[web(2, 5).batches(&["2", "3"])]);
    let client = cluster.delayed_client(&alice, answer.clone());
    let slow = async {
        answer.reached().await;
        cluster.clock.pause(Duration::from_secs(5)).await;
        answer.release();
        std::future::pending::<()>().await;
    };
    let run = tokio::select! {
        run = alice.apply(client, &cluster.clock, &manifest) => run,
        () = slow => unreachable!(),
    };
    let granted = run.requests.iter().find(|request| is_renewal(&request.seen)).unwrap().at;
    assert!(granted < begun + VALID, "{}", run.transcript());
    assert_eq!(run.failures()[0].kind, FailureKind::Cluster, "{}", run.transcript());
    let late = written(&run, granted + VALID, Duration::MAX);
    assert!(late.is_empty(), "{late:?}\n{}", run.transcript());
}

/// The same for the response to the request that acquires the Lease.
#[tokio::test(start_paused = true)]
async fn a_lease_is_valid_from_the_request_that_acquires_it() {
    let cluster = released(pod_rules::READY).await;
    let alice = Process::with("alice", |seen| if is_renewal(seen) { no_leader() } else { PASS });
    let answer = DelayedRequest::of_answer(|request| {
        request.method() == "PATCH" && request.uri().path().contains("/leases/")
    });
    let client = cluster.delayed_client(&alice, answer.clone());
    let manifest = request_for(&[web(2, 5)]);
    let (run, ()) = tokio::join!(alice.apply(client, &cluster.clock, &manifest), async {
        answer.reached().await;
        cluster.clock.pause(Duration::from_secs(12)).await;
        answer.release();
    });
    assert!(run.effects().is_empty(), "{}", run.transcript());
}

/// From any second of a run on, the Lease cannot be renewed for some time, before any write, including the record of
/// the end.
#[tokio::test(start_paused = true)]
async fn nothing_is_written_after_the_lease_is_lost_at_any_time() {
    for seconds in 0..40 {
        case(&format!("lost after {seconds}s"));
        let cluster = released(pod_rules::ready_after("15s")).await;
        let begun = cluster.clock.elapsed().unsigned_abs();
        let out = Duration::from_secs(seconds)..Duration::from_secs(seconds + 40);
        let run = cluster
            .run(&cut_off(&cluster, out.clone()), &request_for(&[web(2, 2).batches(&["1", "1"])]))
            .await
            .succeeded();
        check(&run, begun, out);
    }
}

/// A process whose Lease requests fail in this range of time from now.
fn cut_off(cluster: &TestCluster, out: std::ops::Range<Duration>) -> Process {
    let (begun, clock) = (cluster.clock.elapsed().unsigned_abs(), cluster.clock.clone());
    Process::with("alice", move |seen| {
        let is_out = out.contains(&(clock.elapsed().unsigned_abs() - begun));
        if seen.kind == "leases" && is_out { no_leader() } else { PASS }
    })
}

fn check(run: &Run, begun: Duration, out: std::ops::Range<Duration>) {
    let late = written(run, begun + out.start + VALID, begun + out.end);
    assert!(late.is_empty(), "{late:?}\n{}", run.transcript());
}

/// A pause is also recorded only under a valid Lease: another process may have claimed since.
#[tokio::test(start_paused = true)]
async fn a_pause_is_recorded_under_the_lease() {
    let cluster = released(pod_rules::slow("web:2", "2m")).await;
    let begun = cluster.clock.elapsed().unsigned_abs();
    let out = Duration::from_secs(5)..Duration::from_secs(60);
    let alice = cut_off(&cluster, out.clone());
    let manifest = request_for(&[web(2, 2).batches(&["1", "1"])]);
    let (run, paused) = tokio::join!(cluster.run(&alice, &manifest), async {
        alice.heard(1, is_scaled).await;
        cluster.clock.pause(Duration::from_secs(30)).await;
        let paused = Command::Pause.run(&cluster, &Process::new("joe")).await;
        alice.heard(1, |what| matches!(what, EventKind::Paused { .. })).await;
        Command::Resume.run(&cluster, &Process::new("joe")).await.succeeded();
        paused
    });
    assert!(paused.is_success(), "{}", paused.transcript());
    check(&run.succeeded(), begun, out);
}

/// The response to the claim takes until the Lease has expired, and a deletion removes the component before the Lease
/// is granted again. No watch reports this, so the next write would come from a run that has lost its claim.
#[tokio::test(start_paused = true)]
async fn a_claim_is_confirmed_once_the_lease_is_granted_again() {
    let cluster = released(pod_rules::READY).await;
    let (begun, clock) = (cluster.clock.elapsed().unsigned_abs(), cluster.clock.clone());
    let alice = Process::with("alice", move |seen| {
        let is_out = clock.elapsed().unsigned_abs() - begun < Duration::from_secs(120);
        match seen.verb {
            Verb::Watch => Fate::Verdict(Verdict::Watch(WatchFault::Silent)),
            _ if is_renewal(seen) && is_out => no_leader(),
            _ => PASS,
        }
    });
    let claim = DelayedRequest::of_answer(|request| {
        request.method() == "PATCH" && request.uri().path().ends_with("/configmaps/rollout-web")
    });
    let client = cluster.delayed_client(&alice, claim.clone());
    let (manifest, bob) = (request_for(&[web(2, 5)]), Process::new("bob"));
    let (run, deleted) = tokio::join!(alice.apply(client, &cluster.clock, &manifest), async {
        claim.reached().await;
        let release = async {
            cluster.clock.pause(VALID + Duration::from_secs(1)).await;
            claim.release();
        };
        tokio::join!(release, Command::Delete.run(&cluster, &bob)).1
    });
    assert!(deleted.is_success(), "{}", deleted.transcript());
    assert!(run.failures()[0].reason.contains("was deleted during its run"), "{}", run.transcript());
    let late = written(&run, begun + VALID, Duration::MAX);
    assert!(late.is_empty(), "{late:?}\n{}", run.transcript());
}

/// Reading the records for a removal takes until its Lease has expired.
#[tokio::test(start_paused = true)]
async fn a_removal_claims_under_the_lease() {
    let cluster = released(pod_rules::READY).await;
    let begun = cluster.clock.elapsed().unsigned_abs();
    let out = Duration::ZERO..Duration::from_secs(60);
    let (clock, until) = (cluster.clock.clone(), begun + out.end);
    let alice = Process::with("alice", move |seen| {
        if is_renewal(seen) && clock.elapsed().unsigned_abs() < until { no_leader() } else { PASS }
    });
    let is_acquired = AtomicBool::new(false);
    let records = DelayedRequest::of_answer(move |request| {
        let path = request.uri().path();
        let acquires = request.method() == "PATCH" && path.contains("/leases/");
        is_acquired.fetch_or(acquires, Ordering::Relaxed) && path.ends_with("/configmaps")
    });
    let client = cluster.delayed_client(&alice, records.clone());
    let removal = alice
        .perform(client, &cluster.clock, async |context| Command::DeleteComponent.perform_all(context).await);
    let (run, ()) = tokio::join!(removal, async {
        records.reached().await;
        cluster.clock.pause(VALID + Duration::from_secs(1)).await;
        records.release();
    });
    check(&run.succeeded(), begun, out);
    assert!(cluster.record("web").is_none());
}

/// The namespace is deleted while a finalizer still holds the workloads: no Lease can be created in it any more.
#[tokio::test(start_paused = true)]
async fn a_namespace_that_is_deleted_in_mid_run_is_named_at_once() {
    let cluster = released(pod_rules::slow("web:2", "2m")).await;
    let begun = cluster.clock.elapsed().unsigned_abs();
    let clock = cluster.clock.clone();
    let alice = Process::with("alice", move |seen| {
        let is_gone = clock.elapsed().unsigned_abs() > begun + Duration::from_secs(20);
        let answer = |code, reason, message| Fate::Verdict(Verdict::Answer(status(code, reason, message)));
        match (seen.kind.as_str(), seen.verb) {
            ("leases", Verb::Create) if is_gone => answer(
                403,
                "Forbidden",
                "leases.coordination.k8s.io \"rollout-shop\" is forbidden: unable to create new content in namespace \
                 default because it is being terminated",
            ),
            ("leases", _) if is_gone => answer(404, "NotFound", "leases \"rollout-shop\" not found"),
            _ => PASS,
        }
    });
    let run = cluster.run(&alice, &request_for(&[web(2, 2).batches(&["1", "1"])])).await;
    let failure = run.failures()[0];
    assert_eq!(failure.reason, "namespace `default` is being deleted", "{}", run.transcript());
    assert_eq!(failure.kind, FailureKind::NotReady);
    let lasted = cluster.clock.elapsed().unsigned_abs() - begun;
    assert!(lasted < Duration::from_secs(30), "{lasted:?}");
}
