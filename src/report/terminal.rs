//! The display for a terminal: bars for components in progress, below the lines of completed steps.
//!
//! Bars are drawn to a target, which shows nothing unless it is a terminal; lines are written to a writer as whole
//! lines, so that they can be copied like any other text. Events that only update a bar print no line. Dropping the
//! display removes the bars, also during a panic.

use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anstyle::AnsiColor;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use jiff::SignedDuration;

use crate::plan::gate_place::Phase;
use crate::report::bars::Bars;
use crate::report::canvas::Size;
use crate::report::event::{Event, EventKind, Reporter};
use crate::report::message::{self, Line, Severity};
use crate::report::paint::Paint;
use crate::report::text::elapsed;

/// How often elapsed times are updated between events; fast enough to look alive, slow enough for ssh.
const TICK: Duration = Duration::from_millis(250);

/// Draws bars and prints lines.
#[derive(Debug)]
pub struct Terminal<W> {
    writer: W,
    bars: Arc<Mutex<Bars>>,
    /// indicatif's bar, which draws all bars.
    drawing: ProgressBar,
    paint: Paint,
}

impl<W: Write> Terminal<W> {
    /// Draws to a target and writes to a writer, which are the same terminal; its size may change.
    pub fn new(
        writer: W,
        target: ProgressDrawTarget,
        size: impl Fn() -> Size + Clone + Send + Sync + 'static,
        paint: Paint,
    ) -> Self {
        let bars = Arc::new(Mutex::new(Bars::default()));
        let shown = Arc::clone(&bars);
        let draw = move |state: &ProgressState, text: &mut dyn std::fmt::Write| {
            let now = SignedDuration::try_from(state.elapsed()).unwrap_or_default();
            text.write_str(&lock(&shown).lines(size(), now, paint).join("\n")).ok();
        };
        let style = ProgressStyle::with_template("{bars}").expect("the template is a constant that parses");
        let drawing = ProgressBar::with_draw_target(None, target).with_style(style.with_key("bars", draw));
        if !drawing.is_hidden() {
            drawing.enable_steady_tick(TICK);
        }
        Self { writer, bars, drawing, paint }
    }

    fn print(&mut self, event: &Event) {
        let mut text = String::new();
        for line in message::event_lines(event) {
            text.push_str(&format!("[{:>5}] {}\n", elapsed(event.elapsed), styled(&line, self.paint)));
        }
        let writer = &mut self.writer;
        self.drawing.suspend(|| writer.write_all(text.as_bytes()).and_then(|()| writer.flush()).ok());
    }
}

impl<W: Write> Reporter for Terminal<W> {
    fn event(&mut self, event: &Event) {
        lock(&self.bars).event(event);
        self.drawing.set_elapsed(Duration::try_from(event.elapsed).unwrap_or_default());
        match &event.what {
            EventKind::Queued { .. }
            | EventKind::DependencyAwaited { .. }
            | EventKind::WorkloadScaled { .. }
            | EventKind::WorkloadRolled { .. }
            | EventKind::Waiting { .. }
            | EventKind::Measured { phase: Phase::Successful, .. }
            // Redraws, unless the last redraw was just now; then the next tick redraws.
            | EventKind::Paused { .. } => self.drawing.set_message(""),
            EventKind::WaveStarted { .. }
            | EventKind::WaveSkipped { .. }
            | EventKind::RevisionCreated { .. }
            | EventKind::RunStarted { .. }
            | EventKind::WorkloadCreated { .. }
            | EventKind::Diagnosed { .. }
            | EventKind::BatchReady { .. }
            | EventKind::Measured { phase: Phase::Inconclusive | Phase::Error | Phase::Failed, .. }
            | EventKind::GatePassed { .. }
            | EventKind::Inconclusive { .. }
            | EventKind::Resumed
            | EventKind::Held { .. }
            | EventKind::Suspended { .. }
            | EventKind::DependencyHeld { .. }
            | EventKind::WorkloadDeleted { .. }
            | EventKind::RevisionsPruned { .. }
            | EventKind::ServiceApplied { .. }
            | EventKind::ServiceRemoved { .. }
            | EventKind::ObjectApplied { .. }
            | EventKind::ObjectDeleted { .. }
            | EventKind::Retrying { .. }
            | EventKind::Warned { .. }
            | EventKind::Succeeded { .. }
            | EventKind::Interrupted { .. }
            | EventKind::Failed { .. } => self.print(event),
        }
    }
}

impl<W> Drop for Terminal<W> {
    fn drop(&mut self) {
        // Leaves the cursor at the start of an empty line, for the shell's prompt.
        self.drawing.finish_and_clear();
    }
}

fn lock(bars: &Mutex<Bars>) -> MutexGuard<'_, Bars> {
    bars.lock().unwrap_or_else(PoisonError::into_inner)
}

fn styled(line: &Line, paint: Paint) -> String {
    let colour = match line.severity {
        Severity::Info | Severity::Evidence => None,
        Severity::Success => Some(AnsiColor::Green),
        Severity::Warning => Some(AnsiColor::Yellow),
        Severity::Error => Some(AnsiColor::Red),
        Severity::Hint => Some(AnsiColor::Cyan),
    };
    paint.text(colour, &line.text)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::report::samples::every_event;

    const SIZE: Size = Size { columns: 80, rows: 24 };

    /// What a terminal shows: after each event the lines that were printed, and the bars.
    pub(crate) fn shown(paint: Paint, events: &[Event]) -> String {
        let mut text = Vec::new();
        let mut terminal = Terminal::new(&mut text, ProgressDrawTarget::hidden(), || SIZE, paint);
        for event in events {
            terminal.event(event);
            let bars = lock(&terminal.bars).lines(SIZE, event.elapsed, paint);
            bars.iter().for_each(|bar| writeln!(terminal.writer, "{bar}").unwrap());
        }
        assert!(lock(&terminal.bars).is_empty(), "what has ended has no bar");
        drop(terminal);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn completed_steps_are_printed_and_progress_is_drawn() {
        let text = shown(Paint::Plain, &every_event());
        assert!(text.contains("s] web: batch 1 of 2 ready: 2 of 5 upgraded, 1 ready, source 3\n"), "{text}");
        assert!(text.contains("failed in batch 1 of 2"), "{text}");
        assert!(text.contains("· shop  0s  waiting for the run of `ci/job/7`"), "{text}");
        assert!(!text.contains('\u{1b}') && !text.contains("0 → 2"), "{text}");
    }

    #[test]
    fn lines_are_coloured_and_data_is_sanitised() {
        let text = shown(Paint::Coloured, &every_event());
        assert!(text.contains("\u{1b}[32m") && text.contains("\\x1b[31m"), "{text}");
    }

    #[test]
    fn a_hidden_target_draws_nothing() {
        let mut text = Vec::new();
        let mut terminal = Terminal::new(&mut text, ProgressDrawTarget::hidden(), || SIZE, Paint::Plain);
        every_event().iter().for_each(|event| terminal.event(event));
        drop(terminal);
        let text = String::from_utf8(text).unwrap();
        assert!(text.lines().all(|line| line.starts_with('[')) && !text.contains("waiting"), "{text}");
    }
}
