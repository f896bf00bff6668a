//! One component, from before its claim to its end.

mod act;
mod batch_gates;
mod deadline;
mod diagnose;
mod end;
mod metadata;
pub(in crate::driver) mod objects;
mod prerequisites;
mod services;
mod wait;
mod wait_while_paused;
mod workflow;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;
use kube::api::DynamicObject;

use crate::cluster::clock::Moment;
use crate::cluster::lease::LeaseGuard;
use crate::cluster::pods::baseline::Baseline;
use crate::cluster::record_store::StoredRecord;
use crate::driver::checks::run_state::{check_bound, refuse_paused};
use crate::driver::context::Context;
use crate::driver::namespace_watch::NamespaceWatch;
use crate::driver::outcome::{ComponentOutcome, Failure, FailureKind, GateCause, HoldPoint};
use crate::driver::prepare::PreparedComponent;
use crate::driver::publish::Publisher;
use crate::oam::object::ObjectRef;
use crate::plan::epoch::Epoch;
use crate::plan::observed::{Observed, Uid, Workload};
use crate::plan::record::Record;
use crate::plan::run::{LeaseScope, WorkflowPlace};
use crate::plan::run_status::run_status;
use crate::plan::step::{Refusal, Step, plan};
use crate::report::event::{EventKind, Progress};

use crate::plan::action::Action;
use act::Framing;
use batch_gates::{GateTurn, GateVisit};
use deadline::{BatchTimer, NextDeadline};
use objects::Cleanup;
use services::WriteEffect;
use wait::{BatchProgress, WaitNotice};
use workflow::Gates;

/// What the runs of one application hold together.
pub struct Leadership<'a> {
    /// The Lease that is held.
    pub lease: LeaseGuard,
    /// Whether it is the application's, or that of a component that was taken over.
    pub scope: LeaseScope,
    /// Mirrors the status of the runs for kubectl.
    pub publisher: Publisher<'a>,
}

/// One component under way.
pub struct ComponentRun<'a> {
    pub(super) context: &'a Context,
    pub(super) watch: &'a NamespaceWatch,
    pub(super) leadership: Option<&'a Leadership<'a>>,
    pub(super) prepared: &'a PreparedComponent,
    pub(super) record: Option<StoredRecord>,
    pub(super) claimed_epoch: Option<Epoch>,
    /// The record as this run has last claimed it, whether that was answered or not.
    sent_claim: Option<Record>,
    /// What the claim was framed from, until it is compared with what is observed after it.
    framing: Option<Framing>,
    /// The target that this run has observed. Another object of its name is not the target.
    known_target: Option<Uid>,
    /// Whether the claim was confirmed after the target was created.
    is_confirmed: bool,
    conflicts: u32,
    changed: bool,
    /// Whether something besides workloads is still to be written.
    has_prerequisites: bool,
    /// The component's Services as this run left them, by name.
    services: BTreeMap<String, DynamicObject>,
    run_deadline: Option<Moment>,
    next_deadline: NextDeadline,
    /// Why the last write failed, if no other has been accepted since.
    last_error: Option<String>,
    batch: Option<BatchTimer>,
    /// The last batch that was ready, and how long its pods may still take if they become unready.
    left_batch: Option<(usize, Option<Duration>)>,
    notice: Option<WaitNotice>,
    /// The problems that the last check of the pods found.
    pub(super) diagnosis: Vec<String>,
    /// The object that is waited for, of a component that is applied as a whole.
    pub(super) awaited: Option<ObjectRef>,
    /// The symptoms that existed before the last write to the target.
    pub(super) baseline: Option<Baseline>,
    /// Ready pods of a StatefulSet's newest revision, counted when it was of this version.
    counted: Option<(String, u32)>,
    ready_batch: Option<usize>,
    /// Whether what other revisions of a component that is applied as a whole have left is gone.
    are_leftovers_gone: bool,
    /// Where it stands in the workflow, as its next claim records it.
    place: Option<WorkflowPlace>,
    /// What became of the components before it in the workflow.
    predecessors: Predecessors,
    /// The steps of the workflow that this process has passed.
    passed_steps: Rc<RefCell<BTreeSet<String>>>,
    /// What was reported of a wait at a gate, and when to report it again.
    gate_notice: Option<(String, Moment)>,
    /// What it waits for at a gate.
    gate_wait: Option<String>,
    /// The start of the run that this one replaces, once its `finalize-rollout` hooks are called.
    abandoned: Option<Timestamp>,
    is_target_recorded: bool,
    /// The gates between batches that it stands at.
    gate_visit: Option<GateVisit>,
    /// Whether Jobs of smoke tests that another process has left were removed.
    has_swept_smoke_jobs: bool,
}

/// What became of the components that one depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Predecessors {
    /// They are done.
    Done,
    /// One of them is held at a step of the workflow, or waits behind one that is.
    HeldAt {
        /// The step.
        step: String,
        /// That component.
        component: String,
    },
}

