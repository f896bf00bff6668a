//! The one decision: what this process does next for a component.

use thiserror::Error;

use crate::plan::batch::{self, BatchSumError};
use crate::plan::desired::Desired;
use crate::plan::in_place::Rolling;
use crate::plan::observed::{Epoch, Observed, Uid, Workload};
use crate::plan::readiness;
use crate::plan::record::{FrozenBatch, Mode, Outcome, Run, RunSpec};
use crate::plan::sides::{Sides, source_names};
use crate::plan::walk::{Next, Scaling, Waiting, walk};

/// What to do next. Nothing is left to decide by whoever performs it.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Everything is as desired; nothing is written.
    Nothing,
    /// Write the run record under a new epoch.
    Claim {
        /// The run.
        spec: RunSpec,
        /// Whether the recorded run goes on.
        resumes: bool,
    },
    /// Put the held epoch on a workload, before anything of the component changes, and correct what it notes of a write
    /// that changed nothing.
    Stamp {
        /// The workload.
        workload: String,
    },
    /// Create the target with no replicas.
    Create,
    /// Change a size.
    Scale {
        /// The change.
        scaling: Scaling,
        /// The batch it belongs to, zero-based.
        batch: usize,
    },
    /// Let an in-place workload go on.
    Roll {
        /// The change.
        rolling: Rolling,
        /// The batch it belongs to, zero-based.
        batch: usize,
    },
    /// Nothing can be done until something changes.
    Wait {
        /// What it waits for.
        waiting: Waiting,
        /// The batch it belongs to, zero-based.
        batch: usize,
    },
    /// The gate after this batch (zero-based) is closed: the run stops here as asked.
    Hold {
        /// The batch that is done.
        batch: usize,
    },
    /// Delete a drained source.
    Delete {
        /// The source.
        workload: String,
        /// Its identity.
        uid: Uid,
    },
    /// Everything is as desired: record it.
    Finish,
    /// Another run has claimed the component: write nothing more.
    Superseded {
        /// The epoch of that run.
        by: Epoch,
    },
    /// Somebody else has changed an in-place workload since this run wrote it: write nothing more.
    Disturbed {
        /// The workload.
        workload: String,
    },
    /// The change cannot be made as it is asked for.
    Refuse(Refusal),
}

impl Step {
    /// Whether a component at which it is the first step needs no write.
    #[must_use]
    pub fn is_rest(&self) -> bool {
        match self {
            Self::Nothing | Self::Hold { .. } => true,
            Self::Wait { .. }
            | Self::Claim { .. }
            | Self::Stamp { .. }
            | Self::Create
            | Self::Scale { .. }
            | Self::Roll { .. }
            | Self::Delete { .. }
            | Self::Finish
            | Self::Superseded { .. }
            | Self::Disturbed { .. }
            | Self::Refuse(_) => false,
        }
    }
}

/// Why a change is refused before any write.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The batches do not fit.
    #[error(transparent)]
    BatchSumError(#[from] BatchSumError),
}

/// Decides the next step.
#[must_use]
pub fn plan(observed: &Observed, desired: &Desired) -> Step {
    match observed.held {
        Some(held) => drive(observed, held),
        None => begin(observed, desired),
    }
}

/// Before the claim: is there anything to do, and as which run.
fn begin(observed: &Observed, desired: &Desired) -> Step {
    let recorded = observed.record.as_ref().map(|record| &record.run);
    if let Some(step) = settled(observed, desired, recorded) {
        return step;
    }
    let (spec, resumes) = match new_run(observed, desired, recorded) {
        Ok(framed) => framed,
        Err(misfit) => return Step::Refuse(Refusal::BatchSumError(misfit)),
    };
    let stop = walk(&spec, &observed.workloads);
    let is_held = recorded.is_some_and(|run| run.outcome == Outcome::Held && run.spec == spec);
    if stop.next == Next::Gate && is_held {
        return Step::Hold { batch: stop.batch };
    }
    Step::Claim { spec, resumes }
}

/// The step where the workloads already have the desired shape and no run is open.
fn settled(observed: &Observed, desired: &Desired, recorded: Option<&Run>) -> Option<Step> {
    let sides = Sides::of(observed, desired.kind, &desired.target);
    let target = observed.workload(&desired.workload)?;
    if sides.target != desired.target_size || sides.has_sources || target.is_noted_ahead() {
        return None;
    }
    // What has no record, or has lost it, gets one: without it no other command knows of the component.
    let run = recorded?;
    let is_same = run.spec.target == desired.target && run.spec.target_size == desired.target_size;
    if !is_same || run.outcome != Outcome::Succeeded {
        return None;
    }
    if run.spec.is_shrink() {
        return Some(Step::Nothing);
    }
    let tolerated = run.spec.batches.last().map_or(0, |batch| batch.max_unavailable);
    if readiness::has_ready(target, desired.target_size, tolerated) {
        return Some(Step::Nothing);
    }
    let waiting = if readiness::is_fresh(target) {
        Waiting::Ready {
            workload: target.name.clone(),
            ready: readiness::ready(target),
            goal: desired.target_size,
            tolerated,
        }
    } else {
        Waiting::Generation { workload: target.name.clone() }
    };
    let batch = run.spec.batches.len().saturating_sub(1);
    Some(Step::Wait { waiting, batch })
}

