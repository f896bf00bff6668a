//! Handles a pause: the process writes nothing and waits until a user resumes the run or another process takes over.

use crate::driver::component_run::ComponentRun;
use crate::driver::component_run::wait::REMIND_EVERY;
use crate::driver::outcome::{Failure, FailureKind};
use crate::plan::run::Outcome;
use crate::report::event::EventKind;

impl ComponentRun<'_> {
    /// Takes the record from the watch if it is newer than the known one.
    pub(super) fn apply_watched_record(&mut self) {
        let heard = self.record.as_ref().and_then(|known| self.watch.records.newer_than(known));
        if heard.is_some() {
            self.record = heard;
        }
    }

    /// Whether this run is paused.
    pub(super) fn is_paused(&self) -> bool {
        let record = self.recorded();
        record.is_some_and(|record| Some(record.epoch) == self.claim.epoch && record.run.paused.is_some())
    }

    /// Waits for the end of the pause. The batch's deadline and the current gate restart after it; the run's deadline
    /// keeps running.
    pub(super) async fn wait_while_paused(&mut self) -> Result<(), Failure> {
        self.deadlines.forget_batches();
        self.notice = None;
        // `rollout pause` waits for this: nothing more will be written.
        self.amend(|run| {
            if run.paused.is_some() {
                run.outcome = Outcome::Paused;
            }
        })
        .await?;
        let mut remind = None;
        loop {
            let mut changes = self.watch.records.changes_of(&self.prepared.component);
            self.apply_watched_record();
            let pause = self.record.as_ref().and_then(|stored| stored.record.run.paused.clone());
            let Some(pause) = pause.filter(|_| self.is_paused()) else { break };
            let clock = self.context.session.clock();
            if remind.is_none_or(|remind| clock.moment() >= remind) {
                let observed = self.observe();
                self.emit(EventKind::Paused { progress: self.progress(&observed), by: pause.by });
                remind = Some(clock.moment().plus(REMIND_EVERY));
            }
            tokio::select! {
                biased;
                _ = changes.changed() => self.check_record().await?,
                () = self.context.control.stopped() => {
                    return Err(Failure::new(FailureKind::Interrupted, "interrupted"));
                }
                () = self.deadlines.passed() => self.deadlines.check("the run is paused")?,
                // The watch may have missed the change.
                () = clock.until(remind) => self.reload().await?,
            }
        }
        self.advance_gate(0);
        // The planner detects another claim.
        if self.is_claimed() {
            self.emit(EventKind::Resumed);
            self.amend(|run| {
                if run.paused.is_none() {
                    run.outcome = Outcome::Running;
                }
            })
            .await?;
        }
        Ok(())
    }

    /// Checks whether the paused component was deleted: `rollout delete` does not wait for a paused run.
    async fn check_record(&mut self) -> Result<(), Failure> {
        let component = &self.prepared.component;
        if !self.watch.records.is_deleted(component) {
            return Ok(());
        }
        self.reload().await?;
        if self.record.is_some() {
            return Ok(());
        }
        let reason = format!("component `{component}` was deleted while its run was paused");
        Err(Failure::new(FailureKind::Superseded, reason).hint("see `rollout status`"))
    }
}
