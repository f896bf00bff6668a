//! NetworkPolicies: defaults and rules.
//!
//! See <https://kubernetes.io/docs/concepts/services-networking/network-policies/>.

use serde_json::{Value, json};

use super::defaulting::default as set;
use crate::sandbox::object::field_error::FieldError;
use crate::sandbox::object::meta;

pub(crate) fn default(object: &mut Value) {
    let spec = meta::object_mut(object, "spec");
    set(spec, "podSelector", json!({}));
    for direction in ["ingress", "egress"] {
        for rule in spec.get_mut(direction).and_then(Value::as_array_mut).into_iter().flatten() {
            for port in rule.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
                if let Some(port) = port.as_object_mut() {
                    set(port, "protocol", json!("TCP"));
                }
            }
        }
    }
    let has_egress = spec.get("egress").and_then(Value::as_array).is_some_and(|rules| !rules.is_empty());
    let types = if has_egress { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) };
    set(spec, "policyTypes", types);
}

pub(crate) fn validate(object: &Value, _before: Option<&Value>) -> Vec<FieldError> {
    let spec = &object["spec"];
    let mut errors = Vec::new();
    for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
        for (at, rule) in meta::items(spec, &format!("/{direction}")).iter().enumerate() {
            let path = format!("spec.{direction}[{at}]");
            for (index, port) in meta::items(rule, "/ports").iter().enumerate() {
                if port["port"].as_i64().is_some_and(|number| !(1..=65_535).contains(&number)) {
                    let detail = "must be between 1 and 65535, inclusive";
                    let field = format!("{path}.ports[{index}].port");
                    errors.push(FieldError::invalid(field, &port["port"], detail));
                }
            }
            for (index, peer) in meta::items(rule, &format!("/{peers}")).iter().enumerate() {
                errors.extend(self::peer(&format!("{path}.{peers}[{index}]"), peer));
            }
        }
    }
    let known = ["Ingress", "Egress"];
    for (at, given) in meta::items(spec, "/policyTypes").iter().enumerate() {
        if !known.iter().any(|known| given == known) {
            errors.push(FieldError::unsupported(format!("spec.policyTypes[{at}]"), given, &known));
        }
    }
    errors
}

fn peer(path: &str, peer: &Value) -> Option<FieldError> {
    if peer.as_object().is_none_or(serde_json::Map::is_empty) {
        return Some(FieldError::required(path, "must specify a peer"));
    }
    let block = meta::text(peer, "/ipBlock/cidr");
    let is_block = |text: &str| {
        let (address, bits) = text.split_once('/')?;
        let most = if address.parse::<std::net::IpAddr>().ok()?.is_ipv4() { 32 } else { 128 };
        bits.parse::<u8>().ok().filter(|bits| *bits <= most)
    };
    let detail = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
    (peer.get("ipBlock").is_some() && is_block(block).is_none())
        .then(|| FieldError::invalid(format!("{path}.ipBlock.cidr"), &json!(block), detail))
}
