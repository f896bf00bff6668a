//! What holds a component before anything of it is applied: steps of the workflow that the run waits for, steps that
//! hold it until a user promotes it, and components that it depends on and that are held.
//!
//! A held run is claimed like any other, and its revision is recorded, but nothing is applied. So it can be promoted
//! without the manifest.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::cluster::clock::Moment;
use crate::driver::component_run::claim::RunStart;
use crate::driver::component_run::wait::REMIND_EVERY;
use crate::driver::component_run::{ComponentRun, Predecessors};
use crate::driver::other_application::{OtherApplication, find_application};
use crate::driver::outcome::{ComponentOutcome, Failure, FailureKind, Hold, HoldPoint};
use crate::driver::prepare::PreparedComponent;
use crate::driver::workflow::behind;
use crate::oam::workflow::{GateCondition, StepGate};
use crate::plan::phrase::format_duration;
use crate::plan::run::{FrozenBatch, Mode, Outcome, Run, RunSpec, WorkflowPlace};
use crate::plan::step::{Refusal, Step, plan};
use crate::report::event::EventKind;

/// How often to check whether another application is done: its namespace may not be watched.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The state of a component in the workflow of its application.
pub(super) struct WorkflowState {
    /// The place that the next claim records.
    pub(super) place: Option<WorkflowPlace>,
    /// The state of the components before it.
    pub(super) predecessors: Predecessors,
    /// The steps that this process has passed.
    pub(super) passed: Rc<RefCell<BTreeSet<String>>>,
    /// The wait at a gate that was reported last, and when to report it again.
    notice: Option<(String, Moment)>,
}

impl WorkflowState {
    pub(super) fn new(prepared: &PreparedComponent) -> Self {
        Self {
            place: prepared.workflow.clone(),
            predecessors: Predecessors::Done,
            passed: Rc::default(),
            notice: None,
        }
    }
}

/// The result of passing the gates before a component.
pub(super) enum Gates {
    /// There are none, or all are passed.
    Passed,
    /// The run ends here.
    Held(ComponentOutcome),
    /// Another run has claimed the component since this one was prepared.
    Outdated,
}

