//! Pauses the run in progress.
//!
//! A pause is recorded under the claim of the run. The process that drives the run reads it from its watch, writes
//! nothing more and records that it has stopped. If no process drives the run, `pause` records that itself.

use std::time::Duration;

use crate::cluster::access_review::AccessReview;
use crate::cluster::error::ClusterError;
use crate::cluster::lease::{self, Expiry, LeaseKey};
use crate::cluster::permissions::{self, Operation, RightPurpose};
use crate::cluster::record_store::{self, RecordError, StoredRecord};
use crate::cluster::session::Session;
use crate::driver::context::Context;
use crate::driver::outcome::{Failure, FailureKind};
use crate::ops::component::ComponentSelector;
use crate::plan::record::Record;
use crate::plan::run::{Outcome, Pause};

/// How often to read the record until the run has stopped.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A component by its name.
#[derive(Debug, Clone, Copy)]
pub struct ComponentRef<'a> {
    /// The namespace.
    pub namespace: &'a str,
    /// The component.
    pub component: &'a str,
}

/// The result of a pause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paused {
    /// The component whose run is paused.
    pub component: String,
    /// Whether it was paused before.
    pub was_paused: bool,
}

/// Pauses the run in progress, and returns once nothing more is written for it.
///
/// # Errors
/// As [`ComponentSelector::load_record`]. [`FailureKind::Refused`]: a right is missing, or no run is in progress.
/// [`FailureKind::Superseded`]: the run was resumed, or another took over.
pub async fn pause(context: &Context, component: &ComponentSelector) -> Result<Paused, Failure> {
    let session = &context.session;
    let found = component.load_record(context).await?;
    // The Lease shows whether the run has stopped, so check that it can be read before anything is written.
    let access = AccessReview::load(session, &component.namespace).await?;
    let purposes = [RightPurpose::Runs, RightPurpose::Workloads(found.run.spec.kind)];
    let rights = purposes.into_iter().flat_map(|purpose| permissions::rights_of(Operation::Pause, purpose));
    if let Some(reason) = access.missing_permissions(rights).await? {
        let hint = "ask for the Role that `rollout rbac --for pause` prints";
        return Err(Failure::refused(reason).hint(hint));
    }
    let at = ComponentRef { namespace: &component.namespace, component: &found.component };
    let pause = Pause { by: context.identity.clone(), at: session.clock().now() };
    let is_open = |record: &Record| record.run.outcome.is_resumable();
    let before = amend_record(session, at, |record| {
        if is_open(record) {
            record.run.paused.get_or_insert_with(|| pause.clone());
        }
    })
    .await?;
    if !is_open(&before.record) {
        let reason = format!("component `{}` has no run under way", at.component);
        return Err(Failure::refused(reason).hint(format!("see `rollout status {}`", at.component)));
    }
    await_standstill(session, at, &before).await?;
    Ok(Paused { component: found.component, was_paused: before.record.run.paused.is_some() })
}

/// Changes a record, retrying on conflicts. Returns it as it was before.
pub(super) async fn amend_record(
    session: &Session,
    at: ComponentRef<'_>,
    change: impl Fn(&mut Record),
) -> Result<StoredRecord, Failure> {
    loop {
        let seen = load_component_record(session, at).await?;
        let mut record = seen.record.clone();
        change(&mut record);
        if record == seen.record {
            return Ok(seen);
        }
        match record_store::update_record(session, at.namespace, &seen, &record).await {
            Ok(_) => return Ok(seen),
            Err(RecordError::Cluster(ClusterError::Conflict(_) | ClusterError::NotFound(_))) => {}
            Err(RecordError::Cluster(error)) => session.wait_before_retry(&error).await?,
            Err(error @ RecordError::Unusable { .. }) => return Err(error.into()),
        }
    }
}

/// Waits until the process that drives the run records that it has stopped, or no process drives it.
async fn await_standstill(
    session: &Session,
    at: ComponentRef<'_>,
    before: &StoredRecord,
) -> Result<(), Failure> {
    let clock = session.clock();
    let mut expiry = Expiry::default();
    loop {
        let stored = load_component_record(session, at).await?;
        let run = &stored.record.run;
        if stored.record.epoch != before.record.epoch || run.paused.is_none() {
            let reason = format!("component `{}` was resumed by `{}` in the meantime", at.component, run.by);
            return Err(Failure::new(FailureKind::Superseded, reason)
                .hint(format!("see `rollout status {}`", at.component)));
        }
        if run.outcome != Outcome::Running {
            return Ok(());
        }
        let held = lease::lease_holder(session, at.namespace, &LeaseKey::of_run(&stored.record)).await?;
        let is_driven = held.is_some_and(|(_, version)| clock.moment() < expiry.seen(version, clock));
        if !is_driven {
            // There is no process left that would record it.
            amend_record(session, at, |record| {
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

async fn load_component_record(session: &Session, at: ComponentRef<'_>) -> Result<StoredRecord, Failure> {
    record_store::load_record(session, at.namespace, at.component).await?.ok_or_else(|| {
        let reason = format!("component `{}` has never been rolled out here", at.component);
        Failure::refused(reason).hint("see `rollout status`")
    })
}
