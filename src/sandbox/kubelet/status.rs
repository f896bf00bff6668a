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
    let running = matches!(state, State::Running(_) | State::Crashing(_));
    let ready = state == State::Running(Probe::Passing);
    let names: Vec<&str> =
        meta::items(pod, "/spec/containers").iter().map(|container| meta::text(container, "/name")).collect();
    let unready = format!("containers with unready status: [{}]", names.join(" "));
    let why = (!ready).then_some(("ContainersNotReady", unready.as_str()));
    let (initialized, containers) =
        (condition("Initialized", "True", None), if ready { "True" } else { "False" });
    let sandboxed = if state == State::Starting { "False" } else { "True" };
    let all = [
        condition("PodReadyToStartContainers", sandboxed, None),
        initialized,
        condition("Ready", containers, why),
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
    json!(dated.as_slice())
}

fn container(pod: &Value, container: &Value, state: State, now: Timestamp) -> Value {
    let (name, image) = (meta::text(container, "/name"), meta::text(container, "/image"));
    let mut status = json!({
        "name": name,
        "image": image,
        "imageID": "",
        "lastState": {},
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
            let since = meta::items(pod, "/status/containerStatuses")
                .iter()
                .find(|before| before["name"] == name)
                .and_then(|before| before.pointer("/state/running/startedAt").cloned());
            let since = since.unwrap_or_else(|| json!(meta::seconds(now)));
            status["state"] = json!({"running": {"startedAt": since}});
            identify(&mut status, pod, image, 0);
        }
        State::PullFailing => {
            let message = format!("Back-off pulling image \"{image}\": {}", pull_error(image));
            status["state"] = waiting("ImagePullBackOff", message);
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
            status["restartCount"] = json!(crash.restarts);
            identify(&mut status, pod, image, crash.restarts);
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
