//! Performing one step, and what to do with what comes back.

use kube::api::DynamicObject;
use serde_json::Value;

use crate::cluster::error::ClusterError;
use crate::cluster::record_store::{self, RecordError, StoredRecord};
use crate::cluster::workload::{self, observe_workload};
use crate::cluster::workload_watch;
use crate::cluster::workload_writer::WorkloadWriter;
use crate::driver::component_run::{ComponentRun, Leadership};
use crate::driver::component_services;
use crate::driver::hooks::{Ending, call_final_hooks};
use crate::driver::outcome::{Failure, FailureKind};
use crate::oam::revision;
use crate::plan::action::{Action, Rolling, Side};
use crate::plan::desired::Desired;
use crate::plan::epoch::Epoch;
use crate::plan::next_action::next_action;
use crate::plan::observed::{Observed, Uid, Workload};
use crate::plan::record::{Claim, Record};
use crate::plan::run::{LeaseScope, Mode, RunSpec};
use crate::plan::step::{Step, plan};
use crate::report::event::EventKind;

/// After so many conflicts in a row, another client keeps changing the same objects.
pub(super) const MOST_CONFLICTS: u32 = 20;

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
    /// Performs one write and handles its error.
    pub(super) async fn act(&mut self, observed: &Observed, step: Step) -> Result<(), Failure> {
        self.ensure_leader().await?;
        let is_claim = matches!(step, Step::Claim { .. });
        // Nothing that was decided from the record is true of a component that has been deleted since.
        if is_claim && self.record.is_none() && self.prepared.record.is_some() {
            return Err(self.superseded().await);
        }
        let performed = match (step, self.claimed_epoch) {
            (Step::Claim { spec, resumes }, _) => self.claim(observed, spec, resumes).await,
            (step, Some(epoch)) => self.perform(observed, step, epoch).await,
            (_, None) => {
                let reason = "a write was planned before the component was claimed";
                return Err(Failure::new(FailureKind::Internal, reason));
            }
        };
        self.pass_on_warnings();
        match performed {
            Ok(()) => {
                self.changed = true;
                self.conflicts = 0;
                self.last_error = None;
                Ok(())
            }
            Err(RecordError::Cluster(error)) => {
                if is_claim && matches!(error, ClusterError::Conflict(_) | ClusterError::AlreadyExists(_)) {
                    self.ensure_not_taken_over().await?;
                }
                self.recover(error).await
            }
            Err(error @ RecordError::Unusable { .. }) => Err(error.into()),
        }
    }

    /// Makes sure that this process holds the Lease, without which it may not write.
    pub(super) async fn ensure_leader(&mut self) -> Result<(), Failure> {
        if self.leadership.is_none() {
            let reason = format!("component `{}` was modified concurrently", self.prepared.component);
            return Err(Failure::new(FailureKind::Superseded, reason).hint("rerun the same command"));
        }
        self.await_lease().await
    }

    /// The failure of a write that the server does not accept. Before the first accepted write, it is a refusal.
    pub(super) fn denied(&self, message: String) -> Failure {
        let kind = if self.changed { FailureKind::Denied } else { FailureKind::Refused };
        Failure::new(kind, message)
    }

    /// Reports the warnings of responses, such as those of Pod Security admission about the pods of a workload.
    pub(super) fn pass_on_warnings(&self) {
        for message in self.context.session.warnings().take() {
            self.emit(EventKind::Warned { message });
        }
    }

    /// Another run has claimed while this process held the Lease: if it took over, it must not be claimed back.
    async fn ensure_not_taken_over(&mut self) -> Result<(), Failure> {
        let Some(Leadership { lease, .. }) = self.leadership else { return Ok(()) };
        if let Ok(Some(holder)) = lease.current_holder_if_lost().await {
            return Err(Failure::taken_over(lease.key(), &holder));
        }
        self.reload().await?;
        self.refuse_takeover().await?;
        self.check_claim()
    }

    /// Refuses to claim a component back that a run under a Lease of its own has claimed since it was prepared.
    pub(super) async fn refuse_takeover(&mut self) -> Result<(), Failure> {
        let known = self.prepared.record.as_ref().map(|stored| stored.record.epoch);
        let Some(record) = self.record.as_ref().map(|stored| &stored.record) else { return Ok(()) };
        let is_takeover = record.run.lease == LeaseScope::Component && Some(record.epoch) > known;
        if is_takeover && self.sent_claim.as_ref() != Some(record) {
            return Err(self.superseded().await);
        }
        Ok(())
    }

    /// Recovers from a write that was rejected or not answered: observes again, by a quorum read.
    pub(super) async fn recover(&mut self, error: ClusterError) -> Result<(), Failure> {
        self.last_error = Some(error.to_string());
        match error {
            ClusterError::Conflict(_) | ClusterError::AlreadyExists(_) | ClusterError::NotFound(_) => {
                self.conflicts += 1;
                if self.conflicts > MOST_CONFLICTS {
                    return Err(Failure::new(
                        FailureKind::NotReady,
                        format!(
                            "another client keeps modifying the objects of component `{}`: {error}",
                            self.prepared.component
                        ),
                    )
                    .hint("look for an autoscaler or another tool that modifies the same objects"));
                }
            }
            ClusterError::Forbidden(message)
            | ClusterError::Invalid(message)
            | ClusterError::Rejected(message) => {
                return Err(self.denied(message));
            }
            error @ (ClusterError::Unauthorized(_)
            | ClusterError::Misdirected { .. }
            | ClusterError::Transient { .. }
            | ClusterError::Exhausted { .. }
            | ClusterError::Stopped
            | ClusterError::Other(_)) => self.context.session.wait_before_retry(&error).await?,
        }
        self.observe_again().await
    }

    pub(super) async fn observe_again(&mut self) -> Result<(), Failure> {
        self.refresh().await?;
        self.refresh_objects().await?;
        self.reload().await
    }

    /// Reads the component's workloads by a quorum read.
    async fn refresh(&self) -> Result<(), ClusterError> {
        let Some(scope) = self.watch.scope(self.prepared.desired.kind) else { return Ok(()) };
        workload_watch::refresh_workloads(
            &self.context.session,
            scope,
            &self.watch.cache,
            &self.prepared.component,
        )
        .await
    }

    fn absorb(&self, object: &DynamicObject) {
        self.watch.cache.apply(self.prepared.desired.kind, object);
    }

    async fn read_record(&self) -> Result<Option<StoredRecord>, RecordError> {
        let Self { context, watch, prepared, .. } = self;
        let (namespace, component) = (&prepared.namespace, &prepared.component);
        record_store::reload_record(&context.session, namespace, &watch.record_reads, component).await
    }

    pub(super) async fn reload(&mut self) -> Result<(), Failure> {
        self.record = self.read_record().await?;
        Ok(())
    }

    /// Performs one write under a claim.
    async fn perform(&mut self, observed: &Observed, step: Step, epoch: Epoch) -> Result<(), RecordError> {
        match step {
            Step::Stamp { workload } => {
                if let Some(seen) = observed.workloads.iter().find(|one| one.name == workload) {
                    let workloads = self.workloads();
                    let (stamped, events) =
                        tokio::join!(workloads.stamp(seen, epoch), self.warnings_so_far());
                    let object = stamped?;
                    self.absorb(&object);
                    self.note_signs(&object, &events);
                }
            }
            Step::Act(Action::Create) => self.create(epoch).await?,
            Step::Act(Action::Scale { scaling, batch }) => {
                if scaling.side == Side::Target && !self.confirm_claim().await? {
                    return Ok(());
                }
                let object = self.workloads().scale(&scaling, epoch).await?;
                self.absorb(&object);
                self.note_signs(&object, &[]);
                if scaling.unpauses {
                    let message = format!("deployment `{}` was paused; unpausing it", scaling.workload);
                    self.emit(EventKind::Warned { message });
                }
                if scaling.from == scaling.to {
                    return Ok(());
                }
                let role = scaling.side;
                let (workload, from, to) = (scaling.workload, scaling.from, scaling.to);
                let batches = observed.record.as_ref().map_or(1, |record| record.run.spec.batches.len());
                self.emit(EventKind::WorkloadScaled { workload, role, from, to, batch, batches });
            }
            Step::Act(Action::Roll { rolling, batch }) => {
                if self.confirm_claim().await? {
                    self.roll(observed, rolling, batch, epoch).await?;
                }
            }
            Step::Act(Action::Delete { workload, uid }) => {
                self.delete(workload, &uid).await?;
            }
            Step::Nothing
            | Step::Claim { .. }
            | Step::Act(Action::Wait { .. } | Action::Hold { .. } | Action::Finish)
            | Step::Superseded { .. }
            | Step::ExternalChange { .. }
            | Step::Refuse(_) => {}
        }
        Ok(())
    }

    /// Moves the partition of an in-place workload, or writes its template.
    async fn roll(
        &mut self,
        observed: &Observed,
        rolling: Rolling,
        batch: usize,
        epoch: Epoch,
    ) -> Result<(), ClusterError> {
        let mut body = self.body(rolling.to.replicas, rolling.to.partition)?;
        let before = observed.workload(&rolling.workload).and_then(Workload::template);
        let before = self.prepared.stored.iter().find(|one| Some(one.name.as_str()) == before);
        if let Some(before) = before {
            revision::null_dropped_fields(before, &mut body);
        }
        let workloads = self.workloads();
        let (rolled, events) = tokio::join!(workloads.roll(&rolling, &body, epoch), self.warnings_so_far());
        let object = rolled?;
        self.absorb(&object);
        self.note_signs(&object, &events);
        let run = observed.record.as_ref().map(|record| &record.run.spec);
        let batches = run.map_or(1, |spec| spec.batches.len());
        let Rolling { workload, revision, from, to, .. } = rolling;
        self.emit(match run.map(|spec| spec.mode) {
            Some(Mode::Upgrade) => EventKind::WorkloadRolled {
                workload,
                revision,
                moved: to.updated(),
                replicas: to.replicas,
                batch,
                batches,
            },
            Some(Mode::Release | Mode::Scale | Mode::Apply) | None => EventKind::WorkloadScaled {
                workload,
                role: Side::Target,
                from: from.replicas,
                to: to.replicas,
                batch,
                batches,
            },
        });
        Ok(())
    }

    /// The target's workload as its revision stores it.
    fn body(&self, replicas: u32, partition: u32) -> Result<Value, ClusterError> {
        let target = &self.prepared.target;
        revision::render_revision(target, replicas, partition)
            .ok_or_else(|| ClusterError::Invalid(format!("revision `{}` contains no workload", target.name)))
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
            workflow: self.place.clone(),
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
        let others = component_services::other_revisions(
            observed,
            self.prepared.desired.kind,
            &self.prepared.desired.target,
        );
        record.exposes = self.prepared.component_services.recorded(&record.exposes, &others);
        self.note_outputs(&mut record, &others);
        if let Some(policies) = &self.prepared.policies {
            record.policies = policies.clone();
        }
        if let (Some(adopted), true) = (&self.prepared.adopted_revision, record.succeeded.is_empty()) {
            record.succeeded.push(adopted.name.clone());
        }
        self.sent_claim = Some(record.clone());
        let stored =
            record_store::claim_record(session, &self.prepared.namespace, self.record.as_ref(), &record)
                .await?;
        if resumes {
            let spec = &stored.record.run.spec;
            // Batches that an earlier process completed are not reported again.
            self.ready_batch = next_action(spec, &observed.workloads).batch(spec).checked_sub(1);
        }
        self.claimed_epoch = Some(stored.record.epoch);
        self.record = Some(stored);
        self.framing = Some(Framing { before: observed.record.clone(), claim: claim_step, start });
        // Every claim fences the Services, also those that stay as they are.
        self.has_prerequisites |= self.prepared.component_services.names().next().is_some();
        // The watch may not have delivered a workload that an earlier run created just before this claim. It must be
        // found and stamped before that run gives it pods.
        self.refresh().await?;
        Ok(())
    }

    /// Calls the `finalize-rollout` hooks of the run that this one replaces, once.
    async fn call_abandoned_hooks(&mut self, previous: Option<&Record>) {
        let Some(previous) = previous.filter(|previous| previous.run.is_under_way()) else { return };
        if self.abandoned.replace(previous.run.started) != Some(previous.run.started) {
            let warn = |message| self.emit(EventKind::Warned { message });
            let namespace = &self.prepared.namespace;
            call_final_hooks(self.context, namespace, previous, Ending::Abandoning, warn).await;
        }
    }

    /// Begins the claimed run, unless it has to be claimed again.
    pub(super) fn begin_claimed(&mut self, framing: Framing) {
        let start = framing.start;
        if self.confirm_framing(framing) {
            self.report_start(start);
        }
    }

    /// Whether a claim was framed from workloads that are no older than the record: the watch may lag behind what the
    /// run before did. Otherwise the component is to be claimed again, from what was recorded before and is observed
    /// now.
    pub(super) fn confirm_framing(&mut self, Framing { before, claim, .. }: Framing) -> bool {
        let observed = Observed { claimed_epoch: None, record: before, ..self.observe() };
        let reframed = plan(&observed, &self.prepared.desired);
        let is_other = matches!(reframed, Step::Claim { .. }) && reframed != claim;
        if self.prepared.objects.is_none()
            && is_other
            && let (Some(stored), Some(before)) = (&self.record, observed.record)
        {
            let before = Record { epoch: stored.record.epoch, ..before };
            self.sent_claim = Some(before.clone());
            self.record = Some(stored.saying(before));
            self.claimed_epoch = None;
            return false;
        }
        true
    }

    /// Reports that the claimed run starts.
    pub(super) fn report_start(&self, start: RunStart) {
        let Some(StoredRecord { record: Record { run, .. }, .. }) = &self.record else { return };
        let (spec, limits) = (&run.spec, self.context.limits);
        self.emit(EventKind::RunStarted {
            action: spec.mode,
            purpose: run.purpose,
            from: spec.sources.clone(),
            to: spec.target.clone(),
            original_size: spec.original_size,
            target_size: spec.target_size,
            goals: spec.goals(),
            resumed: start == RunStart::Resumed,
            batch_timeout: limits.batch.try_into().unwrap_or_default(),
            timeout: limits.run.try_into().unwrap_or_default(),
        });
    }

    /// Notes what the objects of the target's traits are, where its revision says something else.
    pub(super) fn note_outputs(&self, record: &mut Record, others: &[String]) {
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

    /// Creates the target without replicas: if this run has been superseded, the target does no harm.
    pub(super) async fn create(&mut self, epoch: Epoch) -> Result<(), ClusterError> {
        self.is_confirmed = false;
        let body = self.body(0, 0)?;
        let revision = &self.prepared.desired.target;
        let object = self.workloads().create(body, revision, epoch).await?;
        self.absorb(&object);
        self.note_signs(&object, &[]);
        self.emit(EventKind::WorkloadCreated { workload: self.prepared.desired.workload.clone() });
        Ok(())
    }

    /// Deletes a drained source in its current version: its status may have changed since the plan was made, and the
    /// delete names the version.
    async fn delete(&mut self, workload: String, uid: &Uid) -> Result<(), ClusterError> {
        let Some(object) = self.workloads().find(&workload).await? else {
            self.watch.cache.remove(uid);
            return Ok(());
        };
        self.absorb(&object);
        let seen = observe_workload(self.prepared.desired.kind, &object);
        if seen.uid != *uid || seen.replicas > 0 || seen.epoch != self.claimed_epoch {
            return Err(ClusterError::Conflict(format!("deployment `{workload}` has changed")));
        }
        self.workloads().delete(&seen).await?;
        self.watch.cache.remove(uid);
        self.emit(EventKind::WorkloadDeleted { workload });
        Ok(())
    }

    /// Makes sure that no other run claimed between this claim and the target's creation.
    ///
    /// A later claim finds the target, which exists by now, and stamps it; then the writes of this run to it fail.
    pub(super) async fn confirm_claim(&mut self) -> Result<bool, RecordError> {
        if !self.is_confirmed {
            self.record = self.read_record().await?;
            let epoch = self.record.as_ref().map(|stored| stored.record.epoch);
            self.is_confirmed = epoch == self.claimed_epoch;
        }
        Ok(self.is_confirmed)
    }

    /// Finds out whether the target was deleted, or is only missing from the cache.
    pub(super) async fn confirm_loss(&mut self) -> Result<(), Failure> {
        self.observe_again().await?;
        let Desired { workload, kind, .. } = &self.prepared.desired;
        let observed = self.observe();
        let is_same =
            observed.workload(workload).is_some_and(|found| self.known_target.as_ref() == Some(&found.uid));
        if is_same {
            return Ok(());
        }
        Err(Failure::new(
            FailureKind::NotReady,
            format!("{} `{workload}` was deleted while its rollout was waiting", kind.noun()),
        ))
    }

    pub(super) fn workloads(&self) -> WorkloadWriter {
        let session = &self.context.session;
        WorkloadWriter::new(
            session.clone(),
            session
                .dynamic(&self.prepared.namespace, &workload::workload_resource(self.prepared.desired.kind)),
        )
    }
}
