//! What the API server refuses beyond wrong types, kind by kind.
//!
//! Only the rules that a rollout can meet are here. Each function returns every complaint, in the server's
//! order and words.

mod names;
mod stateful_set;
mod template;

use serde_json::{Value, json};

use super::failure::Problem;
use super::kinds::Kind;
use super::meta;
use super::selector::Selector;
pub(super) use stateful_set::stateful_set;

const NOT_NEGATIVE: &str = "must be greater than or equal to 0";
const IMMUTABLE: &str = "field is immutable";

/// Complaints about the metadata of a new object.
pub(super) fn metadata(kind: Kind, object: &Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    let name = meta::name(object);
    if name.is_empty() {
        problems.push(Problem::required("metadata.name", "name or generateName is required"));
    } else if let Some(rule) = names::name(kind.names, name) {
        problems.push(Problem::invalid("metadata.name", &json!(name), rule));
    }
    if !meta::namespace(object).is_empty()
        && let Some(rule) = names::name(super::kinds::Names::Label, meta::namespace(object))
    {
        problems.push(Problem::invalid("metadata.namespace", &json!(meta::namespace(object)), rule));
    }
    problems.extend(shared_metadata(object));
    problems
}

/// Complaints about the metadata of an object that replaces `before`.
pub(super) fn metadata_update(kind: Kind, object: &Value, before: &Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    for field in ["name", "namespace", "uid"] {
        let (given, found) = (&object["metadata"][field], &before["metadata"][field]);
        if given != found {
            problems.push(Problem::invalid(format!("metadata.{field}"), given, IMMUTABLE));
        }
    }
    if kind.generation != super::kinds::Generation::None && meta::is_terminating(before) {
        let added = meta::items(object, "/metadata/finalizers")
            .iter()
            .any(|f| !meta::items(before, "/metadata/finalizers").contains(f));
        if added {
            let detail = "no new finalizers can be added if the object is being deleted";
            problems.push(Problem::forbidden("metadata.finalizers", detail));
        }
    }
    problems.extend(shared_metadata(object));
    problems
}

fn shared_metadata(object: &Value) -> Vec<Problem> {
    let mut problems = names::labels("metadata.labels", meta::labels(object));
    let annotations = object.pointer("/metadata/annotations").and_then(Value::as_object);
    problems.extend(names::annotations("metadata.annotations", annotations));
    for (at, owner) in meta::owners(object).iter().enumerate() {
        for field in ["apiVersion", "kind", "name", "uid"] {
            if meta::text(owner, &format!("/{field}")).is_empty() {
                let field = format!("metadata.ownerReferences[{at}].{field}");
                problems.push(Problem::invalid(field, &json!(""), "must not be empty"));
            }
        }
    }
    problems
}

pub(super) fn config_map(object: &Value, before: Option<&Value>) -> Vec<Problem> {
    let mut problems = Vec::new();
    if before.is_some_and(|b| b["immutable"] == json!(true) && b.get("data") != object.get("data")) {
        problems.push(Problem::forbidden("data", "field is immutable when `immutable` is set"));
    }
    for part in ["data", "binaryData"] {
        for key in object.get(part).and_then(Value::as_object).into_iter().flatten().map(|(key, _)| key) {
            if let Some(rule) = names::config_key(key) {
                problems.push(Problem::invalid(format!("{part}[{key}]"), &json!(key), rule));
            }
        }
    }
    problems
}

pub(super) fn controller_revision(object: &Value, before: Option<&Value>) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Some(before) = before
        && before.get("data") != object.get("data")
    {
        problems.push(Problem::invalid("data", &object["data"], IMMUTABLE));
    }
    if object.get("data").is_none_or(Value::is_null) {
        problems.push(Problem::required("data", "data is mandatory"));
    }
    if meta::number(object, "/revision") < 0 {
        problems.push(Problem::invalid("revision", &object["revision"], NOT_NEGATIVE));
    }
    problems
}

pub(super) fn lease(object: &Value, _before: Option<&Value>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (field, least, detail) in
        [("leaseDurationSeconds", 1, "must be greater than 0"), ("leaseTransitions", 0, NOT_NEGATIVE)]
    {
        let value = &object["spec"][field];
        if value.as_i64().is_some_and(|v| v < least) {
            problems.push(Problem::invalid(format!("spec.{field}"), value, detail));
        }
    }
    problems
}

pub(super) fn service(object: &Value, _before: Option<&Value>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let ports = meta::items(object, "/spec/ports");
    let headless = meta::text(object, "/spec/clusterIP") == "None";
    let external = meta::text(object, "/spec/type") == "ExternalName";
    if ports.is_empty() && !headless && !external {
        problems.push(Problem::required("spec.ports", ""));
    }
    let mut seen: Vec<&str> = Vec::new();
    for (at, port) in ports.iter().enumerate() {
        let name = meta::text(port, "/name");
        if name.is_empty() && ports.len() > 1 {
            problems.push(Problem::required(format!("spec.ports[{at}].name"), ""));
        } else if !name.is_empty() && seen.contains(&name) {
            problems.push(Problem::duplicate(format!("spec.ports[{at}].name"), &json!(name)));
        }
        seen.push(name);
        problems.extend(template::port(&format!("spec.ports[{at}].port"), &port["port"]));
    }
    let kinds = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    let kind = meta::text(object, "/spec/type");
    if !kinds.contains(&kind) {
        problems.push(Problem::unsupported("spec.type", &json!(kind), &kinds));
    }
    problems
}

