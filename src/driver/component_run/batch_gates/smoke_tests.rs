//! Smoke tests: each is a Job that is created once and found by its name.
//!
//! The Job is kept until its point of the run is recorded as passed, so that a process that resumes the run before that
//! finds how the test ended. Jobs that a dead process left behind are removed when the run is resumed, or when another
//! run replaces it.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use crate::cluster::error::ClusterError;
use crate::cluster::smoke_job::{
    JobState, SmokeJobOwner, create_smoke_job, delete_smoke_job, explain_smoke_job, find_smoke_job,
    list_smoke_jobs, revision_addresses, smoke_job_body,
};
use crate::driver::component_run::ComponentRun;
use crate::driver::component_run::batch_gates::{GateTurn, place};
use crate::driver::outcome::{Failure, FailureKind};
use crate::oam::smoke_test::{SmokeTest, SmokeVariables, smoke_job_name, smoke_job_spec};
use crate::plan::gate_place::GatePlace;
use crate::plan::gate_point::{BatchGate, GatePoint, gates_at, points_from};
use crate::plan::observed::Observed;
use crate::plan::run::RunSpec;
use crate::probe::GateValues;
use crate::report::event::EventKind;

/// How often a running Job is read.
const READ_EVERY: Duration = Duration::from_secs(1);

