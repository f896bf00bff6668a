//! Quotas: compares what the runs need at their peak with what is left.
//!
//! A quota whose scope cannot be decided from a pod is not evaluated.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Pod, ResourceQuota};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::ResourceExt;
use serde_json::Value;

use crate::cluster::service::Change;
use crate::driver::planned_component::PlannedComponent;
use crate::oam::kind::WorkloadKind;
use crate::oam::quantity::{self, Counts};
use crate::plan::action::Action;
use crate::plan::replica_split::ReplicaSplit;
use crate::plan::step::Step;

/// One unit, in billionths.
const ONE: i128 = 1_000_000_000;

/// Amounts in billionths, by resource name as in quotas.
type Amounts = BTreeMap<String, i128>;

/// The most that a component's run takes in addition to what is in use.
#[derive(Debug, Default)]
pub(super) struct Demand {
    /// Pods and the resources that they request.
    pods: Amounts,
    /// Other objects.
    objects: Amounts,
    /// Whether its pods have no requests and limits.
    is_best_effort: bool,
}

/// The demand of a run. `pod` is the target's pod after admission; without it, the template is used as it was rendered.
pub(super) fn demand(planned: &PlannedComponent, pod: Option<&Pod>) -> Demand {
    let (source, target) = planned.workloads();
    let template =
        |workload: Option<Value>| workload.map(|workload| workload["spec"]["template"]["spec"].clone());
    let admitted = pod.and_then(|pod| serde_json::to_value(&pod.spec).ok());
    let target = of_pod(&admitted.or_else(|| template(target)).unwrap_or_default());
    let source = template(source).map_or_else(|| target.clone(), |spec| of_pod(&spec));
    let desired = &planned.prepared.desired;
    let ReplicaSplit { target: targets, sources, .. } =
        ReplicaSplit::of(&planned.observed, desired.kind, &desired.target);
    let sum = |name: &str, targets: u32, sources: u32| {
        let of = |amounts: &Amounts| amounts.get(name).copied().unwrap_or_default();
        of(&target) * i128::from(targets) + of(&source) * i128::from(sources)
    };
    let most = |name: &String| {
        let peak = planned.steps.iter().map(|step| sum(name, step.target, step.sources)).max();
        (name.clone(), peak.unwrap_or_default() - sum(name, targets, sources))
    };
    let pods = target.keys().chain(source.keys()).map(most).filter(|(_, more)| *more > 0).collect();
    let is_best_effort = !target.keys().any(|name| name.contains('.') && !name.starts_with("count/"));
    Demand { pods, objects: objects(planned), is_best_effort }
}

/// The objects that a run creates.
fn objects(planned: &PlannedComponent) -> Amounts {
    let prepared = &planned.prepared;
    let mut objects = Amounts::new();
    let mut add = |name: &str| *objects.entry(name.to_owned()).or_default() += ONE;
    if planned.steps.iter().any(|step| step.step == Step::Act(Action::Create)) {
        match prepared.desired.kind {
            WorkloadKind::Deployment => {
                add("count/deployments.apps");
                add("count/replicasets.apps");
            }
            WorkloadKind::CloneSet => add("count/clonesets.apps.kruise.io"),
            WorkloadKind::StatefulSet => add("count/statefulsets.apps"),
        }
    }
    if prepared.new_revision.is_some() {
        add("count/controllerrevisions.apps");
    }
    if prepared.record.is_none() {
        add("count/configmaps");
        add("configmaps");
    }
    for _ in prepared.service_changes.iter().filter(|change| matches!(change, Change::Create(_))) {
        add("count/services");
        add("services");
    }
    objects
}

/// What one pod counts for in a quota.
fn of_pod(spec: &Value) -> Amounts {
    let mut amounts = Amounts::from([("pods".to_owned(), ONE), ("count/pods".to_owned(), ONE)]);
    let list = |field: &str| spec[field].as_array().cloned().unwrap_or_default();
    let (helpers, first): (Vec<Value>, Vec<Value>) =
        list("initContainers").into_iter().partition(|one| one["restartPolicy"] == "Always");
    let mut running = Amounts::new();
    for container in list("containers").iter().chain(&helpers) {
        for (name, amount) in of_container(container) {
            *running.entry(name).or_default() += amount;
        }
    }
    // Init containers run one at a time, before the others.
    for container in &first {
        for (name, amount) in of_container(container) {
            let known = running.entry(name).or_default();
            *known = amount.max(*known);
        }
    }
    for (resource, amount) in spec["overhead"].as_object().into_iter().flatten() {
        for kind in ["requests", "limits"] {
            if let (Some(known), Some(amount)) = (
                running.get_mut(&format!("{kind}.{resource}")),
                amount.as_str().and_then(quantity::parse_quantity),
            ) {
                *known += amount;
            }
        }
    }
    for resource in ["cpu", "memory"] {
        if let Some(amount) = running.get(&format!("requests.{resource}")).copied() {
            amounts.insert(resource.to_owned(), amount);
        }
    }
    amounts.extend(running);
    amounts
}

/// The requests and limits of a container: requests default to its limits.
fn of_container(container: &Value) -> Amounts {
    let resources = &container["resources"];
    let amounts = |field: &str| {
        let entries = resources[field].as_object().into_iter().flatten();
        let amount =
            |(name, text): (&String, &Value)| Some((name.clone(), quantity::parse_quantity(text.as_str()?)?));
        entries.filter_map(amount).collect::<Amounts>()
    };
    let limits = amounts("limits");
    let mut requests = limits.clone();
    requests.extend(amounts("requests"));
    let named = |kind: &str, amounts: Amounts| {
        amounts.into_iter().map(|(name, amount)| (format!("{kind}.{name}"), amount)).collect::<Vec<_>>()
    };
    named("requests", requests).into_iter().chain(named("limits", limits)).collect()
}

