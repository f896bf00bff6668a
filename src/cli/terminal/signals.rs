//! Ctrl-C and SIGTERM: the first asks to stop after the write in flight, the second stops at once.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

use crate::cli::failure::Signal;
use crate::ops::Stopper;

/// How work ended.
pub enum Ended<T> {
    /// By itself, though a signal may have asked it to.
    Done(T, Option<Signal>),
    /// Dropped where it was.
    Dropped(Signal),
}

/// Runs work to its end, heeding signals.
///
/// # Errors
///
/// A system that lets no handler be set.
pub async fn heed<T>(stopper: &Stopper, work: impl Future<Output = T>) -> io::Result<Ended<T>> {
    let mut interrupts = signal(SignalKind::interrupt())?;
    let mut terminations = signal(SignalKind::terminate())?;
    let mut first = None;
    tokio::pin!(work);
    loop {
        let received = tokio::select! {
            output = &mut work => return Ok(Ended::Done(output, first)),
            _ = interrupts.recv() => Signal::Interrupt,
            _ = terminations.recv() => Signal::Terminate,
        };
        if first.is_some() {
            return Ok(Ended::Dropped(received));
        }
        first = Some(received);
        stopper.stop();
    }
}
