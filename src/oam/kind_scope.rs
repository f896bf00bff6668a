//! Whether objects of a kind have a namespace, as far as that is known without a cluster.

use crate::oam::object::ObjectRef;

/// Whether objects of a kind have a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KindScope {
    /// Namespaced.
    Namespaced,
    /// Cluster-scoped.
    Cluster,
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

/// The built-in groups.
const BUILT_IN: [&str; 14] = [
    "",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "autoscaling",
    "batch",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
];

/// The cluster-scoped kinds of these groups.
const CLUSTER_SCOPED: [&str; 22] = [
    "APIService",
    "ClusterRole",
    "ClusterRoleBinding",
    "CSIDriver",
    "CSINode",
    "CustomResourceDefinition",
    "IPAddress",
    "IngressClass",
    "MutatingAdmissionPolicy",
    "MutatingAdmissionPolicyBinding",
    "MutatingWebhookConfiguration",
    "Namespace",
    "Node",
    "PersistentVolume",
    "PriorityClass",
    "ServiceCIDR",
    "StorageClass",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
    "VolumeAttachment",
    "VolumeAttributesClass",
];

/// The scope of a kind of a built-in group; `None` for other groups.
#[must_use]
pub fn built_in_scope(group: &str, kind: &str) -> Option<KindScope> {
    if !BUILT_IN.contains(&group) {
        return None;
    }
    Some(if CLUSTER_SCOPED.contains(&kind) { KindScope::Cluster } else { KindScope::Namespaced })
}
