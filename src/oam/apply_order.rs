//! The order in which objects are applied: those that others need come first.

use serde_json::Value;

/// Kinds in the order in which they are applied. Those that are not listed come after them, before [`LAST`].
const ORDER: [&[&str]; 11] = [
    &["Namespace"],
    &["CustomResourceDefinition", "APIService"],
    &["PriorityClass", "StorageClass", "IngressClass", "RuntimeClass", "CSIDriver"],
    &["NetworkPolicy", "ResourceQuota", "LimitRange"],
    &["ServiceAccount"],
    &["ClusterRole", "Role"],
    &["ClusterRoleBinding", "RoleBinding"],
    &["Secret", "ConfigMap"],
    &["PersistentVolume", "PersistentVolumeClaim"],
    &["Service", "EndpointSlice", "Endpoints"],
    &[
        "DaemonSet",
        "Pod",
        "ReplicationController",
        "ReplicaSet",
        "Deployment",
        "StatefulSet",
        "CloneSet",
        "Job",
        "CronJob",
    ],
];

/// Kinds that are applied after all others, because they refer to other objects or may reject them.
const LAST: [&str; 6] = [
    "Ingress",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
    "ValidatingAdmissionPolicyBinding",
];

/// The rank of a kind in the order of application. Objects of equal rank are applied in the manifest's order.
#[must_use]
pub fn apply_rank(kind: &str) -> usize {
    if LAST.contains(&kind) {
        return ORDER.len() + 1;
    }
    ORDER.iter().position(|kinds| kinds.contains(&kind)).unwrap_or(ORDER.len())
}

/// The order in which objects are applied, as indices into `objects`. They are removed in reverse order.
#[must_use]
pub fn apply_order(objects: &[Value]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..objects.len()).collect();
    order.sort_by_key(|index| apply_rank(objects[*index]["kind"].as_str().unwrap_or_default()));
    order
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_follow_those_that_they_need() {
        let kinds =
            ["Ingress", "Deployment", "Widget", "ConfigMap", "Namespace", "RoleBinding", "Role", "Service"];
        let objects: Vec<Value> = kinds.iter().map(|kind| json!({"kind": kind})).collect();
        let ordered: Vec<&str> = apply_order(&objects).into_iter().map(|index| kinds[index]).collect();
        assert_eq!(
            ordered,
            ["Namespace", "Role", "RoleBinding", "ConfigMap", "Service", "Deployment", "Widget", "Ingress"]
        );
    }

    #[test]
    fn objects_of_one_rank_keep_their_order() {
        let objects = [json!({"kind": "Secret"}), json!({"kind": "Namespace"}), json!({"kind": "ConfigMap"})];
        assert_eq!(apply_order(&objects), [1, 0, 2]);
    }
}
