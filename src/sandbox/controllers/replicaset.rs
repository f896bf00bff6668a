//! The ReplicaSet controller: creates and deletes pods until there are as many as `spec.replicas`, and counts them.
//!
//! See <https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/>. It must not know about Deployments.

use jiff::SignedDuration;
use serde_json::{Value, json};
use std::sync::Arc;

use super::ownership;
use crate::sandbox::object::key::Key;
use crate::sandbox::object::{meta, pod};
use crate::sandbox::store::deletion::{self, DeleteOptions};
use crate::sandbox::store::objects::Store;
use crate::sandbox::store::part::Part;
use crate::sandbox::store::queue::{CONTROLLER_DELAY, Task};
use crate::sandbox::store::write::{self, DryRun};
use crate::sandbox::validation::registry;

/// The most pods that one sync creates or deletes (`BurstReplicas` of Kubernetes).
const BURST: usize = 500;

/// Brings the pods of a ReplicaSet and its status in line with its spec.
pub(super) fn sync(store: &mut Store, key: &Key) {
    let Some(set) = store.object(key).cloned() else { return };
    let pods = ownership::claim(store, key, &set, registry::kind("pods"), |_, pod| pod::is_active(pod));
    let terminating = pods.iter().filter(|(_, pod)| meta::is_terminating(pod)).count();
    let active: Vec<&(Key, Arc<Value>)> = pods.iter().filter(|(_, pod)| pod::is_active(pod)).collect();
    let wanted = usize::try_from(meta::number(&set, "/spec/replicas")).unwrap_or_default();
    if !meta::is_terminating(&set) {
        if active.len() < wanted {
            for _ in 0..(wanted - active.len()).min(BURST) {
                create_pod(store, &set);
            }
        } else if active.len() > wanted {
            let mut leaving = active.clone();
            leaving.sort_by_cached_key(|(key, pod)| pod::deletion_rank(pod, key));
            for (key, _) in leaving.iter().take((active.len() - wanted).min(BURST)) {
                deletion::delete_for_controller(store, key, &DeleteOptions::default());
            }
        }
        if active.len().abs_diff(wanted) > BURST {
            store.queue.add(Task::ReplicaSet, key, store.now + CONTROLLER_DELAY);
        }
    }
    let status = count(store, key, &set, &active, terminating);
    write::modify(store, key, Part::Status, |set| set["status"] = status);
}

fn create_pod(store: &mut Store, set: &Value) {
    let template = &set["spec"]["template"];
    let mut metadata = template["metadata"].clone();
    metadata["generateName"] = json!(format!("{}-", meta::name(set)));
    metadata["ownerReferences"] = json!([meta::controller_reference(set)]);
    let pod = json!({"metadata": metadata, "spec": template["spec"]});
    // Fails only if the generated name exists; the next sync retries.
    write::create(store, registry::kind("pods"), meta::namespace(set), pod, DryRun::Off).ok();
}

fn count(
    store: &mut Store,
    key: &Key,
    set: &Value,
    active: &[&(Key, Arc<Value>)],
    terminating: usize,
) -> Value {
    let seconds = SignedDuration::from_secs(meta::number(set, "/spec/minReadySeconds"));
    let template = set.pointer("/spec/template/metadata/labels").and_then(Value::as_object);
    let (mut labeled, mut ready, mut available) = (0, 0, 0);
    for (_, pod) in active {
        let labels = meta::labels(pod);
        let full = template.into_iter().flatten().all(|(k, v)| labels.and_then(|l| l.get(k)) == Some(v));
        labeled += i64::from(full);
        let Some(since) = pod::ready_since(pod) else { continue };
        ready += 1;
        let due = since + seconds;
        if due <= store.now {
            available += 1;
        } else {
            store.queue.add(Task::ReplicaSet, key, due);
        }
    }
    let mut status = json!({
        "replicas": active.len(),
        "observedGeneration": meta::number(set, "/metadata/generation"),
        "terminatingReplicas": terminating,
    });
    for (field, value) in
        [("fullyLabeledReplicas", labeled), ("readyReplicas", ready), ("availableReplicas", available)]
    {
        if value > 0 {
            status[field] = json!(value);
        }
    }
    status
}
