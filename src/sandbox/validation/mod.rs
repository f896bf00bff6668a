//! What the API server refuses beyond wrong types, kind by kind.
//!
//! Only the rules that a rollout can meet are here. Each function returns every complaint, in the server's
//! order and words.

mod containers;
pub(super) mod custom;
pub(super) mod defaulting;
pub(super) mod fields;
mod names;
pub(super) mod registry;
mod service;
mod stateful_set;
mod template;
pub(super) mod typed;

use serde_json::{Value, json};

use crate::sandbox::object::field_error::{FieldError, GoSyntax};
use crate::sandbox::object::kind::Kind;
use crate::sandbox::object::meta;
use crate::sandbox::object::selector::Selector;
pub(crate) use service::service;
pub(crate) use stateful_set::stateful_set;

const NOT_NEGATIVE: &str = "must be greater than or equal to 0";
const IMMUTABLE: &str = "field is immutable";

/// The rules that the key of a label breaks.
pub(crate) fn label_key_rules(key: &str) -> Vec<String> {
    names::key_rules(key)
}

/// The rules that the value of a label breaks.
pub(crate) fn label_value_rules(value: &str) -> Vec<&'static str> {
    names::value_rules(value)
}

/// Complaints about the metadata of a new object.
pub(crate) fn metadata(kind: Kind, object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let name = meta::name(object);
    let prefix = meta::text(object, "/metadata/generateName");
    let probed = format!("{prefix}x");
    if name.is_empty() {
        errors.push(FieldError::required("metadata.name", "name or generateName is required"));
    } else if let Some(rule) = names::name(kind.names, &probed).filter(|_| !prefix.is_empty()) {
        errors.push(FieldError::invalid("metadata.generateName", &json!(prefix), rule));
    } else if let Some(rule) = names::name(kind.names, name) {
        errors.push(FieldError::invalid("metadata.name", &json!(name), rule));
    }
    if !meta::namespace(object).is_empty()
        && let Some(rule) =
            names::name(crate::sandbox::object::kind::NameRule::Label, meta::namespace(object))
    {
        errors.push(FieldError::invalid("metadata.namespace", &json!(meta::namespace(object)), rule));
    }
    errors.extend(shared_metadata(object));
    errors
}

/// Complaints about the metadata of an object that replaces `before`.
pub(crate) fn metadata_update(object: &Value, before: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for field in ["name", "namespace", "uid"] {
        let (given, found) = (&object["metadata"][field], &before["metadata"][field]);
        if given != found {
            errors.push(FieldError::invalid(format!("metadata.{field}"), given, IMMUTABLE));
        }
    }
    if meta::is_terminating(before) {
        let known = meta::items(before, "/metadata/finalizers");
        let added = meta::items(object, "/metadata/finalizers").iter().filter(|f| !known.contains(f));
        let added: Vec<String> = added.map(Value::to_string).collect();
        if !added.is_empty() {
            let detail = format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                added.join(", ")
            );
            errors.push(FieldError::forbidden("metadata.finalizers", &detail));
        }
    }
    errors.extend(shared_metadata(object));
    errors
}

fn shared_metadata(object: &Value) -> Vec<FieldError> {
    let mut errors = names::labels("metadata.labels", meta::labels(object));
    let annotations = object.pointer("/metadata/annotations").and_then(Value::as_object);
    errors.extend(names::annotations("metadata.annotations", annotations));
    errors.extend(owners(meta::owners(object)));
    errors.extend(names::finalizers("metadata.finalizers", meta::items(object, "/metadata/finalizers")));
    errors
}

fn owners(owners: &[Value]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for owner in owners {
        for (field, detail) in [
            ("apiVersion", "version must not be empty"),
            ("kind", "must not be empty"),
            ("name", "must not be empty"),
            ("uid", "must not be empty"),
        ] {
            if meta::text(owner, &format!("/{field}")).is_empty() {
                errors.push(FieldError::invalid(
                    format!("metadata.ownerReferences.{field}"),
                    &json!(""),
                    detail,
                ));
            }
        }
    }
    let mut controllers = owners.iter().filter(|owner| owner["controller"] == true);
    if let (Some(one), Some(other)) = (controllers.next(), controllers.next()) {
        let called = |owner: &Value| format!("{}/{}", meta::text(owner, "/kind"), meta::text(owner, "/name"));
        let detail = format!(
            "Only one reference can have Controller set to true. Found \"true\" in references for {} and {}",
            called(one),
            called(other)
        );
        errors.push(FieldError::invalid("metadata.ownerReferences", &in_order(owners), &detail));
    }
    errors
}

