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
    for (at, constraint) in meta::items(spec, "/topologySpreadConstraints").iter().enumerate() {
        errors.extend(spread_constraint(&format!("{path}.topologySpreadConstraints[{at}]"), constraint));
    }
    let account = meta::text(spec, "/serviceAccountName");
    if let Some(rule) = names::name(NameRule::Subdomain, account).filter(|_| !account.is_empty()) {
        let field = format!("{path}.serviceAccountName");
        errors.push(FieldError::invalid(field, &spec["serviceAccountName"], rule));
    }
    errors
}

/// See <https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/>.
fn spread_constraint(path: &str, constraint: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for field in ["maxSkew", "minDomains"] {
        if constraint[field].as_i64().is_some_and(|value| value <= 0) {
            let detail = "must be greater than zero";
            errors.push(FieldError::invalid(format!("{path}.{field}"), &constraint[field], detail));
        }
    }
    if meta::text(constraint, "/topologyKey").is_empty() {
        errors.push(FieldError::required(format!("{path}.topologyKey"), "can not be empty"));
    }
    let known = ["DoNotSchedule", "ScheduleAnyway"];
    let action = meta::text(constraint, "/whenUnsatisfiable");
    if !known.contains(&action) {
        let field = format!("{path}.whenUnsatisfiable");
        errors.push(FieldError::unsupported(field, &constraint["whenUnsatisfiable"], &known));
    }
    if action == known[1] && constraint.get("minDomains").is_some() {
        let detail = "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway";
        errors.push(FieldError::invalid(format!("{path}.minDomains"), &constraint["minDomains"], detail));
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
