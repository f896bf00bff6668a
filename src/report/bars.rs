//! The progress display on a terminal: a bar for each component, fitted to the terminal's size.
//!
//! It tracks the state of each component from events and renders the bars as lines of text, without access to a
//! terminal or a clock. If the terminal has no room for all components, those that need attention most are shown, and a
//! last line has the total. A character shows the state of a component, and text explains the uncommon ones; colour
//! repeats it.

mod row;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use anstyle::AnsiColor;
use jiff::SignedDuration;

use crate::report::canvas::Size;
use crate::report::event::{Event, EventKind, Progress};
use crate::report::message;
use crate::report::paint::Paint;
use crate::report::text::{plural, sanitise};
use row::{BarCounts, BarRow, Layout};

/// The maximum number of bars, however high the terminal: more cannot be read while they change.
const MOST_BARS: usize = 10;

/// Rows reserved for the total and the last printed line.
const OTHER_ROWS: u16 = 2;

/// What a bar is about: the names of the application and the component, without the latter while the application as a
/// whole waits.
type Key = (String, Option<String>);

/// The bars of a process.
#[derive(Debug, Default)]
pub struct Bars(BTreeMap<Key, Bar>);

#[derive(Debug)]
struct Bar {
    state: BarState,
    progress: Option<Progress>,
    /// What the component waits for, or what is wrong.
    text: String,
    /// When the batch or the wait began.
    since: SignedDuration,
}

/// The state of a component, in the order in which bars are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum BarState {
    /// Its pods do not become ready.
    NotProgressing,
    /// A batch is in progress.
    Rolling,
    /// A batch is complete.
    Ready,
    /// A user has to resume it.
    Paused,
    /// It waits for another run or component.
    Queued,
    /// It succeeded or is held.
    Done,
    /// It failed or was interrupted.
    Failed,
}

impl BarState {
    fn has_ended(self) -> bool {
        matches!(self, Self::Done | Self::Failed)
    }

    fn mark(self) -> (&'static str, Option<AnsiColor>) {
        match self {
            Self::NotProgressing => ("!", Some(AnsiColor::Yellow)),
            Self::Rolling => ("•", Some(AnsiColor::Cyan)),
            Self::Ready | Self::Done => ("✓", Some(AnsiColor::Green)),
            Self::Paused => ("‖", Some(AnsiColor::Yellow)),
            Self::Queued => ("·", None),
            Self::Failed => ("✗", Some(AnsiColor::Red)),
        }
    }
}

fn measured_text(metric: &str, values: &[String], value: &str) -> String {
    match sparkline(values) {
        bars if bars.is_empty() => format!("`{metric}` {value}"),
        bars => format!("`{metric}` {bars} {value}"),
    }
}

/// The numbers among the last values as a line of small bars; empty if there are fewer than two.
fn sparkline(values: &[String]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let numbers: Vec<f64> = values
        .iter()
        .filter_map(|value| value.parse().ok())
        .filter(|number: &f64| number.is_finite())
        .collect();
    let least = numbers.iter().copied().fold(f64::INFINITY, f64::min);
    let most = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if numbers.len() < 2 {
        return String::new();
    }
    let bar = |number: &f64| {
        let thresholds = (1_u8..8).map(|step| least + (most - least) * f64::from(step) / 8.0);
        let height =
            if most > least { thresholds.filter(|threshold| number >= threshold).count() } else { 0 };
        BARS.get(height).copied().unwrap_or(BARS[7])
    };
    numbers.iter().map(bar).collect()
}

