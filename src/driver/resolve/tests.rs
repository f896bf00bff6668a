use std::collections::BTreeSet;

use serde_json::json;

use super::*;
use crate::driver::request::{Gate, Overrides};
use crate::oam::labels;
use crate::plan::gate_place::HeldGate;

/// An upgrade of `web` from `web-v1` (3 replicas) to `web-v2` (4) with this outcome, after a first release that
/// succeeded.
fn record(outcome: &str, purpose: &str) -> Record {
    let spec = |mode: &str, target: &str, sources: &[&str], size: u32| {
        json!({
            "mode": mode, "target": target, "sources": sources, "originalSize": 3, "targetStart": 0, "targetSize": size,
            "batches": [{"size": 1, "maxUnavailable": 0}, {"size": size - 1, "maxUnavailable": 0}],
            "partition": null, "strategy": "IncreaseFirst",
        })
    };
    let run = |spec, outcome: &str, purpose: &str| json!({"spec": spec, "outcome": outcome, "purpose": purpose, "by": "ci", "started": "2026-03-01T12:00:00Z"});
    let first = run(spec("Release", "web-v1", &[], 3), "Succeeded", "Forward");
    let upgrade = run(spec("Upgrade", "web-v2", &["web-v1"], 4), outcome, purpose);
    let record =
        json!({"application": "shop", "component": "web", "epoch": 2, "run": upgrade, "past": [first]});
    serde_json::from_value(record).unwrap()
}

fn revisions() -> Vec<StoredRevision> {
    let object = |number: u32| {
        let labels = json!({labels::REVISION_COMPONENT: "web"});
        json!({"metadata": {"name": format!("web-v{number}"), "labels": labels}, "revision": number})
    };
    (1..=2).map(|number| StoredRevision::from_object(&object(number)).unwrap()).collect()
}

/// Resolves an intent, with all pods ready, to the revision, the size, the gate and the purpose; or to the reason for
/// its refusal.
fn resolved(intent: Intent, record: Option<&Record>, replicas: &[(&str, u32)]) -> String {
    let ready = |(name, replicas): &(&str, u32)| ready((name, *replicas), *replicas);
    resolved_among(intent, record, replicas.iter().map(ready).collect())
}

/// A workload with this many replicas, `ready` of which are ready.
fn ready((name, replicas): (&str, u32), ready: u32) -> Workload {
    Workload {
        name: name.to_owned(),
        replicas,
        ready_replicas: ready,
        status_replicas: replicas,
        ..Workload::default()
    }
}

fn resolved_among(intent: Intent, record: Option<&Record>, workloads: Vec<Workload>) -> String {
    let component = ComponentRequest {
        name: "web".to_owned(),
        depends_on: Vec::new(),
        intent,
        workflow: None,
        bound_to: None,
    };
    let request = RolloutRequest {
        application: "shop".to_owned(),
        namespace: "default".to_owned(),
        components: vec![component],
        overrides: Overrides::default(),
        turn: crate::cluster::lease::Acquisition::Wait,
        passed: BTreeSet::new(),
    };
    let stored = revisions();
    let present =
        Present { component: "web", record, stored: &stored, taken: &[], workloads, decision: None };
    match resolve(&request, &request.components[0], &present) {
        Ok(ResolvedTarget { desired, purpose, .. }) => {
            let gate = desired.partition.map_or(String::new(), |gate| format!(" to batch {gate}"));
            format!("{} {}{gate} {purpose:?}", desired.target, desired.target_size)
        }
        Err(failure) => failure.reason,
    }
}

