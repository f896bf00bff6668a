//! Rules of containers.

use serde_json::{Map, Value, json};

use super::names;
use crate::sandbox::object::field_error::FieldError;
use crate::sandbox::object::kind::NameRule;
use crate::sandbox::object::meta;
use crate::sandbox::object::quantity;

/// The errors in a container found at `path`, in a pod with these volumes.
pub(super) fn container<'a>(
    path: &str,
    container: &'a Value,
    volumes: &[Value],
    seen: &mut Vec<&'a str>,
) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let name = meta::text(container, "/name");
    if name.is_empty() {
        errors.push(FieldError::required(format!("{path}.name"), ""));
    } else if let Some(rule) = names::name(NameRule::Label, name) {
        errors.push(FieldError::invalid(format!("{path}.name"), &json!(name), rule));
    } else if seen.contains(&name) {
        errors.push(FieldError::duplicate(format!("{path}.name"), &json!(name)));
    }
    seen.push(name);
    if meta::text(container, "/image").is_empty() {
        errors.push(FieldError::required(format!("{path}.image"), ""));
    }
    errors.extend(ports(path, meta::items(container, "/ports")));
    errors.extend(environment(path, meta::items(container, "/env")));
    for (at, mount) in meta::items(container, "/volumeMounts").iter().enumerate() {
        if volumes.iter().all(|volume| volume["name"] != mount["name"]) {
            errors.push(FieldError::not_found(format!("{path}.volumeMounts[{at}].name"), &mount["name"]));
        }
    }
    for kind in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = container.get(kind) {
            errors.extend(self::probe(&format!("{path}.{kind}"), probe));
        }
    }
    let policies = ["Always", "IfNotPresent", "Never"];
    let policy = meta::text(container, "/imagePullPolicy");
    if !policies.contains(&policy) {
        errors.push(FieldError::unsupported(format!("{path}.imagePullPolicy"), &json!(policy), &policies));
    }
    errors.extend(resources(&format!("{path}.resources"), &container["resources"]));
    errors
}

fn ports(path: &str, ports: &[Value]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for (at, port) in ports.iter().enumerate() {
        let path = format!("{path}.ports[{at}]");
        let name = meta::text(port, "/name");
        if let Some(rule) = names::port_name(name).filter(|_| !name.is_empty()) {
            errors.push(FieldError::invalid(format!("{path}.name"), &json!(name), rule));
        } else if !name.is_empty() && seen.contains(&name) {
            errors.push(FieldError::duplicate(format!("{path}.name"), &json!(name)));
        }
        seen.push(name);
        errors.extend(number(&format!("{path}.containerPort"), &port["containerPort"]));
        errors.extend(protocol(&path, port));
    }
    errors
}

/// The error of a port's protocol.
pub(super) fn protocol(path: &str, port: &Value) -> Option<FieldError> {
    let known = ["SCTP", "TCP", "UDP"];
    let good = known.contains(&meta::text(port, "/protocol"));
    (!good).then(|| FieldError::unsupported(format!("{path}.protocol"), &port["protocol"], &known))
}

fn number(field: &str, number: &Value) -> Option<FieldError> {
    match number.as_i64() {
        None | Some(0) => Some(FieldError::required(field, "")),
        Some(1..=65_535) => None,
        Some(_) => Some(FieldError::invalid(field, number, "must be between 1 and 65535, inclusive")),
    }
}

fn environment(path: &str, variables: &[Value]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (at, variable) in variables.iter().enumerate() {
        let path = format!("{path}.env[{at}]");
        let name = meta::text(variable, "/name");
        let printable = |c: char| c == ' ' || c.is_ascii_graphic() && c != '=';
        if name.is_empty() {
            errors.push(FieldError::required(format!("{path}.name"), ""));
        } else if !name.chars().all(printable) {
            let detail = "a valid environment variable name must consist only of printable ASCII characters other than '='";
            errors.push(FieldError::invalid(format!("{path}.name"), &json!(name), detail));
        }
        if variable.get("valueFrom").is_some() && !meta::text(variable, "/value").is_empty() {
            let detail = "may not be specified when `value` is not empty";
            errors.push(FieldError::invalid(format!("{path}.valueFrom"), &json!(""), detail));
        }
    }
    errors
}

fn probe(path: &str, probe: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if ["httpGet", "tcpSocket", "exec", "grpc"].iter().all(|handler| probe.get(*handler).is_none()) {
        errors.push(FieldError::required(path, "must specify a handler type"));
    }
    for field in
        ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"]
    {
        if meta::number(probe, &format!("/{field}")) < 0 {
            errors.push(FieldError::invalid(format!("{path}.{field}"), &probe[field], super::NOT_NEGATIVE));
        }
    }
    errors
}

fn resources(path: &str, resources: &Value) -> Vec<FieldError> {
    let part = |name: &str| resources.get(name).and_then(Value::as_object);
    let mut errors = Vec::new();
    for (name, part) in [("limits", part("limits")), ("requests", part("requests"))] {
        errors.extend(amounts(&format!("{path}.{name}"), part));
    }
    for (name, limit) in part("limits").into_iter().flatten() {
        let Some(request) = part("requests").and_then(|requests| requests.get(name)) else { continue };
        let amount = |value: &Value| value.as_str().and_then(quantity::nanos);
        if amount(request) > amount(limit) {
            let detail =
                format!("must be less than or equal to {name} limit of {}", limit.as_str().unwrap_or(""));
            errors.push(FieldError::invalid(format!("{path}.requests"), request, &detail));
        }
    }
    errors
}

fn amounts(path: &str, amounts: Option<&Map<String, Value>>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (name, amount) in amounts.into_iter().flatten() {
        let path = format!("{path}[{name}]");
        let is_standard = ["cpu", "memory", "ephemeral-storage"].contains(&name.as_str())
            || name.starts_with("hugepages-")
            || name.contains('/');
        if !is_standard {
            for detail in [
                "must be a standard resource type or fully qualified",
                "must be a standard resource for containers",
            ] {
                errors.push(FieldError::invalid(path.clone(), &json!(name), detail));
            }
        }
        if amount.as_str().and_then(quantity::nanos).is_some_and(|nanos| nanos < 0) {
            errors.push(FieldError::invalid(path, amount, super::NOT_NEGATIVE));
        }
    }
    errors
}
