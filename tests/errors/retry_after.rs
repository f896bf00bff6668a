//! Overloaded servers get no requests for as long as they ask.

use std::sync::Mutex;
use std::time::Duration;

use rollout::report::event::EventKind;
use rollout::sandbox::fault::{RequestInfo, Verb, Verdict};

use crate::support::fault::{Fate, PASS, Request, too_many_requests, too_many_requests_status};
use crate::support::manifest::{request_for, web};
use crate::support::pod_rules;
use crate::support::process::{Process, Run};
use crate::support::scenario::{BRIEF, IDENTITY, Scenario};
use crate::support::scenarios;
use crate::support::test_cluster::TestCluster;

/// A process whose first request of a kind fails.
fn failing_once(
    verdict: impl Fn() -> Verdict + Send + Sync + 'static,
    is_such: impl Fn(&RequestInfo) -> bool + Send + Sync + 'static,
) -> Process {
    let is_over = Mutex::new(false);
    Process::with(IDENTITY, move |seen| {
        let mut is_over = is_over.lock().unwrap();
        if !*is_over && is_such(seen) {
            *is_over = true;
            return Fate::Verdict(verdict());
        }
        PASS
    })
}

/// A request and the next of its kind to the same object.
fn next_to_same(run: &Run, index: usize) -> Option<(&Request, &Request)> {
    let refused = &run.requests[index];
    let next = run.requests[index + 1..].iter().find(|request| {
        request.seen.kind == refused.seen.kind
            && request.seen.verb == refused.seen.verb
            && request.seen.name == refused.seen.name
    });
    next.map(|next| (refused, next))
}

async fn waits(
    seconds: u64,
    verdict: impl Fn() -> Verdict + Send + Sync + 'static,
    is_such: fn(&RequestInfo) -> bool,
) {
    waits_in(&scenarios::named("upgrade"), seconds, verdict, is_such).await;
}

async fn waits_in(
    scenario: &Scenario,
    seconds: u64,
    verdict: impl Fn() -> Verdict + Send + Sync + 'static,
    is_such: fn(&RequestInfo) -> bool,
) {
    let scene = scenario.open().await;
    let run = scenario.run(&scene, &failing_once(verdict, is_such)).await.succeeded();
    let index = run.requests.iter().position(|request| is_such(&request.seen)).unwrap();
    let (refused, next) = next_to_same(&run, index).unwrap();
    let waited = next.at - refused.at;
    assert!(waited >= Duration::from_secs(seconds), "only {waited:?}\n{}", run.transcript());
    assert!(waited < Duration::from_secs(seconds) + BRIEF, "{waited:?}\n{}", run.transcript());
}

fn is_record(seen: &RequestInfo) -> bool {
    seen.kind == "configmaps" && seen.verb == Verb::Patch
}

fn is_revision(seen: &RequestInfo) -> bool {
    seen.kind == "controllerrevisions" && seen.verb == Verb::Create
}

fn is_list(seen: &RequestInfo) -> bool {
    seen.kind == "controllerrevisions" && seen.verb == Verb::List
}

fn is_lease(seen: &RequestInfo) -> bool {
    seen.kind == "leases" && seen.verb == Verb::Get
}

fn is_watch(seen: &RequestInfo) -> bool {
    seen.kind == "deployments" && seen.verb == Verb::Watch
}

fn is_workload(seen: &RequestInfo) -> bool {
    seen.kind == "deployments" && seen.verb == Verb::Create
}

#[tokio::test(start_paused = true)]
async fn a_claim_waits_as_long_as_the_server_asks() {
    waits(20, || Verdict::Answer(too_many_requests(20)), is_record).await;
    waits(20, || Verdict::Answer(too_many_requests_status(20)), is_record).await;
}

#[tokio::test(start_paused = true)]
async fn a_create_waits_as_long_as_the_server_asks() {
    waits(20, || Verdict::Answer(too_many_requests(20)), is_workload).await;
    waits(20, || Verdict::Answer(too_many_requests(20)), is_revision).await;
}

#[tokio::test(start_paused = true)]
async fn a_read_waits_as_long_as_the_server_asks() {
    waits(20, || Verdict::Answer(too_many_requests(20)), is_list).await;
    waits(20, || Verdict::Answer(too_many_requests_status(20)), is_lease).await;
}

#[tokio::test(start_paused = true)]
async fn a_watch_waits_as_long_as_the_server_asks() {
    waits(20, || Verdict::Answer(too_many_requests(20)), is_watch).await;
}

fn is_renewal(seen: &RequestInfo) -> bool {
    let body = seen.body.as_ref().map(ToString::to_string).unwrap_or_default();
    seen.kind == "leases" && seen.verb == Verb::Patch && body.contains("/spec/renewTime")
}

fn is_watch_of_records(seen: &RequestInfo) -> bool {
    seen.kind == "configmaps" && seen.verb == Verb::Watch
}

/// Requests that only a waiting run sends.
#[tokio::test(start_paused = true)]
async fn the_lease_and_the_watch_of_records_wait_as_long_as_the_server_asks() {
    let waiting = Scenario { rules: pod_rules::slow("web:2", "2m"), ..scenarios::named("upgrade") };
    for is_such in [is_renewal, is_watch_of_records] {
        waits_in(&waiting, 20, || Verdict::Answer(too_many_requests(20)), is_such).await;
        waits_in(&waiting, 20, || Verdict::Answer(too_many_requests_status(20)), is_such).await;
    }
}

/// A queued process watches the Lease of its predecessor.
#[tokio::test(start_paused = true)]
async fn a_queued_process_waits_as_long_as_the_server_asks() {
    fn is_list(seen: &RequestInfo) -> bool {
        seen.kind == "leases" && seen.verb == Verb::List
    }
    let cluster = TestCluster::open(pod_rules::slow("web:2", "1m")).await;
    cluster.apply(&[web(1, 2)]).await;
    let alice = Process::new("alice");
    let bob = Process::with("bob", |seen| match is_list(seen) {
        true => Fate::Verdict(Verdict::Answer(too_many_requests(7))),
        false => PASS,
    });
    let (first, second) = (request_for(&[web(2, 2)]), request_for(&[web(3, 2)]));
    let (one, other) = tokio::join!(cluster.run(&alice, &first), async {
        alice.heard(1, |what| matches!(what, EventKind::WorkloadScaled { .. })).await;
        cluster.run(&bob, &second).await
    });
    assert!(one.is_success() && other.is_success(), "{}\n{}", one.transcript(), other.transcript());
    let asked: Vec<Duration> =
        other.requests.iter().filter(|request| is_list(&request.seen)).map(|request| request.at).collect();
    assert!(asked.len() > 2, "{}", other.transcript());
    let is_left_alone = |pair: &[Duration]| pair[1] - pair[0] >= Duration::from_secs(7);
    assert!(asked.windows(2).all(is_left_alone), "{}", other.transcript());
}

#[tokio::test(start_paused = true)]
async fn an_excessive_wait_is_limited() {
    waits(60, || Verdict::Answer(too_many_requests(86_400)), is_record).await;
}
