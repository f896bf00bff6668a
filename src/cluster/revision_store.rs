//! Stores component revisions as ControllerRevisions, which are created and deleted but never changed.

use std::collections::BTreeSet;

use k8s_openapi::api::apps::v1::ControllerRevision;
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, Preconditions};
use serde_json::Value;

use crate::cluster::error::ClusterError;
use crate::cluster::lookup::{find_by_name, label_selector};
use crate::cluster::session::Session;
use crate::cluster::workload_writer::create_params;
use crate::oam::labels;
use crate::oam::revision::StoredRevision;

fn revision_resource() -> ApiResource {
    ApiResource::erase::<ControllerRevision>(&())
}

/// Reads the revisions of some components, oldest number first.
///
/// # Errors
/// See [`Session::read`].
pub async fn list_revisions(
    session: &Session,
    namespace: &str,
    components: &[String],
) -> Result<Vec<StoredRevision>, ClusterError> {
    let api = session.dynamic(namespace, &revision_resource());
    let params = ListParams::default().labels_from(&label_selector(labels::REVISION_COMPONENT, components));
    let list = session.read(|| api.list(&params)).await?;
    let wanted: BTreeSet<&str> = components.iter().map(String::as_str).collect();
    let is_wanted = |revision: &StoredRevision| {
        revision.component.as_deref().is_some_and(|component| wanted.contains(component))
    };
    let revisions = list.items.iter().filter_map(read_revision);
    let mut revisions: Vec<StoredRevision> = revisions.filter(is_wanted).collect();
    revisions.sort_by(|a, b| (a.revision, &a.name).cmp(&(b.revision, &b.name)));
    Ok(revisions)
}

/// Reads one revision by name, even one of another component.
///
/// # Errors
/// See [`Session::read`].
pub async fn get_revision(
    session: &Session,
    namespace: &str,
    name: &str,
) -> Result<Option<StoredRevision>, ClusterError> {
    let api = session.dynamic(namespace, &revision_resource());
    Ok(session.read(|| api.get_opt(name)).await?.as_ref().and_then(read_revision))
}

/// Reads the revisions with these names that exist, even those of other components.
///
/// # Errors
/// See [`Session::read`].
pub async fn find_revisions(
    session: &Session,
    namespace: &str,
    names: &BTreeSet<String>,
) -> Result<Vec<StoredRevision>, ClusterError> {
    let found = find_by_name(session, namespace, &revision_resource(), names, "").await?;
    Ok(found.values().filter_map(read_revision).collect())
}

/// Records a revision.
///
/// # Errors
/// `AlreadyExists` means that another process has just recorded one of that name: read it again.
pub async fn create_revision(
    session: &Session,
    namespace: &str,
    object: &Value,
) -> Result<StoredRevision, ClusterError> {
    let api = session.dynamic(namespace, &revision_resource());
    let object: DynamicObject =
        serde_json::from_value(object.clone()).map_err(|error| ClusterError::Invalid(error.to_string()))?;
    let params = create_params();
    let created = session.request_once(api.create(&params, &object)).await?;
    read_revision(&created)
        .ok_or_else(|| ClusterError::Other("the recorded revision came back without a body".into()))
}

/// Deletes a revision, unless it has changed since it was read.
///
/// # Errors
/// See [`Session::request_once`]; a revision that is already gone is not an error.
pub async fn delete_revision(
    session: &Session,
    namespace: &str,
    revision: &StoredRevision,
) -> Result<(), ClusterError> {
    let api = session.dynamic(namespace, &revision_resource());
    let params = DeleteParams {
        preconditions: Some(Preconditions {
            uid: Some(revision.uid.clone()),
            resource_version: Some(revision.resource_version.clone()),
        }),
        ..DeleteParams::default()
    };
    match session.request_once(api.delete(&revision.name, &params)).await {
        Ok(_) | Err(ClusterError::NotFound(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

pub(super) fn read_revision(object: &DynamicObject) -> Option<StoredRevision> {
    StoredRevision::from_object(&serde_json::to_value(object).ok()?)
}
