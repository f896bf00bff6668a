//! Failures of commands: their kind, their cause, and what to do next.
//!
//! The command line converts library errors into a [`CommandError`] and decides its kind, which determines the exit
//! code. Hints are separate from the message, so that a message stays one sentence.

use std::fmt::Write as _;

use crate::cli::exit;
use crate::ops::{self, manifest::ManifestErrors};
use crate::report::text::{sanitise, sanitise_block};

/// A command's failure.
#[derive(Debug)]
pub struct CommandError {
    /// The kind, which determines the exit code.
    pub kind: Kind,
    /// What went wrong, with its causes.
    pub error: anyhow::Error,
    /// What to do next, one sentence each.
    pub hints: Vec<String>,
    /// Whether a reporter has printed it already.
    pub reported: Reported,
}

/// The kind of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A manifest is wrong; nothing was sent.
    Manifest,
    /// The command line is wrong; nothing was sent.
    Usage,
    /// The request was refused before any write.
    Refused,
    /// The rollout did not become ready in time, or cannot.
    Timeout,
    /// Another run drives the application.
    Conflict,
    /// The cluster cannot be reached, or refuses.
    Cluster,
    /// The user stopped it.
    Interrupted(Signal),
    /// Anything else.
    Internal,
}

impl Kind {
    /// The exit code of this kind of failure.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Manifest | Self::Usage => exit::USAGE,
            Self::Refused => exit::REFUSED,
            Self::Timeout => exit::TIMEOUT,
            Self::Conflict => exit::CONFLICT,
            Self::Cluster => exit::CLUSTER,
            Self::Interrupted(Signal::Interrupt) => exit::INTERRUPTED,
            Self::Interrupted(Signal::Terminate) => exit::TERMINATED,
            Self::Internal => exit::FAILURE,
        }
    }
}

/// The signal that stopped a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

/// Whether a failure has been printed already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reported {
    /// Not yet: it is printed when the command ends.
    NotYet,
    /// Yes, as an event: only the exit code remains.
    AsEvent,
}

impl CommandError {
    /// A failure that is printed when the command ends.
    pub fn new(kind: Kind, error: impl Into<anyhow::Error>) -> Self {
        Self { kind, error: error.into(), hints: Vec::new(), reported: Reported::NotYet }
    }

    /// A failure from a message: lower case, object first, no full stop.
    pub fn message(kind: Kind, message: impl Into<String>) -> Self {
        Self::new(kind, anyhow::Error::msg(message.into()))
    }

    /// A failure that a reporter has printed already; only its exit code matters.
    pub fn reported(kind: Kind) -> Self {
        Self { reported: Reported::AsEvent, ..Self::message(kind, "the run failed") }
    }

    /// Adds a hint, unless another failure has added the same.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        if !self.hints.contains(&hint) {
            self.hints.push(hint);
        }
        self
    }

    /// Prefixes the message with its subject.
    #[must_use]
    pub fn prefixed(mut self, subject: &str) -> Self {
        // A manifest's problems are printed one per line, each with its location.
        if self.error.downcast_ref::<ManifestErrors>().is_none() {
            let message = format!("{subject}: {}", self.error);
            self.error = self.error.context(message);
        }
        self
    }

    /// The failure as lines, each with its label; sanitised.
    pub(crate) fn lines(&self) -> Vec<(Label, String)> {
        let mut lines = Vec::new();
        let mut said = String::new();
        for cause in self.error.chain() {
            let text = cause.to_string();
            // Many errors include the text of their source.
            if !said.is_empty() && said.contains(&text) {
                continue;
            }
            let label = if said.is_empty() { Label::Error } else { Label::Cause };
            lines.push((label, self.shown(&text)));
            writeln!(said, "{text}").expect("writing to a string cannot fail");
        }
        lines.extend(self.hints.iter().map(|hint| (Label::Hint, sanitise(hint).into_owned())));
        lines
    }

    /// A message as it is printed. Lines after the first are indented, so that text from a server can be mistaken
    /// neither for a line of `rollout` nor for a command to the CI system. Each problem of a manifest is a line of its
    /// own.
    fn shown(&self, text: &str) -> String {
        let Some(errors) = self.error.downcast_ref::<ManifestErrors>() else {
            return sanitise_block(text.trim_end()).replace('\n', "\n  ");
        };
        errors.lines().map(|line| sanitise(&line).into_owned()).collect::<Vec<_>>().join("\n")
    }
}

