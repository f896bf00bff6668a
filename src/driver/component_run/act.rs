//! Performs one step and handles its result.

use std::time::Duration;

use kube::ResourceExt as _;
use kube::api::DynamicObject;
use serde_json::Value;

use crate::cluster::constraints::{self, IfPermitted, NamespacePhase};
use crate::cluster::error::ClusterError;
use crate::cluster::ownership::LabelledWorkload;
use crate::cluster::record_store::{self, RecordError, StoredRecord};
use crate::cluster::workload::{self, observe_workload};
use crate::cluster::workload_watch;
use crate::cluster::workload_writer::WorkloadWriter;
use crate::driver::checks::objects::restore_label;
use crate::driver::component_run::ComponentRun;
use crate::driver::outcome::{Failure, FailureKind};
use crate::oam::revision;
use crate::plan::action::{Action, Rolling, Side};
use crate::plan::desired::Desired;
use crate::plan::epoch::Epoch;
use crate::plan::observed::{Observed, Uid, Workload};
use crate::plan::run::{Mode, Outcome, Run};
use crate::plan::step::Step;
use crate::report::event::EventKind;

/// After this many conflicts in a row, another client must be changing the same objects all the time.
const MAX_CONFLICTS: u32 = 20;

/// This many conflicts in a row may come from a controller that writes a status, so they are retried without a pause.
const FAST_RETRIES: u32 = 3;

/// How long to wait after any further conflict.
const AFTER_CONFLICT: Duration = Duration::from_millis(200);

