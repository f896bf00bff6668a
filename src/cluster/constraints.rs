//! What a namespace sets bounds with: quotas, disruption budgets, admission, and whether it is there at all.
//!
//! Reads, and dry runs that keep nothing. What a user may not ask is told apart from an answer.

use k8s_openapi::api::core::v1::{Namespace, Pod, ResourceQuota};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{ListParams, PostParams};
use serde_json::{Value, json};

use crate::cluster::error::ClusterError;
use crate::cluster::keys;
use crate::cluster::permissions::Right;
use crate::cluster::session::Session;

/// An answer, or the right without which there is none.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked<T> {
    /// It was answered.
    Known(T),
    /// This user may not ask.
    Denied(Right<'static>),
}

/// How the API server's authorisation begins to say what somebody may not do; admission forbids in other words.
pub const NO_RIGHT: &str = "\" cannot ";

/// Sorts an answer of a list. A kind that is not served has no objects.
pub(super) fn listed<T: Default>(
    answer: Result<T, ClusterError>,
    right: Right<'static>,
) -> Result<Asked<T>, ClusterError> {
    match answer {
        Ok(list) => Ok(Asked::Known(list)),
        Err(ClusterError::Forbidden(_)) => Ok(Asked::Denied(right)),
        Err(ClusterError::NotFound(_)) => Ok(Asked::Known(T::default())),
        Err(error) => Err(error),
    }
}

/// The quotas of a namespace.
///
/// # Errors
/// What the server answered at last.
pub async fn quotas(session: &Session, namespace: &str) -> Result<Asked<Vec<ResourceQuota>>, ClusterError> {
    let api = session.api::<ResourceQuota>(namespace);
    let params = ListParams::default();
    let list = session.read(|| api.list(&params)).await.map(|list| list.items);
    listed(list, Right { verb: "list", group: "", resource: "resourcequotas" })
}

/// The disruption budgets of a namespace.
///
/// # Errors
/// What the server answered at last.
pub async fn budgets(
    session: &Session,
    namespace: &str,
) -> Result<Asked<Vec<PodDisruptionBudget>>, ClusterError> {
    let api = session.api::<PodDisruptionBudget>(namespace);
    let params = ListParams::default();
    let list = session.read(|| api.list(&params)).await.map(|list| list.items);
    listed(list, Right { verb: "list", group: "policy", resource: "poddisruptionbudgets" })
}

/// What admission makes of a pod.
#[derive(Debug, Clone, PartialEq)]
pub enum Admission {
    /// It lets it in, so.
    Admitted(Box<Pod>),
    /// It does not, in these words.
    Refused(String),
    /// It does not say, such as where a webhook takes no dry runs.
    Silent,
}

/// Tries whether a pod with this template would be let in, in a dry run.
///
/// # Errors
/// What the server answered at last.
pub async fn try_pod(
    session: &Session,
    namespace: &str,
    prefix: &str,
    template: &Value,
) -> Result<Asked<Admission>, ClusterError> {
    let metadata = &template["metadata"];
    let body = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": format!("{prefix}-"),
            "labels": metadata["labels"],
            "annotations": metadata["annotations"],
        },
        "spec": template["spec"],
    });
    let Ok(pod) = serde_json::from_value::<Pod>(body) else { return Ok(Asked::Known(Admission::Silent)) };
    let api = session.api::<Pod>(namespace);
    let params = PostParams { dry_run: true, field_manager: Some(keys::FIELD_MANAGER.into()) };
    match session.read(|| api.create(&params, &pod)).await {
        Ok(pod) => Ok(Asked::Known(Admission::Admitted(Box::new(pod)))),
        Err(ClusterError::Forbidden(message)) if message.contains(NO_RIGHT) => {
            Ok(Asked::Denied(Right { verb: "create", group: "", resource: "pods" }))
        }
        Err(ClusterError::Forbidden(message)) => Ok(Asked::Known(Admission::Refused(message))),
        Err(ClusterError::Invalid(message)) if !message.contains("dry run") => {
            Ok(Asked::Known(Admission::Refused(message)))
        }
        Err(error @ (ClusterError::Stopped | ClusterError::Exhausted { .. })) => Err(error),
        Err(_) => Ok(Asked::Known(Admission::Silent)),
    }
}

/// How a namespace is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It is there.
    There,
    /// It is there and on its way out.
    Terminating,
    /// It is not there.
    Missing,
}

/// Whether a namespace is there.
///
/// # Errors
/// What the server answered at last.
pub async fn presence(session: &Session, namespace: &str) -> Result<Asked<Presence>, ClusterError> {
    let api = session.cluster_wide::<Namespace>();
    match session.read(|| api.get_opt(namespace)).await {
        Ok(None) => Ok(Asked::Known(Presence::Missing)),
        Ok(Some(found)) if found.metadata.deletion_timestamp.is_some() => {
            Ok(Asked::Known(Presence::Terminating))
        }
        Ok(Some(_)) => Ok(Asked::Known(Presence::There)),
        Err(ClusterError::Forbidden(_)) => {
            Ok(Asked::Denied(Right { verb: "get", group: "", resource: "namespaces" }))
        }
        Err(error) => Err(error),
    }
}
