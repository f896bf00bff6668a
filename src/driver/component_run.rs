//! Runs one component, from before its claim to its end.

mod act;
mod batch_gates;
mod claim;
mod deadline;
mod diagnose;
mod end;
mod leftovers;
mod metadata;
mod object_sizes;
pub(in crate::driver) mod objects;
mod prerequisites;
mod services;
mod wait;
mod wait_while_paused;
mod workflow;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use crate::cluster::lease::LeaseGuard;
use crate::cluster::record_store::StoredRecord;
use crate::driver::context::Context;
use crate::driver::namespace_watch::NamespaceWatch;
use crate::driver::outcome::{ComponentOutcome, Failure, FailureKind, GateCause, Hold, HoldPoint};
use crate::driver::prepare::PreparedComponent;
use crate::driver::publish::Publisher;
use crate::plan::action::Action;
use crate::plan::epoch::Epoch;
use crate::plan::observed::{Observed, Workload};
use crate::plan::record::Record;
use crate::plan::run::LeaseScope;
use crate::plan::run_status::{object_run_status, run_status};
use crate::plan::step::{Refusal, Step};
use crate::report::event::{EventKind, Progress};

use batch_gates::{GateState, GateTurn};
use claim::ClaimState;
use deadline::Deadlines;
use diagnose::Diagnosis;
use leftovers::Cleanup;
use prerequisites::Prerequisites;
use services::WriteEffect;
use wait::{BatchProgress, WaitNotice};
use workflow::{Gates, WorkflowState};

/// What the runs of one application share.
pub struct Leadership<'a> {
    /// The Lease that is held.
    pub lease: LeaseGuard,
    /// Whether it is the application's, or that of a component that was taken over.
    pub scope: LeaseScope,
    /// Mirrors the status of the runs for kubectl.
    pub publisher: Publisher<'a>,
}

/// The run of one component.
pub struct ComponentRun<'a> {
    pub(super) context: &'a Context,
    pub(super) watch: &'a NamespaceWatch,
    pub(super) leadership: Option<&'a Leadership<'a>>,
    pub(super) prepared: &'a PreparedComponent,
    /// The run record as last read or written.
    pub(super) record: Option<StoredRecord>,
    claim: ClaimState,
    writes: WriteState,
    prerequisites: Prerequisites,
    deadlines: Deadlines,
    notice: Option<WaitNotice>,
    /// The last batch (zero-based) that was reported as ready.
    ready_batch: Option<usize>,
    pub(super) diagnosis: Diagnosis,
    workflow: WorkflowState,
    gates: GateState,
}

/// The results of the writes so far.
#[derive(Debug, Default)]
struct WriteState {
    /// Whether any was accepted.
    changed: bool,
    /// How many in a row were rejected because an object had changed.
    conflicts: u32,
    /// Why the last one failed, if no other has been accepted since.
    last_error: Option<String>,
}

impl WriteState {
    /// Records that a write was accepted.
    fn accept(&mut self) {
        *self = Self { changed: true, conflicts: 0, last_error: None };
    }
}

/// The state of the components that a component depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Predecessors {
    /// All are done.
    Done,
    /// A component is held, or waits for one that is.
    Held {
        /// What holds it.
        hold: Hold,
        /// The component.
        component: String,
    },
}

/// How a run ended.
pub enum RunEnd {
    /// With this outcome, under this claim; `None` if it claimed nothing.
    Ended(ComponentOutcome, Option<Epoch>),
    /// Another run has claimed the component since this one was prepared, so it has to be prepared again.
    Outdated,
}

/// Why a run has nothing left to do.
enum TurnEnd {
    /// Another run has claimed the component since this one was prepared.
    Outdated,
    /// Everything is as desired, and was from the start.
    AtRest,
    /// The gate after this batch (zero-based) is closed.
    AtGate { batch: usize },
    /// The run is held, and recorded as such.
    Held(HoldPoint),
    /// Everything is as desired, as a quorum read has confirmed.
    Final,
}

