//! A look at a workload that is late and at its pods: one bounded list, for the evidence.

use std::time::Duration;

use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Event, Pod};
use kube::ResourceExt;
use kube::api::{DynamicObject, ListParams, LogParams};
use serde_json::Value;

use crate::cluster::error::ClusterError;
use crate::cluster::session::Session;
use crate::cluster::workload::resource;
use crate::oam::kind::WorkloadKind;
use crate::oam::labels;

/// How many pods are looked at.
const MOST_PODS: u32 = 500;

/// How much of a log is asked for: enough for a stack's last lines, little enough for any terminal.
const LOG_LINES: i64 = 8;
const LOG_BYTES: i64 = 4096;
const LOG_WIDTH: usize = 200;
/// A node that does not answer must not delay the verdict.
const LOG_WITHIN: Duration = Duration::from_secs(3);

/// A pod that is not ready, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The pod.
    pub pod: String,
    /// How often its container was restarted.
    pub restarts: i32,
    /// Why, such as `ImagePullBackOff: back-off pulling image "x"`.
    pub reason: String,
    /// The first of its containers that is not ready.
    pub container: Option<String>,
}

impl Trouble {
    /// What stands before the message.
    fn phase(&self) -> &str {
        self.reason.split(':').next().unwrap_or_default()
    }
}

/// What keeps a container from starting until somebody changes something; the kubelet tries again for ever.
const LASTING: [&str; 7] = [
    "InvalidImageName",
    "ErrImageNeverPull",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "ErrImagePull",
    "ImagePullBackOff",
];
/// A container that has ended so often is not just waiting for something else to come up.
const MANY_RESTARTS: i32 = 3;

impl Findings {
    /// Why waiting is unlikely to help, where there is a sign of that: for those who would rather not wait.
    #[must_use]
    pub fn lasting(&self) -> Option<String> {
        let is_lasting =
            |trouble: &&Trouble| LASTING.contains(&trouble.phase()) || trouble.restarts >= MANY_RESTARTS;
        // What it is about stands in the evidence.
        let of_a_pod = || self.troubles.iter().find(is_lasting).map(|trouble| trouble.phase().to_owned());
        self.complaints.first().cloned().or_else(of_a_pod)
    }
}

/// Whether a pod is only on its way.
#[must_use]
pub fn is_starting(trouble: &Trouble) -> bool {
    ["ContainerCreating", "PodInitializing", "no status yet", "Pending"].contains(&trouble.phase())
}

/// What a look at a late workload shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// The workload's version, from before its pods were looked at.
    pub resource_version: String,
    /// Its pods that are ready; of an in-place workload those of the newest revision.
    pub ready: u32,
    /// What its controller complains about, such as a quota that allows no more pods.
    pub complaints: Vec<String>,
    /// Its pods that are not ready, by reason and name; of an in-place workload those of the newest revision.
    pub troubles: Vec<Trouble>,
    /// Pods of earlier revisions that are not ready, for which a StatefulSet waits before it replaces any.
    pub blockers: Vec<String>,
}

/// Looks at a workload and its pods.
///
/// # Errors
/// What the server answered; it is asked once for each.
pub async fn look(
    session: &Session,
    namespace: &str,
    component: &str,
    kind: WorkloadKind,
    name: &str,
) -> Result<Findings, ClusterError> {
    let workload = session.once(session.dynamic(namespace, &resource(kind)).get(name)).await?;
    let api = session.api::<Pod>(namespace);
    let params = ListParams::default().labels(&format!("{}={component}", labels::COMPONENT)).limit(MOST_PODS);
    let list = session.aside(api.list(&params)).await?;
    let newest = workload.data.pointer("/status/updateRevision").and_then(Value::as_str).unwrap_or_default();
    let stays = |pod: &&Pod| belongs_to(pod, kind, name) && pod.metadata.deletion_timestamp.is_none();
    let is_newest = |pod: &&Pod| !kind.is_in_place() || is_of(pod, newest);
    let (newest, mut earlier): (Vec<&Pod>, Vec<&Pod>) = list.items.iter().filter(stays).partition(is_newest);
    let (ready, unready): (Vec<&Pod>, Vec<&Pod>) = newest.into_iter().partition(|pod| is_ready(pod));
    earlier.retain(|pod| !is_ready(pod));
    let mut troubles: Vec<Trouble> = unready
        .iter()
        .map(|pod| {
            let container = unready_container(pod);
            Trouble {
                pod: pod.name_any(),
                restarts: container.map_or(0, |container| container.restart_count),
                reason: reason(pod),
                container: container.map(|container| container.name.clone()),
            }
        })
        .collect();
    troubles.sort_by(|a, b| (&a.reason, &a.pod).cmp(&(&b.reason, &b.pod)));
    let is_ordered = kind == WorkloadKind::StatefulSet
        && workload.data.pointer("/spec/podManagementPolicy").is_none_or(|policy| policy != "Parallel");
    let blockers = if is_ordered { earlier.iter().map(|pod| pod.name_any()).collect() } else { Vec::new() };
    let mut complaints = complaints(&workload);
    if kind == WorkloadKind::StatefulSet && list.items.iter().filter(stays).count() < wanted(&workload) {
        complaints.extend(last_warning(session, namespace, kind, name).await);
    }
    Ok(Findings {
        resource_version: workload.resource_version().unwrap_or_default(),
        ready: u32::try_from(ready.len()).unwrap_or(u32::MAX),
        complaints,
        troubles,
        blockers,
    })
}

