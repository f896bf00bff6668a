//! The display for a terminal: one live line per component, what is finished scrolls away above it.
//!
//! Live lines are drawn to the target it was given, which shows nothing unless it is a terminal; what
//! scrolls is written to the writer as whole lines, so that it copies and pipes like any other text. It keeps
//! a line per component and no other state; the lines are gone when it is dropped, however that comes about.
//! Where there are more components than the screen has room for, the busiest are shown and the others counted.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use jiff::SignedDuration;

use crate::report::event::{Event, EventKind, Progress, Reporter};
use crate::report::message::{self, Line, Severity};
use crate::report::text::{elapsed, sanitise};

/// How often the elapsed time moves while nothing happens; fast enough to look alive, slow enough for ssh.
const TICK: Duration = Duration::from_millis(250);

/// Whether lines are coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// Plain text.
    Plain,
    /// With ANSI colours.
    Coloured,
}

/// Whose live line it is: the application's and the component's name, the latter absent while the
/// application as a whole waits.
type Key = (String, Option<String>);

/// Live lines on a screen of any height: more than this nobody reads while they change.
const MOST_LINES: usize = 10;

/// What is on the screen besides live lines: the count of the others, and the line that scrolled last.
const OTHER_LINES: usize = 2;

/// What a component does just now.
#[derive(Debug)]
struct Standing {
    busy: Busy,
    /// Grows with each event, so that the latest is known.
    turn: u64,
    subject: String,
    text: String,
    bar: Option<ProgressBar>,
}

/// How much a component has to do with what happens; those that come first are shown first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Busy {
    /// A batch is under way.
    Rolling,
    /// Somebody has to do something.
    Stopped,
    /// Others are not done.
    Idle,
}

/// Draws live lines.
pub struct Terminal<W> {
    writer: W,
    screen: MultiProgress,
    height: Box<dyn Fn() -> usize + Send>,
    live: BTreeMap<Key, Standing>,
    others: Option<ProgressBar>,
    turn: u64,
    paint: Paint,
}

impl<W> std::fmt::Debug for Terminal<W> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Terminal").field("live", &self.live).finish_non_exhaustive()
    }
}

impl<W: Write> Terminal<W> {
    /// Draws to a target and writes to a writer, which are the same terminal; its height, in lines, may change.
    pub fn new(
        writer: W,
        target: ProgressDrawTarget,
        height: impl Fn() -> usize + Send + 'static,
        paint: Paint,
    ) -> Self {
        Self {
            writer,
            screen: MultiProgress::with_draw_target(target),
            height: Box::new(height),
            live: BTreeMap::new(),
            others: None,
            turn: 0,
            paint,
        }
    }

    fn scroll(&mut self, event: &Event) {
        let mut text = String::new();
        for line in message::lines(event) {
            text.push_str(&format!("[{:>5}] {}\n", elapsed(event.elapsed), styled(&line, self.paint)));
        }
        let writer = &mut self.writer;
        self.screen.suspend(|| writer.write_all(text.as_bytes()).and_then(|()| writer.flush()).ok());
    }

    fn live(&mut self, event: &Event, busy: Busy, text: &str) {
        self.turn += 1;
        let turn = self.turn;
        let (subject, text) = (sanitise(message::subject(event)).into_owned(), sanitise(text).into_owned());
        let standing = self.live.entry(key(event)).or_insert_with(|| Standing {
            busy,
            turn,
            subject,
            text: String::new(),
            bar: None,
        });
        (standing.busy, standing.turn, standing.text) = (busy, turn, text);
        if let Some(bar) = &standing.bar {
            bar.set_message(standing.text.clone());
        }
        self.arrange(event.elapsed);
    }

    fn end(&mut self, event: &Event, key: &Key) {
        if let Some(Standing { bar, .. }) = self.live.remove(key) {
            if let Some(bar) = bar {
                leave(&self.screen, &bar);
            }
            self.arrange(event.elapsed);
        }
    }

    /// Gives the screen's room to the busiest; of equals, to those that have it, and then to the latest.
    fn arrange(&mut self, elapsed: SignedDuration) {
        let room = (self.height)().saturating_sub(OTHER_LINES).clamp(1, MOST_LINES);
        let mut ranks: Vec<_> = self
            .live
            .iter()
            .map(|(key, one)| ((one.busy, one.bar.is_none(), Reverse(one.turn)), key.clone()))
            .collect();
        ranks.sort();
        let others = ranks.len().saturating_sub(room);
        for (_, key) in ranks.iter().skip(room) {
            if let Some(bar) = self.live.get_mut(key).and_then(|one| one.bar.take()) {
                leave(&self.screen, &bar);
            }
        }
        if others == 0
            && let Some(bar) = self.others.take()
        {
            leave(&self.screen, &bar);
        }
        for (_, key) in ranks.iter().take(room) {
            let Some(one) = self.live.get_mut(key).filter(|one| one.bar.is_none()) else {
                continue;
            };
            let since = Duration::try_from(elapsed).unwrap_or_default();
            let bar = ProgressBar::no_length().with_elapsed(since).with_style(style());
            let bar = match &self.others {
                Some(others) => self.screen.insert_before(others, bar),
                None => self.screen.add(bar),
            };
            bar.enable_steady_tick(TICK);
            bar.set_prefix(one.subject.clone());
            bar.set_message(one.text.clone());
            one.bar = Some(bar);
        }
        if others > 0 {
            let bar = self.others.get_or_insert_with(|| {
                self.screen.add(ProgressBar::no_length().with_style(style_of("{wide_msg}")))
            });
            bar.set_message(format!("… and {others} more"));
        }
    }
}