impl<'a> ComponentRun<'a> {
    /// Starts a run. Without a Lease, it does not write.
    #[must_use]
    pub fn new(
        context: &'a Context,
        watch: &'a NamespaceWatch,
        leadership: Option<&'a Leadership<'a>>,
        prepared: &'a PreparedComponent,
    ) -> Self {
        for object in prepared.all_objects() {
            watch.objects.cache.follow(&object.reference, &prepared.component);
            if let Some(before) = &object.before {
                watch.objects.cache.apply(&object.reference, before);
            }
        }
        Self {
            context,
            watch,
            leadership,
            prepared,
            record: prepared.record.clone(),
            claim: ClaimState::default(),
            writes: WriteState::default(),
            prerequisites: Prerequisites::new(prepared),
            deadlines: Deadlines::new(context),
            notice: None,
            ready_batch: None,
            diagnosis: Diagnosis::default(),
            workflow: WorkflowState::new(prepared),
            gates: GateState::default(),
        }
    }

    /// Places the run in a workflow, some steps of which are passed.
    #[must_use]
    pub fn in_workflow(mut self, predecessors: Predecessors, passed: Rc<RefCell<BTreeSet<String>>>) -> Self {
        (self.workflow.predecessors, self.workflow.passed) = (predecessors, passed);
        self
    }

    /// Drives the component to the end of the run, and reports how it ended.
    pub async fn run(mut self) -> RunEnd {
        let end = match self.drive().await {
            Ok(Some(end)) => end,
            Ok(None) => return RunEnd::Outdated,
            Err(failure) => self.fail(failure).await,
        };
        self.report_outcome(&end);
        if self.has_claimed() {
            let observed = self.observe();
            self.publish(&observed).await;
        }
        RunEnd::Ended(end, self.claim.epoch)
    }

    /// Drives the component to its outcome; returns `None` if the run is outdated.
    async fn drive(&mut self) -> Result<Option<ComponentOutcome>, Failure> {
        loop {
            let late = self.deadlines.passed();
            let passed = tokio::select! {
                biased;
                passed = self.pass_gates() => Some(passed?),
                () = late => {
                    self.check_deadlines()?;
                    None
                }
            };
            match passed {
                None => {}
                Some(Gates::Held(end)) => return Ok(Some(end)),
                Some(Gates::Outdated) => return Ok(None),
                Some(Gates::Passed) => break,
            }
        }
        loop {
            let late = self.deadlines.passed();
            let turn = tokio::select! {
                biased;
                turn = self.turn() => turn?,
                // A write in flight is dropped as in a crash: the next run finds out whether it was applied.
                () = late => {
                    self.check_deadlines()?;
                    None
                }
            };
            // A result is recorded even after the deadline.
            match turn {
                None => {}
                Some(TurnEnd::Outdated) => return Ok(None),
                Some(TurnEnd::AtRest) => {
                    return Ok(Some(ComponentOutcome::Succeeded { changed: self.writes.changed }));
                }
                Some(TurnEnd::AtGate { batch }) => return self.hold(batch).await.map(Some),
                Some(TurnEnd::Held(at)) => return Ok(Some(ComponentOutcome::Held { at })),
                Some(TurnEnd::Final) => return self.finish().await.map(Some),
            }
        }
    }

