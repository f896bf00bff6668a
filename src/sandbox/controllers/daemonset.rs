//! The DaemonSet controller, for the one node of the sandbox: one pod, replaced when the template changes.
//!
//! See <https://kubernetes.io/docs/tasks/manage-daemon/update-daemon-set/>. Node selectors, affinity and taints are not
//! implemented: every DaemonSet runs on the node.

use jiff::SignedDuration;
use serde_json::{Value, json};
use std::sync::Arc;

use super::ownership::{self, Found};
use super::revisions::{History, REVISION_LABEL, pod_revision, short};
use crate::sandbox::object::key::Key;
use crate::sandbox::object::{meta, pod};
use crate::sandbox::store::deletion::{self, DeleteOptions};
use crate::sandbox::store::objects::Store;
use crate::sandbox::store::part::Part;
use crate::sandbox::store::queue::Task;
use crate::sandbox::store::write::{self, DryRun};
use crate::sandbox::validation::registry;

/// The pods of a DaemonSet that run or will run, by template.
struct Pods {
    updated: Vec<Found>,
    outdated: Vec<Found>,
    terminating: usize,
}

/// Brings the pod of a DaemonSet, and its status, one step further.
pub(super) fn sync(store: &mut Store, key: &Key) {
    let Some(set) = store.object(key).cloned() else { return };
    let annotations = set.pointer("/metadata/annotations").cloned().unwrap_or_else(|| json!({}));
    let Some(history) = History::of(store, key, &set, &set["spec"]["template"], &annotations) else { return };
    let revision = short(meta::name(&history.update)).to_owned();
    let all = ownership::claim(store, key, &set, registry::kind("pods"), |_, pod| pod::is_active(pod));
    let mut pods = Pods { updated: Vec::new(), outdated: Vec::new(), terminating: 0 };
    for (pod_key, pod) in all.iter().cloned() {
        if meta::is_terminating(&pod) {
            pods.terminating += 1;
        } else if pod::has_ended(&pod) {
            delete(store, &pod_key);
        } else if short(pod_revision(&pod)) == revision {
            pods.updated.push((pod_key, pod));
        } else {
            pods.outdated.push((pod_key, pod));
        }
    }
    if !meta::is_terminating(&set) {
        step(store, key, &set, &pods, &revision);
    }
    report(store, key, &set, &pods);
    history.truncate(store, &all);
}

/// Creates the missing pod, or replaces the outdated one.
fn step(store: &mut Store, key: &Key, set: &Value, pods: &Pods, revision: &str) {
    let strategy = &set["spec"]["updateStrategy"];
    let surge = &strategy["rollingUpdate"]["maxSurge"];
    let has_surge = !surge.is_null() && *surge != json!(0) && *surge != json!("0%");
    let is_rolling = strategy["type"] == "RollingUpdate";
    let is_empty = pods.updated.is_empty() && pods.outdated.is_empty() && pods.terminating == 0;
    let surges = is_rolling && has_surge && pods.updated.is_empty();
    if is_empty || surges {
        create_pod(store, set, revision);
        return;
    }
    for (extra, _) in pods.updated.iter().skip(1) {
        delete(store, extra);
    }
    let replaced = !has_surge || pods.updated.iter().any(|(_, pod)| is_available(store, key, set, pod));
    if is_rolling && replaced {
        for (outdated, _) in &pods.outdated {
            delete(store, outdated);
        }
    }
}

fn delete(store: &mut Store, pod: &Key) {
    deletion::delete_for_controller(store, pod, &DeleteOptions::default());
}

fn create_pod(store: &mut Store, set: &Value, revision: &str) {
    let template = &set["spec"]["template"];
    let mut metadata = template["metadata"].clone();
    metadata["generateName"] = json!(format!("{}-", meta::name(set)));
    metadata["labels"][REVISION_LABEL] = json!(revision);
    let generation = meta::annotation(set, "deprecated.daemonset.template.generation").unwrap_or_default();
    metadata["labels"]["pod-template-generation"] = json!(generation);
    metadata["ownerReferences"] = json!([meta::controller_reference(set)]);
    let mut spec = template["spec"].clone();
    let tolerated = ["disk-pressure", "memory-pressure", "pid-pressure", "unschedulable"];
    let toleration = |taint: &str, effect: &str| json!({"key": format!("node.kubernetes.io/{taint}"), "operator": "Exists", "effect": effect});
    let own = ["not-ready", "unreachable"].map(|taint| toleration(taint, "NoExecute"));
    let own = own.into_iter().chain(tolerated.map(|taint| toleration(taint, "NoSchedule")));
    let given = meta::items(&spec, "/tolerations").to_vec();
    spec["tolerations"] = given.into_iter().chain(own).collect();
    // Fails only if the generated name exists; the next sync retries.
    let pod = json!({"metadata": metadata, "spec": spec});
    write::create(store, registry::kind("pods"), meta::namespace(set), pod, DryRun::Off).ok();
}

/// Whether a pod has been ready for `minReadySeconds`.
fn is_available(store: &mut Store, key: &Key, set: &Value, pod: &Value) -> bool {
    let Some(since) = pod::ready_since(pod) else { return false };
    let seconds = SignedDuration::from_secs(meta::number(set, "/spec/minReadySeconds"));
    let due = meta::saturating_add(since, seconds);
    if due > store.now {
        store.queue.add(Task::DaemonSet, key, due);
    }
    due <= store.now
}

fn report(store: &mut Store, key: &Key, set: &Arc<Value>, pods: &Pods) {
    // As in the controller, the oldest pod on the node counts.
    let counted = pods.outdated.first().or(pods.updated.first());
    let ready = counted.is_some_and(|(_, pod)| pod::ready_since(pod).is_some());
    let available = counted.is_some_and(|(_, pod)| is_available(store, key, set, pod));
    let mut status = json!({
        "observedGeneration": meta::number(set, "/metadata/generation"),
        "currentNumberScheduled": i64::from(counted.is_some()),
        "desiredNumberScheduled": 1,
        "numberMisscheduled": 0,
        "numberReady": i64::from(ready),
    });
    for (field, is_one) in [
        ("updatedNumberScheduled", !pods.updated.is_empty() && pods.outdated.is_empty()),
        ("numberAvailable", available),
        ("numberUnavailable", !available),
    ] {
        if is_one {
            status[field] = json!(1);
        }
    }
    write::modify(store, key, Part::Status, |set| set["status"] = status);
}
