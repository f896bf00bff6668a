//! Invalid histories: each breaks one rule, and that rule catches it.

use std::sync::Arc;

use libtest_mimic::{Failed, Trial};
use rollout::sandbox::fault::Verb;
use rollout::sandbox::{Actor, Change};
use serde_json::{Value, json};

use crate::support::rules::world::FOREIGN;
use crate::support::rules::{self, Circumstances, PROCESS};

/// A history that breaks a rule.
struct Planted {
    /// What happens.
    name: &'static str,
    /// The rule that catches it.
    rule: &'static str,
    history: fn(&mut History),
}

const PLANTED: [Planted; 27] = [
    Planted {
        name: "a_foreign_workload_is_scaled",
        rule: "ownership",
        history: |history| {
            history.deployment("other", "web-copy", 1, &json!({"foreign": "true"}));
            history.scale("apply", "web-copy", 0);
        },
    },
    Planted {
        name: "an_object_without_the_application_is_deleted",
        rule: "ownership",
        history: |history| {
            history.put("other", "configmaps", "settings", json!({"metadata": {"name": "settings"}}));
            history.delete("apply", "configmaps", "settings");
        },
    },
    Planted {
        name: "a_pod_is_deleted",
        rule: "ownership",
        history: |history| {
            history.released(2);
            history.delete("apply", "pods", "web-v1-0");
        },
    },
    Planted {
        name: "a_record_goes_back",
        rule: "epochs",
        history: |history| {
            history.claim("apply", 2, &upgrade(2));
            history.claim("apply", 1, &upgrade(2));
        },
    },
    Planted {
        name: "a_stamp_goes_back",
        rule: "epochs",
        history: |history| {
            history.claim("apply", 2, &upgrade(2));
            history.deployment("apply", "web-v1", 0, &json!({"epoch": "2"}));
            history.deployment("apply", "web-v1", 0, &json!({"epoch": "1"}));
        },
    },
    Planted {
        name: "a_stamp_is_ahead_of_the_record",
        rule: "epochs",
        history: |history| {
            history.claim("apply", 1, &upgrade(2));
            history.deployment("apply", "web-v1", 0, &json!({"epoch": "2"}));
        },
    },
    Planted {
        name: "a_superseded_run_amends_the_record",
        rule: "record",
        history: |history| {
            history.claim("apply", 1, &upgrade(2));
            history.claim("undo", 2, &upgrade(2));
            history.amend("apply", |record| record["run"]["outcome"] = json!("Failed"));
        },
    },
    Planted {
        name: "an_apply_rolls_back_the_run_that_took_over",
        rule: "decision",
        history: |history| {
            history.claim("apply", 1, &upgrade(2));
            history.claim("undo", 2, &upgrade(2));
            history.claim("apply", 3, &upgrade(2));
            let last = history.changes.last_mut().unwrap();
            let mut object = (**last.after.as_ref().unwrap()).clone();
            let mut record: Value = serde_json::from_str(object["data"]["record"].as_str().unwrap()).unwrap();
            record["run"]["purpose"] = json!("Abort");
            object["data"]["record"] = json!(record.to_string());
            last.after = Some(Arc::new(object));
        },
    },
    Planted {
        name: "a_pause_changes_what_the_run_does",
        rule: "record",
        history: |history| {
            history.claim("apply", 1, &upgrade(2));
            history.amend("pause", |record| record["run"]["spec"]["targetSize"] = json!(9));
        },
    },
    Planted {
        name: "a_superseded_run_scales",
        rule: "single writer",
        history: |history| {
            history.released(2);
            history.claim("undo", 2, &upgrade(2));
            history.deployment("undo", "web-v1", 3, &json!({"epoch": "2"}));
            history.deployment("apply", "web-v2", 1, &json!({"epoch": "1"}));
        },
    },
    Planted {
        name: "a_run_acts_before_every_workload_is_stamped",
        rule: "single writer",
        history: |history| {
            history.released(2);
            history.claim("apply", 2, &upgrade(2));
            history.deployment("apply", "web-v2", 1, &json!({"epoch": "2"}));
        },
    },
    Planted {
        name: "another_process_acts_under_a_claim",
        rule: "single writer",
        history: |history| {
            history.claim("apply", 1, &upgrade(2));
            history.deployment("undo", "web-v2", 1, &json!({"epoch": "1"}));
        },
    },
    Planted {
        name: "a_target_shrinks_in_mid_run",
        rule: "direction",
        history: |history| {
            history.claim("apply", 1, &upgrade(2));
            history.deployment("apply", "web-v2", 1, &json!({"epoch": "1"}));
            history.scale("apply", "web-v2", 2);
            history.scale("apply", "web-v2", 1);
        },
    },
    Planted {
        name: "a_source_shrinks_before_the_target_is_ready",
        rule: "floor",
        history: |history| {
            history.released(2);
            history.claim("apply", 2, &upgrade(2));
            history.deployment("apply", "web-v1", 2, &json!({"epoch": "2"}));
            history.deployment("apply", "web-v1", 1, &json!({"epoch": "2"}));
        },
    },
    Planted {
        name: "a_target_is_larger_than_its_batches",
        rule: "ceiling",
        history: |history| {
            history.claim("apply", 1, &upgrade(2));
            history.deployment("apply", "web-v2", 5, &json!({"epoch": "1"}));
        },
    },
    Planted {
        name: "a_gate_is_passed",
        rule: "gate",
        history: |history| {
            history.claim("apply", 1, &gated());
            history.deployment("apply", "web-v2", 2, &json!({"epoch": "1"}));
        },
    },
    Planted {
        name: "a_batch_begins_before_the_gate_after_the_last_is_passed",
        rule: "batch gates",
        history: |history| {
            let mut spec = upgrade(2);
            spec["gates"] = json!({"soakSeconds": 5});
            history.claim("apply", 1, &spec);
            history.deployment("apply", "web-v2", 1, &json!({"epoch": "1"}));
            history.scale("apply", "web-v2", 2);
        },
    },
    Planted {
        name: "a_run_is_held_before_its_pods_are_ready",
        rule: "hold",
        history: |history| {
            history.held(|history| history.deployment("apply", "web-v2", 1, &json!({"epoch": "2"})));
        },
    },
    Planted {
        name: "a_run_is_held_beside_sources_that_are_replaced",
        rule: "hold",
        history: |history| {
            history.held(|history| {
                history.deployment("apply", "web-v2", 1, &json!({"epoch": "2"}));
                history.pod("web-v2", 0);
            });
        },
    },
    Planted {
        name: "a_paused_run_scales",
        rule: "pause",
        history: |history| {
            history.claim("apply", 1, &upgrade(2));
            history.pause();
            history.seconds += 60;
            history.deployment("apply", "web-v2", 1, &json!({"epoch": "1"}));
            history.scale("apply", "web-v2", 2);
        },
    },
    Planted {
        name: "an_apply_ends_a_pause",
        rule: "pause",
        history: |history| {
            history.claim("apply", 1, &upgrade(2));
            history.pause();
            history.claim("apply", 2, &upgrade(3));
        },
    },
    Planted {
        name: "a_run_that_has_ended_is_resumed",
        rule: "record",
        history: |history| {
            history.released(2);
            history.amend("apply", |record| record["run"]["outcome"] = json!("Succeeded"));
            history.amend("apply", |record| {
                record["epoch"] = json!(2);
                record["run"]["outcome"] = json!("Running");
            });
        },
    },
    Planted {
        name: "a_change_of_somebody_else_is_written_over",
        rule: "external change",
        history: |history| {
            history.claim("apply", 1, &upgrade(2));
            history.workload("apply", "clonesets", "web", 1, &json!({"epoch": "1"}));
            history.workload("other", "clonesets", "web", 0, &json!({"epoch": "1"}));
            history.workload("apply", "clonesets", "web", 2, &json!({"epoch": "1"}));
        },
    },
    Planted {
        name: "a_run_succeeds_without_its_pods",
        rule: "success",
        history: |history| {
            history.claim("apply", 1, &upgrade(2));
            history.deployment("apply", "web-v2", 2, &json!({"epoch": "1"}));
            history.amend("apply", |record| record["run"]["outcome"] = json!("Succeeded"));
        },
    },
    Planted {
        name: "a_pod_serves_that_no_service_leads_to",
        rule: "service",
        history: |history| {
            history.released(1);
            let mut pod = (*history.last("pods", "web-v1-0").unwrap()).clone();
            let ports = json!([{"name": "http", "containerPort": 80}]);
            pod["spec"] = json!({"containers": [{"name": "web", "ports": ports}]});
            history.put("", "pods", "web-v1-0", pod);
        },
    },
    Planted {
        name: "what_serves_is_deleted_before_its_successor_is_ready",
        rule: "handover",
        history: |history| {
            history.claim("apply", 1, &upgrade(1));
            history.workload("apply", "daemonsets", "web", 1, &json!({"epoch": "1"}));
            history.pod("web", 0);
            let mut pod = (*history.last("pods", "web-0").unwrap()).clone();
            pod["metadata"]["ownerReferences"][0]["kind"] = json!("DaemonSet");
            history.put("", "pods", "web-0", pod);
            history.claim("apply", 2, &upgrade(1));
            history.deployment("apply", "web-v2", 1, &json!({"epoch": "2"}));
            history.delete("apply", "daemonsets", "web");
        },
    },
    Planted {
        name: "a_record_goes_with_a_scale",
        rule: "removal",
        history: |history| {
            history.claim("apply", 1, &upgrade(2));
            history.delete("scale", "configmaps", "rollout-web");
        },
    },
];

