//! A look at a workload that is late and at its pods: one bounded list, for the evidence.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentCondition};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::ResourceExt;
use kube::api::ListParams;

use crate::cluster::error::ClusterError;
use crate::cluster::session::Session;
use crate::oam::labels;

/// How many pods are looked at.
const MOST_PODS: u32 = 500;

/// A pod that is not ready, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The pod.
    pub pod: String,
    /// Why, such as `ImagePullBackOff: back-off pulling image "x"`.
    pub reason: String,
}

/// What a Deployment's controller complains about, such as a quota that allows no more pods.
///
/// # Errors
/// What the server answered; it is asked once.
pub async fn complaints(
    session: &Session,
    namespace: &str,
    workload: &str,
) -> Result<Vec<String>, ClusterError> {
    let api = session.api::<Deployment>(namespace);
    let deployment = session.once(api.get(workload)).await?;
    let conditions = deployment.status.and_then(|status| status.conditions).unwrap_or_default();
    let is_bad = |condition: &&DeploymentCondition| {
        matches!(
            (condition.type_.as_str(), condition.status.as_str()),
            ("ReplicaFailure", "True") | ("Progressing", "False")
        )
    };
    let complaint = |condition: &DeploymentCondition| {
        let reason = condition.reason.as_deref().unwrap_or(&condition.type_);
        described(reason, condition.message.as_deref())
    };
    Ok(conditions.iter().filter(is_bad).map(complaint).collect())
}

/// The pods of one workload that are not ready, by reason and name.
///
/// # Errors
/// What the server answered; it is asked once.
pub async fn troubled(
    session: &Session,
    namespace: &str,
    component: &str,
    workload: &str,
) -> Result<Vec<Trouble>, ClusterError> {
    let api = session.api::<Pod>(namespace);
    let params = ListParams::default().labels(&format!("{}={component}", labels::COMPONENT)).limit(MOST_PODS);
    let list = session.aside(api.list(&params)).await?;
    let mut troubles: Vec<Trouble> = list
        .items
        .iter()
        .filter(|pod| {
            belongs_to(pod, workload) && !is_ready(pod) && pod.metadata.deletion_timestamp.is_none()
        })
        .map(|pod| Trouble { pod: pod.name_any(), reason: reason(pod) })
        .collect();
    troubles.sort_by(|a, b| (&a.reason, &a.pod).cmp(&(&b.reason, &b.pod)));
    Ok(troubles)
}

/// A Deployment's pods are owned by its ReplicaSets, `<deployment>-<hash>`.
fn belongs_to(pod: &Pod, workload: &str) -> bool {
    pod.owner_references().iter().any(|owner| {
        owner.controller == Some(true)
            && owner.name.rsplit_once('-').is_some_and(|(deployment, _)| deployment == workload)
    })
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
        return Some(if container.restart_count > 0 {
            format!("{text} (restarted {})", times(container.restart_count))
        } else {
            text
        });
    }
    let terminated = state.terminated.as_ref()?;
    let reason = terminated.reason.as_deref().unwrap_or("terminated");
    Some(format!("{reason} (exit code {})", terminated.exit_code))
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
