//! The deadlines of a run and of its batches. They hold whatever the run is doing: waiting for pods, repeating a write
//! that a webhook keeps failing, or waiting for an API server that does not answer.

use jiff::SignedDuration;
use tokio::sync::watch;

use crate::cluster::clock::{Clock, Moment};
use crate::driver::component_run::ComponentRun;
use crate::driver::outcome::{Failure, FailureKind};
use crate::plan::phrase::format_duration;

/// The batch under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct BatchTimer {
    /// Zero-based.
    pub(super) index: usize,
    /// When this process entered it.
    pub(super) at: SignedDuration,
    /// When it is late; `None` where that is never.
    pub(super) deadline: Option<Moment>,
}

/// The earliest deadline of a component, which moves with its batches.
#[derive(Debug, Clone)]
pub(super) struct NextDeadline(watch::Sender<Option<Moment>>);

impl NextDeadline {
    pub(super) fn new(run: Option<Moment>) -> Self {
        Self(watch::Sender::new(run))
    }

    fn set(&self, deadline: Option<Moment>) {
        self.0.send_replace(deadline);
    }

    /// Waits until the deadline that is in force has passed.
    pub(super) async fn passed(&self, clock: &Clock) {
        let mut changes = self.0.subscribe();
        loop {
            let deadline = *changes.borrow_and_update();
            tokio::select! {
                biased;
                () = clock.until(deadline) => return,
                changed = changes.changed() => if changed.is_err() { return },
            }
        }
    }
}

impl ComponentRun<'_> {
    /// Takes note that the batch's deadline has changed.
    pub(super) fn move_deadline(&self) {
        let batch = self.batch.and_then(|batch| batch.deadline);
        self.next_deadline.set(batch.into_iter().chain(self.run_deadline).min());
    }

    /// Ends a run that is late; `on` is what it waits for.
    pub(super) fn check_deadline(&self, on: &str) -> Result<(), Failure> {
        let now = self.context.session.clock().moment();
        let is_over = |deadline: Option<Moment>| deadline.is_some_and(|deadline| now >= deadline);
        let (flag, limit) = if is_over(self.run_deadline) {
            ("--timeout", self.context.limits.run)
        } else if is_over(self.batch.and_then(|batch| batch.deadline)) {
            ("--batch-timeout", self.context.limits.batch)
        } else {
            return Ok(());
        };
        let limit = format_duration(limit.try_into().unwrap_or_default());
        Err(Failure::new(FailureKind::NotReady, format!("not ready after {limit} (`{flag}`): {on}")))
    }

    /// What a run that is late was doing, where it was not waiting for pods.
    pub(super) fn obstacle(&self) -> String {
        if let Some(gate) = &self.gate_wait {
            return gate.clone();
        }
        match &self.last_error {
            Some(error) => format!("its writes keep failing: {error}"),
            None => "the API server does not answer".to_owned(),
        }
    }
}
