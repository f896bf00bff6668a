//! Two deaths: the process that was to recover dies as well.

use crate::support::case;
use crate::support::fault::Fate;
use crate::support::scenario::{Scenario, dying_at};
use crate::support::scenarios;

/// Of all pairs of requests and moments, every so many are played: over the requests, that meets each several
/// times.
async fn dies_twice(scenario: Scenario, every: usize) {
    let reference = scenario.reference().await;
    let deaths: [fn() -> Fate; 2] = [|| Fate::DeathBefore, || Fate::DeathUnanswered];
    let mut cases = 0_usize;
    for first in 0..reference.requests {
        for second in 0..reference.requests {
            for death in deaths {
                cases += 1;
                if !cases.is_multiple_of(every) {
                    continue;
                }
                let scene = scenario.open().await;
                let one = scenario.run(&scene, &dying_at(first, || Fate::DeathUnanswered)).await;
                let other = scenario.run(&scene, &dying_at(second, death)).await;
                case(&format!("deaths at requests {first} and {second}"));
                scenario.complete(&scene, &[&one, &other], &reference).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn first_release() {
    dies_twice(scenarios::first_release(), 9).await;
}

#[tokio::test(start_paused = true)]
async fn scale_in() {
    dies_twice(scenarios::scale_in(), 7).await;
}
