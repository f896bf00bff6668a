//! Which signs of trouble are of now. A condition or an event that was there when a batch began is not about the batch:
//! some are never taken back, such as those of Kruise, and events stay for an hour.
//!
//! Signs are compared with those from before; no clock is read.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Event;
use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::Value;

use crate::cluster::pods::diagnosis::with_message;

/// The signs of trouble that were there when a batch began.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Baseline {
    conditions: Vec<Value>,
    events: BTreeMap<String, EventVersion>,
}

/// How an event was: it is written again when the same happens again.
type EventVersion = (Option<i32>, Option<String>);

/// What a workload's controller complains about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// The reason and the message.
    pub text: String,
    /// How much it says about the batch.
    pub age: Age,
}

/// How much a sign says about the batch under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// It has come since the batch began.
    New,
    /// It was there before, and its controller takes it away as soon as it is over: if it is still there in a while, it
    /// counts.
    Standing,
}

impl Baseline {
    /// What a workload shows.
    #[must_use]
    pub fn of(workload: &DynamicObject) -> Self {
        Self { conditions: conditions(workload).filter(is_bad).cloned().collect(), events: BTreeMap::new() }
    }

    /// The same with events.
    #[must_use]
    pub fn with_events(self, events: &[Event]) -> Self {
        let event_version = |event: &Event| Some((event.uid()?, event_version(event)));
        Self { events: events.iter().filter_map(event_version).collect(), ..self }
    }

    /// What a workload's controller complains about in its status.
    pub(super) fn complaints(&self, workload: &DynamicObject) -> Vec<Complaint> {
        let complaint = |condition: &Value| {
            let age = match (self.conditions.contains(condition), is_taken_away(condition)) {
                (false, _) => Age::New,
                (true, true) => Age::Standing,
                (true, false) => return None,
            };
            let reason = condition["reason"].as_str().or(condition["type"].as_str()).unwrap_or_default();
            Some(Complaint { text: with_message(reason, condition["message"].as_str()), age })
        };
        conditions(workload).filter(is_bad).filter_map(complaint).collect()
    }

    /// Whether an event was not there, or has happened again.
    pub(in crate::cluster) fn is_new(&self, event: &Event) -> bool {
        event.uid().is_none_or(|uid| self.events.get(&uid).is_none_or(|known| *known != event_version(event)))
    }
}

fn conditions(workload: &DynamicObject) -> impl Iterator<Item = &Value> {
    workload.data.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten()
}

fn is_bad(condition: &&Value) -> bool {
    matches!(
        (condition["type"].as_str(), condition["status"].as_str()),
        (Some("ReplicaFailure" | "FailedScale" | "FailedUpdate"), Some("True"))
            | (Some("Progressing"), Some("False"))
    )
}

/// Whether its controller takes a condition away once it is over. A Deployment's `Progressing` is not updated again
/// before pods become ready, and Kruise never removes its own.
fn is_taken_away(condition: &Value) -> bool {
    condition["type"] == "ReplicaFailure"
}

fn event_version(event: &Event) -> EventVersion {
    let series = event.series.as_ref();
    let count = event.count.or(series.and_then(|series| series.count));
    let seen = series.and_then(|series| series.last_observed_time.as_ref()).map(|time| time.0.to_string());
    (count, event.last_timestamp.as_ref().map(|time| time.0.to_string()).or(seen))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn workload(conditions: &Value) -> DynamicObject {
        serde_json::from_value(json!({"metadata": {"name": "web"}, "status": {"conditions": conditions}}))
            .unwrap()
    }

    fn condition(kind: &str, status: &str, minute: u32) -> Value {
        json!({"type": kind, "status": status, "reason": kind, "message": "no",
               "lastTransitionTime": format!("2026-03-04T20:0{minute}:00Z")})
    }

    #[test]
    fn conditions_count_that_have_changed_since() {
        let stale = [condition("Progressing", "False", 1), condition("FailedScale", "True", 1)];
        let failing = condition("ReplicaFailure", "True", 1);
        let baseline = Baseline::of(&workload(&json!([stale[0], stale[1], failing])));
        let complaints = |conditions: Value| {
            let complaints = baseline.complaints(&workload(&conditions));
            complaints.into_iter().map(|one| (one.text, one.age)).collect::<Vec<_>>()
        };
        assert_eq!(complaints(json!(stale)), []);
        assert_eq!(complaints(json!([failing])), [("ReplicaFailure: no".to_owned(), Age::Standing)]);
        let again = condition("FailedScale", "True", 2);
        assert_eq!(complaints(json!([again])), [("FailedScale: no".to_owned(), Age::New)]);
        assert_eq!(complaints(json!([condition("Progressing", "True", 2)])), []);
    }

    #[test]
    fn events_count_that_came_or_happened_again() {
        let event = |uid: &str, count: i32| -> Event {
            serde_json::from_value(json!({
                "metadata": {"name": uid, "uid": uid}, "involvedObject": {}, "count": count,
                "lastTimestamp": "2026-03-04T20:00:00Z",
            }))
            .unwrap()
        };
        let baseline = Baseline::default().with_events(&[event("a", 1)]);
        assert!(!baseline.is_new(&event("a", 1)));
        assert!(baseline.is_new(&event("a", 2)) && baseline.is_new(&event("b", 1)));
    }
}
