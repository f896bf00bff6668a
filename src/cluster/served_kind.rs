//! How the server serves a kind: its plural, and whether its objects have a namespace.
//!
//! The kinds that every server serves are known; others, such as those of a CustomResourceDefinition, are discovered.

use std::collections::BTreeMap;

use futures::future::try_join_all;
use kube::api::ApiResource;
use kube::core::GroupVersionKind;

use crate::cluster::error::ClusterError;
use crate::cluster::session::Session;
use crate::oam::kind_scope::{KindScope, built_in_scope};
use crate::oam::object::ObjectRef;

/// A kind as the server serves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedKind {
    /// Its names in the API.
    pub resource: ApiResource,
    /// Whether its objects have a namespace.
    pub scope: KindScope,
}

/// Kinds by group, version and kind; `None` for those that the server does not serve.
pub type ServedKinds = BTreeMap<(String, String), Option<ServedKind>>;

/// The kinds that every server serves, by group and version. All others are discovered, also those of built-in groups:
/// a server serves only some versions of them, and a manifest can misspell a kind.
const ALWAYS_SERVED: [(&str, &[&str]); 8] = [
    (
        "v1",
        &[
            "ConfigMap",
            "LimitRange",
            "Namespace",
            "PersistentVolumeClaim",
            "Pod",
            "ResourceQuota",
            "Secret",
            "Service",
            "ServiceAccount",
        ],
    ),
    ("apiextensions.k8s.io/v1", &["CustomResourceDefinition"]),
    ("apps/v1", &["ControllerRevision", "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"]),
    ("autoscaling/v2", &["HorizontalPodAutoscaler"]),
    ("batch/v1", &["CronJob", "Job"]),
    ("networking.k8s.io/v1", &["Ingress", "IngressClass", "NetworkPolicy"]),
    ("policy/v1", &["PodDisruptionBudget"]),
    ("rbac.authorization.k8s.io/v1", &["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"]),
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

/// Guesses how a kind is served, without discovery. Kinds of other groups than the built-in ones are assumed to be
/// namespaced, as most are, and all to have a regular plural.
#[must_use]
pub fn guess_kind(api_version: &str, kind: &str) -> ServedKind {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    ServedKind {
        resource: ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind)),
        scope: built_in_scope(group, kind).unwrap_or(KindScope::Namespaced),
    }
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
    let is_this = |(of, kinds): &(&str, &[&str])| *of == api_version && kinds.contains(&kind);
    if ALWAYS_SERVED.iter().any(is_this) {
        return Ok(Some(guess_kind(api_version, kind)));
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
