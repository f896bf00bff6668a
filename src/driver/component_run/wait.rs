//! Waits for the cluster within deadlines, with reminders.

use std::time::Duration;

use tokio::sync::watch::Receiver;

use crate::cluster::clock::Moment;
use crate::cluster::error::ClusterError;
use crate::driver::component_run::diagnose::{
    FIRST_CHECK, PodCheck, RECHECK_INTERVAL, RECHECK_INTERVAL_FAIL_FAST, ReadyCount, SECOND_CHECK,
};
use crate::driver::component_run::{ComponentRun, Leadership};
use crate::driver::context::FailFast;
use crate::driver::outcome::{Failure, FailureKind};
use crate::plan::action::{Action, Waiting};
use crate::plan::next_action::done_batches;
use crate::plan::observed::Observed;
use crate::plan::step::Step;
use crate::report::event::EventKind;

/// How often a wait without progress is reported again.
pub(super) const REMIND_EVERY: Duration = Duration::from_secs(30);

/// How long a controller may take to observe a change before the wait is reported.
const SLOW_CONTROLLER: Duration = Duration::from_secs(5);

/// The wait that was reported last, and when to report it again.
#[derive(Debug, Clone)]
pub(super) struct WaitNotice {
    phrase: String,
    /// When to report it, or report it again.
    due: Moment,
    /// When to check why there is no progress.
    check: Moment,
    /// Which check that will be.
    next: PodCheck,
    /// The resource version of the StatefulSet at which that check counts pods.
    version: Option<String>,
}

/// Whether any batch has completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BatchProgress {
    /// No batch has completed.
    Unchanged,
    /// At least one batch has completed.
    Completed,
}

/// Notifications of changes to what a decision depends on, from the time of the decision on.
pub(super) struct Changes {
    workloads: Receiver<u64>,
    record: Receiver<u64>,
    objects: Receiver<u64>,
}

