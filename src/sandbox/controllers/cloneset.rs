//! OpenKruise's CloneSet controller, release 1.8, as it behaves without its webhook and node daemon.
//!
//! Each sync scales or, if the size was right, updates; then it counts the pods that existed when it began.
//! `expectation_diffs` computes how many pods to create, delete and update, `scale` and `update` act, and `in_place`
//! changes a pod without replacing it. See <https://openkruise.io/docs/user-manuals/cloneset/>. Lifecycle hooks,
//! priorities and scatter, image pre-download, and claims for volumes are not implemented.

mod expectation_diffs;
mod in_place;
mod scale;
mod update;

use jiff::SignedDuration;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde_json::{Value, json};
use std::sync::Arc;

use self::expectation_diffs::Strategy;
use super::ownership;
use super::revisions::{History, pod_revision, short};
use crate::sandbox::object::key::Key;
use crate::sandbox::object::selector::Selector;
use crate::sandbox::object::{meta, pod};
use crate::sandbox::store::objects::Store;
use crate::sandbox::store::part::Part;
use crate::sandbox::store::queue::Task;
use crate::sandbox::store::write;
use crate::sandbox::validation::registry;

/// The lifecycle state of a pod.
const STATE_LABEL: &str = "lifecycle.apps.kruise.io/state";
const STATE_TIME: &str = "lifecycle.apps.kruise.io/timestamp";
/// Marks a pod that the controller deletes and replaces, set by users or by a recreating update.
const SPECIFIED_DELETE_LABEL: &str = "apps.kruise.io/specified-delete";
/// The condition that is false while a pod is changed in place, and the gate that waits for it.
const IN_PLACE_READY: &str = "InPlaceUpdateReady";

/// A pod as it was when the sync began.
struct Member {
    key: Key,
    pod: Arc<Value>,
    /// It runs the update revision.
    updated: bool,
    ready: bool,
    /// Ready for `minReadySeconds`, and not being updated.
    available: bool,
    /// The same, regardless of `minReadySeconds`.
    steady: bool,
    marked_for_deletion: bool,
}

/// The set and its pods as they were when the sync began.
struct SyncContext {
    key: Key,
    set: Arc<Value>,
    strategy: Strategy,
    history: History,
    members: Vec<Member>,
}

/// A failure that the conditions report.
struct SyncError {
    condition: &'static str,
    message: String,
}

/// Brings the pods of a CloneSet, and its status, one step further.
pub(super) fn sync(store: &mut Store, key: &Key) {
    let Some(set) = store.object(key).cloned() else { return };
    // Without the webhook, `replicas` has no default, and the controller panics without it.
    let Some(strategy) = Strategy::of(&set) else { return };
    let has_selector = set["spec"]["selector"].as_object().is_some_and(|selector| !selector.is_empty());
    // It cannot decode a CloneSet whose template is not a pod template, so it never sees one.
    let Some(template) = recorded(&set["spec"]["template"]).filter(|_| has_selector) else { return };
    let Some(history) = History::of(store, key, &set, &template, &annotations(&set)) else { return };
    let members = members(store, &set, &history);
    let context = SyncContext { key: key.clone(), set, strategy, history, members };
    let mut failed = None;
    if !meta::is_terminating(&context.set) {
        let scaled = scale::step(store, &context);
        // A failed scaling does not prevent the update.
        if !matches!(scaled, Ok(scale::Scaled::Changed)) {
            failed = scaled.err();
            failed = update::step(store, &context).err().or(failed);
        }
    }
    report(store, &context, failed);
    forget_deleted(store, &context);
    let pods: Vec<(Key, Arc<Value>)> =
        context.members.iter().map(|member| (member.key.clone(), Arc::clone(&member.pod))).collect();
    context.history.truncate(store, &pods);
}

/// A template as the controller decodes and records it: without unknown fields, and with the fields that Go never
/// omits.
fn recorded(template: &Value) -> Option<Value> {
    let read: PodTemplateSpec = serde_json::from_value(template.clone()).ok()?;
    let mut template = serde_json::to_value(read).ok()?;
    meta::metadata(&mut template).insert("creationTimestamp".to_owned(), Value::Null);
    for list in ["containers", "initContainers"] {
        let containers = template["spec"].get_mut(list).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            meta::object_mut(container, "resources");
            if let Some(container) = container.as_object_mut().filter(|c| c.get("image") == Some(&json!("")))
            {
                container.remove("image");
            }
        }
    }
    Some(template)
}

/// The annotations of a revision: those of its CloneSet, and the hash of its volume claims, of which there are none.
fn annotations(set: &Value) -> Value {
    let mut annotations = set.pointer("/metadata/annotations").cloned().unwrap_or_else(|| json!({}));
    annotations["kruise.io/cloneset-volumeclaimtemplate-hash"] = json!("");
    annotations
}

