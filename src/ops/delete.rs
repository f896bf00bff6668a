//! Deletes the objects that an application owns, and nothing else.
//!
//! A deletion is bound to the claims that it was decided from: a component that has been claimed since is not deleted.
//! It starts with its own claim, so that no run in progress can write afterwards. The run records are deleted last,
//! except for the Leases: they name the objects, so rerunning a deletion that was killed resumes it.

mod finalizers;
pub mod inventory;

use std::collections::BTreeSet;
use std::time::Duration;

use crate::cluster::access_review::{self, AccessReview};
use crate::cluster::clock::Moment;
use crate::cluster::error::ClusterError;
use crate::cluster::lease::{Acquisition, LeaseGuard, LeaseKey, Predecessor};
use crate::cluster::owned_objects::{self, Removal};
use crate::cluster::record_store::{self, RecordError, StoredRecord};
use crate::cluster::session::Session;
use crate::driver::acquire::Claimant;
use crate::driver::context::Context;
use crate::driver::hooks::{FinalPhase, call_final_hooks};
use crate::driver::outcome::{Failure, FailureKind};
use crate::ops::component::{unknown_name, without_prefix};
use crate::ops::delete::finalizers::Finalization;
use crate::ops::delete::inventory::{RIGHTS, discard_leases};
use crate::plan::epoch::Epoch;
use crate::plan::record::Record;
use crate::plan::run::{LeaseScope, Outcome, Run};

pub use crate::cluster::owned_objects::OwnedObject;
pub use inventory::{Inventory, Scope};

/// The events of a deletion.
#[derive(Debug)]
pub enum DeleteEvent<'a> {
    /// It waits for another run, with this identity.
    Waiting(&'a str),
    /// An object was deleted.
    Removed(&'a OwnedObject),
    /// A run was superseded whose process may still have a write in flight, which the deletion waits for this long.
    Superseding(Duration),
    /// A warning about a hook of this component, which did not accept or was not called.
    Warned(&'a str, &'a str),
    /// An object is being deleted, and exists until its finalizers are removed.
    Awaited(&'a OwnedObject, &'a [String]),
}

/// Which objects may be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeleteExtent {
    /// Everything in scope, including what the run that the deletion waits for has claimed meanwhile.
    Scope,
    /// Everything in scope, unless another run has claimed it since the inventory was taken.
    Unclaimed,
    /// Only objects in the inventory that the user has confirmed.
    Inventory,
}

/// How long after a claim a write of the previous run may still arrive: its process may consider the Lease as held for
/// ten seconds, and the write may be in flight for as long.
const LATE_WRITES: Duration = Duration::from_secs(20);

/// The conditions under which objects are deleted.
struct Permission<'a> {
    extent: DeleteExtent,
    lease: &'a LeaseGuard,
    /// Until when writes of a superseded run may arrive; `None` if there is no such run.
    late_until: Option<Moment>,
}

/// How a deletion ended, if not with an error.
#[derive(Debug)]
pub enum Removed {
    /// Everything was deleted.
    Everything,
    /// A component was claimed after the deletion was decided; objects that had not been deleted yet were kept.
    Overtaken(Failure),
}

/// The scope of a name: the component of that name or, if there is none, the application.
///
/// # Errors
/// [`FailureKind::Refused`]: the name is unknown. The server's last error.
pub async fn find_scope(context: &Context, namespace: &str, name: &str) -> Result<Scope, Failure> {
    let (session, name) = (&context.session, without_prefix(name));
    let known = record_store::list_records(session, namespace).await?;
    let records = || known.records.iter().map(|stored| &stored.record);
    let scope = |application: &str, component: Option<&String>| Scope {
        namespace: namespace.to_owned(),
        application: application.to_owned(),
        component: component.cloned(),
    };
    if let Some(record) = records().find(|record| record.component == name) {
        return Ok(scope(&record.application, Some(&record.component)));
    }
    if let Some(broken) = known.unusable.iter().find(|broken| broken.component == name) {
        return Ok(scope(&broken.application, Some(&broken.component)));
    }
    let application = scope(name, None);
    let is_recorded = records().any(|record| record.application == name)
        || known.unusable.iter().any(|broken| broken.application == name);
    if is_recorded || is_unfinished(context, &application).await? {
        return Ok(application);
    }
    // If a record is lost, the revisions still name the component.
    let revisions = owned_objects::components_of_revisions(session, namespace).await?;
    if let Some((application, component)) = revisions.iter().find(|(_, component)| component == name) {
        return Ok(scope(application, Some(component)));
    }
    if revisions.iter().any(|(application, _)| application == name) {
        return Ok(application);
    }
    let names: Vec<&str> = records().map(|record| record.component.as_str()).collect();
    Err(unknown_name(name, &names, namespace))
}

