//! The display for logs and pipes: one line per event with the time since the start.
//!
//! It prints no control characters and depends on neither the width nor a clock: the same events yield the same bytes.

use std::io::Write;

use crate::report::event::{Event, Reporter};
use crate::report::message;
use crate::report::text::elapsed;

/// How much is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verbosity {
    /// Every event.
    Full,
    /// Warnings and failures.
    Quiet,
}

/// Writes lines to a writer.
#[derive(Debug)]
pub struct Lines<W> {
    writer: W,
    detail: Verbosity,
}

impl<W: Write> Lines<W> {
    /// Reports to a writer. Its errors are ignored: a closed log must not stop a rollout.
    pub fn new(writer: W, detail: Verbosity) -> Self {
        Self { writer, detail }
    }
}

impl<W: Write> Reporter for Lines<W> {
    fn event(&mut self, event: &Event) {
        let time = format!("[{:>5}]", elapsed(event.elapsed));
        let mut text = String::new();
        for line in message::event_lines(event) {
            if self.detail == Verbosity::Full || line.severity.is_trouble() {
                text.push_str(&format!("{time} {}\n", line.text));
            }
        }
        self.writer.write_all(text.as_bytes()).and_then(|()| self.writer.flush()).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::every_event;

    fn written(detail: Verbosity) -> String {
        let mut bytes = Vec::new();
        let mut lines = Lines::new(&mut bytes, detail);
        every_event().iter().for_each(|event| lines.event(event));
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_line_has_the_time_and_the_text() {
        let text = written(Verbosity::Full);
        assert!(text.contains("\n[   9s] web: batch 1 of 2: `web-v2` 0 → 2\n"), "{text}");
        assert!(text.starts_with("[   0s] shop: waiting for the run of `ci/job/7`"));
    }

    #[test]
    fn newlines_are_the_only_control_characters() {
        assert!(!written(Verbosity::Full).chars().any(|c| c.is_control() && c != '\n'));
    }

    #[test]
    fn quiet_prints_only_warnings_and_failures() {
        let text = written(Verbosity::Quiet);
        assert!(text.contains("warning: the image has no tag"));
        assert!(!text.contains("batch 1 of 2 ready"));
    }
}