/// One test for each, and one for a valid history.
pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    let right = Trial::test("a_right_history_holds", || {
        let mut history = History::default();
        history.released(2);
        history.claim("apply", 2, &gated());
        history.deployment("apply", "web-v1", 2, &json!({"epoch": "2"}));
        history.deployment("apply", "web-v2", 1, &json!({"epoch": "2"}));
        history.pod("web-v2", 0);
        history.deployment("apply", "web-v1", 1, &json!({"epoch": "2"}));
        history.amend("apply", |record| record["run"]["outcome"] = json!("Held"));
        rules::check(&history.changes, Circumstances::default())
            .map_err(|violation| violation.to_string().into())
    });
    let wrong = PLANTED.iter().map(|planted| {
        Trial::test(format!("rule_catches::{}", planted.name), || {
            let mut history = History::default();
            (planted.history)(&mut history);
            match rules::check(&history.changes, Circumstances::default()) {
                Err(violation) if violation.rule == planted.rule => Ok(()),
                Err(violation) => Err(Failed::from(violation.to_string())),
                Ok(()) => Err(Failed::from("it is not caught")),
            }
        })
    });
    wrong.chain([right])
}

/// An upgrade from `web-v1` to `web-v2`, pod by pod.
fn upgrade(size: u32) -> Value {
    let batches: Vec<Value> = (0..size).map(|_| json!({"size": 1, "maxUnavailable": 0})).collect();
    json!({
        "mode": "Upgrade", "kind": "Deployment", "target": "web-v2", "sources": ["web-v1"], "originalSize": size,
        "targetStart": 0, "targetSize": size, "batches": batches, "partition": null, "strategy": "IncreaseFirst",
    })
}

