//! Finds and deletes objects of any kind that an application owns.

use std::collections::BTreeSet;
use std::fmt;

use k8s_openapi::api::apps::v1::ControllerRevision;
use kube::ResourceExt;
use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::core::{Expression, Selector};

use crate::cluster::error::ClusterError;
use crate::cluster::keys;
use crate::cluster::ownership::LabelledWorkload;
use crate::cluster::revision_store::read_revision;
use crate::cluster::session::Session;
use crate::cluster::workload_writer::delete_params;
use crate::oam::kind::WorkloadKind;
use crate::oam::labels;
use crate::oam::revision::StoredRevision;
use crate::plan::epoch::Epoch;

/// An object with an owner.
#[derive(Debug, Clone)]
pub struct OwnedObject {
    resource: ApiResource,
    object: DynamicObject,
}

impl OwnedObject {
    /// An object of a kind.
    #[must_use]
    pub fn new(resource: ApiResource, object: DynamicObject) -> Self {
        Self { resource, object }
    }

    /// Its namespace.
    pub fn namespace(&self) -> &str {
        self.object.metadata.namespace.as_deref().unwrap_or_default()
    }

    /// Its name.
    pub fn name(&self) -> String {
        self.object.name_any()
    }

    /// Its UID; a recreated object of the same name has a different one.
    pub fn uid(&self) -> &str {
        self.object.metadata.uid.as_deref().unwrap_or_default()
    }

    /// The component that it belongs to.
    pub fn component(&self) -> Option<&str> {
        let keys = [labels::COMPONENT, labels::REVISION_COMPONENT, keys::RECORD_COMPONENT];
        keys.into_iter().find_map(|key| self.label(key))
    }

    /// The epoch that it is stamped with.
    pub fn stamp(&self) -> Option<Epoch> {
        self.object.annotations().get(keys::EPOCH).and_then(|epoch| epoch.parse().ok()).map(Epoch)
    }

    /// The value of one of its labels.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.object.labels().get(key).map(String::as_str)
    }

    /// Whether it is kept when its application is deleted.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        is_kept(&self.resource.kind, &self.object)
    }

    /// Whether it carries an annotation.
    pub fn is_marked(&self, annotation: &str) -> bool {
        self.object.annotations().contains_key(annotation)
    }

    /// It as a workload of a kind.
    pub fn labelled(&self, kind: WorkloadKind) -> LabelledWorkload {
        LabelledWorkload::of(kind, &self.object)
    }

    /// It as a component revision; `None` if it is of another kind.
    pub fn as_revision(&self) -> Option<StoredRevision> {
        (self.kind() == ("apps", "controllerrevisions")).then(|| read_revision(&self.object)).flatten()
    }

    /// The finalizers that its deletion waits for; `None` if it is not being deleted.
    #[must_use]
    pub fn awaits(&self) -> Option<&[String]> {
        self.object.metadata.deletion_timestamp.as_ref().map(|_| self.object.finalizers())
    }

    /// Whether it is a run record.
    #[must_use]
    pub fn is_record(&self) -> bool {
        self.object.labels().contains_key(keys::RECORD_COMPONENT)
    }

    /// Its API group and the plural of its kind.
    pub(super) fn kind(&self) -> (&str, &str) {
        (&self.resource.group, &self.resource.plural)
    }
}

/// Whether an object of a kind is kept when its application is deleted: a volume claim, which may hold data, or one
/// that a `garbage-collect` policy keeps forever.
#[must_use]
pub fn is_kept(kind: &str, object: &DynamicObject) -> bool {
    let kept = object.annotations().get(keys::KEPT).map(String::as_str);
    kept == Some("never") || kind == "PersistentVolumeClaim"
}

/// Formats it as kubectl does: `deployment.apps/web-v1`.
impl fmt::Display for OwnedObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ApiResource { kind, group, .. } = &self.resource;
        let dot = if group.is_empty() { "" } else { "." };
        write!(f, "{}{dot}{group}/{}", kind.to_lowercase(), self.object.name_any())
    }
}

/// Lists the objects that a selector matches and, if other tools use the same labels, that carry the annotation `mark`.
///
/// # Errors
/// See [`Session::read`].
pub async fn list_owned(
    session: &Session,
    namespace: &str,
    resource: &ApiResource,
    selector: &Selector,
    mark: Option<&str>,
) -> Result<Vec<OwnedObject>, ClusterError> {
    let api = session.dynamic(namespace, resource);
    let params = ListParams::default().labels_from(selector);
    let list = match session.read(|| api.list(&params)).await {
        Err(ClusterError::NotFound(_)) => return Ok(Vec::new()),
        list => list?,
    };
    let owned = list.items.into_iter().map(|object| OwnedObject { resource: resource.clone(), object });
    Ok(owned.filter(|owned| mark.is_none_or(|annotation| owned.is_marked(annotation))).collect())
}

/// The applications and components that have revisions in a namespace, except those that only KubeVela has recorded.
///
/// # Errors
/// See [`Session::read`].
pub async fn components_of_revisions(
    session: &Session,
    namespace: &str,
) -> Result<BTreeSet<(String, String)>, ClusterError> {
    let revision = ApiResource::erase::<ControllerRevision>(&());
    let exists = |key: &str| Expression::Exists(key.to_owned());
    let named: Selector = [exists(labels::NAME), exists(labels::REVISION_COMPONENT)].into_iter().collect();
    let revisions = list_owned(session, namespace, &revision, &named, None).await?;
    let names = revisions.iter().filter_map(|one| {
        Some((one.label(labels::NAME)?.to_owned(), one.label(labels::REVISION_COMPONENT)?.to_owned()))
    });
    Ok(names.collect())
}

/// The object of a kind with a name; `None` if there is none.
///
/// # Errors
/// See [`Session::read`].
pub async fn get_owned(
    session: &Session,
    namespace: &str,
    resource: ApiResource,
    name: &str,
) -> Result<Option<OwnedObject>, ClusterError> {
    let api = session.dynamic(namespace, &resource);
    let object = session.read(|| api.get_opt(name)).await?;
    Ok(object.map(|object| OwnedObject { resource, object }))
}

/// Whether an object is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// The object is gone.
    Done,
    /// The deletion has started; finalizers remain.
    Begun,
    /// Unknown, because it has changed or the answer was lost: read it again.
    Unclear,
}

/// Deletes an object, unless it has changed since it was read.
///
/// # Errors
/// See [`Session::read`].
pub async fn delete_owned(session: &Session, owned: &OwnedObject) -> Result<Removal, ClusterError> {
    let api = session.objects(&owned.resource, owned.object.metadata.namespace.as_deref());
    let params = delete_params(owned.object.uid(), owned.object.resource_version());
    match session.request_once(api.delete(&owned.object.name_any(), &params)).await {
        // The server returns an object that has finalizers, but may also return one that is gone.
        Ok(answer) => {
            let is_held = answer.left().is_some_and(|left| !left.finalizers().is_empty());
            Ok(if is_held { Removal::Begun } else { Removal::Done })
        }
        Err(ClusterError::NotFound(_)) => Ok(Removal::Done),
        Err(ClusterError::Conflict(_)) => Ok(Removal::Unclear),
        Err(error) => session.wait_before_retry(&error).await.map(|()| Removal::Unclear),
    }
}