/// How a run came to its end.
pub enum RunEnd {
    /// With this outcome, and the claim that it drove under; `None` where it made none.
    Ended(ComponentOutcome, Option<Epoch>),
    /// Another run has claimed the component since this one was prepared: it has to be prepared again.
    Outdated,
}

/// Where a run has nothing left to do.
enum Ending {
    /// Another run has claimed the component since this one was prepared.
    Outdated,
    /// Everything is as wanted, and was.
    AtRest,
    /// The gate after this batch (zero-based) is closed.
    AtGate { batch: usize },
    /// It is recorded as held there.
    Held(HoldPoint),
    /// Everything is as wanted, by a quorum read.
    Final,
}

impl<'a> ComponentRun<'a> {
    /// A run from its first step. Without a Lease it does not write.
    #[must_use]
    pub fn new(
        context: &'a Context,
        watch: &'a NamespaceWatch,
        leadership: Option<&'a Leadership<'a>>,
        prepared: &'a PreparedComponent,
    ) -> Self {
        let whole = prepared.objects.iter().chain([&prepared.trait_objects]);
        for object in whole.flat_map(|objects| &objects.objects) {
            watch.objects.cache.follow(&object.reference, &prepared.component);
            if let Some(before) = &object.before {
                watch.objects.cache.apply(&object.reference, before);
            }
        }
        let run_deadline = context.session.clock().moment().after(context.limits.run);
        Self {
            context,
            watch,
            leadership,
            prepared,
            record: prepared.record.clone(),
            claimed_epoch: None,
            sent_claim: None,
            framing: None,
            known_target: None,
            is_confirmed: false,
            conflicts: 0,
            changed: false,
            has_prerequisites: prepared.has_prerequisites(),
            services: BTreeMap::new(),
            run_deadline,
            next_deadline: NextDeadline::new(run_deadline),
            last_error: None,
            batch: None,
            left_batch: None,
            notice: None,
            diagnosis: Vec::new(),
            awaited: None,
            baseline: None,
            counted: None,
            ready_batch: None,
            are_leftovers_gone: false,
            place: prepared.workflow.clone(),
            predecessors: Predecessors::Done,
            passed_steps: Rc::default(),
            gate_notice: None,
            gate_wait: None,
            abandoned: None,
            is_target_recorded: false,
            gate_visit: None,
            has_swept_smoke_jobs: false,
        }
    }

    /// The same run in a workflow, of which some steps are passed.
    #[must_use]
    pub fn in_workflow(self, predecessors: Predecessors, passed: Rc<RefCell<BTreeSet<String>>>) -> Self {
        Self { predecessors, passed_steps: passed, ..self }
    }

    /// Drives to the end.
    pub async fn run(mut self) -> RunEnd {
        let end = match self.drive().await {
            Ok(Some(end)) => end,
            Ok(None) => return RunEnd::Outdated,
            Err(failure) => self.fail(failure).await,
        };
        self.report_outcome(&end);
        if self.claimed_epoch.is_some() {
            let observed = self.observe();
            self.publish(&observed).await;
        }
        RunEnd::Ended(end, self.claimed_epoch)
    }

