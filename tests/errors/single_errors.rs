//! One request of a run fails, whichever and however: the run ends as it would have.

use std::sync::Mutex;

use rollout::sandbox::fault::{RequestInfo, Verb, Verdict};

use crate::support::case;
use crate::support::fault::{
    Fate, PASS, Request, is_write, page, status, test_failed, too_many_requests, too_many_requests_status,
};
use crate::support::process::{Process, Run};
use crate::support::scenario::{IDENTITY, Scenario, kinds};
use crate::support::scenarios;

/// A way for a request to fail.
pub(crate) struct Error {
    pub(crate) name: &'static str,
    verdict: fn() -> Verdict,
    /// Whether a request can be answered so.
    fits: fn(&RequestInfo) -> bool,
}

fn any(_: &RequestInfo) -> bool {
    true
}

fn changes(seen: &RequestInfo) -> bool {
    matches!(seen.verb, Verb::Patch | Verb::Delete)
}

fn patches(seen: &RequestInfo) -> bool {
    seen.verb == Verb::Patch
}

/// A read that fails is made again whatever the failure was; a few kinds stand for all there.
pub(crate) const ERRORS: [Error; 13] = [
    Error {
        name: "409 of a change",
        verdict: || answer(status(409, "Conflict", "the object has been modified")),
        fits: changes,
    },
    Error {
        name: "409 of a quota",
        verdict: || {
            answer(status(409, "Conflict", "Operation cannot be fulfilled on resourcequotas \"all\""))
        },
        fits: is_write,
    },
    Error { name: "422 of a test", verdict: || answer(test_failed()), fits: patches },
    Error { name: "429 in plain text", verdict: || answer(too_many_requests(7)), fits: any },
    Error { name: "429 as a status", verdict: || answer(too_many_requests_status(7)), fits: is_write },
    Error {
        name: "500",
        verdict: || answer(status(500, "InternalError", "etcdserver: leader changed")),
        fits: is_write,
    },
    Error { name: "503 of a proxy", verdict: || answer(page(503)), fits: any },
    Error {
        name: "504, not applied",
        verdict: || answer(status(504, "Timeout", "request did not complete")),
        fits: is_write,
    },
    Error {
        name: "504, applied",
        verdict: || Verdict::AnswerAfterApplying(status(504, "Timeout", "request did not complete")),
        fits: is_write,
    },
    Error { name: "reset", verdict: || Verdict::Reset, fits: any },
    Error { name: "reset after it is applied", verdict: || Verdict::ResetAfterApplying, fits: is_write },
    Error { name: "no answer", verdict: || Verdict::Hang, fits: any },
    Error { name: "no answer after it is applied", verdict: || Verdict::HangAfterApplying, fits: is_write },
];

fn answer(answer: http::Response<bytes::Bytes>) -> Verdict {
    Verdict::Answer(answer)
}

/// A process one of whose requests fails, once.
pub(crate) fn failing_at(index: usize, error: &'static Error) -> Process {
    Process::with(IDENTITY, move |seen| {
        if seen.index == index && (error.fits)(seen) { Fate::Verdict((error.verdict)()) } else { PASS }
    })
}

/// A process whose first request of a kind fails.
pub(crate) fn failing_once(
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

async fn survives(scenario: Scenario) {
    let reference = scenario.reference().await;
    for error in &ERRORS {
        for index in 0..reference.requests {
            if !reference.run.requests.get(index).is_some_and(|request| (error.fits)(&request.seen)) {
                continue;
            }
            let scene = scenario.open().await;
            case(&format!("{} at request {index}", error.name));
            let run = scenario.run(&scene, &failing_at(index, error)).await;
            assert_eq!(kinds(&run), kinds(&reference.run), "{}", run.transcript());
            scenario.judge(&scene, &[&run]).await;
            scenario.check_done(&scene, &reference).await;
        }
    }
}

/// A request and the next of its kind to the same object.
pub(crate) fn next_to_same(run: &Run, index: usize) -> Option<(&Request, &Request)> {
    let refused = &run.requests[index];
    let next = run.requests[index + 1..].iter().find(|request| {
        request.seen.kind == refused.seen.kind
            && request.seen.verb == refused.seen.verb
            && request.seen.name == refused.seen.name
    });
    next.map(|next| (refused, next))
}

macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {$(
        #[tokio::test(start_paused = true)]
        async fn $name() {
            survives(scenarios::$name()).await;
        }
    )*};
}

scenarios!(
    first_release,
    upgrade,
    scale_in,
    third_after_gate,
    gate_closes,
    exposed_elsewhere,
    exposed_no_more,
    exposed_in_mid_rollout,
    hidden,
    shown
);

async fn every_story(kind: &'static str) {
    // The others differ from these in what was there before, which the planner's histories cover.
    let told = ["upgrade", "scale in"];
    for (name, scenario) in scenarios::IN_PLACE.iter().filter(|(name, _)| told.contains(name)) {
        case(&format!("{kind}: {name}"));
        survives(scenario(kind)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn clone_sets() {
    every_story("cloneset-service").await;
}

#[tokio::test(start_paused = true)]
async fn stateful_sets() {
    every_story("statefulset").await;
}