/// The last lines that a pod in trouble printed. It is a courtesy: where they cannot be read, there are none.
pub async fn log(session: &Session, namespace: &str, trouble: &Trouble) -> Vec<String> {
    let Some(container) = &trouble.container else {
        return Vec::new();
    };
    let params = LogParams {
        container: Some(container.clone()),
        tail_lines: Some(LOG_LINES),
        limit_bytes: Some(LOG_BYTES),
        ..LogParams::default()
    };
    let api = session.api::<Pod>(namespace);
    let text = session.clock().within(LOG_WITHIN, session.once(api.logs(&trouble.pod, &params))).await;
    let Some(Ok(text)) = text else {
        return Vec::new();
    };
    let short = |line: &str| line.chars().take(LOG_WIDTH).collect::<String>();
    text.lines().map(str::trim_end).filter(|line| !line.is_empty()).map(short).collect()
}

fn unready_container(pod: &Pod) -> Option<&ContainerStatus> {
    let status = pod.status.as_ref()?;
    let init = status.init_container_statuses.iter().flatten();
    let mut all = init.chain(status.container_statuses.iter().flatten());
    let is_unready = |container: &&ContainerStatus| {
        let has_ended_well = container.state.as_ref().and_then(|state| state.terminated.as_ref());
        !container.ready && has_ended_well.is_none_or(|ended| ended.exit_code != 0)
    };
    all.find(is_unready)
}

fn wanted(workload: &DynamicObject) -> usize {
    let replicas = workload.data.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1);
    usize::try_from(replicas).unwrap_or(usize::MAX)
}

/// Why pods cannot be made: a StatefulSet's controller says it in events alone. It is a courtesy: where they
/// cannot be read, nothing is known.
async fn last_warning(session: &Session, namespace: &str, kind: WorkloadKind, name: &str) -> Option<String> {
    let api = session.api::<Event>(namespace);
    let about = format!("involvedObject.kind={},involvedObject.name={name},type=Warning", kind.as_str());
    let params = ListParams::default().fields(&about).limit(MOST_PODS);
    let list = session.once(api.list(&params)).await.ok()?;
    let time = |event: &Event| {
        let last = event.last_timestamp.as_ref().map(|time| time.0);
        last.or(event.metadata.creation_timestamp.as_ref().map(|time| time.0))
    };
    let last = list.items.iter().max_by_key(|event| time(event))?;
    Some(described(last.reason.as_deref().unwrap_or("warning"), last.message.as_deref()))
}

fn complaints(workload: &DynamicObject) -> Vec<String> {
    let text = |condition: &Value, field: &str| condition[field].as_str().unwrap_or_default().to_owned();
    let is_bad = |condition: &&Value| {
        matches!(
            (condition["type"].as_str(), condition["status"].as_str()),
            (Some("ReplicaFailure" | "FailedScale" | "FailedUpdate"), Some("True"))
                | (Some("Progressing"), Some("False"))
        )
    };
    let conditions = workload.data.pointer("/status/conditions").and_then(Value::as_array);
    let complaint = |condition: &Value| {
        let reason = condition["reason"].as_str().unwrap_or(condition["type"].as_str().unwrap_or_default());
        described(reason, Some(&text(condition, "message")))
    };
    conditions.into_iter().flatten().filter(is_bad).map(complaint).collect()
}

