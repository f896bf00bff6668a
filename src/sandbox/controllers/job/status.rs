//! The status of a Job: counts, and the conditions Complete, Failed and Suspended.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::JobState;
use super::pods::Pods;
use crate::sandbox::controllers::ownership;
use crate::sandbox::object::key::Key;
use crate::sandbox::object::{meta, pod};
use crate::sandbox::store::objects::Store;
use crate::sandbox::store::part::Part;
use crate::sandbox::store::write;
use crate::sandbox::validation::registry;

/// When a Job completed or failed, if it has.
pub(super) fn finished_at(job: &Value) -> Option<Timestamp> {
    let conditions = meta::items(job, "/status/conditions").iter();
    let is_end = |condition: &&Value| {
        ["Complete", "Failed"].iter().any(|end| condition["type"] == *end) && condition["status"] == "True"
    };
    conditions.filter(is_end).find_map(|condition| meta::time_at(condition, "/lastTransitionTime"))
}

/// Writes the status that follows from the pods as they are now.
pub(super) fn report(store: &mut Store, key: &Key, job: &Value, state: JobState) {
    let owned = ownership::controlled(store, meta::uid(job), registry::kind("pods"));
    let terminating = owned.iter().filter(|(_, pod)| meta::is_terminating(pod)).count();
    let pods = Pods::of(job, owned);
    let ready = pods.active.iter().filter(|(_, pod)| pod::ready_since(pod).is_some()).count();
    let now = meta::format_time(store.now);
    let mut status = json!({
        "ready": ready,
        "terminating": terminating,
        "uncountedTerminatedPods": {},
    });
    let active = i64::try_from(pods.active.len()).unwrap_or(i64::MAX);
    for (field, count) in [("active", active), ("succeeded", pods.succeeded), ("failed", pods.failed)] {
        if count > 0 {
            status[field] = json!(count);
        }
    }
    let started = job["status"].get("startTime").cloned();
    if state != JobState::Suspended {
        status["startTime"] = started.unwrap_or_else(|| json!(now));
    }
    if state == JobState::Complete {
        status["completionTime"] = json!(now);
    }
    let conditions = conditions(job, state, &now);
    if !conditions.is_empty() {
        status["conditions"] = json!(conditions);
    }
    write::modify(store, key, Part::Status, |job| job["status"] = status);
}

fn conditions(job: &Value, state: JobState, now: &str) -> Vec<Value> {
    let mut conditions = meta::items(job, "/status/conditions").to_vec();
    let is_suspended = conditions.iter().any(|c| c["type"] == "Suspended" && c["status"] == "True");
    let mut set = |kind: &str, status: &str, reason: &str, message: &str| {
        conditions.retain(|condition| condition["type"] != kind);
        conditions.push(json!({
            "type": kind,
            "status": status,
            "lastProbeTime": now,
            "lastTransitionTime": now,
            "reason": reason,
            "message": message,
        }));
    };
    match state {
        JobState::Running if is_suspended => set("Suspended", "False", "JobResumed", "Job resumed"),
        JobState::Suspended if !is_suspended => set("Suspended", "True", "JobSuspended", "Job suspended"),
        JobState::Running | JobState::Suspended => (),
        JobState::Complete => {
            for kind in ["SuccessCriteriaMet", "Complete"] {
                set(kind, "True", "CompletionsReached", "Reached expected number of succeeded pods");
            }
        }
        JobState::Failed { reason, message } => {
            for kind in ["FailureTarget", "Failed"] {
                set(kind, "True", reason, message);
            }
        }
    }
    conditions
}
