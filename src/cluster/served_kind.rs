//! How the server serves a kind: its plural, and whether its objects have a namespace.
//!
//! The built-in kinds are known; others, such as those of a CustomResourceDefinition, are discovered.

use std::collections::BTreeMap;

use futures::future::try_join_all;
use kube::api::ApiResource;
use kube::core::GroupVersionKind;

use crate::cluster::error::ClusterError;
use crate::cluster::session::Session;
use crate::oam::object::ObjectRef;

/// A kind as the server serves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedKind {
    /// Its names in the API.
    pub resource: ApiResource,
    /// Whether its objects have a namespace.
    pub scope: KindScope,
}

/// Whether objects of a kind have a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KindScope {
    /// Namespaced.
    Namespaced,
    /// Cluster-scoped.
    Cluster,
}

/// Kinds by group, version and kind; `None` for those that the server does not serve.
pub type ServedKinds = BTreeMap<(String, String), Option<ServedKind>>;

/// The built-in groups, whose kinds all have regular plurals.
const BUILT_IN: [&str; 10] = [
    "",
    "apps",
    "autoscaling",
    "batch",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
    "apiextensions.k8s.io",
];

/// The cluster-scoped kinds of these groups.
const CLUSTER_SCOPED: [&str; 13] = [
    "ClusterRole",
    "ClusterRoleBinding",
    "CSIDriver",
    "CSINode",
    "CustomResourceDefinition",
    "IngressClass",
    "Namespace",
    "Node",
    "PersistentVolume",
    "PriorityClass",
    "StorageClass",
    "VolumeAttachment",
    "VolumeAttributesClass",
];

/// Finds how the kinds of objects are served.
///
/// # Errors
/// See [`Session::read`].
pub async fn find_kinds<'a>(
    session: &Session,
    objects: impl IntoIterator<Item = &'a ObjectRef>,
) -> Result<ServedKinds, ClusterError> {
    let mut wanted: Vec<(String, String)> =
        objects.into_iter().map(|object| (object.api_version.clone(), object.kind.clone())).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let found = wanted.iter().map(|(api_version, kind)| find_kind(session, api_version, kind));
    let found = try_join_all(found).await?;
    Ok(wanted.into_iter().zip(found).collect())
}

/// The names of a kind in the API, without discovery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KindNames {
    /// It is a built-in kind.
    Known(ServedKind),
    /// It is another kind, which is assumed to be namespaced with a regular plural, as most are.
    Assumed(ServedKind),
}

/// Guesses the names of a kind in the API without discovery.
#[must_use]
pub fn guess_kind(api_version: &str, kind: &str) -> KindNames {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    if BUILT_IN.contains(&group) {
        let scope = if CLUSTER_SCOPED.contains(&kind) { KindScope::Cluster } else { KindScope::Namespaced };
        return KindNames::Known(ServedKind { resource, scope });
    }
    KindNames::Assumed(ServedKind { resource, scope: KindScope::Namespaced })
}

/// Finds how a kind is served; `None` if it is not.
///
/// # Errors
/// See [`Session::read`].
pub async fn find_kind(
    session: &Session,
    api_version: &str,
    kind: &str,
) -> Result<Option<ServedKind>, ClusterError> {
    if let KindNames::Known(kind) = guess_kind(api_version, kind) {
        return Ok(Some(kind));
    }
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let named = GroupVersionKind::gvk(group, version, kind);
    let list = match session.read(|| session.discover(api_version)).await {
        Ok(list) => list,
        Err(ClusterError::NotFound(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let found = list.resources.into_iter().find(|one| one.kind == kind && !one.name.contains('/'));
    Ok(found.map(|one| ServedKind {
        resource: ApiResource::from_gvk_with_plural(&named, &one.name),
        scope: if one.namespaced { KindScope::Namespaced } else { KindScope::Cluster },
    }))
}

impl ServedKind {
    /// The namespace of an object in a manifest that is applied to `namespace`.
    #[must_use]
    pub fn namespace_of<'a>(&self, object: &'a ObjectRef, namespace: &'a str) -> Option<&'a str> {
        self.scope.namespace_of(object, namespace)
    }
}

impl KindScope {
    /// The namespace of an object with this scope in a manifest that is applied to `namespace`.
    #[must_use]
    pub fn namespace_of<'a>(self, object: &'a ObjectRef, namespace: &'a str) -> Option<&'a str> {
        match self {
            Self::Namespaced => Some(object.namespace.as_deref().unwrap_or(namespace)),
            Self::Cluster => None,
        }
    }
}
