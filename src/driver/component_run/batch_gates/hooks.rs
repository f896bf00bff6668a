//! Calling hooks: at least once, and the same call for every try.

use std::time::Duration;

use crate::driver::component_run::ComponentRun;
use crate::driver::component_run::batch_gates::{GateTurn, place};
use crate::driver::outcome::{Failure, FailureKind};
use crate::oam::batch_gates::{Hook, HookType};
use crate::plan::gate_point::GatePoint;
use crate::plan::observed::Observed;
use crate::probe::Probe;
use crate::probe::hook::{HookAnswer, HookCall};
use crate::report::event::EventKind;

/// How often a hook that cannot be reached is tried at once, and the pause after the first try: as in the original.
const TRIES: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const FACTOR: u32 = 5;

/// When a hook that does not let the run continue is called again: as in the original.
const CALL_AGAIN: Duration = Duration::from_secs(5);

/// The state of a run that fails, as the original names it.
const FAILING: &str = "rolloutFailing";

/// The state of the run at a point, as the original names it.
fn phase(point: GatePoint) -> &'static str {
    match point {
        GatePoint::Start => "initializing",
        GatePoint::Before(_) => "batchInitializing",
        GatePoint::After(_) => "batchFinalizing",
        GatePoint::End => "finalising",
    }
}

impl ComponentRun<'_> {
    /// Calls a hook, or waits until it is to be called again. There is as much time for it as for a batch.
    pub(super) async fn hook_turn(
        &mut self,
        probe: &dyn Probe,
        observed: &Observed,
        point: GatePoint,
        hook: &Hook,
    ) -> Result<GateTurn, Failure> {
        let clock = self.context.session.clock().clone();
        let now = clock.moment();
        let due = self.gate_visit.as_ref().map_or(now, |visit| visit.due);
        if now < due {
            let obstacle = self.gate_visit.as_ref().and_then(|visit| visit.obstacle.clone());
            let on = obstacle.unwrap_or_else(|| format!("hook `{}`", hook.name));
            self.wait_at_gate(observed, point, on, due.saturating_since(now)).await?;
            return Ok(GateTurn::Again);
        }
        let batch = point.batch().map_or_else(|| "-".to_owned(), |batch| (batch + 1).to_string());
        let obstacle = match self.call_hook(probe, hook, phase(point), &batch).await? {
            HookAnswer::Accepted => {
                self.advance_gate(1);
                return Ok(GateTurn::Again);
            }
            HookAnswer::Refused(status) => {
                format!("hook `{}`, which answers with status {status},", hook.name)
            }
            HookAnswer::Unreached(reason) => {
                format!("hook `{}`, which cannot be reached ({reason}),", hook.name)
            }
        };
        if let Some(limit) = self.exceeded_limit() {
            let place = place(observed, point);
            let reason = format!("not passed after {limit} (`--batch-timeout`): {obstacle} {place}");
            return Err(Failure::new(FailureKind::GateFailed, reason));
        }
        if let Some(visit) = &mut self.gate_visit {
            visit.due = clock.moment().plus(CALL_AGAIN);
            visit.obstacle = Some(obstacle);
        }
        Ok(GateTurn::Again)
    }

    /// Calls a hook with the tries of one call.
    async fn call_hook(
        &self,
        probe: &dyn Probe,
        hook: &Hook,
        phase: &str,
        batch: &str,
    ) -> Result<HookAnswer, Failure> {
        let prepared = self.prepared;
        let started = self.record.as_ref().map(|stored| stored.record.run.started.to_string());
        let (application, component) = (&prepared.application, &prepared.component);
        let run = started.unwrap_or_default();
        let call = HookCall {
            component,
            namespace: &prepared.namespace,
            phase,
            key: format!("{application}/{component}/{run}/{batch}/{phase}/{}", hook.name),
        };
        let clock = self.context.session.clock();
        let mut pause = FIRST_PAUSE;
        let mut tries = 0;
        loop {
            let answer = tokio::select! {
                biased;
                answer = self.in_time(probe.call_hook(hook, &call)) => {
                    answer.unwrap_or_else(HookAnswer::Unreached)
                }
                () = self.context.control.stopped() => {
                    return Err(Failure::new(FailureKind::Interrupted, "interrupted"));
                }
            };
            tries += 1;
            if tries >= TRIES || !matches!(answer, HookAnswer::Unreached(_)) {
                return Ok(answer);
            }
            clock.pause(pause).await;
            pause *= FACTOR;
        }
    }

    /// Tells the hooks that wait for the end of a run that it has failed, once each.
    pub(in crate::driver::component_run) async fn call_final_hooks(&self) {
        let Some(probe) = self.context.probe.clone() else { return };
        let spec = self.record.as_ref().map(|stored| &stored.record.run.spec);
        let hooks = spec.into_iter().flat_map(|spec| &spec.gates.hooks);
        for hook in hooks.filter(|hook| hook.hook_type == HookType::FinalizeRollout) {
            match self.call_hook(&*probe, hook, FAILING, "-").await {
                Ok(HookAnswer::Accepted) => {}
                Ok(HookAnswer::Refused(status)) => {
                    let message = format!("hook `{}` answered with status {status}", hook.name);
                    self.emit(EventKind::Warned { message });
                }
                Ok(HookAnswer::Unreached(reason)) => {
                    let message = format!("hook `{}` cannot be reached: {reason}", hook.name);
                    self.emit(EventKind::Warned { message });
                }
                Err(_) => return,
            }
        }
    }
}
