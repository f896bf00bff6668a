//! Warning events about a workload that does not progress: failed probes and mounts, which only events report.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;
use kube::api::ListParams;

use crate::cluster::pods::baseline::Baseline;
use crate::cluster::pods::owner::{PodOwner, PodOwnerKind};
use crate::cluster::session::Session;
use crate::oam::kind::WorkloadKind;

/// The maximum number of events that are read.
const MAX_EVENTS: u32 = 500;
/// The maximum number that is printed, the newest last.
const MAX_SHOWN: usize = 3;
/// The length to which a message is truncated, in characters.
const MESSAGE_WIDTH: usize = 300;
/// The deadline of the request.
const WITHIN: Duration = Duration::from_secs(3);

/// The newest warnings about a workload, its ReplicaSets and the given pods, with equal ones merged, without those of
/// the baseline. Best effort: none if the events cannot be read.
pub async fn list_workload_warnings(
    session: &Session,
    owner: PodOwner<'_>,
    pods: &BTreeSet<String>,
    baseline: &Baseline,
) -> Vec<String> {
    let list = list_events(session, owner.namespace, "type=Warning").await;
    summed_up(list.iter().filter(|event| concerns(event, owner, pods) && baseline.is_new(event)))
}

/// The newest warning about each scheduled pod, by its name: only events report why it does not start, such as a volume
/// that cannot be mounted. Best effort: none if the events cannot be read.
pub async fn list_pod_warnings(session: &Session, namespace: &str) -> BTreeMap<String, String> {
    newest(list_events(session, namespace, "type=Warning,involvedObject.kind=Pod").await)
}

async fn list_events(session: &Session, namespace: &str, fields: &str) -> Vec<Event> {
    let api = session.api::<Event>(namespace);
    let params = ListParams::default().fields(fields).limit(MAX_EVENTS);
    let list = session.clock().within(WITHIN, session.request_untracked(api.list(&params))).await;
    list.and_then(Result::ok).map(|list| list.items).unwrap_or_default()
}

fn newest(mut events: Vec<Event>) -> BTreeMap<String, String> {
    // Scheduling failures are over once a pod has a node.
    events.retain(|event| event.reason.as_deref() != Some("FailedScheduling"));
    events.sort_by_key(time);
    events
        .iter()
        .map(|event| (event.involved_object.name.clone().unwrap_or_default(), event_text(event)))
        .collect()
}

/// Whether an event is about a workload, one of these pods, or a ReplicaSet of a Deployment, `<deployment>-<hash>`.
fn concerns(event: &Event, owner: PodOwner<'_>, pods: &BTreeSet<String>) -> bool {
    let object = &event.involved_object;
    let name = object.name.as_deref().unwrap_or_default();
    match object.kind.as_deref().unwrap_or_default() {
        "Pod" => pods.contains(name),
        "ReplicaSet" => {
            owner.kind == PodOwnerKind::Workload(WorkloadKind::Deployment)
                && name.rsplit_once('-').is_some_and(|(deployment, _)| deployment == owner.name)
        }
        kind => kind == owner.kind.as_str() && name == owner.name,
    }
}

/// Warnings that only differ in the pod that they are about.
#[derive(Default)]
struct EventSummary {
    times: i32,
    last: Option<Timestamp>,
    /// The text of the newest.
    text: String,
}

fn summed_up<'a>(events: impl Iterator<Item = &'a Event>) -> Vec<String> {
    let mut by_text: BTreeMap<String, EventSummary> = BTreeMap::new();
    for event in events {
        let count = event.count.or(event.series.as_ref().and_then(|series| series.count)).unwrap_or(1);
        let summary = by_text.entry(general(event)).or_default();
        summary.times = summary.times.saturating_add(count.max(1));
        if summary.text.is_empty() || summary.last < time(event) {
            (summary.last, summary.text) = (time(event), event_text(event));
        }
    }
    let mut summaries: Vec<EventSummary> = by_text.into_values().collect();
    summaries.sort_by_key(|summary| summary.last);
    let skipped = summaries.len().saturating_sub(MAX_SHOWN);
    let line = |EventSummary { times, text, .. }: EventSummary| match times {
        1 => format!("warning event: {text}"),
        times => format!("warning event, {times} times: {text}"),
    };
    summaries.into_iter().skip(skipped).map(line).collect()
}

fn time(event: &Event) -> Option<Timestamp> {
    let series = event.series.as_ref().and_then(|series| series.last_observed_time.as_ref());
    let last = event.last_timestamp.as_ref().map(|time| time.0).or(series.map(|time| time.0));
    last.or(event.event_time.as_ref().map(|time| time.0)).or(event
        .metadata
        .creation_timestamp
        .as_ref()
        .map(|time| time.0))
}

