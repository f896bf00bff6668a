//! Disruption budgets. They limit evictions, and a run evicts no pods; but it may leave so few pods that none of them
//! can be evicted.

use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;
use kube::core::{Selector, SelectorExt};

use crate::driver::planned_component::PlannedComponent;
use crate::oam::revision;

/// Warnings about budgets that block every eviction once the component has become smaller.
pub(super) fn warnings(budgets: &[PodDisruptionBudget], planned: &PlannedComponent) -> Vec<String> {
    let now: u32 = planned.observed.workloads.iter().map(|workload| workload.replicas).sum();
    let size = planned.steps.last().map_or(now, |last| last.target.saturating_add(last.sources));
    let component = &planned.prepared.component;
    let of_component = budgets.iter().filter(|budget| selects(budget, planned));
    let tight = of_component.filter_map(|budget| {
        let spec = budget.spec.as_ref()?;
        let Some(IntOrString::Int(least)) = spec.min_available else { return None };
        let least = u32::try_from(least).ok()?;
        // If the budget also selects other pods, their future number is unknown.
        let covers = budget.status.as_ref()?.expected_pods?;
        let is_alone = u32::try_from(covers).is_ok_and(|covers| covers == now);
        (is_alone && now > least && size <= least && size > 0).then(|| {
            format!(
                "poddisruptionbudget `{}` requires {least} available pods, and component `{component}` will have {size}: none \
                 of them can be evicted, which blocks draining their nodes",
                budget.name_any()
            )
        })
    });
    tight.collect()
}

/// Whether a budget selects the pods of the target.
fn selects(budget: &PodDisruptionBudget, planned: &PlannedComponent) -> bool {
    let workload = revision::render_revision(&planned.prepared.target, 0, 0);
    let labels = workload.and_then(|workload| {
        serde_json::from_value(workload["spec"]["template"]["metadata"]["labels"].clone()).ok()
    });
    let selector = budget.spec.as_ref().and_then(|spec| spec.selector.clone());
    let selector = selector.and_then(|selector| Selector::try_from(selector).ok());
    match (labels, selector) {
        (Some(labels), Some(selector)) => selector.matches(&labels),
        (_, _) => false,
    }
}