fn members(store: &mut Store, set: &Value, history: &History) -> Vec<Member> {
    let update = short(meta::name(&history.update));
    // Only active pods count. Unlike the other controllers, this one adopts nothing.
    let mut pods = ownership::controlled(store, meta::uid(set), registry::kind("pods"));
    pods.retain(|(_, pod)| pod::is_active(pod));
    let seconds = SignedDuration::from_secs(meta::number(set, "/spec/minReadySeconds"));
    let named = meta::items(set, "/spec/scaleStrategy/podsToDelete");
    let mut members = Vec::new();
    for (key, pod) in pods {
        let since = pod::ready_since(&pod).filter(|_| meta::text(&pod, "/status/phase") == "Running");
        let since = since.filter(|_| in_place::condition(&pod).is_none_or(|state| state == "True"));
        let due = since.map(|since| meta::saturating_add(since, seconds));
        if let Some(due) = due.filter(|due| *due > store.now) {
            let set = Key::new(registry::kind("clonesets"), &key.namespace, meta::name(set));
            store.queue.add(Task::CloneSet, &set, due);
        }
        let normal = matches!(state(&pod), "" | "Normal");
        members.push(Member {
            updated: short(pod_revision(&pod)) == update,
            ready: since.is_some(),
            available: normal && due.is_some_and(|due| due <= store.now),
            steady: normal && since.is_some(),
            marked_for_deletion: meta::label(&pod, SPECIFIED_DELETE_LABEL) == "true"
                || named.iter().any(|name| *name == key.name.as_str()),
            key,
            pod,
        });
    }
    members
}

fn state(pod: &Value) -> &str {
    meta::label(pod, STATE_LABEL)
}

/// Sets the lifecycle state and its time.
fn set_state(pod: &mut Value, state: &str, now: &str) {
    meta::set_label(pod, STATE_LABEL, state);
    meta::set_annotation(pod, STATE_TIME, now);
}

/// Writes the status if a count or revision changed.
fn report(store: &mut Store, context: &SyncContext, failed: Option<SyncError>) {
    let count = |of: &dyn Fn(&Member) -> bool| context.members.iter().filter(|member| of(member)).count();
    let (replicas, updated) = (context.members.len(), count(&|m| m.updated));
    let update = meta::name(&context.history.update);
    // Readiness is irrelevant here: the revision counts as current once all pods run it.
    let settled = updated == replicas && i64::try_from(replicas) == Ok(context.strategy.replicas);
    let current = if settled { update } else { meta::name(&context.history.current) };
    let mut status = json!({
        "observedGeneration": meta::number(&context.set, "/metadata/generation"),
        "replicas": replicas,
        "readyReplicas": count(&|m| m.ready),
        "availableReplicas": count(&|m| m.available),
        "updatedReplicas": updated,
        "updatedReadyReplicas": count(&|m| m.updated && m.ready),
        "currentRevision": current,
        "updateRevision": update,
        "collisionCount": context.history.collisions,
        "labelSelector": Selector::of(&context.set["spec"]["selector"]).text(),
    });
    let available = i64::try_from(count(&|m| m.updated && m.available)).unwrap_or(i64::MAX);
    let expected = context.strategy.replicas - context.strategy.partition;
    for (field, number) in [("updatedAvailableReplicas", available), ("expectedUpdatedReplicas", expected)] {
        if number > 0 {
            status[field] = json!(number);
        }
    }
    let before = &context.set["status"];
    let is_news =
        status.as_object().into_iter().flatten().any(|(field, value)| before.get(field) != Some(value))
            || before
                .as_object()
                .is_some_and(|before| before.keys().any(|f| f != "conditions" && status.get(f).is_none()));
    // A failure alone causes no write, and the next write without one drops the condition.
    if !is_news {
        return;
    }
    if let Some(failed) = failed {
        status["conditions"] = json!([{
            "type": failed.condition,
            "status": "True",
            "lastTransitionTime": meta::format_time(store.now),
            "message": failed.message,
        }]);
    }
    write::modify(store, &context.key, Part::Status, |set| set["status"] = status);
}

/// Removes the names of deleted pods from `podsToDelete`.
fn forget_deleted(store: &mut Store, context: &SyncContext) {
    let named = meta::items(&context.set, "/spec/scaleStrategy/podsToDelete");
    let is_there = |name: &&Value| context.members.iter().any(|member| **name == member.key.name.as_str());
    let left: Vec<Value> = named.iter().filter(is_there).cloned().collect();
    if left.len() < named.len() {
        write::modify(store, &context.key, Part::Main, |set| {
            let strategy = meta::object_mut(&mut set["spec"], "scaleStrategy");
            if left.is_empty() {
                strategy.remove("podsToDelete");
            } else {
                strategy.insert("podsToDelete".to_owned(), json!(left));
            }
        });
    }
}