impl ComponentRun<'_> {
    /// Waits until the Lease is valid: no write is sent under one that may have expired.
    pub(super) async fn await_lease(&mut self) -> Result<(), Failure> {
        let Some(Leadership { lease, .. }) = self.leadership else {
            return Ok(());
        };
        if lease.is_valid() {
            return Ok(());
        }
        if let Some(error) = lease.refusal() {
            return Err(self.lease_refusal(error));
        }
        let message = "the lease cannot be renewed; nothing is written until it is".to_owned();
        self.emit(EventKind::Warned { message });
        let session = &self.context.session;
        let clock = session.clock();
        let patience_ends = clock.moment().after(session.outage());
        loop {
            tokio::select! {
                biased;
                valid = lease.await_validity() => {
                    valid.map_err(|error| self.lease_refusal(error))?;
                    break;
                }
                () = self.context.control.stopped() => {
                    return Err(Failure::new(FailureKind::Interrupted, "interrupted"));
                }
                () = self.deadlines.passed() => self.deadlines.check("the lease cannot be renewed")?,
                () = clock.until(patience_ends) => return Err(Failure::lease_not_renewed()),
            }
        }
        // Another process may have held the Lease in the meantime.
        match self.claim.epoch {
            Some(epoch) => self.confirm_epoch(epoch).await,
            None => Ok(()),
        }
    }

    /// The failure if the Lease can no longer be renewed.
    pub(super) fn lease_refusal(&self, error: ClusterError) -> Failure {
        if error.is_lost_namespace() {
            return Failure::lost_namespace(&self.prepared.namespace);
        }
        error.into()
    }

    /// Waits until the Lease can no longer be renewed.
    pub(super) async fn lease_refused(&self) {
        match self.leadership {
            Some(Leadership { lease, .. }) => lease.refused().await,
            None => std::future::pending().await,
        }
    }

    /// Subscribes to changes of what a decision depends on; `None` if it has changed since it was observed.
    pub(super) fn changes_since(&self, observed: &Observed) -> Option<Changes> {
        let component = &self.prepared.component;
        let changes = Changes {
            workloads: self.watch.cache.changes_of(component),
            record: self.watch.records.changes_of(component),
            objects: self.watch.objects.cache.changes_of(component),
        };
        let has_record_changed =
            self.record.as_ref().is_some_and(|known| self.watch.records.newer_than(known).is_some());
        let is_outdated =
            (has_record_changed && self.has_claimed()) || self.workloads_seen() != observed.workloads;
        (!is_outdated).then_some(changes)
    }

    /// Waits until something has changed, a deadline or `until` has passed, or the run has to stop.
    pub(super) async fn await_change(&self, mut changes: Changes, until: Option<Moment>) {
        tokio::select! {
            biased;
            _ = changes.workloads.changed() => {}
            _ = changes.record.changed() => {}
            _ = changes.objects.changed() => {}
            () = self.context.control.stopped() => {}
            () = self.context.session.clock().until(until) => {}
            () = self.lease_refused() => {}
            () = self.deadlines.passed() => {}
        }
    }

    pub(super) async fn wait(&mut self, observed: &Observed, waiting: &Waiting) -> Result<(), Failure> {
        let Some(changes) = self.changes_since(observed) else { return Ok(()) };
        let clock = self.context.session.clock();
        let phrase = waiting.phrase();
        self.deadlines.check(&phrase)?;
        let now = clock.moment();
        let mut notice = match self.notice.take().filter(|notice| notice.phrase == phrase) {
            Some(notice) => notice,
            None => {
                // A slow controller is reported only after a while.
                let is_brief = matches!(waiting, Waiting::Generation { .. });
                let first = if is_brief { SLOW_CONTROLLER } else { Duration::ZERO };
                WaitNotice {
                    phrase: phrase.clone(),
                    due: now.plus(first),
                    check: now.plus(FIRST_CHECK),
                    next: PodCheck::First,
                    version: None,
                }
            }
        };
        if now >= notice.due {
            self.emit(EventKind::Waiting { progress: self.progress(observed), on: phrase, at_gate: false });
            notice.due = now.plus(REMIND_EVERY);
        }
        // The status of a StatefulSet does not show all ready pods, so they are counted after each of its changes, at
        // the pace of first checks.
        let version = self.uncounted_version(observed);
        let pace = if version.is_some() { PodCheck::First } else { notice.next };
        if version.is_some() && notice.version != version {
            notice.check = notice.check.min(now.plus(FIRST_CHECK));
            notice.version = version;
        }
        // A check too soon after another component's is postponed, not skipped.
        let next = pace.next(&self.context.next_checks).get();
        notice.check = next.map_or(notice.check, |next| notice.check.max(next));
        let check = (now >= notice.check).then_some(notice.next);
        if let Some(check) = check {
            notice.check = now.plus(match check {
                PodCheck::First => SECOND_CHECK,
                PodCheck::Repeat => match self.context.limits.fail_fast {
                    FailFast::On => RECHECK_INTERVAL_FAIL_FAST,
                    FailFast::Off => RECHECK_INTERVAL,
                },
            });
            notice.next = PodCheck::Repeat;
        }
        let remind = Some(notice.due.min(notice.check));
        self.notice = Some(notice);
        if let Some(check) = check
            && self.check_pods(waiting, check, pace).await? == ReadyCount::Updated
        {
            return Ok(());
        }
        self.await_change(changes, remind).await;
        Ok(())
    }

    /// Starts the batch's clock when it is entered, and reports the batches that are ready.
    pub(super) fn notice_batch(&mut self, observed: &Observed, step: &Step) -> BatchProgress {
        match step {
            Step::Act(
                Action::Scale { batch, .. }
                | Action::Roll { batch, .. }
                | Action::Wait { batch, .. }
                | Action::Hold { batch },
            ) => self.deadlines.enter_batch(*batch),
            // A webhook may keep rejecting it.
            Step::Act(Action::Create) => self.deadlines.enter_batch(0),
            Step::Act(Action::Delete { .. } | Action::Finish) => {}
            Step::Nothing
            | Step::Claim { .. }
            | Step::Stamp { .. }
            | Step::Superseded { .. }
            | Step::ExternalChange { .. }
            | Step::Refuse(_) => return BatchProgress::Unchanged,
        }
        if self.has_claimed() { self.report_ready(observed) } else { BatchProgress::Unchanged }
    }

    /// Reports every batch that is ready and has not been reported.
    fn report_ready(&mut self, observed: &Observed) -> BatchProgress {
        let Some(spec) = observed.record.as_ref().map(|record| &record.run.spec) else {
            return BatchProgress::Unchanged;
        };
        let done = done_batches(spec, &observed.workloads);
        let first = self.ready_batch.map_or(0, |last| last + 1);
        for batch in first..done {
            let mut progress = self.progress(observed);
            progress.batch = batch;
            progress.upgraded = spec.goals()[batch];
            self.emit(EventKind::BatchReady { progress });
            self.ready_batch = Some(batch);
        }
        if first < done { BatchProgress::Completed } else { BatchProgress::Unchanged }
    }
}
