//! Collapsible sections in the log of a CI system: a run's progress is inside, its warnings and errors are outside.
//!
//! GitHub: docs.github.com, "Workflow commands for GitHub Actions", grouping log lines. GitLab: docs.gitlab.com, "Job
//! logs", custom collapsible sections, whose syntax includes control characters.

use std::io::Write;

use jiff::{SignedDuration, Timestamp};

use crate::report::event::{Event, Reporter};
use crate::report::message;
use crate::report::text::elapsed;

/// A CI system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CiProvider {
    /// GitHub Actions.
    GitHub,
    /// GitLab CI.
    GitLab,
}

/// A reporter that wraps another's output in sections.
pub struct CiSections<R, W: Write> {
    inner: R,
    writer: W,
    provider: CiProvider,
    started: Timestamp,
    /// The time of the last event, since the start.
    now: SignedDuration,
    sections: usize,
    is_open: bool,
}

impl<R: Reporter, W: Write> CiSections<R, W> {
    /// Writes section markers around the output of a reporter.
    pub fn new(inner: R, writer: W, provider: CiProvider, started: Timestamp) -> Self {
        Self { inner, writer, provider, started, now: SignedDuration::ZERO, sections: 0, is_open: false }
    }
}

impl<R, W: Write> CiSections<R, W> {
    fn open(&mut self) {
        if self.is_open {
            return;
        }
        self.is_open = true;
        self.sections += 1;
        let title = match self.sections {
            1 => "rollout".to_owned(),
            _ => format!("rollout from {}", elapsed(self.now)),
        };
        let (at, number) = (self.seconds(), self.sections);
        self.write(&match self.provider {
            CiProvider::GitHub => format!("::group::{title}\n"),
            CiProvider::GitLab => format!("section_start:{at}:rollout_{number}\r\u{1b}[0K{title}\n"),
        });
    }

    fn close(&mut self) {
        if !std::mem::take(&mut self.is_open) {
            return;
        }
        let (at, number) = (self.seconds(), self.sections);
        self.write(&match self.provider {
            CiProvider::GitHub => "::endgroup::\n".to_owned(),
            CiProvider::GitLab => format!("section_end:{at}:rollout_{number}\r\u{1b}[0K"),
        });
    }

    fn seconds(&self) -> i64 {
        self.started.as_second().saturating_add(self.now.as_secs())
    }

    /// Errors are ignored, as in every display.
    fn write(&mut self, text: &str) {
        self.writer.write_all(text.as_bytes()).and_then(|()| self.writer.flush()).ok();
    }
}

impl<R: Reporter, W: Write> Reporter for CiSections<R, W> {
    fn event(&mut self, event: &Event) {
        self.now = event.elapsed;
        if message::event_lines(event).iter().any(|line| line.severity.is_trouble()) {
            self.close();
        } else {
            self.open();
        }
        self.inner.event(event);
    }
}

/// A section ends with its run.
impl<R, W: Write> Drop for CiSections<R, W> {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::event::EventKind;
    use crate::report::lines::{Lines, Verbosity};

    fn printed(provider: CiProvider) -> String {
        let mut log = Vec::new();
        // Both reporters write to the same log.
        let shared = std::cell::RefCell::new(&mut log);
        struct Shared<'a, 'b>(&'a std::cell::RefCell<&'b mut Vec<u8>>);
        impl Write for Shared<'_, '_> {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0.borrow_mut().write(bytes)
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let started = Timestamp::from_second(1_000).unwrap();
        let lines = Lines::new(Shared(&shared), Verbosity::Full);
        let mut folded = CiSections::new(lines, Shared(&shared), provider, started);
        let whats = [
            EventKind::Resumed,
            EventKind::Warned { message: "the quota is nearly used up".to_owned() },
            EventKind::Resumed,
            EventKind::Resumed,
        ];
        for (second, what) in (0..).zip(whats) {
            folded.event(&Event {
                elapsed: SignedDuration::from_secs(second),
                cluster: None,
                namespace: None,
                application: "shop".to_owned(),
                component: Some("web".to_owned()),
                what,
            });
        }
        drop(folded);
        String::from_utf8(log).unwrap()
    }

    #[test]
    fn warnings_are_outside_sections() {
        let resumed = |second: u32| format!("[   {second}s] web: resumed\n");
        let warned = "[   1s] web: warning: the quota is nearly used up\n";
        let (zero, two, three) = (resumed(0), resumed(2), resumed(3));
        assert_eq!(
            printed(CiProvider::GitHub),
            format!(
                "::group::rollout\n{zero}::endgroup::\n{warned}::group::rollout from 2s\n{two}{three}::endgroup::\n"
            )
        );
        assert_eq!(
            printed(CiProvider::GitLab),
            format!(
                "section_start:1000:rollout_1\r\u{1b}[0Krollout\n{zero}section_end:1001:rollout_1\r\u{1b}[0K{warned}\
                 section_start:1002:rollout_2\r\u{1b}[0Krollout from 2s\n{two}{three}section_end:1003:rollout_2\r\u{1b}[0K"
            )
        );
    }
}