#[test]
fn each_intent_resolves_to_a_revision_and_a_size() {
    let kind = WorkloadKind::Deployment;
    let undo = || Intent::Revision { reference: None, kind };
    let to = |name: &str| Intent::Revision { reference: Some(name.to_owned()), kind };
    let abort = || Intent::Abort { kind };
    let go = |gate| Intent::Recorded { gate, kind };
    let scale = Intent::Scale { replicas: 7, kind };
    let done: &[(&str, u32)] = &[("web-v2", 4)];
    let midway: &[(&str, u32)] = &[("web-v1", 2), ("web-v2", 1)];
    let cases = [
        ("undo of what succeeded", undo(), "Succeeded", "Forward", done, "web-v1 4 Undo"),
        ("undo of a run in progress", undo(), "Failed", "Forward", midway, "web-v1 3 Undo"),
        ("an interrupted undo", undo(), "Interrupted", "Undo", midway, "web-v2 4 Undo"),
        ("undo by number", to("1"), "Succeeded", "Forward", done, "web-v1 4 Undo"),
        ("undo to the target", to("v2"), "Failed", "Forward", midway, "web-v2 4 Undo"),
        (
            "undo to an unknown revision",
            to("v9"),
            "Failed",
            "Forward",
            midway,
            "component `web` has no revision `v9`, it has `web-v1`, `web-v2`",
        ),
        ("abort", abort(), "Paused", "Forward", midway, "web-v1 3 Abort"),
        ("an interrupted abort", abort(), "Interrupted", "Abort", midway, "web-v2 4 Abort"),
        ("nothing to abort", abort(), "Succeeded", "Forward", done, "component `web` has no run under way"),
        ("resume", go(Gate::Stay), "Interrupted", "Forward", midway, "web-v2 4 Forward"),
        ("promote to the end", go(Gate::Open), "Held", "Forward", midway, "web-v2 4 Forward"),
        ("scale", scale.clone(), "Succeeded", "Forward", done, "web-v2 7 Forward"),
        (
            "scale amid an upgrade",
            scale.clone(),
            "Interrupted",
            "Forward",
            midway,
            "component `web` is in the middle of an upgrade",
        ),
        (
            "scale amid a rollback",
            scale.clone(),
            "Interrupted",
            "Undo",
            midway,
            "component `web` is in the middle of a rollback",
        ),
        (
            "scale beside what another client has created",
            scale,
            "Succeeded",
            "Forward",
            midway,
            "component `web` has a workload of another revision than `web-v2`, which was rolled out last",
        ),
    ];
    for (what, intent, outcome, purpose, replicas, expected) in cases {
        assert_eq!(resolved(intent, Some(&record(outcome, purpose)), replicas), expected, "{what}");
    }
    assert_eq!(resolved(undo(), None, &[]), "component `web` has never been rolled out here");
}

#[test]
fn a_promotion_moves_the_gate_that_the_record_holds() {
    let mut held = record("Held", "Forward");
    held.run.spec.batches.push(held.run.spec.batches[0]);
    held.run.spec.partition = Some(0);
    let promoted = |held: &Record, ready_pods| {
        let workloads = vec![ready(("web-v1", 3), 3), ready(("web-v2", 1), ready_pods)];
        resolved_among(
            Intent::Recorded { gate: Gate::Next, kind: WorkloadKind::Deployment },
            Some(held),
            workloads,
        )
    };
    assert_eq!(promoted(&held, 1), "web-v2 4 to batch 1 Forward");
    // The next batch waits for a pod that has become unready since.
    assert_eq!(promoted(&held, 0), "web-v2 4 to batch 1 Forward");
    // The run is held at a gate after that batch, or after another.
    held.run.gates.held_at = Some(HeldGate { point: 2, gates: 1 });
    assert_eq!(promoted(&held, 0), "web-v2 4 to batch 1 Forward");
    held.run.gates.held_at = Some(HeldGate { point: 1, gates: 1 });
    assert_eq!(promoted(&held, 0), "web-v2 4 to batch 0 Forward");
    held.run.gates.held_at = None;
    held.run.outcome = crate::plan::run::Outcome::Running;
    assert_eq!(promoted(&held, 0), "web-v2 4 to batch 0 Forward");
}
