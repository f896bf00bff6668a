//! The events that go with failing pods. One event per pod, reason and message, counted.

use serde_json::{Value, json};

use super::prerequisites::{self, UNSCHEDULABLE_MESSAGE};
use super::timeline::{Crash, PodState, Probe, StartError};
use crate::sandbox::object::hash::fnv;
use crate::sandbox::object::key::Key;
use crate::sandbox::object::meta;
use crate::sandbox::store::objects::Store;
use crate::sandbox::store::write::{self, DryRun, Part};
use crate::sandbox::validation::registry;

/// What there is to say about a pod.
struct EventText {
    component: &'static str,
    reason: &'static str,
    message: String,
    /// How often, where that is known.
    count: i64,
}

/// Says what goes with a state, or counts that it was said again.
pub(super) fn tell(store: &mut Store, pod: &Value, state: PodState) {
    for said in all(pod, state) {
        say(store, pod, &said);
    }
}

fn all(pod: &Value, state: PodState) -> Vec<EventText> {
    let said = |reason, message| EventText { component: "kubelet", reason, message, count: 1 };
    let first = &pod["spec"]["containers"][0];
    let image = meta::text(first, "/image");
    let crashed = |container: &str, crash: Crash| {
        let (name, namespace, uid) = (meta::name(pod), meta::namespace(pod), meta::uid(pod));
        let message =
            format!("Back-off restarting failed container {container} in pod {name}_{namespace}({uid})");
        vec![EventText { count: crash.restarts, ..said("BackOff", message) }]
    };
    match state {
        PodState::Unschedulable => {
            let message = UNSCHEDULABLE_MESSAGE.to_owned();
            vec![EventText { component: "default-scheduler", ..said("FailedScheduling", message) }]
        }
        PodState::MountFailed => vec![said("FailedMount", prerequisites::unmounted(pod).unwrap_or_default())],
        PodState::StartFailed(StartError::Pull) => {
            let failed = format!("Failed to pull image \"{image}\": {}", prerequisites::pull_error(image));
            vec![said("Failed", failed), said("Failed", "Error: ErrImagePull".to_owned())]
        }
        PodState::StartFailed(StartError::PullBackOff) => {
            vec![said(
                "Failed",
                format!("Failed to pull image \"{image}\": {}", prerequisites::pull_error(image)),
            )]
        }
        PodState::StartFailed(StartError::ImageName) => {
            let failed = said("Failed", "Error: InvalidImageName".to_owned());
            vec![said("InspectFailed", prerequisites::name_error(image)), failed]
        }
        PodState::StartFailed(StartError::Environment) => {
            vec![said("Failed", format!("Error: {}", prerequisites::missing(first).unwrap_or_default()))]
        }
        PodState::Crashing(crash) => crashed(meta::text(first, "/name"), crash),
        PodState::InitCrashing(crash) => crashed(prerequisites::failing_init(pod).unwrap_or_default(), crash),
        PodState::Running(Probe::PodFailure) => {
            vec![said(
                "Unhealthy",
                "Readiness probe failed: HTTP probe failed with statuscode: 503".to_owned(),
            )]
        }
        PodState::Running(Probe::Passing | Probe::Pending) | PodState::Starting | PodState::Created => {
            Vec::new()
        }
    }
}

fn say(store: &mut Store, pod: &Value, said: &EventText) {
    let EventText { component, reason, message, count } = said;
    let (name, namespace, uid) = (meta::name(pod), meta::namespace(pod), meta::uid(pod));
    let kind = registry::kind("events");
    let now = meta::format_time(store.now);
    let key = Key::new(
        kind,
        namespace,
        &format!("{name}.{:08x}{:08x}", fnv(uid), fnv(&format!("{reason} {message}"))),
    );
    if store.object(&key).is_some() {
        write::modify(store, &key, Part::Main, |event| {
            event["count"] = json!((*count).max(meta::number(event, "/count") + 1));
            event["lastTimestamp"] = json!(now);
        });
        return;
    }
    let event = json!({
        "metadata": {"name": key.name},
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": name,
            "namespace": namespace,
            "uid": uid,
            "resourceVersion": meta::text(pod, "/metadata/resourceVersion"),
        },
        "reason": reason,
        "message": message,
        "source": {"component": component},
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": count,
        "type": "Warning",
        "reportingComponent": component,
        "reportingInstance": "",
    });
    // A refusal can only mean that the namespace's name is odd; then there is no event.
    write::create(store, kind, namespace, event, DryRun::Off).ok();
}
