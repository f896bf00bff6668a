//! The batch loop for workloads that serve all revisions with one object: CloneSets and StatefulSets.
//!
//! A batch is one write of template, size and partition together: with the template alone, the controller would start
//! to replace every pod at once (ARCHITECTURE.md, *One object for all revisions*).

use crate::oam::kind::WorkloadKind;
use crate::plan::action::{Action, RollExtent, Rolling, Shape, Waiting, await_drained, await_ready};
use crate::plan::observed::Workload;
use crate::plan::readiness;
use crate::plan::run::{Mode, RunSpec};

/// The next action of a run, from its only workload, and how many of its first batches are done.
pub(super) fn next_action(spec: &RunSpec, workload: &Workload) -> (Action, usize) {
    let goals = spec.effective_goals();
    let current = current_batch(spec, &goals, workload);
    for (index, goal) in goals.into_iter().enumerate() {
        let batch = index.max(current);
        let shape = shape(spec, goal);
        let tolerated = spec.batches[index].max_unavailable;
        if !is_reached(spec, workload, shape) {
            // If `goal` pods have already moved (after a resize during the run), this write removes other pods, so
            // those that have moved have to be ready first.
            let has_moved = spec.mode == Mode::Upgrade && updated_replicas(workload, &spec.target) >= goal;
            let unready = await_ready(workload, goal, tolerated).filter(|_| has_moved && goal > 0);
            let action = match unready {
                Some(waiting) => Action::Wait { waiting, batch },
                None => Action::Roll { rolling: rolling(spec, workload, shape), batch },
            };
            return (action, index);
        }
        if let Some(waiting) = await_batch(spec, workload, goal, tolerated) {
            return (Action::Wait { waiting, batch }, index);
        }
        if spec.holds_after(index) {
            return (Action::Hold { batch: index }, index + 1);
        }
    }
    // The last goal is the target size; only a CloneSet's surplus, or a partition that was set externally, may still
    // differ.
    let end = Shape { replicas: spec.target_size, partition: 0 };
    if Shape::of(workload) == end {
        return (Action::Finish, spec.batches.len());
    }
    let (rolling, batch) = (rolling(spec, workload, end), spec.last_batch());
    (Action::Roll { rolling, batch }, batch)
}

/// The shape with which `goal` pods are the target's.
///
/// As with one Deployment per revision, the sources keep what the target does not have yet, so the sum is the target
/// size after each batch; only an upgrade that grows starts below it. Examples with batches of 2, as
/// `replicas`/`partition`:
///
/// | upgrade | batch 1 | batch 2 | batch 3 | at the end |
/// |---|---|---|---|---|
/// | 4 pods to 4 | 4/2 | 4/0 | | |
/// | 2 pods to 6 | 4/2 | 6/2 | 6/0 | |
/// | 6 pods to 4, StatefulSet | 4/2 | 4/0 | | |
/// | 6 pods to 4, CloneSet | 6/4 | 6/2 | | 4/0 |
///
/// If the size shrinks, a CloneSet drops its surplus at the end: its controller chooses which pods to delete and, with
/// a partition to keep, would delete ready pods of the target. A StatefulSet deletes pods by their ordinals, so they
/// are deleted first instead of being replaced and then deleted.
fn shape(spec: &RunSpec, goal: u32) -> Shape {
    match spec.mode {
        Mode::Upgrade if is_smaller(spec) && spec.kind == WorkloadKind::CloneSet => {
            let replicas = spec.size_before();
            Shape { replicas, partition: replicas.saturating_sub(goal) }
        }
        Mode::Upgrade => {
            let kept = spec.original_size.min(spec.target_size.saturating_sub(goal));
            Shape { replicas: goal.saturating_add(kept), partition: kept }
        }
        Mode::Release | Mode::Scale | Mode::Apply => Shape { replicas: goal, partition: 0 },
    }
}

/// Whether a batch has been written; a shape beyond it counts, too.
fn is_reached(spec: &RunSpec, workload: &Workload, shape: Shape) -> bool {
    let seen = Shape::of(workload);
    let has_size = match is_smaller(spec) {
        // It never has fewer pods than at the end, unless its object was deleted and created again.
        true => (spec.target_size..=shape.replicas).contains(&seen.replicas),
        false => seen.replicas >= shape.replicas,
    };
    workload.template() == Some(&spec.target) && seen.partition <= shape.partition && has_size
}

/// Whether the run ends with fewer replicas, of any revision, than it began with.
fn is_smaller(spec: &RunSpec) -> bool {
    spec.target_size < spec.size_before()
}

/// The current batch, according to the shape: the first whose goal it has not passed.
fn current_batch(spec: &RunSpec, goals: &[u32], workload: &Workload) -> usize {
    // Updated pods beyond the size do not count: a StatefulSet that becomes smaller deletes them.
    let surplus = match spec.kind {
        WorkloadKind::StatefulSet => workload.replicas.saturating_sub(spec.target_size),
        WorkloadKind::Deployment | WorkloadKind::CloneSet => 0,
    };
    let updated = updated_replicas(workload, &spec.target).saturating_sub(surplus);
    let is_within = |goal: u32| match spec.mode {
        Mode::Upgrade => updated <= goal,
        Mode::Release | Mode::Scale if spec.is_shrink() => workload.replicas >= goal,
        Mode::Release | Mode::Scale | Mode::Apply => workload.replicas <= goal,
    };
    goals.iter().position(|goal| is_within(*goal)).unwrap_or_else(|| spec.last_batch())
}

/// The wait of a batch that was written: until its pods are ready and surplus pods are gone.
fn await_batch(spec: &RunSpec, workload: &Workload, goal: u32, tolerated: u32) -> Option<Waiting> {
    // A scale-in is done when the pods are gone, whether or not the remaining ones are ready, as in KubeVela's rollout
    // trait.
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
        extent: if has_template { RollExtent::Shape } else { RollExtent::Template },
        from: Shape::of(workload),
        to,
    }
}

/// Replicas that the target may have: those that the partition does not hold back.
#[must_use]
pub fn updated_replicas(workload: &Workload, target: &str) -> u32 {
    if workload.template() == Some(target) { Shape::of(workload).updated() } else { 0 }
}

/// Ready pods of the target, as far as the object's status shows them.
#[must_use]
pub fn ready_replicas(workload: &Workload, target: &str) -> u32 {
    if workload.template() == Some(target) { readiness::ready_replicas(workload) } else { 0 }
}
