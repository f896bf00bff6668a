//! The Services of a component: compares live Services with the desired ones, and writes them under a claim.
//!
//! The claim that may change a Service is stamped on it, as on workloads. Each patch and delete names the version that
//! was read after that claim, so a superseded run cannot change a Service once its successor has stamped it. A Service
//! is created with a selector that no pod matches; its creator patches in the real one after reading the record again.

mod change;

use kube::ResourceExt;
use kube::api::{ApiResource, DynamicObject};
use serde_json::{Value, json};

use crate::cluster::deletion::Deletion;
use crate::cluster::error::ClusterError;
use crate::cluster::keys;
use crate::cluster::session::Session;
use crate::cluster::workload_writer::{create_params, delete_params, json_patch, patch_params};
use crate::plan::epoch::Epoch;

pub use change::{Change, ServiceMetadata, WantedService, foreign_owner, service_change};

/// The claim under which a Service was last written.
#[must_use]
pub fn service_epoch(seen: &DynamicObject) -> Option<Epoch> {
    seen.annotations().get(keys::EPOCH).and_then(|epoch| epoch.parse().ok()).map(Epoch)
}

/// Whether a Service was created but is not yet in use: it selects no pods.
#[must_use]
pub fn is_inert(seen: &DynamicObject) -> bool {
    seen.data["spec"]["selector"][keys::INERT].is_string()
}

pub(crate) fn resource() -> ApiResource {
    ApiResource::erase::<k8s_openapi::api::core::v1::Service>(&())
}

/// Reads a Service.
///
/// # Errors
/// See [`Session::read`].
pub async fn load_service(
    session: &Session,
    namespace: &str,
    name: &str,
) -> Result<Option<DynamicObject>, ClusterError> {
    let api = session.dynamic(namespace, &resource());
    session.read(|| api.get_opt(name)).await
}

/// Creates a Service that routes no traffic yet.
///
/// # Errors
/// See [`Session::request_once`].
pub async fn create_service(
    session: &Session,
    namespace: &str,
    service: &Value,
    epoch: Epoch,
) -> Result<DynamicObject, ClusterError> {
    let mut service = service.clone();
    service["metadata"]["annotations"][keys::EPOCH] = json!(epoch.to_string());
    // An empty selector would not do: a Service without a selector gets different addresses, and endpoints from other
    // sources.
    service["spec"]["selector"][keys::INERT] = json!("true");
    let object: DynamicObject =
        serde_json::from_value(service).map_err(|error| ClusterError::Invalid(error.to_string()))?;
    let params = create_params();
    session.request_once(session.dynamic(namespace, &resource()).create(&params, &object)).await
}

/// Patches and stamps a Service, unless it has changed since it was read. Fields that the cluster has set, such as its
/// address, are kept.
///
/// # Errors
/// A conflict means that it has changed since it was read.
pub async fn patch_service(
    session: &Session,
    namespace: &str,
    seen: &DynamicObject,
    operations: &[Value],
    epoch: Epoch,
) -> Result<DynamicObject, ClusterError> {
    let patch = json_patch(json!(fenced(seen, operations, epoch)))?;
    let params = patch_params();
    let name = seen.name_any();
    session.request_once(session.dynamic(namespace, &resource()).patch(&name, &params, &patch)).await
}

/// Validates a change with a server-side dry run.
///
/// # Errors
/// The server's rejection.
pub async fn try_change(session: &Session, namespace: &str, change: &Change) -> Result<(), ClusterError> {
    let api = session.dynamic(namespace, &resource());
    match change {
        Change::None | Change::Foreign(_) | Change::Remove(_) => Ok(()),
        Change::Create(service) => {
            let object: DynamicObject = serde_json::from_value(service.clone())
                .map_err(|error| ClusterError::Invalid(error.to_string()))?;
            let mut params = create_params();
            params.dry_run = true;
            session.read(|| api.create(&params, &object)).await.map(|_| ())
        }
        Change::Update { seen, operations } => {
            let patch = json_patch(json!([identity(seen), operations.clone()].concat()))?;
            let mut params = patch_params();
            params.dry_run = true;
            let name = seen.name_any();
            session.read(|| api.patch(&name, &params, &patch)).await.map(|_| ())
        }
    }
}

/// Deletes a Service, unless it has changed since it was read.
///
/// # Errors
/// A conflict means that it has changed since it was read; a Service that is already gone is not an error.
pub async fn remove_service(
    session: &Session,
    namespace: &str,
    seen: &DynamicObject,
) -> Result<Deletion, ClusterError> {
    let params = delete_params(seen.uid(), seen.resource_version());
    let api = session.dynamic(namespace, &resource());
    let answer = session.request_once(api.delete(&seen.name_any(), &params)).await;
    Deletion::of(answer.map(|answer| answer.left()))
}

fn identity(seen: &DynamicObject) -> Vec<Value> {
    vec![
        json!({"op": "test", "path": "/metadata/uid", "value": seen.uid()}),
        json!({"op": "test", "path": "/metadata/resourceVersion", "value": seen.resource_version()}),
    ]
}

/// The operations of a patch: tests, changes, and the stamp.
fn fenced(seen: &DynamicObject, operations: &[Value], epoch: Epoch) -> Vec<Value> {
    let mut all = identity(seen);
    all.extend(operations.iter().cloned());
    if service_epoch(seen) != Some(epoch) {
        let has_annotations = !seen.annotations().is_empty()
            || operations.iter().any(|one| one["path"] == "/metadata/annotations");
        all.push(if has_annotations {
            let path = format!("/metadata/annotations/{}", keys::escape_pointer(keys::EPOCH));
            json!({"op": "add", "path": path, "value": epoch.to_string()})
        } else {
            json!({"op": "add", "path": "/metadata/annotations", "value": {keys::EPOCH: epoch.to_string()}})
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_write_tests_the_version_and_stamps_the_claim() {
        let seen: DynamicObject = serde_json::from_value(json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web", "uid": "1", "resourceVersion": "7", "annotations": {"a": "b"}},
        }))
        .unwrap();
        let all = fenced(&seen, &[], Epoch(4));
        assert_eq!(
            all,
            [
                json!({"op": "test", "path": "/metadata/uid", "value": "1"}),
                json!({"op": "test", "path": "/metadata/resourceVersion", "value": "7"}),
                json!({"op": "add", "path": "/metadata/annotations/batch-rollout.dev~1epoch", "value": "4"}),
            ]
        );
    }
}
