//! The process dies at every request of every scenario: a rerun leads to the same state as without the death.

use libtest_mimic::Trial;

use crate::support::fault::{Fate, Request};
use crate::support::scenario::{Scenario, dying_at};
use crate::support::scenarios;
use crate::support::trial::{case, trial};

/// A moment at which a process can die during a request.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) name: &'static str,
    pub(crate) death: fn() -> Fate,
    /// Whether it is also tested at reads. Since they have no effect, deaths before and after them are equivalent.
    at_reads: bool,
}

pub(crate) const MOMENTS: [Moment; 3] = [
    Moment { name: "before_a_request_is_applied", death: || Fate::DeathBefore, at_reads: true },
    Moment { name: "before_a_write_is_answered", death: || Fate::DeathUnanswered, at_reads: false },
    Moment { name: "after_a_write_is_answered", death: || Fate::DeathAfter, at_reads: false },
];

impl Moment {
    /// The requests at which a process dies at this moment. Concurrent reads count as one.
    pub(crate) fn requests(self, requests: &[Request]) -> Vec<usize> {
        let before = std::iter::once(None).chain(requests.iter().map(Some));
        let is_tried = |before: Option<&Request>, request: &Request| {
            let is_same = before.is_some_and(|before| !before.is_write() && before.at == request.at);
            request.is_write() || (self.at_reads && !is_same)
        };
        let pairs = before.zip(requests).filter(|(before, request)| is_tried(*before, request));
        pairs.map(|(_, request)| request.seen.index).collect()
    }
}

/// One death of each scenario at each moment, and two deaths of some.
pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for scenario in scenarios::all() {
        for moment in MOMENTS {
            let (name, scenario) = (format!("death_{}::{}", moment.name, scenario.name), scenario.clone());
            trials.push(trial(name, async move || dies_once(&scenario, moment).await));
        }
        if let Some(every) = scenario.tried.two_deaths {
            let name = format!("two_deaths::{}", scenario.name);
            trials.push(trial(name, async move || dies_twice(&scenario, every).await));
        }
    }
    trials
}

async fn dies_once(scenario: &Scenario, moment: Moment) {
    let reference = scenario.reference().await;
    for index in moment.requests(&reference.run.requests) {
        case(&format!("death at request {index}"));
        let scene = scenario.open().await;
        let run = scenario.run(&scene, &dying_at(index, moment.death)).await;
        scenario.complete(&scene, &[&run], &reference).await;
    }
}

/// The recovering process dies as well.
async fn dies_twice(scenario: &Scenario, every: usize) {
    let reference = scenario.reference().await;
    let deaths: [fn() -> Fate; 2] = [|| Fate::DeathBefore, || Fate::DeathUnanswered];
    let pairs = (0..reference.requests).flat_map(|first| {
        (0..reference.requests).flat_map(move |second| deaths.map(|death| (first, second, death)))
    });
    for (first, second, death) in pairs.skip(every - 1).step_by(every) {
        case(&format!("deaths at requests {first} and {second}"));
        let scene = scenario.open().await;
        let one = scenario.run(&scene, &dying_at(first, || Fate::DeathUnanswered)).await;
        let other = scenario.run(&scene, &dying_at(second, death)).await;
        scenario.complete(&scene, &[&one, &other], &reference).await;
    }
}