    /// Drives to the outcome; there is none where the run is outdated.
    async fn drive(&mut self) -> Result<Option<ComponentOutcome>, Failure> {
        let (deadline, clock) = (self.next_deadline.clone(), self.context.session.clock().clone());
        loop {
            let passed = tokio::select! {
                biased;
                passed = self.pass_gates() => Some(passed?),
                () = deadline.passed(&clock) => {
                    self.check_deadline(&self.obstacle())?;
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
            let turn = tokio::select! {
                biased;
                turn = self.turn() => turn?,
                // A write in flight is dropped as in a crash: the next run finds out whether it was applied.
                () = deadline.passed(&clock) => {
                    self.check_deadline(&self.obstacle())?;
                    None
                }
            };
            // What is reached is recorded, however late.
            match turn {
                None => {}
                Some(Ending::Outdated) => return Ok(None),
                Some(Ending::AtRest) => {
                    return Ok(Some(ComponentOutcome::Succeeded { changed: self.changed }));
                }
                Some(Ending::AtGate { batch }) => return self.hold(batch).await.map(Some),
                Some(Ending::Held(at)) => return Ok(Some(ComponentOutcome::Held { at })),
                Some(Ending::Final) => return self.finish().await.map(Some),
            }
        }
    }

    /// Observes, plans, and performs one step or waits. Returns how the run ends, if it does.
    async fn turn(&mut self) -> Result<Option<Ending>, Failure> {
        if let Some(error) = self.watch.cache.failure() {
            return Err(error.into());
        }
        if let Some(error) = self.leadership.and_then(|leadership| leadership.lease.refusal()) {
            return Err(error.into());
        }
        if self.context.control.is_stopped() {
            return Err(Failure::new(FailureKind::Interrupted, "interrupted"));
        }
        if let Some(framing) = self.framing.take() {
            self.begin_claimed(framing);
        }
        if self.claimed_epoch.is_some() {
            self.apply_watched_record();
            if self.is_paused() {
                self.wait_while_paused().await?;
                return Ok(None);
            }
        }
        if self.is_outdated() {
            self.refuse_takeover().await?;
            return Ok(Some(Ending::Outdated));
        }
        if let Some(objects) = &self.prepared.objects {
            return self.object_turn(objects).await;
        }
        let observed = self.observe();
        let step = plan(&observed, &self.prepared.desired);
        if self.notice_batch(&observed, &step) == BatchProgress::Completed {
            self.publish(&observed).await;
        }
        if let Step::Claim { .. } = &step {
            self.check_claim()?;
        }
        if let (Some(_), Step::Act(action)) = (self.claimed_epoch, &step) {
            match self.gate_turn(&observed, action).await? {
                GateTurn::Open => {}
                GateTurn::Again => return Ok(None),
                GateTurn::Held(at) => return Ok(Some(Ending::Held(at))),
            }
        }
        if self.is_time_for_prerequisites(&step) {
            self.put_prerequisites(&observed, &step).await?;
            return Ok(None);
        }
        match step {
            Step::Nothing => return Ok(Some(Ending::AtRest)),
            Step::Act(Action::Hold { batch }) => return Ok(Some(Ending::AtGate { batch })),
            Step::Act(Action::Finish) => {
                if self.is_final().await? && self.settle().await? == WriteEffect::Unchanged {
                    return Ok(Some(Ending::Final));
                }
            }
            Step::Superseded { .. } => return Err(self.superseded().await),
            Step::ExternalChange { workload } => return Err(self.external_change(&workload)),
            Step::Refuse(Refusal::BatchSumError(misfit)) => return Err(Failure::from(&misfit)),
            Step::Act(Action::Wait { waiting, .. }) => self.wait(&observed, &waiting).await?,
            Step::Act(Action::Create) if self.known_target.is_some() => self.confirm_loss().await?,
            step @ (Step::Claim { .. }
            | Step::Stamp { .. }
            | Step::Act(
                Action::Create | Action::Scale { .. } | Action::Roll { .. } | Action::Delete { .. },
            )) => self.act(&observed, step).await?,
        }
        Ok(None)
    }

    /// Whether another run has claimed the component since this one was prepared: its revisions, objects and Services
    /// are not those that this one knows. What is bound to a claim ends instead.
    ///
    /// Where there is no record, somebody may have deleted that of another run: its workloads show that.
    fn is_outdated(&self) -> bool {
        if self.claimed_epoch.is_some() || self.leadership.is_none() || self.prepared.bound_to.is_some() {
            return false;
        }
        let Some(StoredRecord { record, .. }) = &self.record else {
            let PreparedComponent { ownership, strangers, component, .. } = self.prepared;
            return !ownership.stamped_strangers(&self.watch.cache.labelled(component)).is_subset(strangers);
        };
        let prepared_from = self.prepared.record.as_ref().map(|stored| stored.record.epoch);
        prepared_from != Some(record.epoch) && self.sent_claim.as_ref() != Some(record)
    }

    /// Refuses to claim a component that was claimed, or paused, since the run was decided.
    pub(super) fn check_claim(&self) -> Result<(), Failure> {
        let Some(StoredRecord { record, .. }) = &self.record else { return Ok(()) };
        // A claim of this process followed what it is bound to.
        if self.sent_claim.as_ref() != Some(record) {
            check_bound(self.prepared.bound_to, Some(record), &self.prepared.component)?;
        }
        if self.prepared.respects_a_pause { refuse_paused(record) } else { Ok(()) }
    }

    /// What is left to write when all pods are the target's.
    async fn settle(&mut self) -> Result<WriteEffect, Failure> {
        let Some(held) = self.claimed_epoch else { return Ok(WriteEffect::Unchanged) };
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

    pub(super) fn observe(&mut self) -> Observed {
        let observed = Observed {
            workloads: self.workloads_seen(),
            record: self.record.as_ref().map(|stored| stored.record.clone()),
            claimed_epoch: self.claimed_epoch,
        };
        // Before it is stamped, the run before may still have deleted it.
        if self.claimed_epoch.is_some()
            && let Some(target) = observed.workload(&self.prepared.desired.workload)
            && target.epoch == self.claimed_epoch
        {
            self.known_target.get_or_insert_with(|| target.uid.clone());
        }
        observed
    }

    /// The component's workloads as they are known, with the pods that were counted.
    pub(super) fn workloads_seen(&self) -> Vec<Workload> {
        let record = self.record.as_ref().map(|stored| &stored.record);
        let mut workloads = self.watch.cache.workloads(&self.prepared.ownership.with_record(record));
        if let Some((version, ready)) = &self.counted {
            for workload in workloads.iter_mut().filter(|one| one.resource_version == *version) {
                if let Some(in_place) = workload.in_place.as_mut() {
                    in_place.updated_ready = in_place.updated_ready.max(*ready);
                }
            }
        }
        workloads
    }

    /// Shows where the run stands, where there are views to show it in.
    pub(super) async fn publish(&self, observed: &Observed) {
        if let Some(leadership) = self.leadership {
            leadership.publisher.component(self.prepared, observed).await;
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
                self.emit(failure.event(observed.record.is_some().then_some(progress)));
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
