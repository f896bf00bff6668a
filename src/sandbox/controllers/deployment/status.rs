//! The status of a Deployment: counts, and the conditions Available and Progressing.
//!
//! See <https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#deployment-status>. It reads the
//! ReplicaSets and the clock; it must not scale anything.

use jiff::SignedDuration;
use serde_json::{Value, json};
use std::sync::Arc;

use super::model::{OwnedReplicaSet, Progress, REVISION, SyncContext};
use crate::sandbox::object::meta;
use crate::sandbox::store::objects::Store;
use crate::sandbox::store::part::Part;
use crate::sandbox::store::queue::Task;
use crate::sandbox::store::write;

/// Whether a sync updates the condition Progressing, or only counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ProgressCheck {
    Run,
    Skip,
}

/// Writes the status that follows from the ReplicaSets.
pub(super) fn report(store: &mut Store, context: &SyncContext, progress_check: ProgressCheck) {
    let before = &context.deployment["status"];
    let mut status = calculate(context);
    let mut conditions: Vec<Value> = meta::items(before, "/conditions").to_vec();
    let deadline =
        context.deployment["spec"]["progressDeadlineSeconds"].as_i64().filter(|d| *d < i64::from(i32::MAX));
    announce(store, context, &mut conditions, deadline);
    if matches!(context.progress, Some(Progress::Created(_))) {
        // As the controller does, the new ReplicaSet is announced in a write of its own, before anything is counted.
        let announced = conditions.clone();
        write_status(store, context, |status| status["conditions"] = json!(announced));
    }
    set(store, &mut conditions, availability(context, &status));
    match deadline {
        None => conditions.retain(|c| c["type"] != "Progressing"),
        Some(deadline) if progress_check == ProgressCheck::Run => {
            update_progressing(store, context, &mut conditions, &status, deadline);
        }
        Some(_) => (),
    }
    status["conditions"] = json!(conditions);
    let edited = write_status(store, context, |before| *before = status);
    if let (Some(deployment), Some(deadline), ProgressCheck::Run) = (edited, deadline, progress_check) {
        look_again(store, context, &deployment, deadline);
    }
}

/// Changes the status, and numbers the Deployment as its newest ReplicaSet.
fn write_status(
    store: &mut Store,
    context: &SyncContext,
    edit: impl FnOnce(&mut Value),
) -> Option<Arc<Value>> {
    write::modify(store, &context.key, Part::Status, |deployment| {
        edit(&mut deployment["status"]);
        if let Some(revision) = &context.revision {
            meta::set_annotation(deployment, REVISION, revision);
        }
    })
}

/// The counts; zeros are omitted.
pub(super) fn calculate(context: &SyncContext) -> Value {
    let sum = |field: &str| -> i64 { context.all().map(|set| set.status(field)).sum() };
    let available = sum("availableReplicas");
    let updated = context.newest.as_ref().map(|set| set.status("replicas")).unwrap_or_default();
    let mut status = json!({
        "observedGeneration": meta::number(&context.deployment, "/metadata/generation"),
        "terminatingReplicas": sum("terminatingReplicas"),
    });
    for (field, value) in [
        ("replicas", sum("replicas")),
        ("updatedReplicas", updated),
        ("readyReplicas", sum("readyReplicas")),
        ("availableReplicas", available),
        ("unavailableReplicas", (context.total() - available).max(0)),
        ("collisionCount", context.collisions),
    ] {
        if value > 0 {
            status[field] = json!(value);
        }
    }
    status
}

/// Whether a status shows that the rollout is complete.
pub(super) fn is_complete(deployment: &Value, status: &Value) -> bool {
    let size = meta::number(deployment, "/spec/replicas");
    ["updatedReplicas", "replicas", "availableReplicas"].iter().all(|f| count(status, f) == size)
        && count(status, "observedGeneration") >= meta::number(deployment, "/metadata/generation")
}

fn count(status: &Value, field: &str) -> i64 {
    status[field].as_i64().unwrap_or_default()
}

/// A condition without times.
fn condition(kind: &str, state: &str, reason: &str, message: &str) -> Value {
    json!({"type": kind, "status": state, "reason": reason, "message": message})
}

/// Sets a condition unless its status and reason are the same. Its transition time changes only with its status.
fn set(store: &Store, conditions: &mut Vec<Value>, mut condition: Value) {
    let now = json!(meta::format_time(store.now));
    condition["lastUpdateTime"] = now.clone();
    condition["lastTransitionTime"] = now;
    let before = conditions.iter().position(|c| c["type"] == condition["type"]);
    if let Some(at) = before {
        let same_status = conditions[at]["status"] == condition["status"];
        if same_status && conditions[at]["reason"] == condition["reason"] {
            return;
        }
        let before = conditions.remove(at);
        if same_status {
            condition["lastTransitionTime"] = before["lastTransitionTime"].clone();
        }
    }
    conditions.push(condition);
}

fn progressing(conditions: &[Value]) -> Option<&Value> {
    conditions.iter().find(|c| c["type"] == "Progressing")
}