/// Frames the run: the recorded one where it is unfinished and has the same end, else one from what is observed.
///
/// The second value tells whether the recorded run is resumed. A finished run never is: what has changed since is repaired
/// by a run of its own, so that rolling it back returns to what the finished run has left.
fn new_run(
    observed: &Observed,
    desired: &Desired,
    recorded: Option<&Run>,
) -> Result<(RunSpec, bool), BatchSumError> {
    let same = recorded
        .filter(|run| run.spec.target == desired.target && run.spec.target_size == desired.target_size);
    if let Some(run) = same.filter(|run| run.outcome.is_resumable())
        && let Some(spec) = resume_run(observed, desired, run)
    {
        return Ok((spec, true));
    }
    let sides = Sides::of(observed, desired.kind, &desired.target);
    let start = sides.target;
    let (mode, original) = if sides.has_sources {
        (Mode::Upgrade, sides.sources)
    } else if !sides.exists || (recorded.is_none() && start <= desired.target_size) {
        // A workload whose record was lost is treated as a first release that got this far.
        (Mode::Release, 0)
    } else {
        (Mode::Scale, start)
    };
    let mut spec = RunSpec {
        mode,
        kind: desired.kind,
        target: desired.target.clone(),
        sources: match mode {
            Mode::Upgrade => source_names(observed, desired.kind, &desired.target, recorded),
            Mode::Release | Mode::Scale => Vec::new(),
        },
        original_size: original,
        target_start: start,
        target_size: desired.target_size,
        batches: Vec::new(),
        partition: desired.partition,
        strategy: desired.strategy.into(),
    };
    spec.batches = match (freeze(&spec, desired), same) {
        // The batches were written for the run that has finished; what is left of it to repair is one batch.
        (Err(misfit), Some(_)) => batch::freeze(None, change(&spec), &misfit.what)?,
        (batches, _) => batches?,
    };
    Ok((spec, false))
}

/// The unfinished run with the batches, gate and strategy now asked for, or `None` where it cannot be.
fn resume_run(observed: &Observed, desired: &Desired, run: &Run) -> Option<RunSpec> {
    let sides = Sides::of(observed, desired.kind, &desired.target);
    // An in-place workload that was only to be scaled and got another template needs another run.
    if sides.has_sources && run.spec.mode != Mode::Upgrade && desired.kind.is_in_place() {
        return None;
    }
    // Nothing may jump: a size that drifted out of the range of a scale makes another scale.
    let range =
        run.spec.original_size.min(run.spec.target_size)..=run.spec.original_size.max(run.spec.target_size);
    if run.spec.mode == Mode::Scale && !range.contains(&sides.target) {
        return None;
    }
    let mut spec = run.spec.clone();
    spec.partition = desired.partition;
    spec.strategy = desired.strategy.into();
    spec.batches = freeze(&spec, desired).ok()?;
    Some(spec)
}

fn freeze(spec: &RunSpec, desired: &Desired) -> Result<Vec<FrozenBatch>, BatchSumError> {
    let size = desired.target_size;
    let what = match spec.mode {
        Mode::Release => format!("first release with {size} replicas"),
        Mode::Upgrade => format!("upgrade to {size} replicas"),
        Mode::Scale => format!("scaling from {} to {size} replicas", spec.original_size),
    };
    let change = change(spec);
    // Where no size changes there is nothing to divide, whatever the manifest says for the next upgrade.
    let batches = if change == 0 && spec.mode != Mode::Upgrade { None } else { desired.batches.as_deref() };
    batch::freeze(batches, change, &what)
}

/// How many pods a run moves.
fn change(spec: &RunSpec) -> u32 {
    match spec.mode {
        Mode::Release | Mode::Scale => spec.target_size.abs_diff(spec.original_size),
        Mode::Upgrade => spec.target_size,
    }
}

/// After the claim: the recorded run, step by step.
fn drive(observed: &Observed, held: Epoch) -> Step {
    let Some(record) = &observed.record else {
        return Step::Superseded { by: held };
    };
    let newest = record.epoch.max(observed.newest_stamp());
    if newest > held {
        return Step::Superseded { by: newest };
    }
    let unstamped = |workload: &&Workload| {
        !workload.deleting && (workload.epoch != Some(held) || workload.is_noted_ahead())
    };
    if let Some(workload) = observed.workloads.iter().find(unstamped) {
        return Step::Stamp { workload: workload.name.clone() };
    }
    let is_disturbed = |workload: &&Workload| workload.is_disturbed(held);
    if let Some(workload) = observed.workloads.iter().find(is_disturbed) {
        return Step::Disturbed { workload: workload.name.clone() };
    }
    let stop = walk(&record.run.spec, &observed.workloads);
    match stop.next {
        Next::Create => Step::Create,
        Next::Scale(scaling) => Step::Scale { scaling, batch: stop.batch },
        Next::Roll(rolling) => Step::Roll { rolling, batch: stop.batch },
        Next::Wait(waiting) => Step::Wait { waiting, batch: stop.batch },
        Next::Gate => Step::Hold { batch: stop.batch },
        Next::Delete { workload, uid } => Step::Delete { workload, uid },
        Next::Complete => Step::Finish,
    }
}