fn leave(screen: &MultiProgress, bar: &ProgressBar) {
    bar.finish_and_clear();
    screen.remove(bar);
}

impl<W: Write> Reporter for Terminal<W> {
    fn event(&mut self, event: &Event) {
        // Whatever comes after the queue means that its turn has come.
        if !matches!(event.what, EventKind::Queued { .. }) {
            self.end(event, &(event.application.clone(), None));
        }
        match &event.what {
            EventKind::Waiting { progress, on } => self.live(event, Busy::Rolling, &live_text(progress, on)),
            EventKind::Queued { .. } | EventKind::Paused { .. } => {
                self.live(event, Busy::Stopped, &sentence(event));
            }
            EventKind::DependencyAwaited { .. } => self.live(event, Busy::Idle, &sentence(event)),
            EventKind::RunStarted { .. }
            | EventKind::Held { .. }
            | EventKind::Succeeded { .. }
            | EventKind::Interrupted { .. }
            | EventKind::Failed { .. } => {
                self.end(event, &key(event));
                self.scroll(event);
            }
            EventKind::RevisionCreated { .. }
            | EventKind::WorkloadCreated { .. }
            | EventKind::WorkloadScaled { .. }
            | EventKind::WorkloadRolled { .. }
            | EventKind::Diagnosed { .. }
            | EventKind::BatchReady { .. }
            | EventKind::Resumed
            | EventKind::WorkloadDeleted { .. }
            | EventKind::RevisionsPruned { .. }
            | EventKind::ServiceApplied { .. }
            | EventKind::ServiceRemoved { .. }
            | EventKind::Retrying { .. }
            | EventKind::Warned { .. } => self.scroll(event),
        }
    }
}

impl<W> Drop for Terminal<W> {
    fn drop(&mut self) {
        for bar in self.live.values().filter_map(|one| one.bar.as_ref()).chain(&self.others) {
            bar.finish_and_clear();
        }
        // Leaves the cursor at the start of an empty line, where the shell expects it.
        self.screen.clear().ok();
    }
}

fn key(event: &Event) -> Key {
    (event.application.clone(), event.component.clone())
}

/// An event's first line without its subject, which the live line shows as its prefix.
fn sentence(event: &Event) -> String {
    let line = message::lines(event).swap_remove(0);
    let subject = format!("{}: ", sanitise(message::subject(event)));
    line.text.strip_prefix(&subject).unwrap_or(&line.text).to_owned()
}

/// "target 4/5 ready · source 1 · batch 2/3 · `web-v2`: 1 of 2 ready": what a narrow screen cuts off is what
/// matters least, and longest.
fn live_text(progress: &Progress, on: &str) -> String {
    let Progress { batch, batches, target_size, ready, source, .. } = progress;
    let source = if *source > 0 { format!(" · source {source}") } else { String::new() };
    format!("target {ready}/{target_size} ready{source} · batch {}/{batches} · {on}", batch + 1)
}

fn style() -> ProgressStyle {
    let since = |state: &ProgressState, text: &mut dyn std::fmt::Write| {
        let since = SignedDuration::try_from(state.elapsed()).unwrap_or_default();
        write!(text, "[{:>5}]", elapsed(since)).ok();
    };
    style_of("{since} {prefix}: {wide_msg}").with_key("since", since)
}

fn style_of(template: &'static str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is a constant that parses")
}

