//! Watches that end, forget, fall silent or repeat themselves.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rollout::cluster::session::{Patience, Session};
use rollout::sandbox::fault::{Seen, Verb, Verdict, WatchFault};

use crate::common::case;
use crate::common::fault::{Fate, PASS};
use crate::common::process::Process;
use crate::common::scenario::{IDENTITY, Story, kinds};
use crate::common::stage::Stage;
use crate::common::stories;

fn is_watch(seen: &Seen) -> bool {
    seen.verb == Verb::Watch
}

/// A process whose first so many watches misbehave.
fn with_watches(count: usize, fault: WatchFault) -> Process {
    let watches = AtomicUsize::new(0);
    Process::with(IDENTITY, move |seen| {
        if is_watch(seen) && watches.fetch_add(1, Ordering::Relaxed) < count {
            return Fate::Verdict(Verdict::Watch(fault));
        }
        PASS
    })
}

async fn survives(story: Story, process: impl Fn(usize) -> Process) {
    let reference = story.reference().await;
    for count in 0..=12 {
        case(&format!("number {count}"));
        let scene = story.open().await;
        let run = story.run(&scene, &process(count)).await;
        assert_eq!(kinds(&run), kinds(&reference.run), "{}", run.story());
        story.judge(&scene, &[&run]).await;
        story.check_done(&scene, &reference).await;
    }
}

#[tokio::test(start_paused = true)]
async fn each_watch_is_closed_after_some_events() {
    survives(stories::upgrade(), |events| with_watches(200, WatchFault::CloseAfter(events))).await;
}

#[tokio::test(start_paused = true)]
async fn each_watch_forgets_after_some_events() {
    survives(stories::upgrade(), |events| with_watches(50, WatchFault::GoneAfter(events))).await;
}

#[tokio::test(start_paused = true)]
async fn some_watches_are_silent() {
    survives(stories::upgrade(), |count| with_watches(count, WatchFault::Silent)).await;
}

#[tokio::test(start_paused = true)]
async fn every_event_comes_twice() {
    survives(stories::third_after_gate(), |count| with_watches(count, WatchFault::DuplicateEach)).await;
}

/// A server that has lost the history refuses each watch from the old version on, until there is a new list.
#[tokio::test(start_paused = true)]
async fn a_watch_from_a_lost_version_is_given_up() {
    survives(stories::upgrade(), |count| {
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
async fn a_failure_that_several_requests_meet_at_once_is_told_once() {
    let stage = Stage::open("[]").await;
    let session = Session::new(stage.client(), stage.clock.clone(), Patience::default());
    let told = Rc::new(RefCell::new(Vec::new()));
    let heard = told.clone();
    session.on_retry(Rc::new(move |error, _| heard.borrow_mut().push(error.to_owned())));
    let second = Duration::from_secs(1);
    for message in ["refused", "refused", "no route", "no route"] {
        session.notify_retry(message, second);
    }
    stage.clock.pause(second).await;
    session.notify_retry("no route", second);
    assert_eq!(*told.borrow(), ["refused", "no route", "no route"]);
}
