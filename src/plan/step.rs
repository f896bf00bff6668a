//! The central decision: what this process does next for a component.

use thiserror::Error;

use crate::plan::action::{Action, await_ready};
use crate::plan::batch::{self, BatchSumError};
use crate::plan::desired::Desired;
use crate::plan::epoch::Epoch;
use crate::plan::next_action::next_action;
use crate::plan::observed::{Observed, Workload};
use crate::plan::phrase;
use crate::plan::replica_split::{ReplicaSplit, source_names};
use crate::plan::run::{FrozenBatch, Mode, Outcome, Run, RunSpec};

/// What to do next. The code that performs it decides nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Everything is as desired; nothing is written.
    Nothing,
    /// Write the run record under a new epoch.
    Claim {
        /// The run.
        spec: RunSpec,
        /// Whether it resumes the recorded run.
        resumes: bool,
    },
    /// Stamp a workload with the claimed epoch before anything of the component changes, and correct its spec stamp
    /// after a write that changed nothing.
    Stamp {
        /// The workload.
        workload: String,
    },
    /// Take the next action of the recorded run. Before a claim, this can only be to wait or to stay at the gate.
    Act(Action),
    /// Another run has claimed the component: write nothing more.
    Superseded {
        /// The epoch of that run.
        by: Epoch,
    },
    /// An in-place workload was modified externally since this run wrote it: write nothing more.
    ExternalChange {
        /// The workload.
        workload: String,
    },
    /// The change cannot be made as requested.
    Refuse(Refusal),
}

impl Step {
    /// Whether a component with this first step needs no write.
    #[must_use]
    pub fn is_rest(&self) -> bool {
        match self {
            Self::Nothing | Self::Act(Action::Hold { .. }) => true,
            Self::Claim { .. }
            | Self::Stamp { .. }
            | Self::Act(
                Action::Create
                | Action::Scale { .. }
                | Action::Roll { .. }
                | Action::Wait { .. }
                | Action::Delete { .. }
                | Action::Finish,
            )
            | Self::Superseded { .. }
            | Self::ExternalChange { .. }
            | Self::Refuse(_) => false,
        }
    }
}

/// Why a change is refused before any write.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The batches do not add up.
    #[error(transparent)]
    BatchSumError(#[from] BatchSumError),
}

/// Decides the next step.
#[must_use]
pub fn plan(observed: &Observed, desired: &Desired) -> Step {
    match observed.claimed_epoch {
        Some(epoch) => continue_run(observed, epoch),
        None => begin_run(observed, desired),
    }
}

/// The step before the claim: decides whether there is anything to do, and in which run.
fn begin_run(observed: &Observed, desired: &Desired) -> Step {
    let recorded = observed.record.as_ref().map(|record| &record.run);
    if let Some(step) = settled(observed, desired, recorded) {
        return step;
    }
    let (spec, resumes) = match frame_run(observed, desired, recorded) {
        Ok(framed) => framed,
        Err(sum_error) => return Step::Refuse(Refusal::BatchSumError(sum_error)),
    };
    let action = next_action(&spec, &observed.workloads);
    let is_held = recorded.is_some_and(|run| {
        // What holds it between the batches is asked again.
        run.outcome == Outcome::Held && run.spec == spec && run.gates.held_at.is_none()
    });
    // A run that is already held at the same gate needs no new claim to stay there.
    if is_held && matches!(action, Action::Hold { .. }) {
        return Step::Act(action);
    }
    Step::Claim { spec, resumes }
}

/// The step if the workloads already have the desired sizes and the last run succeeded: nothing, or waiting for pods.
fn settled(observed: &Observed, desired: &Desired, recorded: Option<&Run>) -> Option<Step> {
    let split = ReplicaSplit::of(observed, desired.kind, &desired.target);
    let target = observed.workload(&desired.workload)?;
    if split.target != desired.target_size || split.has_sources || target.is_stamp_ahead() {
        return None;
    }
    // A component without a record is claimed to record it: otherwise, no other command knows the component.
    let run = recorded?;
    if !has_same_end(run, desired) || run.outcome != Outcome::Succeeded {
        return None;
    }
    let tolerated = run.spec.tolerated_at_end();
    let waiting = await_ready(target, desired.target_size, tolerated).filter(|_| !run.spec.is_shrink());
    Some(match waiting {
        Some(waiting) => Step::Act(Action::Wait { waiting, batch: run.spec.last_batch() }),
        None => Step::Nothing,
    })
}

