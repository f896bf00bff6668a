//! An overloaded server is left alone for as long as it asks.

use std::sync::Mutex;
use std::time::Duration;

use rollout::sandbox::fault::{RequestInfo, Verb, Verdict};

use crate::support::fault::{Fate, PASS, Request, too_many_requests, too_many_requests_status};
use crate::support::process::{Process, Run};
use crate::support::scenario::{BRIEF, IDENTITY};
use crate::support::scenarios;

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
    let scenario = scenarios::named("upgrade");
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

#[tokio::test(start_paused = true)]
async fn an_absurd_wait_is_cut_short() {
    waits(60, || Verdict::Answer(too_many_requests(86_400)), is_record).await;
}