impl Bars {
    /// Updates the bars with an event.
    pub fn event(&mut self, event: &Event) {
        let now = event.elapsed;
        // Any other event means that the application no longer waits for the Lease.
        if !matches!(event.what, EventKind::Queued { .. }) {
            self.0.remove(&(bar_key(event).0, None));
        }
        match &event.what {
            EventKind::Queued { .. } | EventKind::DependencyAwaited { .. } => {
                let bar = self.bar(event);
                (bar.state, bar.text) = (BarState::Queued, message::sentence(&event.what).1);
            }
            EventKind::RunStarted { goals, target_size, .. } => {
                let (batches, target_size) = (goals.len(), *target_size);
                let progress = Progress { batches, target_size, ..Progress::default() };
                let bar = Bar {
                    state: BarState::Rolling,
                    progress: Some(progress),
                    text: String::new(),
                    since: now,
                };
                self.0.insert(bar_key(event), bar);
            }
            EventKind::Waiting { progress, on, .. } => {
                let bar = self.bar(event);
                // A reminder without progress does not end that state.
                if bar.state != BarState::NotProgressing || bar.progress.as_ref() != Some(progress) {
                    bar.advance(BarState::Rolling, progress, now);
                    on.clone_into(&mut bar.text);
                }
            }
            EventKind::Diagnosed { evidence } => {
                let bar = self.bar(event);
                let evidence = evidence.first().map_or("", String::as_str);
                (bar.state, bar.text) =
                    (BarState::NotProgressing, format!("{} {evidence}", message::sentence(&event.what).1));
            }
            EventKind::BatchReady { progress } => {
                let bar = self.bar(event);
                bar.advance(BarState::Ready, progress, now);
                "batch ready".clone_into(&mut bar.text);
            }
            EventKind::Paused { progress, by } => {
                let bar = self.bar(event);
                bar.advance(BarState::Paused, progress, now);
                bar.text = format!("paused by `{by}`");
            }
            EventKind::Resumed => {
                let bar = self.bar(event);
                (bar.state, bar.text) = (BarState::Rolling, String::new());
            }
            EventKind::Held { progress, .. }
            | EventKind::Inconclusive { progress, .. }
            | EventKind::Succeeded { progress, .. } => {
                self.bar(event).advance(BarState::Done, progress, now);
            }
            EventKind::Suspended { step, .. } => {
                let bar = self.bar(event);
                (bar.state, bar.text) = (BarState::Paused, format!("held at step `{step}`"));
            }
            EventKind::DependencyHeld { on, .. } => {
                let bar = self.bar(event);
                (bar.state, bar.text) = (BarState::Paused, format!("waits for `{on}`, which is held"));
            }
            EventKind::Measured { metric, values, value, .. } => {
                let bar = self.bar(event);
                (bar.state, bar.text) = (BarState::Ready, measured_text(metric, values, value));
            }
            // After a wave, no component of the application is in progress.
            EventKind::GatePassed { .. } if event.component.is_none() => {}
            EventKind::GatePassed { point } => {
                let bar = self.bar(event);
                (bar.state, bar.text) = (BarState::Ready, format!("gates {point} passed"));
            }
            EventKind::Interrupted { .. } | EventKind::Failed { .. } => {
                self.bar(event).state = BarState::Failed;
            }
            EventKind::WaveStarted { .. }
            | EventKind::WaveSkipped { .. }
            | EventKind::WorkloadScaled { .. }
            | EventKind::WorkloadRolled { .. }
            | EventKind::RevisionCreated { .. }
            | EventKind::WorkloadCreated { .. }
            | EventKind::WorkloadDeleted { .. }
            | EventKind::RevisionsPruned { .. }
            | EventKind::ServiceApplied { .. }
            | EventKind::ServiceRemoved { .. }
            | EventKind::ObjectApplied { .. }
            | EventKind::ObjectDeleted { .. }
            | EventKind::Retrying { .. }
            | EventKind::Warned { .. } => {}
        }
    }

    fn bar(&mut self, event: &Event) -> &mut Bar {
        let (state, since) = (BarState::Rolling, event.elapsed);
        self.0.entry(bar_key(event)).or_insert_with(|| Bar {
            state,
            progress: None,
            text: String::new(),
            since,
        })
    }

    /// Whether no component is in progress.
    pub fn is_empty(&self) -> bool {
        self.0.values().all(|bar| bar.state.has_ended())
    }

    /// The bars as lines, at a time since the start; each leaves the terminal's last column free.
    pub fn lines(&self, size: Size, now: SignedDuration, paint: Paint) -> Vec<String> {
        let mut live: Vec<(&Key, &Bar)> = self.0.iter().filter(|(_, bar)| !bar.state.has_ended()).collect();
        live.sort_by_key(|(key, bar)| (bar.state, *key));
        let room = usize::from(size.rows.saturating_sub(OTHER_ROWS)).clamp(1, MOST_BARS);
        let hidden = live.len().saturating_sub(room);
        live.truncate(room);
        let mut rows: Vec<BarRow> = live.into_iter().map(|(key, bar)| bar.row(key, now)).collect();
        if hidden > 0 {
            rows.push(self.total(hidden, now));
        }
        let layout = Layout::of(&rows, usize::from(size.columns).saturating_sub(1));
        rows.iter().map(|row| layout.line(row, paint)).collect()
    }

    /// The total of all components, including those that have ended.
    fn total(&self, hidden: usize, now: SignedDuration) -> BarRow {
        let components: Vec<&Bar> =
            self.0.iter().filter_map(|(key, bar)| key.1.is_some().then_some(bar)).collect();
        let count = |state| components.iter().filter(|bar| bar.state == state).count();
        let mut sum = BarCounts::default();
        components.iter().filter_map(|bar| bar.progress.as_ref()).for_each(|progress| sum.add(progress));
        let done = format!("{}/{}", count(BarState::Done), components.len());
        let text = match count(BarState::Failed) {
            0 => format!("… {hidden} more"),
            failed => format!("… {hidden} more, {failed} failed"),
        };
        BarRow {
            state: None,
            name: plural(components.len(), "component", "components"),
            counts: Some(sum),
            place: [done.clone(), format!("{done} done")],
            since: now,
            text,
        }
    }
}

fn bar_key(event: &Event) -> Key {
    let named = |name: &str| message::qualified(event, name);
    (named(&event.application), event.component.as_deref().map(named))
}

impl Bar {
    fn advance(&mut self, state: BarState, progress: &Progress, now: SignedDuration) {
        if self.progress.as_ref().is_none_or(|before| before.batch != progress.batch) {
            self.since = now;
        }
        (self.state, self.progress) = (state, Some(progress.clone()));
    }

    fn row(&self, key: &Key, now: SignedDuration) -> BarRow {
        let mut counts = BarCounts::default();
        self.progress.iter().for_each(|progress| counts.add(progress));
        let place = self.progress.as_ref().filter(|progress| progress.batches > 0).map(|progress| {
            let batch = format!("{}/{}", progress.batch + 1, progress.batches);
            [batch.clone(), format!("batch {batch}")]
        });
        BarRow {
            state: Some(self.state),
            name: sanitise(key.1.as_deref().unwrap_or(&key.0)).into_owned(),
            counts: self.progress.is_some().then_some(counts),
            place: place.unwrap_or_default(),
            since: now - self.since,
            text: sanitise(&self.text).into_owned(),
        }
    }
}
