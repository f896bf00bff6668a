//! Facts about a pod that several controllers and the kubelet need.

use jiff::Timestamp;
use serde_json::Value;
use std::cmp::Reverse;

use crate::sandbox::object::key::Key;
use crate::sandbox::object::meta;

/// Whether all containers have ended for good.
pub(crate) fn has_ended(pod: &Value) -> bool {
    matches!(meta::text(pod, "/status/phase"), "Succeeded" | "Failed")
}

/// Whether the pod counts towards the replicas of its workload.
pub(crate) fn is_active(pod: &Value) -> bool {
    !meta::is_terminating(pod) && !has_ended(pod)
}

pub(crate) fn is_bound(pod: &Value) -> bool {
    !meta::text(pod, "/spec/nodeName").is_empty()
}

/// Since when the pod has been ready, if it is.
pub(crate) fn ready_since(pod: &Value) -> Option<Timestamp> {
    meta::items(pod, "/status/conditions")
        .iter()
        .find(|c| c["type"] == "Ready" && c["status"] == "True")
        .and_then(|c| meta::time_at(c, "/lastTransitionTime"))
}

/// The order in which a controller deletes surplus pods, lowest first: those that serve least, then those that have
/// served for the shortest time, so that scaling down disrupts as little as possible.
///
/// It is `ActivePodsWithRanks` of Kubernetes without the pods per node, as there is only one node. The documented
/// part:
/// <https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#scaling-down-a-replicaset>. Equal pods are
/// ordered by name, so that every run deletes the same ones.
pub(crate) fn deletion_rank(pod: &Value, key: &Key) -> impl Ord + use<> {
    let phase = match meta::text(pod, "/status/phase") {
        "Pending" => 0,
        "Running" => 2,
        _ => 1,
    };
    let cost: i64 = meta::annotation(pod, "controller.kubernetes.io/pod-deletion-cost")
        .and_then(|cost| cost.parse().ok())
        .unwrap_or_default();
    let ready = ready_since(pod);
    let restarts: i64 =
        meta::items(pod, "/status/containerStatuses").iter().map(|c| meta::number(c, "/restartCount")).sum();
    let created = meta::time_at(pod, "/metadata/creationTimestamp");
    (
        is_bound(pod),
        phase,
        ready.is_some(),
        cost,
        Reverse(ready),
        Reverse(restarts),
        Reverse(created),
        key.clone(),
    )
}
