//! Ingresses and their classes: defaults and rules.
//!
//! See <https://kubernetes.io/docs/concepts/services-networking/ingress/>.

use serde_json::{Value, json};

use super::defaulting::default_status;
use super::names;
use crate::sandbox::object::field_error::FieldError;
use crate::sandbox::object::kind::NameRule;
use crate::sandbox::object::meta;

pub(crate) fn default(object: &mut Value) {
    default_status(object, json!({"loadBalancer": {}}));
}

pub(crate) fn validate_class(object: &Value, _before: Option<&Value>) -> Vec<FieldError> {
    let is_missing = meta::text(object, "/spec/controller").is_empty();
    is_missing.then(|| FieldError::required("spec.controller", "")).into_iter().collect()
}

pub(crate) fn validate(object: &Value, _before: Option<&Value>) -> Vec<FieldError> {
    let spec = &object["spec"];
    let rules = meta::items(spec, "/rules");
    let mut errors = Vec::new();
    if rules.is_empty() && spec.get("defaultBackend").is_none() {
        let detail = "either `defaultBackend` or `rules` must be specified";
        errors.push(FieldError::invalid("spec", &Value::Null, detail));
    }
    if let Some(backend) = spec.get("defaultBackend") {
        errors.extend(self::backend("spec.defaultBackend", backend));
    }
    for (at, rule) in rules.iter().enumerate() {
        errors.extend(self::rule(&format!("spec.rules[{at}]"), rule));
    }
    for (at, tls) in meta::items(spec, "/tls").iter().enumerate() {
        for (index, host) in meta::items(tls, "/hosts").iter().enumerate() {
            let host = host.as_str().unwrap_or_default();
            errors.extend(domain(&format!("spec.tls[{at}].hosts[{index}]"), host));
        }
    }
    let class = meta::text(spec, "/ingressClassName");
    if let Some(rule) = names::name(NameRule::Subdomain, class).filter(|_| !class.is_empty()) {
        errors.push(FieldError::invalid("spec.ingressClassName", &json!(class), rule));
    }
    errors
}

fn rule(path: &str, rule: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let host = meta::text(rule, "/host");
    if host.parse::<std::net::IpAddr>().is_ok() {
        let detail = "must be a DNS name, not an IP address";
        errors.push(FieldError::invalid(format!("{path}.host"), &json!(host), detail));
    } else if !host.is_empty() {
        errors.extend(domain(&format!("{path}.host"), host));
    }
    let Some(http) = rule.get("http") else { return errors };
    let paths = meta::items(http, "/paths");
    if paths.is_empty() {
        errors.push(FieldError::required(format!("{path}.http.paths"), ""));
    }
    for (at, one) in paths.iter().enumerate() {
        errors.extend(http_path(&format!("{path}.http.paths[{at}]"), one));
    }
    errors
}

fn domain(field: &str, host: &str) -> Option<FieldError> {
    let plain = host.strip_prefix("*.").unwrap_or(host);
    names::name(NameRule::Subdomain, plain).map(|rule| FieldError::invalid(field, &json!(host), rule))
}

fn http_path(field: &str, path: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let known = ["Exact", "ImplementationSpecific", "Prefix"];
    let text = meta::text(path, "/path");
    match path["pathType"].as_str() {
        None | Some("") => {
            errors.push(FieldError::required(format!("{field}.pathType"), "pathType must be specified"));
        }
        Some("ImplementationSpecific") if text.is_empty() || text.starts_with('/') => (),
        Some(kind) if known.contains(&kind) => {
            if !text.starts_with('/') {
                let detail = "must be an absolute path";
                errors.push(FieldError::invalid(format!("{field}.path"), &json!(text), detail));
            }
        }
        Some(other) => {
            errors.push(FieldError::unsupported(format!("{field}.pathType"), &json!(other), &known));
        }
    }
    errors.extend(backend(&format!("{field}.backend"), &path["backend"]));
    errors
}

fn backend(field: &str, backend: &Value) -> Vec<FieldError> {
    let Some(service) = backend.get("service") else {
        let is_missing = backend.get("resource").is_none();
        let detail = "resource or service backend is required";
        return is_missing.then(|| FieldError::invalid(field, &json!(""), detail)).into_iter().collect();
    };
    let mut errors = Vec::new();
    let name = meta::text(service, "/name");
    if name.is_empty() {
        errors.push(FieldError::required(format!("{field}.service.name"), ""));
    } else if let Some(rule) = names::name(NameRule::Label, name) {
        errors.push(FieldError::invalid(format!("{field}.service.name"), &json!(name), rule));
    }
    let (port, number) = (meta::text(service, "/port/name"), meta::number(service, "/port/number"));
    if !port.is_empty() {
        if let Some(rule) = names::port_name(port) {
            errors.push(FieldError::invalid(format!("{field}.service.port.name"), &json!(port), rule));
        }
    } else if number == 0 {
        errors.push(FieldError::required(field, "port name or number is required"));
    } else if !(1..=65_535).contains(&number) {
        let detail = "must be between 1 and 65535, inclusive";
        errors.push(FieldError::invalid(format!("{field}.service.port.number"), &number, detail));
    }
    errors
}