/// The reason and the message.
fn event_text(event: &Event) -> String {
    describe_event(event, event.message.as_deref().unwrap_or_default())
}

/// The text without the pod's name and UID, which would distinguish otherwise equal warnings.
fn general(event: &Event) -> String {
    let mut message = event.message.clone().unwrap_or_default();
    let object = &event.involved_object;
    for (own, general) in [(object.uid.as_deref(), "UID"), (object.name.as_deref(), "POD")] {
        if let Some(own) = own.filter(|own| !own.is_empty() && object.kind.as_deref() == Some("Pod")) {
            message = message.replace(own, general);
        }
    }
    describe_event(event, &message)
}

fn describe_event(event: &Event, message: &str) -> String {
    let reason = event.reason.as_deref().unwrap_or("warning");
    let short: String = message.chars().take(MESSAGE_WIDTH).collect();
    if short.is_empty() { reason.to_owned() } else { format!("{reason}: {short}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(name: &str, reason: &str, message: &str, last: &str, count: i32) -> Event {
        serde_json::from_value(json!({
            "metadata": {"name": "e"},
            "involvedObject": {"kind": "Pod", "name": name, "uid": "u-1"},
            "reason": reason, "message": message, "lastTimestamp": last, "count": count, "type": "Warning",
        }))
        .unwrap()
    }

    #[test]
    fn equal_warnings_are_merged_and_the_newest_are_last() {
        let at = |minute: u32| format!("2026-03-04T20:0{minute}:00Z");
        let events = [
            event("web-a", "BackOff", "Back-off restarting pod web-a(u-1)", &at(3), 2),
            event("web-b", "BackOff", "Back-off restarting pod web-b(u-1)", &at(1), 3),
            event("web-a", "Unhealthy", "Readiness probe failed", &at(2), 1),
            event("web-a", "FailedMount", "no such secret", &at(1), 1),
            event("web-a", "Old", "long gone", &at(0), 1),
        ];
        assert_eq!(
            summed_up(events.iter()),
            [
                "warning event: FailedMount: no such secret",
                "warning event: Unhealthy: Readiness probe failed",
                "warning event, 5 times: BackOff: Back-off restarting pod web-a(u-1)",
            ]
        );
    }

    #[test]
    fn the_newest_warning_explains_why_a_pod_does_not_start() {
        let at = |minute: u32| format!("2026-03-04T20:0{minute}:00Z");
        let events = vec![
            event("web-a", "FailedMount", "configmap \"app\" not found", &at(3), 2),
            event("web-a", "FailedMount", "failed to sync configmap cache", &at(1), 1),
            event("web-a", "FailedScheduling", "0/3 nodes are available", &at(4), 1),
            event("web-b", "FailedScheduling", "0/3 nodes are available", &at(1), 1),
        ];
        let expected = [("web-a".to_owned(), "FailedMount: configmap \"app\" not found".to_owned())];
        assert_eq!(newest(events), BTreeMap::from(expected));
    }

    #[test]
    fn events_of_workloads_with_the_name_as_prefix_are_ignored() {
        let owner = |kind| PodOwner { namespace: "shop", kind: PodOwnerKind::Workload(kind), name: "api" };
        let pods = BTreeSet::from(["api-5d4f-x".to_owned()]);
        let is_ours = |workload, kind: &str, name: &str| {
            let mut event = event(name, "", "", "2026-03-04T20:00:00Z", 1);
            event.involved_object.kind = Some(kind.to_owned());
            concerns(&event, owner(workload), &pods)
        };
        let cases = [
            ("Pod", "api-5d4f-x", true),
            ("Pod", "api-5d4f-y", false),
            ("Pod", "api-gateway-7c9-x", false),
            ("ReplicaSet", "api-5d4f", true),
            ("ReplicaSet", "api-gateway-7c9", false),
            ("Deployment", "api", true),
            ("Deployment", "api-gateway", false),
            ("HorizontalPodAutoscaler", "api", false),
        ];
        for (kind, name, expected) in cases {
            assert_eq!(is_ours(WorkloadKind::Deployment, kind, name), expected, "{kind} {name}");
        }
        assert!(is_ours(WorkloadKind::StatefulSet, "StatefulSet", "api"));
        assert!(!is_ours(WorkloadKind::StatefulSet, "ReplicaSet", "api-5d4f"));
    }
}