impl ComponentRun<'_> {
    /// Starts a smoke test, or waits for its end. It may take as long as a batch.
    pub(super) async fn smoke_turn(
        &mut self,
        observed: &Observed,
        point: GatePoint,
        test: &SmokeTest,
    ) -> Result<GateTurn, Failure> {
        let Some(spec) = observed.record.as_ref().map(|record| record.run.spec.clone()) else {
            return Ok(GateTurn::Open);
        };
        let (now, on) = (self.context.session.clock().moment(), format!("smoke test `{}`", test.name));
        let due = self.gates.visit.as_ref().map_or(now, |visit| visit.due);
        if now < due {
            self.wait_at_gate(observed, point, on, due.saturating_since(now)).await?;
            return Ok(GateTurn::Again);
        }
        if let Some(visit) = &mut self.gates.visit {
            visit.due = now.plus(READ_EVERY);
        }
        let (prepared, session) = (self.prepared, self.context.session.clone());
        let name = self.smoke_job(&spec, point, test);
        let place = place(observed, point);
        let found = find_smoke_job(&session, &prepared.namespace, &prepared.component, &name).await?;
        let reason = match found.map(|job| job.state) {
            None => {
                self.start_smoke_test(observed, point, test, &name).await?;
                return Ok(GateTurn::Again);
            }
            Some(JobState::Succeeded) => {
                self.advance_gate(1);
                return Ok(GateTurn::Again);
            }
            Some(JobState::Running) => {
                let Some(limit) = self.exceeded_limit() else { return Ok(GateTurn::Again) };
                format!("{place}, {on} has not ended after {limit} (`--batch-timeout`)")
            }
            Some(JobState::Failed(reason)) => format!("{place}, {on} failed: {reason}"),
            Some(JobState::Foreign) => {
                let reason =
                    format!("{place}, {on} cannot start: job `{name}` exists and belongs to something else");
                return Err(Failure::new(FailureKind::GateFailed, reason).hint("delete or rename the job"));
            }
        };
        let lines = self.context.limits.logs;
        let evidence = explain_smoke_job(&session, &prepared.namespace, &name, lines).await;
        self.remove_smoke_job(&name).await?;
        Err(Failure { evidence, ..Failure::new(FailureKind::GateFailed, reason) })
    }

    /// The name of a test's Job. It stays the same when the run is resumed, which keeps the run's start time.
    fn smoke_job(&self, spec: &RunSpec, point: GatePoint, test: &SmokeTest) -> String {
        let started = self.record.as_ref().map(|stored| stored.record.run.started.to_string());
        let (application, component) = (&self.prepared.application, &self.prepared.component);
        let started = started.unwrap_or_default();
        let key = format!("{application}/{component}/{started}/{}/{}", point.ordinal(spec), test.name);
        smoke_job_name(component, &test.name, &key)
    }

    async fn start_smoke_test(
        &mut self,
        observed: &Observed,
        point: GatePoint,
        test: &SmokeTest,
        name: &str,
    ) -> Result<(), Failure> {
        let (prepared, session) = (self.prepared, self.context.session.clone());
        let Some(stored) = self.record.clone() else { return Ok(()) };
        let revision = &stored.record.run.spec.target;
        let addresses =
            revision_addresses(&session, &prepared.namespace, &prepared.component, revision).await;
        let mut variables = smoke_variables(&self.gate_values(observed, point));
        variables.push(("ROLLOUT_ADDRESSES", addresses.join(",")));
        let owner = SmokeJobOwner {
            application: &prepared.application,
            component: &prepared.component,
            record: Some(&stored),
        };
        let job = smoke_job_body(name, owner, &smoke_job_spec(test, &variables));
        self.await_lease().await?;
        // The server cannot reject a late create, so the claim is confirmed before it, and once more after it.
        self.confirm_epoch(stored.record.epoch).await?;
        if self.is_paused() {
            return Ok(());
        }
        match create_smoke_job(&session, &prepared.namespace, &job).await {
            Ok(()) => match self.confirm_epoch(stored.record.epoch).await {
                Err(failure) if failure.kind == FailureKind::Superseded => {
                    self.withdraw_smoke_job(name, stored.record.run.started).await;
                    Err(failure)
                }
                confirmed => confirmed,
            },
            // The next read finds the Job, even if it comes from a request that was never answered.
            Err(ClusterError::AlreadyExists(_)) => Ok(()),
            Err(error) => self.recover(error).await,
        }
    }

    /// Removes the Job that this process has just created, unless the recorded run is still the one that began at
    /// `started`: then another process has resumed that run, and needs the Job.
    async fn withdraw_smoke_job(&self, name: &str, started: Timestamp) {
        if self.recorded().is_some_and(|record| record.run.started == started) {
            return;
        }
        let (prepared, session) = (self.prepared, &self.context.session);
        let found = find_smoke_job(session, &prepared.namespace, &prepared.component, name).await;
        if let Some(job) = found.ok().flatten().filter(|job| job.state != JobState::Foreign) {
            // If the Job cannot be removed now, its time to live removes it.
            delete_smoke_job(session, &prepared.namespace, &job).await.ok();
        }
    }

    /// The names of the Jobs of a point.
    pub(super) fn smoke_jobs(
        &self,
        spec: &RunSpec,
        point: GatePoint,
        gates: &[BatchGate<'_>],
    ) -> BTreeSet<String> {
        let name = |gate: &BatchGate<'_>| match gate {
            BatchGate::SmokeTest(test) => Some(self.smoke_job(spec, point, test)),
            BatchGate::Window(_) | BatchGate::Hook(_) | BatchGate::Soak(_) | BatchGate::Metric(_) => None,
        };
        gates.iter().filter_map(name).collect()
    }

    /// The names of the Jobs of all points of a run after the first `passed`.
    fn smoke_jobs_ahead(&self, spec: &RunSpec, passed: u32) -> BTreeSet<String> {
        let points = points_from(spec, passed);
        points.flat_map(|point| self.smoke_jobs(spec, point, &gates_at(&spec.gates, point))).collect()
    }

    /// Removes, once, the Jobs that a process left behind at points that are passed.
    pub(super) async fn sweep_smoke_jobs(
        &mut self,
        spec: &RunSpec,
        place: &GatePlace,
    ) -> Result<(), Failure> {
        let is_needless = place.is_new() || spec.gates.all_smoke_tests().next().is_none();
        if std::mem::replace(&mut self.gates.has_swept_smoke_jobs, true) || is_needless {
            return Ok(());
        }
        self.remove_smoke_jobs(&self.smoke_jobs_ahead(spec, place.passed)).await
    }

    /// Removes the Jobs of a run that this one has replaced. If the user may not remove Jobs, that is only a warning:
    /// the new run may not need that right.
    pub(in crate::driver::component_run) async fn remove_replaced_smoke_jobs(
        &mut self,
    ) -> Result<(), Failure> {
        match self.remove_smoke_jobs(&BTreeSet::new()).await {
            Err(Failure { kind: FailureKind::Refused | FailureKind::Denied, reason, .. }) => {
                let message = format!("jobs of earlier smoke tests were not removed: {reason}");
                self.emit(EventKind::Warned { message });
                Ok(())
            }
            removed => removed,
        }
    }

    /// Removes the Jobs of the run before this one, in case the process that replaced that run died before it could.
    /// Whether that run had any is not recorded, so a user without permissions for Jobs is not warned.
    pub(in crate::driver::component_run) async fn remove_forgotten_smoke_jobs(
        &mut self,
    ) -> Result<(), Failure> {
        let Some(spec) = self.recorded().map(|record| record.run.spec.clone()) else { return Ok(()) };
        match self.remove_smoke_jobs(&self.smoke_jobs_ahead(&spec, 0)).await {
            Err(Failure { kind: FailureKind::Refused | FailureKind::Denied, .. }) => Ok(()),
            removed => removed,
        }
    }

    async fn remove_smoke_jobs(&mut self, kept: &BTreeSet<String>) -> Result<(), Failure> {
        let (prepared, session) = (self.prepared, self.context.session.clone());
        let found = list_smoke_jobs(&session, &prepared.namespace, &prepared.component).await?;
        for job in found.iter().filter(|job| !kept.contains(&job.name)) {
            self.remove_smoke_job(&job.name).await?;
        }
        Ok(())
    }

    /// Removes a Job, unless it is somebody else's.
    pub(super) async fn remove_smoke_job(&mut self, name: &str) -> Result<(), Failure> {
        let (prepared, session) = (self.prepared, self.context.session.clone());
        loop {
            let found = find_smoke_job(&session, &prepared.namespace, &prepared.component, name).await?;
            let Some(job) = found.filter(|job| job.state != JobState::Foreign) else { return Ok(()) };
            self.await_lease().await?;
            match delete_smoke_job(&session, &prepared.namespace, &job).await {
                Ok(()) => return Ok(()),
                Err(error) => self.recover(error).await?,
            }
        }
    }
}

/// The environment variables of a test, except for the addresses of the pods.
fn smoke_variables(values: &GateValues) -> SmokeVariables {
    const NAMES: [(&str, &str); 6] = [
        ("ROLLOUT_APPLICATION", "application"),
        ("ROLLOUT_COMPONENT", "component"),
        ("ROLLOUT_NAMESPACE", "namespace"),
        ("ROLLOUT_REVISION", "revision"),
        ("ROLLOUT_SOURCE", "source"),
        ("ROLLOUT_BATCH", "batch"),
    ];
    let value = |name: &str| values.get(name).cloned().unwrap_or_default();
    NAMES.into_iter().map(|(variable, name)| (variable, value(name))).collect()
}
