//! What a run would do, and how `rollout plan` prints it.

mod document;

use jiff::SignedDuration;
use serde::Serialize;
use serde_json::Value;

use crate::oam::kind::WorkloadKind;
use crate::oam::workflow::{GateCondition, StepGate};
use crate::plan::action::{Action, RollExtent, Rolling, Waiting};
use crate::plan::gate_point::{due_point, gates_at};
use crate::plan::phrase;
use crate::plan::phrase::format_duration;
use crate::plan::preview::PreviewStep;
use crate::plan::run::{Purpose, RunSpec};
use crate::plan::step::Step;
use crate::plan::window::ClosedWindow;
use crate::report::format::Format;
use crate::report::table::Table;
use crate::report::text::{list_literals, plural, sanitise};
use crate::report::{diff, structured as documents};

/// What `apply` would do to a component.
#[derive(Debug, Clone)]
pub struct ComponentPlan {
    /// The cluster, if several are planned.
    pub cluster: Option<String>,
    /// The component.
    pub component: String,
    /// The application.
    pub application: String,
    /// The namespace.
    pub namespace: String,
    /// The kind of workload that the component runs as.
    pub kind: WorkloadKind,
    /// The name of the target's workload.
    pub workload: String,
    /// The revision to roll out.
    pub target: String,
    /// The target size.
    pub target_size: u32,
    /// The revision that the manifest renders, or the target.
    pub revision: PlannedRevision,
    /// The Services that change; their names have no kind.
    pub services: Vec<PlannedObject>,
    /// The labels and annotations of the target's workload before and after, if they change.
    pub metadata: Option<(Value, Value)>,
    /// Whether it is applied as a whole, or rolled out in batches.
    pub is_whole: bool,
    /// The objects of a component that is applied as a whole, or of the traits of another, including those to delete.
    pub objects: Vec<PlannedObject>,
    /// The rendered workload before and after.
    pub workloads: (Option<Value>, Option<Value>),
    /// Whether the run is a rollback.
    pub purpose: Purpose,
    /// All steps of the run.
    pub steps: Vec<PreviewStep>,
    /// The most replicas at any time.
    pub peak: u32,
    /// Whether `apply` would change anything.
    pub is_pending: bool,
    /// The workflow steps that the component still has to pass.
    pub gates: Vec<StepGate>,
    /// How a user continues past what holds it: "continue with `rollout promote shop`".
    pub promotion: String,
    /// Whether it is already held at the first of these steps, or behind a component that is.
    pub is_held: bool,
    /// The components that it depends on and that their runs leave held between their batches: it starts when they are
    /// done.
    pub held_dependencies: Vec<String>,
    /// How many points with gates between batches the run has passed.
    pub passed_gates: u32,
    /// The closed window at which the run ends, so that later steps are not performed; `None` if no window ends it.
    pub closed_window: Option<ClosedWindow>,
}

/// A component that is no longer in the manifest and that pruning deletes.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PrunedComponent {
    /// The cluster, if several are planned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// The component.
    pub component: String,
    /// The application.
    pub application: String,
    /// The namespace.
    pub namespace: String,
    /// The kinds and names of its objects, in the order in which they are deleted.
    pub objects: Vec<String>,
}

/// Whether a revision would be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlannedRevision {
    /// It would be recorded.
    New {
        /// Its name.
        name: String,
        /// Its number, from 1.
        number: i64,
    },
    /// It is already recorded.
    Recorded {
        /// Its name.
        name: String,
    },
}

/// An object that a component applies or deletes.
#[derive(Debug, Clone, Serialize)]
pub struct PlannedObject {
    /// Its kind and name, such as `deployment.apps/web`.
    #[serde(rename = "object")]
    pub name: String,
    /// The change.
    pub change: PlannedChange,
    /// The object as last applied, and as it would be.
    #[serde(skip)]
    pub objects: (Option<Value>, Option<Value>),
}

/// The change to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum PlannedChange {
    /// It is created.
    Create,
    /// It is applied again.
    Configure,
    /// It is deleted and recreated.
    Recreate,
    /// It stays as it is.
    Keep,
    /// It does not exist, and the run waits for it: the component only reads it.
    Await,
    /// It is deleted: a Service at the end of the run, another object once the others are ready.
    Delete,
}

impl PlannedChange {
    /// The verb of the change.
    fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Configure => "configure",
            Self::Recreate => "recreate",
            Self::Keep => "keep",
            Self::Await => "await",
            Self::Delete => "delete",
        }
    }
}

