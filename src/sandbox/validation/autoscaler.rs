//! HorizontalPodAutoscalers: defaults, rules, and the older of their two versions.
//!
//! Objects are stored in version 2. Version 1 has one metric, CPU utilization, and stores all others in annotations.
//! See <https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#api-object>.

use k8s_openapi::api::autoscaling::v1;
use serde_json::{Map, Value, json};

use super::defaulting::{default as set, default_status};
use super::typed;
use crate::sandbox::object::field_error::FieldError;
use crate::sandbox::object::kind::Decoded;
use crate::sandbox::object::meta;

/// The annotations of version 1 for data without a field.
const KEPT: [(&str, &str); 2] = [
    ("metrics", "autoscaling.alpha.kubernetes.io/metrics"),
    ("behavior", "autoscaling.alpha.kubernetes.io/behavior"),
];
const TARGET: &str = "targetCPUUtilizationPercentage";

/// Decodes an object of version 1, and converts it.
pub(crate) fn check_v1(object: Value) -> Result<Decoded, String> {
    let mut decoded = typed::check::<v1::HorizontalPodAutoscaler>(object)?;
    to_v2(&mut decoded.object);
    Ok(decoded)
}

fn to_v2(object: &mut Value) {
    object["apiVersion"] = json!("autoscaling/v2");
    let mut kept: Vec<(&str, Value)> = Vec::new();
    if let Some(annotations) = object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        for (field, annotation) in KEPT {
            let text = annotations.remove(annotation);
            let value =
                text.as_ref().and_then(Value::as_str).and_then(|text| serde_json::from_str(text).ok());
            kept.extend(value.map(|value| (field, value)));
        }
        if annotations.is_empty() {
            meta::metadata(object).remove("annotations");
        }
    }
    let spec = meta::object_mut(object, "spec");
    let mut metrics: Vec<Value> =
        spec.remove(TARGET).map(|percent| processor_metric(&percent)).into_iter().collect();
    for (field, value) in kept {
        match value {
            Value::Array(more) if field == "metrics" => metrics.extend(more),
            value => drop(spec.insert(field.to_owned(), value)),
        }
    }
    if !metrics.is_empty() {
        spec.insert("metrics".to_owned(), Value::Array(metrics));
    }
    if let Some(status) = object.get_mut("status") {
        *status = status_in_v2(status);
    }
}

fn status_in_v2(status: &Value) -> Value {
    let mut converted = status.clone();
    if let Some(map) = converted.as_object_mut() {
        map.remove("currentCPUUtilizationPercentage");
        set(map, "currentMetrics", Value::Null);
        if map.get("currentReplicas") == Some(&json!(0)) {
            map.remove("currentReplicas");
        }
    }
    converted
}

/// Converts a stored object to version 1.
pub(crate) fn to_v1(mut object: Value) -> Value {
    let spec = meta::object_mut(&mut object, "spec");
    let mut kept = Map::new();
    if let Some(Value::Array(mut metrics)) = spec.remove("metrics") {
        let percent = |metric: &Value| metric.pointer("/resource/target/averageUtilization").cloned();
        if let Some(at) = metrics.iter().position(|m| percent(m).is_some_and(|p| *m == processor_metric(&p)))
            && let Some(percent) = percent(&metrics.remove(at))
        {
            spec.insert(TARGET.to_owned(), percent);
        }
        if !metrics.is_empty() {
            kept.insert("metrics".to_owned(), Value::Array(metrics));
        }
    }
    kept.extend(spec.remove("behavior").map(|behavior| ("behavior".to_owned(), behavior)));
    for (field, annotation) in KEPT {
        if let Some(value) = kept.get(field) {
            meta::set_annotation(&mut object, annotation, &value.to_string());
        }
    }
    if let Some(status) = object.get_mut("status").and_then(Value::as_object_mut) {
        status.remove("currentMetrics");
        status.remove("conditions");
        set(status, "currentReplicas", json!(0));
    }
    object
}

fn processor_metric(percent: &Value) -> Value {
    let target = json!({"type": "Utilization", "averageUtilization": percent});
    json!({"type": "Resource", "resource": {"name": "cpu", "target": target}})
}

pub(crate) fn default(object: &mut Value) {
    let spec = meta::object_mut(object, "spec");
    set(spec, "minReplicas", json!(1));
    set(spec, "metrics", json!([processor_metric(&json!(80))]));
    if let Some(behavior) = spec.get_mut("behavior").and_then(Value::as_object_mut) {
        default_behavior(behavior);
    }
    default_status(object, json!({"desiredReplicas": 0, "currentMetrics": null}));
    meta::object_mut(object, "status").entry("currentMetrics").or_insert(Value::Null);
}

