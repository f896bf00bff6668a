//! The batch loop as a pure function: given a run and what is there, the first thing not yet so.
//!
//! It keeps no state. What has been done is read off the workloads, so a run that was killed anywhere
//! is simply walked again, and a batch that is reached already is still gated on its readiness.

use crate::plan::in_place::{self, Rolling};
use crate::plan::observed::{Uid, Workload};
use crate::plan::readiness;
use crate::plan::record::{FrozenStrategy, Mode, RunSpec};

/// Which side of the rollout a workload is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Where the run goes.
    Target,
    /// Where it comes from.
    Source,
}

/// One change of a size, with what it relies on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scaling {
    /// The workload's name.
    pub workload: String,
    /// Its identity.
    pub uid: Uid,
    /// Which side it is on.
    pub side: Side,
    /// The size it was seen to have; the write is refused if it is another by then.
    pub from: u32,
    /// The size to give it.
    pub to: u32,
    /// Whether it was seen to be paused, and is unpaused with the same write.
    pub unpauses: bool,
}

/// What a run waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waiting {
    /// The controller has not seen the newest spec yet.
    Generation {
        /// The workload.
        workload: String,
    },
    /// Pods have to become ready.
    Ready {
        /// The workload.
        workload: String,
        /// Ready now.
        ready: u32,
        /// Ready wanted, before tolerance.
        goal: u32,
        /// How many of them may be unready.
        tolerated: u32,
    },
    /// Pods have to go.
    Drained {
        /// The workload.
        workload: String,
        /// Pods there now.
        replicas: u32,
        /// Pods wanted.
        goal: u32,
    },
    /// A namesake of the target has to be gone first.
    Deletion {
        /// The workload.
        workload: String,
    },
}

impl Waiting {
    /// The workload that is waited for.
    #[must_use]
    pub fn workload(&self) -> &str {
        match self {
            Self::Generation { workload }
            | Self::Ready { workload, .. }
            | Self::Drained { workload, .. }
            | Self::Deletion { workload } => workload,
        }
    }

    /// What is waited for, in words.
    #[must_use]
    pub fn phrase(&self) -> String {
        match self {
            Self::Generation { workload } => {
                format!("`{workload}`: not yet observed by its controller (is it running?)")
            }
            Self::Ready { workload, ready, goal, tolerated: 0 } => {
                format!("`{workload}`: {ready} of {goal} ready")
            }
            Self::Ready { workload, ready, goal, tolerated } => {
                format!("`{workload}`: {ready} of {goal} ready, {tolerated} may be unready")
            }
            Self::Drained { workload, replicas: 1, goal } => {
                format!("`{workload}`: 1 pod, scaling down to {goal}")
            }
            Self::Drained { workload, replicas, goal } => {
                format!("`{workload}`: {replicas} pods, scaling down to {goal}")
            }
            Self::Deletion { workload } => format!("`{workload}`: not yet deleted"),
        }
    }
}

/// The first thing that is not yet as the run wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// The target does not exist.
    Create,
    /// A size has to change.
    Scale(Scaling),
    /// An in-place workload has to go on.
    Roll(Rolling),
    /// Nothing can be done but wait.
    Wait(Waiting),
    /// The gate after this batch is closed.
    Gate,
    /// A drained source is to be deleted.
    Delete {
        /// The source.
        workload: String,
        /// Its identity.
        uid: Uid,
    },
    /// Everything is as wanted.
    Complete,
}

/// Where a walk ends: what is next, and in which batch (zero-based).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// What is next.
    pub next: Next,
    /// The batch it belongs to.
    pub batch: usize,
}

