//! The events of failing pods.

use serde_json::Value;

use super::prerequisites::{self, UNSCHEDULABLE_MESSAGE};
use super::timeline::{Crash, PodState, Probe, StartError};
use crate::sandbox::event_recorder::{self, Aggregate, EventText};
use crate::sandbox::object::meta;
use crate::sandbox::store::objects::Store;

/// Records the events of a state.
pub(super) fn record(store: &mut Store, pod: &Value, state: PodState) {
    for text in texts(pod, state) {
        event_recorder::warn(store, pod, &text, Aggregate::ByMessage);
    }
}

fn texts(pod: &Value, state: PodState) -> Vec<EventText> {
    let event = |reason, message| EventText { component: "kubelet", reason, message, count: 1 };
    let first = &pod["spec"]["containers"][0];
    let image = meta::text(first, "/image");
    let crashed = |container: &str, crash: Crash| {
        let (name, namespace, uid) = (meta::name(pod), meta::namespace(pod), meta::uid(pod));
        let message =
            format!("Back-off restarting failed container {container} in pod {name}_{namespace}({uid})");
        vec![EventText { count: crash.restarts, ..event("BackOff", message) }]
    };
    match state {
        PodState::Unschedulable => {
            let message = UNSCHEDULABLE_MESSAGE.to_owned();
            vec![EventText { component: "default-scheduler", ..event("FailedScheduling", message) }]
        }
        PodState::MountFailed => {
            vec![event("FailedMount", prerequisites::unmounted(pod).unwrap_or_default())]
        }
        PodState::StartFailed(StartError::Pull) => {
            let failed = format!("Failed to pull image \"{image}\": {}", prerequisites::pull_error(image));
            vec![event("Failed", failed), event("Failed", "Error: ErrImagePull".to_owned())]
        }
        PodState::StartFailed(StartError::PullBackOff) => {
            vec![event(
                "Failed",
                format!("Failed to pull image \"{image}\": {}", prerequisites::pull_error(image)),
            )]
        }
        PodState::StartFailed(StartError::ImageName) => {
            let failed = event("Failed", "Error: InvalidImageName".to_owned());
            vec![event("InspectFailed", prerequisites::name_error(image)), failed]
        }
        PodState::StartFailed(StartError::Environment) => {
            vec![event("Failed", format!("Error: {}", prerequisites::missing(first).unwrap_or_default()))]
        }
        PodState::Crashing(crash) => crashed(meta::text(first, "/name"), crash),
        PodState::InitCrashing(crash) => crashed(prerequisites::failing_init(pod).unwrap_or_default(), crash),
        PodState::Running(Probe::PodFailure) => {
            vec![event(
                "Unhealthy",
                "Readiness probe failed: HTTP probe failed with statuscode: 503".to_owned(),
            )]
        }
        PodState::Running(Probe::Passing | Probe::Pending) | PodState::Starting | PodState::Created => {
            Vec::new()
        }
        PodState::Terminated(_) => Vec::new(),
    }
}
