//! The faults of processes.

use std::time::Duration;

use crate::script::{Answer, Counted, Fault, FaultKind, Stage};
use crate::support::random::Rng;

/// Which requests faults count, and the maximum of each.
const COUNTED: [(Counted, u32); 9] = [
    (Counted::All, 45),
    (Counted::All, 45),
    (Counted::Leases, 6),
    (Counted::Records, 8),
    (Counted::Workloads, 20),
    (Counted::Looks, 5),
    (Counted::Creations, 5),
    (Counted::Removals, 3),
    (Counted::Watches, 6),
];

/// Any fault.
pub(super) fn fault(rng: &mut Rng) -> Fault {
    let answer = *rng.pick(&[
        Answer::Conflict,
        Answer::TooManyRequests,
        Answer::InternalError,
        Answer::Unavailable,
        Answer::Timeout,
        Answer::Reset,
    ]);
    let seconds = |rng: &mut Rng| Duration::from_secs(u64::from(*rng.pick(&[1_u32, 7, 12, 16, 25, 60])));
    let kind = match rng.below(10) {
        0..3 => FaultKind::Death,
        3 | 4 => FaultKind::Freeze(seconds(rng)),
        5 => FaultKind::Outage(seconds(rng)),
        6 => FaultKind::Answer(answer),
        7 => FaultKind::LateAnswer(seconds(rng)),
        8 => FaultKind::LeaseOutage(seconds(rng)),
        _ => FaultKind::AnswerAfterServing(match answer {
            // After these answers, the request counts as refused.
            Answer::Conflict | Answer::TooManyRequests => Answer::Timeout,
            _ => answer,
        }),
    };
    let stage = *rng.pick(&[Stage::Before, Stage::Sent, Stage::After]);
    let (counted, most) = *rng.pick(&COUNTED);
    Fault { counted, request: rng.below(most) as usize, stage, kind }
}

/// The faults of a process while others wait for it, mostly several in a row.
pub(super) fn duel_faults(rng: &mut Rng) -> Vec<Fault> {
    match rng.below(8) {
        0 => cut_off_from_its_lease(rng),
        1 | 2 => stopped_around_its_target(rng),
        3 => vec![duel_fault(rng)],
        _ => {
            let first = duel_fault(rng);
            // Soon after the first.
            let second = Fault { request: rng.below(3) as usize, ..duel_fault(rng) };
            vec![first, second]
        }
    }
}

/// The answer about its Lease is late, and no further answer arrives.
fn cut_off_from_its_lease(rng: &mut Rng) -> Vec<Fault> {
    let about_leases = |request: u32, kind| Fault {
        counted: Counted::Leases,
        request: request as usize,
        stage: Stage::Before,
        kind,
    };
    let late = FaultKind::LateAnswer(Duration::from_secs(u64::from(4 + rng.below(6))));
    vec![
        about_leases(rng.below(4), late),
        about_leases(0, FaultKind::LeaseOutage(Duration::from_secs(u64::from(10 + rng.below(40))))),
    ]
}

/// It is stopped right before it creates its target, and again before it scales it up: the target is missing from the
/// state that others decide from, but exists when they act.
fn stopped_around_its_target(rng: &mut Rng) -> Vec<Fault> {
    let stop = |counted, request: u32, seconds: u32| Fault {
        counted,
        request: request as usize,
        stage: Stage::Before,
        kind: FaultKind::Freeze(Duration::from_secs(u64::from(seconds))),
    };
    vec![
        stop(Counted::Targets, rng.below(2), 1 + rng.below(2)),
        stop(Counted::Workloads, rng.below(3), 1 + rng.below(7)),
    ]
}

/// A fault of a process while others wait for it: mostly a stop that is shorter than its Lease is valid, at one of the
/// requests after which it acts on what it has read.
fn duel_fault(rng: &mut Rng) -> Fault {
    if rng.one_in(3) {
        return fault(rng);
    }
    let (counted, most) = *rng.pick(&COUNTED[2..]);
    let stage = *rng.pick(&[Stage::Before, Stage::Sent, Stage::After]);
    let lasting = Duration::from_secs(u64::from(*rng.pick(&[1_u32, 2, 3, 7, 16])));
    Fault { counted, request: rng.below(most) as usize, stage, kind: FaultKind::Freeze(lasting) }
}