/// Whether a run ends in the desired state.
fn has_same_end(run: &Run, desired: &Desired) -> bool {
    run.spec.target == desired.target && run.spec.target_size == desired.target_size
}

/// The run to claim: the recorded one if it is unfinished, has the same end and can be resumed; otherwise a new one.
/// The second value is whether the recorded run is resumed.
///
/// A finished run is never resumed. Later drift is repaired by a new run, so that rolling back the repair returns to
/// the result of the finished run.
fn frame_run(
    observed: &Observed,
    desired: &Desired,
    recorded: Option<&Run>,
) -> Result<(RunSpec, bool), BatchSumError> {
    let same = recorded.filter(|run| has_same_end(run, desired));
    let open = same.filter(|run| run.outcome.is_resumable());
    let resumed = open.and_then(|run| resume_run(observed, desired, run));
    if let Some(Ok(spec)) = resumed {
        return Ok((spec, true));
    }
    // A run that was begun in several batches must not become a single batch because the new batches do not add up.
    let has_sum_error = resumed.is_some() && open.is_some_and(|run| run.spec.batches.len() > 1);
    let repairs = !has_sum_error && (same.is_some() || leads_back(observed, desired));
    new_run(observed, desired, recorded, repairs).map(|spec| (spec, false))
}

/// Whether the desired state is that before the recorded run, which is unfinished and has left no workload of another
/// revision.
fn leads_back(observed: &Observed, desired: &Desired) -> bool {
    let split = ReplicaSplit::of(observed, desired.kind, &desired.target);
    !split.has_sources
        && observed.record.as_ref().is_some_and(|record| {
            record.run.outcome.is_resumable() && record.run.size_before() == desired.target_size
        })
        && has_succeeded_last(observed, &desired.target)
}

/// Whether the last run that succeeded led to this revision.
fn has_succeeded_last(observed: &Observed, target: &String) -> bool {
    observed.record.as_ref().is_some_and(|record| record.succeeded_revisions().first() == Some(target))
}

/// The unfinished run with the batches, gates and strategy that are now requested; `None` if it cannot be resumed, and
/// an error if the requested batches do not add up.
///
/// It keeps its mode, sources and sizes, which its batches are based on. So it cannot be resumed if these no longer
/// describe the component.
fn resume_run(observed: &Observed, desired: &Desired, run: &Run) -> Option<Result<RunSpec, BatchSumError>> {
    let split = ReplicaSplit::of(observed, desired.kind, &desired.target);
    if desired.kind.is_in_place() {
        let replicas = observed.workload(&desired.workload).map_or(0, |workload| workload.replicas);
        let cannot_be_resumed = match run.spec.mode {
            // It never has fewer pods than both before and after the run, unless the object was deleted or scaled.
            Mode::Upgrade => replicas < run.spec.target_size.min(run.spec.original_size),
            // A workload that was to be scaled and has got another template needs an upgrade.
            Mode::Release | Mode::Scale | Mode::Apply => split.has_sources,
        };
        if cannot_be_resumed {
            return None;
        }
    }
    // A scale whose size has left its range would jump back into it with its first batch.
    let range =
        run.spec.original_size.min(run.spec.target_size)..=run.spec.original_size.max(run.spec.target_size);
    if run.spec.mode == Mode::Scale && !range.contains(&split.target) {
        return None;
    }
    let mut spec = run.spec.clone();
    spec.partition = desired.partition;
    spec.strategy = desired.strategy.into();
    spec.gates.clone_from(&desired.gates);
    // Its own batches fit, even if percentages have left the last of them empty.
    if desired.batches.as_deref().is_some_and(|batches| batch::is_frozen(batches, &spec.batches)) {
        return Some(Ok(spec));
    }
    Some(freeze(&spec, desired).map(|batches| RunSpec { batches, ..spec }))
}

