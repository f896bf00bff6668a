//! Resolves requests about the recorded state: an earlier revision, resuming the run, aborting it, another size.

use crate::driver::outcome::Failure;
use crate::driver::request::Gate;
use crate::driver::resolve::{Present, ResolvedTarget, not_resolved, workload_name};
use crate::oam::application::{Amount, Batch, Strategy};
use crate::oam::batch_gates::BatchGates;
use crate::oam::kind::WorkloadKind;
use crate::oam::revision::{self, StoredRevision};
use crate::plan::action::Action;
use crate::plan::desired::Desired;
use crate::plan::gate_point::GatePoint;
use crate::plan::next_action::next_action;
use crate::plan::observed::{Observed, Workload};
use crate::plan::record::Record;
use crate::plan::replica_split::ReplicaSplit;
use crate::plan::rollback::{self, Rollback};
use crate::plan::run::{FrozenStrategy, Mode, Outcome, Purpose, Run, RunSpec};
use crate::plan::step::{self, Step};

/// Resolves to an earlier revision; without a name, to the target of a rollback.
pub(super) fn resolve_revision(
    present: &Present<'_>,
    reference: Option<&str>,
) -> Result<ResolvedTarget, Failure> {
    let record = record(present)?;
    let (run, component) = (&record.run, present.component);
    let live = live_size(present);
    let rollback = match reference {
        Some(reference) => {
            let revision = revision::resolve_revision(reference, component, present.stored)
                .map_err(|unknown| not_resolved(&unknown))?;
            let is_target = revision.name == run.spec.target;
            let size = match is_target {
                true => run.spec.target_size,
                false => rollback::rollback_size(record, &revision.name, live),
            };
            Rollback { revision, size }
        }
        // Rerunning an interrupted rollback resumes it rather than rolling it back.
        None if run.outcome.is_resumable() && run.purpose != Purpose::Forward => {
            Rollback { revision: target(present, &run.spec)?, size: run.spec.target_size }
        }
        None => rollback::rollback_target(record, present.stored, live).ok_or_else(|| {
            let reason = format!(
                "component `{component}` has no revision before `{}` that succeeded",
                run.spec.target
            );
            Failure::refused(reason)
                .hint(format!("choose one from `rollout history {component}` with `--to-revision`"))
        })?,
    };
    // Reuse the batches of the last run if they add up to the whole size and the planner accepts them.
    let whole = run.spec.batches.iter().map(|batch| u64::from(batch.size)).sum::<u64>();
    let fits =
        whole == u64::from(rollback.size) && run.spec.batches.last().is_some_and(|last| last.size != 0);
    let undivided = rolled_back(present, run.spec.kind, rollback);
    let divided = Desired { batches: Some(batches(&run.spec)), ..undivided.clone() };
    let is_refused = || matches!(step::plan(&observed(present, record), &divided), Step::Refuse(_));
    let desired = if fits && !is_refused() { divided } else { undivided };
    Ok(resolved_target(desired, rollback.revision, Purpose::Undo))
}

fn observed(present: &Present<'_>, record: &Record) -> Observed {
    Observed { workloads: present.workloads.clone(), record: Some(record.clone()), claimed_epoch: None }
}

/// Resumes the recorded run.
pub(super) fn resolve_resumption(present: &Present<'_>, gate: Gate) -> Result<ResolvedTarget, Failure> {
    let run = &record(present)?.run;
    let spec = &run.spec;
    let partition = match gate {
        Gate::Stay => spec.partition,
        Gate::Open => None,
        // A run that is not recorded as held may be an earlier promotion that was killed before the next gate.
        Gate::Next if run.outcome != Outcome::Held => spec.partition,
        Gate::Next => match held_batch(run, &present.workloads) {
            Some(batch) if batch + 2 >= spec.batches.len() => None,
            Some(batch) => u32::try_from(batch + 1).map_or(spec.partition, Some),
            None => spec.partition,
        },
    };
    let target = target(present, spec)?;
    let desired = Desired {
        batches: Some(batches(spec)),
        partition,
        gates: spec.gates.clone(),
        ..desired(present, spec, target, spec.target_size)
    };
    Ok(resolved_target(desired, target, run.purpose))
}

/// The batch after which a run is held, from zero. Pods that have become unready since do not end the hold: the next
/// batch waits for them.
fn held_batch(run: &Run, workloads: &[Workload]) -> Option<usize> {
    if let Action::Hold { batch } = next_action(&run.spec, workloads) {
        return Some(batch);
    }
    let batch = run.spec.partition? as usize;
    let after_batch = GatePoint::After(batch).ordinal(&run.spec);
    let is_elsewhere = run.gates.held_at.is_some_and(|gate| gate.point != after_batch)
        || run.workflow.as_ref().is_some_and(|place| place.is_waiting);
    (!is_elsewhere).then_some(batch)
}

/// Resolves to the state before the recorded run, in one batch. An interrupted abort is resumed; a completed one has
/// nothing left to do.
pub(in crate::driver) fn resolve_abort(present: &Present<'_>) -> Result<ResolvedTarget, Failure> {
    let record = record(present)?;
    let (run, component) = (&record.run, present.component);
    let spec = &run.spec;
    if run.purpose == Purpose::Abort {
        return resolve_resumption(present, Gate::Open);
    }
    if !run.outcome.is_resumable() {
        return Err(Failure::refused(format!("component `{component}` has no run under way"))
            .hint(format!("roll back to the previous revision with `rollout undo {component}`")));
    }
    if spec.mode == Mode::Release && rollback::is_first_release(record, present.stored) {
        return Err(Failure::refused(format!(
            "component `{component}` cannot be rolled back: this is its first release"
        ))
        .hint(format!("delete it with `rollout delete {component}`")));
    }
    let rollback =
        rollback::rollback_target(record, present.stored, live_size(present)).ok_or_else(|| {
            Failure::refused(format!("component `{component}` has no record of an earlier revision that succeeded")).hint(
            format!(
                "choose one from `rollout history {component}` with `rollout undo {component} --to-revision R`"
            ),
        )
        })?;
    Ok(resolved_target(rolled_back(present, spec.kind, rollback), rollback.revision, Purpose::Abort))
}

