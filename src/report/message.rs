//! The text of events, the same for terminals and logs.
//!
//! One event becomes one or more lines: lower case, object first, literals in backticks, batches counted
//! from one. Time and colour are up to the display, which maps the severity of a line to a colour.

use crate::plan::gate_place::Phase;
use crate::plan::phrase::format_duration;
use crate::plan::phrase::{self, batch};
use crate::plan::run::Mode;
use crate::report::event::{Event, EventKind, Progress};
use crate::report::text::{list_literals, sanitise};

/// One line of sanitised text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The severity of the line.
    pub severity: Severity,
    /// The text.
    pub text: String,
}

/// The severity of a line. Colour may emphasise it, but the text alone is sufficient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Something happened.
    Info,
    /// A batch or a component is done.
    Success,
    /// The run continues, but the user should know.
    Warning,
    /// An error.
    Error,
    /// A fact that explains the line above it.
    Evidence,
    /// What to do next.
    Hint,
}

impl Severity {
    /// Whether the line is printed with `--quiet`.
    pub fn is_trouble(self) -> bool {
        match self {
            Self::Info | Self::Success => false,
            Self::Warning | Self::Error | Self::Evidence | Self::Hint => true,
        }
    }
}

/// What to do about a run that stopped in the middle.
pub const RESUME_HINT: &str = "the run is recorded: rerun the same command to resume it";

/// The subject of an event: the component, or else the application.
pub fn subject(event: &Event) -> String {
    qualified(event, event.component.as_deref().unwrap_or(&event.application))
}

/// A name in an event, prefixed with its cluster and its namespace if there are several: `eu/shop/web`.
pub fn qualified(event: &Event, name: &str) -> String {
    let name =
        event.namespace.as_ref().map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}"));
    in_cluster(event.cluster.as_deref(), &name)
}

/// A name, prefixed with its cluster if there are several.
pub fn in_cluster(cluster: Option<&str>, name: &str) -> String {
    cluster.map_or_else(|| name.to_owned(), |cluster| format!("{cluster}/{name}"))
}

/// The text of an event. The first line begins with the subject; evidence follows, then hints.
pub fn event_lines(event: &Event) -> Vec<Line> {
    let line = |severity, text: String| Line {
        severity,
        text: format!("{}: {}", sanitise(&subject(event)), sanitise(&text)),
    };
    let (severity, text) = sentence(&event.what);
    let mut all = vec![line(severity, text)];
    // With several clusters, every line names its cluster.
    let cluster = event.cluster.as_ref().map_or_else(String::new, |cluster| format!("{cluster}: "));
    let detail = |severity, text: String| {
        let text = format!("  {}{}", sanitise(&cluster), sanitise(&text));
        Line { severity, text }
    };
    let hint = |severity, text: &String| detail(severity, format!("hint: {text}"));
    all.extend(run_extent(&event.what).map(|text| detail(Severity::Info, text)));
    if let EventKind::Held { hints, .. }
    | EventKind::Suspended { hints, .. }
    | EventKind::DependencyHeld { hints, .. }
    | EventKind::Inconclusive { hints, .. } = &event.what
    {
        // These hints have severity `Info`, so that `--quiet` omits them: the run is as requested.
        all.extend(hints.iter().map(|text| hint(Severity::Info, text)));
    }
    if let EventKind::Diagnosed { evidence } | EventKind::Failed { evidence, .. } = &event.what {
        all.extend(evidence.iter().map(|fact| detail(Severity::Evidence, fact.clone())));
    }
    if let EventKind::Interrupted { hints, .. } | EventKind::Failed { hints, .. } = &event.what {
        all.extend(hints.iter().map(|text| hint(Severity::Hint, text)));
    }
    all
}

/// Where a run stands: "2 of 5 upgraded, 2 ready, source 3".
pub fn standing(progress: &Progress) -> String {
    let Progress { target_size, upgraded, ready, source, .. } = progress;
    let mut text = if upgraded > target_size {
        format!("{upgraded} replicas, target {target_size}, {ready} ready")
    } else {
        format!("{upgraded} of {target_size} upgraded, {ready} ready")
    };
    if *source > 0 {
        text.push_str(&format!(", source {source}"));
    }
    text
}

