//! A stream of the process, whose reader may go away, and in which a CI system may look for commands.

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use crate::report::ci_sections::CiProvider;
use crate::report::github;

/// One stream, shared by all its writers.
#[derive(Debug, Clone)]
pub(super) struct Stream(Arc<Mutex<Sink>>);

struct Sink {
    writer: Box<dyn Write + Send>,
    state: StreamState,
    /// The CI system that looks for commands in it.
    page: Option<CiProvider>,
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Sink").field("state", &self.state).finish_non_exhaustive()
    }
}

/// Whether a stream has a reader.
#[derive(Debug)]
enum StreamState {
    Open,
    /// The reader went away, as `head` does.
    Closed,
    /// It cannot be written, as on a full disk.
    Failed(io::Error),
}

impl Stream {
    pub(super) fn new(writer: impl Write + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Sink { writer: Box::new(writer), state: StreamState::Open, page: None })))
    }

    /// The same stream, of which a CI system interprets commands.
    pub(super) fn on(self, page: Option<CiProvider>) -> Self {
        self.lock().page = page;
        self
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Sink> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes text, with commands to the CI system escaped.
    pub(super) fn say(&self, text: &str) {
        let page = self.lock().page;
        self.command(&without_commands(page, text));
    }

    /// Writes text unchanged, including commands to the CI system.
    pub(super) fn command(&self, text: &str) {
        let mut sink = self.lock();
        if !matches!(sink.state, StreamState::Open) {
            return;
        }
        if let Err(error) = sink.writer.write_all(text.as_bytes()).and_then(|()| sink.writer.flush()) {
            let is_closed = error.kind() == io::ErrorKind::BrokenPipe;
            sink.state = if is_closed { StreamState::Closed } else { StreamState::Failed(error) };
        }
    }

    /// Whether the reader has gone away, or a write has failed.
    pub(super) fn is_over(&self) -> bool {
        !matches!(self.lock().state, StreamState::Open)
    }

    /// Closes the stream. Fails if a write has failed, unless the reader just went away.
    pub(super) fn close(&self) -> io::Result<()> {
        match std::mem::replace(&mut self.lock().state, StreamState::Closed) {
            StreamState::Open | StreamState::Closed => Ok(()),
            StreamState::Failed(error) => Err(error),
        }
    }
}

/// For reporters: an error is kept in the stream's state, so the reporter need not carry it.
impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.say(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Escapes commands to the CI system.
pub(super) fn without_commands(page: Option<CiProvider>, text: &str) -> Cow<'_, str> {
    match page {
        // GitLab's commands need control characters, which are removed elsewhere.
        None | Some(CiProvider::GitLab) => Cow::Borrowed(text),
        Some(CiProvider::GitHub) => github::escape_commands(text),
    }
}
