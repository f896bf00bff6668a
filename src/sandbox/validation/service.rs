//! Rules of Services.

use serde_json::{Value, json};

use super::{containers, names};
use crate::sandbox::object::field_error::{FieldError, GoSyntax};
use crate::sandbox::object::kind::NameRule;
use crate::sandbox::object::meta;

pub(crate) fn service(object: &Value, before: Option<&Value>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let spec = &object["spec"];
    let ports = meta::items(spec, "/ports");
    let headless = meta::text(spec, "/clusterIP") == "None";
    let external = meta::text(spec, "/type") == "ExternalName";
    if ports.is_empty() && !headless && !external {
        errors.push(FieldError::required("spec.ports", ""));
    }
    errors.extend(names::labels("spec.selector", spec.get("selector").and_then(Value::as_object)));
    let affinities = ["ClientIP", "None"];
    if !affinities.contains(&meta::text(spec, "/sessionAffinity")) {
        errors.push(FieldError::unsupported("spec.sessionAffinity", &spec["sessionAffinity"], &affinities));
    }
    let mut seen: Vec<&str> = Vec::new();
    for (at, port) in ports.iter().enumerate() {
        errors.extend(self::port(&format!("spec.ports[{at}]"), port, ports.len(), &seen));
        seen.push(meta::text(port, "/name"));
    }
    errors.extend(duplicates(ports));
    let kinds = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    let kind = meta::text(spec, "/type");
    if !kinds.contains(&kind) {
        errors.push(FieldError::unsupported("spec.type", &json!(kind), &kinds));
    }
    let ingress = meta::items(object, "/status/loadBalancer/ingress");
    if before.is_some() && !ingress.is_empty() && kind != "LoadBalancer" {
        let detail = "may only be used when `spec.type` is 'LoadBalancer'";
        errors.push(FieldError::forbidden("status.loadBalancer.ingress", detail));
    }
    if matches!(kind, "NodePort" | "LoadBalancer") {
        errors.extend(ports.iter().enumerate().filter_map(|(at, port)| node_port(at, &port["nodePort"])));
    }
    errors.extend(addresses(spec, before.map(|before| &before["spec"])));
    errors
}

/// Drops the address of a Service that no load balancer serves any longer.
pub(crate) fn forget_address(object: &mut Value, before: Option<&Value>) {
    let had = before.is_some_and(|before| before["spec"]["type"] == "LoadBalancer");
    if had && object["spec"]["type"] != "LoadBalancer" {
        object["status"]["loadBalancer"] = json!({});
    }
}

fn port(path: &str, port: &Value, count: usize, seen: &[&str]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let name = meta::text(port, "/name");
    if name.is_empty() && count > 1 {
        errors.push(FieldError::required(format!("{path}.name"), ""));
    } else if !name.is_empty() {
        if let Some(rule) = names::name(NameRule::Label, name) {
            errors.push(FieldError::invalid(format!("{path}.name"), &json!(name), rule));
        }
        if seen.contains(&name) {
            errors.push(FieldError::duplicate(format!("{path}.name"), &json!(name)));
        }
    }
    errors.extend(number(&format!("{path}.port"), &port["port"]));
    errors.extend(containers::protocol(path, port));
    match &port["targetPort"] {
        Value::String(name) => {
            let rule = names::port_name(name);
            errors.extend(
                rule.map(|rule| FieldError::invalid(format!("{path}.targetPort"), &json!(name), rule)),
            );
        }
        target => errors.extend(number(&format!("{path}.targetPort"), target)),
    }
    errors
}

fn number(field: &str, number: &Value) -> Option<FieldError> {
    let good = number.as_i64().is_none_or(|number| (1..=65_535).contains(&number));
    (!good).then(|| FieldError::invalid(field, number, "must be between 1 and 65535, inclusive"))
}

/// The default of the API server's `--service-node-port-range`.
fn node_port(at: usize, number: &Value) -> Option<FieldError> {
    let good = number.as_i64().is_none_or(|number| (30_000..=32_767).contains(&number));
    let detail = "provided port is not in the valid range. The range of valid ports is 30000-32767";
    (!good).then(|| FieldError::invalid(format!("spec.ports[{at}].nodePort"), number, detail))
}

/// Ports must differ by number or protocol.
fn duplicates(ports: &[Value]) -> Vec<FieldError> {
    let same = |one: &Value, other: &Value| ["port", "protocol"].iter().all(|f| one[*f] == other[*f]);
    let doubled = ports.iter().enumerate().filter(|(at, port)| ports[..*at].iter().any(|p| same(p, port)));
    doubled
        .map(|(at, port)| {
            let shown = format!(
                "{{\"Name\":\"\",\"Protocol\":{},\"AppProtocol\":null,\"Port\":{},\"TargetPort\":0,\"NodePort\":0}}",
                port["protocol"], port["port"]
            );
            FieldError::duplicate(format!("spec.ports[{at}]"), &GoSyntax(shown))
        })
        .collect()
}

fn addresses(spec: &Value, before: Option<&Value>) -> Option<FieldError> {
    let (given, all) = (meta::text(spec, "/clusterIP"), &spec["clusterIPs"]);
    let field = "spec.clusterIPs[0]";
    if let Some(before) = before
        && before["type"] == spec["type"]
        && before["clusterIP"] != spec["clusterIP"]
    {
        let all = if before["clusterIPs"] == *all { &json!([given]) } else { all };
        return Some(FieldError::invalid(field, all, "may not change once set"));
    }
    let is_address = given.is_empty() || given == "None" || given.parse::<std::net::IpAddr>().is_ok();
    let detail = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
    (!is_address).then(|| FieldError::invalid(field, &json!(given), detail))
}