/// An event as a sentence without its subject, not yet sanitised.
pub fn sentence(what: &EventKind) -> (Severity, String) {
    match what {
        EventKind::WaveStarted { wave, waves } => (Severity::Info, phrase::wave(*wave, *waves)),
        EventKind::WaveSkipped { wave, waves, reason } => {
            (Severity::Info, format!("not started, {}: {reason}", phrase::wave(*wave, *waves)))
        }
        EventKind::Queued { holder } => (Severity::Info, queued(holder)),
        EventKind::DependencyAwaited { on } => {
            (Severity::Info, format!("waiting for {} to complete", list_literals(on)))
        }
        EventKind::RevisionCreated { revision, number } => {
            (Severity::Info, format!("revision {number} recorded as `{revision}`"))
        }
        EventKind::RunStarted { action, purpose, to, resumed, .. } => {
            let verb = if *resumed { "resuming the " } else { "" };
            (Severity::Info, format!("{verb}{}", phrase::run(*action, *purpose, to)))
        }
        EventKind::WorkloadCreated { workload } => (Severity::Info, format!("workload `{workload}` created")),
        EventKind::WorkloadScaled { workload, from, to, batch: index, batches, .. } => {
            (Severity::Info, format!("{}: {}", batch(*index, *batches), phrase::resize(workload, *from, *to)))
        }
        EventKind::WorkloadRolled { workload, revision, moved, replicas, batch: index, batches } => {
            let pods = phrase::update(workload, revision, *moved, *replicas);
            (Severity::Info, format!("{}: updating {pods}", batch(*index, *batches)))
        }
        EventKind::Waiting { at_gate: true, on, .. }
        | EventKind::Waiting { progress: Progress { batches: 0, .. }, on, .. } => {
            (Severity::Info, format!("waiting for {on}"))
        }
        EventKind::Waiting { progress, on, at_gate: false } => {
            (Severity::Info, format!("{}: waiting for {on}", batch(progress.batch, progress.batches)))
        }
        EventKind::Diagnosed { .. } => (Severity::Warning, "not progressing:".to_owned()),
        EventKind::BatchReady { progress } => (
            Severity::Success,
            format!("{} ready: {}", batch(progress.batch, progress.batches), standing(progress)),
        ),
        EventKind::Paused { progress, by } => {
            let place = match progress.batches {
                0 => String::new(),
                batches => format!(" in {}", batch(progress.batch, batches)),
            };
            (Severity::Warning, format!("paused by `{by}`{place}: {}", standing(progress)))
        }
        EventKind::Resumed => (Severity::Info, "resumed".to_owned()),
        EventKind::Held { reason: Some(reason), .. } => (Severity::Success, format!("held: {reason}")),
        EventKind::Held { progress, reason: None, .. } => (
            Severity::Success,
            format!(
                "held after {} as requested: {}",
                batch(progress.batch, progress.batches),
                standing(progress)
            ),
        ),
        EventKind::Measured { metric, phase, value, taken, count, point, .. } => {
            let severity = match phase {
                Phase::Successful => Severity::Info,
                Phase::Inconclusive | Phase::Error | Phase::Failed => Severity::Warning,
            };
            (severity, format!("metric `{metric}` {point}: {value}, {taken} of {count}: {}", phase.as_str()))
        }
        EventKind::GatePassed { point } => (Severity::Info, format!("gates {point} passed")),
        EventKind::Inconclusive { reason, .. } => (Severity::Warning, format!("held: {reason}")),
        EventKind::Suspended { step, message, .. } => {
            (Severity::Success, phrase::held_at_step(step, message.as_deref()))
        }
        EventKind::DependencyHeld { on, .. } => {
            (Severity::Success, format!("waits for `{on}`, which is held"))
        }
        EventKind::WorkloadDeleted { workload } => (Severity::Info, format!("workload `{workload}` deleted")),
        EventKind::RevisionsPruned { revisions } => {
            let noun = match revisions.len() {
                1 => "old revision",
                _ => "old revisions",
            };
            (Severity::Info, format!("{noun} {} deleted", list_literals(revisions)))
        }
        EventKind::ServiceApplied { service } => (Severity::Info, format!("service `{service}` applied")),
        EventKind::ServiceRemoved { service } => (Severity::Info, format!("service `{service}` deleted")),
        EventKind::ObjectApplied { object, change } => {
            (Severity::Info, format!("{object} {}", change.as_str()))
        }
        EventKind::ObjectDeleted { object } => (Severity::Info, format!("{object} deleted")),
        EventKind::Retrying { error, delay } => {
            (Severity::Warning, format!("request failed, retrying in {}: {error}", format_duration(*delay)))
        }
        EventKind::Warned { message } => (Severity::Warning, format!("warning: {message}")),
        EventKind::Succeeded { progress, changed: true } => {
            (Severity::Success, format!("done: {}", standing(progress)))
        }
        EventKind::Succeeded { progress, changed: false } => {
            (Severity::Success, format!("nothing to do: {}", standing(progress)))
        }
        EventKind::Interrupted { progress: None | Some(Progress { batches: 0, .. }), .. } => {
            (Severity::Info, "interrupted".to_owned())
        }
        EventKind::Interrupted { progress: Some(progress), .. } => (
            Severity::Info,
            format!("interrupted in {}: {}", batch(progress.batch, progress.batches), standing(progress)),
        ),
        EventKind::Failed { progress: None | Some(Progress { batches: 0, .. }), reason, .. } => {
            (Severity::Error, format!("failed: {reason}"))
        }
        EventKind::Failed { progress: Some(progress), reason, .. } => {
            let place = batch(progress.batch, progress.batches);
            // Some reasons already begin with the batch, or with "after batch".
            let is_said = reason.starts_with(&place) || reason.starts_with("after batch ");
            let place = if is_said { String::new() } else { format!(" in {place}") };
            (Severity::Error, format!("failed{place}: {reason}"))
        }
    }
}