/// Renders plans, and what pruning deletes, in a format.
#[must_use]
pub fn render_plan(plans: &[ComponentPlan], pruned: &[PrunedComponent], format: Format) -> String {
    match format {
        Format::Table | Format::Wide => {
            plans.iter().map(plan_text).chain(pruned.iter().map(pruned_text)).collect()
        }
        Format::Json => documents::to_json(&document::PlanDocument::of(plans, pruned)),
        Format::Yaml => documents::to_yaml(&document::PlanDocument::of(plans, pruned)),
        Format::Name => {
            let changing = plans.iter().filter(|plan| plan.is_pending);
            let changing = changing.map(|plan| (plan.cluster.as_ref(), &plan.component));
            let pruned = pruned.iter().map(|pruned| (pruned.cluster.as_ref(), &pruned.component));
            let line = |(cluster, component): (Option<&String>, &String)| {
                let cluster = cluster.map(|cluster| format!("{cluster} ")).unwrap_or_default();
                format!("{}rollout/{}\n", sanitise(&cluster), sanitise(component))
            };
            changing.chain(pruned).map(line).collect()
        }
    }
}

/// The first line of a component's plan.
fn title(component: &str, application: &str, namespace: &str, cluster: Option<&String>) -> String {
    let cluster = cluster.map(|cluster| format!(" of cluster `{cluster}`")).unwrap_or_default();
    let title =
        format!("component `{component}` of application `{application}` in namespace `{namespace}`{cluster}");
    format!("{}\n", sanitise(&title))
}

/// What pruning deletes, as text and a table. Ends with an empty line.
fn pruned_text(pruned: &PrunedComponent) -> String {
    let PrunedComponent { cluster, component, application, namespace, objects } = pruned;
    let mut table = Table::new(&["OBJECT", "CHANGE"]);
    for object in objects {
        table.row([object.clone(), PlannedChange::Delete.as_str().to_owned()]);
    }
    format!(
        "{}  no longer in the manifest; pruned once all other components are rolled out\n\n{}\n",
        title(component, application, namespace, cluster.as_ref()),
        table.render()
    )
}

/// A plan as text, diffs and a table. Ends with an empty line.
fn plan_text(plan: &ComponentPlan) -> String {
    let mut text = title(&plan.component, &plan.application, &plan.namespace, plan.cluster.as_ref());
    let line = |text: &mut String, line: String| {
        text.push_str("  ");
        text.push_str(&sanitise(&line));
        text.push('\n');
    };
    line(&mut text, revision_line(plan));
    gate_lines(plan).into_iter().for_each(|words| line(&mut text, words));
    for service in &plan.services {
        line(&mut text, service_line(service));
    }
    if plan.metadata.is_some() {
        let (noun, workload) = (plan.kind.noun(), &plan.workload);
        line(
            &mut text,
            format!("labels or annotations of {noun} `{workload}` change; its pods are not replaced"),
        );
    }
    if plan.is_whole {
        text.push_str(&whole_text(plan));
        return text;
    }
    for object in plan.objects.iter().filter(|object| object.change != PlannedChange::Keep) {
        line(&mut text, object_line(object));
    }
    let spec = plan.steps.iter().find_map(claimed);
    match spec {
        Some(spec) => action_lines(plan, spec).into_iter().for_each(|words| line(&mut text, words)),
        None => line(&mut text, at_rest(plan)),
    }
    for difference in differences(plan) {
        text.push('\n');
        text.push_str(&difference);
    }
    text.push('\n');
    let Some(spec) = spec else { return text };
    text.push_str(&steps_table(plan, spec));
    text.push('\n');
    line(&mut text, closing_line(plan, spec));
    text.push('\n');
    text
}

fn object_line(object: &PlannedObject) -> String {
    let what = match object.change {
        PlannedChange::Create => "is new",
        PlannedChange::Configure => "changes",
        PlannedChange::Recreate => "is deleted and created again",
        PlannedChange::Keep => "stays",
        PlannedChange::Await => "does not exist, and is not created",
        PlannedChange::Delete => "is deleted because it is no longer rendered",
    };
    format!("{} {what}", object.name)
}

/// The changes to the objects of a component that is applied as a whole. Ends with an empty line.
fn whole_text(plan: &ComponentPlan) -> String {
    let objects = &plan.objects;
    let mut text = String::new();
    if !plan.is_pending {
        let awaited = objects.iter().filter(|object| object.change == PlannedChange::Await);
        let awaited: Vec<&String> = awaited.map(|object| &object.name).collect();
        let rest = match (plan.is_held, awaited.is_empty()) {
            (true, _) => String::new(),
            (false, true) => "; nothing to do".to_owned(),
            (false, false) => {
                format!("; nothing to do; waiting for {}", sanitise(&list_literals(&awaited)))
            }
        };
        return format!("  applied as a whole: {}{rest}\n\n", plural(objects.len(), "object", "objects"));
    }
    text.push_str(&format!("  applied as a whole: {}\n\n", plural(objects.len(), "object", "objects")));
    let mut table = Table::new(&["OBJECT", "CHANGE"]);
    for object in objects {
        table.row([object.name.clone(), object.change.as_str().to_owned()]);
    }
    text.push_str(&table.render());
    text.push('\n');
    for difference in differences(plan) {
        text.push_str(&difference);
        text.push('\n');
    }
    text
}

