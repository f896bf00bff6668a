//! Jobs: defaults, the generated selector, and rules.
//!
//! See <https://kubernetes.io/docs/concepts/workloads/controllers/job/>.

use serde_json::{Value, json};

use super::defaulting::{default as set, default_status, template};
use super::workload::not_negative;
use super::{IMMUTABLE, names, pod_spec};
use crate::sandbox::object::field_error::FieldError;
use crate::sandbox::object::meta;

/// The label by which the generated selector finds the pods of a Job.
const CONTROLLER_UID: &str = "batch.kubernetes.io/controller-uid";

pub(crate) fn default(object: &mut Value) {
    let spec = meta::object_mut(object, "spec");
    if spec.get("completions").is_none() && spec.get("parallelism").is_none() {
        set(spec, "completions", json!(1));
    }
    set(spec, "parallelism", json!(1));
    set(spec, "backoffLimit", json!(6));
    set(spec, "completionMode", json!("NonIndexed"));
    set(spec, "suspend", json!(false));
    set(spec, "manualSelector", json!(false));
    let replacement = if spec.contains_key("podFailurePolicy") { "Failed" } else { "TerminatingOrFailed" };
    set(spec, "podReplacementPolicy", json!(replacement));
    template(spec);
    if let (None, Some(labels)) =
        (meta::labels(object), object.pointer("/spec/template/metadata/labels").cloned())
    {
        meta::metadata(object).insert("labels".to_owned(), labels);
    }
    default_status(object, json!({}));
}

/// Generates the selector of a new Job, and the labels that it chooses.
pub(crate) fn select(object: &mut Value, before: Option<&Value>) {
    if before.is_some() || object["spec"]["manualSelector"] == true {
        return;
    }
    let (uid, name) = (meta::uid(object).to_owned(), meta::name(object).to_owned());
    let template = object.pointer("/spec/template/metadata/labels").cloned();
    // Labels that were copied from the template get the generated ones as well.
    let is_copied = template.is_some() && template.as_ref() == object.pointer("/metadata/labels");
    let mut labels = template.unwrap_or_else(|| json!({}));
    for (label, value) in [
        (CONTROLLER_UID, &uid),
        ("controller-uid", &uid),
        ("batch.kubernetes.io/job-name", &name),
        ("job-name", &name),
    ] {
        labels[label] = json!(value);
    }
    if is_copied {
        object["metadata"]["labels"] = labels.clone();
    }
    object["spec"]["template"]["metadata"]["labels"] = labels;
    object["spec"]["selector"]["matchLabels"][CONTROLLER_UID] = json!(uid);
}

pub(crate) fn validate(object: &Value, before: Option<&Value>) -> Vec<FieldError> {
    let spec = &object["spec"];
    let mut errors = Vec::new();
    for field in
        ["parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished"]
    {
        errors.extend(not_negative(field, &spec[field]));
    }
    let generated = json!({"matchLabels": {CONTROLLER_UID: meta::uid(object)}});
    if before.is_none() && spec["manualSelector"] == false && spec["selector"] != generated {
        errors.push(FieldError::invalid("spec.selector", &spec["selector"], "`selector` not auto-generated"));
    }
    errors.extend(pod_template("spec.template", &spec["template"]));
    if let Some(before) = before {
        for field in ["selector", "template", "completions", "completionMode", "backoffLimitPerIndex"] {
            if before["spec"].get(field) != spec.get(field) {
                errors.push(FieldError::invalid(format!("spec.{field}"), &spec[field], IMMUTABLE));
            }
        }
    }
    errors
}

/// The errors in a template of pods that run to completion.
pub(super) fn pod_template(path: &str, template: &Value) -> Vec<FieldError> {
    let labels = template.pointer("/metadata/labels").and_then(Value::as_object);
    let mut errors = names::labels(&format!("{path}.labels"), labels);
    errors.extend(pod_spec::pod_spec(&format!("{path}.spec"), &template["spec"]));
    if template["spec"]["restartPolicy"] == "Always" {
        let field = format!("{path}.spec.restartPolicy");
        errors.push(FieldError::required(field, "valid values: \"OnFailure\", \"Never\""));
    }
    errors
}