/// Walks a run over what is there.
///
/// `workloads` are all of the component's, whatever their revision.
#[must_use]
pub fn walk(spec: &RunSpec, workloads: &[Workload]) -> Stop {
    let is_in_place = spec.kind.is_in_place();
    let last = spec.batches.len().saturating_sub(1);
    let is_target = |workload: &&Workload| is_in_place || workload.name == spec.target;
    let Some(target) = workloads.iter().find(is_target) else {
        return Stop { next: Next::Create, batch: 0 };
    };
    if target.deleting {
        let next = Next::Wait(Waiting::Deletion { workload: target.name.clone() });
        return Stop { next, batch: 0 };
    }
    if is_in_place {
        return in_place::walk(spec, target);
    }
    let mut sources: Vec<&Workload> =
        workloads.iter().filter(|workload| workload.name != spec.target && !workload.deleting).collect();
    sources.sort_by_key(|source| (source.created, source.name.clone()));

    let goals = effective_goals(spec);
    let entered = entered(spec, &goals, target, &sources);
    for (index, goal) in goals.into_iter().enumerate() {
        let tolerated = spec.batches[index].max_unavailable;
        let pending = match spec.mode {
            Mode::Upgrade => upgrade(spec, target, &sources, goal, tolerated),
            Mode::Release | Mode::Scale if spec.is_shrink() => shrink(target, goal),
            Mode::Release | Mode::Scale => grow(target, goal, tolerated),
        };
        if let Some(next) = pending {
            // A batch that was passed once and is looked at again is not the batch under way.
            return Stop { next, batch: index.max(entered) };
        }
        if spec.holds_after(index) {
            return Stop { next: Next::Gate, batch: index };
        }
    }
    let next = closing(spec, target, &sources).unwrap_or(Next::Complete);
    Stop { next, batch: last }
}

/// The target's size after each batch.
///
/// With `IncreaseFirst` a target that began above the first goals (a revert, a second try) has those batches
/// behind it once its pods are ready; its sources may then be as small as that allows, so that the sum is the
/// target size after each batch. With `DecreaseFirst` the sources give way before anything is known of the
/// target's pods, so there never by more than the batch says. The strategy has no say where pods are replaced in
/// their place.
pub(super) fn effective_goals(spec: &RunSpec) -> Vec<u32> {
    let mut goals = spec.goals();
    let counts_its_start = spec.kind.is_in_place() || spec.strategy == FrozenStrategy::IncreaseFirst;
    if spec.mode == Mode::Upgrade && counts_its_start {
        let start = spec.target_start.min(spec.target_size);
        goals.iter_mut().for_each(|goal| *goal = start.max(*goal));
    }
    goals
}

/// The batch that the sizes say is under way.
fn entered(spec: &RunSpec, goals: &[u32], target: &Workload, sources: &[&Workload]) -> usize {
    let source: u32 = sources.iter().fold(0, |sum, source| source.replicas.saturating_add(sum));
    let is_within = |goal: u32| match (spec.mode, spec.strategy) {
        (Mode::Upgrade, FrozenStrategy::IncreaseFirst) => target.replicas <= goal,
        (Mode::Upgrade, FrozenStrategy::DecreaseFirst) => source >= spec.target_size.saturating_sub(goal),
        (Mode::Release | Mode::Scale, _) if spec.is_shrink() => target.replicas >= goal,
        (Mode::Release | Mode::Scale, _) => target.replicas <= goal,
    };
    goals.iter().position(|goal| is_within(*goal)).unwrap_or(goals.len().saturating_sub(1))
}

/// One batch of an upgrade: both halves, in the strategy's order.
fn upgrade(
    spec: &RunSpec,
    target: &Workload,
    sources: &[&Workload],
    goal: u32,
    tolerated: u32,
) -> Option<Next> {
    let rest = spec.target_size.saturating_sub(goal);
    match spec.strategy {
        FrozenStrategy::IncreaseFirst => grow(target, goal, tolerated).or_else(|| drain(sources, rest)),
        FrozenStrategy::DecreaseFirst => drain(sources, rest).or_else(|| grow(target, goal, tolerated)),
    }
}

fn grow(target: &Workload, goal: u32, tolerated: u32) -> Option<Next> {
    if target.replicas < goal {
        return Some(Next::Scale(scaling(target, Side::Target, goal)));
    }
    let waiting = await_ready(target, goal, tolerated)?;
    if can_unpause(target) {
        return Some(Next::Scale(scaling(target, Side::Target, target.replicas)));
    }
    Some(Next::Wait(waiting))
}

fn shrink(target: &Workload, goal: u32) -> Option<Next> {
    if target.replicas > goal {
        return Some(Next::Scale(scaling(target, Side::Target, goal)));
    }
    await_drained(target).map(Next::Wait)
}