/// The non-empty diffs of Services, objects and the workload, coloured.
fn differences(plan: &ComponentPlan) -> Vec<String> {
    let of_object = |noun: &str, PlannedObject { objects: (before, after), .. }: &PlannedObject| {
        diff::diff_objects(noun, before.as_ref(), after.as_ref())
    };
    let mut differences: Vec<String> =
        plan.services.iter().map(|service| of_object("service", service)).collect();
    if let Some((before, after)) = &plan.metadata {
        differences.push(diff::diff_objects(plan.kind.noun(), Some(before), Some(after)));
    }
    for object in &plan.objects {
        differences.push(of_object(object.name.split('/').next().unwrap_or(&object.name), object));
    }
    if plan.steps.iter().any(|foreseen| claimed(foreseen).is_some()) {
        let (before, after) = &plan.workloads;
        differences.push(diff::diff_workloads(plan.kind, before.as_ref(), after.as_ref()));
    }
    differences.retain(|difference| !difference.is_empty());
    differences
}

fn claimed(foreseen: &PreviewStep) -> Option<&RunSpec> {
    if let Step::Claim { spec, .. } = &foreseen.step { Some(spec) } else { None }
}

fn revision_line(plan: &ComponentPlan) -> String {
    match &plan.revision {
        PlannedRevision::New { name, number } => format!("revision `{name}` is new, number {number}"),
        PlannedRevision::Recorded { name } => format!("revision `{name}` is already recorded"),
    }
}

/// What the component still has to pass before it starts, as text.
fn gate_lines(plan: &ComponentPlan) -> Vec<String> {
    let words = |gate: &StepGate| {
        let step = &gate.step;
        match &gate.condition {
            GateCondition::Promotion { after_seconds: None, message } => {
                format!("{}; {}", phrase::held_at_step(step, message.as_deref()), plan.promotion)
            }
            GateCondition::Promotion { after_seconds: Some(seconds), .. } => {
                let time =
                    format_duration(SignedDuration::from_secs(i64::try_from(*seconds).unwrap_or(i64::MAX)));
                format!("waits {time} at step `{step}` of the workflow")
            }
            GateCondition::Application { name, namespace } => {
                format!(
                    "waits at step `{step}` of the workflow for application `{name}` in namespace `{namespace}`"
                )
            }
        }
    };
    let behind = (!plan.held_dependencies.is_empty()).then(|| {
        let names = list_literals(&plan.held_dependencies);
        let verb = if plan.held_dependencies.len() == 1 { "is" } else { "are" };
        format!("held until {names} {verb} done; {}", plan.promotion)
    });
    plan.gates.iter().map(words).chain(behind).collect()
}

fn service_line(service: &PlannedObject) -> String {
    let what = match service.change {
        PlannedChange::Create => "is new",
        PlannedChange::Configure | PlannedChange::Recreate => "changes",
        PlannedChange::Keep | PlannedChange::Await => "stays",
        PlannedChange::Delete => "is deleted because no port is exposed",
    };
    format!("service `{}` {what}", service.name)
}

fn at_rest(plan: &ComponentPlan) -> String {
    let first = plan.steps.first().map(|foreseen| &foreseen.step);
    if let Some(Step::Act(Action::Hold { batch })) = first {
        format!("held after batch {} as requested; nothing to do", batch + 1)
    } else if let Some(Step::Act(Action::Wait { waiting, .. })) = first {
        format!("nothing to do; waiting for {}", waiting.phrase())
    } else {
        let size = plan.steps.first().map_or(plan.target_size, |step| step.target);
        format!("`{}` has {}; nothing to do", plan.target, phrase::replicas(size))
    }
}

/// Whether a run that has started would be resumed.
fn is_resumed(plan: &ComponentPlan) -> bool {
    // A run that is held before it starts is already claimed.
    plan.gates.is_empty()
        && plan.held_dependencies.is_empty()
        && plan.steps.iter().any(|foreseen| matches!(foreseen.step, Step::Claim { resumes: true, .. }))
}

fn action_lines(plan: &ComponentPlan, spec: &RunSpec) -> [String; 2] {
    let verb = if is_resumed(plan) { "resuming the " } else { "" };
    let sizes: Vec<u32> = spec.batches.iter().map(|batch| batch.size).collect();
    [
        format!("{verb}{}", phrase::run(spec.mode, plan.purpose, &spec.target)),
        phrase::extent(spec.mode, &spec.sources, spec.size_before(), spec.target_size, &sizes),
    ]
}

