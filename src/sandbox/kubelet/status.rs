//! What the status of a pod says in each state.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::outlook::{Crash, Probe, State};
use crate::sandbox::defaulting::fnv;
use crate::sandbox::meta;

/// The status of a pod that no node takes.
pub(super) fn unschedulable(pod: &Value, now: Timestamp) -> Value {
    let mut status = carried(pod);
    status.insert("phase".to_owned(), json!("Pending"));
    let scheduled = condition("PodScheduled", "False", Some(("Unschedulable", UNSCHEDULABLE)));
    status.insert("conditions".to_owned(), conditions(pod, [scheduled], now));
    Value::Object(status)
}

/// The scheduler's sentence about a pod that fits nowhere.
pub(super) const UNSCHEDULABLE: &str = "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: \
     1 No preemption victims found for incoming pod.";

/// The status of a bound pod.
pub(super) fn of(pod: &Value, state: State, now: Timestamp) -> Value {
    let mut status = carried(pod);
    // A pod that ran stays so while another image cannot be pulled: its containers count as stopped.
    let ran = state == State::PullFailing && meta::text(pod, "/status/phase") == "Running";
    let running = ran || matches!(state, State::Running(_) | State::Crashing(_));
    let ready = state == State::Running(Probe::Passing);
    let names: Vec<&str> =
        meta::items(pod, "/spec/containers").iter().map(|container| meta::text(container, "/name")).collect();
    let unready = format!("containers with unready status: [{}]", names.join(" "));
    let why = (!ready).then_some(("ContainersNotReady", unready.as_str()));
    let containers = if ready { "True" } else { "False" };
    let closed = closed_gates(pod);
    let (whole, why_not) = match why {
        None if !closed.is_empty() => ("False", Some(("ReadinessGatesNotReady", closed.as_str()))),
        why => (containers, why),
    };
    let sandboxed = if state == State::Starting { "False" } else { "True" };
    let all = [
        condition("PodReadyToStartContainers", sandboxed, None),
        condition("Initialized", "True", None),
        condition("Ready", whole, why_not),
        condition("ContainersReady", containers, why),
        condition("PodScheduled", "True", None),
    ];
    status.insert("phase".to_owned(), json!(if running { "Running" } else { "Pending" }));
    status.insert("conditions".to_owned(), conditions(pod, all, now));
    status.insert("hostIP".to_owned(), json!(HOST));
    status.insert("hostIPs".to_owned(), json!([{"ip": HOST}]));
    if state != State::Starting {
        let ip = address(meta::uid(pod));
        status.insert("podIP".to_owned(), json!(ip));
        status.insert("podIPs".to_owned(), json!([{"ip": ip}]));
    }
    status.entry("startTime").or_insert_with(|| json!(meta::seconds(now)));
    let containers: Vec<Value> =
        meta::items(pod, "/spec/containers").iter().map(|c| container(pod, c, state, now)).collect();
    status.insert("containerStatuses".to_owned(), json!(containers));
    Value::Object(status)
}

const HOST: &str = "192.0.2.1";

fn address(uid: &str) -> String {
    let hash = fnv(uid);
    format!("10.244.{}.{}", (hash >> 8) % 256, 1 + hash % 254)
}

/// What a status keeps from the one before.
fn carried(pod: &Value) -> Map<String, Value> {
    let mut status = Map::new();
    for field in ["qosClass", "startTime"] {
        if let Some(value) = pod["status"].get(field) {
            status.insert(field.to_owned(), value.clone());
        }
    }
    if let Some(generation) = pod["metadata"].get("generation") {
        status.insert("observedGeneration".to_owned(), generation.clone());
    }
    status
}

fn condition(kind: &str, state: &str, why: Option<(&str, &str)>) -> Value {
    let mut condition = json!({"type": kind, "status": state});
    if let Some((reason, message)) = why {
        condition["reason"] = json!(reason);
        condition["message"] = json!(message);
    }
    condition
}