/// Lowers the sources to `rest` replicas in total, one write at a time.
fn drain(sources: &[&Workload], rest: u32) -> Option<Next> {
    let total: u64 = sources.iter().map(|source| u64::from(source.replicas)).sum();
    let excess = u32::try_from(total.saturating_sub(u64::from(rest))).unwrap_or(u32::MAX);
    if excess > 0 {
        // Which of them serve is not known before their status is about what they are now.
        if let Some(waiting) = sources.iter().find_map(|source| stale(source)) {
            return Some(Next::Wait(waiting));
        }
        return lowered(sources, excess).map(Next::Scale);
    }
    sources.iter().find_map(|source| await_drained(source)).map(Next::Wait)
}

/// What is left once every batch is done: a size that drifted, sources that nobody named, deletions.
fn closing(spec: &RunSpec, target: &Workload, sources: &[&Workload]) -> Option<Next> {
    if let Some(next) = drain(sources, 0) {
        return Some(next);
    }
    if target.replicas != spec.target_size {
        return Some(Next::Scale(scaling(target, Side::Target, spec.target_size)));
    }
    if let Some(waiting) = await_drained(target) {
        return Some(Next::Wait(waiting));
    }
    // A scale-in is done when the pods are gone, whatever the readiness of those that stay (spec §3.7).
    if !spec.is_shrink() {
        let tolerated = spec.batches.last().map_or(0, |batch| batch.max_unavailable);
        if let Some(waiting) = await_ready(target, spec.target_size, tolerated) {
            return Some(Next::Wait(waiting));
        }
    }
    let source = sources.first()?;
    Some(Next::Delete { workload: source.name.clone(), uid: source.uid.clone() })
}

/// The first of the writes that take `excess` pods from the sources: those that are not ready first,
/// since they serve nobody (a ReplicaSet removes them first, too), then the oldest revision's.
fn lowered(sources: &[&Workload], excess: u32) -> Option<Scaling> {
    let mut left = excess;
    let mut sizes: Vec<u32> = sources.iter().map(|source| source.replicas).collect();
    for (size, source) in sizes.iter_mut().zip(sources) {
        let unready = source.replicas.saturating_sub(readiness::ready(source)).min(left);
        *size -= unready;
        left -= unready;
    }
    for size in &mut sizes {
        let ready = (*size).min(left);
        *size -= ready;
        left -= ready;
    }
    let is_unready = |source: &Workload| readiness::ready(source) < source.replicas;
    let changes = || sources.iter().zip(&sizes).filter(|(source, size)| source.replicas != **size);
    let (source, size) = changes().find(|(source, _)| is_unready(source)).or_else(|| changes().next())?;
    Some(scaling(source, Side::Source, *size))
}

fn scaling(workload: &Workload, side: Side, to: u32) -> Scaling {
    let unpauses = side == Side::Target && to > 0 && can_unpause(workload);
    let (name, uid) = (workload.name.clone(), workload.uid.clone());
    Scaling { workload: name, uid, side, from: workload.replicas, to, unpauses }
}

/// Whether a Deployment is paused, and has no pods of another template, which would all be replaced at once.
fn can_unpause(workload: &Workload) -> bool {
    workload.paused && readiness::is_fresh(workload) && workload.updated_replicas >= workload.status_replicas
}

pub(super) fn await_ready(workload: &Workload, goal: u32, tolerated: u32) -> Option<Waiting> {
    if readiness::has_ready(workload, goal, tolerated) {
        return None;
    }
    Some(stale(workload).unwrap_or_else(|| Waiting::Ready {
        workload: workload.name.clone(),
        ready: readiness::ready(workload),
        goal,
        tolerated,
    }))
}

pub(super) fn await_drained(workload: &Workload) -> Option<Waiting> {
    if readiness::is_drained(workload) {
        return None;
    }
    Some(stale(workload).unwrap_or_else(|| Waiting::Drained {
        workload: workload.name.clone(),
        replicas: workload.status_replicas,
        goal: workload.replicas,
    }))
}

fn stale(workload: &Workload) -> Option<Waiting> {
    (!readiness::is_fresh(workload)).then(|| Waiting::Generation { workload: workload.name.clone() })
}
