//! The batch loop for Deployments, with one workload per revision: one is the target, and all others are sources.

use crate::plan::action::{Action, Scaling, Side, Waiting, await_drained, await_observed, await_ready};
use crate::plan::observed::Workload;
use crate::plan::readiness;
use crate::plan::run::{FrozenStrategy, Mode, RunSpec};

/// What remains to be done for a batch.
enum BatchChange {
    Scale(Scaling),
    Wait(Waiting),
}

impl BatchChange {
    fn in_batch(self, batch: usize) -> Action {
        match self {
            Self::Scale(scaling) => Action::Scale { scaling, batch },
            Self::Wait(waiting) => Action::Wait { waiting, batch },
        }
    }
}

/// The next action of a run whose target exists, and how many of its first batches are done.
pub(super) fn next_action(spec: &RunSpec, target: &Workload, workloads: &[Workload]) -> (Action, usize) {
    let mut sources: Vec<&Workload> =
        workloads.iter().filter(|workload| workload.name != spec.target && !workload.deleting).collect();
    sources.sort_by_key(|source| (source.created, source.name.clone()));

    let goals = spec.effective_goals();
    let rests = spec.source_goals();
    let current = current_batch(spec, &goals, &rests, target, &sources);
    for (index, (goal, rest)) in goals.into_iter().zip(rests).enumerate() {
        let tolerated = spec.batches[index].max_unavailable;
        let pending = match spec.mode {
            Mode::Upgrade => upgrade(spec, target, &sources, (goal, rest), tolerated),
            Mode::Release | Mode::Scale if spec.is_shrink() => shrink(target, goal),
            Mode::Release | Mode::Scale | Mode::Apply => grow(target, goal, tolerated),
        };
        if let Some(change) = pending {
            // An earlier batch with a pod that has become unready again is not the current batch.
            return (change.in_batch(index.max(current)), index);
        }
        if spec.holds_after(index) {
            return (Action::Hold { batch: index }, index + 1);
        }
    }
    closing(spec, target, &sources)
}

/// The current batch, according to the sizes: the first whose goal they have not passed. For batches that leave the
/// target at its full size, the sizes of the sources decide. A batch of an upgrade whose other half has not reached its
/// size is not passed: another client may have changed the size of one half.
fn current_batch(
    spec: &RunSpec,
    goals: &[u32],
    rests: &[u32],
    target: &Workload,
    sources: &[&Workload],
) -> usize {
    let source: u32 = sources.iter().fold(0, |sum, source| source.replicas.saturating_add(sum));
    let is_within = |(goal, rest): (u32, u32)| match (spec.mode, spec.strategy) {
        (Mode::Upgrade, _) if target.replicas < goal || source > rest => true,
        (Mode::Upgrade, FrozenStrategy::IncreaseFirst) if goal < spec.target_size => target.replicas == goal,
        (Mode::Upgrade, _) => source == rest,
        (Mode::Release | Mode::Scale, _) if spec.is_shrink() => target.replicas >= goal,
        (Mode::Release | Mode::Scale | Mode::Apply, _) => target.replicas <= goal,
    };
    let mut batches = goals.iter().copied().zip(rests.iter().copied());
    batches.position(is_within).unwrap_or_else(|| spec.last_batch())
}

/// One batch of an upgrade: both halves, in the strategy's order.
fn upgrade(
    spec: &RunSpec,
    target: &Workload,
    sources: &[&Workload],
    (goal, rest): (u32, u32),
    tolerated: u32,
) -> Option<BatchChange> {
    match spec.strategy {
        FrozenStrategy::IncreaseFirst => grow(target, goal, tolerated).or_else(|| drain(sources, rest)),
        FrozenStrategy::DecreaseFirst => drain(sources, rest).or_else(|| grow(target, goal, tolerated)),
    }
}

fn grow(target: &Workload, goal: u32, tolerated: u32) -> Option<BatchChange> {
    if target.replicas < goal {
        return Some(BatchChange::Scale(scaling(target, Side::Target, goal)));
    }
    let waiting = await_ready(target, goal, tolerated)?;
    if can_unpause(target) {
        return Some(BatchChange::Scale(scaling(target, Side::Target, target.replicas)));
    }
    Some(BatchChange::Wait(waiting))
}

