//! Reading a workload off an object, whatever else the object carries.

use std::collections::BTreeMap;

use kube::ResourceExt;
use kube::api::{ApiResource, DynamicObject};
use serde_json::Value;

use crate::cluster::keys;
use crate::oam::labels;
use crate::plan::observed::{Epoch, Uid, Workload};

/// The kind that `webservice` and `worker` run as.
#[must_use]
pub fn deployments() -> ApiResource {
    ApiResource::erase::<k8s_openapi::api::apps::v1::Deployment>(&())
}

/// The label selector of some components' workloads; the names are DNS labels.
#[must_use]
pub fn selector(components: &[String]) -> String {
    format!("{} in ({})", labels::COMPONENT, components.join(","))
}

/// What the planner wants to know of a Deployment.
#[must_use]
pub fn observe(object: &DynamicObject) -> Workload {
    let count = |pointer: &str| {
        object.data.pointer(pointer).and_then(Value::as_i64).map_or(0, |n| u32::try_from(n).unwrap_or(0))
    };
    Workload {
        name: object.name_any(),
        uid: Uid(object.uid().unwrap_or_default()),
        resource_version: object.resource_version().unwrap_or_default(),
        // The API server defaults an absent size to one.
        replicas: if object.data.pointer("/spec/replicas").is_some() { count("/spec/replicas") } else { 1 },
        generation: object.metadata.generation.unwrap_or(0),
        observed_generation: object
            .data
            .pointer("/status/observedGeneration")
            .and_then(Value::as_i64)
            .unwrap_or(-1),
        status_replicas: count("/status/replicas"),
        ready_replicas: count("/status/readyReplicas"),
        updated_replicas: count("/status/updatedReplicas"),
        epoch: object.annotations().get(keys::EPOCH).and_then(|epoch| epoch.parse().ok()).map(Epoch),
        annotated: !object.annotations().is_empty(),
        created: object.metadata.creation_timestamp.as_ref().map(|time| time.0),
        deleting: object.metadata.deletion_timestamp.is_some(),
    }
}

/// The component that an object says it belongs to.
#[must_use]
pub fn component(object: &DynamicObject) -> Option<String> {
    object.labels().get(labels::COMPONENT).cloned()
}

/// Why a workload is not `application`'s to change; `None` where it is.
///
/// `controller` names its controller owner, such as a KubeVela Rollout that would fight back.
#[must_use]
pub fn foreign(
    name: &str,
    object_labels: &BTreeMap<String, String>,
    controller: Option<&str>,
    application: &str,
) -> Option<String> {
    if let Some(owner) = object_labels.get(labels::NAME).filter(|owner| *owner != application) {
        return Some(format!("deployment `{name}` belongs to application `{owner}`"));
    }
    controller.map(|controller| format!("deployment `{name}` is controlled by {controller}"))
}
