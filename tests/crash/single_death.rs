//! One death, at every request of every story and at each of its moments.

use crate::support::case;
use crate::support::fault::{Fate, Request};
use crate::support::scenario::{Scenario, dying_at};
use crate::support::scenarios;

pub(crate) type Death = fn() -> Fate;

/// The moments of a request at which a process can die.
const DEATHS: [(&str, Death); 3] = [
    ("before it is applied", || Fate::DeathBefore),
    ("applied but unanswered", || Fate::DeathUnanswered),
    ("after the answer", || Fate::DeathAfter),
];

/// Every death that a process can die in a run of these requests: at which one, in words, and how.
pub(crate) fn moments(requests: &[Request]) -> Vec<(usize, &'static str, Death)> {
    let mut moments = Vec::new();
    let mut before: Option<&Request> = None;
    for request in requests {
        // A read leaves nothing behind: before it and after it are one, and so are reads at one time.
        let deaths = if request.is_write() { &DEATHS[..] } else { &DEATHS[..1] };
        let is_same = before.is_some_and(|before| !before.is_write() && before.at == request.at);
        before = Some(request);
        if is_same && !request.is_write() {
            continue;
        }
        moments.extend(deaths.iter().map(|(moment, death)| (request.seen.index, *moment, *death)));
    }
    moments
}

pub(crate) async fn dies_anywhere(scenario: Scenario) {
    let reference = scenario.reference().await;
    for (index, moment, death) in moments(&reference.run.requests) {
        let scene = scenario.open().await;
        let run = scenario.run(&scene, &dying_at(index, death)).await;
        case(&format!("death at request {index}, {moment}"));
        scenario.complete(&scene, &[&run], &reference).await;
    }
}

macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {
        #[test]
        fn no_story_is_left_out() {
            let played = [$(stringify!($name)),*];
            let all: Vec<&str> = scenarios::ALL.iter().map(|(name, _)| *name).collect();
            assert_eq!(played.as_slice(), all);
        }

        $(
        #[tokio::test(start_paused = true)]
        async fn $name() {
            dies_anywhere(scenarios::$name()).await;
        }
        )*
    };
}

scenarios!(
    first_release,
    upgrade,
    rollback,
    scale_out,
    scale_in,
    decrease_first,
    percent_batches,
    gate_opens,
    gate_closes,
    third_in_mid_rollout,
    third_after_gate,
    revert_in_mid_rollout,
    resize_in_mid_rollout,
    correction,
    growth,
    shrink,
    dependent_components,
    side_by_side,
    exposed,
    exposed_elsewhere,
    exposed_under_one_name,
    exposed_under_two_names,
    exposed_in_mid_rollout,
    exposed_after_failure,
    exposed_no_more,
    hidden,
    shown,
    tolerant,
);
