//! Removing what an application owns, and nothing else.
//!
//! Whose an object is, is told by its labels and by a mark that only this program leaves on it. The run records go last
//! but for the Lease: they say what there is, so that a removal that was killed goes on when it is asked for again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use kube::api::ApiResource;

use crate::cluster::error::ClusterError;
use crate::cluster::lease::{self, Queue, Turn};
use crate::cluster::owned::{self, Owned, Removal};
use crate::cluster::ownership::ComponentOwner;
use crate::cluster::session::Session;
use crate::cluster::views::{View, Views};
use crate::cluster::{keys, preflight, record, workload};
use crate::driver::outcome::{Failure, FailureKind};
use crate::oam::kind::WorkloadKind;
use crate::oam::labels;
use crate::plan::record::Record;

/// What is to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The namespace.
    pub namespace: String,
    /// The application.
    pub application: String,
    /// One of its components; `None` is all of them.
    pub component: Option<String>,
}

/// What happens meanwhile.
#[derive(Debug)]
pub enum Said<'a> {
    /// Another run is waited for; its identity.
    Waiting(&'a str),
    /// An object is gone.
    Removed(&'a Owned),
}

/// The hint of whoever lacks a right.
const RIGHTS: &str = "ask for the Role that `rollout rbac --with-delete` prints";

/// Finds what is to go, in the order in which it goes. The Lease, which is only taken to be given back, is left out.
///
/// # Errors
/// What the server answered at last.
pub async fn inventory(session: &Session, scope: &Scope) -> Result<Vec<Owned>, Failure> {
    find(session, scope).await.map_err(|error| match error {
        ClusterError::Forbidden(message) => Failure::refused(message).hint(RIGHTS),
        error => error.into(),
    })
}

async fn find(session: &Session, scope: &Scope) -> Result<Vec<Owned>, ClusterError> {
    let Scope { namespace, application, component } = scope;
    let records = record::load_all(session, namespace).await?;
    let ours = |owner: &str, name: &str| {
        owner == application && component.as_ref().is_none_or(|component| component == name)
    };
    let records: Vec<_> = records
        .into_iter()
        .map(|stored| stored.record)
        .filter(|record| ours(&record.application, &record.component))
        .collect();
    let by_name = format!("{}={application}", labels::NAME);
    let within = |selector: &str, key: &str| match component {
        Some(component) => format!("{selector},{key}={component}"),
        None => selector.to_owned(),
    };
    let revision = ApiResource::erase::<ControllerRevision>(&());
    // Those that KubeVela records do not name the application.
    let of_revisions = within(&by_name, labels::REVISION_COMPONENT);
    let revisions = owned::list(session, namespace, &revision, &of_revisions, None).await?;
    let mut found = Vec::new();
    let kinds: BTreeSet<WorkloadKind> =
        records.iter().map(|record| record.run.spec.kind).chain([WorkloadKind::Deployment]).collect();
    for kind in kinds {
        let selector = within(&by_name, labels::COMPONENT);
        let labelled = owned::list(session, namespace, &workload::resource(kind), &selector, None).await?;
        let owners = owners(application, kind, &records, &revisions);
        let is_owned = |object: &Owned| {
            let owner = object.label(labels::COMPONENT).and_then(|component| owners.get(component));
            owner.is_some_and(|owner| owner.owns(&object.labelled(kind)) && object.is_marked(keys::EPOCH))
        };
        found.extend(labelled.into_iter().filter(is_owned));
    }
    let services = within(&by_name, labels::COMPONENT);
    let service = ApiResource::erase::<Service>(&());
    found.extend(owned::list(session, namespace, &service, &services, Some(keys::APPLIED)).await?);
    found.extend(revisions);
    let views = Views::find(session).await;
    for record in &records {
        found.extend(view(session, &views, View::Rollout, namespace, &record.component).await?);
    }
    if component.is_none() {
        found.extend(view(session, &views, View::Application, namespace, application).await?);
    }
    let of_application = format!("{}={application},{}", keys::RECORD_APPLICATION, keys::RECORD_COMPONENT);
    let records = within(&of_application, keys::RECORD_COMPONENT);
    let config_map = ApiResource::erase::<ConfigMap>(&());
    let kept = owned::list(session, namespace, &config_map, &records, None).await?;
    found.extend(kept);
    Ok(found)
}

/// Who owns the workloads of a kind, by component: recorded runs and revisions name them.
fn owners(
    application: &str,
    kind: WorkloadKind,
    records: &[Record],
    revisions: &[Owned],
) -> BTreeMap<String, ComponentOwner> {
    let of_records = records
        .iter()
        .flat_map(|record| record.revision_names().map(|revision| (record.component.clone(), revision)));
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

/// Removes everything in scope, while no other run drives the application.
///
/// # Errors
/// Another run that does not end in time, and what the server answered at last.
pub async fn delete(
    session: &Session,
    scope: &Scope,
    identity: &str,
    patience: Duration,
    mut say: impl FnMut(Said<'_>),
) -> Result<(), Failure> {
    let Scope { namespace, application, component } = scope;
    let records = record::load_all(session, namespace).await?;
    let of_application = || records.iter().filter(|stored| stored.record.application == *application);
    // A paused run has stopped already.
    let is_paused = of_application().any(|stored| stored.record.run.paused.is_some());
    let turn = if is_paused { Turn::AtOnce } else { Turn::InLine };
    check_rights(session, scope).await?;
    let queue = Queue::new(session.clone(), namespace, application, identity);
    let lease = queue.acquire(turn, patience, |holder| say(Said::Waiting(holder))).await?;
    let work = async {
        loop {
            let found = inventory(session, scope).await?;
            if found.is_empty() {
                return Ok(());
            }
            for owned in &found {
                // Whoever has taken over, under whichever name, may have made it anew.
                match lease.lost_to().await {
                    Ok(None) => {}
                    Ok(Some(holder)) => return Err(taken_over(application, &holder)),
                    Err(error) => {
                        session.pause_after(&error).await?;
                        break;
                    }
                }
                if owned::remove(session, namespace, owned).await? == Removal::Done {
                    say(Said::Removed(owned));
                }
            }
        }
    };
    let removed = tokio::select! {
        removed = work => removed,
        holder = lease.keep() => Err(taken_over(application, &holder)),
    };
    lease.release().await;
    removed?;
    let is_last = component.is_none()
        || record::load_all(session, namespace)
            .await?
            .iter()
            .all(|stored| stored.record.application != *application);
    if is_last {
        discard_lease(session, namespace, application).await?;
    }
    Ok(())
}

fn taken_over(application: &str, holder: &str) -> Failure {
    let reason = format!("application `{application}` was taken over by `{holder}`");
    Failure::new(FailureKind::Superseded, reason).hint("see `rollout status`")
}

/// Makes sure of every right before anything goes, so that no half of it stays for want of one.
async fn check_rights(session: &Session, scope: &Scope) -> Result<(), Failure> {
    let found = inventory(session, scope).await?;
    match preflight::lack(session, &scope.namespace, preflight::of_removal(&found)).await? {
        Some(reason) => Err(Failure::refused(reason).hint(RIGHTS)),
        None => Ok(()),
    }
}

async fn view(
    session: &Session,
    views: &Views,
    view: View,
    namespace: &str,
    name: &str,
) -> Result<Option<Owned>, ClusterError> {
    let Some(resource) = views.resource(view) else { return Ok(None) };
    match owned::get(session, namespace, resource, name).await {
        // They are for people to look at: whoever may not see them can remove the rest.
        Err(ClusterError::Forbidden(_)) => Ok(None),
        found => found,
    }
}

/// Whether a removal has left the Lease of an application behind, killed at its very end.
///
/// # Errors
/// What the server answered at last.
pub async fn is_unfinished(session: &Session, scope: &Scope) -> Result<bool, ClusterError> {
    let Scope { namespace, application, component } = scope;
    Ok(component.is_none() && lease_of(session, namespace, application).await?.is_some())
}

async fn lease_of(
    session: &Session,
    namespace: &str,
    application: &str,
) -> Result<Option<Owned>, ClusterError> {
    owned::get(session, namespace, ApiResource::erase::<Lease>(&()), &lease::name(application)).await
}

/// The Lease of an application that is gone, unless somebody has taken it since.
async fn discard_lease(session: &Session, namespace: &str, application: &str) -> Result<(), ClusterError> {
    if let Some(seen) = lease_of(session, namespace, application).await?
        && lease::holder(session, namespace, application).await?.is_none()
    {
        owned::remove(session, namespace, &seen).await?;
    }
    Ok(())
}