/// The components that remain of an application which has the name of the component in scope; empty for other scopes.
///
/// # Errors
/// The server's last error.
pub async fn remaining_components(context: &Context, scope: &Scope) -> Result<Vec<String>, Failure> {
    let Scope { namespace, application, component } = scope;
    if component.as_ref() != Some(application) {
        return Ok(Vec::new());
    }
    let known = record_store::load_records(&context.session, namespace).await?;
    let records = known.into_iter().map(|stored| stored.record);
    let others = records.filter(|one| one.application == *application && one.component != *application);
    Ok(others.map(|record| record.component).collect())
}

/// Takes the inventories of scopes.
///
/// # Errors
/// [`FailureKind::Refused`]: a record cannot be read. The server's last error.
pub async fn take_inventories(context: &Context, scopes: &[Scope]) -> Result<Vec<Inventory>, Failure> {
    let mut inventories = Vec::new();
    for scope in scopes {
        inventory::records(&context.session, scope).await?;
        inventories.push(inventory::take(&context.session, scope).await?);
    }
    Ok(inventories)
}

/// Whether a deletion that was killed at its very end has left the Lease of an application behind.
///
/// # Errors
/// The server's last error.
pub async fn is_unfinished(context: &Context, scope: &Scope) -> Result<bool, Failure> {
    let Scope { namespace, application, component } = scope;
    if component.is_some() {
        return Ok(false);
    }
    let key = LeaseKey::of_application(application);
    Ok(inventory::find_lease(&context.session, namespace, &key).await?.is_some())
}