/// References with their fields in the order in which the server has them, as text.
fn in_order(owners: &[Value]) -> GoSyntax {
    let fields = ["apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion"];
    let one = |owner: &Value| {
        let given = fields.iter().filter_map(|field| Some(format!("\"{field}\":{}", owner.get(*field)?)));
        format!("{{{}}}", given.collect::<Vec<_>>().join(","))
    };
    GoSyntax(format!("[{}]", owners.iter().map(one).collect::<Vec<_>>().join(",")))
}

pub(crate) fn config_map(object: &Value, before: Option<&Value>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let fixed = before.filter(|before| before["immutable"] == json!(true));
    for field in ["immutable", "data", "binaryData"] {
        if fixed.is_some_and(|before| before.get(field) != object.get(field)) {
            errors.push(FieldError::forbidden(field, "field is immutable when `immutable` is set"));
        }
    }
    for part in ["data", "binaryData"] {
        for key in object.get(part).and_then(Value::as_object).into_iter().flatten().map(|(key, _)| key) {
            if let Some(rule) = names::config_key(key) {
                errors.push(FieldError::invalid(format!("{part}[{key}]"), &json!(key), rule));
            }
            if part == "data" && object.pointer("/binaryData").is_some_and(|data| data.get(key).is_some()) {
                let detail = "duplicate of key present in binaryData";
                errors.push(FieldError::invalid(format!("data[{key}]"), &json!(key), detail));
            }
        }
    }
    errors
}

pub(crate) fn controller_revision(object: &Value, before: Option<&Value>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if let Some(before) = before
        && before.get("data") != object.get("data")
    {
        errors.push(FieldError::invalid("data", &object["data"], IMMUTABLE));
    }
    match object.get("data") {
        None | Some(Value::Null) => errors.push(FieldError::required("data", "data is mandatory")),
        Some(Value::Object(_)) => (),
        Some(_) => errors.push(FieldError::required("data", "data must be a valid JSON object")),
    }
    if meta::number(object, "/revision") < 0 {
        errors.push(FieldError::invalid("revision", &object["revision"], NOT_NEGATIVE));
    }
    errors
}

pub(crate) fn lease(object: &Value, _before: Option<&Value>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (field, least, detail) in
        [("leaseDurationSeconds", 1, "must be greater than 0"), ("leaseTransitions", 0, NOT_NEGATIVE)]
    {
        let value = &object["spec"][field];
        if value.as_i64().is_some_and(|v| v < least) {
            errors.push(FieldError::invalid(format!("spec.{field}"), value, detail));
        }
    }
    errors
}

pub(crate) fn pod(object: &Value, before: Option<&Value>) -> Vec<FieldError> {
    match before {
        None => template::pod_spec("spec", &object["spec"]),
        Some(_) => Vec::new(),
    }
}

pub(crate) fn deployment(object: &Value, before: Option<&Value>) -> Vec<FieldError> {
    let spec = &object["spec"];
    let mut errors = workload("deployment", spec, before.map(|b| &b["spec"]));
    errors.extend(strategy(&spec["strategy"]));
    for field in ["minReadySeconds", "revisionHistoryLimit"] {
        errors.extend(not_negative(field, &spec[field]));
    }
    errors.extend(not_negative("progressDeadlineSeconds", &spec["progressDeadlineSeconds"]));
    let deadline = &spec["progressDeadlineSeconds"];
    if deadline.as_i64().is_some_and(|d| d <= meta::number(spec, "/minReadySeconds")) {
        let detail = "must be greater than minReadySeconds";
        errors.push(FieldError::invalid("spec.progressDeadlineSeconds", deadline, detail));
    }
    if before.is_some() {
        errors.extend(status(&object["status"]));
    }
    errors
}

