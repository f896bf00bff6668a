//! Writes to workloads. Each write is conditional on what the plan relied on.

use kube::Api;
use kube::api::{
    DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions, PropagationPolicy,
};
use serde_json::{Value, json};

use crate::cluster::deletion::Deletion;
use crate::cluster::error::ClusterError;
use crate::cluster::session::Session;
use crate::cluster::{keys, workload};
use crate::oam::kind::WorkloadKind;
use crate::oam::labels;
use crate::plan::action::{RollExtent, Rolling, Scaling};
use crate::plan::epoch::Epoch;
use crate::plan::observed::{SpecStamp, Workload};

/// Fields of an in-place workload's spec that the API server or Kruise does not allow to change.
pub const IMMUTABLE_FIELDS: [&str; 4] =
    ["selector", "serviceName", "podManagementPolicy", "volumeClaimTemplates"];

/// Writes to the workloads of one kind in one namespace.
#[derive(Debug, Clone)]
pub struct WorkloadWriter {
    session: Session,
    api: Api<DynamicObject>,
}

impl WorkloadWriter {
    /// A writer through this session and API.
    #[must_use]
    pub fn new(session: Session, api: Api<DynamicObject>) -> Self {
        Self { session, api }
    }

    /// Stamps a workload with an epoch, if its stamp is still the observed one. If its spec is as a run has written it,
    /// the spec stamp is renewed for this claim, to distinguish a change during the run from one before it. This also
    /// corrects the generation after a write that changed nothing.
    ///
    /// If there is a stamp, only the stamp is tested: the resource version changes with every pod that becomes ready,
    /// so a busy workload could never be stamped.
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
        let mut operations = vec![identity, unchanged, mark];
        let written = workload.spec_stamp();
        if let Some(written) = written.filter(|written| workload.generation <= written.generation) {
            let own = SpecStamp { generation: workload.generation, epoch, ..written.clone() };
            operations
                .push(json!({"op": "test", "path": "/metadata/generation", "value": workload.generation}));
            operations
                .push(json!({"op": "add", "path": annotation_path(keys::SPEC_STAMP), "value": noted(&own)?}));
        }
        self.patch(&workload.name, json!(operations)).await
    }

    /// Changes a size, if the workload is still the same object, with our stamp and the observed size.
    ///
    /// # Errors
    /// A conflict means that it has changed.
    pub async fn scale(&self, scaling: &Scaling, epoch: Epoch) -> Result<DynamicObject, ClusterError> {
        let mut operations = vec![
            json!({"op": "test", "path": "/metadata/uid", "value": scaling.uid.0}),
            json!({"op": "test", "path": stamp_path(), "value": epoch.to_string()}),
            json!({"op": "test", "path": "/spec/replicas", "value": scaling.from}),
        ];
        if scaling.unpauses {
            operations.push(json!({"op": "test", "path": "/spec/paused", "value": true}));
            operations.push(json!({"op": "remove", "path": "/spec/paused"}));
        }
        operations.push(json!({"op": "replace", "path": "/spec/replicas", "value": scaling.to}));
        self.patch(&scaling.workload, json!(operations)).await
    }

    /// Writes the next shape of an in-place workload, if its spec and its stamp are the observed ones. `body` is the
    /// target revision's workload in that shape.
    ///
    /// # Errors
    /// A conflict means that it has changed.
    pub async fn roll(
        &self,
        rolling: &Rolling,
        body: &Value,
        epoch: Epoch,
    ) -> Result<DynamicObject, ClusterError> {
        let written = SpecStamp {
            revision: rolling.revision.clone(),
            generation: rolling.generation.saturating_add(1),
            epoch,
        };
        let mut operations = vec![
            json!({"op": "test", "path": "/metadata/uid", "value": rolling.uid.0}),
            json!({"op": "test", "path": stamp_path(), "value": epoch.to_string()}),
            json!({"op": "test", "path": "/metadata/generation", "value": rolling.generation}),
            json!({"op": "add", "path": annotation_path(keys::SPEC_STAMP), "value": noted(&written)?}),
        ];
        let fields = body["spec"].as_object().into_iter().flatten();
        for (field, value) in fields {
            let path = format!("/spec/{field}");
            let value = match (field.as_str(), rolling.extent) {
                ("updateStrategy", _) => workload::merge_update_strategy(&rolling.strategy, value),
                ("replicas", _) => value.clone(),
                // Immutable fields are compared before the run begins.
                (field, RollExtent::Template) if !IMMUTABLE_FIELDS.contains(&field) => value.clone(),
                (_, RollExtent::Template | RollExtent::Shape) => continue,
            };
            operations.push(json!({"op": "add", "path": path, "value": value}));
        }
        if rolling.extent == RollExtent::Template {
            let path = format!("/metadata/labels/{}", keys::escape_pointer(labels::REVISION));
            operations.push(json!({"op": "add", "path": path, "value": rolling.revision}));
        }
        self.patch(&rolling.workload, json!(operations)).await
    }

    /// Creates a workload, stamped with the epoch and, if it is in place, with its spec stamp.
    ///
    /// # Errors
    /// `AlreadyExists`: observe again. Otherwise see [`Session::request_once`].
    pub async fn create(
        &self,
        mut body: Value,
        revision: &str,
        epoch: Epoch,
    ) -> Result<DynamicObject, ClusterError> {
        body["metadata"]["annotations"][keys::EPOCH] = json!(epoch.to_string());
        if WorkloadKind::of(&body).is_some_and(WorkloadKind::is_in_place) {
            let written = SpecStamp { revision: revision.to_owned(), generation: 1, epoch };
            body["metadata"]["annotations"][keys::SPEC_STAMP] = json!(noted(&written)?);
        }
        let object: DynamicObject =
            serde_json::from_value(body).map_err(|error| ClusterError::Invalid(error.to_string()))?;
        let params = create_params();
        self.session.request_once(self.api.create(&params, &object)).await
    }

    /// Changes labels and annotations of a workload and stamps it, if its stamp has not changed since it was read.
    ///
    /// # Errors
    /// A conflict means that it has changed.
    pub async fn relabel(
        &self,
        workload: &Workload,
        changes: Vec<Value>,
        epoch: Epoch,
    ) -> Result<DynamicObject, ClusterError> {
        let unchanged = match workload.epoch {
            Some(seen) => json!({"op": "test", "path": stamp_path(), "value": seen.to_string()}),
            None => {
                json!({"op": "test", "path": "/metadata/resourceVersion", "value": workload.resource_version})
            }
        };
        let mut operations =
            vec![json!({"op": "test", "path": "/metadata/uid", "value": workload.uid.0}), unchanged];
        if !workload.annotated {
            operations.push(json!({"op": "add", "path": "/metadata/annotations", "value": {}}));
        }
        operations.push(json!({"op": "add", "path": stamp_path(), "value": epoch.to_string()}));
        operations.extend(changes);
        self.patch(&workload.name, json!(operations)).await
    }

    /// Reads a workload as it is now. An answer does not end a streak of failed writes.
    ///
    /// # Errors
    /// See [`Session::request_untracked`].
    pub async fn find(&self, name: &str) -> Result<Option<DynamicObject>, ClusterError> {
        self.session.request_untracked(self.api.get_opt(name)).await
    }

    /// Deletes a workload, unless it has changed since it was read; its pods are deleted in the background.
    ///
    /// # Errors
    /// A conflict means that it has changed since.
    pub async fn delete(&self, workload: &Workload) -> Result<Deletion, ClusterError> {
        let params = delete_params(Some(workload.uid.0.clone()), Some(workload.resource_version.clone()));
        let answer = self.session.request_once(self.api.delete(&workload.name, &params)).await;
        Deletion::of(answer.map(|answer| answer.left()))
    }

    async fn patch(&self, name: &str, operations: Value) -> Result<DynamicObject, ClusterError> {
        let params = patch_params();
        self.session.request_once(self.api.patch(name, &params, &json_patch(operations)?)).await
    }
}