    /// Observes, plans, and then performs one step or waits. Returns how the run ends, if it does.
    async fn turn(&mut self) -> Result<Option<TurnEnd>, Failure> {
        if let Some(error) = self.watch.cache.failure() {
            return Err(error.into());
        }
        if let Some(error) = self.leadership.and_then(|leadership| leadership.lease.refusal()) {
            return Err(self.lease_refusal(error));
        }
        if self.context.control.is_stopped() {
            return Err(Failure::new(FailureKind::Interrupted, "interrupted"));
        }
        if let Some(start) = self.confirm_framing() {
            self.report_start(start);
        }
        if self.has_claimed() {
            self.apply_watched_record();
            if self.is_paused() {
                self.wait_while_paused().await?;
                return Ok(None);
            }
        }
        if self.is_outdated().await? {
            return Ok(Some(TurnEnd::Outdated));
        }
        if let Some(objects) = &self.prepared.objects {
            return self.object_turn(objects).await;
        }
        let observed = self.observe();
        let step = self.prepared.next_step(&observed);
        if self.notice_batch(&observed, &step) == BatchProgress::Completed {
            self.publish(&observed).await;
        }
        if let Step::Claim { .. } = &step {
            self.check_claim()?;
        }
        if let (Some(_), Step::Act(action)) = (self.claim.epoch, &step) {
            match self.gate_turn(&observed, action).await? {
                GateTurn::Open => {}
                GateTurn::Again => return Ok(None),
                GateTurn::Held(at) => return Ok(Some(TurnEnd::Held(at))),
            }
        }
        if self.is_time_for_prerequisites(&step) {
            self.put_prerequisites(&observed, &step).await?;
            return Ok(None);
        }
        match step {
            Step::Nothing => return Ok(Some(TurnEnd::AtRest)),
            Step::Act(Action::Hold { batch }) => return Ok(Some(TurnEnd::AtGate { batch })),
            Step::Act(Action::Finish) => {
                if self.is_final().await? && self.settle().await? == WriteEffect::Unchanged {
                    return Ok(Some(TurnEnd::Final));
                }
            }
            Step::Superseded { .. } => return Err(self.superseded().await),
            Step::ExternalChange { workload } => return Err(self.external_change(&workload)),
            Step::Refuse(Refusal::BatchSumError(sum_error)) => return Err(Failure::from(&sum_error)),
            Step::Act(Action::Wait { waiting, .. }) => self.wait(&observed, &waiting).await?,
            Step::Act(Action::Create) if self.claim.known_target.is_some() => self.confirm_loss().await?,
            step @ (Step::Claim { .. }
            | Step::Stamp { .. }
            | Step::Act(
                Action::Create | Action::Scale { .. } | Action::Roll { .. } | Action::Delete { .. },
            )) => self.act(&observed, step).await?,
        }
        Ok(None)
    }

    /// Writes what is left to write once all pods are the target's.
    async fn settle(&mut self) -> Result<WriteEffect, Failure> {
        let Some(held) = self.claim.epoch else { return Ok(WriteEffect::Unchanged) };
        if self.trim_services().await? == WriteEffect::Changed
            || self.apply_trait_objects(&self.prepared.trait_objects, |_| true, held).await?
                == WriteEffect::Changed
        {
            return Ok(WriteEffect::Changed);
        }
        if self.delete_left_objects(&self.prepared.trait_objects, held).await? == Cleanup::Unfinished {
            return Ok(WriteEffect::Changed);
        }
        self.apply_inherited_metadata(held).await
    }

    /// The run record as last read or written.
    pub(super) fn recorded(&self) -> Option<&Record> {
        self.record.as_ref().map(|stored| &stored.record)
    }

    pub(super) fn observe(&mut self) -> Observed {
        let observed = Observed {
            workloads: self.workloads_seen(),
            record: self.recorded().cloned(),
            claimed_epoch: self.claim.epoch,
        };
        // Until the target is stamped, the previous run could still delete it.
        if self.has_claimed()
            && let Some(target) = observed.workload(&self.prepared.desired.workload)
            && target.epoch == self.claim.epoch
        {
            self.claim.known_target.get_or_insert_with(|| target.uid.clone());
        }
        observed
    }

    /// The component's workloads as in the cache, with the ready pods that this run has counted.
    pub(super) fn workloads_seen(&self) -> Vec<Workload> {
        let ownership = self.prepared.ownership.with_record(self.recorded());
        let mut workloads = self.watch.cache.workloads(&ownership);
        if let Some((version, ready)) = &self.diagnosis.counted {
            for workload in workloads.iter_mut().filter(|one| one.resource_version == *version) {
                if let Some(in_place) = workload.in_place.as_mut() {
                    in_place.updated_ready = in_place.updated_ready.max(*ready);
                }
            }
        }
        workloads
    }

