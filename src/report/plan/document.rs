//! Plans for programs. Batches are zero-based, as in every document.

use anstream::adapter::strip_str;
use serde::Serialize;

use crate::plan::action::Action;
use crate::plan::run::{Mode, RunSpec};
use crate::plan::step::Step;
use crate::report::event::serialize_mode;
use crate::report::plan::{
    ComponentPlan, PlannedObject, PlannedRevision, PrunedComponent, StepRow, claimed, differences, step_rows,
};

/// What `rollout plan -o json` prints.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PlanDocument<'a> {
    /// Incremented when a field is removed or changes its meaning.
    version: u32,
    /// The components, in the order of the manifests.
    items: Vec<ComponentDocument<'a>>,
    /// What pruning deletes, if requested.
    pruned: &'a [PrunedComponent],
}

/// The plan of a component.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ComponentDocument<'a> {
    /// The cluster, if several are planned.
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<&'a str>,
    component: &'a str,
    application: &'a str,
    namespace: &'a str,
    /// Whether `apply` would change anything.
    pending: bool,
    /// The revision that is rolled out.
    revision: &'a str,
    /// Whether it would be recorded.
    new_revision: bool,
    /// Services that would be created, changed or removed.
    services: Vec<&'a str>,
    /// The objects of a component that is applied as a whole, or of the traits of another.
    objects: &'a [PlannedObject],
    /// The workflow steps that the component still has to pass.
    gates: Vec<&'a str>,
    /// The components that it waits for, which their runs leave held.
    held_dependencies: &'a [String],
    /// The run; `None` if nothing would be driven.
    run: Option<RunDocument<'a>>,
    /// The unified diffs of Services, objects and the workload, in YAML.
    difference: String,
}

/// The run that would be driven.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RunDocument<'a> {
    #[serde(serialize_with = "serialize_mode")]
    action: Mode,
    /// The revisions that it replaces.
    from: &'a [String],
    original_size: u32,
    target_size: u32,
    /// The sizes of the batches.
    batches: Vec<u32>,
    /// The batch after which it would be held; `None` if it would run to completion.
    held_after_batch: Option<usize>,
    /// The batch before which a closed window would hold it; `None` if none would.
    held_before_batch: Option<usize>,
    /// The most replicas at any time.
    peak: u32,
    steps: Vec<StepRow>,
}

impl<'a> PlanDocument<'a> {
    /// The plans of components.
    pub(super) fn of(plans: &'a [ComponentPlan], pruned: &'a [PrunedComponent]) -> Self {
        Self { version: 1, items: plans.iter().map(component_document).collect(), pruned }
    }
}

fn component_document(plan: &ComponentPlan) -> ComponentDocument<'_> {
    ComponentDocument {
        cluster: plan.cluster.as_deref(),
        component: &plan.component,
        application: &plan.application,
        namespace: &plan.namespace,
        pending: plan.is_pending,
        revision: &plan.target,
        new_revision: matches!(plan.revision, PlannedRevision::New { .. }),
        services: plan.services.iter().map(|service| service.name.as_str()).collect(),
        objects: &plan.objects,
        gates: plan.gates.iter().map(|gate| gate.step.as_str()).collect(),
        held_dependencies: &plan.held_dependencies,
        run: plan.steps.iter().find_map(claimed).map(|spec| run_document(plan, spec)),
        difference: strip_str(&differences(plan).concat()).to_string(),
    }
}

fn run_document<'a>(plan: &ComponentPlan, spec: &'a RunSpec) -> RunDocument<'a> {
    let held_after_batch = match plan.steps.last().map(|foreseen| &foreseen.step) {
        Some(Step::Act(Action::Hold { batch })) => Some(*batch),
        _ => None,
    };
    RunDocument {
        action: spec.mode,
        from: &spec.sources,
        original_size: spec.size_before(),
        target_size: spec.target_size,
        batches: spec.batches.iter().map(|batch| batch.size).collect(),
        held_after_batch,
        held_before_batch: plan.closed_window.as_ref().map(|window| window.batch),
        peak: plan.peak,
        steps: step_rows(plan),
    }
}