/// Sets Progressing for a pause, a resumption or a new ReplicaSet.
fn announce(store: &Store, context: &SyncContext, conditions: &mut Vec<Value>, deadline: Option<i64>) {
    if deadline.is_none() {
        return;
    }
    let paused = context.deployment["spec"]["paused"] == true;
    let known = progressing(conditions);
    let timed_out = known.is_some_and(|c| c["reason"] == "ProgressDeadlineExceeded");
    let was_paused = known.is_some_and(|c| c["reason"] == "DeploymentPaused");
    if paused && !was_paused && !timed_out {
        set(
            store,
            conditions,
            condition("Progressing", "Unknown", "DeploymentPaused", "Deployment is paused"),
        );
    } else if !paused && was_paused {
        set(
            store,
            conditions,
            condition("Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed"),
        );
    }
    match &context.progress {
        Some(Progress::Created(name)) => {
            let message = format!("Created new replica set \"{name}\"");
            set(store, conditions, condition("Progressing", "True", "NewReplicaSetCreated", &message));
        }
        Some(Progress::Found(name)) if progressing(conditions).is_none() => {
            let message = format!("Found new replica set \"{name}\"");
            set(store, conditions, condition("Progressing", "True", "FoundNewReplicaSet", &message));
        }
        Some(Progress::Failed(message)) => {
            set(store, conditions, condition("Progressing", "False", "ReplicaSetCreateError", message));
        }
        Some(Progress::Found(_)) | None => (),
    }
}

fn availability(context: &SyncContext, status: &Value) -> Value {
    let least = context.replicas() - context.bounds.max_unavailable;
    if count(status, "availableReplicas") >= least {
        let message = "Deployment has minimum availability.";
        condition("Available", "True", "MinimumReplicasAvailable", message)
    } else {
        let message = "Deployment does not have minimum availability.";
        condition("Available", "False", "MinimumReplicasUnavailable", message)
    }
}

/// Updates the condition Progressing: complete, progressing, or past the deadline.
fn update_progressing(
    store: &Store,
    context: &SyncContext,
    conditions: &mut Vec<Value>,
    status: &Value,
    deadline: i64,
) {
    let known = progressing(conditions).cloned();
    let said_complete = known.as_ref().is_some_and(|c| c["reason"] == "NewReplicaSetAvailable");
    if said_complete && count(status, "replicas") == count(status, "updatedReplicas") {
        return;
    }
    let subject = match &context.newest {
        Some(OwnedReplicaSet { key, .. }) => format!("ReplicaSet \"{}\"", key.name),
        None => format!("Deployment \"{}\"", context.key.name),
    };
    if is_complete(&context.deployment, status) {
        let message = format!("{subject} has successfully progressed.");
        set(store, conditions, condition("Progressing", "True", "NewReplicaSetAvailable", &message));
    } else if has_progressed(&context.deployment["status"], status) {
        let message = format!("{subject} is progressing.");
        conditions.retain(|c| c["type"] != "Progressing");
        set(store, conditions, condition("Progressing", "True", "ReplicaSetUpdated", &message));
        if let (Some(known), Some(last)) = (known, conditions.last_mut())
            && known["status"] == "True"
        {
            last["lastTransitionTime"] = known["lastTransitionTime"].clone();
        }
    } else if known.is_some_and(|c| is_out_of_time(store, &c, deadline)) {
        let message = format!("{subject} has timed out progressing.");
        set(store, conditions, condition("Progressing", "False", "ProgressDeadlineExceeded", &message));
    }
}

fn has_progressed(before: &Value, after: &Value) -> bool {
    let old = |status: &Value| count(status, "replicas") - count(status, "updatedReplicas");
    count(after, "updatedReplicas") > count(before, "updatedReplicas")
        || old(after) < old(before)
        || count(after, "readyReplicas") > count(before, "readyReplicas")
        || count(after, "availableReplicas") > count(before, "availableReplicas")
}

fn is_out_of_time(store: &Store, known: &Value, deadline: i64) -> bool {
    match meta::text(known, "/reason") {
        "NewReplicaSetAvailable" => false,
        "ProgressDeadlineExceeded" => true,
        _ => meta::time_at(known, "/lastUpdateTime")
            .is_some_and(|updated| updated + SignedDuration::from_secs(deadline) < store.now),
    }
}

/// Queues the Deployment for the moment after its progress deadline.
fn look_again(store: &mut Store, context: &SyncContext, deployment: &Value, deadline: i64) {
    let Some(known) = progressing(meta::items(deployment, "/status/conditions")) else { return };
    let over =
        is_complete(deployment, &deployment["status"]) || known["reason"] == "ProgressDeadlineExceeded";
    if let (false, Some(updated)) = (over, meta::time_at(known, "/lastUpdateTime")) {
        let due = updated + SignedDuration::from_secs(deadline.saturating_add(1));
        if due > store.now {
            store.queue.add(Task::Deployment, &context.key, due);
        }
    }
}