fn default_behavior(behavior: &mut Map<String, Value>) {
    let policy = |kind: &str, value: i64| json!({"type": kind, "value": value, "periodSeconds": 15});
    let growing = json!({
        "stabilizationWindowSeconds": 0,
        "selectPolicy": "Max",
        "policies": [policy("Pods", 4), policy("Percent", 100)],
    });
    let shrinking = json!({"selectPolicy": "Max", "policies": [policy("Percent", 100)]});
    for (direction, defaults) in [("scaleUp", growing), ("scaleDown", shrinking)] {
        let rules = behavior.entry(direction).or_insert_with(|| json!({}));
        if let (Some(rules), Value::Object(defaults)) = (rules.as_object_mut(), defaults) {
            for (field, value) in defaults {
                set(rules, &field, value);
            }
        }
    }
}

pub(crate) fn validate(object: &Value, _before: Option<&Value>) -> Vec<FieldError> {
    let spec = &object["spec"];
    let (least, most) = (meta::number(spec, "/minReplicas"), meta::number(spec, "/maxReplicas"));
    let mut errors = Vec::new();
    let is_external = |metric: &Value| ["Object", "External"].contains(&meta::text(metric, "/type"));
    let metrics = meta::items(spec, "/metrics");
    if least < 1 {
        let detail = "must be greater than or equal to 1";
        errors.push(FieldError::invalid("spec.minReplicas", &least, detail));
    }
    if most < 1 {
        errors.push(FieldError::required("spec.maxReplicas", "must be set and greater than 0"));
    }
    if most < least {
        let detail = "must be greater than or equal to `minReplicas`";
        errors.push(FieldError::invalid("spec.maxReplicas", &most, detail));
    }
    for field in ["kind", "name"] {
        if meta::text(spec, &format!("/scaleTargetRef/{field}")).is_empty() {
            errors.push(FieldError::required(format!("spec.scaleTargetRef.{field}"), ""));
        }
    }
    let version = meta::text(spec, "/scaleTargetRef/apiVersion");
    if version.is_empty() {
        let detail = "apiVersion must specify API group";
        errors.push(FieldError::invalid("spec.scaleTargetRef.apiVersion", &json!(version), detail));
    }
    for (at, metric) in metrics.iter().enumerate() {
        errors.extend(self::metric(&format!("spec.metrics[{at}]"), metric));
    }
    if least == 0 && !metrics.iter().any(is_external) {
        let detail =
            "must specify at least one Object or External metric to support scaling to zero replicas";
        errors.push(FieldError::forbidden("spec.metrics", detail));
    }
    errors
}

fn metric(path: &str, metric: &Value) -> Option<FieldError> {
    let known = ["ContainerResource", "External", "Object", "Pods", "Resource"];
    let kind = meta::text(metric, "/type");
    if !known.contains(&kind) {
        return Some(FieldError::unsupported(format!("{path}.type"), &json!(kind), &known));
    }
    let mut source = kind.to_owned();
    source[..1].make_ascii_lowercase();
    let Some(given) = metric.get(&source) else {
        let detail = "must populate information for the given metric source";
        return Some(FieldError::required(format!("{path}.{source}"), detail));
    };
    let target = &given["target"];
    let is_set =
        ["averageUtilization", "averageValue", "value"].iter().any(|field| !target[*field].is_null());
    let detail = "must set either a target raw value or a target utilization";
    let field = format!("{path}.{source}.target.averageUtilization");
    (kind == "Resource" && !is_set).then(|| FieldError::required(field, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_1_keeps_unknown_fields_in_annotations() {
        let memory = json!({"type": "Resource", "resource": {"name": "memory", "target": {"type": "Utilization", "averageUtilization": 70}}});
        let object = json!({
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "a"},
            "spec": {
                "maxReplicas": 3,
                "metrics": [processor_metric(&json!(50)), memory],
                "behavior": {"scaleDown": {"stabilizationWindowSeconds": 1}},
            },
        });
        let mut older = to_v1(object.clone());
        assert_eq!(older["spec"], json!({"maxReplicas": 3, "targetCPUUtilizationPercentage": 50}));
        to_v2(&mut older);
        assert_eq!(older, object);
    }
}
