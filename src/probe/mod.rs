//! What a run asks outside the cluster: hooks, and the providers of metrics.
//!
//! It asks from where `rollout` runs, so a private address is as good as any. Certificates are checked, no redirect is
//! followed, and no proxy is used.

pub mod hook;
mod live;
pub mod provider;

use futures::future::LocalBoxFuture;
use thiserror::Error;

use crate::oam::batch_gates::Header;

pub use live::{Environment, LiveProbe};

/// Asks questions.
pub trait Probe {
    /// Asks one and waits for its answer, however long that takes.
    ///
    /// # Errors
    /// Why there is no answer.
    fn ask(&self, question: Question) -> LocalBoxFuture<'_, Result<Answer, ProbeError>>;
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// An HTTP request.
    Http {
        /// The method.
        method: String,
        /// The address.
        url: String,
        /// The headers; their values are looked up when they are sent.
        headers: Vec<Header>,
        /// The body; `None` is none.
        body: Option<String>,
    },
    /// A command.
    Exec {
        /// The program and its arguments.
        command: Vec<String>,
    },
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status, or the exit code of a command; -1 where a signal ended it.
    pub status: i32,
    /// The body, or what the command printed on stdout.
    pub body: String,
    /// What the command printed on stderr, its last line.
    pub complaint: String,
}

/// Why there is no answer. The text names no secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct ProbeError(pub String);
