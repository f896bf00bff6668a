//! Pausing a run and ending its pause, from beside it: a user's word in the record, under the claim that is there.
//!
//! The process that drives, where it lives, hears of it by its watch, writes nothing more and says so in the
//! record. Where none lives there is nobody to wait for.

use std::time::Duration;

use crate::cluster::error::ClusterError;
use crate::cluster::lease::{self, Expiry, LeaseKey};
use crate::cluster::record_store::{self, RecordError, StoredRecord};
use crate::cluster::session::Session;
use crate::driver::outcome::{Failure, FailureKind};
use crate::plan::record::{Outcome, Pause, Record};

/// How often it is looked whether the run stands still.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A component of a namespace.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The namespace.
    pub namespace: &'a str,
    /// The component.
    pub component: &'a str,
}

/// What a pause did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paused {
    /// The run stands still from now on.
    Now,
    /// It did before.
    Already,
}

/// Pauses the run that is under way, and returns once nothing more is written for it.
///
/// # Errors
/// A component without an open run, another run that took over meanwhile, and what the server answered at last.
pub async fn pause(session: &Session, place: Place<'_>, pause: Pause) -> Result<Paused, Failure> {
    let is_open = |record: &Record| record.run.outcome.is_resumable();
    let before = amend(session, place, |record| {
        if is_open(record) {
            record.run.paused.get_or_insert_with(|| pause.clone());
        }
    })
    .await?;
    if !is_open(&before.record) {
        let reason = format!("component `{}` has no run under way", place.component);
        return Err(Failure::refused(reason).hint(format!("see `rollout status {}`", place.component)));
    }
    stand_still(session, place, &before).await?;
    Ok(if before.record.run.paused.is_some() { Paused::Already } else { Paused::Now })
}

/// Ends a pause, if there is one.
///
/// # Errors
/// A component that was never rolled out, and what the server answered at last.
pub async fn unpause(session: &Session, place: Place<'_>) -> Result<(), Failure> {
    amend(session, place, |record| record.run.paused = None).await.map(|_| ())
}

/// Changes the record as it is at that moment. Returns it as it was before.
async fn amend(
    session: &Session,
    place: Place<'_>,
    change: impl Fn(&mut Record),
) -> Result<StoredRecord, Failure> {
    loop {
        let seen = load(session, place).await?;
        let mut record = seen.record.clone();
        change(&mut record);
        if record == seen.record {
            return Ok(seen);
        }
        match record_store::update_record(session, place.namespace, &seen, &record).await {
            Ok(_) => return Ok(seen),
            Err(RecordError::Cluster(ClusterError::Conflict(_) | ClusterError::NotFound(_))) => {}
            Err(RecordError::Cluster(error)) => session.wait_before_retry(&error).await?,
            Err(error @ RecordError::Unusable { .. }) => return Err(error.into()),
        }
    }
}

/// Waits until the process that drives says that it has stopped, or no such process lives.
async fn stand_still(session: &Session, place: Place<'_>, before: &StoredRecord) -> Result<(), Failure> {
    let clock = session.clock();
    let mut expiry = Expiry::default();
    loop {
        let stored = load(session, place).await?;
        let run = &stored.record.run;
        if stored.record.epoch != before.record.epoch || run.paused.is_none() {
            let reason =
                format!("component `{}` was resumed by `{}` in the meantime", place.component, run.by);
            return Err(Failure::new(FailureKind::Superseded, reason)
                .hint(format!("see `rollout status {}`", place.component)));
        }
        if run.outcome != Outcome::Running {
            return Ok(());
        }
        let held = lease::lease_holder(session, place.namespace, &LeaseKey::of_run(&stored.record)).await?;
        let is_driven = held.is_some_and(|(_, version)| clock.moment() < expiry.seen(version, clock));
        if !is_driven {
            // Nobody is there to say it.
            amend(session, place, |record| {
                if record.epoch == before.record.epoch && record.run.outcome == Outcome::Running {
                    record.run.outcome = Outcome::Paused;
                }
            })
            .await?;
            continue;
        }
        clock.pause(LOOK_EVERY).await;
    }
}

async fn load(session: &Session, place: Place<'_>) -> Result<StoredRecord, Failure> {
    record_store::load_record(session, place.namespace, place.component).await?.ok_or_else(|| {
        let reason = format!("component `{}` has never been rolled out here", place.component);
        Failure::refused(reason).hint("see `rollout status`")
    })
}
