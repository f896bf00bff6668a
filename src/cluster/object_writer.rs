//! Server-side apply and deletion of whole objects.
//!
//! A field of another manager is never taken over silently: see [`ApplyResult`].

use kube::ResourceExt;
use kube::api::{DynamicObject, Patch, PatchParams, ValidationDirective};
use kube::core::response::StatusDetails;
use serde_json::{Value, json};

use crate::cluster::deletion::Deletion;
use crate::cluster::error::ClusterError;
use crate::cluster::keys;
use crate::cluster::managed_fields::{with_updates_applied, without_applied};
use crate::cluster::served_kind::ServedKind;
use crate::cluster::session::Session;
use crate::cluster::workload_writer::{delete_params, json_patch, patch_params};

/// The names under which KubeVela's controller has written objects.
pub const KUBEVELA_MANAGERS: [&str; 3] = ["vela-core", "kubevela", "manager"];

/// What to do with fields that other managers own with a different value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConflictPolicy {
    /// Report them, and write nothing.
    Report,
    /// Take them over.
    Force,
}

/// A field that another manager owns with a different value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldConflict {
    /// The manager.
    pub manager: String,
    /// The field, such as `.spec.replicas`.
    pub field: String,
}

/// The server's answer to an apply.
#[derive(Debug, Clone)]
pub enum ApplyResult {
    /// The object after the apply.
    Applied(Box<DynamicObject>),
    /// Nothing was written.
    Conflicts(Vec<FieldConflict>),
}

/// Whether the server stores what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteMode {
    /// The server stores the object.
    Persist,
    /// The server only validates the object.
    DryRun,
}

/// A resource version that no object has: an apply that names it creates the object, or conflicts with an existing one.
const VERSION_OF_NONE: &str = "1";

/// Applies an object under the field manager of `rollout`. `seen` must not have changed or been recreated; without
/// `seen`, the object must not exist.
///
/// # Errors
/// A conflict means that the object has changed since it was read. Otherwise see [`Session::request_once`].
pub async fn apply_object(
    session: &Session,
    kind: &ServedKind,
    namespace: Option<&str>,
    mut object: Value,
    seen: Option<&DynamicObject>,
    on_conflict: ConflictPolicy,
    mode: WriteMode,
) -> Result<ApplyResult, ClusterError> {
    let api = session.objects(&kind.resource, namespace);
    match seen {
        Some(seen) => {
            // With the version alone, the server would recreate an object that was deleted since.
            object["metadata"]["uid"] = json!(seen.uid());
            object["metadata"]["resourceVersion"] = json!(seen.resource_version());
        }
        None => object["metadata"]["resourceVersion"] = json!(VERSION_OF_NONE),
    }
    let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let params = PatchParams {
        field_manager: Some(keys::FIELD_MANAGER.into()),
        force: on_conflict == ConflictPolicy::Force,
        dry_run: mode == WriteMode::DryRun,
        field_validation: Some(ValidationDirective::Strict),
    };
    let patch = Patch::Apply(&object);
    let request = async {
        match api.patch(&name, &params, &patch).await {
            Ok(applied) => Ok(ApplyResult::Applied(Box::new(applied))),
            Err(kube::Error::Api(status)) if status.code == 409 => {
                let conflicts = field_conflicts(status.details.as_ref());
                if conflicts.is_empty() {
                    Err(kube::Error::Api(status))
                } else {
                    Ok(ApplyResult::Conflicts(conflicts))
                }
            }
            Err(error) => Err(error),
        }
    };
    session.request_once(request).await
}

/// The conflicts in the details of a rejection.
fn field_conflicts(details: Option<&StatusDetails>) -> Vec<FieldConflict> {
    let causes = details.map_or(&[][..], |details| details.causes.as_slice());
    let conflicts = causes.iter().filter(|cause| cause.reason == "FieldManagerConflict");
    conflicts
        .map(|cause| FieldConflict { manager: quoted(&cause.message), field: cause.field.clone() })
        .collect()
}

