//! Runs a component that is applied as a whole: applies its objects stage by stage until all are ready, then deletes
//! what other revisions left behind.
//!
//! Each write names the version of the object that it was decided from, and stamps the object with the claim's epoch,
//! so that the server rejects a write of an earlier claim that is still in flight.

use std::time::Duration;

use futures::future::join_all;
use kube::ResourceExt;
use kube::api::DynamicObject;

use crate::cluster::error::ClusterError;
use crate::cluster::object_watch::{ObjectScope, ReadMode};
use crate::cluster::object_writer::{
    ApplyResult, ConflictPolicy, FieldConflict, WriteMode, apply_object, delete_object, disown_fields,
    reset_strategy, resize_object, take_over_updates,
};
use crate::cluster::served_kind::{ServedKind, find_kind};
use crate::driver::component_run::object_sizes::{size_after, size_before};
use crate::driver::component_run::services::WriteEffect;
use crate::driver::component_run::{ComponentRun, TurnEnd};
use crate::driver::field_conflict::{conflict_failure, is_own, may_take};
use crate::driver::object_owner::Handling;
use crate::driver::outcome::{Failure, FailureKind};
use crate::driver::prepared_objects::{PreparedObject, PreparedObjects, stamp};
use crate::oam::batch_gates::BatchGates;
use crate::oam::object::ObjectRef;
use crate::plan::action::Waiting;
use crate::plan::epoch::Epoch;
use crate::plan::object_readiness::Readiness;
use crate::plan::objects::{ObjectAction, ObservedObject, count_progress, next_object_action};
use crate::plan::observed::{Observed, Workload};
use crate::plan::run::{FrozenBatch, FrozenStrategy, Mode, Run, RunSpec};
use crate::plan::step::Step;
use crate::report::event::{EventKind, ObjectChange, Progress};

/// How often an object that is being deleted is read, since objects of some kinds are not watched.
const DELETION_INTERVAL: Duration = Duration::from_secs(5);

/// The result of applying one object.
enum ApplyOutcome {
    /// It was written.
    Applied(ObjectChange, Box<DynamicObject>),
    /// It was deleted, and has to be recreated.
    Deleted,
    /// It is being deleted, and has to be recreated once these finalizers are removed.
    Finalizing(String),
    /// It would overwrite a field that another manager owns.
    Refused(Failure),
    /// A later claim has written it.
    Superseded,
}

