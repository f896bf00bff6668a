//! Watches that end, expire, fall silent or repeat events.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rollout::cluster::session::{Session, Timeouts};
use rollout::sandbox::fault::{RequestInfo, Verb, Verdict, WatchFault};

use crate::support::fault::{Fate, PASS};
use crate::support::process::Process;
use crate::support::scenario::{IDENTITY, Scenario, kinds};
use crate::support::scenarios;
use crate::support::test_cluster::TestCluster;
use crate::support::trial::case;

fn is_watch(seen: &RequestInfo) -> bool {
    seen.verb == Verb::Watch
}

/// A process whose first `count` watches misbehave.
fn with_watches(count: usize, fault: WatchFault) -> Process {
    let watches = AtomicUsize::new(0);
    Process::with(IDENTITY, move |seen| {
        if is_watch(seen) && watches.fetch_add(1, Ordering::Relaxed) < count {
            return Fate::Verdict(Verdict::Watch(fault));
        }
        PASS
    })
}

async fn survives(scenario: Scenario, process: impl Fn(usize) -> Process) {
    let reference = scenario.reference().await;
    for count in 0..=12 {
        case(&format!("number {count}"));
        let scene = scenario.open().await;
        let run = scenario.run(&scene, &process(count)).await;
        assert_eq!(kinds(&run), kinds(&reference.run), "{}", run.transcript());
        scenario.judge(&scene, &[&run]).await;
        scenario.check_done(&scene, &reference).await;
    }
}

#[tokio::test(start_paused = true)]
async fn each_watch_is_closed_after_some_events() {
    survives(scenarios::named("upgrade"), |events| with_watches(200, WatchFault::CloseAfter(events))).await;
}

/// As behind a proxy that blocks watches: changes are found by lists.
#[tokio::test(start_paused = true)]
async fn watches_that_end_at_once_are_reopened_rarely() {
    let scenario = scenarios::named("upgrade");
    let reference = scenario.reference().await;
    let scene = scenario.open().await;
    let begun = scene.cluster.clock.elapsed().unsigned_abs();
    let run = scenario.run(&scene, &with_watches(2000, WatchFault::CloseAfter(0))).await;
    let lasted = scene.cluster.clock.elapsed().unsigned_abs() - begun;
    assert!(run.is_success(), "{}", run.transcript());
    let opened = run.requests.iter().filter(|request| is_watch(&request.seen)).count();
    let allowed = 20.0 + 8.0 * lasted.as_secs_f64();
    assert!((opened as f64) < allowed, "{opened} watches in {lasted:?}");
    scenario.judge(&scene, &[&run]).await;
    scenario.check_done(&scene, &reference).await;
}

#[tokio::test(start_paused = true)]
async fn each_watch_expires_after_some_events() {
    survives(scenarios::named("upgrade"), |events| with_watches(50, WatchFault::GoneAfter(events))).await;
}

#[tokio::test(start_paused = true)]
async fn some_watches_are_silent() {
    survives(scenarios::named("upgrade"), |count| with_watches(count, WatchFault::Silent)).await;
}

#[tokio::test(start_paused = true)]
async fn every_event_comes_twice() {
    survives(scenarios::named("third_after_gate"), |count| with_watches(count, WatchFault::DuplicateEach))
        .await;
}

/// A server that has lost its history rejects each watch from the old version, until a new list is requested.
#[tokio::test(start_paused = true)]
async fn a_watch_from_an_expired_version_is_restarted() {
    survives(scenarios::named("upgrade"), |count| {
        let (watches, is_lost) = (AtomicUsize::new(0), AtomicBool::new(false));
        Process::with(IDENTITY, move |seen| {
            if seen.verb == Verb::List && seen.kind == "deployments" {
                is_lost.store(false, Ordering::Relaxed);
            }
            if is_watch(seen) {
                if watches.fetch_add(1, Ordering::Relaxed) == count {
                    is_lost.store(true, Ordering::Relaxed);
                }
                if is_lost.load(Ordering::Relaxed) {
                    return Fate::Verdict(Verdict::Watch(WatchFault::GoneAsStatus));
                }
            }
            if seen.verb == Verb::Watch {
                Fate::Verdict(Verdict::Watch(WatchFault::CloseAfter(2)))
            } else {
                PASS
            }
        })
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_several_requests_is_reported_once() {
    let cluster = TestCluster::open("[]").await;
    let session = Session::new(cluster.client(), cluster.clock.clone(), Timeouts::default());
    let told = Rc::new(RefCell::new(Vec::new()));
    let heard = told.clone();
    let session =
        session.with_retry_observer(Rc::new(move |error, _| heard.borrow_mut().push(error.to_owned())));
    let second = Duration::from_secs(1);
    for message in ["refused", "refused", "no route", "no route"] {
        session.notify_retry(message, second);
    }
    cluster.clock.pause(second).await;
    session.notify_retry("no route", second);
    assert_eq!(*told.borrow(), ["refused", "no route", "no route"]);
}
