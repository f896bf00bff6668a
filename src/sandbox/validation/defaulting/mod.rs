//! Defaults that the API server sets for omitted fields, by kind.
//!
//! Defaults apply to every write, so they must not change a field that is set.

mod pod_spec;
mod stateful_set;

use crate::sandbox::object::hash::fnv;
use serde_json::{Map, Value, json};

use crate::sandbox::object::meta;
pub(crate) use stateful_set::stateful_set;

/// Sets a field that is missing.
pub(super) fn default(map: &mut Map<String, Value>, field: &str, value: Value) {
    map.entry(field.to_owned()).or_insert(value);
}

pub(crate) fn deployment(object: &mut Value) {
    let spec = meta::object_mut(object, "spec");
    default(spec, "replicas", json!(1));
    default(spec, "revisionHistoryLimit", json!(10));
    default(spec, "progressDeadlineSeconds", json!(600));
    omit_zero(spec, "minReadySeconds");
    if spec.get("paused") == Some(&json!(false)) {
        spec.remove("paused");
    }
    let strategy = spec.entry("strategy").or_insert_with(|| json!({}));
    if let Some(strategy) = strategy.as_object_mut() {
        default(strategy, "type", json!("RollingUpdate"));
        if strategy["type"] == "RollingUpdate" {
            let rolling = strategy.entry("rollingUpdate").or_insert_with(|| json!({}));
            if let Some(rolling) = rolling.as_object_mut() {
                default(rolling, "maxUnavailable", json!("25%"));
                default(rolling, "maxSurge", json!("25%"));
            }
        }
    }
    template(spec);
    default_status(object, json!({}));
}

pub(crate) fn replica_set(object: &mut Value) {
    let spec = meta::object_mut(object, "spec");
    default(spec, "replicas", json!(1));
    omit_zero(spec, "minReadySeconds");
    template(spec);
    default_status(object, json!({"replicas": 0}));
}

pub(super) fn template(spec: &mut Map<String, Value>) {
    let template = spec.entry("template").or_insert_with(|| json!({}));
    default_section(template, "metadata");
    pod_spec::default_pod_spec(meta::object_mut(template, "spec"));
}

pub(crate) fn pod(object: &mut Value) {
    let spec = meta::object_mut(object, "spec");
    pod_spec::default_pod_spec(spec);
    default(spec, "enableServiceLinks", json!(true));
    default(spec, "preemptionPolicy", json!("PreemptLowerPriority"));
    default(spec, "priority", json!(0));
    let mut class = "BestEffort";
    for container in spec.get_mut("containers").and_then(Value::as_array_mut).into_iter().flatten() {
        class = pod_spec::default_requests(container, class);
    }
    let seconds = [("node.kubernetes.io/not-ready", 300), ("node.kubernetes.io/unreachable", 300)];
    let tolerations = seconds.map(|(key, seconds)| {
        json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds})
    });
    default(spec, "tolerations", json!(tolerations));
    default_status(object, json!({}));
    let status = meta::object_mut(object, "status");
    default(status, "phase", json!("Pending"));
    default(status, "qosClass", json!(class));
}

pub(crate) fn service(object: &mut Value) {
    let address = address(&format!("{}/{}", meta::namespace(object), meta::name(object)));
    let spec = meta::object_mut(object, "spec");
    default(spec, "type", json!("ClusterIP"));
    default(spec, "sessionAffinity", json!("None"));
    let external = spec["type"] == "ExternalName";
    if !external {
        if spec.get("clusterIP").is_none_or(|ip| ip == "") {
            spec.insert("clusterIP".to_owned(), json!(address));
        }
        let ip = spec["clusterIP"].clone();
        default(spec, "clusterIPs", json!([ip]));
        default(spec, "ipFamilies", json!(["IPv4"]));
        default(spec, "ipFamilyPolicy", json!("SingleStack"));
        default(spec, "internalTrafficPolicy", json!("Cluster"));
    }
    let open = spec["type"] == "NodePort" || spec["type"] == "LoadBalancer";
    if open {
        default(spec, "externalTrafficPolicy", json!("Cluster"));
    } else {
        // A field that depends on the type is removed with it.
        spec.remove("externalTrafficPolicy");
    }
    if spec["type"] == "LoadBalancer" {
        default(spec, "allocateLoadBalancerNodePorts", json!(true));
    } else {
        spec.remove("allocateLoadBalancerNodePorts");
    }
    for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(port) = port.as_object_mut() else { continue };
        default(port, "protocol", json!("TCP"));
        let number = port.get("port").cloned().unwrap_or_default();
        if !external && port.get("targetPort").is_none_or(|t| *t == json!(0) || *t == json!("")) {
            port.insert("targetPort".to_owned(), number.clone());
        }
        if open && port.get("nodePort").is_none_or(|n| *n == json!(0)) {
            let salt = format!("{address}:{number}");
            port.insert("nodePort".to_owned(), json!(30_000 + fnv(&salt) % 2_768));
        }
    }
    if spec["sessionAffinity"] == "ClientIP" {
        default(spec, "sessionAffinityConfig", json!({"clientIP": {"timeoutSeconds": 10_800}}));
    }
    default_status(object, json!({"loadBalancer": {}}));
}

pub(crate) fn lease(object: &mut Value) {
    meta::object_mut(object, "spec");
}

pub(crate) fn namespace(object: &mut Value) {
    let name = meta::name(object).to_owned();
    meta::set_label(object, "kubernetes.io/metadata.name", &name);
    let spec = meta::object_mut(object, "spec");
    default(spec, "finalizers", json!(["kubernetes"]));
    default(meta::object_mut(object, "status"), "phase", json!("Active"));
}

pub(crate) fn access_review(object: &mut Value) {
    object["status"] = json!({"allowed": true});
}

/// Sets one rule that allows everything.
pub(crate) fn rules_review(object: &mut Value) {
    let all = json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]});
    object["spec"] = json!({});
    object["status"] = json!({"resourceRules": [all], "nonResourceRules": [], "incomplete": false});
}

fn default_section(object: &mut Value, field: &str) {
    meta::object_mut(object, field);
}

pub(super) fn default_status(object: &mut Value, status: Value) {
    if let Some(object) = object.as_object_mut() {
        default(object, "status", status);
    }
}

pub(super) fn omit_zero(map: &mut Map<String, Value>, field: &str) {
    if map.get(field) == Some(&json!(0)) {
        map.remove(field);
    }
}

/// A cluster IP of the range 10.96.0.0/12, derived from the Service's name.
fn address(name: &str) -> String {
    let hash = fnv(name);
    format!("10.{}.{}.{}", 96 + (hash >> 16) % 16, (hash >> 8) % 256, 1 + hash % 254)
}