/// Deletes an inventory, while no other run drives its components.
///
/// # Errors
/// [`FailureKind::Refused`]: a right is missing, or a record cannot be read. [`FailureKind::Superseded`]: another run
/// does not end in time, or took over. [`FailureKind::NotReady`]: finalizers are not removed in time. The server's last
/// error.
pub async fn delete(
    context: &Context,
    inventory: &Inventory,
    extent: DeleteExtent,
    mut say: impl FnMut(DeleteEvent<'_>),
) -> Result<Removed, Failure> {
    let session = &context.session;
    let Scope { namespace, application, component } = &inventory.scope;
    let access = AccessReview::load(session, namespace).await?;
    if let Some(reason) =
        access.missing_permissions(access_review::rights_of_removal(&inventory.objects)).await?
    {
        return Err(Failure::refused(reason).hint(RIGHTS));
    }
    let records = match records_as_decided(session, inventory, None).await? {
        Ok(records) => records,
        Err(overtaken) => return Ok(Removed::Overtaken(overtaken)),
    };
    // A paused run writes nothing, so there is no need to wait for it.
    let is_paused = records.iter().any(|stored| stored.record.run.paused.is_some());
    let turn = if is_paused { Acquisition::TakeOver } else { Acquisition::Wait };
    let claimant = Claimant {
        session,
        namespace,
        application,
        component: component.as_deref(),
        identity: &context.identity,
        lock_timeout: context.limits.lock,
    };
    let mut waited_for: Option<String> = None;
    let (lease, scope) = tokio::select! {
        biased;
        acquired = claimant.acquire(turn, |holder| {
            waited_for.get_or_insert_with(|| holder.to_owned());
            say(DeleteEvent::Waiting(holder));
        }) => acquired?,
        () = context.control.stopped() => return Err(interrupted()),
    };
    let work = async {
        if turn == Acquisition::Wait {
            let records = records.iter().map(|stored| &stored.record);
            claimant.await_takeovers(records, |_, holder| say(DeleteEvent::Waiting(holder))).await?;
        }
        let predecessor = waited_for.as_deref().filter(|_| extent == DeleteExtent::Scope);
        let records = match records_as_decided(session, inventory, predecessor).await? {
            Ok(records) => records,
            Err(overtaken) => return Ok(Removed::Overtaken(overtaken)),
        };
        let is_open = records.iter().any(|stored| may_be_driven(&stored.record.run));
        let may_live = scope == LeaseScope::Component || lease.predecessor() == Predecessor::MayLive;
        let mut fenced = inventory.clone();
        for stored in records {
            let record = stored.record.clone();
            let newest_stamp = inventory.newest_stamp(&record.component);
            if record.run.is_under_way() {
                let warn = |message: String| say(DeleteEvent::Warned(&record.component, &message));
                call_final_hooks(context, namespace, &record, FinalPhase::Deleting, warn).await;
            }
            ensure_lease(session, &lease).await?;
            match fence(session, namespace, stored, newest_stamp).await? {
                Some(epoch) => drop(fenced.epochs.insert(record.component, epoch)),
                None => return Ok(Removed::Overtaken(overtaken(&record))),
            }
        }
        let late_until = (is_open && may_live).then(|| session.clock().moment().plus(LATE_WRITES));
        let permission = Permission { extent, lease: &lease, late_until };
        remove_objects(session, &fenced, permission, &mut say).await
    };
    let removed = tokio::select! {
        biased;
        removed = work => removed,
        holder = lease.keep() => Err(Failure::taken_over(lease.key(), &holder)),
        () = context.control.stopped() => Err(interrupted()),
    };
    lease.release().await;
    let removed = removed?;
    if matches!(removed, Removed::Everything) {
        discard_leases(session, inventory, say).await?;
    }
    Ok(removed)
}

/// The records in scope; refuses if a component was claimed after the deletion was decided, unless `predecessor` has
/// claimed it.
async fn records_as_decided(
    session: &Session,
    inventory: &Inventory,
    predecessor: Option<&str>,
) -> Result<Result<Vec<StoredRecord>, Failure>, RecordError> {
    let records = inventory::records(session, &inventory.scope).await?;
    for StoredRecord { record, .. } in &records {
        let is_as_decided = inventory.epochs.get(&record.component) == Some(&record.epoch);
        if !is_as_decided && predecessor != Some(record.run.by.as_str()) {
            return Ok(Err(overtaken(record)));
        }
    }
    Ok(Ok(records))
}

fn interrupted() -> Failure {
    Failure::new(FailureKind::Interrupted, "interrupted before everything was deleted")
        .hint("rerun the same command to delete the rest")
}

fn overtaken(record: &Record) -> Failure {
    let Record { component, run, .. } = record;
    let reason =
        format!("component `{component}` was claimed by `{}` since its deletion was decided", run.by);
    Failure::new(FailureKind::Superseded, reason)
        .hint(format!("see `rollout status {component}`, and rerun the command if it still applies"))
}

/// Claims a component for its deletion. Returns `None` if it was claimed after the deletion was decided.
async fn fence(
    session: &Session,
    namespace: &str,
    mut seen: StoredRecord,
    newest_stamp: Epoch,
) -> Result<Option<Epoch>, Failure> {
    loop {
        let fenced = seen.record.fence(session.clock().now(), newest_stamp);
        let error = match record_store::claim_record(session, namespace, Some(&seen), &fenced).await {
            Ok(stored) => return Ok(Some(stored.record.epoch)),
            Err(RecordError::Cluster(error)) => error,
            Err(error @ RecordError::Unusable { .. }) => return Err(error.into()),
        };
        if !matches!(error, ClusterError::Conflict(_) | ClusterError::NotFound(_)) {
            session.wait_before_retry(&error).await?;
        }
        match record_store::load_record(session, namespace, &fenced.component).await? {
            // The claim was applied, but its response was lost.
            Some(stored) if stored.record == fenced => return Ok(Some(fenced.epoch)),
            Some(stored) if stored.record.epoch == seen.record.epoch => seen = stored,
            Some(_) => return Ok(None),
            None => return Ok(Some(fenced.epoch)),
        }
    }
}

/// Whether a process may have been driving a run when its component was claimed for this deletion, or for an earlier
/// one.
fn may_be_driven(run: &Run) -> bool {
    match run.outcome {
        Outcome::Running | Outcome::Superseded => true,
        Outcome::Succeeded | Outcome::Held | Outcome::Failed | Outcome::Interrupted | Outcome::Paused => {
            false
        }
    }
}

/// Deletes the permitted objects one by one, for as long as the claims are valid.
async fn remove_objects(
    session: &Session,
    inventory: &Inventory,
    Permission { extent, lease, mut late_until }: Permission<'_>,
    say: &mut impl FnMut(DeleteEvent<'_>),
) -> Result<Removed, Failure> {
    let seen: BTreeSet<&str> = inventory.objects.iter().map(OwnedObject::uid).collect();
    let may_go = |owned: &&OwnedObject| extent != DeleteExtent::Inventory || seen.contains(owned.uid());
    let mut finalization = Finalization::default();
    // Objects that were not gone at once, so that only the next inventory shows whether they are.
    let mut pending: Vec<OwnedObject> = Vec::new();
    loop {
        let now = inventory::take(session, &inventory.scope).await?;
        let is_there = |owned: &OwnedObject| now.objects.iter().any(|one| one.uid() == owned.uid());
        for gone in pending.drain(..).filter(|owned| !is_there(owned)) {
            say(DeleteEvent::Removed(&gone));
        }
        let (going, staying): (Vec<&OwnedObject>, Vec<&OwnedObject>) = now.objects.iter().partition(may_go);
        if let Some(first) = staying.first() {
            let reason = format!("{first} was created after the deletion was confirmed, and is kept");
            let failure = Failure::new(FailureKind::Superseded, reason);
            return Ok(Removed::Overtaken(failure.hint("rerun the command to review and delete the rest")));
        }
        if going.is_empty() {
            return Ok(Removed::Everything);
        }
        let (mut held, due): (Vec<&OwnedObject>, Vec<&OwnedObject>) =
            going.into_iter().partition(|owned| owned.awaits().is_some());
        pending.extend(held.iter().copied().cloned());
        // The records name the other objects, so they are deleted last.
        let (records, due): (Vec<&OwnedObject>, Vec<&OwnedObject>) =
            due.into_iter().partition(|owned| owned.is_record());
        if due.is_empty() && !held.is_empty() {
            finalization.wait(session, &held, say).await?;
            continue;
        }
        // As long as the records exist, objects that a superseded run creates late are found.
        if due.is_empty()
            && let Some(late_until) = late_until.take()
        {
            let left = late_until.saturating_since(session.clock().moment());
            if !left.is_zero() {
                say(DeleteEvent::Superseding(left));
                session.clock().until(Some(late_until)).await;
                continue;
            }
        }
        let records = if late_until.is_none() { records } else { Vec::new() };
        for owned in due.into_iter().chain(records) {
            if owned.is_record() && !held.is_empty() {
                break;
            }
            match overtaken_by(session, inventory, owned, lease).await {
                Ok(None) => {}
                Ok(Some(failure)) => return Ok(Removed::Overtaken(failure)),
                Err(error) => {
                    session.wait_before_retry(&error).await?;
                    break;
                }
            }
            ensure_lease(session, lease).await?;
            match owned_objects::delete_owned(session, owned).await? {
                Removal::Done => say(DeleteEvent::Removed(owned)),
                Removal::Begun => {
                    held.push(owned);
                    pending.push(owned.clone());
                }
                // An object's record must outlive it, so everything is listed again.
                Removal::Unclear => {
                    pending.push(owned.clone());
                    break;
                }
            }
        }
    }
}

/// Waits until the Lease is valid again, if it was not renewed in time during an outage: others may have taken it.
async fn ensure_lease(session: &Session, lease: &LeaseGuard) -> Result<(), Failure> {
    if !lease.is_valid() {
        lease.doubt();
    }
    match session.clock().within(session.outage(), lease.await_validity()).await {
        Some(valid) => Ok(valid?),
        None => Err(Failure::lease_not_renewed()),
    }
}

/// Why an object must no longer be deleted: its component was claimed, or the Lease was taken. A later run may have
/// recreated the object.
async fn overtaken_by(
    session: &Session,
    inventory: &Inventory,
    owned: &OwnedObject,
    lease: &LeaseGuard,
) -> Result<Option<Failure>, ClusterError> {
    if let Some(component) = owned.component() {
        let stored = match record_store::load_record(session, &inventory.scope.namespace, component).await {
            Ok(stored) => stored,
            Err(RecordError::Cluster(error)) => return Err(error),
            // It names no claim that could have followed.
            Err(RecordError::Unusable { .. }) => None,
        };
        let other = stored.filter(|stored| {
            stored.record.application == inventory.scope.application
                && inventory.epochs.get(component) != Some(&stored.record.epoch)
        });
        if let Some(StoredRecord { record, .. }) = other {
            return Ok(Some(overtaken(&record)));
        }
    }
    let holder = lease.current_holder_if_lost().await?;
    Ok(holder.map(|holder| Failure::taken_over(lease.key(), &holder)))
}
