//! The request bodies of scripts.

use serde_json::{Value, json};

/// A ConfigMap.
pub(super) fn map(name: &str, data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

/// A paused Deployment without pods, so that its controller soon stops writing.
pub(super) fn quiet(name: &str) -> Value {
    let mut body = deployment(name, 0);
    body["spec"]["paused"] = json!(true);
    body
}

/// The smallest Deployment.
pub(super) fn deployment(name: &str, replicas: i64) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "web", "image": "web:1"}]},
            },
        },
    })
}

/// A Service with one port.
pub(super) fn service(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80}]},
    })
}

/// A revision.
pub(super) fn revision(name: &str) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {"name": name},
        "revision": 1,
        "data": {"kind": "Anything", "empty": {}, "none": null, "list": []},
    })
}

/// A Lease.
pub(super) fn lease(name: &str) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name},
        "spec": {
            "holderIdentity": "somebody",
            "leaseDurationSeconds": 15,
            "leaseTransitions": 0,
            "acquireTime": "2020-01-02T03:04:05.000006Z",
            "renewTime": "2020-01-02T03:04:05.678900Z",
        },
    })
}

/// Whether an event is about a Deployment whose controller has finished.
pub(super) fn is_at_rest(event: &Value) -> bool {
    let object = &event["object"];
    let conditions = object["status"]["conditions"].as_array().map_or(0, Vec::len);
    object["status"]["observedGeneration"] == object["metadata"]["generation"] && conditions >= 2
}
