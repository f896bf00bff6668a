//! The constraints of a namespace: quotas, disruption budgets, admission, and whether it exists.
//!
//! Only reads and dry runs. A missing right is a separate result, not an error.

use k8s_openapi::api::core::v1::{Namespace, Pod, ResourceQuota};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{ApiResource, DynamicObject, ListParams, PostParams};
use serde_json::{Map, Value, json};

use crate::cluster::error::ClusterError;
use crate::cluster::keys;
use crate::cluster::permissions::Right;
use crate::cluster::session::Session;

/// An answer, or the right that the user lacks for it.
#[derive(Debug, Clone, PartialEq)]
pub enum IfPermitted<T> {
    /// The answer.
    Known(T),
    /// This user lacks the right.
    Denied(Right<'static>),
}

/// Part of the API server's errors about missing rights, which errors of admission do not contain.
pub const NO_RIGHT: &str = "\" cannot ";

/// Converts the result of a list. A kind that is not served has no objects.
pub(super) fn list_or_denied<T: Default>(
    answer: Result<T, ClusterError>,
    right: Right<'static>,
) -> Result<IfPermitted<T>, ClusterError> {
    match answer {
        Ok(list) => Ok(IfPermitted::Known(list)),
        Err(ClusterError::Forbidden(_)) => Ok(IfPermitted::Denied(right)),
        Err(ClusterError::NotFound(_)) => Ok(IfPermitted::Known(T::default())),
        Err(error) => Err(error),
    }
}

/// The quotas of a namespace.
///
/// # Errors
/// See [`Session::read`].
pub async fn list_quotas(
    session: &Session,
    namespace: &str,
) -> Result<IfPermitted<Vec<ResourceQuota>>, ClusterError> {
    let api = session.api::<ResourceQuota>(namespace);
    let params = ListParams::default();
    let list = session.read(|| api.list(&params)).await.map(|list| list.items);
    list_or_denied(list, Right { verb: "list", group: "", resource: "resourcequotas" })
}

/// The disruption budgets of a namespace.
///
/// # Errors
/// See [`Session::read`].
pub async fn list_disruption_budgets(
    session: &Session,
    namespace: &str,
) -> Result<IfPermitted<Vec<PodDisruptionBudget>>, ClusterError> {
    let api = session.api::<PodDisruptionBudget>(namespace);
    let params = ListParams::default();
    let list = session.read(|| api.list(&params)).await.map(|list| list.items);
    list_or_denied(list, Right { verb: "list", group: "policy", resource: "poddisruptionbudgets" })
}

/// The beginning of the API server's errors about a pod that it cannot decode.
pub const NO_POD: &str = "Pod in version \"v1\" cannot be handled as a Pod: ";

/// The answer of admission about a pod.
#[derive(Debug, Clone, PartialEq)]
pub enum Admission {
    /// Admitted; the pod after admission.
    Admitted(Box<Pod>),
    /// Rejected, with the message.
    Refused(String),
    /// Undecided, for example because a webhook does not support dry runs.
    Unknown,
}

/// Dry-runs the creation of a pod with this template.
///
/// # Errors
/// See [`Session::read`].
pub async fn dry_run_pod(
    session: &Session,
    namespace: &str,
    prefix: &str,
    template: &Value,
) -> Result<IfPermitted<Admission>, ClusterError> {
    // A key without a value counts as an empty string.
    let texts = |field: &str| {
        let texts = template["metadata"][field].as_object().cloned().unwrap_or_default();
        let text = |(key, value): (String, Value)| (key, if value.is_null() { json!("") } else { value });
        texts.into_iter().map(text).collect::<Map<_, _>>()
    };
    let body = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": format!("{prefix}-"),
            "labels": texts("labels"),
            "annotations": texts("annotations"),
        },
        "spec": template["spec"],
    });
    // Send it untyped, so that the server also validates what the type of a pod cannot represent.
    let Ok(pod) = serde_json::from_value::<DynamicObject>(body) else {
        return Ok(IfPermitted::Known(Admission::Unknown));
    };
    let api = session.dynamic(namespace, &ApiResource::erase::<Pod>(&()));
    let params = PostParams { dry_run: true, field_manager: Some(keys::FIELD_MANAGER.into()) };
    match session.read(|| api.create(&params, &pod)).await {
        Ok(pod) => {
            let pod = serde_json::to_value(pod).and_then(serde_json::from_value);
            Ok(IfPermitted::Known(pod.map_or(Admission::Unknown, Admission::Admitted)))
        }
        Err(ClusterError::Forbidden(message)) if message.contains(NO_RIGHT) => {
            Ok(IfPermitted::Denied(Right { verb: "create", group: "", resource: "pods" }))
        }
        Err(ClusterError::Forbidden(message)) => Ok(IfPermitted::Known(Admission::Refused(message))),
        Err(ClusterError::Invalid(message)) if !message.contains("dry run") => {
            Ok(IfPermitted::Known(Admission::Refused(message)))
        }
        Err(error @ (ClusterError::Stopped(_) | ClusterError::Exhausted { .. })) => Err(error),
        Err(_) => Ok(IfPermitted::Known(Admission::Unknown)),
    }
}

/// The phase of a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamespacePhase {
    /// It exists.
    Active,
    /// It is being deleted.
    Terminating,
    /// It does not exist.
    Missing,
}

/// The phase of a namespace, or that it does not exist.
///
/// # Errors
/// See [`Session::read`].
pub async fn namespace_phase(
    session: &Session,
    namespace: &str,
) -> Result<IfPermitted<NamespacePhase>, ClusterError> {
    let api = session.cluster_wide::<Namespace>();
    match session.read(|| api.get_opt(namespace)).await {
        Ok(None) => Ok(IfPermitted::Known(NamespacePhase::Missing)),
        Ok(Some(found)) if found.metadata.deletion_timestamp.is_some() => {
            Ok(IfPermitted::Known(NamespacePhase::Terminating))
        }
        Ok(Some(_)) => Ok(IfPermitted::Known(NamespacePhase::Active)),
        Err(ClusterError::Forbidden(_)) => {
            Ok(IfPermitted::Denied(Right { verb: "get", group: "", resource: "namespaces" }))
        }
        Err(error) => Err(error),
    }
}
