//! The status of a run, with the numbers and states of the `status` of KubeVela's rollout trait
//! (`standard.oam.dev/v1alpha1`, `RolloutStatus`).

use crate::plan::action::{Action, RollExtent, Rolling, Scaling, Side, Waiting};
use crate::plan::gate_point::{GatePoint, due_point};
use crate::plan::in_place;
use crate::plan::next_action::next_action;
use crate::plan::object_readiness::Readiness;
use crate::plan::objects::{ObservedObject, count_progress};
use crate::plan::observed::Observed;
use crate::plan::phrase;
use crate::plan::readiness;
use crate::plan::replica_split::ReplicaSplit;
use crate::plan::run::{Mode, Outcome, Run, RunSpec};
use crate::plan::states::{BatchState, RollingState};

/// The status of a component's run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunStatus {
    /// The current batch, zero-based.
    pub batch: usize,
    /// How many batches the run has.
    pub batches: usize,
    /// Desired replicas at the end.
    pub target_size: u32,
    /// The goal written so far; after a scale, the full size rather than the difference.
    pub upgraded: u32,
    /// Ready pods of the target.
    pub ready: u32,
    /// Desired replicas of the sources.
    pub source: u32,
    /// The state of the current batch.
    pub batch_state: BatchState,
    /// The state of the run.
    pub rolling_state: RollingState,
    /// What has drifted since the run succeeded or was held after a batch; `None` if nothing has, and for any other
    /// outcome. For a component that is applied as a whole, the first object that is not ready, with any outcome.
    pub drift: Option<String>,
}

/// Computes the status of the recorded run; `None` without a record.
#[must_use]
pub fn run_status(observed: &Observed) -> Option<RunStatus> {
    let run = &observed.record.as_ref()?.run;
    let spec = &run.spec;
    let action = next_action(spec, &observed.workloads);
    // A gate after a batch belongs to that batch, even if the next action belongs to the following one.
    let gate = due_point(spec, run.gates.passed, &action);
    let (rolling_state, batch_state) = states(run.outcome, &action, spec, gate);
    let split = ReplicaSplit::of(observed, spec.kind, &spec.target);
    let in_place = observed.workloads.first().filter(|_| spec.kind.is_in_place());
    let target = in_place.or_else(|| observed.workload(&spec.target));
    Some(RunStatus {
        batch: gate.and_then(GatePoint::batch).unwrap_or_else(|| action.batch(spec)),
        batches: spec.batches.len(),
        target_size: spec.target_size,
        upgraded: upgraded(spec, split.target),
        ready: target.map_or(0, |target| match target.in_place {
            Some(_) => in_place::ready_replicas(target, &spec.target),
            None => readiness::ready_in_status(target),
        }),
        source: split.sources,
        batch_state,
        rolling_state,
        drift: match run.outcome {
            Outcome::Succeeded => drift(&action, spec),
            Outcome::Held if run.gates.held_at.is_none() && !run.is_held_in_workflow() => {
                drift_while_held(&action, spec, split.sources)
            }
            Outcome::Running
            | Outcome::Held
            | Outcome::Paused
            | Outcome::Failed
            | Outcome::Interrupted
            | Outcome::Superseded => None,
        },
    })
}

/// Computes the status of a recorded run that applies a component as a whole. Its only batch is applied, and then
/// verified.
#[must_use]
pub fn object_run_status(run: &Run, objects: &[ObservedObject]) -> RunStatus {
    let count = count_progress(objects);
    let (rolling_state, batch_state) = match run.outcome {
        Outcome::Succeeded => (RollingState::RolloutSucceed, BatchState::Ready),
        Outcome::Failed => (RollingState::RolloutFailed, BatchState::VerifyFailed),
        Outcome::Superseded => (RollingState::RolloutAbandoning, BatchState::Initializing),
        Outcome::Held if run.is_held_in_workflow() => (RollingState::Initializing, BatchState::Initializing),
        Outcome::Running | Outcome::Held | Outcome::Paused | Outcome::Interrupted => {
            let is_applied = objects.iter().all(|object| object.is_applied);
            let batch_state = if is_applied { BatchState::Verifying } else { BatchState::InRolling };
            (RollingState::RollingInBatches, batch_state)
        }
    };
    let drift = objects.iter().find_map(|object| match &object.readiness {
        Readiness::Ready => None,
        Readiness::Unobserved => Some(format!("{}: not yet observed by its controller", object.reference)),
        Readiness::Unready(reason) | Readiness::Failed(reason) => {
            Some(format!("{}: {reason}", object.reference))
        }
    });
    RunStatus {
        batch: 0,
        batches: 1,
        target_size: count.wanted,
        upgraded: count.updated,
        ready: count.ready,
        source: 0,
        batch_state,
        rolling_state,
        drift,
    }
}

