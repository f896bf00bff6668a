//! Rules of StatefulSets.

use serde_json::{Value, json};

use super::workload::{not_negative, workload};
use crate::sandbox::object::field_error::FieldError;
use crate::sandbox::object::meta;

/// The fields of the spec that may change.
const MUTABLE: [&str; 7] = [
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
];

pub(crate) fn stateful_set(object: &Value, before: Option<&Value>) -> Vec<FieldError> {
    let spec = &object["spec"];
    let mut errors = Vec::new();
    for (field, choices) in [
        ("podManagementPolicy", ["OrderedReady", "Parallel"]),
        ("updateStrategy.type", ["RollingUpdate", "OnDelete"]),
    ] {
        let value = meta::text(spec, &format!("/{}", field.replace('.', "/")));
        if !choices.contains(&value) {
            let detail = format!("must be '{}' or '{}'", choices[0], choices[1]);
            errors.push(FieldError::invalid(format!("spec.{field}"), &json!(value), &detail));
        }
    }
    let partition = &spec["updateStrategy"]["rollingUpdate"]["partition"];
    errors.extend(not_negative("updateStrategy.rollingUpdate.partition", partition));
    errors.extend(workload("statefulset", &with_claims(spec), None));
    errors.extend(not_negative("minReadySeconds", &spec["minReadySeconds"]));
    errors.extend(not_negative("revisionHistoryLimit", &spec["revisionHistoryLimit"]));
    if before.is_some_and(|before| fixed(&before["spec"]) != fixed(spec)) {
        let detail = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', \
                      'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and \
                      'minReadySeconds' are forbidden";
        errors.push(FieldError::forbidden("spec", detail));
    }
    errors
}

/// The spec with a volume for each of its claims, as its pods have them.
fn with_claims(spec: &Value) -> Value {
    let mut spec = spec.clone();
    let claims: Vec<Value> = meta::items(&spec, "/volumeClaimTemplates")
        .iter()
        .map(|claim| json!({"name": claim["metadata"]["name"]}))
        .collect();
    let pod = spec.pointer_mut("/template/spec").and_then(Value::as_object_mut);
    if let Some(pod) = pod.filter(|_| !claims.is_empty())
        && let Some(volumes) = pod.entry("volumes").or_insert_with(|| json!([])).as_array_mut()
    {
        volumes.extend(claims);
    }
    spec
}

fn fixed(spec: &Value) -> Value {
    let mut spec = spec.clone();
    if let Some(map) = spec.as_object_mut() {
        map.retain(|name, _| !MUTABLE.contains(&name.as_str()));
    }
    spec
}
