//! Lists the objects of an application to delete, and the claims on its components at that time.
//!
//! The ownership of an object is decided by its labels and by a mark that only `rollout` sets.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use kube::api::ApiResource;
use kube::core::{Expression, Selector};

use crate::cluster::error::ClusterError;
use crate::cluster::lease::{self, LeaseKey};
use crate::cluster::owned_objects::{self, OwnedObject};
use crate::cluster::ownership::ComponentOwner;
use crate::cluster::record_store::{self, RecordError, StoredRecord, UnusableRecord};
use crate::cluster::session::Session;
use crate::cluster::status_mirror::{MirrorKind, StatusMirror};
use crate::cluster::{keys, workload};
use crate::driver::live_objects::LiveObjects;
use crate::driver::outcome::Failure;
use crate::oam::apply_order::apply_rank;
use crate::oam::kind::WorkloadKind;
use crate::oam::object::ObjectRef;
use crate::oam::revision::StoredRevision;
use crate::oam::{labels, render};
use crate::ops::delete::DeleteEvent;
use crate::plan::epoch::Epoch;
use crate::plan::record::Record;

/// What to delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The namespace.
    pub namespace: String,
    /// The application.
    pub application: String,
    /// One of its components; `None` means all of them.
    pub component: Option<String>,
}

impl Scope {
    /// Whether it includes a recorded component.
    fn includes(&self, record: &Record) -> bool {
        self.includes_component(&record.application, &record.component)
    }

    fn includes_component(&self, application: &str, component: &str) -> bool {
        application == self.application && self.component.as_ref().is_none_or(|name| name == component)
    }
}

/// The objects in a scope, and the claims on its components at that time.
#[derive(Debug, Clone)]
pub struct Inventory {
    /// The scope.
    pub scope: Scope,
    /// The objects, in the order of their deletion, without Leases.
    pub objects: Vec<OwnedObject>,
    /// The objects that are kept: volume claims, which may hold data, and objects that a `garbage-collect` policy keeps
    /// forever.
    pub kept: Vec<OwnedObject>,
    /// The epoch of each recorded component.
    pub epochs: BTreeMap<String, Epoch>,
}

/// The hint for a user who lacks a right.
pub(super) const RIGHTS: &str = "ask for the Role that `rollout rbac --with-delete` prints";

impl Inventory {
    /// The newest epoch that a workload of a component is stamped with; zero if none is.
    pub(super) fn newest_stamp(&self, component: &str) -> Epoch {
        let stamps = self.objects.iter().filter(|owned| owned.component() == Some(component));
        stamps.filter_map(OwnedObject::stamp).max().unwrap_or(Epoch(0))
    }
}

/// Takes the inventory of a scope.
///
/// # Errors
/// The server's last error.
pub async fn take(session: &Session, scope: &Scope) -> Result<Inventory, Failure> {
    find(session, scope).await.map_err(|error| {
        if let ClusterError::Forbidden(message) = error {
            return Failure::refused(message).hint(RIGHTS);
        }
        error.into()
    })
}

/// The run records in a scope.
///
/// # Errors
/// [`RecordError::Unusable`]: one of them cannot be read. It may name objects that nothing else names. The server's
/// last error.
pub(super) async fn records(session: &Session, scope: &Scope) -> Result<Vec<StoredRecord>, RecordError> {
    let mut listed = record_store::list_records(session, &scope.namespace).await?;
    let is_in_scope =
        |broken: &UnusableRecord| scope.includes_component(&broken.application, &broken.component);
    if let Some(broken) = listed.unusable.into_iter().find(is_in_scope) {
        return Err(broken.error);
    }
    listed.records.retain(|stored| scope.includes(&stored.record));
    Ok(listed.records)
}