impl ComponentRun<'_> {
    /// Performs one write and handles its error.
    pub(super) async fn act(&mut self, observed: &Observed, step: Step) -> Result<(), Failure> {
        self.ensure_leader().await?;
        let is_claim = matches!(step, Step::Claim { .. });
        // A size that the server changes can need a stamp before each attempt.
        let is_stamp = matches!(step, Step::Stamp { .. });
        let replaced = observed.record.as_ref().map(|record| &record.run);
        let replaces_tests = matches!(step, Step::Claim { resumes: false, .. })
            && replaced.is_some_and(|run| {
                run.outcome != Outcome::Succeeded && run.spec.gates.all_smoke_tests().next().is_some()
            });
        // The process that claimed the recorded run may have died before it removed the Jobs of the run that it
        // replaced.
        let may_forget_tests = is_claim
            && observed.record.as_ref().is_some_and(|record| {
                let is_replaced = |past: &Run| past.outcome != Outcome::Succeeded;
                record.run.outcome == Outcome::Running && record.past.first().is_some_and(is_replaced)
            });
        // The component has been deleted since, so the decisions from its record no longer apply.
        if is_claim && self.record.is_none() && self.prepared.record.is_some() {
            return Err(self.superseded().await);
        }
        let performed = match (step, self.claim.epoch) {
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
                if !is_stamp {
                    self.writes.accept();
                }
                match (replaces_tests, may_forget_tests) {
                    (true, _) => self.remove_replaced_smoke_jobs().await,
                    (false, true) => self.remove_forgotten_smoke_jobs().await,
                    (false, false) => Ok(()),
                }
            }
            Err(RecordError::Cluster(error)) => {
                if is_claim && matches!(error, ClusterError::Conflict(_) | ClusterError::AlreadyExists(_)) {
                    self.ensure_not_taken_over().await?;
                }
                self.recover(error).await
            }
            Err(error @ RecordError::Unusable { .. }) => Err(self.record_failure(error)),
        }
    }

    /// The failure for a record that cannot be read; after the claim, an unusable record is an external change.
    pub(super) fn record_failure(&self, error: RecordError) -> Failure {
        let is_change = matches!(error, RecordError::Unusable { .. }) && self.has_claimed();
        let failure = Failure::from(error);
        if is_change { Failure { kind: FailureKind::ExternalChange, ..failure } } else { failure }
    }

    /// Ensures that this process holds the Lease, without which it may not write.
    pub(super) async fn ensure_leader(&mut self) -> Result<(), Failure> {
        if self.leadership.is_none() {
            let reason = format!("component `{}` was modified concurrently", self.prepared.component);
            return Err(Failure::new(FailureKind::Superseded, reason).hint("rerun the same command"));
        }
        self.await_lease().await
    }

    /// The failure for a write that the server rejects. Before the first accepted write, it counts as a refusal of the
    /// run.
    pub(super) fn denied(&self, message: String) -> Failure {
        let kind = if self.writes.changed { FailureKind::Denied } else { FailureKind::Refused };
        Failure::new(kind, message)
    }

    /// Reports the warnings of responses, such as those of Pod Security admission about the pods of a workload.
    pub(super) fn pass_on_warnings(&self) {
        for message in self.context.session.warnings().take(&self.prepared.component) {
            self.emit(EventKind::Warned { message });
        }
    }

    /// Recovers from a write that was rejected or not answered: waits, and observes again with quorum reads.
    pub(super) async fn recover(&mut self, error: ClusterError) -> Result<(), Failure> {
        self.retry(error).await?;
        self.observe_again().await
    }

    /// Waits before a write is retried, or fails if retrying cannot help.
    pub(super) async fn retry(&mut self, error: ClusterError) -> Result<(), Failure> {
        self.writes.last_error = Some(error.to_string());
        if error.is_lost_namespace() && error.names_namespace(&self.prepared.namespace) {
            let lost = Failure::lost_namespace(&self.prepared.namespace);
            let kind = if self.writes.changed { lost.kind } else { FailureKind::Refused };
            return Err(Failure { kind, ..lost });
        }
        match error {
            ClusterError::Conflict(_) | ClusterError::AlreadyExists(_) | ClusterError::NotFound(_) => {
                self.writes.conflicts += 1;
                if self.writes.conflicts > MAX_CONFLICTS {
                    let component = &self.prepared.component;
                    let reason = format!(
                        "another client keeps modifying the objects of component `{component}`: {error}"
                    );
                    return Err(Failure::new(FailureKind::NotReady, reason).hint(
                        "look for an autoscaler, an admission policy or another tool that modifies them",
                    ));
                }
                if self.writes.conflicts > FAST_RETRIES {
                    self.context.session.clock().pause(AFTER_CONFLICT).await;
                }
                Ok(())
            }
            ClusterError::Forbidden(message)
            | ClusterError::Invalid(message)
            | ClusterError::Rejected(message) => Err(self.denied(message)),
            error @ (ClusterError::Unauthorized(_)
            | ClusterError::Misdirected { .. }
            | ClusterError::Transient { .. }
            | ClusterError::Exhausted { .. }
            | ClusterError::Stopped(_)
            | ClusterError::Other(_)) => Ok(self.context.session.wait_before_retry(&error).await?),
        }
    }

    pub(super) async fn observe_again(&mut self) -> Result<(), Failure> {
        self.refresh().await?;
        self.refresh_objects().await?;
        self.reload().await
    }

    /// Refreshes the component's workloads with a quorum read.
    pub(super) async fn refresh(&self) -> Result<(), ClusterError> {
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

    pub(super) async fn read_record(&self) -> Result<Option<StoredRecord>, RecordError> {
        let Self { context, watch, prepared, .. } = self;
        let (namespace, component) = (&prepared.namespace, &prepared.component);
        record_store::reload_record(&context.session, namespace, &watch.record_reads, component).await
    }

    pub(super) async fn reload(&mut self) -> Result<(), Failure> {
        self.record = self.read_record().await.map_err(|error| self.record_failure(error))?;
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
                self.check_size(&object, scaling.to)?;
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
        self.check_size(&object, rolling.to.replicas)?;
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

    /// Fails as a conflict if an accepted write has left another size than the written one.
    fn check_size(&self, object: &DynamicObject, written: u32) -> Result<(), ClusterError> {
        let kind = self.prepared.desired.kind;
        let size = observe_workload(kind, object).replicas;
        if size == written {
            return Ok(());
        }
        let (noun, name) = (kind.noun(), object.name_any());
        Err(ClusterError::Conflict(format!(
            "{noun} `{name}` has {size} replicas after {written} were written, which an admission policy or webhook \
             can cause"
        )))
    }

    /// The target's workload, rendered from its revision.
    fn body(&self, replicas: u32, partition: u32) -> Result<Value, ClusterError> {
        let target = &self.prepared.target;
        revision::render_revision(target, replicas, partition)
            .ok_or_else(|| ClusterError::Invalid(format!("revision `{}` contains no workload", target.name)))
    }

    /// Creates the target without replicas, so that it does no harm if this run has been superseded.
    pub(super) async fn create(&mut self, epoch: Epoch) -> Result<(), ClusterError> {
        self.claim.is_confirmed = false;
        let body = self.body(0, 0)?;
        let revision = &self.prepared.desired.target;
        let object = self.workloads().create(body, revision, epoch).await?;
        self.absorb(&object);
        self.note_signs(&object, &[]);
        self.emit(EventKind::WorkloadCreated { workload: self.prepared.desired.workload.clone() });
        Ok(())
    }

    /// Deletes a drained source. The delete names the version, so the source is read first: its status may have changed
    /// since it was planned.
    async fn delete(&mut self, workload: String, uid: &Uid) -> Result<(), ClusterError> {
        let Some(object) = self.workloads().find(&workload).await? else {
            self.watch.cache.remove(uid);
            return Ok(());
        };
        self.absorb(&object);
        let seen = observe_workload(self.prepared.desired.kind, &object);
        if seen.uid != *uid || seen.replicas > 0 || seen.epoch != self.claim.epoch {
            return Err(ClusterError::Conflict(format!("deployment `{workload}` has changed")));
        }
        let deletion = self.workloads().delete(&seen).await?;
        self.watch.cache.remove(uid);
        self.report_workload_deletion(&deletion, workload);
        Ok(())
    }

    /// Checks whether the target was deleted, or is only missing from the cache.
    pub(super) async fn confirm_loss(&mut self) -> Result<(), Failure> {
        self.observe_again().await?;
        let Desired { workload, kind, .. } = &self.prepared.desired;
        let observed = self.observe();
        let is_same = observed
            .workload(workload)
            .is_some_and(|found| self.claim.known_target.as_ref() == Some(&found.uid));
        if is_same {
            return Ok(());
        }
        if let Some(object) = self.read_target().await?
            && self.claim.known_target.as_ref() == Some(&observe_workload(*kind, &object).uid)
        {
            let labelled = [LabelledWorkload::of(*kind, &object)];
            if let Some(foreign) = self.prepared.ownership.foreign(&labelled).pop() {
                let reason = format!("{}: it was modified by another client", foreign.reason);
                let failure = Failure::new(FailureKind::ExternalChange, reason);
                let component = &self.prepared.component;
                return Err(match labelled[0].is_labelled(component) {
                    true => failure,
                    false => failure.hint(restore_label(*kind, workload, component)),
                });
            }
        }
        let reason = format!("{} `{workload}` was deleted while its rollout was waiting", kind.noun());
        Err(self.in_lost_namespace(Failure::new(FailureKind::NotReady, reason)).await)
    }

    /// Extends the failure for a deleted object if its namespace is missing or being deleted.
    pub(super) async fn in_lost_namespace(&self, failure: Failure) -> Failure {
        let namespace = &self.prepared.namespace;
        match constraints::namespace_phase(&self.context.session, namespace).await {
            Ok(IfPermitted::Known(NamespacePhase::Missing | NamespacePhase::Terminating)) => {
                let lost = Failure::lost_namespace(namespace);
                Failure {
                    reason: format!("{}: {}", failure.reason, lost.reason),
                    hints: lost.hints,
                    ..failure
                }
            }
            Ok(IfPermitted::Known(NamespacePhase::Active) | IfPermitted::Denied(_)) | Err(_) => failure,
        }
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
