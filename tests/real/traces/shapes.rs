//! The objects after a script: workload, pods and revisions, field by field, on both backends.
//!
//! Values that differ between clusters are left out: UIDs, versions, times, addresses, nodes, managed fields, and the
//! random letters of generated names.

use kube::api::{Api, ApiResource, DynamicObject};
use serde_json::{Map, Value, json};

/// The objects that a workload's controller creates in a namespace, without cluster-specific values.
pub(super) async fn of(client: &kube::Client, namespace: &str, workload: &ApiResource) -> Vec<Value> {
    let revisions = ApiResource::erase::<k8s_openapi::api::apps::v1::ControllerRevision>(&());
    let pods = ApiResource::erase::<k8s_openapi::api::core::v1::Pod>(&());
    let mut objects = Vec::new();
    for kind in [&revisions, workload, &pods] {
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, kind);
        for object in api.list(&Default::default()).await.unwrap() {
            let mut object = serde_json::to_value(object).unwrap();
            object["kind"] = json!(kind.kind);
            objects.push(object);
        }
    }
    let names = made_up(&objects);
    let mut plain: Vec<Value> = objects
        .into_iter()
        .map(|object| {
            let mut text = reduced(object).to_string();
            for (name, word) in &names {
                text = text.replace(name, word);
            }
            serde_json::from_str(&text).unwrap()
        })
        .collect();
    plain.sort_by_key(|object: &Value| object.to_string());
    plain
}

/// The generated names, longest first, and their replacements.
fn made_up(objects: &[Value]) -> Vec<(String, String)> {
    let mut names = Vec::new();
    for object in objects {
        let name = object["metadata"]["name"].as_str().unwrap();
        let Some((_, end)) = name.rsplit_once('-') else { continue };
        if object["kind"] == "ControllerRevision" {
            names.push((end.to_owned(), format!("revision{}", object["revision"])));
        } else if object["kind"] == "Pod" && end.len() == 5 {
            names.push((end.to_owned(), "xxxxx".to_owned()));
        }
    }
    names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    names
}

/// Fields that differ between clusters.
const OWN: [&str; 20] = [
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "managedFields",
    "lastTransitionTime",
    "lastProbeTime",
    "startTime",
    "startedAt",
    "finishedAt",
    "containerID",
    "podIP",
    "podIPs",
    "hostIP",
    "hostIPs",
    "nodeName",
    "namespace",
    "message",
    "updateTimestamp",
    "timestamp",
    "lifecycle.apps.kruise.io/timestamp",
];

fn reduced(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.into_iter().filter(|(name, _)| !OWN.contains(&name.as_str()));
            Value::Object(kept.map(|(name, value)| (name, reduced(value))).collect::<Map<_, _>>())
        }
        Value::Array(items) => {
            let mut items: Vec<Value> = items.into_iter().map(reduced).collect();
            // Conditions have no defined order.
            if items.iter().all(|item| item.get("type").is_some()) {
                items.sort_by_key(|item| item["type"].to_string());
            }
            Value::Array(items)
        }
        // Some annotations contain an object as text.
        Value::String(text) => match serde_json::from_str::<Map<String, Value>>(&text) {
            Ok(map) => reduced(Value::Object(map)),
            Err(_) => Value::String(text.replace("sandbox://", "").replace("test://", "")),
        },
        plain => plain,
    }
}
