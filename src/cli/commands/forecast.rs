//! How `rollout plan` shows a component's future.

mod document;

use crate::cluster::service::Change;
use crate::driver::foresee::Forecast;
use crate::driver::inheriting::Metadata;
use crate::plan::in_place::{Extent, Rolling};
use crate::plan::preview::Foreseen;
use crate::plan::record::{Mode, RunSpec};
use crate::plan::step::Step;
use crate::plan::walk::{Side, Waiting};
use crate::report::diff;
use crate::report::table::Table;
use crate::report::text::{list_literals, plural, sanitise};

pub use document::Plan;

/// A component's future in words, a difference and a table. Ends with an empty line.
pub fn render(forecast: &Forecast) -> String {
    let prepared = &forecast.prepared;
    let mut text = format!(
        "component `{}` of application `{}` in namespace `{}`\n",
        sanitise(&prepared.component),
        sanitise(&prepared.application),
        sanitise(&prepared.namespace)
    );
    let line = |text: &mut String, line: String| {
        text.push_str("  ");
        text.push_str(&sanitise(&line));
        text.push('\n');
    };
    line(&mut text, revision(forecast));
    for service in services(forecast) {
        line(&mut text, service);
    }
    if prepared.relabels.is_some() {
        let (noun, workload) = (prepared.desired.kind.noun(), &prepared.desired.workload);
        line(
            &mut text,
            format!("labels or annotations of {noun} `{workload}` change; its pods are not replaced"),
        );
    }
    let spec = forecast.steps.iter().find_map(claimed);
    line(&mut text, spec.map_or_else(|| at_rest(forecast), |spec| action(spec, goes_on(forecast))));
    for difference in differences(forecast) {
        text.push('\n');
        text.push_str(&difference);
    }
    text.push('\n');
    let Some(spec) = spec else { return text };
    text.push_str(&steps(forecast, spec));
    text.push('\n');
    line(&mut text, closing(forecast, spec));
    text.push('\n');
    text
}

/// What changes in Services and in the workload, coloured; none is empty.
fn differences(forecast: &Forecast) -> Vec<String> {
    let prepared = &forecast.prepared;
    let mut differences: Vec<String> = prepared
        .services
        .iter()
        .filter_map(Change::difference)
        .map(|(before, after)| diff::objects("service", before.as_ref(), after.as_ref()))
        .collect();
    if let Some((before, after)) = &prepared.relabels {
        let shown = |metadata: &Metadata| metadata.shown(&prepared.desired.workload);
        let (before, after) = (shown(before), shown(after));
        differences.push(diff::objects(prepared.desired.kind.noun(), Some(&before), Some(&after)));
    }
    if forecast.steps.iter().any(|foreseen| claimed(foreseen).is_some()) {
        let (before, after) = forecast.workloads();
        differences.push(diff::workloads(prepared.desired.kind, before.as_ref(), after.as_ref()));
    }
    differences.retain(|difference| !difference.is_empty());
    differences
}

fn claimed(foreseen: &Foreseen) -> Option<&RunSpec> {
    match &foreseen.step {
        Step::Claim { spec, .. } => Some(spec),
        _ => None,
    }
}

fn revision(forecast: &Forecast) -> String {
    match &forecast.prepared.new_revision {
        Some(new) => format!("revision `{}` is new, number {}", new.name, new.number),
        None => {
            let name =
                forecast.prepared.manifest_revision.as_ref().unwrap_or(&forecast.prepared.desired.target);
            format!("revision `{name}` is already recorded")
        }
    }
}

fn services(forecast: &Forecast) -> Vec<String> {
    let line = |change: &Change| {
        let what = match change {
            Change::None | Change::Foreign(_) => return None,
            Change::Create(_) => "is new",
            Change::Update { .. } => "changes",
            Change::Remove(_) => "is deleted: no port is exposed any more",
        };
        Some(format!("service `{}` {what}", change.name()?))
    };
    forecast.prepared.services.iter().filter_map(line).collect()
}

fn at_rest(forecast: &Forecast) -> String {
    let desired = &forecast.prepared.desired;
    match forecast.steps.first().map(|foreseen| &foreseen.step) {
        Some(Step::Hold { batch }) => format!("held after batch {} as requested; nothing to do", batch + 1),
        Some(Step::Wait { waiting, .. }) => format!("nothing to do; waiting for {}", waiting.phrase()),
        _ => format!(
            "`{}` has {}; nothing to do",
            desired.target,
            plural(desired.target_size as usize, "replica", "replicas")
        ),
    }
}

