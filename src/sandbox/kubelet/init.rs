//! The statuses of init containers, sidecars among them.
//!
//! See <https://kubernetes.io/docs/concepts/workloads/pods/init-containers/>.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::container::{crashed, set_container_id, terminated};
use super::prerequisites::{failing_init, is_sidecar};
use super::timeline::{Crash, PodState, Termination};
use crate::sandbox::object::meta;

#[derive(Clone, Copy)]
enum Progress {
    ToCome,
    Crashing(Crash),
    /// It ended with an error and is not restarted.
    Failed,
    Done,
}

pub(super) fn statuses(pod: &Value, state: PodState, now: Timestamp) -> Vec<Value> {
    progress(pod, state).map(|(container, progress)| status(pod, container, progress, now)).collect()
}

/// The names of the init containers that the pod's containers wait for.
pub(super) fn incomplete(pod: &Value, state: PodState) -> Vec<&str> {
    let unfinished = progress(pod, state).filter(|(_, progress)| !matches!(progress, Progress::Done));
    unfinished.map(|(container, _)| meta::text(container, "/name")).collect()
}

/// The progress of each init container. They start in order, so those after a failing one have not started.
fn progress(pod: &Value, state: PodState) -> impl Iterator<Item = (&Value, Progress)> {
    let failing = failing_init(pod);
    let mut is_behind = false;
    meta::items(pod, "/spec/initContainers").iter().map(move |container| {
        let progress = match state {
            PodState::Created | PodState::Unschedulable | PodState::Starting | PodState::MountFailed => {
                Progress::ToCome
            }
            PodState::InitCrashing(crash) if failing == Some(meta::text(container, "/name")) => {
                is_behind = true;
                Progress::Crashing(crash)
            }
            PodState::InitCrashing(_) if is_behind => Progress::ToCome,
            PodState::InitCrashing(_)
            | PodState::StartFailed(_)
            | PodState::Running(_)
            | PodState::Crashing(_)
            | PodState::Terminated(Termination::Succeeded | Termination::Failed(_)) => Progress::Done,
            PodState::Terminated(Termination::NeverStarted)
                if failing == Some(meta::text(container, "/name")) =>
            {
                is_behind = true;
                Progress::Failed
            }
            PodState::Terminated(Termination::NeverStarted) if is_behind => Progress::ToCome,
            PodState::Terminated(Termination::NeverStarted) => Progress::Done,
        };
        (container, progress)
    })
}

fn status(pod: &Value, container: &Value, progress: Progress, now: Timestamp) -> Value {
    let name = meta::text(container, "/name");
    let mut status = json!({
        "name": name,
        "image": meta::text(container, "/image"),
        "imageID": "",
        "lastState": {},
        "ready": false,
        "restartCount": 0,
        "started": false,
    });
    match progress {
        Progress::ToCome => status["state"] = json!({"waiting": {"reason": "PodInitializing"}}),
        Progress::Failed => {
            set_container_id(&mut status, pod, 0);
            terminated(&mut status, now, 1, "Error");
        }
        Progress::Crashing(crash) => crashed(&mut status, pod, crash, crash.restarts),
        Progress::Done => {
            let before = meta::items(pod, "/status/initContainerStatuses");
            if let Some(done) = before.iter().find(|one| one["name"] == name && one["ready"] == true) {
                return done.clone();
            }
            status["ready"] = json!(true);
            set_container_id(&mut status, pod, 0);
            let at = meta::format_time(now);
            if is_sidecar(container) {
                status["started"] = json!(true);
                status["state"] = json!({"running": {"startedAt": at}});
            } else {
                let id = status["containerID"].clone();
                status["state"] = json!({"terminated": {
                    "exitCode": 0,
                    "reason": "Completed",
                    "startedAt": at,
                    "finishedAt": at,
                    "containerID": id,
                }});
            }
        }
    }
    status
}
