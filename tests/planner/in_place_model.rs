//! A model of one workload that serves all revisions: its pods, and a controller that reconciles when the test calls
//! it.

use std::collections::BTreeSet;

use rollout::oam::kind::WorkloadKind;
use rollout::plan::action::Action;
use rollout::plan::desired::Desired;
use rollout::plan::observed::{InPlace, Observed, Uid, Workload};
use rollout::plan::preview::assume;
use rollout::plan::run::{Outcome, RunSpec};
use rollout::plan::step::{Step, plan};

/// The observed state of the cluster.
#[derive(Debug, Clone)]
pub(crate) struct Replica {
    /// The planner's observed state.
    pub(crate) observed: Observed,
    /// The existing pods.
    pub(crate) pods: Vec<Pod>,
    /// Revisions whose pods never become ready.
    pub(crate) broken: BTreeSet<String>,
    kind: WorkloadKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pod {
    pub(crate) revision: String,
    pub(crate) is_ready: bool,
}

pub(crate) fn desired(kind: WorkloadKind, target: &str, size: u32, batches: &[u32]) -> Desired {
    Desired { kind, workload: "web".to_owned(), ..crate::model::desired(target, size, batches) }
}

impl Replica {
    pub(crate) fn new(kind: WorkloadKind) -> Self {
        Self { observed: Observed::default(), pods: Vec::new(), broken: BTreeSet::new(), kind }
    }

    pub(crate) fn desired(&self, target: &str, size: u32, batches: &[u32]) -> Desired {
        desired(self.kind, target, size, batches)
    }

    pub(crate) fn plan(&self, desired: &Desired) -> Step {
        plan(&self.observed, desired)
    }

    pub(crate) fn spec(&self) -> &RunSpec {
        &self.observed.record.as_ref().unwrap().run.spec
    }

    pub(crate) fn workload(&self) -> &Workload {
        &self.observed.workloads[0]
    }

    pub(crate) fn partition(&self) -> u32 {
        self.workload().in_place.as_ref().unwrap().partition
    }

    /// Pods of a revision, and how many of them are ready.
    pub(crate) fn of(&self, revision: &str) -> (u32, u32) {
        let pods = self.pods.iter().filter(|pod| pod.revision == revision);
        let ready = pods.clone().filter(|pod| pod.is_ready).count();
        (u32::try_from(pods.count()).unwrap(), u32::try_from(ready).unwrap())
    }

    /// Ready pods of any revision.
    pub(crate) fn ready(&self) -> u32 {
        u32::try_from(self.pods.iter().filter(|pod| pod.is_ready).count()).unwrap()
    }

    /// Performs a write step; waits are for the caller.
    pub(crate) fn perform(&mut self, desired: &Desired, step: &Step) {
        match step {
            Step::Act(Action::Create) => {
                let held = self.observed.claimed_epoch;
                assume(&mut self.observed, desired, step);
                let workload = self.observed.workloads.last_mut().unwrap();
                workload.uid = Uid("uid".to_owned());
                workload.epoch = held;
            }
            Step::Act(Action::Wait { .. }) => panic!("a wait is no write"),
            // The status is stale until the controller observes the change.
            Step::Act(Action::Roll { .. }) => {
                let ready = self.workload().in_place.as_ref().unwrap().updated_ready;
                assume(&mut self.observed, desired, step);
                self.in_place().updated_ready = ready;
            }
            step => assume(&mut self.observed, desired, step),
        }
    }

