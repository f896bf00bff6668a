//! What the status of a container says in each state of its pod.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::outlook::{Block, Crash, Ending, Probe, State};
use super::parts;
use crate::sandbox::object::meta;

/// The status of one of a bound pod's containers.
pub(super) fn status(pod: &Value, container: &Value, state: State, now: Timestamp) -> Value {
    let (name, image) = (meta::text(container, "/name"), meta::text(container, "/image"));
    let before = Before::of(pod, name, image);
    let mut status = json!({
        "name": name,
        "image": image,
        "imageID": "",
        "lastState": before.last_state(now),
        "ready": state == State::Running(Probe::Passing),
        "restartCount": 0,
        "started": matches!(state, State::Running(_)),
    });
    match state {
        State::Waiting
        | State::Unschedulable
        | State::Starting
        | State::Mounting
        | State::InitCrashing(_) => {
            let has_others_first = !meta::items(pod, "/spec/initContainers").is_empty();
            let reason = if has_others_first { "PodInitializing" } else { "ContainerCreating" };
            status["state"] = json!({"waiting": {"reason": reason}});
        }
        State::Running(_) => {
            let since = before.since().unwrap_or_else(|| json!(meta::seconds(now)));
            status["state"] = json!({"running": {"startedAt": since}});
            status["restartCount"] = json!(before.restarts());
            identify(&mut status, pod, before.restarts());
        }
        State::Blocked(block) => {
            let (reason, message) = match block {
                Block::Pull => ("ErrImagePull", parts::pull_error(image)),
                Block::PullBackOff => {
                    let error = parts::pull_error(image);
                    (PULL_BACK_OFF, format!("Back-off pulling image \"{image}\": ErrImagePull: {error}"))
                }
                Block::ImageName => ("InvalidImageName", parts::name_error(image)),
                Block::Environment => {
                    ("CreateContainerConfigError", parts::missing(container).unwrap_or_default())
                }
            };
            status["state"] = waiting(reason, &message);
            if let Before::Replaced(was) = &before {
                for field in ["image", "imageID", "containerID", "restartCount"] {
                    status[field] = was[field].clone();
                }
            }
        }
        State::Crashing(crash) => {
            let restarts = crash.restarts.max(before.restarts());
            crashed(&mut status, pod, crash, restarts);
        }
    }
    status
}

/// Says of a container that it crashed and waits for its restart.
pub(super) fn crashed(status: &mut Value, pod: &Value, crash: Crash, restarts: i64) {
    let name = meta::text(status, "/name").to_owned();
    let (pod_name, namespace, uid) = (meta::name(pod), meta::namespace(pod), meta::uid(pod));
    let message = format!("{} pod={pod_name}_{namespace}({uid})", back_off(crash, &name));
    status["state"] = waiting("CrashLoopBackOff", &message);
    status["restartCount"] = json!(restarts);
    identify(status, pod, restarts);
    let ended = meta::seconds(crash.ended);
    let (code, reason) = match crash.ending {
        Ending::Error => (1, "Error"),
        Ending::OutOfMemory => (137, "OOMKilled"),
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

/// Whether a container's place waits for one that cannot be made.
fn is_blocked(status: &Value) -> bool {
    let reasons = [PULL_BACK_OFF, "ErrImagePull", "InvalidImageName", "CreateContainerConfigError"];
    reasons.contains(&meta::text(status, "/state/waiting/reason"))
}

/// What was last said of a container that was there.
enum Before<'a> {
    Nothing,
    /// It is the one that should be there.
    Same(&'a Value),
    /// It was stopped for another, and what it was stays to be seen until that runs.
    Replaced(&'a Value),
}

impl<'a> Before<'a> {
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
                    "finishedAt": meta::seconds(now),
                    "containerID": status["containerID"],
                }}),
            },
        }
    }
}

/// Says which container it is that was made.
pub(super) fn identify(status: &mut Value, pod: &Value, restarts: i64) {
    status["imageID"] = json!(format!("sandbox://{}", meta::text(status, "/image")));
    status["containerID"] =
        json!(format!("sandbox://{}/{}/{restarts}", meta::uid(pod), meta::text(status, "/name")));
}

fn back_off(crash: Crash, name: &str) -> String {
    let (minutes, seconds) = (crash.wait.as_secs() / 60, crash.wait.as_secs() % 60);
    let wait = if minutes > 0 { format!("{minutes}m{seconds}s") } else { format!("{seconds}s") };
    format!("back-off {wait} restarting failed container={name}")
}
