//! The README's walk (release, canary, upgrade, rollback, scale out and in) in tables and documents.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod clone_set;
#[path = "../support/mod.rs"]
mod support;

use serde_json::{Value, json};
use support::{redact, test_env::TestEnv, walk};

/// A directory after this many steps of the walk.
fn walked(steps: usize) -> TestEnv {
    let env = TestEnv::new();
    for step in &walk::STEPS[..steps] {
        let ran = env.run_ok(&format!("apply examples/{}", step.example));
        let status = env.run_ok("status express-server").stdout;
        assert_eq!(redact::data(&ran.stdout), redact::data(&status), "apply ends with the table of status");
    }
    env
}

/// The three tables for a user, the last as printed by `kubectl get deploy`.
fn tables(env: &TestEnv) -> [String; 3] {
    let history = env.run_ok("history express-server").stdout;
    let (revisions, _) = history.split_once("\n\n").unwrap();
    let status = env.run_ok("status express-server").stdout;
    [redact::data(&status), redact::data(revisions), deployments(env)]
}

fn deployments(env: &TestEnv) -> String {
    let mut text = "NAME                READY   UP-TO-DATE   AVAILABLE\n".to_owned();
    for object in env.objects("Deployment") {
        let status = |field: &str| object["status"][field].as_u64().unwrap_or(0);
        let ready = format!("{}/{}", status("readyReplicas"), object["spec"]["replicas"]);
        let name = object["metadata"]["name"].as_str().unwrap();
        let (updated, available) = (status("updatedReplicas"), status("availableReplicas"));
        text.push_str(&format!("{name:<20}{ready:<8}{updated:<13}{available}\n"));
    }
    text
}

/// The rows of a table, without its header and its widths.
fn rows(table: &str) -> String {
    let row = |line: &str| format!("  {}\n", line.split_whitespace().collect::<Vec<_>>().join(" "));
    table.lines().skip(1).map(row).collect()
}

/// The document of `status -o json`, except the time of the first release.
fn document(env: &TestEnv) -> Value {
    let mut document: Value = serde_json::from_str(&env.run_ok("status -o json").stdout).unwrap();
    let created = document["items"][0].as_object_mut().unwrap().remove("created").unwrap();
    assert!(created.as_str().is_some_and(|time| time.ends_with('Z')), "{created}");
    document
}

/// This document when no source is left.
fn whole(revision: &str, size: u32, batches: [u32; 2]) -> Value {
    json!({"version": 1, "items": [{
        "component": "express-server",
        "application": "rollout-trait-test",
        "revision": revision,
        "rolloutTargetSize": size,
        "upgradedReplicas": size,
        "upgradedReadyReplicas": size,
        "batchRollingState": "batchReady",
        "rollingState": "rolloutSucceed",
        "currentBatch": 1,
        "batches": batches,
        "sourceRevisions": [],
        "sourceReplicas": 0,
        "batchPartition": null,
        "driver": null,
        "message": null,
        "metrics": [],
    }]})
}

/// The same walk runs on a real cluster.
#[test]
fn the_walk_succeeds_in_the_sandbox() {
    walk::walk(&TestEnv::new(), "examples", |_| {});
}

