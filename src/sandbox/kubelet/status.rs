//! The status of a pod in each state.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::prerequisites::{self, UNSCHEDULABLE_MESSAGE};
use super::timeline::{PodState, Probe, StartError, Termination};
use super::{container, init};
use crate::sandbox::object::hash::fnv;
use crate::sandbox::object::meta;

/// The status of a pod that fits on no node.
pub(super) fn unschedulable(pod: &Value, now: Timestamp) -> Value {
    let mut status = carried(pod);
    status.insert("phase".to_owned(), json!("Pending"));
    let scheduled = condition("PodScheduled", "False", Some(("Unschedulable", UNSCHEDULABLE_MESSAGE)));
    status.insert("conditions".to_owned(), conditions(pod, [scheduled], now));
    Value::Object(status)
}

/// The status of a bound pod.
pub(super) fn of(pod: &Value, state: PodState, now: Timestamp) -> Value {
    let mut status = carried(pod);
    // A pod that ran stays Running while its new containers cannot start: the old ones count as stopped.
    let ran = matches!(state, PodState::StartFailed(_)) && meta::text(pod, "/status/phase") == "Running";
    let running = ran || matches!(state, PodState::Running(_) | PodState::Crashing(_));
    let all = meta::items(pod, "/spec/containers");
    let states: Vec<PodState> = all.iter().map(|container| of_container(container, state)).collect();
    let unready = all.iter().zip(&states).filter(|(_, state)| **state != PodState::Running(Probe::Passing));
    let names: Vec<&str> = unready.map(|(container, _)| meta::text(container, "/name")).collect();
    let ready = names.is_empty();
    let unready = format!("containers with unready status: [{}]", names.join(" "));
    let ended = match state {
        PodState::Terminated(Termination::Succeeded) => Some(("Succeeded", "PodCompleted")),
        PodState::Terminated(Termination::Failed(_) | Termination::NeverStarted) => {
            Some(("Failed", "PodFailed"))
        }
        PodState::Created
        | PodState::Unschedulable
        | PodState::Starting
        | PodState::Running(_)
        | PodState::MountFailed
        | PodState::StartFailed(_)
        | PodState::Crashing(_)
        | PodState::InitCrashing(_) => None,
    };
    let why = match ended {
        Some((_, reason)) => Some((reason, "")),
        None => (!ready).then_some(("ContainersNotReady", unready.as_str())),
    };
    let containers = if ready { "True" } else { "False" };
    let closed = closed_gates(pod);
    let (whole, why_not) = match why {
        None if !closed.is_empty() => ("False", Some(("ReadinessGatesNotReady", closed.as_str()))),
        why => (containers, why),
    };
    let has_sandbox = !matches!(state, PodState::Starting | PodState::MountFailed);
    let sandboxed = if has_sandbox && ended.is_none() { "True" } else { "False" };
    let to_come = init::incomplete(pod, state);
    let incomplete = format!("containers with incomplete status: [{}]", to_come.join(" "));
    let why_not_begun = match ended {
        Some(("Succeeded", reason)) => Some((reason, "")),
        _ => (!to_come.is_empty()).then_some(("ContainersNotInitialized", incomplete.as_str())),
    };
    let conditions_now = [
        condition("PodReadyToStartContainers", sandboxed, None),
        condition("Initialized", if to_come.is_empty() { "True" } else { "False" }, why_not_begun),
        condition("Ready", whole, why_not),
        condition("ContainersReady", containers, why),
        condition("PodScheduled", "True", None),
    ];
    let phase = ended.map_or(if running { "Running" } else { "Pending" }, |(phase, _)| phase);
    status.insert("phase".to_owned(), json!(phase));
    status.insert("conditions".to_owned(), conditions(pod, conditions_now, now));
    status.insert("hostIP".to_owned(), json!(HOST));
    status.insert("hostIPs".to_owned(), json!([{"ip": HOST}]));
    if has_sandbox {
        let ip = address(meta::uid(pod));
        status.insert("podIP".to_owned(), json!(ip));
        status.insert("podIPs".to_owned(), json!([{"ip": ip}]));
    }
    status.entry("startTime").or_insert_with(|| json!(meta::format_time(now)));
    let containers: Vec<Value> =
        all.iter().zip(&states).map(|(one, state)| container::status(pod, one, *state, now)).collect();
    let init = init::statuses(pod, state, now);
    if !init.is_empty() {
        status.insert("initContainerStatuses".to_owned(), json!(init));
    }
    status.insert("containerStatuses".to_owned(), json!(containers));
    Value::Object(status)
}

/// The state of one container: a missing object of its environment does not stop the other containers.
fn of_container(container: &Value, state: PodState) -> PodState {
    let is_blocked = state == PodState::StartFailed(StartError::Environment);
    if is_blocked && prerequisites::missing(container).is_none() {
        PodState::Running(Probe::Passing)
    } else {
        state
    }
}

const HOST: &str = "192.0.2.1";

fn address(uid: &str) -> String {
    let hash = fnv(uid);
    format!("10.244.{}.{}", (hash >> 8) % 256, 1 + hash % 254)
}

/// The fields that are carried over to every status.
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
        if !message.is_empty() {
            condition["message"] = json!(message);
        }
    }
    condition
}

/// Sets transition times: a condition that keeps its status keeps its time.
fn conditions<const N: usize>(pod: &Value, conditions: [Value; N], now: Timestamp) -> Value {
    let before = meta::items(pod, "/status/conditions");
    let dated = conditions.map(|mut condition| {
        let same =
            before.iter().find(|b| b["type"] == condition["type"] && b["status"] == condition["status"]);
        condition["lastTransitionTime"] =
            same.map_or_else(|| json!(meta::format_time(now)), |b| b["lastTransitionTime"].clone());
        if let Some(generation) = pod["metadata"].get("generation") {
            condition["observedGeneration"] = generation.clone();
        }
        condition
    });
    // Conditions of other writers are kept.
    let foreign = before.iter().filter(|b| dated.iter().all(|own| own["type"] != b["type"])).cloned();
    Value::Array(dated.iter().cloned().chain(foreign).collect())
}

/// The kubelet's message about readiness gates that are not true.
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
