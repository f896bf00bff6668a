//! The gates between batches: hooks, smoke tests, metrics, soak times and windows.
//!
//! A gate is part of the run's turn: after every change of the component, the planner decides again whether the batch
//! is still ready. The record is updated once all gates of a point are passed, so a process that resumes the run starts
//! over at the current point.

mod hooks;
mod metrics;
mod smoke_tests;

use std::time::Duration;

use crate::cluster::clock::Moment;
use crate::driver::component_run::ComponentRun;
use crate::driver::component_run::wait::REMIND_EVERY;
use crate::driver::context::GateTrust;
use crate::driver::outcome::{Failure, FailureKind, GateCause, HoldPoint};
use crate::oam::batch_gates::{WhenClosed, Window};
use crate::plan::action::Action;
use crate::plan::gate_place::HeldGate;
use crate::plan::gate_point::{BatchGate, GatePoint, due_point, gates_at, promoted_gates};
use crate::plan::observed::Observed;
use crate::plan::phrase::{self, format_duration};
use crate::plan::run::{Outcome, Run, RunSpec};
use crate::plan::window::next_opening;
use crate::report::event::EventKind;

use metrics::MetricProgress;

/// How long an answer from outside the cluster may take before the wait is reported.
const SLOW_ANSWER: Duration = Duration::from_secs(2);

/// The verdict of the gates on an action.
pub(super) enum GateTurn {
    /// The action may be performed.
    Open,
    /// The state of a gate has changed: plan again.
    Again,
    /// The run is held at a gate.
    Held(HoldPoint),
}

/// The gates of the current point.
pub(super) struct GateVisit {
    point: GatePoint,
    /// The index of the current gate.
    gate: usize,
    /// When the current gate was reached, or the soak time last began.
    since: Moment,
    /// When to call the hook, or to read the Job, again.
    due: Moment,
    /// Why the hook has not let the run continue.
    obstacle: Option<String>,
    metrics: Vec<MetricProgress>,
    /// The wait that was reported last, and when to report it again.
    notice: Option<(String, Moment)>,
}

/// The state of a run at its gates.
#[derive(Default)]
pub(super) struct GateState {
    /// The current point between batches, if the run is at one.
    visit: Option<GateVisit>,
    /// What the run waits for at a gate of the workflow or between batches.
    pub(super) wait: Option<String>,
    /// Whether Jobs of smoke tests that another process left behind were removed.
    has_swept_smoke_jobs: bool,
}

impl GateVisit {
    fn new(point: GatePoint, now: Moment) -> Self {
        Self { point, gate: 0, since: now, due: now, obstacle: None, metrics: Vec::new(), notice: None }
    }

    fn advance(&mut self, gates: usize, now: Moment) {
        *self = Self { gate: self.gate + gates, ..Self::new(self.point, now) };
    }
}

