//! Writes to workloads. Each is conditional on what the plan relied on.

use kube::Api;
use kube::api::{
    DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions, PropagationPolicy,
};
use serde_json::{Value, json};

use crate::cluster::error::ClusterError;
use crate::cluster::keys;
use crate::cluster::session::Session;
use crate::plan::observed::{Epoch, Workload};
use crate::plan::walk::Scaling;

/// Writes to the workloads of one kind in one namespace.
#[derive(Debug, Clone)]
pub struct Workloads {
    session: Session,
    api: Api<DynamicObject>,
}

impl Workloads {
    /// Writes through this session and API.
    #[must_use]
    pub fn new(session: Session, api: Api<DynamicObject>) -> Self {
        Self { session, api }
    }

    /// Puts an epoch on a workload, if nobody has put another on it since it was seen.
    ///
    /// Where there is a stamp, it alone is tested: the resource version moves with every pod that becomes
    /// ready, and a busy workload could then never be stamped.
    ///
    /// # Errors
    /// A conflict means that it has changed.
    pub async fn stamp(&self, workload: &Workload, epoch: Epoch) -> Result<DynamicObject, ClusterError> {
        let unchanged = match workload.epoch {
            Some(seen) => json!({"op": "test", "path": stamp_path(), "value": seen.to_string()}),
            None => {
                json!({"op": "test", "path": "/metadata/resourceVersion", "value": workload.resource_version})
            }
        };
        let mark = if workload.annotated {
            json!({"op": "add", "path": stamp_path(), "value": epoch.to_string()})
        } else {
            json!({"op": "add", "path": "/metadata/annotations", "value": {keys::EPOCH: epoch.to_string()}})
        };
        let identity = json!({"op": "test", "path": "/metadata/uid", "value": workload.uid.0});
        self.patch(&workload.name, json!([identity, unchanged, mark])).await
    }

    /// Changes a size, if the workload is still the same, still ours and still of the size seen.
    ///
    /// # Errors
    /// A conflict means that it is not.
    pub async fn scale(&self, scaling: &Scaling, epoch: Epoch) -> Result<DynamicObject, ClusterError> {
        let operations = json!([
            {"op": "test", "path": "/metadata/uid", "value": scaling.uid.0},
            {"op": "test", "path": stamp_path(), "value": epoch.to_string()},
            {"op": "test", "path": "/spec/replicas", "value": scaling.from},
            {"op": "replace", "path": "/spec/replicas", "value": scaling.to},
        ]);
        self.patch(&scaling.workload, operations).await
    }

    /// Creates a workload with the epoch on it.
    ///
    /// # Errors
    /// Whatever the server answers; `AlreadyExists` means to look again.
    pub async fn create(&self, mut body: Value, epoch: Epoch) -> Result<DynamicObject, ClusterError> {
        body["metadata"]["annotations"][keys::EPOCH] = json!(epoch.to_string());
        let object: DynamicObject =
            serde_json::from_value(body).map_err(|error| ClusterError::Invalid(error.to_string()))?;
        let params = creating();
        self.session.once(self.api.create(&params, &object)).await
    }

    /// Reads a workload as it is now.
    ///
    /// # Errors
    /// Whatever the server answers; it is asked once.
    pub async fn find(&self, name: &str) -> Result<Option<DynamicObject>, ClusterError> {
        self.session.once(self.api.get_opt(name)).await
    }

    /// Deletes a workload as it was last seen, its pods in the background.
    ///
    /// # Errors
    /// A conflict means that it has changed since.
    pub async fn delete(&self, workload: &Workload) -> Result<(), ClusterError> {
        let params = DeleteParams {
            propagation_policy: Some(PropagationPolicy::Background),
            preconditions: Some(Preconditions {
                uid: Some(workload.uid.0.clone()),
                resource_version: Some(workload.resource_version.clone()),
            }),
            ..DeleteParams::default()
        };
        match self.session.once(self.api.delete(&workload.name, &params)).await {
            Ok(_) | Err(ClusterError::NotFound(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn patch(&self, name: &str, operations: Value) -> Result<DynamicObject, ClusterError> {
        let params = patching();
        self.session.once(self.api.patch(name, &params, &json_patch(operations)?)).await
    }
}

fn stamp_path() -> String {
    format!("/metadata/annotations/{}", keys::pointer(keys::EPOCH))
}

/// How objects are created: under our name in their managed fields.
#[must_use]
pub fn creating() -> PostParams {
    PostParams { field_manager: Some(keys::FIELD_MANAGER.into()), ..PostParams::default() }
}

/// How objects are patched: under our name in their managed fields.
#[must_use]
pub fn patching() -> PatchParams {
    PatchParams { field_manager: Some(keys::FIELD_MANAGER.into()), ..PatchParams::default() }
}

/// A JSON Patch from its operations.
///
/// # Errors
/// [`ClusterError::Other`] where they are no JSON Patch.
pub fn json_patch(operations: Value) -> Result<Patch<()>, ClusterError> {
    let patch = serde_json::from_value(operations).map_err(|error| ClusterError::Other(error.to_string()))?;
    Ok(Patch::Json(patch))
}