pub(super) fn pod(object: &Value, before: Option<&Value>) -> Vec<Problem> {
    match before {
        None => template::pod_spec("spec", &object["spec"]),
        Some(_) => Vec::new(),
    }
}

pub(super) fn deployment(object: &Value, before: Option<&Value>) -> Vec<Problem> {
    let spec = &object["spec"];
    let mut problems = workload("deployment", spec, before.map(|b| &b["spec"]));
    problems.extend(strategy(&spec["strategy"]));
    for field in ["minReadySeconds", "revisionHistoryLimit"] {
        problems.extend(not_negative(field, &spec[field]));
    }
    problems.extend(not_negative("progressDeadlineSeconds", &spec["progressDeadlineSeconds"]));
    let deadline = &spec["progressDeadlineSeconds"];
    if deadline.as_i64().is_some_and(|d| d <= meta::number(spec, "/minReadySeconds")) {
        let detail = "must be greater than minReadySeconds";
        problems.push(Problem::invalid("spec.progressDeadlineSeconds", deadline, detail));
    }
    problems
}

pub(super) fn replica_set(object: &Value, before: Option<&Value>) -> Vec<Problem> {
    workload("replicaset", &object["spec"], before.map(|b| &b["spec"]))
}

/// What Deployments and ReplicaSets have in common.
fn workload(word: &str, spec: &Value, before: Option<&Value>) -> Vec<Problem> {
    let mut problems: Vec<Problem> = not_negative("replicas", &spec["replicas"]).into_iter().collect();
    let selector = &spec["selector"];
    let requirements = Selector::of(selector);
    let labels = spec.pointer("/template/metadata/labels");
    if selector.get("matchLabels").is_none() && selector.get("matchExpressions").is_none() {
        if before.is_none() && selector.is_null() {
            problems.push(Problem::required("spec.selector", ""));
        } else {
            let detail = format!("empty selector is invalid for {word}");
            problems.push(Problem::invalid("spec.selector", selector, &detail));
        }
    } else if !requirements.matches(labels.and_then(Value::as_object)) {
        let none = json!({});
        let (field, detail) =
            ("spec.template.metadata.labels", "`selector` does not match template `labels`");
        problems.push(Problem::invalid(field, labels.unwrap_or(&none), detail));
    }
    let labels = labels.and_then(Value::as_object);
    problems.extend(names::labels("spec.template.labels", labels));
    let pod = &spec["template"]["spec"];
    problems.extend(template::pod_spec("spec.template.spec", pod));
    if pod["restartPolicy"] != "Always" {
        let field = "spec.template.spec.restartPolicy";
        problems.push(Problem::unsupported(field, &pod["restartPolicy"], &["Always"]));
    }
    if before.is_some_and(|b| b["selector"] != *selector) {
        problems.push(Problem::invalid("spec.selector", selector, IMMUTABLE));
    }
    problems
}

fn strategy(strategy: &Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    let kind = meta::text(strategy, "/type");
    let rolling = strategy.get("rollingUpdate");
    match (kind, rolling) {
        ("Recreate", Some(_)) => {
            let detail = "may not be specified when strategy `type` is 'Recreate'";
            problems.push(Problem::forbidden("spec.strategy.rollingUpdate", detail));
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
                            problems.push(Problem::invalid(
                                path,
                                &rolling[field],
                                "must not be greater than 100%",
                            ));
                        }
                        Some(Ok(percent)) => zeros += u32::from(percent == 0),
                        Some(Err(_)) | None => {
                            let detail = "a valid percent string must be a numeric string followed by an ending '%' \
                                          (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";
                            problems.push(Problem::invalid(path, &rolling[field], detail));
                        }
                    },
                    number => {
                        let value = number.as_i64().unwrap_or_default();
                        zeros += u32::from(value == 0);
                        if value < 0 {
                            problems.push(Problem::invalid(path, number, NOT_NEGATIVE));
                        }
                    }
                }
            }
            if zeros == 2 {
                let detail = "may not be 0 when `maxSurge` is 0";
                let field = "spec.strategy.rollingUpdate.maxUnavailable";
                problems.push(Problem::invalid(field, &rolling["maxUnavailable"], detail));
            }
        }
        (other, _) => {
            let known = ["Recreate", "RollingUpdate"];
            problems.push(Problem::unsupported("spec.strategy.type", &json!(other), &known));
        }
    }
    problems
}

fn not_negative(field: &str, value: &Value) -> Option<Problem> {
    value
        .as_i64()
        .is_some_and(|v| v < 0)
        .then(|| Problem::invalid(format!("spec.{field}"), value, NOT_NEGATIVE))
}
