//! Events in words, the same words for a terminal and for a log.
//!
//! One event becomes one or more lines: lower case, object first, literals in backticks, batches counted
//! from one. Nothing here knows time or colour; the severity says what a line is, the display how that looks.

use jiff::SignedDuration;

use crate::plan::run::Mode;
use crate::report::event::{Event, EventKind, Progress};
use crate::report::text::{format_duration, list, list_literals, plural, sanitise};

/// One line of text that is safe to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What kind of line it is.
    pub severity: Severity,
    /// The words.
    pub text: String,
}

/// What kind of line it is; colour may underline it but never says more than the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Something happened.
    Info,
    /// A batch or a component is done.
    Success,
    /// Nothing stops, but somebody should know.
    Warning,
    /// It did not work.
    Error,
    /// A fact that explains the line before.
    Evidence,
    /// What to do next.
    Hint,
}

impl Severity {
    /// Whether the line is shown when the user asked for quiet.
    pub fn is_trouble(self) -> bool {
        match self {
            Self::Info | Self::Success => false,
            Self::Warning | Self::Error | Self::Evidence | Self::Hint => true,
        }
    }
}

/// Whom an event is about: the component, or else the application.
pub fn subject(event: &Event) -> &str {
    event.component.as_deref().unwrap_or(&event.application)
}

