//! The steps that a run would take, worked out without a cluster.
//!
//! It folds [`plan`] over assumed outcomes: every write is accepted and every wait ends well. So what
//! `rollout plan` shows is what `rollout apply` does.

use std::collections::BTreeMap;

use crate::plan::desired::Desired;
use crate::plan::in_place::{Extent, Shape};
use crate::plan::observed::{Epoch, InPlace, Observed, Uid, Workload, Written};
use crate::plan::record::{Claim, LeaseScope, Outcome, Purpose, Record};
use crate::plan::sides::Sides;
use crate::plan::step::{Step, plan};
use crate::plan::walk::Waiting;

/// More steps than any run can have: two writes and two waits a batch, for the most batches a manifest may list.
const MOST_STEPS: usize = 20_000;

/// One foreseen step and the sizes after it.
#[derive(Debug, Clone, PartialEq)]
pub struct PreviewStep {
    /// The step.
    pub step: Step,
    /// The target's size once it is performed.
    pub target: u32,
    /// The sources' size together once it is performed.
    pub sources: u32,
}

/// Foresees a run to its end: the last step is one of `Nothing`, `Hold`, `Finish`, `Superseded`, `Refuse`.
#[must_use]
pub fn preview(observed: &Observed, desired: &Desired) -> Vec<PreviewStep> {
    let mut world = observed.clone();
    let mut steps = Vec::new();
    for _ in 0..MOST_STEPS {
        let step = plan(&world, desired);
        let is_end = matches!(
            step,
            Step::Nothing
                | Step::Hold { .. }
                | Step::Finish
                | Step::Superseded { .. }
                | Step::Disturbed { .. }
                | Step::Refuse(_)
        );
        assume(&mut world, desired, &step);
        // Controllers see a new size at once here: what is worth foreseeing is the wait for pods.
        world.workloads.iter_mut().for_each(|one| one.observed_generation = one.generation);
        let Sides { target, sources, .. } = Sides::of(&world, desired.kind, &desired.target);
        steps.push(PreviewStep { step, target, sources });
        if is_end {
            break;
        }
    }
    steps
}

/// Changes an observation as if the step had been performed and its wait had ended.
pub fn assume(world: &mut Observed, desired: &Desired, step: &Step) {
    match step {
        Step::Claim { spec, resumes } => {
            let (by, at) = (String::new(), jiff::Timestamp::UNIX_EPOCH);
            let (newest_stamp, purpose) = (world.newest_stamp(), Purpose::Forward);
            let lease = LeaseScope::default();
            let claim = Claim { by, at, newest_stamp, resumes: *resumes, purpose, lease };
            let record = Record::claim(world.record.as_ref(), "", "", spec.clone(), claim);
            world.held = Some(record.epoch);
            world.record = Some(record);
        }
        Step::Stamp { workload } => {
            let held = world.held;
            for found in world.workloads.iter_mut().filter(|found| found.name == *workload) {
                found.epoch = held;
                let generation = found.generation;
                if let Some(written) = found.in_place.as_mut().and_then(|in_place| in_place.written.as_mut())
                {
                    written.generation = written.generation.min(generation);
                }
            }
        }
        Step::Create => world.workloads.push(newborn(desired, world)),
        Step::Scale { scaling, .. } => {
            for found in world.workloads.iter_mut().filter(|found| found.name == scaling.workload) {
                found.replicas = scaling.to;
                found.paused &= !scaling.unpauses;
                found.generation += 1;
            }
        }
        Step::Roll { rolling, .. } => {
            let held = world.held;
            for found in world.workloads.iter_mut().filter(|found| found.name == rolling.workload) {
                found.replicas = rolling.to.replicas;
                found.generation += 1;
                // Of another template no pod is ready yet.
                let ready = match rolling.extent {
                    Extent::Template => 0,
                    Extent::Shape => found.in_place.as_ref().map_or(0, |in_place| in_place.updated_ready),
                };
                found.in_place = Some(InPlace {
                    written: Some(Written {
                        revision: rolling.revision.clone(),
                        generation: found.generation,
                        epoch: held.unwrap_or(Epoch(0)),
                    }),
                    partition: rolling.to.partition,
                    strategy: rolling.strategy.clone(),
                    updated_ready: ready.min(rolling.to.replicas),
                });
            }
        }
        Step::Wait { waiting: Waiting::Generation { workload }, .. } => {
            for found in world.workloads.iter_mut().filter(|found| found.name == *workload) {
                found.observed_generation = found.generation;
            }
        }
        Step::Wait { waiting, .. } => {
            world.workloads.retain(|workload| !workload.deleting);
            // What is not ready and not waited for stays so: it is the first to go.
            for found in world.workloads.iter_mut().filter(|found| found.name == waiting.workload()) {
                let ready = found.ready_replicas;
                settle(found);
                // Pods that are not ready go first, and none becomes ready by that.
                if let (Waiting::Drained { .. }, None) = (waiting, &found.in_place) {
                    found.ready_replicas = ready.min(found.replicas);
                }
            }
        }
        Step::Delete { workload, .. } => world.workloads.retain(|found| found.name != *workload),
        Step::Hold { .. } => end(world, Outcome::Held),
        Step::Finish => end(world, Outcome::Succeeded),
        Step::Nothing | Step::Superseded { .. } | Step::Disturbed { .. } | Step::Refuse(_) => {}
    }
}

fn end(world: &mut Observed, outcome: Outcome) {
    if let Some(record) = world.record.as_mut() {
        record.run.outcome = outcome;
    }
}

fn settle(workload: &mut Workload) {
    workload.observed_generation = workload.generation;
    workload.status_replicas = workload.replicas;
    workload.ready_replicas = workload.replicas;
    workload.updated_replicas = workload.replicas;
    let moved = Shape::of(workload).moved();
    if let Some(in_place) = workload.in_place.as_mut() {
        in_place.updated_ready = moved;
    }
}

fn newborn(desired: &Desired, world: &Observed) -> Workload {
    let written =
        Written { revision: desired.target.clone(), generation: 1, epoch: world.held.unwrap_or(Epoch(0)) };
    Workload {
        name: desired.workload.clone(),
        uid: Uid(format!("foreseen-{}", desired.workload)),
        resource_version: String::new(),
        replicas: 0,
        generation: 1,
        observed_generation: -1,
        status_replicas: 0,
        ready_replicas: 0,
        updated_replicas: 0,
        epoch: world.held,
        annotated: true,
        created: None,
        deleting: false,
        paused: false,
        images: BTreeMap::new(),
        in_place: desired
            .kind
            .is_in_place()
            .then(|| InPlace { written: Some(written), ..InPlace::default() }),
    }
}
