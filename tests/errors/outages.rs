//! From some request on, every request fails: the run gives up in time, retries rarely until then, and can be resumed.

use std::time::Duration;

use rollout::driver::outcome::FailureKind;
use rollout::sandbox::fault::{Verb, Verdict};

use crate::support::fault::{Fate, PASS, page, status};
use crate::support::process::{Process, Run};
use crate::support::scenario::{IDENTITY, Scenario};
use crate::support::scenarios;
use crate::support::trial::case;

/// A process whose requests all fail, from a given one on.
fn failing_from(index: usize, verdict: fn() -> Verdict) -> Process {
    Process::with(IDENTITY, move |seen| if seen.index >= index { Fate::Verdict(verdict()) } else { PASS })
}

async fn gives_up(scenario: Scenario, verdict: fn() -> Verdict) {
    let reference = scenario.reference().await;
    for index in 0..reference.requests {
        case(&format!("from request {index} on"));
        let scene = scenario.open().await;
        let begun = scene.cluster.clock.elapsed().unsigned_abs();
        let run = scenario.run(&scene, &failing_from(index, verdict)).await;
        let lasted = scene.cluster.clock.elapsed().unsigned_abs() - begun;
        // If only releasing the Lease fails, everything has been done.
        if !run.is_success() {
            let failures = run.failures();
            let kinds: Vec<FailureKind> = failures.iter().map(|failure| failure.kind).collect();
            assert_eq!(kinds, [FailureKind::Cluster], "{}", run.transcript());
            asks_rarely(&run, index, lasted);
        }
        scenario.complete(&scene, &[&run], &reference).await;
    }
}

/// At most two requests per second, after the first few.
fn asks_rarely(run: &Run, from: usize, lasted: Duration) {
    let failed = run.requests.len() - from;
    let allowed = 10.0 + 2.0 * lasted.as_secs_f64();
    assert!((failed as f64) < allowed, "{failed} requests in {lasted:?}\n{}", run.transcript());
    assert!(lasted < Duration::from_secs(660), "it took {lasted:?}\n{}", run.transcript());
}

#[tokio::test(start_paused = true)]
async fn a_proxy_without_a_server() {
    gives_up(scenarios::named("upgrade"), || Verdict::Answer(page(503))).await;
}

#[tokio::test(start_paused = true)]
async fn a_network_that_resets_connections() {
    gives_up(scenarios::named("scale_in"), || Verdict::Reset).await;
}

#[tokio::test(start_paused = true)]
async fn a_network_that_drops_requests() {
    gives_up(scenarios::named("first_release"), || Verdict::Hang).await;
}

/// An unreachable webhook fails the writes of one kind, while all other requests succeed.
#[tokio::test(start_paused = true)]
async fn a_kind_that_cannot_be_written() {
    for (verb, kind) in [
        (Verb::Create, "controllerrevisions"),
        (Verb::Create, "deployments"),
        (Verb::Patch, "deployments"),
        (Verb::Delete, "deployments"),
    ] {
        case(&format!("{verb:?} {kind}"));
        let scenario = scenarios::named("upgrade");
        let reference = scenario.reference().await;
        let scene = scenario.open().await;
        let begun = scene.cluster.clock.elapsed().unsigned_abs();
        let process = Process::with(IDENTITY, move |seen| {
            if seen.kind == kind && seen.verb == verb {
                return Fate::Verdict(Verdict::Answer(status(
                    500,
                    "InternalError",
                    "failed calling webhook",
                )));
            }
            PASS
        });
        let run = scenario.run(&scene, &process).await;
        let lasted = scene.cluster.clock.elapsed().unsigned_abs() - begun;
        let kinds: Vec<FailureKind> = run.failures().iter().map(|failure| failure.kind).collect();
        assert_eq!(kinds, [FailureKind::Cluster], "{}", run.transcript());
        asks_rarely(&run, 0, lasted);
        scenario.complete(&scene, &[&run], &reference).await;
    }
}