/// A Deployment's pods are owned by its ReplicaSets, `<deployment>-<hash>`; those of other kinds by themselves.
fn belongs_to(pod: &Pod, kind: WorkloadKind, workload: &str) -> bool {
    pod.owner_references().iter().filter(|owner| owner.controller == Some(true)).any(|owner| match kind {
        WorkloadKind::Deployment => {
            owner.name.rsplit_once('-').is_some_and(|(deployment, _)| deployment == workload)
        }
        WorkloadKind::CloneSet | WorkloadKind::StatefulSet => {
            owner.kind == kind.as_str() && owner.name == workload
        }
    })
}

/// Whether an in-place workload's pod is of a revision. Kruise may write the hash alone, without the name.
fn is_of(pod: &Pod, revision: &str) -> bool {
    let hash = |name: &str| name.rsplit('-').next().unwrap_or_default().to_owned();
    pod.labels().get("controller-revision-hash").is_some_and(|label| hash(label) == hash(revision))
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn reason(pod: &Pod) -> String {
    let Some(status) = &pod.status else {
        return "no status yet".to_owned();
    };
    let containers =
        status.init_container_statuses.iter().flatten().chain(status.container_statuses.iter().flatten());
    if let Some(reason) = containers.into_iter().find_map(container_reason) {
        return reason;
    }
    let conditions = || status.conditions.iter().flatten();
    if let Some(condition) =
        conditions().find(|condition| condition.type_ == "PodScheduled" && condition.status == "False")
    {
        return described(
            condition.reason.as_deref().unwrap_or("not scheduled"),
            condition.message.as_deref(),
        );
    }
    if let Some(condition) =
        conditions().find(|condition| condition.type_ == "Ready" && condition.status != "True")
    {
        return described(condition.reason.as_deref().unwrap_or("not ready"), condition.message.as_deref());
    }
    status.phase.clone().unwrap_or_else(|| "not ready".to_owned())
}

fn container_reason(container: &ContainerStatus) -> Option<String> {
    let state = container.state.as_ref()?;
    if let Some(waiting) = &state.waiting {
        let reason = waiting.reason.as_deref().unwrap_or("waiting");
        // The kubelet ends some messages with the pod's name and uid, which would set equal reasons apart.
        let message =
            waiting.message.as_deref().map(|message| message.split(" pod=").next().unwrap_or(message));
        let text = described(reason, message);
        let last = container.last_state.as_ref().and_then(|last| last.terminated.as_ref()).map(ending);
        return Some(match (container.restart_count, last) {
            (0, None) => text,
            (0, Some(last)) => format!("{text} (last ended: {last})"),
            (count, None) => format!("{text} (restarted {})", times(count)),
            (count, Some(last)) => format!("{text} (restarted {}, last ended: {last})", times(count)),
        });
    }
    state.terminated.as_ref().map(ending)
}

/// How a container ended: what it is killed for is told by this alone, the wait for its restart says only that it ended.
fn ending(terminated: &ContainerStateTerminated) -> String {
    let reason = terminated.reason.as_deref().unwrap_or("terminated");
    match terminated.signal {
        Some(signal) if signal != 0 => {
            format!("{reason}, exit code {}, signal {signal}", terminated.exit_code)
        }
        _ => format!("{reason}, exit code {}", terminated.exit_code),
    }
}

fn times(count: i32) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

fn described(reason: &str, message: Option<&str>) -> String {
    match message {
        Some(message) if !message.is_empty() => format!("{reason}: {message}"),
        _ => reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_container_that_waits_or_ended_says_how_it_ended() {
        let back_off =
            json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s pod=web_shop(1)"}});
        let killed = json!({"terminated": {"reason": "OOMKilled", "exitCode": 137}});
        let signalled = json!({"terminated": {"reason": "Error", "exitCode": 139, "signal": 11}});
        let waits = "CrashLoopBackOff: back-off 10s";
        for (state, last, restarts, text) in [
            (
                &back_off,
                &killed,
                3,
                format!("{waits} (restarted 3 times, last ended: OOMKilled, exit code 137)"),
            ),
            (&back_off, &killed, 0, format!("{waits} (last ended: OOMKilled, exit code 137)")),
            (&back_off, &json!({}), 1, format!("{waits} (restarted once)")),
            (&signalled, &json!({}), 0, "Error, exit code 139, signal 11".to_owned()),
        ] {
            let status = json!({
                "name": "web", "image": "web:1", "imageID": "", "ready": false,
                "restartCount": restarts, "state": state, "lastState": last,
            });
            let status: ContainerStatus = serde_json::from_value(status).unwrap();
            assert_eq!(container_reason(&status).as_deref(), Some(text.as_str()));
        }
    }
}
