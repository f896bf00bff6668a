//! Computes the steps that a run would take, without a cluster.
//!
//! It folds [`plan`] over assumed outcomes: every write is accepted and every wait succeeds. So `rollout plan` prints
//! the steps that `rollout apply` takes.

use std::collections::BTreeMap;

use crate::plan::action::{Action, RollExtent, Shape, Waiting};
use crate::plan::desired::Desired;
use crate::plan::epoch::Epoch;
use crate::plan::gate_place::GatePlace;
use crate::plan::observed::{InPlace, Observed, SpecStamp, Uid, Workload};
use crate::plan::record::{Claim, Record};
use crate::plan::replica_split::ReplicaSplit;
use crate::plan::run::{LeaseScope, Outcome, Purpose};
use crate::plan::step::{Step, plan};

/// More steps than any run can have: two writes and two waits per batch, for the maximum number of batches in a
/// manifest.
const MAX_STEPS: usize = 20_000;

/// One step of a preview, and the sizes after it.
#[derive(Debug, Clone, PartialEq)]
pub struct PreviewStep {
    /// The step.
    pub step: Step,
    /// The target's size after the step.
    pub target: u32,
    /// The total size of the sources after the step.
    pub sources: u32,
}

/// Computes all steps of a run. The last step is [`Step::Nothing`], [`Action::Hold`], [`Action::Finish`],
/// [`Step::Superseded`], [`Step::ExternalChange`] or [`Step::Refuse`].
#[must_use]
pub fn preview_steps(observed: &Observed, desired: &Desired) -> Vec<PreviewStep> {
    let mut world = observed.clone();
    let mut steps = Vec::new();
    for _ in 0..MAX_STEPS {
        let step = plan(&world, desired);
        let is_end = is_end(&step);
        assume(&mut world, desired, &step);
        // Controllers observe a new size at once here, since only the waits for pods are of interest.
        world.workloads.iter_mut().for_each(|one| one.observed_generation = one.generation);
        let ReplicaSplit { target, sources, .. } = ReplicaSplit::of(&world, desired.kind, &desired.target);
        steps.push(PreviewStep { step, target, sources });
        if is_end {
            break;
        }
    }
    steps
}

fn is_end(step: &Step) -> bool {
    match step {
        Step::Nothing
        | Step::Act(Action::Hold { .. } | Action::Finish)
        | Step::Superseded { .. }
        | Step::ExternalChange { .. }
        | Step::Refuse(_) => true,
        Step::Claim { .. }
        | Step::Stamp { .. }
        | Step::Act(
            Action::Create
            | Action::Scale { .. }
            | Action::Roll { .. }
            | Action::Wait { .. }
            | Action::Delete { .. },
        ) => false,
    }
}

/// Changes an observation as if the step had been performed and its wait had ended.
pub fn assume(world: &mut Observed, desired: &Desired, step: &Step) {
    match step {
        Step::Claim { spec, resumes } => {
            let (by, at) = (String::new(), jiff::Timestamp::UNIX_EPOCH);
            let (newest_stamp, purpose) = (world.newest_stamp(), Purpose::Forward);
            let (lease, gates) = (LeaseScope::default(), GatePlace::default());
            let claim =
                Claim { by, at, newest_stamp, resumes: *resumes, purpose, lease, workflow: None, gates };
            let record = Record::claim(world.record.as_ref(), "", "", spec.clone(), claim);
            world.claimed_epoch = Some(record.epoch);
            world.record = Some(record);
        }
        Step::Stamp { workload } => {
            let epoch = world.claimed_epoch;
            update(world, workload, |found| {
                found.epoch = epoch;
                let generation = found.generation;
                let stamp = found.in_place.as_mut().and_then(|in_place| in_place.spec_stamp.as_mut());
                if let Some(stamp) = stamp {
                    stamp.generation = stamp.generation.min(generation);
                }
            });
        }
        Step::Act(action) => assume_action(world, desired, action),
        Step::Nothing | Step::Superseded { .. } | Step::ExternalChange { .. } | Step::Refuse(_) => {}
    }
}

fn assume_action(world: &mut Observed, desired: &Desired, action: &Action) {
    match action {
        Action::Create => world.workloads.push(created(desired, world)),
        Action::Scale { scaling, .. } => update(world, &scaling.workload, |found| {
            found.replicas = scaling.to;
            found.paused &= !scaling.unpauses;
            found.generation += 1;
        }),
        Action::Roll { rolling, .. } => {
            let epoch = world.claimed_epoch.unwrap_or(Epoch(0));
            update(world, &rolling.workload, |found| {
                found.replicas = rolling.to.replicas;
                found.generation += 1;
                // No pod of the new template is ready yet.
                let ready = match rolling.extent {
                    RollExtent::Template => 0,
                    RollExtent::Shape => found.in_place.as_ref().map_or(0, |in_place| in_place.updated_ready),
                };
                let (revision, generation) = (rolling.revision.clone(), found.generation);
                found.in_place = Some(InPlace {
                    spec_stamp: Some(SpecStamp { revision, generation, epoch }),
                    partition: rolling.to.partition,
                    strategy: rolling.strategy.clone(),
                    is_only_resized: false,
                    updated_ready: ready.min(rolling.to.replicas),
                });
            });
        }
        Action::Wait { waiting: Waiting::Generation { workload }, .. } => {
            update(world, workload, |found| found.observed_generation = found.generation);
        }
        Action::Wait { waiting, .. } => {
            world.workloads.retain(|workload| !workload.deleting);
            // A pod that is not ready and that the run does not wait for remains unready, and is the first to be
            // deleted.
            update(world, waiting.workload(), |found| {
                let ready = found.ready_replicas;
                settle(found);
                // Unready pods are deleted first, and no pod becomes ready by that.
                if let (Waiting::Drained { .. }, None) = (waiting, &found.in_place) {
                    found.ready_replicas = ready.min(found.replicas);
                }
            });
        }
        Action::Delete { workload, .. } => world.workloads.retain(|found| found.name != *workload),
        Action::Hold { .. } => end(world, Outcome::Held),
        Action::Finish => end(world, Outcome::Succeeded),
    }
}

fn update(world: &mut Observed, name: &str, change: impl Fn(&mut Workload)) {
    world.workloads.iter_mut().filter(|found| found.name == name).for_each(change);
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
    let updated = Shape::of(workload).updated();
    if let Some(in_place) = workload.in_place.as_mut() {
        in_place.updated_ready = updated;
    }
}

/// The target after its creation, before its controller has observed it.
fn created(desired: &Desired, world: &Observed) -> Workload {
    let epoch = world.claimed_epoch;
    let (revision, generation) = (desired.target.clone(), 1);
    let stamp = SpecStamp { revision, generation, epoch: epoch.unwrap_or(Epoch(0)) };
    Workload {
        name: desired.workload.clone(),
        uid: Uid(format!("foreseen-{}", desired.workload)),
        resource_version: String::new(),
        replicas: 0,
        generation,
        observed_generation: -1,
        status_replicas: 0,
        ready_replicas: 0,
        updated_replicas: 0,
        epoch,
        annotated: true,
        created: None,
        deleting: false,
        paused: false,
        images: BTreeMap::new(),
        in_place: desired
            .kind
            .is_in_place()
            .then(|| InPlace { spec_stamp: Some(stamp), ..InPlace::default() }),
    }
}
