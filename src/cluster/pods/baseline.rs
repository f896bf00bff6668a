//! Tells new symptoms from old ones. A condition or an event that existed when a batch began is not about the batch:
//! some conditions are never removed, such as those of Kruise, and events are kept for an hour.
//!
//! Symptoms are compared with earlier ones; no clock is read.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Event;
use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::Value;

use crate::cluster::pods::diagnosis::with_message;

/// The symptoms that existed when a batch began.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Baseline {
    conditions: Vec<Value>,
    events: BTreeMap<String, EventVersion>,
}

/// The version of an event, which is updated when the same happens again.
type EventVersion = (Option<i32>, Option<String>);

/// A complaint of a workload's controller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// The reason and the message.
    pub text: String,
    /// Whether it is about the batch.
    pub age: Age,
}

/// Whether a symptom is about the current batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// It has appeared since the batch began.
    New,
    /// It existed before, but its controller removes it as soon as it is over, so it counts if it persists.
    Standing,
}

impl Baseline {
    /// The symptoms that a workload shows.
    #[must_use]
    pub fn of(workload: &DynamicObject) -> Self {
        Self { conditions: conditions(workload).filter(is_bad).cloned().collect(), events: BTreeMap::new() }
    }

    /// Adds events.
    #[must_use]
    pub fn with_events(self, events: &[Event]) -> Self {
        let event_version = |event: &Event| Some((event.uid()?, event_version(event)));
        Self { events: events.iter().filter_map(event_version).collect(), ..self }
    }

    /// The complaints of a workload's controller in its status.
    pub(super) fn complaints(&self, workload: &DynamicObject) -> Vec<Complaint> {
        let complaint = |condition: &Value| {
            let age = match (self.conditions.contains(condition), is_removed_when_over(condition)) {
                (false, _) => Age::New,
                (true, true) => Age::Standing,
                (true, false) => return None,
            };
            let reason = condition["reason"].as_str().or(condition["type"].as_str()).unwrap_or_default();
            Some(Complaint { text: with_message(reason, condition["message"].as_str()), age })
        };
        conditions(workload).filter(is_bad).filter_map(complaint).collect()
    }

    /// Whether an event is new, or has happened again.
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

/// Whether the controller removes a condition once it is over. A Deployment's `Progressing` is not updated before pods
/// become ready, and Kruise never removes its own.
fn is_removed_when_over(condition: &Value) -> bool {
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
    fn conditions_count_if_they_have_changed_since_the_baseline() {
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
    fn events_count_if_they_are_new_or_happened_again() {
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
