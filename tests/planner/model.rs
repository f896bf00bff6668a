//! A small model of the cluster for the planner: writes change sizes, and the status follows when the test calls it.

use std::collections::BTreeSet;

use rollout::oam::application::{Amount, Batch, Strategy};
use rollout::oam::batch_gates::BatchGates;
use rollout::oam::kind::WorkloadKind;
use rollout::plan::action::Action;
use rollout::plan::desired::Desired;
use rollout::plan::observed::{Observed, Uid, Workload};
use rollout::plan::preview::assume;
use rollout::plan::record::Record;
use rollout::plan::run::{Outcome, RunSpec};
use rollout::plan::step::{Step, plan};

/// The observed state of the cluster.
#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    /// The planner's observed state.
    pub(crate) observed: Observed,
    /// Revisions whose pods never become ready.
    pub(crate) broken: BTreeSet<String>,
    born: u64,
}

pub(crate) fn desired(target: &str, target_size: u32, batches: &[u32]) -> Desired {
    let batches: Vec<Batch> = batches
        .iter()
        .map(|size| Batch { replicas: Amount::Count(*size), max_unavailable: Amount::Count(0) })
        .collect();
    Desired {
        kind: WorkloadKind::Deployment,
        target: target.to_owned(),
        workload: target.to_owned(),
        target_size,
        batches: (!batches.is_empty()).then_some(batches),
        partition: None,
        strategy: Strategy::IncreaseFirst,
        gates: BatchGates::default(),
    }
}

impl World {
    /// A world with ready workloads of these sizes and no record.
    pub(crate) fn with(workloads: &[(&str, u32)]) -> Self {
        let mut world = Self::default();
        for (name, replicas) in workloads {
            world.give_birth(name);
            let workload = world.observed.workloads.last_mut().unwrap();
            workload.replicas = *replicas;
        }
        world.settle();
        world
    }

    pub(crate) fn size(&self, name: &str) -> Option<u32> {
        self.observed.workload(name).map(|workload| workload.replicas)
    }

    pub(crate) fn sizes(&self) -> Vec<(&str, u32)> {
        self.observed.workloads.iter().map(|one| (one.name.as_str(), one.replicas)).collect()
    }

    pub(crate) fn total(&self) -> u32 {
        self.observed.workloads.iter().map(|one| one.replicas).sum()
    }

    /// Ready pods that stay: those beyond a workload's size are being removed.
    pub(crate) fn ready(&self) -> u32 {
        self.observed.workloads.iter().map(|one| one.ready_replicas.min(one.replicas)).sum()
    }

    pub(crate) fn spec(&self) -> Option<&RunSpec> {
        self.observed.record.as_ref().map(|record| &record.run.spec)
    }

    /// The process dies: its claim is known only from the record.
    pub(crate) fn kill(&mut self) {
        self.observed.claimed_epoch = None;
    }

    /// Another process starts with the record of the last one.
    pub(crate) fn plan(&self, desired: &Desired) -> Step {
        plan(&self.observed, desired)
    }

    /// Performs a write step; waits are for the caller.
    pub(crate) fn perform(&mut self, desired: &Desired, step: &Step) {
        match step {
            Step::Act(Action::Create) => {
                self.give_birth(&desired.target);
                let held = self.observed.claimed_epoch;
                self.observed.workloads.last_mut().unwrap().epoch = held;
            }
            Step::Act(Action::Wait { .. }) => panic!("a wait is no write"),
            step => assume(&mut self.observed, desired, step),
        }
    }

    /// The controllers observe one workload's newest spec: pods are created, or deleted with unready ones first.
    pub(crate) fn sync(&mut self, index: usize) {
        let Some(workload) = self.observed.workloads.get_mut(index) else { return };
        workload.observed_generation = workload.generation;
        workload.status_replicas = workload.replicas;
        workload.updated_replicas = workload.replicas;
        workload.ready_replicas = workload.ready_replicas.min(workload.replicas);
    }

    /// One more pod of a workload becomes ready, if its revision works.
    pub(crate) fn progress(&mut self, index: usize) {
        let Some(workload) = self.observed.workloads.get_mut(index) else { return };
        if !self.broken.contains(&workload.name) && workload.ready_replicas < workload.status_replicas {
            workload.ready_replicas += 1;
        }
    }

    /// Lets every workload reach its size, with all pods ready.
    pub(crate) fn settle(&mut self) {
        for index in 0..self.observed.workloads.len() {
            self.sync(index);
            for _ in 0..self.observed.workloads[index].replicas {
                self.progress(index);
            }
        }
    }

    pub(crate) fn end(&mut self, outcome: Outcome) {
        end(&mut self.observed, outcome);
    }

    /// Runs a command to its end in a cluster where everything succeeds; returns the sizes after each change, and the
    /// last step.
    pub(crate) fn run(&mut self, desired: &Desired) -> (Vec<Vec<(String, u32)>>, Step) {
        let mut trace = Vec::new();
        for _ in 0..10_000 {
            let step = self.plan(desired);
            match &step {
                Step::Act(Action::Wait { .. }) => {
                    self.settle();
                    assert!(
                        !matches!(self.plan(desired), Step::Act(Action::Wait { .. })),
                        "waits for nothing: {step:?}"
                    );
                }
                Step::Act(Action::Hold { .. } | Action::Finish) => {
                    self.perform(desired, &step);
                    self.observed.claimed_epoch = None;
                    return (trace, step);
                }
                Step::Nothing | Step::Superseded { .. } | Step::Refuse(_) => return (trace, step),
                Step::Claim { .. } | Step::Stamp { .. } => self.perform(desired, &step),
                Step::Act(Action::Roll { .. }) | Step::ExternalChange { .. } => {
                    panic!("a deployment is not rolled: {step:?}")
                }
                Step::Act(Action::Create | Action::Scale { .. } | Action::Delete { .. }) => {
                    self.perform(desired, &step);
                    let mut sizes: Vec<(String, u32)> =
                        self.sizes().into_iter().map(|(name, size)| (name.to_owned(), size)).collect();
                    sizes.sort();
                    trace.push(sizes);
                }
            }
        }
        panic!("the run does not end");
    }

    fn give_birth(&mut self, name: &str) {
        self.born += 1;
        self.observed.workloads.push(Workload {
            name: name.to_owned(),
            uid: Uid(format!("uid-{}", self.born)),
            resource_version: String::new(),
            replicas: 0,
            generation: 1,
            observed_generation: 0,
            status_replicas: 0,
            ready_replicas: 0,
            updated_replicas: 0,
            epoch: None,
            annotated: true,
            created: jiff::Timestamp::from_second(i64::try_from(self.born).unwrap()).ok(),
            deleting: false,
            paused: false,
            images: std::collections::BTreeMap::new(),
            in_place: None,
        });
    }
}

/// A run ends, and its process with it.
pub(crate) fn end(observed: &mut Observed, outcome: Outcome) {
    if let Some(record) = observed.record.as_mut() {
        record.run.outcome = outcome;
    }
    observed.claimed_epoch = None;
}

pub(crate) fn outcome(record: Option<&Record>) -> Option<Outcome> {
    record.map(|record| record.run.outcome)
}