/// Describes the quotas that the runs would exceed if all reached their peak at once.
pub(super) fn exceeded(quotas: &[ResourceQuota], demands: &[Demand]) -> Vec<String> {
    quotas.iter().flat_map(|quota| exceeded_of(quota, demands)).collect()
}

fn exceeded_of(quota: &ResourceQuota, demands: &[Demand]) -> Vec<String> {
    let counted: Vec<&Demand> = demands.iter().filter(|demand| covers(quota, demand)).collect();
    let is_scoped = quota.spec.as_ref().is_some_and(|spec| spec.scopes.is_some());
    let Some(status) = &quota.status else { return Vec::new() };
    let hard = status.hard.iter().flatten();
    let exceeded = hard.filter_map(|(name, Quantity(hard))| {
        let of = |amounts: &Amounts| amounts.get(name).copied().unwrap_or_default();
        let objects = |demand: &Demand| if is_scoped { 0 } else { of(&demand.objects) };
        let more: i128 = counted.iter().map(|demand| of(&demand.pods) + objects(demand)).sum();
        let used = status.used.as_ref().and_then(|used| used.get(name));
        let used = used.map_or(Some(0), |Quantity(used)| quantity::parse_quantity(used))?;
        let hard = quantity::parse_quantity(hard)?;
        let counts = if name.ends_with("memory") { Counts::Bytes } else { Counts::Things };
        let shown = |amount| quantity::format_quantity(amount, counts);
        (more > 0 && used + more > hard).then(|| {
            format!(
                "resourcequota `{}` limits `{name}` to {}: {} in use, and the run needs up to {} more",
                quota.name_any(),
                shown(hard),
                shown(used),
                shown(more)
            )
        })
    });
    exceeded.collect()
}

/// Whether a quota counts the pods of a run, as far as can be decided from its scopes.
fn covers(quota: &ResourceQuota, demand: &Demand) -> bool {
    let Some(spec) = &quota.spec else { return false };
    let of_scope = |scope: &String| match scope.as_str() {
        "NotTerminating" => true,
        "BestEffort" => demand.is_best_effort,
        "NotBestEffort" => !demand.is_best_effort,
        _ => false,
    };
    spec.scope_selector.is_none() && spec.scopes.iter().flatten().all(of_scope)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn quota(spec: &Value, used: &Value) -> ResourceQuota {
        serde_json::from_value(json!({
            "metadata": {"name": "few"}, "spec": spec, "status": {"hard": spec["hard"], "used": used},
        }))
        .unwrap()
    }

    fn demand(pods: &[(&str, &str)]) -> Demand {
        let amount =
            |(name, text): &(&str, &str)| ((*name).to_owned(), quantity::parse_quantity(text).unwrap());
        Demand { pods: pods.iter().map(amount).collect(), ..Demand::default() }
    }

    #[test]
    fn pod_amounts_match_those_of_the_server() {
        let spec = json!({
            "initContainers": [
                {"resources": {"requests": {"cpu": "2"}}},
                {"restartPolicy": "Always", "resources": {"requests": {"cpu": "100m"}}},
            ],
            "containers": [
                {"resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}},
                {"resources": {"requests": {"nvidia.com/gpu": "1"}}},
            ],
            "overhead": {"memory": "1Mi"},
        });
        let amounts = of_pod(&spec);
        let amount =
            |name: &str| amounts.get(name).map(|amount| quantity::format_quantity(*amount, Counts::Bytes));
        for (name, expected) in [
            ("pods", Some("1")),
            ("requests.cpu", Some("2")),
            ("cpu", Some("2")),
            ("limits.cpu", Some("1")),
            ("requests.memory", Some("1025Mi")),
            ("limits.memory", Some("1025Mi")),
            ("requests.nvidia.com/gpu", Some("1")),
            ("limits.nvidia.com/gpu", None),
        ] {
            assert_eq!(amount(name).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn demand_beyond_the_remaining_quota_is_reported() {
        let quota = quota(
            &json!({"hard": {"pods": "6", "limits.memory": "2Gi", "services": "5"}}),
            &json!({"pods": "5", "limits.memory": "1536Mi"}),
        );
        let one = [demand(&[("pods", "1"), ("limits.memory", "512Mi")])];
        assert_eq!(exceeded(std::slice::from_ref(&quota), &one), [""; 0], "it fits exactly");
        let two = [demand(&[("pods", "1")]), demand(&[("pods", "1"), ("limits.memory", "1Gi")])];
        assert_eq!(
            exceeded(&[quota], &two),
            [
                "resourcequota `few` limits `limits.memory` to 2Gi: 1536Mi in use, and the run needs up to 1Gi more",
                "resourcequota `few` limits `pods` to 6: 5 in use, and the run needs up to 2 more",
            ]
        );
    }

    #[test]
    fn quotas_scoped_to_other_pods_are_ignored() {
        let scoped =
            |scopes: Value| quota(&json!({"hard": {"pods": "1"}, "scopes": scopes}), &json!({"pods": "1"}));
        let demands = [demand(&[("pods", "1")])];
        assert_eq!(exceeded(&[scoped(json!(["NotTerminating", "NotBestEffort"]))], &demands).len(), 1);
        for other in [json!(["Terminating"]), json!(["BestEffort"]), json!(["PriorityClass"])] {
            assert_eq!(exceeded(&[scoped(other)], &demands), [""; 0]);
        }
    }
}