/// The component's present size; `None` if it has no workload.
fn live_size(present: &Present<'_>) -> Option<u32> {
    let live = present.workloads.iter().filter(|workload| !workload.deleting);
    live.map(|workload| workload.replicas).reduce(u32::saturating_add)
}

/// A rollback in one batch. It removes ready pods only after their replacements are ready, regardless of the strategy
/// of the run that it rolls back.
fn rolled_back(present: &Present<'_>, kind: WorkloadKind, rollback: Rollback<'_>) -> Desired {
    let target = rollback.revision.name.clone();
    Desired {
        kind,
        workload: workload_name(kind, present.component, rollback.revision),
        target,
        target_size: rollback.size,
        batches: None,
        partition: None,
        strategy: Strategy::IncreaseFirst,
        gates: BatchGates::default(),
    }
}

/// Resolves to the same revision at another size, in one batch.
pub(super) fn resolve_scale(present: &Present<'_>, replicas: u32) -> Result<ResolvedTarget, Failure> {
    let record = record(present)?;
    let (spec, component) = (&record.run.spec, present.component);
    if spec.mode == Mode::Apply {
        return Err(Failure::refused(format!(
            "component `{component}` is applied as a whole: its size comes from the manifest"
        ))
        .hint("set `replicas` of its `scaler` trait, or give it the `rollout` trait"));
    }
    let observed = observed(present, record);
    let run = &record.run;
    if run.outcome.is_resumable() && run.workflow.as_ref().is_some_and(|place| place.is_waiting) {
        let application = &record.application;
        return Err(Failure::refused(format!(
            "component `{component}` has not started: it waits for its turn in application `{application}`"
        ))
        .hint(format!("continue with `rollout promote {application}`")));
    }
    if ReplicaSplit::of(&observed, spec.kind, &spec.target).has_sources {
        let (reason, hint) = match (run.outcome.is_resumable(), run.purpose) {
            (true, Purpose::Forward) => (
                "is in the middle of an upgrade".to_owned(),
                format!(
                    "finish it with `rollout promote {component} --full`, or roll it back with `rollout abort {component}`"
                ),
            ),
            (true, Purpose::Undo | Purpose::Abort) => (
                "is in the middle of a rollback".to_owned(),
                format!("finish it with `rollout resume {component}`"),
            ),
            (false, _) => (
                format!(
                    "has a workload of another revision than `{}`, which was rolled out last",
                    spec.target
                ),
                format!(
                    "replace it with `rollout apply`, or with `rollout undo {component} --to-revision {}`",
                    spec.target
                ),
            ),
        };
        return Err(Failure::refused(format!("component `{component}` {reason}")).hint(hint));
    }
    let target = target(present, spec)?;
    Ok(resolved_target(desired(present, spec, target, replicas), target, Purpose::Forward))
}

fn record<'a>(present: &'a Present<'_>) -> Result<&'a Record, Failure> {
    present.record.ok_or_else(|| {
        Failure::refused(format!("component `{}` has never been rolled out here", present.component))
            .hint("see `rollout status` for the components of the namespace")
    })
}

fn find<'a>(present: &'a Present<'_>, name: &str) -> Option<&'a StoredRevision> {
    present.stored.iter().find(|one| one.name == name)
}

/// The target revision of the run. A run that was killed between its claim and its first effect has not recorded it
/// yet.
fn target<'a>(present: &'a Present<'_>, spec: &RunSpec) -> Result<&'a StoredRevision, Failure> {
    find(present, &spec.target).ok_or_else(|| {
        Failure::refused(format!("revision `{}` is not recorded", spec.target)).hint(
            "it was deleted, or its run ended before recording it; reapply the manifest with `rollout apply`",
        )
    })
}

fn batches(spec: &RunSpec) -> Vec<Batch> {
    let batch = |size, max_unavailable| Batch {
        replicas: Amount::Count(size),
        max_unavailable: Amount::Count(max_unavailable),
    };
    spec.batches.iter().map(|frozen| batch(frozen.size, frozen.max_unavailable)).collect()
}

/// The desired state in one batch without gates, otherwise with the settings of the recorded run.
fn desired(present: &Present<'_>, spec: &RunSpec, target: &StoredRevision, target_size: u32) -> Desired {
    Desired {
        kind: spec.kind,
        target: target.name.clone(),
        workload: workload_name(spec.kind, present.component, target),
        target_size,
        batches: None,
        partition: None,
        strategy: match spec.strategy {
            FrozenStrategy::IncreaseFirst => Strategy::IncreaseFirst,
            FrozenStrategy::DecreaseFirst => Strategy::DecreaseFirst,
        },
        gates: BatchGates::default(),
    }
}

fn resolved_target(desired: Desired, target: &StoredRevision, purpose: Purpose) -> ResolvedTarget {
    ResolvedTarget {
        desired,
        new_revision: None,
        target: target.clone(),
        manifest_revision: None,
        asked: None,
        warnings: Vec::new(),
        purpose,
    }
}
