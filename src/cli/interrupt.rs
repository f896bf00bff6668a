//! What commands do when a signal arrives.

use anyhow::Context as _;

use crate::cli::failure::{CommandError, Kind};
use crate::cli::terminal::signals::{Ended, Signals};
use crate::ops::{self, Context};

/// Runs a command that changes nothing, until it ends or a signal arrives. Then only the exit code reports the signal,
/// as nothing is unfinished.
///
/// # Errors
///
/// The failure of the command, or the signal.
pub async fn interruptible(
    command: impl Future<Output = Result<u8, CommandError>>,
) -> Result<u8, CommandError> {
    let ended = signals()?.interrupt(command).await;
    ended.unwrap_or_else(|signal| Err(CommandError::reported(Kind::Interrupted(signal))))
}

/// Runs work that stops after the request in flight when a signal arrives, and at once when another does.
///
/// # Errors
///
/// The failure of the work, which is [`ops::FailureKind::Interrupted`] if a signal has stopped it.
pub async fn stoppable<T>(
    context: &Context,
    work: impl AsyncFnOnce(&Context) -> Result<T, CommandError>,
) -> Result<T, CommandError> {
    let (stopper, control) = ops::control();
    let session = context.session.with_stop(control.receiver());
    let context = Context { session, control, ..context.clone() };
    match signals()?.stop(&stopper, work(&context)).await {
        Ended::Done(ended, None) => ended,
        Ended::Done(ended, Some(signal)) => ended.map_err(|error| match error.kind {
            Kind::Interrupted(_) => CommandError { kind: Kind::Interrupted(signal), ..error },
            Kind::Manifest
            | Kind::Usage
            | Kind::Refused
            | Kind::Timeout
            | Kind::Conflict
            | Kind::Cluster
            | Kind::Internal => error,
        }),
        Ended::Dropped(signal) => {
            Err(CommandError::message(Kind::Interrupted(signal), "interrupted immediately")
                .hint("rerun the same command to complete it"))
        }
    }
}

/// The signals that arrive from now on.
///
/// # Errors
///
/// If the system does not allow handlers to be set.
pub fn signals() -> Result<Signals, CommandError> {
    Ok(Signals::listen().context("signal handlers cannot be installed")?)
}