/// An event in words. The first line begins with the subject; evidence and hints follow, hints last.
pub fn lines(event: &Event) -> Vec<Line> {
    let line = |severity, text: String| Line {
        severity,
        text: format!("{}: {}", sanitise(subject(event)), sanitise(&text)),
    };
    let (severity, text) = sentence(&event.what);
    let mut all = vec![line(severity, text)];
    let detail = |severity, text: String| Line { severity, text };
    if let EventKind::Held { hints, .. } = &event.what {
        // It is no trouble, so that whoever wants to hear of trouble alone does not hear of this.
        all.extend(hints.iter().map(|hint| detail(Severity::Info, format!("  hint: {}", sanitise(hint)))));
    }
    if let EventKind::Interrupted { hints, .. } = &event.what {
        all.extend(hints.iter().map(|hint| detail(Severity::Hint, format!("  hint: {}", sanitise(hint)))));
    }
    if let EventKind::Diagnosed { evidence } = &event.what {
        all.extend(evidence.iter().map(|fact| detail(Severity::Evidence, format!("  {}", sanitise(fact)))));
    }
    if let EventKind::Failed { evidence, hints, .. } = &event.what {
        all.extend(evidence.iter().map(|fact| detail(Severity::Evidence, format!("  {}", sanitise(fact)))));
        all.extend(hints.iter().map(|hint| detail(Severity::Hint, format!("  hint: {}", sanitise(hint)))));
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

/// The batch of a run, counted from one: "batch 2 of 3".
pub fn batch(index: usize, batches: usize) -> String {
    format!("batch {} of {batches}", index + 1)
}

/// An event as a sentence without its subject, not yet made safe.
pub fn sentence(what: &EventKind) -> (Severity, String) {
    match what {
        EventKind::Queued { holder } => {
            (Severity::Info, format!("waiting for the run of `{holder}`, which holds the lease"))
        }
        EventKind::DependencyAwaited { on } => {
            (Severity::Info, format!("waiting for {} to complete", list_literals(on)))
        }
        EventKind::RevisionCreated { revision, number } => {
            (Severity::Info, format!("revision {number} recorded as `{revision}`"))
        }
        EventKind::RunStarted {
            action,
            from,
            to,
            original_size,
            target_size,
            goals,
            resumed,
            batch_timeout,
            timeout,
        } => {
            let verb = if *resumed { "resuming the " } else { "" };
            let undertaking = undertaking(*action, from, to, *original_size, *target_size);
            let sizes = batch_sizes(*action, *original_size, goals);
            let (each, all) = (limit("batch", *batch_timeout), limit("overall", *timeout));
            (Severity::Info, format!("{verb}{undertaking} in {sizes}; {each}, {all}"))
        }
        EventKind::WorkloadCreated { workload } => (Severity::Info, format!("workload `{workload}` created")),
        EventKind::WorkloadScaled { workload, from, to, batch: index, batches, .. } => {
            (Severity::Info, format!("{}: `{workload}` {from} → {to}", batch(*index, *batches)))
        }
        EventKind::WorkloadRolled { workload, revision, moved, replicas, batch: index, batches } => {
            let batch = batch(*index, *batches);
            (
                Severity::Info,
                format!("{batch}: updating {moved} of {replicas} pods of `{workload}` to `{revision}`"),
            )
        }
        EventKind::Waiting { progress, on } => {
            (Severity::Info, format!("{}: waiting for {on}", batch(progress.batch, progress.batches)))
        }
        EventKind::Diagnosed { .. } => (Severity::Warning, "not progressing:".to_owned()),
        EventKind::BatchReady { progress } => (
            Severity::Success,
            format!("{} ready: {}", batch(progress.batch, progress.batches), standing(progress)),
        ),
        EventKind::Paused { progress, by } => {
            let place = batch(progress.batch, progress.batches);
            (Severity::Warning, format!("paused by `{by}` in {place}: {}", standing(progress)))
        }
        EventKind::Resumed => (Severity::Info, "resumed".to_owned()),
        EventKind::Held { progress, .. } => (
            Severity::Success,
            format!(
                "held after {} as requested: {}",
                batch(progress.batch, progress.batches),
                standing(progress)
            ),
        ),
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
        EventKind::Interrupted { progress: None, .. } => (Severity::Info, "interrupted".to_owned()),
        EventKind::Interrupted { progress: Some(progress), .. } => (
            Severity::Info,
            format!("interrupted in {}: {}", batch(progress.batch, progress.batches), standing(progress)),
        ),
        EventKind::Failed { progress: None, reason, .. } => (Severity::Error, format!("failed: {reason}")),
        EventKind::Failed { progress: Some(progress), reason, .. } => {
            let place = batch(progress.batch, progress.batches);
            // Many a reason begins with the batch already.
            let place = if reason.starts_with(&place) { String::new() } else { format!(" in {place}") };
            (Severity::Error, format!("failed{place}: {reason}"))
        }
    }
}

fn undertaking(action: Mode, from: &[String], to: &str, original_size: u32, target_size: u32) -> String {
    match action {
        Mode::Release => format!("first release of `{to}` with {}", replicas(target_size)),
        // Of one object that somebody else has changed nobody knows which revision it is of.
        Mode::Upgrade if from.is_empty() => {
            format!("upgrade from an externally modified workload to `{to}` with {}", replicas(target_size))
        }
        Mode::Upgrade => {
            format!("upgrade from {} to `{to}` with {}", list_literals(from), replicas(target_size))
        }
        Mode::Scale => format!("scaling of `{to}` from {original_size} to {}", replicas(target_size)),
    }
}

fn replicas(count: u32) -> String {
    plural(count as usize, "replica", "replicas")
}

/// "2 batches (2 and 3)", from the cumulative goals.
fn batch_sizes(action: Mode, original_size: u32, goals: &[u32]) -> String {
    let mut before = match action {
        Mode::Release | Mode::Upgrade => 0,
        Mode::Scale => original_size,
    };
    let mut sizes = Vec::new();
    for goal in goals {
        sizes.push(goal.abs_diff(before).to_string());
        before = *goal;
    }
    format!("{} ({})", plural(goals.len(), "batch", "batches"), list(&sizes))
}

/// "batch timeout 10m", or "no batch timeout".
fn limit(of: &str, duration: SignedDuration) -> String {
    if duration.is_zero() {
        format!("no {of} timeout")
    } else {
        format!("{of} timeout {}", format_duration(duration))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::plan::action::Side;
    use std::collections::BTreeSet;

    /// An event of every kind, in an order that could happen.
    pub(crate) fn every_event() -> Vec<Event> {
        every_event_saying(str::to_owned)
    }

    /// The same with other words in every place that takes words.
    pub(crate) fn every_event_saying(word: impl Fn(&str) -> String) -> Vec<Event> {
        let progress = Progress { batch: 0, batches: 2, target_size: 5, upgraded: 2, ready: 1, source: 3 };
        let done = Progress { batch: 1, batches: 2, target_size: 5, upgraded: 5, ready: 5, source: 0 };
        let started = |action, from: &[&str], original_size, target_size, goals: &[u32], resumed| {
            EventKind::RunStarted {
                action,
                from: from.iter().map(|name| word(name)).collect(),
                to: word("web-v2"),
                original_size,
                target_size,
                goals: goals.to_vec(),
                resumed,
                batch_timeout: SignedDuration::from_mins(10),
                timeout: SignedDuration::ZERO,
            }
        };
        let all = [
            EventKind::Queued { holder: word("ci/job/7") },
            EventKind::DependencyAwaited { on: vec![word("db"), word("cache")] },
            EventKind::RevisionCreated { revision: word("web-v2"), number: 2 },
            started(Mode::Release, &[], 0, 5, &[2, 5], false),
            started(Mode::Upgrade, &["web-v1"], 5, 5, &[2, 5], true),
            started(Mode::Scale, &[], 7, 3, &[6, 3], false),
            EventKind::WorkloadCreated { workload: word("web-v2") },
            EventKind::WorkloadScaled {
                workload: word("web-v2"),
                role: Side::Target,
                from: 0,
                to: 2,
                batch: 0,
                batches: 2,
            },
            EventKind::WorkloadRolled {
                workload: word("web"),
                revision: word("web-v2"),
                moved: 2,
                replicas: 5,
                batch: 0,
                batches: 2,
            },
            EventKind::Waiting { progress: progress.clone(), on: word("`web-v2` 1 of 2 ready") },
            EventKind::Diagnosed { evidence: vec![word("pod `web-v2-x`: ErrImagePull")] },
            EventKind::BatchReady { progress: progress.clone() },
            EventKind::Paused { progress: progress.clone(), by: word("jane") },
            EventKind::Resumed,
            EventKind::Held { progress: progress.clone(), hints: vec![word("go on")] },
            EventKind::WorkloadDeleted { workload: word("web-v1") },
            EventKind::RevisionsPruned { revisions: vec![word("web-v0")] },
            EventKind::ServiceApplied { service: word("web") },
            EventKind::ServiceRemoved { service: word("web") },
            EventKind::Retrying { error: word("connection reset"), delay: SignedDuration::from_secs(2) },
            EventKind::Warned { message: word("the image has no tag") },
            EventKind::Succeeded { progress: done.clone(), changed: true },
            EventKind::Succeeded { progress: done, changed: false },
            EventKind::Interrupted { progress: Some(progress.clone()), hints: vec![word("run it again")] },
            EventKind::Failed {
                progress: Some(progress),
                reason: word("batch was not ready after 10m"),
                evidence: vec![word("pod `web-v2-x`: ImagePullBackOff \u{1b}[31m")],
                hints: vec![word("`rollout undo web` goes back")],
            },
            EventKind::Failed {
                progress: None,
                reason: word("no such revision"),
                evidence: vec![],
                hints: vec![],
            },
        ];
        let event = |(second, what)| Event {
            elapsed: SignedDuration::from_secs(second),
            application: word("shop"),
            component: (second > 0).then(|| word("web")),
            what,
        };
        (0..).zip(all).map(event).collect()
    }

    /// The place of a kind in the vocabulary. It has no wildcard: whoever adds a kind comes by here, and
    /// then to [`every_event`], which the test below holds to it.
    fn place(what: &EventKind) -> usize {
        match what {
            EventKind::Queued { .. } => 0,
            EventKind::DependencyAwaited { .. } => 1,
            EventKind::RevisionCreated { .. } => 2,
            EventKind::RunStarted { .. } => 3,
            EventKind::WorkloadCreated { .. } => 4,
            EventKind::WorkloadScaled { .. } => 5,
            EventKind::WorkloadRolled { .. } => 6,
            EventKind::Waiting { .. } => 7,
            EventKind::Diagnosed { .. } => 8,
            EventKind::BatchReady { .. } => 9,
            EventKind::Paused { .. } => 10,
            EventKind::Resumed => 11,
            EventKind::Held { .. } => 12,
            EventKind::WorkloadDeleted { .. } => 13,
            EventKind::RevisionsPruned { .. } => 14,
            EventKind::ServiceApplied { .. } => 15,
            EventKind::ServiceRemoved { .. } => 16,
            EventKind::Retrying { .. } => 17,
            EventKind::Warned { .. } => 18,
            EventKind::Succeeded { .. } => 19,
            EventKind::Interrupted { .. } => 20,
            EventKind::Failed { .. } => 21,
        }
    }

    #[test]
    fn every_kind_of_event_is_among_them() {
        let places: BTreeSet<usize> = every_event().iter().map(|event| place(&event.what)).collect();
        let last = place(&every_event().pop().unwrap().what);
        assert_eq!(places, (0..=last).collect(), "a kind is missing from `every_event`");
    }

    #[test]
    fn every_event_has_its_words() {
        let text: String =
            every_event().iter().flat_map(lines).map(|line| format!("{}\n", line.text)).collect();
        insta::assert_snapshot!(text, @r#"
        shop: waiting for the run of `ci/job/7`, which holds the lease
        web: waiting for `db` and `cache` to complete
        web: revision 2 recorded as `web-v2`
        web: first release of `web-v2` with 5 replicas in 2 batches (2 and 3); batch timeout 10m, no overall timeout
        web: resuming the upgrade from `web-v1` to `web-v2` with 5 replicas in 2 batches (2 and 3); batch timeout 10m, no overall timeout
        web: scaling of `web-v2` from 7 to 3 replicas in 2 batches (1 and 3); batch timeout 10m, no overall timeout
        web: workload `web-v2` created
        web: batch 1 of 2: `web-v2` 0 → 2
        web: batch 1 of 2: updating 2 of 5 pods of `web` to `web-v2`
        web: batch 1 of 2: waiting for `web-v2` 1 of 2 ready
        web: not progressing:
          pod `web-v2-x`: ErrImagePull
        web: batch 1 of 2 ready: 2 of 5 upgraded, 1 ready, source 3
        web: paused by `jane` in batch 1 of 2: 2 of 5 upgraded, 1 ready, source 3
        web: resumed
        web: held after batch 1 of 2 as requested: 2 of 5 upgraded, 1 ready, source 3
          hint: go on
        web: workload `web-v1` deleted
        web: old revision `web-v0` deleted
        web: service `web` applied
        web: service `web` deleted
        web: request failed, retrying in 2s: connection reset
        web: warning: the image has no tag
        web: done: 5 of 5 upgraded, 5 ready
        web: nothing to do: 5 of 5 upgraded, 5 ready
        web: interrupted in batch 1 of 2: 2 of 5 upgraded, 1 ready, source 3
          hint: run it again
        web: failed in batch 1 of 2: batch was not ready after 10m
          pod `web-v2-x`: ImagePullBackOff \x1b[31m
          hint: `rollout undo web` goes back
        web: failed: no such revision
        "#);
    }

    #[test]
    fn quiet_leaves_trouble() {
        let loud = every_event().iter().flat_map(lines).filter(|line| line.severity.is_trouble()).count();
        assert_eq!(loud, 10);
    }
}
