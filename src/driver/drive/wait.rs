//! Waiting: for the cluster, within deadlines, with a word now and then.

use std::time::Duration;

use crate::cluster::clock::Moment;
use crate::driver::context::OnTrouble;
use crate::driver::drive::diagnose::{FIRST_LOOK, Learnt, Look, NEXT_LOOK, NEXT_LOOK_FAST, SECOND_LOOK};
use crate::driver::drive::{Drive, Entered, Lead};
use crate::driver::outcome::{Failure, FailureKind};
use crate::plan::observed::Observed;
use crate::plan::step::Step;
use crate::plan::walk::Waiting;
use crate::report::event::What;

/// How often a wait that does not move is mentioned again.
pub(super) const REMIND_EVERY: Duration = Duration::from_secs(30);

/// How long a controller may take to see a change before that is mentioned.
const SLOW_CONTROLLER: Duration = Duration::from_secs(5);

/// What was said of a wait, and when to speak again.
#[derive(Debug, Clone)]
pub(super) struct Said {
    phrase: String,
    /// When to say it, or to say it again.
    due: Moment,
    /// When to look why nothing moves.
    look: Moment,
    /// Which look that is.
    next: Look,
}

/// Whether a batch turned out to be complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Noticed {
    /// None did.
    Nothing,
    /// At least one did.
    BatchReady,
}

impl Drive<'_> {
    /// No write is sent on a Lease that may have expired.
    pub(super) async fn await_lease(&mut self) -> Result<(), Failure> {
        let Some(Lead { lease, .. }) = self.lead else {
            return Ok(());
        };
        if lease.is_valid() {
            return Ok(());
        }
        if let Some(error) = lease.refusal() {
            return Err(error.into());
        }
        let message = "the lease cannot be renewed; nothing is written until it is".to_owned();
        self.emit(What::Warned { message });
        let session = &self.context.session;
        let clock = session.clock();
        let patience_ends = clock.moment().after(session.outage());
        let batch_deadline = self.batch.and_then(|batch| batch.deadline);
        while !lease.is_valid() {
            tokio::select! {
                () = lease.renewal() => {}
                () = lease.refused() => {
                    if let Some(error) = lease.refusal() {
                        return Err(error.into());
                    }
                }
                () = self.context.control.stopped() => {
                    return Err(Failure::new(FailureKind::Interrupted, "stopped as asked"));
                }
                () = clock.until(batch_deadline) => self.check_deadline("the lease")?,
                () = clock.until(self.run_deadline) => self.check_deadline("the lease")?,
                () = clock.until(patience_ends) => {
                    let reason = "the lease could not be renewed: the API server does not answer properly";
                    return Err(Failure::new(FailureKind::Cluster, reason));
                }
            }
        }
        Ok(())
    }

    /// Waits until the Lease can be renewed no more.
    async fn lease_refused(&self) {
        match self.lead {
            Some(Lead { lease, .. }) => lease.refused().await,
            None => std::future::pending().await,
        }
    }

    pub(super) async fn wait(&mut self, observed: &Observed, waiting: &Waiting) -> Result<(), Failure> {
        let mut changes = self.ground.view.changes();
        let mut words = self.ground.records.changes();
        // Whatever changed between the observation and this line must not be missed.
        let has_news = self.record.as_ref().is_some_and(|known| self.ground.records.since(known).is_some());
        if (has_news && self.held.is_some()) || self.workloads_seen() != observed.workloads {
            return Ok(());
        }
        let clock = self.context.session.clock();
        let phrase = waiting.phrase();
        self.check_deadline(&phrase)?;
        let now = clock.moment();
        let mut said = match self.said.take().filter(|said| said.phrase == phrase) {
            Some(said) => said,
            None => {
                // A controller that takes its time is worth a word only when it takes long.
                let is_brief = matches!(waiting, Waiting::Generation { .. });
                let first = if is_brief { SLOW_CONTROLLER } else { Duration::ZERO };
                Said {
                    phrase: phrase.clone(),
                    due: now.plus(first),
                    look: now.plus(FIRST_LOOK),
                    next: Look::Early,
                }
            }
        };
        if now >= said.due {
            self.emit(What::Waiting { progress: self.progress(observed), on: phrase });
            said.due = now.plus(REMIND_EVERY);
        }
        // One that another component's look is in the way of is put off, not left out.
        said.look = self.context.next_look.get().map_or(said.look, |next| said.look.max(next));
        let look = (now >= said.look).then_some(said.next);
        if let Some(look) = look {
            said.look = now.plus(match look {
                Look::Early => SECOND_LOOK,
                Look::Later => match self.context.limits.on_trouble {
                    OnTrouble::End => NEXT_LOOK_FAST,
                    OnTrouble::Wait => NEXT_LOOK,
                },
            });
            said.next = Look::Later;
        }
        let remind = Some(said.due.min(said.look));
        self.said = Some(said);
        if let Some(look) = look
            && self.look_at_pods(waiting, look).await? == Learnt::Something
        {
            return Ok(());
        }
        let batch_deadline = self.batch.and_then(|batch| batch.deadline);
        tokio::select! {
            _ = changes.changed() => {}
            _ = words.changed() => {}
            () = self.context.control.stopped() => {}
            () = clock.until(remind) => {}
            () = self.lease_refused() => {}
            () = clock.until(batch_deadline) => {}
            () = clock.until(self.run_deadline) => {}
        }
        Ok(())
    }

    /// Starts the batch's clock when it is entered, and reports those before as ready.
    pub(super) fn notice_batch(&mut self, observed: &Observed, step: &Step) -> Noticed {
        let done = match step {
            Step::Scale { batch, .. }
            | Step::Roll { batch, .. }
            | Step::Wait { batch, .. }
            | Step::Hold { batch } => {
                if self.batch.is_none_or(|known| known.index < *batch) {
                    let clock = self.context.session.clock();
                    let deadline = clock.moment().after(self.context.limits.batch);
                    self.batch = Some(Entered { index: *batch, at: clock.elapsed(), deadline });
                    self.move_deadline();
                }
                if matches!(step, Step::Hold { .. }) { batch + 1 } else { *batch }
            }
            Step::Delete { .. } | Step::Finish => usize::MAX,
            Step::Nothing
            | Step::Claim { .. }
            | Step::Stamp { .. }
            | Step::Create
            | Step::Superseded { .. }
            | Step::Disturbed { .. }
            | Step::Refuse(_) => 0,
        };
        if self.held.is_some() { self.report_ready(observed, done) } else { Noticed::Nothing }
    }

    /// Reports every batch below `done` (zero-based) that has not been reported.
    fn report_ready(&mut self, observed: &Observed, done: usize) -> Noticed {
        let Some(spec) = observed.record.as_ref().map(|record| &record.run.spec) else {
            return Noticed::Nothing;
        };
        let done = done.min(spec.batches.len());
        let first = self.ready_batch.map_or(0, |last| last + 1);
        for batch in first..done {
            let mut progress = self.progress(observed);
            progress.batch = batch;
            progress.upgraded = spec.goals()[batch];
            self.emit(What::BatchReady { progress });
            self.ready_batch = Some(batch);
        }
        if first < done { Noticed::BatchReady } else { Noticed::Nothing }
    }
}
