//! The claim of a run: its epoch in the run record, which every write of the run names.
//!
//! A claim is decided from a record and from workloads that may be older than what is in the cluster. So it is checked
//! before it that the component is still the one that was prepared, and after it that the planned step is still right.

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

/// The claim that a run makes, from before it to its end.
#[derive(Debug, Default)]
pub(super) struct ClaimState {
    /// What the run writes under, once the component is claimed.
    pub(super) epoch: Option<Epoch>,
    /// The record as this run has last claimed it, whether that was answered or not.
    pub(super) sent: Option<Record>,
    /// What the claim was framed from, until it is compared with what is observed after it.
    pub(super) framing: Option<Framing>,
    /// The target that this run has observed. Another object of its name is not the target.
    pub(super) known_target: Option<Uid>,
    /// Whether the claim was confirmed after the target was created.
    pub(super) is_confirmed: bool,
    /// The start of the run that this one replaces, once its `finalize-rollout` hooks are called.
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

/// Whether a run starts afresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunStart {
    /// Nothing of it was applied before.
    Fresh,
    /// An earlier process has begun it.
    Resumed,
}

impl ComponentRun<'_> {
    /// Whether another run has claimed the component since this one was prepared: its revisions, objects and Services
    /// are not those that this one knows. What is bound to a claim ends instead.
    ///
    /// # Errors
    /// [`FailureKind::Superseded`](crate::driver::outcome::FailureKind::Superseded) if that run has taken the component
    /// over, under a Lease of its own: it must not be claimed back.
    pub(super) async fn is_outdated(&mut self) -> Result<bool, Failure> {
        if self.has_claimed() || self.leadership.is_none() || self.prepared.bound_to.is_some() {
            return Ok(false);
        }
        let Some(record) = self.recorded() else {
            // Somebody may have deleted the record of another run: its workloads show that.
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

    /// The claim in the record from which the run was prepared.
    fn prepared_from(&self) -> Option<Epoch> {
        self.prepared.record.as_ref().map(|stored| stored.record.epoch)
    }

    /// Refuses to claim a component back that a run under a Lease of its own has claimed since it was prepared.
    async fn refuse_takeover(&mut self) -> Result<(), Failure> {
        let Some(record) = self.recorded() else { return Ok(()) };
        let is_takeover =
            record.run.lease == LeaseScope::Component && Some(record.epoch) > self.prepared_from();
        if is_takeover && self.claim.sent.as_ref() != Some(record) {
            return Err(self.superseded().await);
        }
        Ok(())
    }

    /// Another run has claimed while this process held the Lease: if it took over, it must not be claimed back.
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
            // Batches that an earlier process completed are not reported again.
            self.ready_batch = next_action(spec, &observed.workloads).batch(spec).checked_sub(1);
        }
        self.claim.epoch = Some(stored.record.epoch);
        self.record = Some(stored);
        self.claim.framing = Some(Framing { before: observed.record.clone(), claim: claim_step, start });
        // Every claim fences the Services, also those that stay as they are.
        self.prerequisites.are_pending |= self.prepared.component_services.names().next().is_some();
        // The watch may not have delivered a workload that an earlier run created just before this claim. It must be
        // found and stamped before that run gives it pods.
        self.refresh().await?;
        Ok(())
    }

    /// Takes the next epoch and leaves the recorded run as it is: a run before this one, which may still have a write
    /// on its way, can change no Service after it. `None` where the record has moved on, and everything has to be
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
            Err(error @ RecordError::Unusable { .. }) => Err(error.into()),
        }
    }

    /// Calls the `finalize-rollout` hooks of the run that this one replaces, once.
    async fn call_abandoned_hooks(&mut self, previous: Option<&Record>) {
        let Some(previous) = previous.filter(|previous| previous.run.is_under_way()) else { return };
        if self.claim.abandoned.replace(previous.run.started) != Some(previous.run.started) {
            let warn = |message| self.emit(EventKind::Warned { message });
            let namespace = &self.prepared.namespace;
            call_final_hooks(self.context, namespace, previous, FinalPhase::Abandoning, warn).await;
        }
    }

    /// The revisions besides the target that have pods, or may have some while the run lasts.
    pub(super) fn other_revisions(&self, observed: &Observed) -> Vec<String> {
        let desired = &self.prepared.desired;
        component_services::other_revisions(observed, desired.kind, &desired.target)
    }

    /// Notes in a record what the target exposes, the policies that it is under, and what the objects of its traits are
    /// where its revision says something else.
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

    /// How a run starts that has just been claimed, and `None` where none has, or the component is to be claimed again:
    /// the watch may lag behind what the run before did. A claim that was framed from workloads older than the record
    /// is framed again, from what was recorded before it and is observed now.
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

    /// Makes sure that no other run claimed between this claim and the target's creation.
    ///
    /// A later claim finds the target, which exists by now, and stamps it; then the writes of this run to it fail.
    pub(super) async fn confirm_claim(&mut self) -> Result<bool, RecordError> {
        if !self.claim.is_confirmed {
            self.record = self.read_record().await?;
            self.claim.is_confirmed = self.is_claimed();
        }
        Ok(self.claim.is_confirmed)
    }

    /// Makes sure by a quorum read that the claim still stands.
    pub(super) async fn confirm_epoch(&mut self, epoch: Epoch) -> Result<(), Failure> {
        self.reload().await?;
        self.ensure_claimed(epoch).await
    }

    /// Makes sure of the same by the record as it is known.
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

    /// Whether the record, as it is known, still has this run's claim.
    pub(super) fn is_claimed(&self) -> bool {
        self.recorded().map(|record| record.epoch) == self.claim.epoch
    }
}
