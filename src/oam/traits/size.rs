//! Traits that set the number of pods and how they are replaced.

use serde_json::{Value, json};

use crate::oam::object::{list, text};
use crate::oam::render::Rendered;
use crate::oam::traits::context::TraitContext;
use crate::oam::traits::error::{TraitError, refused};
use crate::oam::traits::outputs::{TraitOutput, add_output};
use crate::oam::traits::patch::{self, Mark, shown};
use crate::oam::traits::{TraitKind, workload};

/// Kinds of workload without a number of replicas.
const UNSCALED: [&str; 3] = ["DaemonSet", "Job", "CronJob"];

fn require_replicas(workload: &Value) -> Result<(), TraitError> {
    let kind = workload::kind(workload);
    if UNSCALED.contains(&kind) {
        let hint = match kind {
            "DaemonSet" => "omit it: a DaemonSet has a pod on each node",
            _ => "the number of pods at a time is `count` of the component",
        };
        return Err(refused(format!("cannot apply to a {kind}, which has no `spec.replicas`"), hint));
    }
    Ok(())
}

/// `scaler`: the last one wins.
pub(super) fn scaler(properties: &Value, workload: &mut Value) -> Result<(), TraitError> {
    require_replicas(workload)?;
    let patch = json!({"replicas": properties["replicas"]});
    Ok(patch::merge(workload, &["spec"], &patch, &[("replicas", Mark::Replace)])?)
}

/// Rejects a trait for a kind other than the workload's.
fn require_kind(properties: &Value, workload: &Value) -> Result<(), TraitError> {
    let wanted = text(properties, "targetKind");
    let kind = workload::kind(workload);
    if wanted == kind {
        return Ok(());
    }
    let message = format!("has `targetKind: {wanted}`, but the component is a {kind}");
    Err(refused(message, format!("set `targetKind: {kind}`")))
}

fn require_bounds(properties: &Value) -> Result<(), TraitError> {
    let [min, max] = ["min", "max"].map(|field| properties[field].as_i64().unwrap_or_default());
    if min <= max {
        return Ok(());
    }
    Err(refused(format!("has `min: {min}` above `max: {max}`"), "the defaults are `min: 1` and `max: 10`"))
}

fn scale_target(properties: &Value, context: &TraitContext<'_>) -> Value {
    json!({
        "apiVersion": properties["targetAPIVersion"],
        "kind": properties["targetKind"],
        "name": context.component,
    })
}

/// `cpuscaler`: a HorizontalPodAutoscaler by cpu.
pub(super) fn cpu_scaler(
    properties: &Value,
    rendered: &mut Rendered,
    context: &TraitContext<'_>,
) -> Result<(), TraitError> {
    require_replicas(&rendered.workload)?;
    require_kind(properties, &rendered.workload)?;
    require_bounds(properties)?;
    let spec = json!({
        "scaleTargetRef": scale_target(properties, context),
        "minReplicas": properties["min"],
        "maxReplicas": properties["max"],
        "targetCPUUtilizationPercentage": properties["cpuUtil"],
    });
    let object =
        TraitOutput::new("autoscaling/v1", "HorizontalPodAutoscaler", context.component).with("spec", spec);
    add_output(rendered, context, TraitKind::CpuScaler, "cpuscaler", object)
}

/// `hpa`: a HorizontalPodAutoscaler by cpu, and by memory and metrics of the pods.
pub(super) fn hpa(
    properties: &Value,
    rendered: &mut Rendered,
    context: &TraitContext<'_>,
) -> Result<(), TraitError> {
    require_replicas(&rendered.workload)?;
    require_kind(properties, &rendered.workload)?;
    require_bounds(properties)?;
    let mut metrics = vec![resource_metric("cpu", &properties["cpu"])?];
    if let Some(memory) = properties.get("mem") {
        metrics.push(resource_metric("memory", memory)?);
    }
    metrics.extend(list(properties, "podCustomMetrics").iter().map(|metric| {
        json!({"type": "Pods", "pods": {
            "metric": {"name": metric["name"]},
            "target": {"type": "AverageValue", "averageValue": metric["value"]},
        }})
    }));
    let spec = json!({
        "scaleTargetRef": scale_target(properties, context),
        "minReplicas": properties["min"],
        "maxReplicas": properties["max"],
        "metrics": metrics,
    });
    let object =
        TraitOutput::new("autoscaling/v2", "HorizontalPodAutoscaler", context.component).with("spec", spec);
    add_output(rendered, context, TraitKind::Hpa, "hpa", object)
}

