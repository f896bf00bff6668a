//! Rules that Deployments, ReplicaSets and StatefulSets share: replicas, selector and template.

use serde_json::Value;

use super::{IMMUTABLE, NOT_NEGATIVE, names, pod_spec};
use crate::sandbox::object::field_error::FieldError;
use crate::sandbox::object::meta;
use crate::sandbox::object::selector::Selector;

pub(crate) fn replica_set(object: &Value, before: Option<&Value>) -> Vec<FieldError> {
    workload("replicaset", &object["spec"], before.map(|b| &b["spec"]))
}

/// The rules of a spec; `word` is the kind's name in messages.
pub(super) fn workload(word: &str, spec: &Value, before: Option<&Value>) -> Vec<FieldError> {
    let mut errors: Vec<FieldError> = not_negative("replicas", &spec["replicas"]).into_iter().collect();
    let selector = &spec["selector"];
    let requirements = Selector::of(selector);
    let labels = spec.pointer("/template/metadata/labels");
    let wrong = self::selector(selector);
    let is_empty = selector.get("matchLabels").is_none() && selector.get("matchExpressions").is_none();
    let is_wrong = !wrong.is_empty();
    errors.extend(wrong);
    if selector.is_null() {
        errors.push(FieldError::required("spec.selector", ""));
    } else if is_empty {
        let detail = format!("empty selector is invalid for {word}");
        errors.push(FieldError::invalid("spec.selector", selector, &detail));
    }
    if is_wrong {
        errors.push(FieldError::invalid("spec.selector", selector, "invalid label selector"));
    } else if selector.is_null() || (!is_empty && !requirements.matches(labels.and_then(Value::as_object))) {
        let (field, detail) =
            ("spec.template.metadata.labels", "`selector` does not match template `labels`");
        errors.push(FieldError::invalid(field, labels.unwrap_or(&Value::Null), detail));
    }
    let labels = labels.and_then(Value::as_object);
    errors.extend(names::labels("spec.template.labels", labels));
    let pod = &spec["template"]["spec"];
    errors.extend(pod_spec::pod_spec("spec.template.spec", pod));
    if pod["restartPolicy"] != "Always" {
        let field = "spec.template.spec.restartPolicy";
        errors.push(FieldError::unsupported(field, &pod["restartPolicy"], &["Always"]));
    }
    if before.is_some_and(|b| b["selector"] != *selector) {
        errors.push(FieldError::invalid("spec.selector", selector, IMMUTABLE));
    }
    errors
}

/// The errors in a workload's selector alone.
fn selector(selector: &Value) -> Vec<FieldError> {
    let labels = selector.get("matchLabels").and_then(Value::as_object);
    let mut errors = names::labels("spec.selector.matchLabels", labels);
    for (at, expression) in meta::items(selector, "/matchExpressions").iter().enumerate() {
        let operators = ["In", "NotIn", "Exists", "DoesNotExist"];
        if !operators.contains(&meta::text(expression, "/operator")) {
            let field = format!("spec.selector.matchExpressions[{at}].operator");
            errors.push(FieldError::invalid(field, &expression["operator"], "not a valid selector operator"));
        }
    }
    errors
}

pub(super) fn not_negative(field: &str, value: &Value) -> Option<FieldError> {
    value
        .as_i64()
        .is_some_and(|v| v < 0)
        .then(|| FieldError::invalid(format!("spec.{field}"), value, NOT_NEGATIVE))
}