#[test]
fn the_tables_have_these_columns() {
    insta::assert_snapshot!(tables(&walked(2)).join("\n"), @"
    NAME             TARGET   UPGRADED   READY   BATCH-STATE   ROLLING-STATE      AGE
    express-server   5        2          2       batchReady    rollingInBatches   0s

    REVISION   NAME                IMAGE                        READY   AGE
    1          express-server-v1   stefanprodan/podinfo:4.0.3   3/3     0s
    2          express-server-v2   stefanprodan/podinfo:5.0.2   2/2     0s

    NAME                READY   UP-TO-DATE   AVAILABLE
    express-server-v1   3/3     3            3
    express-server-v2   2/2     2            2
    ");
}

/// For each step, the rows of status, of the revisions and of the Deployments.
#[test]
fn each_step_leaves_these_rows() {
    let mut text = String::new();
    for steps in 1..=walk::STEPS.len() {
        let tables = tables(&walked(steps)).map(|table| rows(&table));
        text.push_str(&format!("{}\n{}", walk::STEPS[steps - 1].example, tables.concat()));
    }
    insta::assert_snapshot!(text, @"
    express-server-v1.yaml
      express-server 5 5 5 batchReady rolloutSucceed 0s
      1 express-server-v1 stefanprodan/podinfo:4.0.3 5/5 0s
      express-server-v1 5/5 5 5
    express-server-v2-canary.yaml
      express-server 5 2 2 batchReady rollingInBatches 0s
      1 express-server-v1 stefanprodan/podinfo:4.0.3 3/3 0s
      2 express-server-v2 stefanprodan/podinfo:5.0.2 2/2 0s
      express-server-v1 3/3 3 3
      express-server-v2 2/2 2 2
    express-server-v2.yaml
      express-server 5 5 5 batchReady rolloutSucceed 0s
      1 express-server-v1 stefanprodan/podinfo:4.0.3 - 0s
      2 express-server-v2 stefanprodan/podinfo:5.0.2 5/5 0s
      express-server-v2 5/5 5 5
    express-server-rollback.yaml
      express-server 5 5 5 batchReady rolloutSucceed 0s
      1 express-server-v1 stefanprodan/podinfo:4.0.3 5/5 0s
      2 express-server-v2 stefanprodan/podinfo:5.0.2 - 0s
      express-server-v1 5/5 5 5
    express-server-scale-out.yaml
      express-server 7 7 7 batchReady rolloutSucceed 0s
      1 express-server-v1 stefanprodan/podinfo:4.0.3 7/7 0s
      2 express-server-v2 stefanprodan/podinfo:5.0.2 - 0s
      express-server-v1 7/7 7 7
    express-server-scale-in.yaml
      express-server 3 3 3 batchReady rolloutSucceed 0s
      1 express-server-v1 stefanprodan/podinfo:4.0.3 3/3 0s
      2 express-server-v2 stefanprodan/podinfo:5.0.2 - 0s
      express-server-v1 3/3 3 3
    ");
}

#[test]
fn each_step_leaves_this_document() {
    let mut held = whole("express-server-v2", 5, [2, 3]);
    for (field, value) in [
        ("upgradedReplicas", json!(2)),
        ("upgradedReadyReplicas", json!(2)),
        ("rollingState", json!("rollingInBatches")),
        ("currentBatch", json!(0)),
        ("sourceRevisions", json!(["express-server-v1"])),
        ("sourceReplicas", json!(3)),
        ("batchPartition", json!(0)),
        ("message", json!("held after batch 1 of 2 as requested")),
    ] {
        held["items"][0][field] = value;
    }
    let wanted = [
        whole("express-server-v1", 5, [2, 3]),
        held,
        whole("express-server-v2", 5, [2, 3]),
        whole("express-server-v1", 5, [2, 3]),
        whole("express-server-v1", 7, [1, 1]),
        whole("express-server-v1", 3, [1, 3]),
    ];
    for (steps, wanted) in (1..).zip(wanted) {
        assert_eq!(document(&walked(steps)), wanted, "step {steps}");
    }
}

#[test]
fn a_rollback_keeps_the_revision_as_recorded() {
    let [first, back] = [1, 4].map(|steps| walked(steps).objects("ControllerRevision")[0]["data"].clone());
    assert_eq!(back, first);
}

#[test]
fn revisions_are_recorded_as_the_original_does() {
    let lines: Vec<String> = walked(2)
        .objects("ControllerRevision")
        .iter()
        .map(|object| {
            let labels = &object["metadata"]["labels"];
            let label = |key: &str| labels[key].as_str().unwrap().to_owned();
            assert_eq!(labels.as_object().unwrap().len(), 3, "{labels}");
            assert!(!label("app.oam.dev/component-revision-hash").is_empty());
            format!(
                "{} {} {} {}",
                object["metadata"]["name"].as_str().unwrap(),
                object["revision"],
                label("controller.oam.dev/component"),
                label("app.oam.dev/name")
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            "express-server-v1 1 express-server rollout-trait-test",
            "express-server-v2 2 express-server rollout-trait-test",
        ]
    );
}

#[test]
fn the_history_contains_every_run_of_the_walk() {
    let history = walked(6).run_ok("history").stdout;
    insta::assert_snapshot!(redact::data(&history), @"
    REVISION   NAME                IMAGE                        READY   AGE
    1          express-server-v1   stefanprodan/podinfo:4.0.3   3/3     0s
    2          express-server-v2   stefanprodan/podinfo:5.0.2   -       0s

    RUN       REVISIONS                               SIZE    OUTCOME     BY       AGE
    Scale     express-server-v1                       7 → 3   Succeeded   tester   0s
    Scale     express-server-v1                       5 → 7   Succeeded   tester   0s
    Upgrade   express-server-v2 → express-server-v1   5       Succeeded   tester   0s
    Upgrade   express-server-v1 → express-server-v2   5       Succeeded   tester   0s
    Release   express-server-v1                       0 → 5   Succeeded   tester   0s
    ");
}