/// Dates conditions: one that keeps its status keeps its time.
fn conditions<const N: usize>(pod: &Value, conditions: [Value; N], now: Timestamp) -> Value {
    let before = meta::items(pod, "/status/conditions");
    let dated = conditions.map(|mut condition| {
        let same =
            before.iter().find(|b| b["type"] == condition["type"] && b["status"] == condition["status"]);
        condition["lastTransitionTime"] =
            same.map_or_else(|| json!(meta::seconds(now)), |b| b["lastTransitionTime"].clone());
        if let Some(generation) = pod["metadata"].get("generation") {
            condition["observedGeneration"] = generation.clone();
        }
        condition
    });
    // Conditions that are somebody else's stay.
    let foreign = before.iter().filter(|b| dated.iter().all(|own| own["type"] != b["type"])).cloned();
    Value::Array(dated.iter().cloned().chain(foreign).collect())
}

/// Which of the conditions that a pod waits for are not true, in the kubelet's words.
fn closed_gates(pod: &Value) -> String {
    let conditions = meta::items(pod, "/status/conditions");
    let gates =
        meta::items(pod, "/spec/readinessGates").iter().map(|gate| meta::text(gate, "/conditionType"));
    let closed: Vec<String> = gates
        .filter_map(|gate| match conditions.iter().find(|c| c["type"] == gate).map(|c| &c["status"]) {
            Some(state) if state == "True" => None,
            Some(state) => Some(format!(
                "the status of pod readiness gate \"{gate}\" is not \"True\", but {}",
                state.as_str().unwrap_or_default()
            )),
            None => Some(format!("corresponding condition of pod readiness gate \"{gate}\" does not exist.")),
        })
        .collect();
    closed.join(", ")
}

fn container(pod: &Value, container: &Value, state: State, now: Timestamp) -> Value {
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
    let waiting = |reason: &str, message: String| json!({"waiting": {"reason": reason, "message": message}});
    match state {
        State::Waiting | State::Unschedulable | State::Starting => {
            status["state"] = json!({"waiting": {"reason": "ContainerCreating"}});
        }
        State::Running(_) => {
            let since = before.since().unwrap_or_else(|| json!(meta::seconds(now)));
            status["state"] = json!({"running": {"startedAt": since}});
            status["restartCount"] = json!(before.restarts());
            identify(&mut status, pod, image, before.restarts());
        }
        State::PullFailing => {
            let message = format!("Back-off pulling image \"{image}\": {}", pull_error(image));
            status["state"] = waiting("ImagePullBackOff", message);
            if let Before::Replaced(was) = &before {
                for field in ["image", "imageID", "containerID", "restartCount"] {
                    status[field] = was[field].clone();
                }
            }
        }
        State::Crashing(crash) => {
            let message = format!(
                "{} pod={}_{}({})",
                back_off(&crash, name),
                meta::name(pod),
                meta::namespace(pod),
                meta::uid(pod)
            );
            status["state"] = waiting("CrashLoopBackOff", message);
            let restarts = crash.restarts.max(before.restarts());
            status["restartCount"] = json!(restarts);
            identify(&mut status, pod, image, restarts);
            let ended = meta::seconds(crash.ended);
            status["lastState"] = json!({"terminated": {
                "exitCode": 1,
                "reason": "Error",
                "startedAt": ended,
                "finishedAt": ended,
                "containerID": status["containerID"],
            }});
        }
    }
    status
}

fn is_pulling(status: &Value) -> bool {
    meta::text(status, "/state/waiting/reason") == "ImagePullBackOff"
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
            Some(status) if status["image"] != image || is_pulling(status) => Self::Replaced(status),
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

fn identify(status: &mut Value, pod: &Value, image: &str, restarts: i64) {
    status["imageID"] = json!(format!("sandbox://{image}"));
    status["containerID"] =
        json!(format!("sandbox://{}/{}/{restarts}", meta::uid(pod), meta::text(status, "/name")));
}

fn back_off(crash: &Crash, name: &str) -> String {
    let (minutes, seconds) = (crash.wait.as_secs() / 60, crash.wait.as_secs() % 60);
    let wait = if minutes > 0 { format!("{minutes}m{seconds}s") } else { format!("{seconds}s") };
    format!("back-off {wait} restarting failed container={name}")
}

/// Why an image cannot be pulled.
pub(super) fn pull_error(image: &str) -> String {
    format!(
        "ErrImagePull: failed to pull and unpack image \"{image}\": failed to resolve reference \"{image}\": {image}: not found"
    )
}