/// The first quoted text: the manager in `conflict with "kubectl-edit" using apps/v1`.
fn quoted(message: &str) -> String {
    let manager = message.split('"').nth(1).unwrap_or(message);
    manager.to_owned()
}

/// Turns fields that `rollout` or KubeVela has updated into applied ones, see [`with_updates_applied`]. Returns the
/// changed object; `None` if there are no such fields.
///
/// # Errors
/// A conflict means that the object has changed since it was read.
pub async fn take_over_updates(
    session: &Session,
    kind: &ServedKind,
    seen: &DynamicObject,
) -> Result<Option<DynamicObject>, ClusterError> {
    let Some(fields) = with_updates_applied(seen, keys::FIELD_MANAGER, &KUBEVELA_MANAGERS) else {
        return Ok(None);
    };
    replace_managed_fields(session, kind, seen, &fields).await.map(Some)
}

/// Removes other managers' ownership of what is about to be applied to an object that is taken over, see
/// [`without_applied`]. Returns the changed object; `None` if they own none of these fields.
///
/// # Errors
/// A conflict means that the object has changed since it was read.
pub async fn disown_fields(
    session: &Session,
    kind: &ServedKind,
    seen: &DynamicObject,
    applied: &Value,
) -> Result<Option<DynamicObject>, ClusterError> {
    let Some(fields) = without_applied(seen, keys::FIELD_MANAGER, applied) else { return Ok(None) };
    replace_managed_fields(session, kind, seen, &fields).await.map(Some)
}

async fn replace_managed_fields(
    session: &Session,
    kind: &ServedKind,
    seen: &DynamicObject,
    fields: &Value,
) -> Result<DynamicObject, ClusterError> {
    let replacement = json!({"op": "replace", "path": "/metadata/managedFields", "value": fields});
    patch_as_seen(session, kind, seen, &replacement).await
}

/// Patches an object, unless it has changed since it was read.
async fn patch_as_seen(
    session: &Session,
    kind: &ServedKind,
    seen: &DynamicObject,
    change: &Value,
) -> Result<DynamicObject, ClusterError> {
    let operations = json!([
        {"op": "test", "path": "/metadata/uid", "value": seen.uid()},
        {"op": "test", "path": "/metadata/resourceVersion", "value": seen.resource_version()},
        change,
    ]);
    let api = session.objects(&kind.resource, seen.namespace().as_deref());
    session.request_once(api.patch(&seen.name_any(), &patch_params(), &json_patch(operations)?)).await
}

/// Sets the size of a workload, unless it has changed since it was read. The size is patched rather than applied, so
/// that others may change it.
///
/// # Errors
/// A conflict means that it has changed since it was read.
pub async fn resize_object(
    session: &Session,
    kind: &ServedKind,
    seen: &DynamicObject,
    replicas: u32,
) -> Result<DynamicObject, ClusterError> {
    let change = json!({"op": "add", "path": "/spec/replicas", "value": replicas});
    patch_as_seen(session, kind, seen, &change).await
}

/// Replaces the whole strategy of a Deployment by `Recreate`, unless it has changed since it was read.
///
/// # Errors
/// A conflict means that it has changed since it was read.
pub async fn reset_strategy(
    session: &Session,
    kind: &ServedKind,
    seen: &DynamicObject,
) -> Result<DynamicObject, ClusterError> {
    let change = json!({"op": "replace", "path": "/spec/strategy", "value": {"type": "Recreate"}});
    patch_as_seen(session, kind, seen, &change).await
}

/// Deletes an object, unless it has changed since it was read; its dependents are deleted in the background.
///
/// # Errors
/// A conflict means that it has changed since it was read. An object that is already gone is not an error.
pub async fn delete_object(
    session: &Session,
    kind: &ServedKind,
    seen: &DynamicObject,
) -> Result<Deletion, ClusterError> {
    let namespace = seen.namespace();
    let api = session.objects(&kind.resource, namespace.as_deref());
    let params = delete_params(seen.uid(), seen.resource_version());
    let answer = session.request_once(api.delete(&seen.name_any(), &params)).await;
    Deletion::of(answer.map(|answer| answer.left()))
}
