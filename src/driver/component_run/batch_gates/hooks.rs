//! Hooks as gates: a run continues once they accept.

use std::time::Duration;

use crate::driver::component_run::ComponentRun;
use crate::driver::component_run::batch_gates::{GateTurn, place};
use crate::driver::hooks::{call_about, call_hook};
use crate::driver::outcome::{Failure, FailureKind};
use crate::oam::batch_gates::Hook;
use crate::plan::gate_point::GatePoint;
use crate::plan::observed::Observed;
use crate::probe::Probe;
use crate::probe::hook::HookAnswer;

/// How long to wait before a hook that has not accepted is called again, as in the original.
const CALL_AGAIN: Duration = Duration::from_secs(5);

/// The original's name for the state of the run at a point.
fn phase(point: GatePoint) -> &'static str {
    match point {
        GatePoint::Start => "initializing",
        GatePoint::Before(_) => "batchInitializing",
        GatePoint::After(_) => "batchFinalizing",
        GatePoint::End => "finalising",
    }
}

impl ComponentRun<'_> {
    /// Calls a hook, or waits until it is due again. It may take as long as a batch.
    pub(super) async fn hook_turn(
        &mut self,
        probe: &dyn Probe,
        observed: &Observed,
        point: GatePoint,
        hook: &Hook,
    ) -> Result<GateTurn, Failure> {
        let clock = self.context.session.clock().clone();
        let now = clock.moment();
        let due = self.gates.visit.as_ref().map_or(now, |visit| visit.due);
        if now < due {
            let obstacle = self.gates.visit.as_ref().and_then(|visit| visit.obstacle.clone());
            let on = obstacle.unwrap_or_else(|| format!("hook `{}`", hook.name));
            self.wait_at_gate(observed, point, on, due.saturating_since(now)).await?;
            return Ok(GateTurn::Again);
        }
        let Some(record) = &observed.record else { return Ok(GateTurn::Open) };
        let call = call_about(&self.prepared.namespace, record, hook, phase(point), point.batch());
        let (name, limit) = (&hook.name, self.gate_deadline());
        let answer = call_hook(self.context, probe, hook, &call);
        let answer = self.ask_at_gate(observed, point, format!("hook `{name}`"), answer, limit).await?;
        let obstacle = match answer.transpose()? {
            Some(HookAnswer::Accepted) => {
                self.advance_gate(1);
                return Ok(GateTurn::Again);
            }
            Some(HookAnswer::Refused(status)) => {
                format!("hook `{name}`, which answers with status {status},")
            }
            Some(HookAnswer::Unreached(reason)) => {
                format!("hook `{name}`, which cannot be reached ({reason}),")
            }
            None if self.exceeded_limit().is_none() => return Ok(GateTurn::Again),
            None => {
                let earlier = self.gates.visit.as_ref().and_then(|visit| visit.obstacle.clone());
                earlier.unwrap_or_else(|| format!("hook `{name}`, which does not answer,"))
            }
        };
        if let Some(limit) = self.exceeded_limit() {
            let place = place(observed, point);
            let reason = format!("not passed after {limit} (`--batch-timeout`): {obstacle} {place}");
            return Err(Failure::new(FailureKind::GateFailed, reason));
        }
        if let Some(visit) = &mut self.gates.visit {
            visit.due = clock.moment().plus(CALL_AGAIN);
            visit.obstacle = Some(obstacle);
        }
        Ok(GateTurn::Again)
    }
}