impl ComponentRun<'_> {
    /// Observes, plans, and then applies, waits or deletes. Returns how the run ends, if it does.
    pub(super) async fn object_turn(
        &mut self,
        objects: &PreparedObjects,
    ) -> Result<Option<TurnEnd>, Failure> {
        if let Some(error) = self.watch.objects.cache.failure() {
            return Err(error.into());
        }
        let Some(epoch) = self.claim.epoch else { return self.begin_objects(objects).await };
        self.ensure_claimed(epoch).await?;
        if !self.prerequisites.is_target_recorded {
            self.ensure_leader().await?;
            self.record_target().await?;
            return Ok(None);
        }
        // Stamp what this run replaces, so that no earlier run can change it.
        let is_behind = |one: &Workload| one.epoch != Some(epoch) && !one.deleting;
        if let Some(behind) = self.left_workloads(objects).into_iter().find(is_behind) {
            let observed = self.observe();
            return self.act(&observed, Step::Stamp { workload: behind.name }).await.map(|()| None);
        }
        let seen = objects.observe(&self.watch.objects.cache, Some(epoch));
        match next_object_action(&seen, !self.prerequisites.are_leftovers_gone) {
            ObjectAction::Apply(due) => self.apply_objects(objects, &due, epoch).await?,
            ObjectAction::Wait { object, reason } => {
                self.wait_for_object(objects, &seen, object, reason).await?;
            }
            ObjectAction::Fail { object, reason } => return Err(self.object_failure(&seen, object, &reason)),
            ObjectAction::DeleteLeftovers => self.delete_leftovers(objects, epoch).await?,
            ObjectAction::Finish => {
                self.observe_again().await?;
                let seen = objects.observe(&self.watch.objects.cache, Some(epoch));
                if next_object_action(&seen, false) == ObjectAction::Finish {
                    return Ok(Some(TurnEnd::Final));
                }
            }
        }
        Ok(None)
    }

    /// The turn before the claim: claims the run, or waits if there is nothing to write.
    async fn begin_objects(&mut self, objects: &PreparedObjects) -> Result<Option<TurnEnd>, Failure> {
        let observed = self.observe();
        let seen = objects.observe(&self.watch.objects.cache, None);
        let is_unclaimed = self.record == self.prepared.record;
        if is_unclaimed && self.prepared.are_objects_at_rest() == Some(true) {
            return match next_object_action(&seen, false) {
                ObjectAction::Wait { object, reason } => {
                    self.deadlines.enter_batch(0);
                    self.wait_for_object(objects, &seen, object, reason).await.map(|()| None)
                }
                ObjectAction::Fail { object, reason } => Err(self.object_failure(&seen, object, &reason)),
                ObjectAction::Apply(_) | ObjectAction::DeleteLeftovers | ObjectAction::Finish => {
                    Ok(Some(TurnEnd::AtRest))
                }
            };
        }
        self.check_claim()?;
        let step = self.claim_of_objects(objects, &observed);
        self.act(&observed, step).await?;
        if self.has_claimed() {
            self.begin_only_batch(objects);
        }
        Ok(None)
    }

    /// The claim of a new run of all objects, or of a resumed one.
    pub(super) fn claim_of_objects(&self, objects: &PreparedObjects, observed: &Observed) -> Step {
        let target = &self.prepared.desired.target;
        let recorded = observed.record.as_ref().map(|record| &record.run);
        let same = recorded.filter(|run| run.spec.mode == Mode::Apply && run.spec.target == *target);
        let resumed = same.filter(|run| run.outcome.is_resumable()).map(|run| run.spec.clone());
        let resumes = resumed.is_some();
        Step::Claim { spec: resumed.unwrap_or_else(|| self.framed(objects, recorded)), resumes }
    }

    /// Starts the only batch under a new claim.
    pub(super) fn begin_only_batch(&mut self, objects: &PreparedObjects) {
        self.deadlines.forget_batches();
        self.deadlines.enter_batch(0);
        self.watch_kinds(objects);
    }

    /// The run to claim, with all objects in one batch.
    fn framed(&self, objects: &PreparedObjects, recorded: Option<&Run>) -> RunSpec {
        let target = &self.prepared.desired.target;
        let size = size_after(objects);
        let present = match recorded {
            Some(run) if run.spec.mode == Mode::Apply => size_before(objects),
            Some(_) | None => self.workloads_seen().iter().map(|workload| workload.replicas).sum(),
        };
        // In the middle of a run, there are more pods than any run requested.
        let unfinished = recorded.filter(|run| run.outcome.is_resumable());
        let before = unfinished.map_or(present, |run| run.spec.original_size);
        let source = recorded.map(|run| &run.spec.target).filter(|source| *source != target);
        RunSpec {
            mode: Mode::Apply,
            kind: self.prepared.desired.kind,
            target: target.clone(),
            sources: source.into_iter().cloned().collect(),
            original_size: before,
            target_start: 0,
            target_size: size,
            batches: vec![FrozenBatch { size, max_unavailable: 0 }],
            partition: None,
            strategy: FrozenStrategy::IncreaseFirst,
            is_return: false,
            gates: BatchGates::default(),
            objects: objects.objects.iter().map(|object| object.reference.clone()).collect(),
        }
    }

    /// Starts watching the kinds of the objects.
    fn watch_kinds(&self, objects: &PreparedObjects) {
        let awaited = objects.objects.iter().filter(|object| object.is_awaited());
        let scopes = awaited.filter_map(|object| {
            let is_selected = |before| self.watch.objects.is_selected(before);
            let is_elsewhere =
                object.handling == Handling::Keep && !object.before.as_ref().is_some_and(is_selected);
            let ObjectRef { namespace, name, .. } = object.reference.clone();
            Some(ObjectScope { kind: object.kind.clone()?, namespace, name: is_elsewhere.then_some(name) })
        });
        self.watch.objects.watch_scopes(scopes);
    }

    /// Applies the objects of one stage concurrently.
    async fn apply_objects(
        &mut self,
        objects: &PreparedObjects,
        due: &[usize],
        epoch: Epoch,
    ) -> Result<(), Failure> {
        self.ensure_leader().await?;
        let indices = due;
        let due: Vec<&PreparedObject> = due.iter().filter_map(|index| objects.objects.get(*index)).collect();
        // The server cannot reject a late create of an object that a later claim does not contain.
        if due.iter().any(|object| self.watch.objects.cache.get(&object.reference).is_none()) {
            self.confirm_epoch(epoch).await?;
        }
        let written = join_all(due.iter().map(|object| self.apply_one(objects, object, epoch))).await;
        self.pass_on_warnings();
        let (mut refused, mut failed) = (None, None);
        let (mut is_superseded, mut is_outdated) = (false, false);
        let mut finalizing = None;
        for ((object, index), written) in due.iter().zip(indices).zip(written) {
            match written {
                Ok(ApplyOutcome::Applied(change, live)) => {
                    self.watch.objects.cache.apply(&object.reference, &live);
                    // An object that was as rendered has only been stamped.
                    if !object.before.as_ref().is_some_and(|before| object.is_same(before)) {
                        self.emit(EventKind::ObjectApplied { object: object.reference.to_string(), change });
                    }
                    self.writes.accept();
                }
                Ok(ApplyOutcome::Deleted) => {
                    self.emit(EventKind::ObjectDeleted { object: object.reference.to_string() });
                    self.writes.accept();
                    is_outdated = true;
                }
                Ok(ApplyOutcome::Finalizing(finalizers)) => {
                    finalizing = finalizing.or_else(|| {
                        Some((*index, format!("being deleted, blocked by its finalizers: {finalizers}")))
                    });
                }
                Ok(ApplyOutcome::Refused(failure)) => refused = refused.or(Some(failure)),
                Ok(ApplyOutcome::Superseded) => is_superseded = true,
                // Another component creates the namespace.
                Err(error)
                    if error.is_missing_namespace() && !error.names_namespace(&self.prepared.namespace) =>
                {
                    failed = failed.or_else(|| Some(ClusterError::transient(error.to_string())));
                }
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        if is_superseded {
            return Err(self.superseded().await);
        }
        match (refused, failed, finalizing) {
            (Some(failure), ..) => Err(failure),
            (None, Some(error), _) => self.recover(error).await,
            (None, None, _) if is_outdated => Ok(self.refresh_objects().await?),
            (None, None, Some((index, reason))) => {
                let seen = objects.observe(&self.watch.objects.cache, Some(epoch));
                let clock = self.context.session.clock().clone();
                let waiting = self.wait_for_object(objects, &seen, index, reason);
                clock.within(DELETION_INTERVAL, waiting).await.transpose()?;
                Ok(self.refresh_objects().await?)
            }
            (None, None, None) => Ok(()),
        }
    }

    async fn apply_one(
        &self,
        objects: &PreparedObjects,
        object: &PreparedObject,
        epoch: Epoch,
    ) -> Result<ApplyOutcome, ClusterError> {
        let session = &self.context.session;
        let kind = self.served(object).await?;
        let namespace = object.reference.namespace.as_deref();
        let live = self.watch.objects.cache.get(&object.reference);
        if live.as_ref().and_then(stamp) > Some(epoch) {
            return Ok(ApplyOutcome::Superseded);
        }
        if let Some(old) = live.as_ref().filter(|live| object.is_to_be_recreated(live)) {
            if old.metadata.deletion_timestamp.is_some() {
                return Ok(ApplyOutcome::Finalizing(old.finalizers().join(", ")));
            }
            delete_object(session, &kind, old).await?;
            return Ok(ApplyOutcome::Deleted);
        }
        let existed = live.is_some();
        let live = match live {
            Some(seen) => Some(self.prepare_for_apply(object, &kind, seen).await?),
            None => None,
        };
        let apply = |on_conflict| {
            let body = object.stamped_body(live.as_ref(), epoch);
            apply_object(session, &kind, namespace, body, live.as_ref(), on_conflict, WriteMode::Persist)
        };
        let mut answer = apply(ConflictPolicy::Report).await?;
        let mut reclaimed = Vec::new();
        if let ApplyResult::Conflicts(conflicts) = &answer {
            if let Some(conflict) = conflicts.iter().find(|conflict| !may_take(object, conflict)) {
                return Ok(ApplyOutcome::Refused(conflict_failure(object, conflict)));
            }
            reclaimed.extend(conflicts.iter().filter(|one| !is_own(one)).cloned());
            answer = apply(ConflictPolicy::Force).await?;
        }
        for FieldConflict { manager, field } in reclaimed {
            let message =
                format!("{}: field `{field}` was changed by `{manager}`, and is set again", object.reference);
            self.emit(EventKind::Warned { message });
        }
        let ApplyResult::Applied(applied) = answer else {
            return Err(ClusterError::Conflict(format!("{} has changed", object.reference)));
        };
        let change = if existed { ObjectChange::Configured } else { ObjectChange::Created };
        match objects.size_to_give(object, &applied) {
            None => Ok(ApplyOutcome::Applied(change, applied)),
            Some(size) => {
                let resized = resize_object(session, &kind, &applied, size).await?;
                Ok(ApplyOutcome::Applied(change, Box::new(resized)))
            }
        }
    }

    /// Prepares a live object for what is about to be applied. Returns the object after that.
    async fn prepare_for_apply(
        &self,
        object: &PreparedObject,
        kind: &ServedKind,
        mut seen: DynamicObject,
    ) -> Result<DynamicObject, ClusterError> {
        let session = &self.context.session;
        seen = take_over_updates(session, kind, &seen).await?.unwrap_or(seen);
        if object.handling == Handling::Adopt {
            seen = disown_fields(session, kind, &seen, &object.body).await?.unwrap_or(seen);
        }
        if object.resets_strategy(&seen) {
            seen = reset_strategy(session, kind, &seen).await?;
        }
        Ok(seen)
    }

    /// How the kind of an object is served; an earlier stage may have defined it.
    async fn served(&self, object: &PreparedObject) -> Result<ServedKind, ClusterError> {
        if let Some(kind) = &object.kind {
            return Ok(kind.clone());
        }
        let (api_version, kind) = (&object.reference.api_version, &object.reference.kind);
        let found = find_kind(&self.context.session, api_version, kind).await?;
        found.ok_or_else(|| ClusterError::transient(format!("`{kind}` in `{api_version}` is not served yet")))
    }

    async fn wait_for_object(
        &mut self,
        objects: &PreparedObjects,
        seen: &[ObservedObject],
        index: usize,
        reason: String,
    ) -> Result<(), Failure> {
        self.watch_kinds(objects);
        let Some(object) = seen.get(index) else { return Ok(()) };
        self.note_awaited(&object.reference);
        let name = object.reference.to_string();
        let waiting = match object.readiness {
            Readiness::Unobserved => Waiting::Generation { workload: name },
            Readiness::Ready | Readiness::Unready(_) | Readiness::Failed(_) => {
                Waiting::Object { object: name, reason, has_pods: object.pods.is_some() }
            }
        };
        let observed = self.observe();
        self.wait(&observed, &waiting).await
    }

    /// Why the run ends at an object that will not become ready.
    fn object_failure(&mut self, seen: &[ObservedObject], index: usize, reason: &str) -> Failure {
        let Some(object) = seen.get(index).map(|object| &object.reference) else {
            return Failure::new(FailureKind::NotReady, reason);
        };
        self.note_awaited(object);
        let delete = format!("kubectl delete {}", object.kubectl_arguments());
        Failure::new(FailureKind::NotReady, format!("`{object}` has failed: {reason}"))
            .hint(format!("it is not retried: correct the cause, and delete it with `{delete}`"))
    }

    /// Records which object the run waits for, and forgets the symptoms of any other.
    fn note_awaited(&mut self, object: &ObjectRef) {
        if self.diagnosis.awaited.as_ref() != Some(object) {
            self.diagnosis.awaited = Some(object.clone());
            self.diagnosis.baseline = None;
        }
    }

    /// Applies the objects of traits that are due and differ from what is rendered, stage by stage.
    pub(super) async fn apply_trait_objects(
        &mut self,
        objects: &PreparedObjects,
        is_due: impl Fn(&PreparedObject) -> bool,
        epoch: Epoch,
    ) -> Result<WriteEffect, Failure> {
        let seen = objects.observe(&self.watch.objects.cache, Some(epoch));
        let pending = || {
            seen.iter().enumerate().filter(|(index, one)| !one.is_applied && is_due(&objects.objects[*index]))
        };
        let Some(stage) = pending().map(|(_, one)| one.stage).min() else {
            return Ok(WriteEffect::Unchanged);
        };
        let due: Vec<usize> =
            pending().filter(|(_, one)| one.stage == stage).map(|(index, _)| index).collect();
        self.apply_objects(objects, &due, epoch).await?;
        Ok(WriteEffect::Changed)
    }

    /// Refreshes the objects with a quorum read.
    pub(super) async fn refresh_objects(&self) -> Result<(), ClusterError> {
        let session = &self.context.session;
        let reads = self.prepared.all_objects().filter_map(|object| {
            let kind = object.kind.as_ref()?;
            let read_as = if object.is_awaited() { ReadMode::List } else { ReadMode::Single };
            let component = &self.prepared.component;
            Some(self.watch.objects.refresh_object(session, kind, &object.reference, component, read_as))
        });
        join_all(reads).await.into_iter().collect()
    }

    /// The newest epoch that a Service or another object is stamped with.
    pub(super) fn newest_object_stamp(&self) -> Epoch {
        let of_services = self.prepared.component_services.newest_stamp();
        let whole = self.prepared.objects.iter().chain([&self.prepared.trait_objects]);
        let stamps = whole.map(|objects| objects.newest_stamp(&self.watch.objects.cache));
        stamps.max().unwrap_or(Epoch(0)).max(of_services)
    }

    /// The progress of the objects.
    pub(super) fn object_progress(&self, objects: &PreparedObjects) -> Progress {
        let claimed = self.claim.epoch;
        let count = count_progress(&objects.observe(&self.watch.objects.cache, claimed));
        let size = objects.kept_size.unwrap_or(count.wanted).max(count.wanted);
        let source = self.left_workloads(objects).iter().map(|workload| workload.replicas).sum();
        Progress {
            batch: 0,
            batches: 0,
            target_size: size,
            upgraded: count.updated,
            ready: count.ready,
            source,
        }
    }
}
