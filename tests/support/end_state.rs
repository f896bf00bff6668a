//! The end state, without fields that differ from run to run.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

/// Fields that differ between runs or namespaces. A Deployment's generation also changes with its stamp, and its
/// collision count depends on when an earlier ReplicaSet was garbage-collected.
const UNSTABLE: [&str; 13] = [
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "managedFields",
    "generation",
    "observedGeneration",
    "namespace",
    "app.oam.dev/namespace",
    "batch-rollout.dev/applied",
    "batch-rollout.dev/written",
    "collisionCount",
    "clusterIP",
    "clusterIPs",
];

/// The end state: objects by kind and name, with pods as numbers.
pub(crate) fn normalised(objects: &[Value]) -> BTreeMap<String, Value> {
    let hashes = Hashes::of(objects);
    let mut state = BTreeMap::new();
    let mut pods: BTreeMap<String, usize> = BTreeMap::new();
    for object in objects {
        let kind = object["kind"].as_str().unwrap_or_default();
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        match kind {
            "Event" | "Namespace" | "Node" => {}
            "Pod" => *pods.entry(hashes.out_of(&format!("Pod {}", pod(object)))).or_default() += 1,
            // A run that died after its last effect still holds the Lease, which expires by itself.
            "Lease" => drop(state.insert(format!("Lease {name}"), Value::Null)),
            _ => {
                let name = hashes.out_of(name);
                state.insert(format!("{kind} {name}"), stable(object, &hashes));
            }
        }
    }
    state.extend(pods.into_iter().map(|(pod, count)| (pod, json!(count))));
    state
}

/// Hash functions differ between backends, and a hash also depends on how many names were taken.
struct Hashes<'a>(Vec<&'a str>);

impl<'a> Hashes<'a> {
    fn of(objects: &'a [Value]) -> Self {
        let hash = |object: &'a Value| object["metadata"]["labels"]["pod-template-hash"].as_str();
        let sets = objects.iter().filter(|object| object["kind"] == "ReplicaSet");
        Self(sets.filter_map(hash).collect())
    }

    fn out_of(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, hash| text.replace(hash, "hash"))
    }
}

fn pod(pod: &Value) -> String {
    let preconditions = pod["status"]["conditions"].as_array();
    let is_ready = preconditions.is_some_and(|all| {
        all.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
    });
    let owner = pod["metadata"]["ownerReferences"][0]["name"].as_str().unwrap_or("nobody");
    let image = pod["spec"]["containers"][0]["image"].as_str().unwrap_or_default();
    format!("of {owner} with {image}, {}", if is_ready { "ready" } else { "not ready" })
}

fn stable(object: &Value, hashes: &Hashes<'_>) -> Value {
    let mut object = without_unstable(object, hashes);
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

/// A record without identities and times.
fn record(text: &str) -> Value {
    let record: Value = serde_json::from_str(text).unwrap();
    let done = |run: &Value| json!({"spec": run["spec"], "outcome": run["outcome"]});
    let past: Vec<Value> = record["past"].as_array().into_iter().flatten().map(done).collect();
    let is_paused = record["run"]["paused"].is_object();
    json!({"application": record["application"], "run": done(&record["run"]), "past": past, "isPaused": is_paused})
}

fn without_unstable(value: &Value, hashes: &Hashes<'_>) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .filter(|(key, _)| !UNSTABLE.contains(&key.as_str()))
                .map(|(key, value)| (key.clone(), without_unstable(value, hashes)))
                .collect::<Map<String, Value>>(),
        ),
        Value::Array(items) => {
            Value::Array(items.iter().map(|item| without_unstable(item, hashes)).collect())
        }
        Value::String(text) => Value::String(hashes.out_of(text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// Panics and prints all differences.
pub(crate) fn check(reference: &BTreeMap<String, Value>, objects: &[Value]) {
    assert_equal(reference, &normalised(objects));
}

/// Panics and prints all differences between two end states.
pub(crate) fn assert_equal(wanted: &BTreeMap<String, Value>, found: &BTreeMap<String, Value>) {
    let mut all = Vec::new();
    differences("", &json!(wanted), &json!(found), &mut all);
    assert!(all.is_empty(), "the end is another than it was:\n{}", all.join("\n"));
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
