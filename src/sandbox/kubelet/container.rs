//! The status of a container in each state of its pod.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::prerequisites;
use super::timeline::{Crash, CrashReason, PodState, Probe, StartError, Termination};
use crate::sandbox::object::meta;

/// The status of one of a bound pod's containers.
pub(super) fn status(pod: &Value, container: &Value, state: PodState, now: Timestamp) -> Value {
    let (name, image) = (meta::text(container, "/name"), meta::text(container, "/image"));
    let before = PreviousStatus::of(pod, name, image);
    let mut status = json!({
        "name": name,
        "image": image,
        "imageID": "",
        "lastState": before.last_state(now),
        "ready": state == PodState::Running(Probe::Passing),
        "restartCount": 0,
        "started": matches!(state, PodState::Running(_)),
    });
    match state {
        PodState::Created
        | PodState::Unschedulable
        | PodState::Starting
        | PodState::MountFailed
        | PodState::InitCrashing(_) => {
            let has_others_first = !meta::items(pod, "/spec/initContainers").is_empty();
            let reason = if has_others_first { "PodInitializing" } else { "ContainerCreating" };
            status["state"] = json!({"waiting": {"reason": reason}});
        }
        PodState::Running(_) => {
            let since = before.since().unwrap_or_else(|| json!(meta::format_time(now)));
            status["state"] = json!({"running": {"startedAt": since}});
            status["restartCount"] = json!(before.restarts());
            set_container_id(&mut status, pod, before.restarts());
        }
        PodState::StartFailed(block) => {
            let (reason, message) = match block {
                StartError::Pull => ("ErrImagePull", prerequisites::pull_error(image)),
                StartError::PullBackOff => {
                    let error = prerequisites::pull_error(image);
                    (PULL_BACK_OFF, format!("Back-off pulling image \"{image}\": ErrImagePull: {error}"))
                }
                StartError::ImageName => ("InvalidImageName", prerequisites::name_error(image)),
                StartError::Environment => {
                    ("CreateContainerConfigError", prerequisites::missing(container).unwrap_or_default())
                }
            };
            status["state"] = waiting(reason, &message);
            if let PreviousStatus::Replaced(was) = &before {
                for field in ["image", "imageID", "containerID", "restartCount"] {
                    status[field] = was[field].clone();
                }
            }
        }
        PodState::Terminated(Termination::NeverStarted) => {
            status["state"] = json!({"waiting": {"reason": "PodInitializing"}});
        }
        PodState::Terminated(termination) => {
            status["restartCount"] = json!(before.restarts());
            set_container_id(&mut status, pod, before.restarts());
            let (code, reason) = match termination {
                Termination::Succeeded | Termination::NeverStarted => (0, "Completed"),
                Termination::Failed(CrashReason::Error) => (1, "Error"),
                Termination::Failed(CrashReason::OutOfMemory) => (137, "OOMKilled"),
            };
            terminated(&mut status, now, code, reason);
            if let Some(since) = before.since() {
                status["state"]["terminated"]["startedAt"] = since;
            }
        }
        PodState::Crashing(crash) => {
            let restarts = crash.restarts.max(before.restarts());
            crashed(&mut status, pod, crash, restarts);
        }
    }
    status
}

/// Sets the status of a container that has ended and is not restarted.
pub(super) fn terminated(status: &mut Value, now: Timestamp, code: i64, reason: &str) {
    let at = meta::format_time(now);
    let id = status["containerID"].clone();
    status["state"] = json!({"terminated": {
        "exitCode": code,
        "reason": reason,
        "startedAt": at,
        "finishedAt": at,
        "containerID": id,
    }});
}

/// Sets the status of a container that has crashed and waits for its restart.
pub(super) fn crashed(status: &mut Value, pod: &Value, crash: Crash, restarts: i64) {
    let name = meta::text(status, "/name").to_owned();
    let (pod_name, namespace, uid) = (meta::name(pod), meta::namespace(pod), meta::uid(pod));
    let message = format!("{} pod={pod_name}_{namespace}({uid})", back_off(crash, &name));
    status["state"] = waiting("CrashLoopBackOff", &message);
    status["restartCount"] = json!(restarts);
    set_container_id(status, pod, restarts);
    let ended = meta::format_time(crash.ended);
    let (code, reason) = match crash.reason {
        CrashReason::Error => (1, "Error"),
        CrashReason::OutOfMemory => (137, "OOMKilled"),
    };
    status["lastState"] = json!({"terminated": {
        "exitCode": code,
        "reason": reason,
        "startedAt": ended,
        "finishedAt": ended,
        "containerID": status["containerID"],
    }});
}

fn waiting(reason: &str, message: &str) -> Value {
    json!({"waiting": {"reason": reason, "message": message}})
}

const PULL_BACK_OFF: &str = "ImagePullBackOff";

/// Whether a status reports a container that cannot start.
fn is_blocked(status: &Value) -> bool {
    let reasons = [PULL_BACK_OFF, "ErrImagePull", "InvalidImageName", "CreateContainerConfigError"];
    reasons.contains(&meta::text(status, "/state/waiting/reason"))
}

/// The last status of a container that ran.
enum PreviousStatus<'a> {
    Nothing,
    /// The status of the container that should run now.
    Same(&'a Value),
    /// The status of a container that was stopped for another image, which is kept until the new one runs.
    Replaced(&'a Value),
}

impl<'a> PreviousStatus<'a> {
    fn of(pod: &'a Value, name: &str, image: &str) -> Self {
        let statuses = meta::items(pod, "/status/containerStatuses");
        match statuses.iter().find(|status| status["name"] == name && status.get("containerID").is_some()) {
            None => Self::Nothing,
            Some(status) if status["image"] != image || is_blocked(status) => Self::Replaced(status),
            Some(status) => Self::Same(status),
        }
    }

    fn since(&self) -> Option<Value> {
        match self {
            Self::Same(status) => status.pointer("/state/running/startedAt").cloned(),
            Self::Nothing | Self::Replaced(_) => None,
        }
    }

    fn restarts(&self) -> i64 {
        match self {
            Self::Nothing => 0,
            Self::Same(status) => meta::number(status, "/restartCount"),
            Self::Replaced(status) => meta::number(status, "/restartCount") + 1,
        }
    }

    fn last_state(&self, now: Timestamp) -> Value {
        match self {
            Self::Nothing => json!({}),
            Self::Same(status) => status["lastState"].clone(),
            Self::Replaced(status) => match status.pointer("/state/running/startedAt") {
                None => status["lastState"].clone(),
                Some(started) => json!({"terminated": {
                    "exitCode": 137,
                    "reason": "Error",
                    "startedAt": started,
                    "finishedAt": meta::format_time(now),
                    "containerID": status["containerID"],
                }}),
            },
        }
    }
}

/// Sets the image and container IDs.
pub(super) fn set_container_id(status: &mut Value, pod: &Value, restarts: i64) {
    status["imageID"] = json!(format!("sandbox://{}", meta::text(status, "/image")));
    status["containerID"] =
        json!(format!("sandbox://{}/{}/{restarts}", meta::uid(pod), meta::text(status, "/name")));
}

fn back_off(crash: Crash, name: &str) -> String {
    let (minutes, seconds) = (crash.wait.as_secs() / 60, crash.wait.as_secs() % 60);
    let wait = if minutes > 0 { format!("{minutes}m{seconds}s") } else { format!("{seconds}s") };
    format!("back-off {wait} restarting failed container={name}")
}