/// What a Deployment may say of itself.
fn status(status: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let count = |field: &str| meta::number(status, &format!("/{field}"));
    for field in [
        "observedGeneration",
        "replicas",
        "updatedReplicas",
        "readyReplicas",
        "availableReplicas",
        "unavailableReplicas",
        "terminatingReplicas",
        "collisionCount",
    ] {
        if count(field) < 0 {
            errors.push(FieldError::invalid(format!("status.{field}"), &status[field], NOT_NEGATIVE));
        }
    }
    for (field, most, detail) in [
        ("updatedReplicas", "replicas", "cannot be greater than status.replicas"),
        ("readyReplicas", "replicas", "cannot be greater than status.replicas"),
        ("availableReplicas", "replicas", "cannot be greater than status.replicas"),
        ("availableReplicas", "readyReplicas", "cannot be greater than readyReplicas"),
    ] {
        if count(field) > count(most) {
            errors.push(FieldError::invalid(format!("status.{field}"), &count(field), detail));
        }
    }
    errors
}

pub(crate) fn replica_set(object: &Value, before: Option<&Value>) -> Vec<FieldError> {
    workload("replicaset", &object["spec"], before.map(|b| &b["spec"]))
}

/// What Deployments and ReplicaSets have in common.
fn workload(word: &str, spec: &Value, before: Option<&Value>) -> Vec<FieldError> {
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
    errors.extend(template::pod_spec("spec.template.spec", pod));
    if pod["restartPolicy"] != "Always" {
        let field = "spec.template.spec.restartPolicy";
        errors.push(FieldError::unsupported(field, &pod["restartPolicy"], &["Always"]));
    }
    if before.is_some_and(|b| b["selector"] != *selector) {
        errors.push(FieldError::invalid("spec.selector", selector, IMMUTABLE));
    }
    errors
}

/// Complaints about a workload's selector by itself.
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

fn strategy(strategy: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let kind = meta::text(strategy, "/type");
    let rolling = strategy.get("rollingUpdate");
    match (kind, rolling) {
        ("Recreate", Some(_)) => {
            let detail = "may not be specified when strategy `type` is 'Recreate'";
            errors.push(FieldError::forbidden("spec.strategy.rollingUpdate", detail));
        }
        ("Recreate", None) => (),
        ("RollingUpdate", rolling) => {
            let rolling = rolling.unwrap_or(&Value::Null);
            let mut zeros = 0;
            for field in ["maxUnavailable", "maxSurge"] {
                let path = format!("spec.strategy.rollingUpdate.{field}");
                match &rolling[field] {
                    Value::String(text) => match text.strip_suffix('%').map(str::parse::<u32>) {
                        Some(Ok(percent)) if percent > 100 && field == "maxUnavailable" => {
                            errors.push(FieldError::invalid(
                                path,
                                &rolling[field],
                                "must not be greater than 100%",
                            ));
                        }
                        Some(Ok(percent)) => zeros += u32::from(percent == 0),
                        Some(Err(_)) | None => {
                            let detail = "a valid percent string must be a numeric string followed by an ending '%' \
                                          (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";
                            errors.push(FieldError::invalid(path, &rolling[field], detail));
                        }
                    },
                    number => {
                        let value = number.as_i64().unwrap_or_default();
                        zeros += u32::from(value == 0);
                        if value < 0 {
                            errors.push(FieldError::invalid(path, number, NOT_NEGATIVE));
                        }
                    }
                }
            }
            if zeros == 2 {
                let detail = "may not be 0 when `maxSurge` is 0";
                let field = "spec.strategy.rollingUpdate.maxUnavailable";
                errors.push(FieldError::invalid(field, &rolling["maxUnavailable"], detail));
            }
        }
        (other, _) => {
            let known = ["Recreate", "RollingUpdate"];
            let shown = GoSyntax(format!("{{\"Type\":{},\"RollingUpdate\":null}}", json!(other)));
            errors.push(FieldError::unsupported("spec.strategy", &shown, &known));
        }
    }
    errors
}

fn not_negative(field: &str, value: &Value) -> Option<FieldError> {
    value
        .as_i64()
        .is_some_and(|v| v < 0)
        .then(|| FieldError::invalid(format!("spec.{field}"), value, NOT_NEGATIVE))
}