fn resource_metric(name: &str, metric: &Value) -> Result<Value, TraitError> {
    let target = match text(metric, "type") {
        // An absolute value is a quantity.
        "AverageValue" => json!({"type": "AverageValue", "averageValue": metric["value"].to_string()}),
        _ if metric["value"].as_i64().is_some_and(|value| value > i64::from(i32::MAX)) => {
            return Err(refused(
                format!("has {} as a percentage of the requested {name}", shown(&metric["value"])),
                "for an amount, set `type: AverageValue`",
            ));
        }
        _ => json!({"type": "Utilization", "averageUtilization": metric["value"]}),
    };
    Ok(json!({"type": "Resource", "resource": {"name": name, "target": target}}))
}

/// Checks that a surge or unavailable pods are allowed; a DaemonSet supports only one of them.
fn check_surge(kind: &str, rolling: &Value) -> Result<(), TraitError> {
    let is_zero = |field: &str| text(rolling, field).trim_end_matches('%').parse() == Ok(0_u32);
    match (kind, is_zero("maxSurge"), is_zero("maxUnavailable")) {
        ("Deployment" | "DaemonSet", true, true) => {
            Err(refused("has both `maxSurge` and `maxUnavailable` at zero", "set one of them above zero"))
        }
        ("DaemonSet", false, false) => Err(refused(
            "has both `maxSurge` and `maxUnavailable` above zero, which a DaemonSet does not support",
            "set `rollingStrategy: {maxSurge: \"0%\"}`, or `maxUnavailable: \"0%\"`; the default of both is 25%",
        )),
        _ => Ok(()),
    }
}

/// `k8s-update-strategy`: the last one wins.
pub(super) fn update_strategy(properties: &Value, workload: &mut Value) -> Result<(), TraitError> {
    let kind = workload::kind(workload);
    if !["Deployment", "StatefulSet", "DaemonSet"].contains(&kind) {
        let hint = match kind {
            "CloneSet" => "omit it: the strategy is `updateStrategyType` of the component",
            _ => "omit it: only a Deployment, a StatefulSet or a DaemonSet has such a strategy",
        };
        return Err(refused(format!("cannot apply to a {kind}"), hint));
    }
    require_kind(properties, workload)?;
    let strategy = &properties["strategy"];
    let rolling = &strategy["rollingStrategy"];
    let (strategy_type, kind) = (text(strategy, "type"), text(properties, "targetKind"));
    let surge = || json!({"maxSurge": rolling["maxSurge"], "maxUnavailable": rolling["maxUnavailable"]});
    let (field, parameters) = match (kind, strategy_type) {
        ("Deployment", "OnDelete") | ("StatefulSet" | "DaemonSet", "Recreate") => {
            return Err(refused(
                format!("has `type: {strategy_type}`, which a {kind} does not support"),
                match kind {
                    "Deployment" => "a Deployment has `RollingUpdate` or `Recreate`".to_owned(),
                    _ => format!("a {kind} has `RollingUpdate` or `OnDelete`"),
                },
            ));
        }
        ("Deployment", _) => ("strategy", surge()),
        ("StatefulSet", _) => ("updateStrategy", json!({"partition": rolling["partition"]})),
        _ => ("updateStrategy", surge()),
    };
    let mut value = json!({"type": strategy_type});
    if strategy_type == "RollingUpdate" {
        check_surge(kind, rolling)?;
        value["rollingUpdate"] = parameters;
    }
    let patch = json!({field: value});
    Ok(patch::merge(
        workload,
        &["spec"],
        &patch,
        &[("strategy", Mark::Replace), ("updateStrategy", Mark::Replace)],
    )?)
}
