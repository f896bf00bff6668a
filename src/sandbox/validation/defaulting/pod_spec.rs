//! Defaults of pod specs, which pods and the templates of workloads share.

use serde_json::{Map, Value, json};

use super::default;
use crate::sandbox::object::meta;

pub(super) fn default_pod_spec(spec: &mut Map<String, Value>) {
    default(spec, "restartPolicy", json!("Always"));
    default(spec, "dnsPolicy", json!("ClusterFirst"));
    default(spec, "schedulerName", json!("default-scheduler"));
    default(spec, "terminationGracePeriodSeconds", json!(30));
    default(spec, "securityContext", json!({}));
    if let Some(account) = spec.get("serviceAccountName").cloned() {
        default(spec, "serviceAccount", account);
    }
    for list in ["containers", "initContainers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(container) = container.as_object_mut() {
                default_container(container);
            }
        }
    }
    for volume in spec.get_mut("volumes").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(volume) = volume.as_object_mut() {
            default_volume(volume);
        }
    }
}

fn default_container(container: &mut Map<String, Value>) {
    let image = container.get("image").and_then(Value::as_str).unwrap_or_default();
    let policy = pull_policy(image);
    default(container, "terminationMessagePath", json!("/dev/termination-log"));
    default(container, "terminationMessagePolicy", json!("File"));
    default(container, "imagePullPolicy", json!(policy));
    default(container, "resources", json!({}));
    for port in container.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(port) = port.as_object_mut() {
            default(port, "protocol", json!("TCP"));
        }
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = container.get_mut(probe).and_then(Value::as_object_mut) {
            default_probe(probe);
        }
    }
    for hook in ["postStart", "preStop"] {
        let http =
            container.get_mut("lifecycle").and_then(|l| l.get_mut(hook)).and_then(|h| h.get_mut("httpGet"));
        if let Some(http) = http.and_then(Value::as_object_mut) {
            default(http, "path", json!("/"));
            default(http, "scheme", json!("HTTP"));
        }
    }
    for variable in container.get_mut("env").and_then(Value::as_array_mut).into_iter().flatten() {
        if variable.get("value").is_some_and(|v| v == "")
            && let Some(variable) = variable.as_object_mut()
        {
            variable.remove("value");
        }
        let field = variable.get_mut("valueFrom").and_then(|v| v.get_mut("fieldRef"));
        if let Some(field) = field.and_then(Value::as_object_mut) {
            default(field, "apiVersion", json!("v1"));
        }
        let resource = variable.get_mut("valueFrom").and_then(|v| v.get_mut("resourceFieldRef"));
        if let Some(resource) = resource.and_then(Value::as_object_mut) {
            default(resource, "divisor", json!("0"));
        }
    }
}

/// `Always` for the tag `latest`, which moves; `IfNotPresent` for all others.
fn pull_policy(image: &str) -> &'static str {
    if image.contains('@') {
        return "IfNotPresent";
    }
    let last = image.rsplit('/').next().unwrap_or_default();
    match last.split_once(':') {
        None | Some((_, "latest")) => "Always",
        Some(_) => "IfNotPresent",
    }
}

fn default_probe(probe: &mut Map<String, Value>) {
    default(probe, "timeoutSeconds", json!(1));
    default(probe, "periodSeconds", json!(10));
    default(probe, "successThreshold", json!(1));
    default(probe, "failureThreshold", json!(3));
    if probe.get("initialDelaySeconds") == Some(&json!(0)) {
        probe.remove("initialDelaySeconds");
    }
    if let Some(http) = probe.get_mut("httpGet").and_then(Value::as_object_mut) {
        default(http, "path", json!("/"));
        default(http, "scheme", json!("HTTP"));
    }
    if let Some(grpc) = probe.get_mut("grpc").and_then(Value::as_object_mut) {
        default(grpc, "service", json!(""));
    }
}

fn default_volume(volume: &mut Map<String, Value>) {
    if volume.len() == 1 && volume.contains_key("name") {
        volume.insert("emptyDir".to_owned(), json!({}));
    }
    for source in ["secret", "configMap", "downwardAPI", "projected"] {
        if let Some(source) = volume.get_mut(source).and_then(Value::as_object_mut) {
            default(source, "defaultMode", json!(420));
        }
    }
    let sources = volume.get_mut("projected").and_then(|p| p.get_mut("sources"));
    for source in sources.and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(token) = source.get_mut("serviceAccountToken").and_then(Value::as_object_mut) {
            default(token, "expirationSeconds", json!(3_600));
        }
        source.get_mut("downwardAPI").map(default_downward);
    }
    volume.get_mut("downwardAPI").map(default_downward);
    if let Some(path) = volume.get_mut("hostPath").and_then(Value::as_object_mut) {
        default(path, "type", json!(""));
    }
}

fn default_downward(source: &mut Value) {
    for item in source.get_mut("items").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(field) = item.get_mut("fieldRef").and_then(Value::as_object_mut) {
            default(field, "apiVersion", json!("v1"));
        }
    }
}

/// Sets requests from limits, and returns the QoS class; `so_far` is that of the previous containers. See
/// <https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/>.
pub(super) fn default_requests(container: &mut Value, so_far: &'static str) -> &'static str {
    let limits = container.pointer("/resources/limits").and_then(Value::as_object).cloned();
    if let Some(limits) = &limits {
        let resources = meta::object_mut(container, "resources");
        let requests = resources.entry("requests").or_insert_with(|| json!({}));
        for (name, value) in limits {
            if requests.get(name).is_none() {
                requests[name] = value.clone();
            }
        }
    }
    let resources = &container["resources"];
    let complete = limits.is_some_and(|l| l.contains_key("cpu") && l.contains_key("memory"))
        && resources.get("limits") == resources.get("requests");
    match (so_far, resources.get("requests")) {
        ("BestEffort", None) => "BestEffort",
        ("BestEffort" | "Guaranteed", Some(_)) if complete => "Guaranteed",
        _ => "Burstable",
    }
}
