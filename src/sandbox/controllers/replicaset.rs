//! The ReplicaSet controller: makes and deletes pods until there are as many as asked for, and counts them.
//!
//! It must not know about Deployments.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::sync::Arc;

use crate::sandbox::object::key::Key;
use crate::sandbox::object::meta;
use crate::sandbox::object::selector::Selector;
use crate::sandbox::store::deletion::{self, DeleteOptions};
use crate::sandbox::store::objects::Store;
use crate::sandbox::store::queue::{CONTROLLER_DELAY, Task};
use crate::sandbox::store::write::{self, DryRun, Part};
use crate::sandbox::validation::registry;

/// How many pods one look makes or deletes at most.
const BURST: usize = 500;

/// Brings the pods of a ReplicaSet and its status in line with its spec.
pub(super) fn sync(store: &mut Store, key: &Key) {
    let Some(set) = store.object(key).cloned() else { return };
    let pods = claim(store, key, &set);
    let terminating = pods.iter().filter(|(_, pod)| meta::is_terminating(pod)).count();
    let active: Vec<&(Key, Arc<Value>)> = pods.iter().filter(|(_, pod)| is_active(pod)).collect();
    let wanted = usize::try_from(meta::number(&set, "/spec/replicas")).unwrap_or_default();
    if !meta::is_terminating(&set) {
        if active.len() < wanted {
            for _ in 0..(wanted - active.len()).min(BURST) {
                create_pod(store, &set);
            }
        } else if active.len() > wanted {
            let mut leaving = active.clone();
            leaving.sort_by_cached_key(|(key, pod)| rank(pod, key));
            for (key, _) in leaving.iter().take((active.len() - wanted).min(BURST)) {
                // A refusal cannot happen: the pod is there and nothing was demanded of it.
                deletion::delete(store, key, &DeleteOptions::default(), DryRun::Off).ok();
            }
        }
        if active.len().abs_diff(wanted) > BURST {
            store.queue.add(Task::ReplicaSet, key, store.now + CONTROLLER_DELAY);
        }
    }
    let status = count(store, key, &set, &active, terminating);
    write::modify(store, key, Part::Status, |set| set["status"] = status);
}

/// The pods that a ReplicaSet controls, after adopting those that nobody does.
fn claim(store: &mut Store, key: &Key, set: &Value) -> Vec<(Key, Arc<Value>)> {
    let (uid, pods) = (meta::uid(set), registry::kind("pods"));
    let is_own = |pod: &Value| meta::controller(pod).is_some_and(|o| o["uid"] == uid);
    if !meta::is_terminating(set) {
        let selector = Selector::of(&set["spec"]["selector"]);
        let orphans: Vec<Key> = store
            .selected(pods, &key.namespace, &selector)
            .filter(|(_, pod)| meta::controller(pod).is_none() && is_active(pod))
            .map(|(key, _)| key.clone())
            .collect();
        for orphan in orphans {
            adopt(store, &orphan, set);
        }
    }
    let own = store.owned_by(uid).filter(|(key, pod)| key.kind == pods && is_own(pod));
    own.map(|(key, pod)| (key.clone(), Arc::clone(pod))).collect()
}

/// Makes `owner` the controller of an object that has none.
pub(super) fn adopt(store: &mut Store, orphan: &Key, owner: &Value) {
    write::modify(store, orphan, Part::Main, |object| {
        let owners = meta::metadata(object).entry("ownerReferences").or_insert_with(|| json!([]));
        if let Some(owners) = owners.as_array_mut() {
            owners.push(meta::controller_reference(owner));
        }
    });
}

pub(super) fn is_active(pod: &Value) -> bool {
    !meta::is_terminating(pod) && !matches!(meta::text(pod, "/status/phase"), "Succeeded" | "Failed")
}

fn create_pod(store: &mut Store, set: &Value) {
    let template = &set["spec"]["template"];
    let mut metadata = template["metadata"].clone();
    metadata["generateName"] = json!(format!("{}-", meta::name(set)));
    metadata["ownerReferences"] = json!([meta::controller_reference(set)]);
    let pod = json!({"metadata": metadata, "spec": template["spec"]});
    // A refusal can only be an unlucky name, and the next look tries again.
    write::create(store, registry::kind("pods"), meta::namespace(set), pod, DryRun::Off).ok();
}

/// Which pods go first: unbound, pending, unready, recently ready, often restarted, young.
pub(super) fn rank(pod: &Value, key: &Key) -> impl Ord + use<> {
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
        !meta::text(pod, "/spec/nodeName").is_empty(),
        phase,
        ready.is_some(),
        cost,
        std::cmp::Reverse(ready),
        std::cmp::Reverse(restarts),
        std::cmp::Reverse(created),
        key.clone(),
    )
}

pub(super) fn ready_since(pod: &Value) -> Option<Timestamp> {
    meta::items(pod, "/status/conditions")
        .iter()
        .find(|c| c["type"] == "Ready" && c["status"] == "True")
        .and_then(|c| meta::time_at(c, "/lastTransitionTime"))
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
        let Some(since) = ready_since(pod) else { continue };
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