    /// The controller observes the newest spec, adds, removes and replaces pods, and updates the status.
    pub(crate) fn reconcile(&mut self) {
        let Some(workload) = self.observed.workloads.first().cloned() else { return };
        let revision = self.in_place().spec_stamp.clone().unwrap().revision;
        let partition = self.partition() as usize;
        let size = workload.replicas as usize;
        match self.kind {
            WorkloadKind::CloneSet | WorkloadKind::Deployment => {
                while self.pods.len() > size {
                    let old = self.pods.iter().filter(|pod| pod.revision != revision).count();
                    let goes = |pod: &Pod| (pod.revision != revision) == (old > partition);
                    let unready = self.pods.iter().position(|pod| goes(pod) && !pod.is_ready);
                    let index = unready.or_else(|| self.pods.iter().position(goes)).unwrap_or(0);
                    self.pods.remove(index);
                }
                while self.pods.len() < size {
                    self.pods.push(Pod { revision: revision.clone(), is_ready: false });
                }
                let old = self.pods.iter().filter(|pod| pod.revision != revision).count();
                let mut surplus = old.saturating_sub(partition);
                for pod in self.pods.iter_mut().filter(|pod| pod.revision != revision) {
                    if surplus > 0 {
                        *pod = Pod { revision: revision.clone(), is_ready: false };
                        surplus -= 1;
                    }
                }
            }
            WorkloadKind::StatefulSet => {
                self.pods.truncate(size);
                while self.pods.len() < size {
                    self.pods.push(Pod { revision: revision.clone(), is_ready: false });
                }
                // One after the other, from the highest ordinal down, each once the previous ones are ready.
                let is_waiting = self.pods.iter().any(|pod| pod.revision == revision && !pod.is_ready);
                let outdated = |pod: &&mut Pod| pod.revision != revision;
                if !is_waiting && let Some(pod) = self.pods.iter_mut().skip(partition).rev().find(outdated) {
                    *pod = Pod { revision: revision.clone(), is_ready: false };
                }
            }
        }
        self.observed.workloads[0].observed_generation = workload.generation;
        self.tell();
    }

    /// One more pod becomes ready, if its revision works.
    pub(crate) fn progress(&mut self) {
        let is_next = |pod: &&mut Pod| !pod.is_ready && !self.broken.contains(&pod.revision);
        if let Some(pod) = self.pods.iter_mut().find(is_next) {
            pod.is_ready = true;
        }
        self.tell();
    }

    /// Lets the controller finish.
    pub(crate) fn settle(&mut self) {
        let mut before = Vec::new();
        self.reconcile();
        while before != self.pods {
            before.clone_from(&self.pods);
            self.progress();
            self.reconcile();
        }
    }

    pub(crate) fn end(&mut self, outcome: Outcome) {
        crate::model::end(&mut self.observed, outcome);
    }

    /// Runs a command to its end in a cluster where everything succeeds; returns size and partition after each write of
    /// them, and the last step.
    pub(crate) fn run(&mut self, desired: &Desired) -> (Vec<(u32, u32)>, Step) {
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
                Step::Nothing | Step::Superseded { .. } | Step::ExternalChange { .. } | Step::Refuse(_) => {
                    return (trace, step);
                }
                Step::Claim { .. } | Step::Stamp { .. } => self.perform(desired, &step),
                Step::Act(Action::Create | Action::Roll { .. }) => {
                    self.perform(desired, &step);
                    trace.push((self.workload().replicas, self.partition()));
                }
                Step::Act(Action::Scale { .. } | Action::Delete { .. }) => {
                    panic!("not for such a workload: {step:?}")
                }
            }
        }
        panic!("the run does not end");
    }

    fn in_place(&mut self) -> &mut InPlace {
        self.observed.workloads[0].in_place.as_mut().unwrap()
    }

    /// Updates the status as the controllers do: the counts of all pods, and of those with the newest template.
    fn tell(&mut self) {
        let Some(written) =
            self.observed.workloads.first().and_then(|one| one.in_place.as_ref()?.spec_stamp.clone())
        else {
            return;
        };
        let workload = &self.observed.workloads[0];
        // The status does not reflect a spec that the controller has not observed.
        if workload.observed_generation < workload.generation {
            return;
        }
        let (updated, updated_ready) = self.of(&written.revision);
        let all = u32::try_from(self.pods.len()).unwrap();
        let ready = self.ready();
        let workload = &mut self.observed.workloads[0];
        workload.status_replicas = all;
        workload.updated_replicas = updated;
        workload.ready_replicas = ready;
        self.in_place().updated_ready = match self.kind {
            WorkloadKind::CloneSet | WorkloadKind::Deployment => updated_ready,
            WorkloadKind::StatefulSet => ready.saturating_sub(all - updated),
        };
    }
}
