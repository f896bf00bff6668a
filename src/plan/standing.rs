//! Where a run stands, in the numbers and state names of the original's status (spec §1.2, §1.3).

use crate::plan::in_place;
use crate::plan::observed::Observed;
use crate::plan::record::{Mode, Outcome, RunSpec};
use crate::plan::sides::Sides;
use crate::plan::states::{BatchState, RollingState};
use crate::plan::walk::{Next, Scaling, Side, walk};

/// A component's run in numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The batch under way, zero-based.
    pub batch: usize,
    /// How many batches the run has.
    pub batches: usize,
    /// Replicas wanted at the end.
    pub target_size: u32,
    /// The goal submitted so far; after a scale the full size, not the difference.
    pub upgraded: u32,
    /// Ready pods of the target.
    pub ready: u32,
    /// Replicas of the sources, wanted.
    pub source: u32,
    /// How far the batch under way is.
    pub batch_state: BatchState,
    /// How far the run is.
    pub rolling_state: RollingState,
    /// What is no longer as the run left it, where it succeeded.
    pub adrift: Option<String>,
}

/// Works out where the recorded run stands; `None` where nothing was ever recorded.
#[must_use]
pub fn standing(observed: &Observed) -> Option<Standing> {
    let run = &observed.record.as_ref()?.run;
    let spec = &run.spec;
    let stop = walk(spec, &observed.workloads);
    let (rolling_state, batch_state) = states(run.outcome, &stop.next, spec);
    let sides = Sides::of(observed, spec.kind, &spec.target);
    let in_place = observed.workloads.first().filter(|_| spec.kind.is_in_place());
    let target = in_place.or_else(|| observed.workload(&spec.target));
    Some(Standing {
        batch: stop.batch,
        batches: spec.batches.len(),
        target_size: spec.target_size,
        upgraded: upgraded(spec, sides.target),
        ready: target.map_or(0, |target| match target.in_place {
            Some(_) => in_place::ready(target, &spec.target),
            None => target.ready_replicas,
        }),
        source: sides.sources,
        batch_state,
        rolling_state,
        adrift: (run.outcome == Outcome::Succeeded).then(|| adrift(&stop.next, spec)).flatten(),
    })
}

/// The largest goal that the target's size has reached.
fn upgraded(spec: &RunSpec, replicas: u32) -> u32 {
    match spec.mode {
        Mode::Upgrade => spec.goals().into_iter().filter(|goal| *goal <= replicas).max().unwrap_or(0),
        Mode::Release | Mode::Scale => replicas,
    }
}

/// What has changed since a run succeeded; a record does not hear of that.
fn adrift(next: &Next, spec: &RunSpec) -> Option<String> {
    match next {
        Next::Create => Some(format!("`{}` no longer exists", spec.target)),
        Next::Scale(Scaling { workload, from, to, .. }) if from == to => {
            Some(format!("`{workload}` is paused"))
        }
        Next::Scale(Scaling { workload, from, to, .. }) => {
            Some(format!("`{workload}` has {from} replicas, expected {to}"))
        }
        Next::Roll(rolling) => Some(format!("`{}` has drifted from what was rolled out", rolling.workload)),
        Next::Wait(waiting) => Some(waiting.phrase()),
        Next::Gate | Next::Delete { .. } | Next::Complete => None,
    }
}

fn states(outcome: Outcome, next: &Next, spec: &RunSpec) -> (RollingState, BatchState) {
    match outcome {
        Outcome::Succeeded => (RollingState::RolloutSucceed, BatchState::Ready),
        Outcome::Failed => (RollingState::RolloutFailed, BatchState::VerifyFailed),
        Outcome::Superseded => (RollingState::RolloutAbandoning, BatchState::Initializing),
        Outcome::Running | Outcome::Held | Outcome::Paused | Outcome::Interrupted => match next {
            Next::Create => (RollingState::Initializing, BatchState::Initializing),
            Next::Scale(scaling) if scaling.side == Side::Target || spec.mode != Mode::Upgrade => {
                (RollingState::RollingInBatches, BatchState::InRolling)
            }
            Next::Roll(_) => (RollingState::RollingInBatches, BatchState::InRolling),
            Next::Scale(_) => (RollingState::RollingInBatches, BatchState::Finalizing),
            Next::Wait(_) => (RollingState::RollingInBatches, BatchState::Verifying),
            Next::Gate => (RollingState::RollingInBatches, BatchState::Ready),
            Next::Delete { .. } | Next::Complete => (RollingState::Finalising, BatchState::Ready),
        },
    }
}