impl ComponentRun<'_> {
    /// Advances through the gates before an action, one step at a time.
    pub(super) async fn gate_turn(
        &mut self,
        observed: &Observed,
        action: &Action,
    ) -> Result<GateTurn, Failure> {
        let Some(run) = observed.record.as_ref().map(|record| &record.run) else { return Ok(GateTurn::Open) };
        let Some(probe) = self.context.probe.clone().filter(|_| !run.spec.gates.is_empty()) else {
            return Ok(GateTurn::Open);
        };
        // A run that ends at a gate is resumed without its manifest, so its revision has to be recorded.
        self.record_target().await?;
        // Others can write the record, even during the run.
        if self.context.limits.gates == GateTrust::Untrusted
            && let Some(what) = run.spec.gates.local_access()
        {
            return Err(Failure::new(
                FailureKind::GateFailed,
                format!("{what} on this machine, as the run record asks since it was changed"),
            )
            .hint("allow it with `--trust-gates` if the gates of the record are yours"));
        }
        self.sweep_smoke_jobs(&run.spec, &run.gates).await?;
        let now = self.context.session.clock().moment();
        let Some(point) = due_point(&run.spec, run.gates.passed, action) else {
            // A pod that becomes unready restarts the soak time.
            if let Some(visit) = &mut self.gates.visit {
                visit.since = now;
            }
            self.gates.wait = None;
            return Ok(GateTurn::Open);
        };
        // The deadline of a batch is for its pods, so it is suspended at a gate.
        self.deadlines.stop_at(point);
        if self.gates.visit.as_ref().is_none_or(|visit| visit.point != point) {
            let gate = promoted_gates(&run.gates, point, &run.spec);
            self.gates.visit = Some(GateVisit { gate, ..GateVisit::new(point, now) });
        }
        let gates = gates_at(&run.spec.gates, point);
        let at = self.gates.visit.as_ref().map_or(0, |visit| visit.gate);
        match gates.get(at) {
            None => self.leave_point(point, &run.spec, &gates).await.map(|()| GateTurn::Again),
            Some(BatchGate::Window(window)) => self.window_turn(observed, point, window).await,
            Some(BatchGate::Soak(seconds)) => self.soak_turn(observed, point, *seconds).await,
            Some(BatchGate::SmokeTest(test)) => self.smoke_turn(observed, point, test).await,
            Some(BatchGate::Hook(hook)) => self.hook_turn(&*probe, observed, point, hook).await,
            Some(BatchGate::Metric(_)) => {
                let is_metric = |gate: &&BatchGate<'_>| matches!(gate, BatchGate::Metric(_));
                let metrics: Vec<_> = gates[at..]
                    .iter()
                    .take_while(is_metric)
                    .filter_map(|gate| match gate {
                        BatchGate::Metric(metric) => Some(*metric),
                        BatchGate::Window(_)
                        | BatchGate::Soak(_)
                        | BatchGate::SmokeTest(_)
                        | BatchGate::Hook(_) => None,
                    })
                    .collect();
                self.metrics_turn(&*probe, observed, point, &metrics).await
            }
        }
    }

    /// Records that all gates of a point are passed.
    async fn leave_point(
        &mut self,
        point: GatePoint,
        spec: &RunSpec,
        gates: &[BatchGate<'_>],
    ) -> Result<(), Failure> {
        let passed = point.ordinal(spec).saturating_add(1);
        self.amend(|run| {
            if run.gates.passed < passed {
                (run.gates.passed, run.gates.promoted) = (passed, 0);
            }
            run.gates.held_at = None;
        })
        .await?;
        for name in self.smoke_jobs(spec, point, gates) {
            self.remove_smoke_job(&name).await?;
        }
        (self.gates.visit, self.gates.wait) = (None, None);
        self.emit(EventKind::GatePassed { point: point.phrase(spec.batches.len()) });
        Ok(())
    }

    async fn window_turn(
        &mut self,
        observed: &Observed,
        point: GatePoint,
        window: &Window,
    ) -> Result<GateTurn, Failure> {
        let now = self.context.session.clock().now();
        let opening =
            next_opening(window, now).map_err(|reason| Failure::new(FailureKind::GateFailed, reason))?;
        let left = Duration::try_from(opening.duration_since(now)).unwrap_or_default();
        if left.is_zero() {
            self.advance_gate(1);
            return Ok(GateTurn::Again);
        }
        match window.when_closed {
            WhenClosed::Wait => {}
            WhenClosed::Hold => {
                let place = place(observed, point);
                let reason = format!("{place}, {}", phrase::closed_until(opening));
                self.hold_at_gate(observed, point, 1, &reason, |_| {}).await?;
                return Ok(GateTurn::Held(HoldPoint::Gate { cause: GateCause::Closed, reason }));
            }
        }
        let on = format!("the window, which opens at {},", phrase::moment(opening));
        self.wait_at_gate(observed, point, on, left).await?;
        Ok(GateTurn::Again)
    }

    /// Records that the run is held at a gate: the last of `gates` gates, counted from the current one.
    async fn hold_at_gate(
        &mut self,
        observed: &Observed,
        point: GatePoint,
        gates: usize,
        reason: &str,
        change: impl Fn(&mut Run),
    ) -> Result<(), Failure> {
        let Some(spec) = observed.record.as_ref().map(|record| &record.run.spec) else { return Ok(()) };
        let at = self.gates.visit.as_ref().map_or(0, |visit| visit.gate) + gates;
        let gate = HeldGate { point: point.ordinal(spec), gates: u32::try_from(at).unwrap_or(u32::MAX) };
        let now = self.context.session.clock().now();
        self.amend(|run| {
            change(run);
            run.gates.held_at = Some(gate);
            run.outcome = Outcome::Held;
            run.finished = Some(now);
            run.message = Some(reason.to_owned());
        })
        .await
    }

    async fn soak_turn(
        &mut self,
        observed: &Observed,
        point: GatePoint,
        seconds: u64,
    ) -> Result<GateTurn, Failure> {
        let now = self.context.session.clock().moment();
        let since = self.gates.visit.as_ref().map_or(now, |visit| visit.since);
        let end = since.plus(Duration::from_secs(seconds));
        let left = end.saturating_since(now);
        if left.is_zero() {
            self.advance_gate(1);
            return Ok(GateTurn::Again);
        }
        let whole = Duration::from_secs(seconds).try_into().unwrap_or_default();
        let on = format!("the soak time of {}", format_duration(whole));
        self.wait_at_gate(observed, point, on, left).await?;
        Ok(GateTurn::Again)
    }

    /// When the current gate has taken as long as a batch may.
    fn gate_deadline(&self) -> Option<Moment> {
        self.gates.visit.as_ref()?.since.after(self.context.limits.batch)
    }

    /// The limit of a batch, formatted, if the current gate has taken longer.
    fn exceeded_limit(&self) -> Option<String> {
        let is_late = self.context.session.clock().moment() >= self.gate_deadline()?;
        is_late.then(|| format_duration(self.context.limits.batch.try_into().unwrap_or_default()))
    }

    pub(super) fn advance_gate(&mut self, gates: usize) {
        let now = self.context.session.clock().moment();
        if let Some(visit) = &mut self.gates.visit {
            visit.advance(gates, now);
        }
        self.gates.wait = None;
    }

    /// Waits for an answer from outside the cluster, and reports a slow one. Returns `None` if the run has to plan
    /// again first: the record has changed, for example because the run was paused or replaced, the run has to stop, or
    /// `until` has passed.
    async fn ask_at_gate<T>(
        &mut self,
        observed: &Observed,
        point: GatePoint,
        on: String,
        answer: impl Future<Output = T>,
        until: Option<Moment>,
    ) -> Result<Option<T>, Failure> {
        let on = format!("{on} {}", place(observed, point));
        self.deadlines.check_gate(&on)?;
        self.gates.wait = Some(on.clone());
        let clock = self.context.session.clock().clone();
        let reported = self.gates.visit.as_ref().and_then(|visit| visit.notice.as_ref());
        let slow = clock.moment().plus(SLOW_ANSWER);
        let mut remind = reported.map_or(slow, |(_, due)| slow.max(*due));
        tokio::pin!(answer);
        loop {
            tokio::select! {
                biased;
                answer = &mut answer => return Ok(Some(answer)),
                () = self.record_changed() => return Ok(None),
                () = self.context.control.stopped() => return Ok(None),
                () = self.lease_refused() => return Ok(None),
                () = clock.until(until) => return Ok(None),
                () = clock.until(Some(remind)) => {
                    let progress = self.progress(observed);
                    self.emit(EventKind::Waiting { progress, on: on.clone(), at_gate: true });
                    remind = clock.moment().plus(REMIND_EVERY);
                    if let Some(visit) = &mut self.gates.visit {
                        visit.notice = Some((on.clone(), remind));
                    }
                }
            }
        }
    }

    /// Waits until the watch has a newer record than this run.
    async fn record_changed(&self) {
        let mut changes = self.watch.records.changes_of(&self.prepared.component);
        while self.record.as_ref().is_none_or(|known| self.watch.records.newer_than(known).is_none()) {
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits at a gate until something changes, but at most for `at_most`, and reports what it waits for.
    async fn wait_at_gate(
        &mut self,
        observed: &Observed,
        point: GatePoint,
        on: String,
        at_most: Duration,
    ) -> Result<(), Failure> {
        let on = format!("{on} {}", place(observed, point));
        let Some(changes) = self.changes_since(observed) else { return Ok(()) };
        self.deadlines.check_gate(&on)?;
        let now = self.context.session.clock().moment();
        let reported = self.gates.visit.as_mut().and_then(|visit| visit.notice.take());
        let notice = match reported.filter(|(reported, due)| *reported == on && now < *due) {
            Some(notice) => notice,
            None => {
                let progress = self.progress(observed);
                self.emit(EventKind::Waiting { progress, on: on.clone(), at_gate: true });
                (on.clone(), now.plus(REMIND_EVERY))
            }
        };
        let until = now.plus(at_most).min(notice.1);
        if let Some(visit) = &mut self.gates.visit {
            visit.notice = Some(notice);
        }
        self.gates.wait = Some(on);
        self.await_change(changes, Some(until)).await;
        Ok(())
    }
}

/// Describes a point, such as "after batch 2 of 3".
fn place(observed: &Observed, point: GatePoint) -> String {
    point.phrase(observed.record.as_ref().map_or(0, |record| record.run.spec.batches.len()))
}
