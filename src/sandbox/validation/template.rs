//! Rules of pod specs, which pods and the templates of workloads share.

use serde_json::Value;

use super::{containers, names};
use crate::sandbox::object::field_error::Problem;
use crate::sandbox::object::kind::Names;
use crate::sandbox::object::meta;

/// Complaints about a pod spec found at `path`.
pub(super) fn pod_spec(path: &str, spec: &Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    let listed = meta::items(spec, "/containers");
    if listed.is_empty() {
        problems.push(Problem::required(format!("{path}.containers"), ""));
    }
    let volumes = meta::items(spec, "/volumes");
    let mut seen: Vec<&str> = Vec::new();
    for (list, listed) in [("containers", listed), ("initContainers", meta::items(spec, "/initContainers"))] {
        for (at, container) in listed.iter().enumerate() {
            let path = format!("{path}.{list}[{at}]");
            problems.extend(containers::container(&path, container, volumes, &mut seen));
        }
    }
    for (field, known) in [
        ("restartPolicy", ["Always", "OnFailure", "Never"].as_slice()),
        ("dnsPolicy", &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"]),
    ] {
        if !known.contains(&meta::text(spec, &format!("/{field}"))) {
            problems.push(Problem::unsupported(format!("{path}.{field}"), &spec[field], known));
        }
    }
    let selector = spec.get("nodeSelector").and_then(Value::as_object);
    problems.extend(names::labels(&format!("{path}.nodeSelector"), selector));
    let account = meta::text(spec, "/serviceAccountName");
    if let Some(rule) = names::name(Names::Subdomain, account).filter(|_| !account.is_empty()) {
        let field = format!("{path}.serviceAccountName");
        problems.push(Problem::invalid(field, &spec["serviceAccountName"], rule));
    }
    problems
}
