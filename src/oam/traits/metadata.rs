//! Traits that change labels, annotations, or arbitrary fields.

use json_patch::{AddOperation, PatchErrorKind, PatchOperation};
use serde_json::{Map, Value, json};

use crate::oam::traits::error::{TraitError, refused};
use crate::oam::traits::workload::has;

/// `labels` of the workload and its pods; `null` removes one.
pub(super) fn labels(properties: &Value, workload: &mut Value) -> Result<(), TraitError> {
    let mut patch = json!({"metadata": {"labels": properties}});
    if has(workload, &["spec", "template"]) {
        patch["spec"] = json!({"template": {"metadata": {"labels": properties}}});
    }
    json_patch::merge(workload, &patch);
    Ok(())
}

/// `annotations` of the workload, its pods, and of the jobs of a CronJob; `null` removes one.
pub(super) fn annotations(properties: &Value, workload: &mut Value) -> Result<(), TraitError> {
    let annotations = json!({"annotations": properties});
    let mut spec = Map::new();
    if has(workload, &["spec", "template"]) {
        spec.insert("template".to_owned(), json!({"metadata": annotations}));
    }
    if has(workload, &["spec", "jobTemplate"]) {
        let mut job = json!({"metadata": annotations});
        if has(workload, &["spec", "jobTemplate", "spec", "template"]) {
            job["spec"] = json!({"template": {"metadata": annotations}});
        }
        spec.insert("jobTemplate".to_owned(), job);
    }
    let mut patch = json!({"metadata": annotations});
    if !spec.is_empty() {
        patch["spec"] = Value::Object(spec);
    }
    json_patch::merge(workload, &patch);
    Ok(())
}

/// `json-merge-patch`: RFC 7396 on the whole workload.
pub(super) fn json_merge_patch(properties: &Value, workload: &mut Value) -> Result<(), TraitError> {
    json_patch::merge(workload, properties);
    Ok(())
}

/// The maximum number of bytes that the operations of a patch may add to an object. API servers do not accept such
/// large objects.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// The maximum nesting that operations may create, well beyond every kind of Kubernetes.
const MAX_LEVELS: usize = 100;

/// `json-patch`: RFC 6902 on the whole workload. After an error, the workload contains the changes of the previous
/// operations.
pub(super) fn json_patch(properties: &Value, workload: &mut Value) -> Result<(), TraitError> {
    let operations: json_patch::Patch = serde_json::from_value(properties["operations"].clone())
        .map_err(|error| refused(format!("has an invalid operation: {error}"), "see RFC 6902"))?;
    let mut bytes = 0;
    for (index, operation) in operations.0.iter().enumerate() {
        if let Some(placed) = placed(operation, workload).map(extent) {
            bytes += placed.bytes;
            let number = index + 1;
            if bytes > MAX_BYTES {
                let message = format!("makes the object too large with operation {number}");
                return Err(refused(message, "let the operations add and copy less"));
            }
            if operation.path().count() + placed.levels > MAX_LEVELS {
                let message =
                    format!("nests the object deeper than {MAX_LEVELS} levels with operation {number}");
                return Err(refused(message, "let the operations nest less"));
            }
        }
        let done = adding_absent(operation, workload);
        json_patch::patch_unsafe(workload, std::slice::from_ref(&done)).map_err(|error| {
            let reason = if matches!(error.kind, PatchErrorKind::InvalidPointer) {
                "there is no such field".to_owned()
            } else {
                error.kind.to_string()
            };
            refused(
                format!("cannot apply operation {}, `{operation}`: {reason}", index + 1),
                "paths begin at the workload, such as `/spec/template/spec/containers/0/image`",
            )
        })?;
    }
    Ok(())
}

/// The same operation, but adding a field that it replaces and that does not exist, as the API server and KubeVela do.
fn adding_absent(operation: &PatchOperation, workload: &Value) -> PatchOperation {
    if let PatchOperation::Replace(replace) = operation
        && let path = replace.path.as_str()
        && workload.pointer(path).is_none()
        && path
            .rsplit_once('/')
            .and_then(|(parent, _)| workload.pointer(parent))
            .is_some_and(Value::is_object)
    {
        let (path, value) = (replace.path.clone(), replace.value.clone());
        return PatchOperation::Add(AddOperation { path, value });
    }
    operation.clone()
}

/// The value that an operation inserts.
fn placed<'v>(operation: &'v PatchOperation, workload: &'v Value) -> Option<&'v Value> {
    match operation {
        PatchOperation::Add(add) => Some(&add.value),
        PatchOperation::Replace(replace) => Some(&replace.value),
        PatchOperation::Move(step) => workload.pointer(step.from.as_str()),
        PatchOperation::Copy(copy) => workload.pointer(copy.from.as_str()),
        PatchOperation::Remove(_) | PatchOperation::Test(_) => None,
    }
}

/// The size of a value.
struct Extent {
    /// Its approximate length as JSON.
    bytes: usize,
    /// The nesting of its mappings and lists.
    levels: usize,
}

fn extent(value: &Value) -> Extent {
    let of_all = |values: &mut dyn Iterator<Item = (usize, &Value)>| {
        values.fold(Extent { bytes: 2, levels: 1 }, |all, (key, value)| {
            let Extent { bytes, levels } = extent(value);
            Extent { bytes: all.bytes + key + bytes + 2, levels: all.levels.max(levels + 1) }
        })
    };
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => Extent { bytes: 8, levels: 0 },
        Value::String(text) => Extent { bytes: text.len() + 2, levels: 0 },
        Value::Array(items) => of_all(&mut items.iter().map(|item| (0, item))),
        Value::Object(fields) => of_all(&mut fields.iter().map(|(key, value)| (key.len(), value))),
    }
}