/// A new run from the observed state. If it `repairs` the result of an earlier run, the requested batches need not add
/// up.
///
/// | observed | mode |
/// |---|---|
/// | any source | upgrade |
/// | no target | first release |
/// | a target of at most the wanted size, no record | first release that got this far: its record was lost |
/// | a target otherwise | scale |
fn new_run(
    observed: &Observed,
    desired: &Desired,
    recorded: Option<&Run>,
    repairs: bool,
) -> Result<RunSpec, BatchSumError> {
    let split = ReplicaSplit::of(observed, desired.kind, &desired.target);
    let (mode, original_size) = if split.has_sources {
        (Mode::Upgrade, split.sources)
    } else if !split.exists || (recorded.is_none() && split.target <= desired.target_size) {
        (Mode::Release, 0)
    } else {
        (Mode::Scale, split.target)
    };
    let mut spec = RunSpec {
        mode,
        kind: desired.kind,
        target: desired.target.clone(),
        sources: match mode {
            Mode::Upgrade => source_names(observed, desired.kind, &desired.target, recorded),
            Mode::Release | Mode::Scale | Mode::Apply => Vec::new(),
        },
        original_size,
        target_start: split.target,
        target_size: desired.target_size,
        batches: Vec::new(),
        partition: desired.partition,
        strategy: desired.strategy.into(),
        is_return: mode == Mode::Upgrade && has_succeeded_last(observed, &desired.target),
        gates: desired.gates.clone(),
        objects: Vec::new(),
    };
    spec.batches = match freeze(&spec, desired) {
        // The batches were written for another run, so the repair is a single batch.
        Err(_) if repairs => vec![undivided(&spec, desired)],
        batches => batches?,
    };
    Ok(spec)
}

fn freeze(spec: &RunSpec, desired: &Desired) -> Result<Vec<FrozenBatch>, BatchSumError> {
    let what = phrase::change(spec.mode, spec.original_size, desired.target_size);
    let change = change(spec);
    // If no size changes, there is nothing to divide into batches, whatever the manifest contains for the next upgrade.
    if change == 0 && spec.mode != Mode::Upgrade {
        return Ok(vec![undivided(spec, desired)]);
    }
    batch::freeze_batches(desired.batches.as_deref(), change, &what)
}

fn undivided(spec: &RunSpec, desired: &Desired) -> FrozenBatch {
    batch::single_batch(desired.batches.as_deref(), change(spec), desired.target_size)
}

/// How many pods a run moves.
fn change(spec: &RunSpec) -> u32 {
    match spec.mode {
        Mode::Release | Mode::Scale | Mode::Apply => spec.target_size.abs_diff(spec.original_size),
        Mode::Upgrade => spec.target_size,
    }
}

/// The step after the claim: continues the recorded run, unless another claim has followed.
fn continue_run(observed: &Observed, claimed: Epoch) -> Step {
    let Some(record) = &observed.record else {
        return Step::Superseded { by: claimed };
    };
    let newest = record.epoch.max(observed.newest_stamp());
    if newest > claimed {
        return Step::Superseded { by: newest };
    }
    // All workloads are stamped before any of them changes. A write of an earlier claim that is still in flight tests
    // the stamp, so the server rejects it from then on.
    let live = || observed.workloads.iter().filter(|workload| !workload.deleting);
    let is_unstamped = |workload: &Workload| workload.epoch != Some(claimed) || workload.is_stamp_ahead();
    if let Some(workload) = live().find(|workload| is_unstamped(workload)) {
        return Step::Stamp { workload: workload.name.clone() };
    }
    let is_modified = |workload: &&Workload| workload.is_modified_externally(claimed);
    if let Some(workload) = observed.workloads.iter().find(is_modified) {
        return Step::ExternalChange { workload: workload.name.clone() };
    }
    Step::Act(next_action(&record.run.spec, &observed.workloads))
}
