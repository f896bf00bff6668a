//! The gates of a rehearsal: smoke tests, and gates that the script answers, without their delays.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::driver::outcome::{Failure, FailureKind};
use crate::driver::request::{Intent, RolloutRequest};
use crate::oam::batch_gates::{BatchGates, Hook, Metric, OneBatchGates};
use crate::plan::phrase::list_literals;
use crate::probe::script::GateScript;

/// Requests for a rehearsal.
pub(super) struct ScriptedRequests {
    pub(super) requests: Vec<RolloutRequest>,
    /// Warnings about gates that are left out.
    pub(super) warnings: Vec<String>,
}

/// The requests, with only the gates that a script answers.
///
/// # Errors
/// A script for a gate that no component has.
pub(super) fn scripted_requests(
    requests: &[RolloutRequest],
    script: &GateScript,
) -> Result<ScriptedRequests, Failure> {
    let mut scripted = ScriptedRequests { requests: requests.to_vec(), warnings: Vec::new() };
    let (mut metrics, mut hooks) = (BTreeSet::new(), BTreeSet::new());
    for request in &mut scripted.requests {
        for one in &mut request.components {
            let Intent::Manifest { component, .. } = &mut one.intent else { continue };
            let Some(rollout) = component.rollout.as_ref().filter(|rollout| !rollout.gates.is_empty()) else {
                continue;
            };
            let gates = &rollout.gates;
            metrics.extend(gates.all_metrics().map(|metric| metric.name.clone()));
            hooks.extend(gates.all_hooks().map(|hook| hook.name.clone()));
            let left_out = left_out(gates, script);
            if !left_out.is_empty() {
                let names = left_out.join(", ");
                scripted.warnings.push(format!(
                    "of the gates of component `{}`, these are not rehearsed: {names}; script metrics and hooks with `--inject`",
                    one.name
                ));
            }
            if let Some(rollout) = &mut Arc::make_mut(component).rollout {
                rollout.gates = scripted_gates(&rollout.gates, script);
            }
        }
    }
    let unknown = unknown_gate("metric", &script.metrics, &metrics)
        .or_else(|| unknown_gate("hook", &script.hooks, &hooks));
    match unknown {
        Some(reason) => Err(Failure::new(FailureKind::Invalid, reason)),
        None => Ok(scripted),
    }
}

/// Describes a scripted gate of a kind that no component has, if there is one.
fn unknown_gate<T>(kind: &str, scripted: &BTreeMap<String, T>, known: &BTreeSet<String>) -> Option<String> {
    let name = scripted.keys().find(|name| !known.contains(*name))?;
    let there = match known.is_empty() {
        true => format!("no component has a {kind}"),
        false => format!("expected {}", list_literals(&known.iter().collect::<Vec<_>>())),
    };
    Some(format!("`--inject {kind}/{name}=…`: there is no {kind} `{name}`: {there}"))
}

/// Describes the gates that the script does not answer.
fn left_out(gates: &BatchGates, script: &GateScript) -> Vec<String> {
    let is_soaking =
        gates.soak_seconds > 0 || gates.batches.values().any(|batch| batch.soak_seconds.is_some());
    let times = [is_soaking.then_some("soak times"), gates.window.as_ref().map(|_| "the window")];
    let metrics = gates.all_metrics().filter(|metric| !script.metrics.contains_key(&metric.name));
    let hooks = gates.all_hooks().filter(|hook| !script.hooks.contains_key(&hook.name));
    let metrics: BTreeSet<String> = metrics.map(|metric| format!("metric `{}`", metric.name)).collect();
    let hooks: BTreeSet<String> = hooks.map(|hook| format!("hook `{}`", hook.name)).collect();
    times.into_iter().flatten().map(str::to_owned).chain(metrics).chain(hooks).collect()
}

fn scripted_gates(gates: &BatchGates, script: &GateScript) -> BatchGates {
    let metrics = |all: &[Metric]| {
        let scripted = all.iter().filter(|metric| script.metrics.contains_key(&metric.name));
        let at_once =
            |metric: &Metric| Metric { initial_delay_seconds: 0, interval_seconds: 0, ..metric.clone() };
        scripted.map(at_once).collect()
    };
    let hooks = |all: &[Hook]| {
        all.iter().filter(|hook| script.hooks.contains_key(&hook.name)).cloned().collect::<Vec<_>>()
    };
    let batches = gates.batches.iter().map(|(index, batch)| {
        let gates = OneBatchGates {
            hooks: hooks(&batch.hooks),
            soak_seconds: None,
            smoke_tests: batch.smoke_tests.clone(),
            metrics: metrics(&batch.metrics),
        };
        (*index, gates)
    });
    BatchGates {
        hooks: hooks(&gates.hooks),
        soak_seconds: 0,
        smoke_tests: gates.smoke_tests.clone(),
        metrics: metrics(&gates.metrics),
        window: None,
        batches: batches.collect(),
    }
}
