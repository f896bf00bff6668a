//! A stream of the process: its reader may go away, and a CI system may read along.

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
    /// The CI system that reads along.
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

    /// The same, read along by a CI system.
    pub(super) fn on(self, page: Option<CiProvider>) -> Self {
        self.lock().page = page;
        self
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Sink> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes text of which nothing is a command to the CI system.
    pub(super) fn say(&self, text: &str) {
        let page = self.lock().page;
        self.command(&without_commands(page, text));
    }

    /// Writes what is meant as it stands.
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

    /// Whether its reader has gone away, or it cannot be written.
    pub(super) fn is_over(&self) -> bool {
        !matches!(self.lock().state, StreamState::Open)
    }

    /// Ends it. Fails when it could not be written, unless the reader simply went away.
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

/// Text of which nothing is a command to the CI system.
pub(super) fn without_commands(page: Option<CiProvider>, text: &str) -> Cow<'_, str> {
    match page {
        // What GitLab takes for a command has control characters, of which none passes.
        None | Some(CiProvider::GitLab) => Cow::Borrowed(text),
        Some(CiProvider::GitHub) => github::escape_commands(text),
    }
}
