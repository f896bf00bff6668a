//! Any one request of a run fails in any way: the run ends as without the failure.

use libtest_mimic::Trial;
use rollout::sandbox::fault::{RequestInfo, Verb, Verdict};

use crate::support::fault::{
    Fate, PASS, is_write, page, status, test_failed, too_many_requests, too_many_requests_status,
};
use crate::support::process::Process;
use crate::support::scenario::{IDENTITY, Scenario, kinds};
use crate::support::scenarios;
use crate::support::trial::{case, trial};

/// A way for a request to fail.
struct Error {
    name: &'static str,
    verdict: fn() -> Verdict,
    /// Whether a request can fail in this way.
    fits: fn(&RequestInfo) -> bool,
}

fn any(_: &RequestInfo) -> bool {
    true
}

fn changes(seen: &RequestInfo) -> bool {
    is_write(seen) && matches!(seen.verb, Verb::Patch | Verb::Delete)
}

fn patches(seen: &RequestInfo) -> bool {
    is_write(seen) && seen.verb == Verb::Patch
}

/// Failed reads are retried for every kind of failure, so a few kinds represent all.
static ERRORS: [Error; 13] = [
    Error {
        name: "409_of_a_change",
        verdict: || answer(status(409, "Conflict", "the object has been modified")),
        fits: changes,
    },
    Error {
        name: "409_of_a_quota",
        verdict: || {
            answer(status(409, "Conflict", "Operation cannot be fulfilled on resourcequotas \"all\""))
        },
        fits: is_write,
    },
    Error { name: "422_of_a_test", verdict: || answer(test_failed()), fits: patches },
    Error { name: "429_in_plain_text", verdict: || answer(too_many_requests(7)), fits: any },
    Error { name: "429_as_a_status", verdict: || answer(too_many_requests_status(7)), fits: is_write },
    Error {
        name: "500",
        verdict: || answer(status(500, "InternalError", "etcdserver: leader changed")),
        fits: is_write,
    },
    Error { name: "503_of_a_proxy", verdict: || answer(page(503)), fits: any },
    Error {
        name: "504_not_applied",
        verdict: || answer(status(504, "Timeout", "request did not complete")),
        fits: is_write,
    },
    Error {
        name: "504_applied",
        verdict: || Verdict::AnswerAfterApplying(status(504, "Timeout", "request did not complete")),
        fits: is_write,
    },
    Error { name: "reset", verdict: || Verdict::Reset, fits: any },
    Error { name: "reset_after_it_is_applied", verdict: || Verdict::ResetAfterApplying, fits: is_write },
    Error { name: "no_answer", verdict: || Verdict::Hang, fits: any },
    Error { name: "no_answer_after_it_is_applied", verdict: || Verdict::HangAfterApplying, fits: is_write },
];

fn answer(answer: http::Response<bytes::Bytes>) -> Verdict {
    Verdict::Answer(answer)
}

/// Each scenario with `errors`, combined with each error.
pub(crate) fn trials() -> Vec<Trial> {
    let scenarios = scenarios::all().into_iter().filter(|scenario| scenario.tried.errors);
    let trials = scenarios.flat_map(|scenario| {
        ERRORS.each_ref().map(|error| {
            let (name, scenario) = (format!("error_{}::{}", error.name, scenario.name), scenario.clone());
            trial(name, async move || survives(&scenario, error).await)
        })
    });
    trials.collect()
}

async fn survives(scenario: &Scenario, error: &'static Error) {
    let reference = scenario.reference().await;
    for index in 0..reference.requests {
        if !(error.fits)(&reference.run.requests[index].seen) {
            continue;
        }
        case(&format!("error at request {index}"));
        let scene = scenario.open().await;
        let run = scenario.run(&scene, &failing_at(index, error)).await;
        assert_eq!(kinds(&run), kinds(&reference.run), "{}", run.transcript());
        scenario.judge(&scene, &[&run]).await;
        scenario.check_done(&scene, &reference).await;
    }
}

/// A process with one request that fails once.
fn failing_at(index: usize, error: &'static Error) -> Process {
    Process::with(IDENTITY, move |seen| {
        if seen.index == index && (error.fits)(seen) { Fate::Verdict((error.verdict)()) } else { PASS }
    })
}
