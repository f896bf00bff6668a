//! The deadlines of a run and of its batches. They apply whatever the run is doing: waiting for pods, retrying a write
//! that a webhook keeps rejecting, or waiting for an API server that does not answer.

use std::time::Duration;

use jiff::SignedDuration;
use tokio::sync::watch;

use crate::cluster::clock::{Clock, Moment};
use crate::driver::component_run::ComponentRun;
use crate::driver::context::Context;
use crate::driver::outcome::{Failure, FailureKind};
use crate::plan::gate_point::GatePoint;
use crate::plan::phrase::format_duration;

/// The deadlines of one component.
pub(super) struct Deadlines {
    clock: Clock,
    /// `--timeout` and `--batch-timeout`; zero means no limit.
    limits: (Duration, Duration),
    run: Option<Moment>,
    batch: Option<BatchTimer>,
    /// The last batch that was ready, and the time left for its pods if they become unready.
    left_batch: Option<(usize, Option<Duration>)>,
    next: watch::Sender<Option<Moment>>,
}

/// The current batch.
#[derive(Debug, Clone, Copy)]
struct BatchTimer {
    /// Zero-based.
    index: usize,
    /// When this process entered it.
    at: SignedDuration,
    /// When it is late; `None` if never.
    deadline: Option<Moment>,
}

impl Deadlines {
    /// Starts the clock of the run.
    pub(super) fn new(context: &Context) -> Self {
        let clock = context.session.clock().clone();
        let run = clock.moment().after(context.limits.run);
        Self {
            clock,
            limits: (context.limits.run, context.limits.batch),
            run,
            batch: None,
            left_batch: None,
            next: watch::Sender::new(run),
        }
    }

    /// Starts the clock of a batch (zero-based), unless it is running. A batch that was ready before has the time that
    /// it had left.
    pub(super) fn enter_batch(&mut self, index: usize) {
        if self.batch.is_some_and(|known| known.index >= index) {
            return;
        }
        self.leave_batch();
        let now = self.clock.moment();
        let deadline = match self.left_batch.filter(|(left, _)| *left == index) {
            Some((_, left)) => left.map(|left| now.plus(left)),
            None => now.after(self.limits.1),
        };
        self.batch = Some(BatchTimer { index, at: self.clock.elapsed(), deadline });
        self.update();
    }

    /// Stops the clock of the batch at a gate, since it is for the batch's pods. After the batch, the time left is kept
    /// for pods that become unready.
    pub(super) fn stop_at(&mut self, point: GatePoint) {
        if matches!(point, GatePoint::After(index) if self.batch.is_some_and(|entered| entered.index == index))
        {
            self.leave_batch();
        }
        self.batch = None;
        self.update();
    }

    /// Forgets the batches, so that the next one has its full time.
    pub(super) fn forget_batches(&mut self) {
        (self.batch, self.left_batch) = (None, None);
        self.update();
    }

    fn leave_batch(&mut self) {
        let now = self.clock.moment();
        if let Some(BatchTimer { index, deadline, .. }) = self.batch {
            self.left_batch = Some((index, deadline.map(|deadline| deadline.saturating_since(now))));
        }
    }

    fn update(&self) {
        let batch = self.batch.and_then(|batch| batch.deadline);
        self.next.send_replace(batch.into_iter().chain(self.run).min());
    }

    /// How long ago this process entered the batch.
    pub(super) fn time_in_batch(&self) -> Option<SignedDuration> {
        self.batch.map(|batch| self.clock.elapsed() - batch.at)
    }

    /// Waits until the earliest deadline has passed, even if it moves in the meantime.
    pub(super) fn passed(&self) -> impl Future<Output = ()> + use<> {
        let (mut next, clock) = (self.next.subscribe(), self.clock.clone());
        async move {
            loop {
                let deadline = *next.borrow_and_update();
                tokio::select! {
                    biased;
                    () = clock.until(deadline) => return,
                    changed = next.changed() => if changed.is_err() { return },
                }
            }
        }
    }

    /// Fails if a deadline has passed; `on` is what the run waits for.
    pub(super) fn check(&self, on: &str) -> Result<(), Failure> {
        match self.exceeded() {
            None => Ok(()),
            Some(limit) => Err(Failure::new(FailureKind::NotReady, format!("not ready after {limit}: {on}"))),
        }
    }

    /// Fails if a deadline has passed; `on` is the gate that the run waits at, whose pods are ready.
    pub(super) fn check_gate(&self, on: &str) -> Result<(), Failure> {
        match self.exceeded() {
            None => Ok(()),
            Some(limit) => {
                Err(Failure::new(FailureKind::GateFailed, format!("not passed after {limit}: {on}")))
            }
        }
    }

    /// The deadline that has passed, with its flag.
    fn exceeded(&self) -> Option<String> {
        let now = self.clock.moment();
        let is_over = |deadline: Option<Moment>| deadline.is_some_and(|deadline| now >= deadline);
        let (flag, limit) = if is_over(self.run) {
            ("--timeout", self.limits.0)
        } else if is_over(self.batch.and_then(|batch| batch.deadline)) {
            ("--batch-timeout", self.limits.1)
        } else {
            return None;
        };
        Some(format!("{} (`{flag}`)", format_duration(limit.try_into().unwrap_or_default())))
    }
}

impl ComponentRun<'_> {
    /// Fails if a deadline has passed, with what the run was doing if it was not waiting for pods.
    pub(super) fn check_deadlines(&self) -> Result<(), Failure> {
        match (&self.gates.wait, &self.writes.last_error) {
            (Some(gate), _) => self.deadlines.check_gate(gate),
            (None, Some(error)) => self.deadlines.check(&format!("its writes keep failing: {error}")),
            (None, None) => self.deadlines.check("the API server does not answer"),
        }
    }
}