fn steps_table(plan: &ComponentPlan, spec: &RunSpec) -> String {
    let batches = spec.batches.len();
    let mut table = Table::new(&["BATCH", "STEP", "TARGET", "SOURCE", "TOTAL"]);
    for StepRow { batch, step, target, source } in step_rows(plan) {
        table.row([
            format!("{}/{batches}", batch + 1),
            step,
            target.to_string(),
            source.to_string(),
            target.saturating_add(source).to_string(),
        ]);
    }
    table.render()
}

/// A step in the table, with the sizes after it.
#[derive(Debug, Serialize)]
struct StepRow {
    /// Zero-based.
    batch: usize,
    /// As text.
    step: String,
    target: u32,
    source: u32,
}

/// The steps that change something or wait.
fn step_rows(plan: &ComponentPlan) -> Vec<StepRow> {
    let mut rows: Vec<StepRow> = Vec::new();
    let mut batch = 0;
    let mut passed = plan.passed_gates;
    let mut sizes = (0, 0);
    let spec = plan.steps.iter().find_map(claimed);
    for PreviewStep { step, target, sources } in &plan.steps {
        // Gates come before the step that they are due for.
        let (target_before, source_before) = std::mem::replace(&mut sizes, (*target, *sources));
        if let (Step::Act(action), Some(spec)) = (step, spec) {
            while let Some(point) = due_point(spec, passed, action) {
                let of = point.batch().unwrap_or(batch);
                rows.extend(gates_at(&spec.gates, point).iter().map(|gate| StepRow {
                    batch: of,
                    step: gate.phrase(),
                    target: target_before,
                    source: source_before,
                }));
                passed = point.ordinal(spec) + 1;
            }
        }
        let words = match step {
            Step::Act(Action::Create) => format!("create `{}`", plan.workload),
            Step::Act(Action::Roll { rolling, batch: of }) => {
                batch = *of;
                roll_words(rolling)
            }
            Step::Act(Action::Scale { scaling, batch: of }) => {
                batch = *of;
                format!("scale {}", phrase::resize(&scaling.workload, scaling.from, scaling.to))
            }
            // Every write is followed by this wait, so a row for it would add nothing.
            Step::Act(Action::Wait { waiting: Waiting::Generation { .. }, .. }) => continue,
            Step::Act(Action::Wait { waiting, batch: of }) => {
                batch = *of;
                format!("wait for {}", waiting.goal())
            }
            Step::Act(Action::Hold { .. }) => "hold".to_owned(),
            Step::Act(Action::Delete { workload, .. }) => format!("delete `{workload}`"),
            Step::Nothing
            | Step::Claim { .. }
            | Step::Stamp { .. }
            | Step::Act(Action::Finish)
            | Step::Superseded { .. }
            | Step::ExternalChange { .. }
            | Step::Refuse(_) => continue,
        };
        rows.push(StepRow { batch, step: words, target: *target, source: *sources });
    }
    if let Some(window) = &plan.closed_window {
        let (target, source) = sizes;
        rows.push(StepRow { batch: window.batch, step: "hold".to_owned(), target, source });
    }
    rows
}

fn roll_words(rolling: &Rolling) -> String {
    let Rolling { workload, revision, from, to, .. } = rolling;
    match rolling.extent {
        RollExtent::Shape if from.partition == to.partition => {
            format!("scale {}", phrase::resize(workload, from.replicas, to.replicas))
        }
        RollExtent::Shape | RollExtent::Template => {
            format!("update {}", phrase::update(workload, revision, to.updated(), to.replicas))
        }
    }
}

fn closing_line(plan: &ComponentPlan, spec: &RunSpec) -> String {
    let peak = plan.peak;
    let last = plan.steps.last().map(|foreseen| &foreseen.step);
    let deleted = plan.steps.iter().filter_map(|foreseen| {
        if let Step::Act(Action::Delete { workload, .. }) = &foreseen.step { Some(workload) } else { None }
    });
    let deleted: Vec<&String> = deleted.collect();
    let end = if let Some(ClosedWindow { batch, opening, .. }) = &plan.closed_window {
        let place = phrase::batch(*batch, spec.batches.len());
        format!("held before {place}, {}", phrase::closed_until(*opening))
    } else if let Some(Step::Act(Action::Hold { batch })) = last {
        format!("held after {}", phrase::batch(*batch, spec.batches.len()))
    } else if deleted.is_empty() {
        "runs to completion".to_owned()
    } else {
        format!("runs to completion, deleting {}", list_literals(&deleted))
    };
    format!("{end}; at most {} at a time", phrase::replicas(peak))
}
