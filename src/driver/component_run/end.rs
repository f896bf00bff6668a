//! How a run ends, and the record of it.

use std::time::Duration;

use crate::cluster::record_store::{self, RecordError};
use crate::cluster::revision_store;
use crate::driver::checks::target::image_drift;
use crate::driver::component_run::ComponentRun;
use crate::driver::evidence;
use crate::driver::hooks::{FinalPhase, call_final_hooks};
use crate::driver::outcome::{ComponentOutcome, Failure, FailureKind, HoldPoint};
use crate::driver::prepare::in_use;
use crate::oam::revision::{HISTORY_LIMIT, StoredRevision, prunable};
use crate::plan::action::Action;
use crate::plan::run::{Outcome, Run};
use crate::plan::step::{Step, plan};
use crate::report::event::EventKind;

/// How long recording a failure may take. It delays the report, and the run can be resumed without it.
const RECORDED_WITHIN: Duration = Duration::from_secs(30);

impl ComponentRun<'_> {
    /// Whether a quorum read confirms that everything is as desired.
    pub(super) async fn is_final(&mut self) -> Result<bool, Failure> {
        self.observe_again().await?;
        let observed = self.observe();
        Ok(plan(&observed, &self.prepared.desired) == Step::Act(Action::Finish))
    }

    pub(super) async fn hold(&mut self, batch: usize) -> Result<ComponentOutcome, Failure> {
        if self.has_claimed() {
            self.conclude(Outcome::Held, None).await?;
        }
        Ok(ComponentOutcome::Held { at: HoldPoint::Batch(batch) })
    }

    pub(super) async fn finish(&mut self) -> Result<ComponentOutcome, Failure> {
        let prepared = self.prepared;
        let strange = image_drift(&prepared.desired, &prepared.target, &self.observe().workloads);
        if let Some(message) = strange.filter(|message| !prepared.warnings.contains(message)) {
            self.emit(EventKind::Warned { message });
        }
        self.conclude(Outcome::Succeeded, None).await?;
        self.prune().await;
        Ok(ComponentOutcome::Succeeded { changed: true })
    }

    /// Records how the run ended, unless another run has claimed the component since.
    pub(super) async fn conclude(
        &mut self,
        outcome: Outcome,
        message: Option<String>,
    ) -> Result<(), Failure> {
        let finished = Some(self.context.session.clock().now());
        self.amend(|run| {
            run.outcome = outcome;
            run.finished = finished;
            run.message.clone_from(&message);
        })
        .await
    }

    /// Changes the record of the run, unless another run has claimed since. A change that is already recorded, such as
    /// one whose response was lost, is not written again.
    pub(super) async fn amend(&mut self, change: impl Fn(&mut Run)) -> Result<(), Failure> {
        loop {
            let Some(held) =
                self.record.clone().filter(|stored| Some(stored.record.epoch) == self.claim.epoch)
            else {
                return Err(self.superseded().await);
            };
            let mut record = held.record.clone();
            change(&mut record.run);
            if held.record == record {
                return Ok(());
            }
            self.await_lease().await?;
            match record_store::update_record(&self.context.session, &self.prepared.namespace, &held, &record)
                .await
            {
                Ok(stored) => {
                    self.record = Some(stored);
                    return Ok(());
                }
                Err(RecordError::Cluster(error)) => self.recover(error).await?,
                Err(error @ RecordError::Unusable { .. }) => return Err(self.record_failure(error)),
            }
        }
    }

    /// Records a failure that leaves the run resumable, and adds the evidence.
    pub(super) async fn fail(&mut self, mut failure: Failure) -> ComponentOutcome {
        // If the cluster is unreachable, the record keeps showing the run as in progress.
        let outcome = match failure.kind {
            FailureKind::Interrupted => Some(Outcome::Interrupted),
            FailureKind::NotReady
            | FailureKind::GateFailed
            | FailureKind::Denied
            | FailureKind::ExternalChange
            | FailureKind::Internal => Some(Outcome::Failed),
            FailureKind::Cluster | FailureKind::Invalid | FailureKind::Refused | FailureKind::Superseded => {
                None
            }
        };
        if let (Some(outcome), Some(_)) = (outcome, self.claim.epoch) {
            if let (Outcome::Failed, Some(stored)) = (outcome, &self.record) {
                let namespace = &self.prepared.namespace;
                let warn = |message| self.emit(EventKind::Warned { message });
                call_final_hooks(self.context, namespace, &stored.record, FinalPhase::Failing, warn).await;
            }
            let clock = self.context.session.clock().clone();
            // The record keeps the diagnosis for users who did not see the output.
            let known = self.diagnosis.lines.first().filter(|known| !failure.reason.contains(*known));
            let message =
                known.map_or_else(|| failure.reason.clone(), |known| format!("{}; {known}", failure.reason));
            let recorded = self.conclude(outcome, Some(message));
            let obstacle = match clock.within(RECORDED_WITHIN, recorded).await {
                Some(Ok(())) => None,
                Some(Err(later)) if later.kind == FailureKind::Superseded => {
                    return ComponentOutcome::Failed(later);
                }
                Some(Err(later)) if later.reason == failure.reason => None,
                Some(Err(later)) => Some(later.reason),
                None => Some(format!("no answer after {}s", RECORDED_WITHIN.as_secs())),
            };
            let lost = obstacle.map(|obstacle| format!("the outcome could not be recorded: {obstacle}"));
            failure.evidence.extend(lost);
        }
        let may_have_pods = self.gates.wait.is_none();
        if may_have_pods && matches!(failure.kind, FailureKind::NotReady | FailureKind::Denied) {
            failure.evidence.extend(evidence::collect_diagnostics(self).await);
        }
        failure.hints.extend(evidence::next_steps(self, failure.kind));
        ComponentOutcome::Failed(failure)
    }

    pub(super) async fn superseded(&mut self) -> Failure {
        // A run that took over may have taken over the other components, too.
        if let Some(leadership) = self.leadership {
            leadership.lease.doubt();
        }
        let is_claimed = self.record.as_ref().map(|stored| stored.record.epoch) > self.claim.epoch;
        let reloaded = self.reload().await;
        let component = &self.prepared.component;
        let run = self.record.as_ref().filter(|_| reloaded.is_ok()).map(|stored| &stored.record.run);
        let reason = match run {
            None if reloaded.is_ok() && !is_claimed => {
                let reason = format!("the run record of component `{component}` was deleted during its run");
                let failure = Failure::new(FailureKind::NotReady, reason).hint("rerun the same command");
                return self.in_lost_namespace(failure).await;
            }
            None if reloaded.is_ok() => format!("component `{component}` was deleted during its run"),
            // `rollout delete` claims the component that it deletes, and records the run as superseded.
            Some(run) if run.outcome == Outcome::Superseded => {
                format!("component `{component}` is being deleted")
            }
            Some(run) => format!("component `{component}` was taken over by `{}`", run.by),
            None => format!("the run of component `{component}` was taken over"),
        };
        Failure::new(FailureKind::Superseded, reason).hint(format!("see `rollout status {component}`"))
    }

    pub(super) fn external_change(&self, workload: &str) -> Failure {
        let noun = self.prepared.desired.kind.noun();
        let reason =
            format!("the spec of {noun} `{workload}` was modified by another client during the rollout");
        Failure::new(FailureKind::ExternalChange, reason)
            .hint("rerun the same command to continue from the current state and overwrite that change")
    }

    /// Removes unused revisions beyond the history limit; those that cannot be removed are left to the next run.
    async fn prune(&mut self) {
        let observed = self.observe();
        let in_use = in_use(self.prepared, &observed);
        // Only revisions that this application recorded: those of other tools are not ours to remove.
        let is_ours = |one: &&StoredRevision| one.application.as_ref() == Some(&self.prepared.application);
        let mut stored: Vec<StoredRevision> = self.prepared.stored.iter().filter(is_ours).cloned().collect();
        if !stored.iter().any(|one| one.name == self.prepared.target.name) {
            stored.push(self.prepared.target.clone());
        }
        let mut removed = Vec::new();
        for revision in prunable(&stored, &in_use, HISTORY_LIMIT) {
            match revision_store::delete_revision(&self.context.session, &self.prepared.namespace, revision)
                .await
            {
                Ok(()) => removed.push(revision.name.clone()),
                Err(error) => {
                    let message = format!("revision `{}` could not be deleted: {error}", revision.name);
                    self.emit(EventKind::Warned { message });
                }
            }
        }
        if !removed.is_empty() {
            self.emit(EventKind::RevisionsPruned { revisions: removed });
        }
    }
}
