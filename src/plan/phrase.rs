//! Describes runs, steps and waits, with the same words in events, plans, `status` and errors.
//!
//! Callers prepend a verb if they need one: `scale` for what is planned, none for what was done.

use jiff::fmt::friendly::{Spacing, SpanPrinter};
use jiff::{SignedDuration, Timestamp};

use crate::oam::batch_gates::Window;
use crate::plan::action::Waiting;
use crate::plan::run::{Mode, Purpose};

/// A run: "upgrade to `web-v2`", "rollback to `web-v1`".
pub fn run(mode: Mode, purpose: Purpose, target: &str) -> String {
    match (mode, purpose) {
        (Mode::Release, _) => format!("first release of `{target}`"),
        (Mode::Upgrade, Purpose::Forward) => format!("upgrade to `{target}`"),
        (Mode::Upgrade | Mode::Apply, Purpose::Undo | Purpose::Abort) => format!("rollback to `{target}`"),
        (Mode::Scale, _) => format!("scaling of `{target}`"),
        (Mode::Apply, Purpose::Forward) => format!("apply of `{target}`"),
    }
}

/// What a run changes and how: "from `web-v1`: 5 replicas in 2 batches (2 and 3)".
pub fn extent(mode: Mode, sources: &[String], size_before: u32, size: u32, batches: &[u32]) -> String {
    if mode == Mode::Apply {
        return if sources.is_empty() {
            "as a whole".to_owned()
        } else {
            format!("as a whole, from {}", list_literals(sources))
        };
    }
    let from = match mode {
        Mode::Release | Mode::Scale => String::new(),
        // The revision of an object that was modified externally is unknown.
        Mode::Upgrade if sources.is_empty() => "from an externally modified workload: ".to_owned(),
        Mode::Upgrade | Mode::Apply => format!("from {}: ", list_literals(sources)),
    };
    let sizes: Vec<String> = batches.iter().map(u32::to_string).collect();
    let replicas = match mode {
        Mode::Upgrade | Mode::Scale | Mode::Apply if size_before != size => {
            format!("{size_before} → {}", replicas(size))
        }
        Mode::Release | Mode::Upgrade | Mode::Scale | Mode::Apply => replicas(size),
    };
    format!("{from}{replicas} in {} ({})", plural(batches.len(), "batch", "batches"), list(&sizes))
}

/// The change that the batches of a run add up to: "rollout of 5 replicas", also for a rollback.
pub fn change(mode: Mode, size_before: u32, size: u32) -> String {
    match mode {
        Mode::Release => format!("first release with {}", replicas(size)),
        Mode::Upgrade => format!("rollout of {}", replicas(size)),
        Mode::Scale => format!("scaling from {size_before} to {}", replicas(size)),
        Mode::Apply => format!("apply with {}", replicas(size)),
    }
}

/// A change of a size: "`web-v2` 2 → 5".
pub fn resize(workload: &str, from: u32, to: u32) -> String {
    format!("`{workload}` {from} → {to}")
}

/// A change of pods in place: "2 of 5 pods of `web` to `web-v2`".
pub fn update(workload: &str, revision: &str, updated: u32, replicas: u32) -> String {
    format!("{updated} of {replicas} pods of `{workload}` to `{revision}`")
}

/// The batch of a run (zero-based), counted from one: "batch 2 of 3".
pub fn batch(index: usize, batches: usize) -> String {
    format!("batch {} of {batches}", index + 1)
}

/// The wave of a fleet (zero-based), counted from one: "wave 2 of 3".
pub fn wave(index: usize, waves: usize) -> String {
    format!("wave {} of {waves}", index + 1)
}

/// A run that has not started: "held at step `approve` of the workflow: check the dashboard".
pub fn held_at_step(step: &str, message: Option<&str>) -> String {
    let message = message.map(|message| format!(": {message}")).unwrap_or_default();
    format!("held at step `{step}` of the workflow{message}")
}

/// A duration as on the command line: 90 seconds are `1m30s`, ten minutes `10m`.
pub fn format_duration(duration: SignedDuration) -> String {
    /// Hours to milliseconds, without spaces, as `--timeout` parses them.
    const PRINTER: SpanPrinter = SpanPrinter::new().spacing(Spacing::None);
    let duration = duration.max(SignedDuration::ZERO);
    PRINTER.duration_to_string(&SignedDuration::new(duration.as_secs(), duration.subsec_millis() * 1_000_000))
}

/// When a window is open: "Mon, Tue 09:00–16:00 (Europe/Berlin)".
pub fn window(window: &Window) -> String {
    let days: Vec<String> = window.days.iter().map(|day| format!("{day:?}")).collect();
    let time = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60);
    format!("{} {}–{} ({})", days.join(", "), time(window.from), time(window.to), window.zone)
}

/// Why a window holds a run: "the window is closed until 2026-11-30 09:00 UTC".
pub fn closed_until(opening: Timestamp) -> String {
    format!("the window is closed until {}", moment(opening))
}

/// A time to the minute, in UTC.
pub fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// Desired pods: "5 replicas".
pub fn replicas(count: u32) -> String {
    plural(count as usize, "replica", "replicas")
}

/// A count with its noun: "1 batch", "2 batches".
pub fn plural(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// A list as in a sentence: "a", "a and b", "a, b and c".
pub fn list<T: AsRef<str>>(items: &[T]) -> String {
    match items {
        [] => String::new(),
        [only] => only.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", first.join(", "), last.as_ref())
        }
    }
}

/// A list of literals: "`a`, `b` and `c`".
pub fn list_literals<T: AsRef<str>>(items: &[T]) -> String {
    list(&items.iter().map(|item| format!("`{}`", item.as_ref())).collect::<Vec<_>>())
}

impl Waiting {
    /// What the run waits for, with the current state: "`web-v2`: 1 of 2 ready".
    #[must_use]
    pub fn phrase(&self) -> String {
        let state = match self {
            Self::Generation { .. } => "not yet observed by its controller (is it running?)".to_owned(),
            Self::Ready { ready, goal, tolerated: 0, .. } => format!("{ready} of {goal} ready"),
            Self::Ready { ready, goal, tolerated, .. } => {
                format!("{ready} of {goal} ready, {tolerated} may be unready")
            }
            Self::Drained { replicas, goal, .. } => {
                format!("{}, scaling down to {goal}", plural(*replicas as usize, "pod", "pods"))
            }
            Self::Deletion { .. } => "not yet deleted".to_owned(),
            Self::Object { reason, .. } => reason.clone(),
        };
        format!("`{}`: {state}", self.workload())
    }

    /// What the run waits for, without the current state: "`web-v2`: 2 ready".
    #[must_use]
    pub fn goal(&self) -> String {
        let state = match self {
            Self::Generation { .. } => "observed by its controller".to_owned(),
            Self::Ready { goal, tolerated, .. } => format!("{} ready", goal.saturating_sub(*tolerated)),
            Self::Drained { goal, .. } => format!("scaled down to {goal}"),
            Self::Deletion { .. } => "deleted".to_owned(),
            Self::Object { .. } => "ready".to_owned(),
        };
        format!("`{}`: {state}", self.workload())
    }
}
