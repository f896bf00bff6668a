//! A pause: the run stands still and its process waits, until a user lets it go on or somebody takes over.

use crate::cluster::record::{self, RecordError};
use crate::driver::drive::Drive;
use crate::driver::drive::wait::REMIND_EVERY;
use crate::driver::outcome::{Failure, FailureKind};
use crate::plan::record::Outcome;
use crate::report::event::What;

impl Drive<'_> {
    /// Takes up what the watch has told of the record since it was read.
    pub(super) fn hear_of_the_record(&mut self) {
        let heard = self.record.as_ref().and_then(|known| self.ground.records.since(known));
        if heard.is_some() {
            self.record = heard;
        }
    }

    /// Whether the run of this claim is paused.
    pub(super) fn is_paused(&self) -> bool {
        let record = self.record.as_ref().map(|stored| &stored.record);
        record.is_some_and(|record| Some(record.epoch) == self.held && record.run.paused.is_some())
    }

    /// Waits for the end of the pause. The clock of the batch begins anew after it; that of the run does not stop.
    pub(super) async fn sit_out(&mut self) -> Result<(), Failure> {
        (self.batch, self.said) = (None, None);
        // Whoever paused the run is told by this that nothing more will be written.
        self.note(Outcome::Paused).await?;
        let mut remind = None;
        loop {
            let mut changes = self.ground.records.changes();
            self.hear_of_the_record();
            let pause = self.record.as_ref().and_then(|stored| stored.record.run.paused.clone());
            let Some(pause) = pause.filter(|_| self.is_paused()) else { break };
            let clock = self.context.session.clock();
            if remind.is_none_or(|remind| clock.moment() >= remind) {
                let observed = self.observe();
                self.emit(What::Paused { progress: self.progress(&observed), by: pause.by });
                remind = Some(clock.moment().plus(REMIND_EVERY));
            }
            tokio::select! {
                _ = changes.changed() => {}
                () = self.context.control.stopped() => {
                    return Err(Failure::new(FailureKind::Interrupted, "stopped as asked"));
                }
                () = clock.until(self.run_deadline) => self.check_deadline("the end of the pause")?,
                // A watch may have missed it.
                () = clock.until(remind) => self.reload().await?,
            }
        }
        // Another claim is the planner's to notice.
        if self.is_claimed() {
            self.emit(What::Resumed);
            self.note(Outcome::Running).await?;
        }
        Ok(())
    }

    fn is_claimed(&self) -> bool {
        self.record.as_ref().map(|stored| stored.record.epoch) == self.held
    }

    /// Writes how the run stands, as long as the claim is ours.
    async fn note(&mut self, outcome: Outcome) -> Result<(), Failure> {
        while let Some(seen) = self.record.clone().filter(|_| self.is_claimed()) {
            if seen.record.run.outcome == outcome || (outcome == Outcome::Paused) != self.is_paused() {
                return Ok(());
            }
            let mut record = seen.record.clone();
            record.run.outcome = outcome;
            self.await_lease().await?;
            match record::amend(&self.context.session, &self.job.namespace, &seen, &record).await {
                Ok(stored) => self.record = Some(stored),
                Err(RecordError::Cluster(error)) => self.recover(error).await?,
                Err(error @ RecordError::Unusable { .. }) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