/// The largest goal that the target's size has reached.
fn upgraded(spec: &RunSpec, replicas: u32) -> u32 {
    match spec.mode {
        Mode::Upgrade => spec.goals().into_iter().filter(|goal| *goal <= replicas).max().unwrap_or(0),
        Mode::Release | Mode::Scale | Mode::Apply => replicas,
    }
}

/// What has drifted since a run succeeded: changes by others do not update the record.
fn drift(action: &Action, spec: &RunSpec) -> Option<String> {
    match action {
        Action::Create => Some(format!("`{}` no longer exists", spec.target)),
        Action::Scale { scaling: Scaling { workload, from, to, .. }, .. } if from == to => {
            Some(format!("`{workload}` is paused"))
        }
        Action::Scale { scaling: Scaling { workload, from, to, .. }, .. } => {
            Some(format!("`{workload}` has {from} replicas, expected {to}"))
        }
        Action::Roll { rolling: Rolling { workload, extent: RollExtent::Shape, from, to, .. }, .. }
            if from.partition == to.partition =>
        {
            Some(format!("`{workload}` has {} replicas, expected {}", from.replicas, to.replicas))
        }
        Action::Roll { rolling, .. } => {
            Some(format!("`{}` has drifted from what was rolled out", rolling.workload))
        }
        // The action may be about a batch before the last, but the pods of all batches must be ready.
        Action::Wait { waiting: Waiting::Ready { workload, ready, .. }, .. }
            if ready.saturating_add(spec.tolerated_at_end()) < spec.target_size =>
        {
            let (workload, ready, goal) = (workload.clone(), *ready, spec.target_size);
            let tolerated = spec.tolerated_at_end();
            Some(Waiting::Ready { workload, ready, goal, tolerated }.phrase())
        }
        Action::Wait { waiting, .. } => Some(waiting.phrase()),
        Action::Hold { .. } | Action::Delete { .. } | Action::Finish => None,
    }
}

/// What has drifted since a run was held after a batch: a size that others have changed.
fn drift_while_held(action: &Action, spec: &RunSpec, sources: u32) -> Option<String> {
    match action {
        Action::Hold { batch } | Action::Wait { batch, .. }
            if spec.mode == Mode::Upgrade && !spec.kind.is_in_place() =>
        {
            let expected = spec.source_goals().get(*batch)?.min(&spec.original_size).to_owned();
            let names = phrase::list_literals(&spec.sources);
            let verb = if spec.sources.len() == 1 { "has" } else { "have" };
            (sources < expected).then(|| format!("{names} {verb} {sources} replicas, expected {expected}"))
        }
        Action::Create | Action::Scale { .. } | Action::Roll { .. } => drift(action, spec),
        Action::Wait { .. } | Action::Hold { .. } | Action::Delete { .. } | Action::Finish => None,
    }
}

fn states(
    outcome: Outcome,
    action: &Action,
    spec: &RunSpec,
    gate: Option<GatePoint>,
) -> (RollingState, BatchState) {
    match outcome {
        Outcome::Succeeded => (RollingState::RolloutSucceed, BatchState::Ready),
        Outcome::Failed => (RollingState::RolloutFailed, BatchState::VerifyFailed),
        Outcome::Superseded => (RollingState::RolloutAbandoning, BatchState::Initializing),
        Outcome::Running | Outcome::Held | Outcome::Paused | Outcome::Interrupted => match action {
            Action::Create => (RollingState::Initializing, BatchState::Initializing),
            Action::Scale { .. } | Action::Roll { .. } if matches!(gate, Some(GatePoint::After(_))) => {
                (RollingState::RollingInBatches, BatchState::Ready)
            }
            Action::Scale { scaling, .. } if scaling.side == Side::Target || spec.mode != Mode::Upgrade => {
                (RollingState::RollingInBatches, BatchState::InRolling)
            }
            Action::Roll { .. } => (RollingState::RollingInBatches, BatchState::InRolling),
            Action::Scale { .. } => (RollingState::RollingInBatches, BatchState::Finalizing),
            Action::Wait { .. } => (RollingState::RollingInBatches, BatchState::Verifying),
            Action::Hold { .. } => (RollingState::RollingInBatches, BatchState::Ready),
            Action::Delete { .. } | Action::Finish => (RollingState::Finalising, BatchState::Ready),
        },
    }
}