impl ComponentRun<'_> {
    /// Passes the gates before the component, or holds it at one.
    pub(super) async fn pass_gates(&mut self) -> Result<Gates, Failure> {
        let Some(mut place) = self.workflow.place.clone().filter(|place| place.is_waiting) else {
            return Ok(Gates::Passed);
        };
        let is_settled = self.prepared.is_settled(&self.watch.cache);
        if let Predecessors::Held { hold, component } = self.workflow.predecessors.clone() {
            if is_settled {
                let skipped = ComponentOutcome::Skipped { waiting_for: component, hold: Some(hold) };
                return Ok(Gates::Held(skipped));
            }
            let at = match hold {
                Hold::Step(step) => HoldPoint::Step { step, message: None },
                Hold::Component(component) => HoldPoint::Dependency { component },
            };
            return self.hold_in_workflow(behind(&place), ComponentOutcome::Held { at }).await;
        }
        if is_settled {
            // If its turn brings a claim after all, the run has started.
            self.workflow.place =
                Some(place).map(|place| WorkflowPlace { is_waiting: !place.gates.is_empty(), ..place });
            return Ok(Gates::Passed);
        }
        loop {
            place = place.past(&self.workflow.passed.borrow());
            let Some(gate) = place.gates.first().cloned() else { break };
            match &gate.condition {
                GateCondition::Application { name, namespace } => {
                    self.await_application(name, namespace).await?;
                }
                GateCondition::Promotion { after_seconds, message } => {
                    place.reached = place.reached.or_else(|| Some(self.context.session.clock().now()));
                    let at = HoldPoint::Step { step: gate.step.clone(), message: message.clone() };
                    let held = ComponentOutcome::Held { at };
                    let held = self.hold_in_workflow(place.clone(), held).await?;
                    match (held, after_seconds.zip(place.reached)) {
                        (held @ (Gates::Passed | Gates::Outdated), _) | (held, None) => return Ok(held),
                        (Gates::Held(_), Some((seconds, reached))) => {
                            self.await_time(&gate, reached, seconds).await?;
                        }
                    }
                }
            }
            self.gates.wait = None;
            self.workflow.passed.borrow_mut().insert(gate.step);
        }
        place.is_waiting = false;
        self.workflow.place = Some(place.clone());
        if self.has_claimed() {
            self.amend(|run| {
                run.outcome = Outcome::Running;
                run.finished = None;
                run.workflow = Some(place.clone());
            })
            .await?;
            self.report_start(RunStart::Fresh);
            if let Some(objects) = &self.prepared.objects {
                self.begin_only_batch(objects);
            }
        }
        Ok(Gates::Passed)
    }

    /// Claims the run and records that it is held at this place, unless the record shows that already.
    async fn hold_in_workflow(
        &mut self,
        place: WorkflowPlace,
        held: ComponentOutcome,
    ) -> Result<Gates, Failure> {
        let recorded = self.record.as_ref().map(|stored| &stored.record.run);
        if self.prepared.is_held_at(&place, recorded) {
            return Ok(Gates::Held(held));
        }
        self.workflow.place = Some(place.clone());
        while !self.has_claimed() {
            if self.context.control.is_stopped() {
                return Err(Failure::new(FailureKind::Interrupted, "interrupted"));
            }
            self.check_deadlines()?;
            if self.is_outdated().await? {
                return Ok(Gates::Outdated);
            }
            self.check_claim()?;
            let observed = self.observe();
            let step = match &self.prepared.objects {
                Some(objects) => self.claim_of_objects(objects, &observed),
                None => match plan(&observed, &self.prepared.desired) {
                    Step::Refuse(Refusal::BatchSumError(sum_error)) => return Err(Failure::from(&sum_error)),
                    step @ Step::Claim { .. } => step,
                    // Only Services or the objects of traits change.
                    Step::Nothing
                    | Step::Stamp { .. }
                    | Step::Act(_)
                    | Step::Superseded { .. }
                    | Step::ExternalChange { .. } => {
                        let spec = observed.record.as_ref().map(|record| unchanged(&record.run));
                        let Some((spec, resumes)) = spec else { return Err(self.superseded().await) };
                        Step::Claim { spec, resumes }
                    }
                },
            };
            self.act(&observed, step).await?;
            self.confirm_framing();
        }
        self.record_target().await?;
        let finished = Some(self.context.session.clock().now());
        self.amend(|run| {
            run.outcome = Outcome::Held;
            run.finished = finished;
            run.workflow = Some(place.clone());
        })
        .await?;
        Ok(Gates::Held(held))
    }

    /// Waits until a step's time has passed, or a user has promoted it.
    async fn await_time(&mut self, gate: &StepGate, reached: Timestamp, seconds: u64) -> Result<(), Failure> {
        let clock = self.context.session.clock().clone();
        let whole = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
        let end = reached.saturating_add(whole).unwrap_or(Timestamp::MAX);
        loop {
            let left = Duration::try_from(end.duration_since(clock.now())).unwrap_or_default();
            if left.is_zero() || self.is_promoted(gate) {
                return Ok(());
            }
            let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
            let shown =
                format_duration(SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX)));
            let on = format!("step `{}` of the workflow, {shown} left", gate.step);
            self.pause_at_gate(&gate.step, on, left.min(REMIND_EVERY)).await?;
        }
    }

    /// Whether a user has promoted the run past a gate since it was claimed.
    fn is_promoted(&mut self, gate: &StepGate) -> bool {
        self.apply_watched_record();
        let record = self.recorded();
        let place = record.filter(|record| Some(record.epoch) == self.claim.epoch);
        let place = place.and_then(|record| record.run.workflow.as_ref());
        place.is_some_and(|place| place.passed.contains(&gate.step))
    }

    /// Waits until the components of another application are done.
    async fn await_application(&mut self, name: &str, namespace: &str) -> Result<(), Failure> {
        self.deadlines.enter_batch(0);
        loop {
            let session = &self.context.session;
            let missing = match find_application(session, namespace, name).await? {
                OtherApplication::Done => break,
                OtherApplication::Missing(missing) => missing,
            };
            let on = format!("application `{name}` in namespace `{namespace}`: {missing}");
            self.pause_at_gate(&on.clone(), on, LOOK_EVERY).await?;
        }
        self.deadlines.forget_batches();
        self.workflow.notice = None;
        Ok(())
    }

    /// Waits at a gate for at most `at_most`. Reports a new wait at once, and repeats it from time to time.
    async fn pause_at_gate(&mut self, what: &str, on: String, at_most: Duration) -> Result<(), Failure> {
        self.deadlines.check_gate(&on)?;
        let mut changes = self.watch.records.changes_of(&self.prepared.component);
        let clock = self.context.session.clock().clone();
        let now = clock.moment();
        if self.workflow.notice.as_ref().is_none_or(|(reported, due)| reported != what || now >= *due) {
            let progress = self.progress_now();
            self.emit(EventKind::Waiting { progress, on: on.clone(), at_gate: true });
            self.workflow.notice = Some((what.to_owned(), now.plus(REMIND_EVERY)));
        }
        self.gates.wait = Some(on);
        tokio::select! {
            biased;
            () = clock.pause(at_most) => {}
            _ = changes.changed() => {}
            () = self.deadlines.passed() => {}
            () = self.context.control.stopped() => {
                return Err(Failure::new(FailureKind::Interrupted, "interrupted"));
            }
        }
        Ok(())
    }
}

/// A run that changes no size and no template, only Services or the objects of traits. The second value is whether it
/// resumes the recorded run.
fn unchanged(recorded: &Run) -> (RunSpec, bool) {
    if recorded.outcome.is_resumable() {
        return (recorded.spec.clone(), true);
    }
    let size = recorded.spec.target_size;
    let spec = RunSpec {
        mode: Mode::Scale,
        sources: Vec::new(),
        original_size: size,
        target_start: size,
        batches: vec![FrozenBatch { size: 0, max_unavailable: recorded.spec.tolerated_at_end() }],
        partition: None,
        is_return: false,
        ..recorded.spec.clone()
    };
    (spec, false)
}