/// Whether the run is one that was begun before.
fn goes_on(forecast: &Forecast) -> bool {
    forecast.steps.iter().any(|foreseen| matches!(foreseen.step, Step::Claim { resumes: true, .. }))
}

fn action(spec: &RunSpec, goes_on: bool) -> String {
    let batches = plural(spec.batches.len(), "batch", "batches");
    let begin = if goes_on { "resuming the " } else { "" };
    let undertaking = match spec.mode {
        Mode::Release => {
            format!("first release of `{}` with {} replicas in {batches}", spec.target, spec.target_size)
        }
        Mode::Upgrade => format!(
            "upgrade from {} to `{}`, {} → {} replicas in {batches}",
            if spec.sources.is_empty() {
                "an externally modified workload".to_owned()
            } else {
                list_literals(&spec.sources)
            },
            spec.target,
            spec.size_before(),
            spec.target_size
        ),
        Mode::Scale => format!(
            "scaling of `{}`, {} → {} replicas in {batches}",
            spec.target, spec.original_size, spec.target_size
        ),
    };
    format!("{begin}{undertaking}")
}

fn steps(forecast: &Forecast, spec: &RunSpec) -> String {
    let batches = spec.batches.len();
    let mut table = Table::new(&["BATCH", "STEP", "TARGET", "SOURCE", "TOTAL"]);
    for Row { batch, words, target, source } in rows(forecast) {
        table.row([
            format!("{}/{batches}", batch + 1),
            words,
            target.to_string(),
            source.to_string(),
            target.saturating_add(source).to_string(),
        ]);
    }
    table.render()
}

/// A step that is shown, with the sizes once it is done.
struct Row {
    /// Zero-based.
    batch: usize,
    words: String,
    target: u32,
    source: u32,
}

/// The steps that change something or wait.
fn rows(forecast: &Forecast) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut batch = 0;
    for Foreseen { step, target, sources } in &forecast.steps {
        let words = match step {
            Step::Create => format!("create `{}`", forecast.prepared.desired.workload),
            Step::Roll { rolling, batch: of } => {
                batch = *of;
                roll(rolling)
            }
            Step::Scale { scaling, batch: of } => {
                batch = *of;
                let side = match scaling.side {
                    Side::Target => "target",
                    Side::Source => "source",
                };
                format!("scale {side} `{}` {} → {}", scaling.workload, scaling.from, scaling.to)
            }
            // Every write is seen first; to say so each time tells nothing.
            Step::Wait { waiting: Waiting::Generation { .. }, .. } => continue,
            Step::Wait { waiting, batch: of } => {
                batch = *of;
                format!("wait until {}", awaited(waiting))
            }
            Step::Hold { .. } => "hold".to_owned(),
            Step::Delete { workload, .. } => format!("delete `{workload}`"),
            Step::Nothing
            | Step::Claim { .. }
            | Step::Stamp { .. }
            | Step::Finish
            | Step::Superseded { .. }
            | Step::Disturbed { .. }
            | Step::Refuse(_) => continue,
        };
        rows.push(Row { batch, words, target: *target, source: *sources });
    }
    rows
}

fn roll(rolling: &Rolling) -> String {
    let Rolling { workload, revision, from, to, .. } = rolling;
    match rolling.extent {
        Extent::Shape if from.partition == to.partition => {
            format!("scale `{workload}` {} → {}", from.replicas, to.replicas)
        }
        Extent::Shape | Extent::Template => {
            format!("update {} of {} pods of `{workload}` to `{revision}`", to.moved(), to.replicas)
        }
    }
}

/// What a step waits for, without the counts of this moment.
fn awaited(waiting: &Waiting) -> String {
    match waiting {
        Waiting::Generation { workload } => format!("`{workload}` is observed by its controller"),
        Waiting::Ready { workload, goal, tolerated, .. } => {
            format!("`{workload}` has {} ready", goal.saturating_sub(*tolerated))
        }
        Waiting::Drained { workload, goal, .. } => format!("`{workload}` is down to {goal}"),
        Waiting::Deletion { workload } => format!("`{workload}` is deleted"),
    }
}

fn closing(forecast: &Forecast, spec: &RunSpec) -> String {
    let peak = forecast.peak();
    let end = match forecast.steps.last().map(|foreseen| &foreseen.step) {
        Some(Step::Hold { batch }) => format!("held after batch {} of {}", batch + 1, spec.batches.len()),
        _ if spec.sources.is_empty() => "runs to completion".to_owned(),
        _ => format!("runs to completion, deleting {}", list_literals(&spec.sources)),
    };
    format!("{end}; at most {} at a time", plural(peak as usize, "replica", "replicas"))
}
