//! Workloads with the labels of a component that belong to others.

use serde_json::{Value, json};

use super::random::Rng;
use super::rules::world::{FOREIGN, is_foreign};
use super::test_cluster::TestCluster;

/// A foreign workload, which may have any of the marks of a component's workload, but never all of them.
pub(crate) fn plant(rng: &mut Rng, index: u64) -> Value {
    let kind = *rng.pick(&["Deployment", "StatefulSet"]);
    let names = ["web-copy", "a-copy", "web-v1-canary", "web-blue"];
    let name = format!("{}-{index}", rng.pick(&names));
    let mut labels = json!({"app.oam.dev/component": "web"});
    for (key, values) in [
        ("app.oam.dev/name", ["shop", "other"]),
        ("app.oam.dev/resourceType", ["WORKLOAD", "TRAIT"]),
        ("app.oam.dev/revision", ["web-v1", "web-v2"]),
    ] {
        if !rng.one_in(3) {
            labels[key] = json!(rng.pick(&values));
        }
    }
    let mut annotations = json!({FOREIGN: "true"});
    if rng.one_in(2) {
        annotations["batch-rollout.dev/epoch"] = json!("1");
    }
    let mut pod_labels = json!({"app": name});
    if rng.one_in(4) {
        pod_labels["app.oam.dev/component"] = json!("web");
    }
    let mut spec = json!({
        "replicas": rng.below(3),
        "selector": {"matchLabels": {"app": name}},
        "template": {
            "metadata": {"labels": pod_labels},
            "spec": {"containers": [{"name": "main", "image": "foreign:1"}]},
        },
    });
    if kind == "StatefulSet" {
        spec["serviceName"] = json!("foreign");
    }
    let metadata = json!({"name": name, "labels": labels, "annotations": annotations});
    json!({"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec})
}

/// The foreign workloads, without the fields that controllers write.
pub(crate) fn foreign(cluster: &TestCluster) -> Vec<Value> {
    let mut objects: Vec<Value> = cluster.all_objects().into_iter().filter(is_foreign).collect();
    for object in &mut objects {
        object["status"] = Value::Null;
        object["metadata"]["resourceVersion"] = Value::Null;
        object["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = Value::Null;
        object["metadata"]["generation"] = Value::Null;
    }
    objects
}
