//! What is left when everything is done, without what differs from run to run.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

/// Fields that are never the same twice. A Deployment's generation moves with its stamp, too.
const UNSTABLE: [&str; 6] =
    ["uid", "resourceVersion", "creationTimestamp", "managedFields", "generation", "observedGeneration"];

/// The end state: objects by kind and name, pods as numbers.
pub(crate) fn normalised(objects: &[Value]) -> BTreeMap<String, Value> {
    let mut state = BTreeMap::new();
    let mut pods: BTreeMap<String, usize> = BTreeMap::new();
    for object in objects {
        let kind = object["kind"].as_str().unwrap_or_default();
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        match kind {
            "Event" | "Namespace" | "Node" => {}
            "Pod" => *pods.entry(format!("Pod {}", pod(object))).or_default() += 1,
            // A run that died after its last effect leaves its name on the Lease, which expires by itself.
            "Lease" => drop(state.insert(format!("Lease {name}"), Value::Null)),
            _ => {
                state.insert(format!("{kind} {name}"), stable(object));
            }
        }
    }
    state.extend(pods.into_iter().map(|(pod, count)| (pod, json!(count))));
    state
}

fn pod(pod: &Value) -> String {
    let conditions = pod["status"]["conditions"].as_array();
    let is_ready = conditions.is_some_and(|all| {
        all.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
    });
    let owner = pod["metadata"]["ownerReferences"][0]["name"].as_str().unwrap_or("nobody");
    let image = pod["spec"]["containers"][0]["image"].as_str().unwrap_or_default();
    format!("of {owner} with {image}, {}", if is_ready { "ready" } else { "not ready" })
}

fn stable(object: &Value) -> Value {
    let mut object = without_unstable(object);
    if let Some(status) = object.get_mut("status").and_then(Value::as_object_mut) {
        status.remove("conditions");
    }
    if let Some(record) = object["data"]["record"].as_str() {
        object["data"]["record"] = self::record(record);
        object["data"]["epoch"] = Value::Null;
    }
    if let Some(annotations) = object["metadata"]["annotations"].as_object_mut() {
        annotations.remove("batch-rollout.dev/epoch");
    }
    object
}

/// A record without who and when. Earlier runs count by what they did.
fn record(text: &str) -> Value {
    let record: Value = serde_json::from_str(text).unwrap();
    let done = |run: &Value| json!({"spec": run["spec"], "outcome": run["outcome"]});
    let past: Vec<Value> = record["past"].as_array().into_iter().flatten().map(done).collect();
    json!({"application": record["application"], "run": done(&record["run"]), "past": past})
}

fn without_unstable(value: &Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .filter(|(key, _)| !UNSTABLE.contains(&key.as_str()))
                .map(|(key, value)| (key.clone(), without_unstable(value)))
                .collect::<Map<String, Value>>(),
        ),
        Value::Array(items) => Value::Array(items.iter().map(without_unstable).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// Panics with every difference.
pub(crate) fn check(reference: &BTreeMap<String, Value>, objects: &[Value]) {
    let as_value = |state: &BTreeMap<String, Value>| json!(state);
    let mut found = Vec::new();
    differences("", &as_value(reference), &as_value(&normalised(objects)), &mut found);
    assert!(found.is_empty(), "the end is another than undisturbed:\n{}", found.join("\n"));
}

fn differences(path: &str, wanted: &Value, found: &Value, all: &mut Vec<String>) {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => {
            let keys: BTreeSet<&String> = wanted.keys().chain(found.keys()).collect();
            for key in keys {
                let side = |fields: &Map<String, Value>| fields.get(key).cloned().unwrap_or_default();
                differences(&format!("{path}/{key}"), &side(wanted), &side(found), all);
            }
        }
        (wanted, found) if wanted != found => all.push(format!("{path}: {wanted} became {found}")),
        _ => {}
    }
}
