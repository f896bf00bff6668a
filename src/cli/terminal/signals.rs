//! Ctrl-C and SIGTERM: the first stops a run after the write in flight, the second stops it at once. After the outcome
//! is known, the first ends the command.

use std::io;

use tokio::signal::unix::{self, SignalKind};

use crate::cli::failure::Signal;
use crate::ops::Stopper;

/// How work ended.
pub enum Ended<T> {
    /// It completed, possibly after a signal.
    Done(T, Option<Signal>),
    /// It was dropped by the second signal.
    Dropped(Signal),
}

/// The signals that arrive from now on.
pub struct Signals {
    interrupts: unix::Signal,
    terminations: unix::Signal,
}

impl Signals {
    /// Listens for signals.
    ///
    /// # Errors
    ///
    /// If the system does not allow handlers to be set.
    pub fn listen() -> io::Result<Self> {
        let interrupts = unix::signal(SignalKind::interrupt())?;
        let terminations = unix::signal(SignalKind::terminate())?;
        Ok(Self { interrupts, terminations })
    }

    /// Runs work until it ends or a signal arrives.
    ///
    /// # Errors
    ///
    /// The signal.
    pub async fn interrupt<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Signal> {
        tokio::select! {
            output = work => Ok(output),
            _ = self.interrupts.recv() => Err(Signal::Interrupt),
            _ = self.terminations.recv() => Err(Signal::Terminate),
        }
    }

    /// Runs work to its end: the first signal stops it, the second drops it.
    pub async fn stop<T>(&mut self, stopper: &Stopper, work: impl Future<Output = T>) -> Ended<T> {
        tokio::pin!(work);
        let first = match self.interrupt(&mut work).await {
            Ok(output) => return Ended::Done(output, None),
            Err(signal) => signal,
        };
        stopper.stop();
        match self.interrupt(work).await {
            Ok(output) => Ended::Done(output, Some(first)),
            Err(signal) => Ended::Dropped(signal),
        }
    }
}