async fn find(session: &Session, scope: &Scope) -> Result<Inventory, ClusterError> {
    let Scope { namespace, application, component } = scope;
    let all = record_store::load_records(session, namespace).await?;
    let (records, others): (Vec<Record>, Vec<Record>) =
        all.into_iter().map(|stored| stored.record).partition(|record| scope.includes(record));
    let equals = |key: &str, value: &str| Expression::Equal(key.to_owned(), value.to_owned());
    let within = |selector: &[Expression], key: &str| -> Selector {
        let component = component.as_ref().map(|component| equals(key, component));
        selector.iter().cloned().chain(component).collect()
    };
    let by_name = [equals(labels::NAME, application)];
    let is_of_component = Expression::Exists(labels::REVISION_COMPONENT.to_owned());
    let revision = ApiResource::erase::<ControllerRevision>(&());
    // Revisions of KubeVela do not name the application.
    let of_revisions = within(&[by_name[0].clone(), is_of_component], labels::REVISION_COMPONENT);
    let revisions = owned_objects::list_owned(session, namespace, &revision, &of_revisions, None).await?;
    let mut found = Vec::new();
    // If a record is lost, the revisions still show the kind of workload.
    let bodies: Vec<StoredRevision> = revisions.iter().filter_map(OwnedObject::as_revision).collect();
    let recorded = records.iter().map(|record| record.run.spec.kind);
    let of_bodies = bodies.iter().filter_map(StoredRevision::kind);
    let kinds: BTreeSet<WorkloadKind> = recorded.chain(of_bodies).chain([WorkloadKind::Deployment]).collect();
    for kind in kinds {
        let selector = within(&by_name, labels::COMPONENT);
        let labelled = owned_objects::list_owned(
            session,
            namespace,
            &workload::workload_resource(kind),
            &selector,
            None,
        )
        .await?;
        let owners = owners(application, kind, &records, &revisions);
        let is_owned = |object: &OwnedObject| {
            let owner = object.label(labels::COMPONENT).and_then(|component| owners.get(component));
            owner.is_some_and(|owner| owner.owns(&object.labelled(kind)) && object.is_marked(keys::EPOCH))
        };
        found.extend(labelled.into_iter().filter(is_owned));
    }
    let (applied, kept) = applied_objects(session, scope, &records, &revisions, &bodies).await?;
    let is_found =
        |found: &[OwnedObject], one: &OwnedObject| found.iter().any(|owned| owned.uid() == one.uid());
    let applied: Vec<OwnedObject> = applied.into_iter().filter(|one| !is_found(&found, one)).collect();
    found.extend(applied);
    let services = within(&by_name, labels::COMPONENT);
    let service = ApiResource::erase::<Service>(&());
    let services =
        owned_objects::list_owned(session, namespace, &service, &services, Some(keys::APPLIED)).await?;
    // A Service that bears another component's name is that component's, whatever its labels say.
    let is_needed = |service: &OwnedObject| {
        let needs = |record: &Record| {
            let names = render::services::service_names(&record.component, record.run.spec.kind);
            names.iter().any(|(name, _)| *name == service.name())
        };
        others.iter().any(needs)
    };
    let services: Vec<OwnedObject> = services
        .into_iter()
        .filter(|service| !is_needed(service) && !is_found(&found, service) && !service.is_kept())
        .collect();
    found.extend(services);
    found.extend(revisions);
    let mirror = StatusMirror::discover(session).await;
    for record in &records {
        found.extend(view(session, &mirror, MirrorKind::Rollout, namespace, &record.component).await?);
    }
    if component.is_none() {
        found.extend(view(session, &mirror, MirrorKind::Application, namespace, application).await?);
    }
    let is_record = Expression::Exists(keys::RECORD_COMPONENT.to_owned());
    let of_application = [equals(keys::RECORD_APPLICATION, application), is_record];
    let of_records = within(&of_application, keys::RECORD_COMPONENT);
    let config_map = ApiResource::erase::<ConfigMap>(&());
    found.extend(owned_objects::list_owned(session, namespace, &config_map, &of_records, None).await?);
    let epochs = records.into_iter().map(|record| (record.component, record.epoch)).collect();
    Ok(Inventory { scope: scope.clone(), objects: found, kept, epochs })
}

/// The objects of components that are, or were, applied as a whole: those to delete, dependents first, and those to
/// keep. If a record is lost, the revisions still name them.
async fn applied_objects(
    session: &Session,
    scope: &Scope,
    records: &[Record],
    revisions: &[OwnedObject],
    bodies: &[StoredRevision],
) -> Result<(Vec<OwnedObject>, Vec<OwnedObject>), ClusterError> {
    let runs = records.iter().flat_map(|record| std::iter::once(&record.run).chain(&record.past));
    let of_runs = runs.flat_map(|run| run.spec.objects.iter().cloned());
    let of_revisions = bodies.iter().flat_map(StoredRevision::whole_objects).filter_map(ObjectRef::of);
    let references: BTreeSet<ObjectRef> = of_runs.chain(of_revisions).collect();
    let live = LiveObjects::read(session, &scope.namespace, &references).await?;
    let located: BTreeSet<ObjectRef> =
        references.iter().map(|reference| live.locate(reference, &scope.namespace)).collect();
    let mut references: Vec<&ObjectRef> = located.iter().collect();
    references.sort_by_key(|reference| std::cmp::Reverse(apply_rank(&reference.kind)));
    let owned = references.into_iter().filter_map(|reference| {
        let kind = live.kind(&reference.api_version, &reference.kind)?;
        Some(OwnedObject::new(kind.resource.clone(), live.get(reference)?.clone()))
    });
    let is_owned = |owned: &OwnedObject| {
        let component = owned.label(labels::COMPONENT);
        owned.label(labels::NAME) == Some(&scope.application)
            && owned.is_marked(keys::EPOCH)
            && (records.iter().any(|record| component == Some(&record.component))
                || revisions.iter().any(|revision| component == revision.component()))
    };
    Ok(owned.filter(is_owned).partition(|owned| !owned.is_kept()))
}

