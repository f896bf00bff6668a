//! Gates that use the machine that `rollout` runs on: somebody else's manifest must not run commands on it, or read its
//! environment variables and files. What the gates of a trusted manifest need is looked up beforehand: otherwise, a
//! variable that is not set would fail the run only after its first batch.

use crate::cluster::workload_cache::WorkloadCache;
use crate::driver::context::{Context, GateTrust};
use crate::driver::outcome::Failure;
use crate::driver::prepare::{PreparedComponent, Rejection};
use crate::driver::rejected::Rejected;
use crate::oam::workflow::{GateCondition, StepGate};
use crate::plan::gate_point::{BatchGate, GatePoint, gates_at, points_from, promoted_gates};
use crate::plan::observed::Observed;
use crate::plan::step::Step;

/// Rejections of the components whose gates the user would have to trust.
pub fn untrusted_gates(context: &Context, components: &[PreparedComponent]) -> Vec<Rejection> {
    if context.limits.gates == GateTrust::Trusted || context.probe.is_none() {
        return Vec::new();
    }
    let refused = components.iter().filter_map(|prepared| {
        let what = prepared.desired.gates.local_access()?;
        let failure = Failure::refused(format!("{what} on this machine"))
            .hint("allow it with `--trust-gates` if the manifest is yours");
        Some(Rejection { component: prepared.component.clone(), failure })
    });
    refused.collect()
}

/// Looks up what the gates that the component's run can reach need on this machine, if they are trusted.
///
/// # Errors
/// The first gate with a variable, file or command that is missing.
pub fn check_local_gates(
    context: &Context,
    prepared: &PreparedComponent,
    observed: &Observed,
) -> Result<(), Rejection> {
    let probe = context.probe.as_ref().filter(|_| context.limits.gates == GateTrust::Trusted);
    // Another machine may continue the run once it is held, at a step of the workflow or after a batch.
    let holds =
        |gate: &StepGate| matches!(gate.condition, GateCondition::Promotion { after_seconds: None, .. });
    let is_held = prepared.workflow.as_ref().is_some_and(|place| place.gates.iter().any(holds));
    let Some(probe) = probe.filter(|_| prepared.desired.gates.local_access().is_some() && !is_held) else {
        return Ok(());
    };
    let Step::Claim { spec, resumes } = prepared.next_step(observed) else { return Ok(()) };
    let place = prepared.gate_place(observed, &spec, resumes);
    let held = spec.partition.map(|batch| batch as usize).filter(|batch| batch + 1 < spec.batches.len());
    let last = held.map_or(GatePoint::End, GatePoint::After).ordinal(&spec);
    let points = points_from(&spec, place.passed).take_while(|point| point.ordinal(&spec) <= last);
    for point in points {
        for gate in gates_at(&spec.gates, point).into_iter().skip(promoted_gates(&place, point, &spec)) {
            let (gate, found) = match gate {
                BatchGate::Hook(hook) => {
                    (format!("hook `{}`", hook.name), probe.look_up(&hook.headers, None))
                }
                BatchGate::Metric(metric) => {
                    let program = metric.provider.program().map(String::as_str);
                    (format!("metric `{}`", metric.name), probe.look_up(metric.provider.headers(), program))
                }
                BatchGate::Window(_) | BatchGate::Soak(_) | BatchGate::SmokeTest(_) => continue,
            };
            if let Err(missing) = found {
                let failure = Failure::refused(format!("{gate}: {missing}"))
                    .hint("provide it where `rollout` runs, or correct the manifest; nothing was changed");
                return Err(Rejection { component: prepared.component.clone(), failure });
            }
        }
    }
    Ok(())
}

/// Refuses gates that the user would have to trust, and those that need something which this machine does not have.
///
/// # Errors
/// The rejections of [`untrusted_gates`] and [`check_local_gates`].
pub fn refuse_local_gates(
    context: &Context,
    cache: &WorkloadCache,
    components: &[PreparedComponent],
) -> Result<(), Rejected> {
    let checked =
        components.iter().map(|prepared| check_local_gates(context, prepared, &prepared.observed(cache)));
    let untrusted = untrusted_gates(context, components);
    let refused: Vec<Rejection> = untrusted.into_iter().chain(checked.filter_map(Result::err)).collect();
    if refused.is_empty() { Ok(()) } else { Err(refused.into()) }
}