/// The same upgrade with two pods, held after the first.
fn gated() -> Value {
    let mut spec = upgrade(2);
    spec["partition"] = json!(0);
    spec
}

/// A history under construction.
#[derive(Default)]
struct History {
    changes: Vec<Change>,
    seconds: i64,
}

impl History {
    fn put(&mut self, command: &str, kind: &str, name: &str, object: Value) {
        self.write(command, kind, name, Some(object));
    }

    fn delete(&mut self, command: &str, kind: &str, name: &str) {
        self.write(command, kind, name, None);
    }

    fn write(&mut self, command: &str, kind: &str, name: &str, after: Option<Value>) {
        let before = self.last(kind, name);
        let verb = match (&before, &after) {
            (None, _) => Verb::Create,
            (Some(_), Some(_)) => Verb::Patch,
            (Some(_), None) => Verb::Delete,
        };
        let agent =
            if command == "other" { "kubectl".to_owned() } else { format!("{PROCESS}ci/1 {command}") };
        self.changes.push(Change {
            at: jiff::Timestamp::from_second(1_772_366_400 + self.seconds).unwrap(),
            actor: if command.is_empty() { Actor::Controller } else { Actor::Client },
            user_agent: (!command.is_empty()).then(|| Arc::from(agent)),
            verb,
            kind: kind.to_owned(),
            name: name.to_owned(),
            before,
            after: after.map(Arc::new),
        });
    }

