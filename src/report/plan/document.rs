//! Plans for programs. Batches are zero-based, as in every document.

use anstream::adapter::strip_str;
use serde::Serialize;

use crate::plan::action::Action;
use crate::plan::run::{Mode, RunSpec};
use crate::plan::step::Step;
use crate::report::plan::{
    ComponentPlan, PlannedObject, PlannedRevision, StepRow, claimed, differences, step_rows,
};

/// What `rollout plan -o json` prints.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PlanDocument {
    /// Grows when a field changes its meaning or goes.
    version: u32,
    /// A component each, in the manifests' order.
    items: Vec<ComponentDocument>,
}

/// A component's future.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ComponentDocument {
    /// The cluster, where several are planned.
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<String>,
    component: String,
    application: String,
    namespace: String,
    /// Whether `apply` would change anything.
    pending: bool,
    /// The revision that is rolled out.
    revision: String,
    /// Whether it would be recorded.
    new_revision: bool,
    /// Services that would be created, changed or removed.
    services: Vec<String>,
    /// The objects of a component that is applied as a whole, or of the traits of another.
    objects: Vec<ObjectDocument>,
    /// The steps of the workflow that are still before it.
    gates: Vec<String>,
    /// The run; none where nothing would be driven.
    run: Option<RunDocument>,
    /// What changes in Services and the workload, as `diff -u` has it, in YAML.
    difference: String,
}

/// What would become of an object.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ObjectDocument {
    object: String,
    change: &'static str,
}

/// The run that would be driven.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RunDocument {
    action: &'static str,
    /// The revisions that it replaces.
    from: Vec<String>,
    original_size: u32,
    target_size: u32,
    /// The sizes of the batches.
    batches: Vec<u32>,
    /// The batch after which it would be held; none where it goes to the end.
    held_after_batch: Option<usize>,
    /// The most replicas at any time.
    peak: u32,
    steps: Vec<StepDocument>,
}

/// One step, with the sizes once it is done.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct StepDocument {
    batch: usize,
    step: String,
    target: u32,
    source: u32,
}

impl PlanDocument {
    /// The plans of components.
    pub(super) fn of(plans: &[ComponentPlan]) -> Self {
        Self { version: 1, items: plans.iter().map(component_document).collect() }
    }
}

fn component_document(plan: &ComponentPlan) -> ComponentDocument {
    ComponentDocument {
        cluster: plan.cluster.clone(),
        component: plan.component.clone(),
        application: plan.application.clone(),
        namespace: plan.namespace.clone(),
        pending: plan.is_pending,
        revision: plan.target.clone(),
        new_revision: matches!(plan.revision, PlannedRevision::New { .. }),
        services: plan.services.iter().map(|service| service.name.clone()).collect(),
        objects: plan.objects.iter().map(object).collect(),
        gates: plan.gates.iter().map(|gate| gate.step.clone()).collect(),
        run: plan.steps.iter().find_map(claimed).map(|spec| run_document(plan, spec)),
        difference: strip_str(&differences(plan).concat()).to_string(),
    }
}

fn object(planned: &PlannedObject) -> ObjectDocument {
    ObjectDocument { object: planned.name.clone(), change: planned.change.as_str() }
}

fn run_document(plan: &ComponentPlan, spec: &RunSpec) -> RunDocument {
    let held_after_batch = match plan.steps.last().map(|foreseen| &foreseen.step) {
        Some(Step::Act(Action::Hold { batch })) => Some(*batch),
        _ => None,
    };
    RunDocument {
        action: match spec.mode {
            Mode::Release => "release",
            Mode::Upgrade => "upgrade",
            Mode::Scale => "scale",
            // Its objects are listed instead.
            Mode::Apply => "apply",
        },
        from: spec.sources.clone(),
        original_size: spec.size_before(),
        target_size: spec.target_size,
        batches: spec.batches.iter().map(|batch| batch.size).collect(),
        held_after_batch,
        peak: plan.peak,
        steps: step_rows(plan)
            .into_iter()
            .map(|StepRow { batch, words, target, source }| StepDocument {
                batch,
                step: words,
                target,
                source,
            })
            .collect(),
    }
}