/// The owners of the workloads of a kind, by component, from the names in recorded runs and revisions.
fn owners(
    application: &str,
    kind: WorkloadKind,
    records: &[Record],
    revisions: &[OwnedObject],
) -> BTreeMap<String, ComponentOwner> {
    let of_records = records
        .iter()
        .flat_map(|record| record.workload_names().map(|revision| (record.component.clone(), revision)));
    let of_revisions = revisions.iter().filter_map(|revision| {
        Some((revision.label(labels::REVISION_COMPONENT)?.to_owned(), revision.name()))
    });
    let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (component, revision) in of_records.chain(of_revisions) {
        names.entry(component).or_default().insert(revision);
    }
    let owner = |(component, names): (String, BTreeSet<String>)| {
        let owner = ComponentOwner::new(application, &component, kind, names);
        (component, owner)
    };
    names.into_iter().map(owner).collect()
}

async fn view(
    session: &Session,
    mirror: &StatusMirror,
    view: MirrorKind,
    namespace: &str,
    name: &str,
) -> Result<Option<OwnedObject>, ClusterError> {
    let Some(resource) = mirror.resource(view) else { return Ok(None) };
    match owned_objects::get_owned(session, namespace, resource, name).await {
        // They are only for display: a user who may not read them can delete the rest.
        Err(ClusterError::Forbidden(_)) => Ok(None),
        found => found,
    }
}

pub(super) async fn find_lease(
    session: &Session,
    namespace: &str,
    key: &LeaseKey,
) -> Result<Option<OwnedObject>, ClusterError> {
    owned_objects::get_owned(session, namespace, ApiResource::erase::<Lease>(&()), &key.name()).await
}

/// Deletes the Leases of components that are gone, and that of an application without any components left. A
/// component's Lease that a dead process still holds is deleted once it has expired. Calls `say` with the holders that
/// it waits for.
pub(super) async fn discard_leases(
    session: &Session,
    inventory: &Inventory,
    mut say: impl FnMut(DeleteEvent<'_>),
) -> Result<(), ClusterError> {
    let Scope { namespace, application, component } = &inventory.scope;
    let names = inventory.epochs.keys().chain(component);
    let mut keys: Vec<LeaseKey> = names.map(|name| LeaseKey::of_component(application, name)).collect();
    keys.dedup();
    let known = record_store::list_records(session, namespace).await?;
    let is_of_application = |name: &String| name == application;
    let has_others = known.records.iter().map(|stored| &stored.record.application).any(is_of_application)
        || known.unusable.iter().map(|broken| &broken.application).any(is_of_application);
    if component.is_none() || !has_others {
        keys.push(LeaseKey::of_application(application));
    }
    let mut held = Vec::new();
    for key in keys {
        let Some(seen) = find_lease(session, namespace, &key).await? else { continue };
        match lease::lease_holder(session, namespace, &key).await? {
            None => drop(owned_objects::delete_owned(session, &seen).await?),
            // The holder may be alive: wait to see whether the Lease expires.
            Some((holder, version)) if key != LeaseKey::of_application(application) => {
                say(DeleteEvent::Waiting(&holder));
                held.push((key, version));
            }
            Some(_) => {}
        }
    }
    if held.is_empty() {
        return Ok(());
    }
    session.clock().pause(lease::DURATION).await;
    for (key, version) in held {
        let holder = lease::lease_holder(session, namespace, &key).await?;
        if holder.is_none_or(|(_, now)| now == version)
            && let Some(seen) = find_lease(session, namespace, &key).await?
        {
            owned_objects::delete_owned(session, &seen).await?;
        }
    }
    Ok(())
}