    fn last(&self, kind: &str, name: &str) -> Option<Arc<Value>> {
        let of_it = self.changes.iter().rev().find(|change| change.kind == kind && change.name == name);
        of_it.and_then(|change| change.after.clone())
    }

    /// Adds a Deployment of `web` with a stamp or the mark of a foreign object.
    fn deployment(&mut self, command: &str, name: &str, replicas: u32, mark: &Value) {
        self.workload(command, "deployments", name, replicas, mark);
    }

    fn workload(&mut self, command: &str, kind: &str, name: &str, replicas: u32, mark: &Value) {
        let annotations = match mark["epoch"].as_str() {
            Some(epoch) => json!({"batch-rollout.dev/epoch": epoch}),
            None => json!({FOREIGN: "true"}),
        };
        let labels = json!({"app.oam.dev/component": "web", "app.oam.dev/name": "shop"});
        let metadata = json!({"name": name, "labels": labels, "annotations": annotations});
        self.put(command, kind, name, json!({"metadata": metadata, "spec": {"replicas": replicas}}));
    }

    fn scale(&mut self, command: &str, name: &str, replicas: u32) {
        let mut object = (*self.last("deployments", name).unwrap()).clone();
        object["spec"]["replicas"] = json!(replicas);
        self.put(command, "deployments", name, object);
    }

    /// Adds a ready pod of a workload.
    fn pod(&mut self, workload: &str, index: u32) {
        let name = format!("{workload}-{index}");
        let labels = json!({"app.oam.dev/component": "web", "app.oam.dev/name": "shop"});
        let owners = json!([{"name": workload}]);
        let metadata = json!({"name": name, "labels": labels, "ownerReferences": owners});
        let status = json!({"conditions": [{"type": "Ready", "status": "True"}]});
        self.put("", "pods", &name, json!({"metadata": metadata, "status": status}));
    }

    /// Adds a release of `web-v1` with ready pods.
    fn released(&mut self, size: u32) {
        let mut spec = upgrade(size);
        (spec["mode"], spec["target"], spec["sources"]) = (json!("Release"), json!("web-v1"), json!([]));
        (spec["originalSize"], spec["batches"]) = (json!(0), json!([{"size": size, "maxUnavailable": 0}]));
        self.claim("apply", 1, &spec);
        self.deployment("apply", "web-v1", size, &json!({"epoch": "1"}));
        (0..size).for_each(|index| self.pod("web-v1", index));
    }

    fn claim(&mut self, command: &str, epoch: u64, spec: &Value) {
        let run = json!({
            "spec": spec, "outcome": "Running", "by": "ci", "started": "2026-03-01T12:00:00Z",
        });
        let record = json!({"application": "shop", "component": "web", "epoch": epoch, "run": run});
        self.record(command, &record);
    }

    /// Adds an upgrade that applies `batch` as its first batch and is recorded as held.
    fn held(&mut self, batch: impl FnOnce(&mut Self)) {
        self.released(2);
        self.claim("apply", 2, &gated());
        self.deployment("apply", "web-v1", 2, &json!({"epoch": "2"}));
        batch(self);
        self.amend("apply", |record| record["run"]["outcome"] = json!("Held"));
    }

    fn pause(&mut self) {
        let pause = json!({"by": "ci", "at": "2026-03-01T12:00:00Z"});
        self.amend("pause", |record| record["run"]["paused"] = pause);
    }

    fn amend(&mut self, command: &str, change: impl FnOnce(&mut Value)) {
        let stored = self.last("configmaps", "rollout-web").unwrap();
        let mut record: Value = serde_json::from_str(stored["data"]["record"].as_str().unwrap()).unwrap();
        change(&mut record);
        self.record(command, &record);
    }

    fn record(&mut self, command: &str, record: &Value) {
        let metadata = json!({"name": "rollout-web", "labels": {"app.oam.dev/name": "shop"}});
        let data = json!({"record": record.to_string()});
        self.put(command, "configmaps", "rollout-web", json!({"metadata": metadata, "data": data}));
    }
}
