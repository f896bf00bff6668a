//! The claim of a run: its epoch in the run record, which every write of the run carries.
//!
//! The record and the workloads that a claim is decided from may be older than those in the cluster. So before the
//! claim, the run checks that the component is still the one that was prepared, and after it, that the planned step is
//! still right.

use jiff::Timestamp;

use crate::cluster::record_store::{self, RecordError};
use crate::driver::checks::run_state::{check_bound, refuse_paused};
use crate::driver::component_run::{ComponentRun, Leadership};
use crate::driver::component_services;
use crate::driver::hooks::{FinalPhase, call_final_hooks};
use crate::driver::outcome::Failure;
use crate::driver::prepare::PreparedComponent;
use crate::plan::epoch::Epoch;
use crate::plan::next_action::next_action;
use crate::plan::observed::{Observed, Uid};
use crate::plan::record::{Claim, Record};
use crate::plan::run::{LeaseScope, RunSpec};
use crate::plan::step::{Step, plan};
use crate::report::event::EventKind;

/// The state of a run's claim.
#[derive(Debug, Default)]
pub(super) struct ClaimState {
    /// The epoch that the run writes under, once the component is claimed.
    pub(super) epoch: Option<Epoch>,
    /// The record that this run last sent as a claim, whether or not the request was answered.
    pub(super) sent: Option<Record>,
    /// What the claim was framed from, until it is compared with the state after it.
    pub(super) framing: Option<Framing>,
    /// The UID of the target that this run has observed. Another object of the same name is not the target.
    pub(super) known_target: Option<Uid>,
    /// Whether the claim was confirmed after the target was created.
    pub(super) is_confirmed: bool,
    /// The start time of the run that this one replaces, once its `finalize-rollout` hooks were called.
    abandoned: Option<Timestamp>,
}

/// What a claim was framed from.
#[derive(Debug)]
pub(super) struct Framing {
    /// The record before the claim.
    before: Option<Record>,
    /// The step that was planned.
    claim: Step,
    start: RunStart,
}

/// Whether a run is new or resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunStart {
    /// The run is new.
    Fresh,
    /// An earlier process has started it.
    Resumed,
}