fn shrink(target: &Workload, goal: u32) -> Option<BatchChange> {
    if target.replicas > goal {
        return Some(BatchChange::Scale(scaling(target, Side::Target, goal)));
    }
    await_drained(target).map(BatchChange::Wait)
}

/// Scales the sources down to `rest` replicas in total, one write at a time.
fn drain(sources: &[&Workload], rest: u32) -> Option<BatchChange> {
    let total: u64 = sources.iter().map(|source| u64::from(source.replicas)).sum();
    let excess = u32::try_from(total.saturating_sub(u64::from(rest))).unwrap_or(u32::MAX);
    if excess > 0 {
        // Which pods are ready is unknown until every status is about the newest spec.
        if let Some(waiting) = sources.iter().find_map(|source| await_observed(source)) {
            return Some(BatchChange::Wait(waiting));
        }
        return lower_sources(sources, excess).map(BatchChange::Scale);
    }
    sources.iter().find_map(|source| await_drained(source)).map(BatchChange::Wait)
}

/// What remains once every batch is done: surplus replicas of sources, a size that has drifted, deletions.
fn closing(spec: &RunSpec, target: &Workload, sources: &[&Workload]) -> (Action, usize) {
    if let Some(pending) = drain(sources, 0).or_else(|| settle(spec, target)) {
        return (pending.in_batch(spec.last_batch()), spec.last_batch());
    }
    let action = match sources.first() {
        Some(source) => Action::Delete { workload: source.name.clone(), uid: source.uid.clone() },
        None => Action::Finish,
    };
    (action, spec.batches.len())
}

/// What remains to be done for the target once its sources are drained.
fn settle(spec: &RunSpec, target: &Workload) -> Option<BatchChange> {
    if target.replicas != spec.target_size {
        return Some(BatchChange::Scale(scaling(target, Side::Target, spec.target_size)));
    }
    if let Some(waiting) = await_drained(target) {
        return Some(BatchChange::Wait(waiting));
    }
    // A scale-in is done when the pods are gone, whether or not the remaining ones are ready, as in KubeVela's rollout
    // trait.
    if spec.is_shrink() {
        return None;
    }
    let tolerated = spec.tolerated_at_end();
    await_ready(target, spec.target_size, tolerated).map(BatchChange::Wait)
}

/// The first of the writes that remove `excess` pods from the sources.
///
/// Unready pods of any source are removed first, since they serve no traffic and a ReplicaSet also removes them first;
/// then those of the oldest revision. `sources` are sorted by age, and each is written at most once, with its final
/// size. With an excess of 3:
///
/// | source | replicas | ready | after the unready | after the oldest | order of the writes |
/// |---|---|---|---|---|---|
/// | `web-v1` | 2 | 2 | 2 | 0 | second |
/// | `web-v2` | 3 | 2 | 2 | 2 | first: it has unready pods |
///
/// A source with unready pods is written first, so that every ready pod still exists if the run stops between the
/// writes.
fn lower_sources(sources: &[&Workload], excess: u32) -> Option<Scaling> {
    let mut left = excess;
    let mut sizes: Vec<u32> = sources.iter().map(|source| source.replicas).collect();
    for (size, source) in sizes.iter_mut().zip(sources) {
        let unready = source.replicas.saturating_sub(readiness::ready_replicas(source)).min(left);
        *size -= unready;
        left -= unready;
    }
    for size in &mut sizes {
        let ready = (*size).min(left);
        *size -= ready;
        left -= ready;
    }
    let is_unready = |source: &Workload| readiness::ready_replicas(source) < source.replicas;
    let changes = || sources.iter().zip(&sizes).filter(|(source, size)| source.replicas != **size);
    let (source, size) = changes().find(|(source, _)| is_unready(source)).or_else(|| changes().next())?;
    Some(scaling(source, Side::Source, *size))
}

fn scaling(workload: &Workload, side: Side, to: u32) -> Scaling {
    let unpauses = side == Side::Target && to > 0 && can_unpause(workload);
    let (name, uid) = (workload.name.clone(), workload.uid.clone());
    Scaling { workload: name, uid, side, from: workload.replicas, to, unpauses }
}

/// Whether a Deployment is paused and can be unpaused: pods of another template would all be replaced at once.
fn can_unpause(workload: &Workload) -> bool {
    workload.paused && readiness::is_fresh(workload) && workload.updated_replicas >= workload.status_replicas
}