    /// Updates the views with the state of the run, if there are views.
    pub(super) async fn publish(&self, observed: &Observed) {
        let (Some(leadership), Some(record)) = (self.leadership, &observed.record) else { return };
        let status = match &self.prepared.objects {
            Some(objects) => {
                let seen = objects.observe(&self.watch.objects.cache, self.claim.epoch);
                Some(object_run_status(&record.run, &seen))
            }
            None => run_status(observed),
        };
        if let Some(status) = status {
            leadership.publisher.component(self.prepared, &record.run.spec, &status).await;
        }
    }

    fn report_outcome(&mut self, end: &ComponentOutcome) {
        let observed = self.observe();
        let progress = self.progress(&observed);
        match end {
            ComponentOutcome::Succeeded { changed } => {
                self.emit(EventKind::Succeeded { progress, changed: *changed });
            }
            ComponentOutcome::Held { at: HoldPoint::Step { step, message } } => {
                let application = &self.prepared.application;
                let hints = vec![format!("continue with `rollout promote {application}`")];
                self.emit(EventKind::Suspended { step: step.clone(), message: message.clone(), hints });
            }
            ComponentOutcome::Held { at: HoldPoint::Dependency { component } } => {
                let application = &self.prepared.application;
                let hints = vec![format!("continue with `rollout promote {application}`")];
                self.emit(EventKind::DependencyHeld { on: component.clone(), hints });
            }
            ComponentOutcome::Held { at: HoldPoint::Gate { cause, reason } } => {
                let promote = format!("continue with `rollout promote {}`", self.prepared.component);
                let reason = reason.clone();
                match cause {
                    GateCause::Inconclusive { .. } => {
                        let hints = vec![promote, "or rerun the same command to measure again".to_owned()];
                        self.emit(EventKind::Inconclusive { progress, reason, hints });
                    }
                    GateCause::Closed => {
                        let hints = vec![
                            "rerun the same command when the window is open".to_owned(),
                            format!("or {promote}"),
                        ];
                        self.emit(EventKind::Held { progress, reason: Some(reason), hints });
                    }
                }
            }
            ComponentOutcome::Held { at: HoldPoint::Batch(batch) } => {
                let hints = vec![format!("continue with `rollout promote {}`", self.prepared.component)];
                let progress = Progress { batch: *batch, ..progress };
                self.emit(EventKind::Held { progress, reason: None, hints });
            }
            ComponentOutcome::Skipped { .. } => {}
            ComponentOutcome::Failed(failure) => {
                // The record of a run that has taken over says nothing about the batches of this one.
                let is_own = |record: &Record| {
                    failure.kind != FailureKind::Superseded || Some(record.epoch) == self.claim.epoch
                };
                let has_progress = observed.record.as_ref().is_some_and(is_own);
                self.emit(failure.event(has_progress.then_some(progress)));
            }
        }
    }

    fn progress_now(&mut self) -> Progress {
        let observed = self.observe();
        self.progress(&observed)
    }

    pub(super) fn progress(&self, observed: &Observed) -> Progress {
        if let Some(objects) = &self.prepared.objects {
            return self.object_progress(objects);
        }
        match run_status(observed) {
            Some(status) => Progress {
                batch: status.batch,
                batches: status.batches,
                target_size: status.target_size,
                upgraded: status.upgraded,
                ready: status.ready,
                source: status.source,
            },
            None => Progress { target_size: self.prepared.desired.target_size, ..Progress::default() },
        }
    }

    pub(super) fn emit(&self, what: EventKind) {
        self.context.emit(&self.prepared.application, Some(&self.prepared.component), what);
    }
}