impl ComponentRun<'_> {
    /// Whether another run has claimed the component since this one was prepared, so that its revisions, objects and
    /// Services may have changed. A run that is bound to a claim does not become outdated: it fails instead.
    ///
    /// # Errors
    /// [`FailureKind::Superseded`](crate::driver::outcome::FailureKind::Superseded) if the other run has taken the
    /// component over under a Lease of its own: it must not be claimed back.
    pub(super) async fn is_outdated(&mut self) -> Result<bool, Failure> {
        if self.has_claimed() || self.leadership.is_none() || self.prepared.bound_to.is_some() {
            return Ok(false);
        }
        let Some(record) = self.recorded() else {
            // The record of another run may have been deleted, but its workloads still show the run.
            let PreparedComponent { ownership, stamped_foreign, component, .. } = self.prepared;
            return Ok(!ownership
                .stamped_foreign(&self.watch.cache.labelled(component))
                .is_subset(stamped_foreign));
        };
        let is_outdated =
            self.prepared_from() != Some(record.epoch) && self.claim.sent.as_ref() != Some(record);
        if is_outdated {
            self.refuse_takeover().await?;
        }
        Ok(is_outdated)
    }

    /// The claim in the record that the run was prepared from.
    fn prepared_from(&self) -> Option<Epoch> {
        self.prepared.record.as_ref().map(|stored| stored.record.epoch)
    }

    /// Refuses to claim a component back from a run that has taken it over, under a Lease of its own, since it was
    /// prepared.
    async fn refuse_takeover(&mut self) -> Result<(), Failure> {
        let Some(record) = self.recorded() else { return Ok(()) };
        let is_takeover =
            record.run.lease == LeaseScope::Component && Some(record.epoch) > self.prepared_from();
        if is_takeover && self.claim.sent.as_ref() != Some(record) {
            return Err(self.superseded().await);
        }
        Ok(())
    }

    /// Called when another run has claimed the component while this process held the Lease: if that run took it over,
    /// the component must not be claimed back.
    pub(super) async fn ensure_not_taken_over(&mut self) -> Result<(), Failure> {
        let Some(Leadership { lease, .. }) = self.leadership else { return Ok(()) };
        if let Ok(Some(holder)) = lease.current_holder_if_lost().await {
            return Err(Failure::taken_over(lease.key(), &holder));
        }
        self.reload().await?;
        self.refuse_takeover().await?;
        self.check_claim()
    }

    /// Refuses to claim a component that was claimed, or paused, since the run was decided.
    pub(super) fn check_claim(&self) -> Result<(), Failure> {
        let Some(record) = self.recorded() else { return Ok(()) };
        // A claim of this process followed what it is bound to.
        if self.claim.sent.as_ref() != Some(record) {
            check_bound(self.prepared.bound_to, Some(record), &self.prepared.component)?;
        }
        if self.prepared.respects_a_pause { refuse_paused(record) } else { Ok(()) }
    }

    /// Writes the record before anything else of the run takes effect.
    pub(super) async fn claim(
        &mut self,
        observed: &Observed,
        spec: RunSpec,
        resumes: bool,
    ) -> Result<(), RecordError> {
        let session = &self.context.session;
        let claim = Claim {
            by: self.context.identity.clone(),
            at: session.clock().now(),
            newest_stamp: observed.newest_stamp().max(self.newest_object_stamp()),
            resumes,
            purpose: self.prepared.purpose,
            lease: self.leadership.map(|leadership| leadership.scope).unwrap_or_default(),
            workflow: self.workflow.place.clone(),
            gates: self.prepared.gate_place(observed, &spec, resumes),
        };
        let was_waiting =
            |record: &Record| record.run.workflow.as_ref().is_some_and(|place| place.is_waiting);
        let start = match resumes && !observed.record.as_ref().is_some_and(was_waiting) {
            true => RunStart::Resumed,
            false => RunStart::Fresh,
        };
        if !resumes {
            self.call_abandoned_hooks(observed.record.as_ref()).await;
        }
        let claim_step = Step::Claim { spec: spec.clone(), resumes };
        let mut record = Record::claim(
            observed.record.as_ref(),
            &self.prepared.application,
            &self.prepared.component,
            spec,
            claim,
        );
        self.note_target(&mut record, &self.other_revisions(observed));
        if let (Some(adopted), true) = (&self.prepared.adopted_revision, record.succeeded.is_empty()) {
            record.succeeded.push(adopted.name.clone());
        }
        self.claim.sent = Some(record.clone());
        let stored =
            record_store::claim_record(session, &self.prepared.namespace, self.record.as_ref(), &record)
                .await?;
        if resumes {
            let spec = &stored.record.run.spec;
            // Do not report batches again that an earlier process completed.
            self.ready_batch = next_action(spec, &observed.workloads).batch(spec).checked_sub(1);
        }
        self.claim.epoch = Some(stored.record.epoch);
        self.record = Some(stored);
        self.claim.framing = Some(Framing { before: observed.record.clone(), claim: claim_step, start });
        // Every claim fences the Services, even those that do not change.
        self.prerequisites.are_pending |= self.prepared.component_services.names().next().is_some();
        // The watch may not have delivered a workload that an earlier run created just before this claim. It must be
        // found and stamped before that run gives it pods.
        self.refresh().await?;
        Ok(())
    }

    /// Takes the next epoch and leaves the recorded run as it is, so that an earlier run, which may still have a write
    /// in flight, can no longer change a Service. Returns `None` if the record has changed, and everything has to be
    /// observed again.
    pub(super) async fn fence(&mut self, others: &[String]) -> Result<Option<Epoch>, Failure> {
        let Some(seen) = self.record.clone() else { return Err(self.superseded().await) };
        self.check_claim()?;
        let newest = self.observe().newest_stamp().max(self.newest_object_stamp());
        let mut record = seen.record.clone();
        record.epoch = record.epoch.max(newest).next();
        self.note_target(&mut record, others);
        self.claim.sent = Some(record.clone());
        let (session, namespace) = (&self.context.session, &self.prepared.namespace);
        match record_store::claim_record(session, namespace, Some(&seen), &record).await {
            Ok(stored) => {
                let epoch = stored.record.epoch;
                self.record = Some(stored);
                Ok(Some(epoch))
            }
            Err(RecordError::Cluster(error)) => {
                self.recover(error).await?;
                Ok(None)
            }
            Err(error @ RecordError::Unusable { .. }) => Err(self.record_failure(error)),
        }
    }

    /// Calls, once, the `finalize-rollout` hooks of the run that this one replaces.
    async fn call_abandoned_hooks(&mut self, previous: Option<&Record>) {
        let Some(previous) = previous.filter(|previous| previous.run.is_under_way()) else { return };
        if self.claim.abandoned.replace(previous.run.started) != Some(previous.run.started) {
            let warn = |message| self.emit(EventKind::Warned { message });
            let namespace = &self.prepared.namespace;
            call_final_hooks(self.context, namespace, previous, FinalPhase::Abandoning, warn).await;
        }
    }

    /// The revisions other than the target that have pods, or may have some during the run.
    pub(super) fn other_revisions(&self, observed: &Observed) -> Vec<String> {
        let desired = &self.prepared.desired;
        component_services::other_revisions(observed, desired.kind, &desired.target)
    }

    /// Adds to a record what the target exposes, its policies, and the objects of its traits if they differ from those
    /// in its revision.
    fn note_target(&self, record: &mut Record, others: &[String]) {
        record.exposes = self.prepared.component_services.recorded(&record.exposes, others);
        if let Some(policies) = &self.prepared.policies {
            record.policies = policies.clone();
        }
        let target = &self.prepared.desired.target;
        let succeeded = record.succeeded_revisions();
        record
            .outputs
            .retain(|name, _| name != target && (others.contains(name) || succeeded.contains(name)));
        if let Some(outputs) = &self.prepared.recorded_outputs {
            record.outputs.insert(target.clone(), outputs.clone());
        }
        if self.prepared.objects.is_none() {
            let objects = &self.prepared.trait_objects.objects;
            record.run.spec.objects = objects.iter().map(|object| object.reference.clone()).collect();
        }
    }

    /// How a run that has just been claimed starts; `None` if no run has, or the component has to be claimed again. The
    /// watch may lag behind the previous run: a claim that was framed from workloads older than the record is framed
    /// again, from the record before it and the workloads observed now.
    pub(super) fn confirm_framing(&mut self) -> Option<RunStart> {
        let Framing { before, claim, start } = self.claim.framing.take()?;
        let observed = Observed { claimed_epoch: None, record: before, ..self.observe() };
        let reframed = plan(&observed, &self.prepared.desired);
        let is_other = matches!(reframed, Step::Claim { .. }) && reframed != claim;
        if self.prepared.objects.is_none()
            && is_other
            && let (Some(stored), Some(before)) = (&self.record, observed.record)
        {
            let before = Record { epoch: stored.record.epoch, ..before };
            self.claim.sent = Some(before.clone());
            self.record = Some(stored.saying(before));
            self.claim.epoch = None;
            return None;
        }
        Some(start)
    }

    /// Reports that the claimed run starts.
    pub(super) fn report_start(&self, start: RunStart) {
        let Some(Record { run, .. }) = self.recorded() else { return };
        let (spec, limits) = (&run.spec, self.context.limits);
        self.emit(EventKind::RunStarted {
            action: spec.mode,
            purpose: run.purpose,
            from: spec.sources.clone(),
            to: spec.target.clone(),
            original_size: spec.original_size,
            size_before: spec.size_before(),
            target_size: spec.target_size,
            goals: spec.goals(),
            resumed: start == RunStart::Resumed,
            batch_timeout: limits.batch.try_into().unwrap_or_default(),
            timeout: limits.run.try_into().unwrap_or_default(),
        });
    }

    /// Checks that no other run has claimed the component between this claim and the target's creation.
    ///
    /// Any later claim finds the target, which exists now, and stamps it, which makes this run's writes to it fail.
    pub(super) async fn confirm_claim(&mut self) -> Result<bool, RecordError> {
        if !self.claim.is_confirmed {
            self.record = self.read_record().await?;
            self.claim.is_confirmed = self.is_claimed();
        }
        Ok(self.claim.is_confirmed)
    }

    /// Checks with a quorum read that the claim is still valid.
    pub(super) async fn confirm_epoch(&mut self, epoch: Epoch) -> Result<(), Failure> {
        self.reload().await?;
        self.ensure_claimed(epoch).await
    }

    /// Checks that the claim is still valid according to the known record.
    pub(super) async fn ensure_claimed(&mut self, epoch: Epoch) -> Result<(), Failure> {
        match self.recorded() {
            Some(record) if record.epoch == epoch => Ok(()),
            Some(_) | None => Err(self.superseded().await),
        }
    }

    /// Whether this run has claimed the component.
    pub(in crate::driver) fn has_claimed(&self) -> bool {
        self.claim.epoch.is_some()
    }

    /// Whether the known record still has this run's claim.
    pub(super) fn is_claimed(&self) -> bool {
        self.recorded().map(|record| record.epoch) == self.claim.epoch
    }
}
