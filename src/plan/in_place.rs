//! The batch loop for workloads that serve all revisions with one object: CloneSets and StatefulSets.
//!
//! A batch is one write of template, size and partition together. With the template alone the controller would
//! start on every pod at once (spec `cloneset.md` §0).

use serde_json::Value;

use crate::oam::kind::WorkloadKind;
use crate::plan::observed::{Uid, Workload};
use crate::plan::readiness;
use crate::plan::record::{Mode, RunSpec};
use crate::plan::sides::moved;
use crate::plan::walk::{Next, Stop, Waiting, await_drained, await_ready, effective_goals};

/// The numbers that say how far a workload's controller may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// `spec.replicas`.
    pub replicas: u32,
    /// Pods that stay on the template before: a CloneSet keeps so many of them, a StatefulSet those with smaller
    /// ordinals.
    pub partition: u32,
}

impl Shape {
    /// The shape that a workload has.
    #[must_use]
    pub fn of(workload: &Workload) -> Self {
        let partition = workload.in_place.as_ref().map_or(0, |in_place| in_place.partition);
        Self { replicas: workload.replicas, partition }
    }

    /// Pods that may be of the newest template.
    #[must_use]
    pub fn moved(self) -> u32 {
        self.replicas.saturating_sub(self.partition)
    }
}

/// One write to an in-place workload, with what it relies on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rolling {
    /// The workload's name.
    pub workload: String,
    /// Its identity.
    pub uid: Uid,
    /// `metadata.generation` as it was seen: the write is refused if the spec has changed since.
    pub generation: i64,
    /// The revision that it goes to.
    pub revision: String,
    /// Whether the template has to be written, too.
    pub extent: Extent,
    /// `spec.updateStrategy` as it was seen.
    pub strategy: Value,
    /// The shape it was seen to have.
    pub from: Shape,
    /// The shape to give it.
    pub to: Shape,
}

/// How much of a spec is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Everything that the revision says.
    Template,
    /// Size and partition.
    Shape,
}

/// Walks a run over the one workload there is.
pub(super) fn walk(spec: &RunSpec, workload: &Workload) -> Stop {
    let last = spec.batches.len().saturating_sub(1);
    let goals = effective_goals(spec);
    let entered = entered(spec, &goals, workload);
    for (index, goal) in goals.into_iter().enumerate() {
        let shape = shape(spec, goal);
        let tolerated = spec.batches[index].max_unavailable;
        let pending = if is_reached(spec, workload, shape) {
            await_batch(spec, workload, goal, tolerated).map(Next::Wait)
        } else {
            // Where the pods have moved already, what is left to do takes others away.
            let is_moved = spec.mode == Mode::Upgrade && moved(workload, &spec.target) >= goal;
            let unready = await_ready(workload, goal, tolerated).filter(|_| is_moved && goal > 0);
            let roll = || Next::Roll(rolling(spec, workload, shape));
            Some(unready.map_or_else(roll, Next::Wait))
        };
        if let Some(next) = pending {
            return Stop { next, batch: index.max(entered) };
        }
        if spec.holds_after(index) {
            return Stop { next: Next::Gate, batch: index };
        }
    }
    let end = Shape { replicas: spec.target_size, partition: 0 };
    let next =
        if Shape::of(workload) == end { Next::Complete } else { Next::Roll(rolling(spec, workload, end)) };
    Stop { next, batch: last }
}

/// The shape in which `goal` pods are the target's.
///
/// As with two Deployments the sources keep what the target has not yet: the sum grows with the batches where
/// the target size is larger than what was there.
///
/// Where it is smaller, a CloneSet gives up its surplus at the end: before, it would take pods of the target away
/// while it has to keep others, ready or not. Which pods of a StatefulSet go is decided by their ordinals, so they
/// go first and are not replaced in vain.
fn shape(spec: &RunSpec, goal: u32) -> Shape {
    match spec.mode {
        Mode::Upgrade if is_shrink(spec) && spec.kind == WorkloadKind::CloneSet => {
            let replicas = spec.size_before();
            Shape { replicas, partition: replicas.saturating_sub(goal) }
        }
        Mode::Upgrade => {
            let kept = spec.original_size.min(spec.target_size.saturating_sub(goal));
            Shape { replicas: goal.saturating_add(kept), partition: kept }
        }
        Mode::Release | Mode::Scale => Shape { replicas: goal, partition: 0 },
    }
}

/// Whether a batch has been written: that it has gone further is as good.
fn is_reached(spec: &RunSpec, workload: &Workload, shape: Shape) -> bool {
    let seen = Shape::of(workload);
    let has_size =
        if is_shrink(spec) { seen.replicas <= shape.replicas } else { seen.replicas >= shape.replicas };
    workload.template() == Some(&spec.target) && seen.partition <= shape.partition && has_size
}

fn is_shrink(spec: &RunSpec) -> bool {
    spec.target_size < spec.size_before()
}

/// The batch that the shape says is under way.
fn entered(spec: &RunSpec, goals: &[u32], workload: &Workload) -> usize {
    let is_within = |goal: u32| match spec.mode {
        Mode::Upgrade => moved(workload, &spec.target) <= goal,
        Mode::Release | Mode::Scale if spec.is_shrink() => workload.replicas >= goal,
        Mode::Release | Mode::Scale => workload.replicas <= goal,
    };
    goals.iter().position(|goal| is_within(*goal)).unwrap_or(goals.len().saturating_sub(1))
}

/// What a written batch still waits for: its pods, and that those beyond the size are gone.
fn await_batch(spec: &RunSpec, workload: &Workload, goal: u32, tolerated: u32) -> Option<Waiting> {
    // A scale-in is done when the pods are gone, whatever the readiness of those that stay (spec §3.7).
    if spec.is_shrink() {
        return await_drained(workload);
    }
    await_ready(workload, goal, tolerated).or_else(|| await_drained(workload))
}

fn rolling(spec: &RunSpec, workload: &Workload, to: Shape) -> Rolling {
    let has_template = workload.template() == Some(&spec.target);
    Rolling {
        workload: workload.name.clone(),
        uid: workload.uid.clone(),
        generation: workload.generation,
        revision: spec.target.clone(),
        strategy: workload.in_place.as_ref().map(|in_place| in_place.strategy.clone()).unwrap_or_default(),
        extent: if has_template { Extent::Shape } else { Extent::Template },
        from: Shape::of(workload),
        to,
    }
}

/// Ready pods of the target, as far as the object shows them.
#[must_use]
pub fn ready(workload: &Workload, target: &str) -> u32 {
    if workload.template() == Some(target) { readiness::ready(workload) } else { 0 }
}