fn stamp_path() -> String {
    annotation_path(keys::EPOCH)
}

fn annotation_path(key: &str) -> String {
    format!("/metadata/annotations/{}", keys::escape_pointer(key))
}

fn noted(written: &SpecStamp) -> Result<String, ClusterError> {
    serde_json::to_string(written).map_err(|error| ClusterError::Invalid(error.to_string()))
}

/// The parameters of a create, with the field manager of `rollout`.
#[must_use]
pub fn create_params() -> PostParams {
    PostParams { field_manager: Some(keys::FIELD_MANAGER.into()), ..PostParams::default() }
}

/// The parameters of a patch, with the field manager of `rollout`.
#[must_use]
pub fn patch_params() -> PatchParams {
    PatchParams { field_manager: Some(keys::FIELD_MANAGER.into()), ..PatchParams::default() }
}

/// The parameters of a delete of exactly the observed object; its dependents are deleted in the background.
#[must_use]
pub fn delete_params(uid: Option<String>, resource_version: Option<String>) -> DeleteParams {
    DeleteParams {
        propagation_policy: Some(PropagationPolicy::Background),
        preconditions: Some(Preconditions { uid, resource_version }),
        ..DeleteParams::default()
    }
}

/// A JSON Patch from its operations.
///
/// # Errors
/// [`ClusterError::Other`] if they are not a JSON Patch.
pub fn json_patch(operations: Value) -> Result<Patch<()>, ClusterError> {
    let patch = serde_json::from_value(operations).map_err(|error| ClusterError::Other(error.to_string()))?;
    Ok(Patch::Json(patch))
}
