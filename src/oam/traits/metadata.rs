//! Traits that change labels, annotations, or anything at all.

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

/// `json-patch`: RFC 6902 on the whole workload.
pub(super) fn json_patch(properties: &Value, workload: &mut Value) -> Result<(), TraitError> {
    let operations: json_patch::Patch = serde_json::from_value(properties["operations"].clone())
        .map_err(|error| refused(format!("has an invalid operation: {error}"), "see RFC 6902"))?;
    json_patch::patch(workload, &operations).map_err(|error| {
        let operation = operations.0.get(error.operation);
        let operation = operation.map(ToString::to_string).unwrap_or_default();
        refused(
            format!("cannot apply operation {}, `{operation}`: {}", error.operation + 1, error.kind),
            "paths begin at the workload, such as `/spec/template/spec/containers/0/image`",
        )
    })
}