fn styled(line: &Line, paint: Paint) -> String {
    let colour = match line.severity {
        Severity::Info | Severity::Evidence => None,
        Severity::Success => Some(AnsiColor::Green),
        Severity::Warning => Some(AnsiColor::Yellow),
        Severity::Error => Some(AnsiColor::Red),
        Severity::Hint => Some(AnsiColor::Cyan),
    };
    match (paint, colour) {
        (Paint::Plain, _) | (Paint::Coloured, None) => line.text.clone(),
        (Paint::Coloured, Some(colour)) => {
            let style = Style::new().fg_color(Some(colour.into()));
            format!("{style}{}{style:#}", line.text)
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::report::message::tests::every_event;
    use indicatif::TermLike;
    use std::sync::{Arc, Mutex};

    /// A terminal of 80 columns that notes what it was sent.
    #[derive(Debug, Clone, Default)]
    struct Screen(Arc<Mutex<String>>);

    impl Screen {
        fn push(&self, text: &str) -> std::io::Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }
    }

    impl Write for Screen {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.push(std::str::from_utf8(bytes).unwrap())?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            80
        }
        fn move_cursor_up(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> std::io::Result<()> {
            self.push(text).and_then(|()| self.push("\n"))
        }
        fn write_str(&self, text: &str) -> std::io::Result<()> {
            self.push(text)
        }
        fn clear_line(&self) -> std::io::Result<()> {
            Ok(())
        }
        fn flush(&self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// What a terminal is sent, live lines and scrolled ones.
    pub(crate) fn shown(paint: Paint, events: &[Event]) -> String {
        let screen = Screen::default();
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(screen.clone()), 255);
        let mut terminal = Terminal::new(screen.clone(), target, || 24, paint);
        events.iter().for_each(|event| terminal.event(event));
        assert!(terminal.live.is_empty(), "what has ended has no live line");
        drop(terminal);
        screen.0.lock().unwrap().clone()
    }

    #[test]
    fn finished_things_scroll_and_waiting_is_live() {
        let text = shown(Paint::Plain, &every_event());
        assert!(
            text.contains("[  11s] web: batch 1 of 2 ready: 2 of 5 upgraded, 1 ready, source 3"),
            "{text}"
        );
        assert!(text.contains("failed in batch 1 of 2"), "{text}");
        assert!(text.contains("shop: waiting for the run of `ci/job/7`"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn colour_is_added_and_data_stays_safe() {
        let text = shown(Paint::Coloured, &every_event());
        assert!(text.contains("\u{1b}[32m") && text.contains("\\x1b[31m"), "{text}");
    }

    #[test]
    fn a_live_line_tells_where_the_run_stands() {
        let progress = Progress { batch: 1, batches: 3, target_size: 5, upgraded: 4, ready: 4, source: 1 };
        assert_eq!(
            live_text(&progress, "`web-v1`: 2 pods, down to 1"),
            "target 4/5 ready · source 1 · batch 2/3 · `web-v1`: 2 pods, down to 1"
        );
        let progress = Progress { source: 0, ..progress };
        assert_eq!(
            live_text(&progress, "`web-v2`: 4 of 5 ready"),
            "target 4/5 ready · batch 2/3 · `web-v2`: 4 of 5 ready"
        );
    }

    #[test]
    fn a_screen_has_room_for_the_busiest() {
        let target = || ProgressDrawTarget::term_like_with_hz(Box::new(Screen::default()), 255);
        for (height, room) in [(24, 10), (8, 6), (0, 1)] {
            let mut terminal = Terminal::new(Screen::default(), target(), move || height, Paint::Plain);
            let mut tell = |component: usize, what: EventKind| {
                terminal.event(&Event {
                    elapsed: SignedDuration::ZERO,
                    application: "shop".to_owned(),
                    component: Some(format!("c{component:02}")),
                    what,
                });
                let shown = terminal.live.iter().filter(|(_, one)| one.bar.is_some());
                let shown: Vec<String> = shown.map(|(key, _)| key.1.clone().unwrap()).collect();
                (shown, terminal.others.as_ref().map(ProgressBar::message))
            };
            for component in 0..20 {
                tell(component, EventKind::DependencyAwaited { on: vec!["db".to_owned()] });
            }
            let waiting = EventKind::Waiting { progress: Progress::default(), on: "x".to_owned() };
            let (shown, others) = tell(19, waiting);
            assert_eq!(shown.len(), room);
            assert!(shown.contains(&"c19".to_owned()), "a batch that is under way goes before: {shown:?}");
            assert_eq!(others, Some(format!("… and {} more", 20 - room)));
            for component in 0..20 - room {
                let failed = EventKind::Failed {
                    progress: None,
                    reason: String::new(),
                    evidence: vec![],
                    hints: vec![],
                };
                tell(component, failed);
            }
            let resumed = EventKind::Resumed;
            assert_eq!(tell(0, resumed), ((20 - room..20).map(|one| format!("c{one:02}")).collect(), None));
        }
    }

    #[test]
    fn a_hidden_target_draws_nothing_and_drops_quietly() {
        let mut text = Vec::new();
        let mut terminal = Terminal::new(&mut text, ProgressDrawTarget::hidden(), || 24, Paint::Plain);
        every_event().iter().for_each(|event| terminal.event(event));
        drop(terminal);
        let text = String::from_utf8(text).unwrap();
        assert!(text.lines().all(|line| line.starts_with('[')) && !text.contains("waiting"), "{text}");
    }
}