/// The label of a line of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Label {
    /// The message.
    Error,
    /// A deeper cause.
    Cause,
    /// A warning, which does not stop the command.
    Warning,
    /// What to do next.
    Hint,
}

impl Label {
    /// The word before the colon.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Cause => "caused by",
            Self::Warning => "warning",
            Self::Hint => "hint",
        }
    }
}

impl From<ops::FailureKind> for Kind {
    fn from(kind: ops::FailureKind) -> Self {
        match kind {
            ops::FailureKind::Invalid => Self::Usage,
            ops::FailureKind::Refused => Self::Refused,
            ops::FailureKind::NotReady | ops::FailureKind::GateFailed => Self::Timeout,
            ops::FailureKind::Superseded | ops::FailureKind::ExternalChange => Self::Conflict,
            ops::FailureKind::Cluster | ops::FailureKind::Denied => Self::Cluster,
            ops::FailureKind::Interrupted => Self::Interrupted(Signal::Interrupt),
            ops::FailureKind::Internal => Self::Internal,
        }
    }
}

/// A failure of an operation that no event has reported.
impl From<ops::Failure> for CommandError {
    fn from(failure: ops::Failure) -> Self {
        let unreported = Self::message(failure.kind.into(), failure.reason);
        failure.hints.into_iter().fold(unreported, Self::hint)
    }
}

/// Errors that no code has classified are internal.
impl From<anyhow::Error> for CommandError {
    fn from(error: anyhow::Error) -> Self {
        Self::new(Kind::Internal, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn every_kind_has_its_code() {
        let cases = [
            (Kind::Manifest, 2),
            (Kind::Usage, 2),
            (Kind::Refused, 4),
            (Kind::Timeout, 3),
            (Kind::Conflict, 5),
            (Kind::Cluster, 6),
            (Kind::Interrupted(Signal::Interrupt), 130),
            (Kind::Interrupted(Signal::Terminate), 143),
            (Kind::Internal, 1),
        ];
        for (kind, code) in cases {
            assert_eq!(kind.exit_code(), code, "{kind:?}");
        }
    }

    #[test]
    fn causes_follow_the_message_and_hints_come_last() {
        let error = Err::<(), _>(anyhow::anyhow!("disk is full")).context("cannot save `x`").unwrap_err();
        let failure = CommandError::new(Kind::Internal, error).hint("make room").hint("make room");
        assert_eq!(
            failure.lines(),
            [
                (Label::Error, "cannot save `x`".to_owned()),
                (Label::Cause, "disk is full".to_owned()),
                (Label::Hint, "make room".to_owned()),
            ]
        );
    }

    #[test]
    fn a_cause_contained_in_the_message_is_omitted() {
        let error =
            Err::<(), _>(anyhow::anyhow!("refused")).context("connection failed: refused").unwrap_err();
        assert_eq!(CommandError::from(error).lines().len(), 1);
    }

    #[test]
    fn later_lines_of_a_message_are_indented() {
        let failure = CommandError::message(Kind::Cluster, "body: <html>\nerror: it is fine\n::stop::x\n");
        assert_eq!(
            failure.lines(),
            [(Label::Error, "body: <html>\n  error: it is fine\n  ::stop::x".to_owned())]
        );
    }

    #[test]
    fn messages_and_hints_are_sanitised() {
        let failure = CommandError::message(Kind::Cluster, "body: \x1b[2J\rgone").hint("a\nb");
        assert_eq!(
            failure.lines(),
            [(Label::Error, "body: \\x1b[2J\\rgone".to_owned()), (Label::Hint, "a\\nb".to_owned()),]
        );
    }
}