/// What a queued application waits for.
pub fn queued(holder: &str) -> String {
    format!("waiting for the run of `{holder}`, which holds the lease")
}

/// The batches and the deadlines of a run. They are a separate line, so that the first fits into 80 columns.
fn run_extent(what: &EventKind) -> Option<String> {
    let EventKind::RunStarted {
        action, from, size_before, target_size, goals, batch_timeout, timeout, ..
    } = what
    else {
        return None;
    };
    let mut before = match action {
        Mode::Release | Mode::Upgrade | Mode::Apply => 0,
        Mode::Scale => *size_before,
    };
    let sizes: Vec<u32> =
        goals.iter().map(|goal| goal.abs_diff(std::mem::replace(&mut before, *goal))).collect();
    let size_before = match action {
        Mode::Scale | Mode::Upgrade => *size_before,
        Mode::Release | Mode::Apply => *target_size,
    };
    let extent = phrase::extent(*action, from, size_before, *target_size, &sizes);
    let limits = [("batch timeout", batch_timeout), ("overall timeout", timeout)];
    let limits = limits.into_iter().filter(|(_, limit)| !limit.is_zero());
    let limits = limits.map(|(name, limit)| format!(", {name} {}", format_duration(*limit)));
    Some(extent + &limits.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::{every_event, every_event_with};
    use serde_json::Value;
    use std::collections::BTreeSet;

    #[test]
    fn every_kind_of_event_has_a_sample() {
        let name = |event: &Event| serde_json::to_value(event).unwrap()["event"].as_str().unwrap().to_owned();
        let shown: BTreeSet<String> = every_event().iter().map(name).collect();
        let schema: Value = serde_json::from_str(include_str!("../../schema/event.json")).unwrap();
        let kinds = schema["oneOf"].as_array().unwrap();
        let kinds =
            kinds.iter().map(|kind| kind["properties"]["event"]["const"].as_str().unwrap().to_owned());
        assert_eq!(shown, kinds.collect(), "`every_event` and the schema have the same kinds");
    }

    /// With a fairly long component name.
    #[test]
    fn the_first_line_of_a_run_fits_80_columns() {
        let events = every_event_with(|word| word.replace("web", "notification-service"));
        for event in events.iter().filter(|event| matches!(event.what, EventKind::RunStarted { .. })) {
            let line = format!("[   0s] {}", event_lines(event)[0].text);
            assert!(line.len() <= 80, "{line}");
        }
    }

    #[test]
    fn every_line_names_its_cluster() {
        for event in every_event() {
            let event = Event { cluster: Some("eu".to_owned()), ..event };
            for (index, line) in event_lines(&event).iter().enumerate() {
                let start = if index == 0 { "eu/" } else { "  eu: " };
                assert!(line.text.starts_with(start), "{}", line.text);
            }
        }
    }

    #[test]
    fn quiet_keeps_warnings_and_failures() {
        let loud =
            every_event().iter().flat_map(event_lines).filter(|line| line.severity.is_trouble()).count();
        assert_eq!(loud, 13);
    }
}
