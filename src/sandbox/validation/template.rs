//! Rules of pod specs, which pods and the templates of workloads share.

use serde_json::{Value, json};

use super::names;
use crate::sandbox::failure::Problem;
use crate::sandbox::kinds::Names;
use crate::sandbox::meta;

/// Complaints about a pod spec found at `path`.
pub(super) fn pod_spec(path: &str, spec: &Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    let containers = meta::items(spec, "/containers");
    if containers.is_empty() {
        problems.push(Problem::required(format!("{path}.containers"), ""));
    }
    let mut seen: Vec<&str> = Vec::new();
    for (list, containers) in
        [("containers", containers), ("initContainers", meta::items(spec, "/initContainers"))]
    {
        for (at, container) in containers.iter().enumerate() {
            let path = format!("{path}.{list}[{at}]");
            problems.extend(self::container(&path, container, &mut seen));
        }
    }
    problems
}

fn container<'a>(path: &str, container: &'a Value, seen: &mut Vec<&'a str>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let name = meta::text(container, "/name");
    if name.is_empty() {
        problems.push(Problem::required(format!("{path}.name"), ""));
    } else if let Some(rule) = names::name(Names::Label, name) {
        problems.push(Problem::invalid(format!("{path}.name"), &json!(name), rule));
    } else if seen.contains(&name) {
        problems.push(Problem::duplicate(format!("{path}.name"), &json!(name)));
    }
    seen.push(name);
    if meta::text(container, "/image").is_empty() {
        problems.push(Problem::required(format!("{path}.image"), ""));
    }
    for (at, declared) in meta::items(container, "/ports").iter().enumerate() {
        problems.extend(port(&format!("{path}.ports[{at}].containerPort"), &declared["containerPort"]));
    }
    let policies = ["Always", "IfNotPresent", "Never"];
    let policy = meta::text(container, "/imagePullPolicy");
    if !policies.contains(&policy) {
        problems.push(Problem::unsupported(format!("{path}.imagePullPolicy"), &json!(policy), &policies));
    }
    problems
}

/// The complaint about a port number found at `field`.
pub(super) fn port(field: &str, number: &Value) -> Option<Problem> {
    match number.as_i64() {
        None | Some(0) => Some(Problem::required(field, "")),
        Some(1..=65_535) => None,
        Some(_) => Some(Problem::invalid(field, number, "must be between 1 and 65535, inclusive")),
    }
}
