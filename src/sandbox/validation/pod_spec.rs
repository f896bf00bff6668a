//! Rules of pod specs, which pods and the templates of workloads share.

use serde_json::Value;

use super::{containers, names};
use crate::sandbox::object::field_error::FieldError;
use crate::sandbox::object::kind::NameRule;
use crate::sandbox::object::meta;

/// The errors in a pod spec found at `path`.
pub(super) fn pod_spec(path: &str, spec: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let listed = meta::items(spec, "/containers");
    if listed.is_empty() {
        errors.push(FieldError::required(format!("{path}.containers"), ""));
    }
    let volumes = meta::items(spec, "/volumes");
    let mut seen: Vec<&str> = Vec::new();
    for (list, listed) in [("containers", listed), ("initContainers", meta::items(spec, "/initContainers"))] {
        for (at, container) in listed.iter().enumerate() {
            let path = format!("{path}.{list}[{at}]");
            errors.extend(containers::container(&path, container, volumes, &mut seen));
        }
    }
    for (field, known) in [
        ("restartPolicy", ["Always", "OnFailure", "Never"].as_slice()),
        ("dnsPolicy", &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"]),
    ] {
        if !known.contains(&meta::text(spec, &format!("/{field}"))) {
            errors.push(FieldError::unsupported(format!("{path}.{field}"), &spec[field], known));
        }
    }
    let selector = spec.get("nodeSelector").and_then(Value::as_object);
    errors.extend(names::labels(&format!("{path}.nodeSelector"), selector));
    let account = meta::text(spec, "/serviceAccountName");
    if let Some(rule) = names::name(NameRule::Subdomain, account).filter(|_| !account.is_empty()) {
        let field = format!("{path}.serviceAccountName");
        errors.push(FieldError::invalid(field, &spec["serviceAccountName"], rule));
    }
    errors
}

/// The errors of a new pod. That most fields of an existing pod's spec are immutable is not checked.
pub(super) fn pod(object: &Value, before: Option<&Value>) -> Vec<FieldError> {
    match before {
        None => pod_spec("spec", &object["spec"]),
        Some(_) => Vec::new(),
    }
}
