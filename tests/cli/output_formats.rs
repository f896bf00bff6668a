//! The formats of output: tables, documents, names, events.

use serde_json::Value;

use crate::support::redact;
use crate::support::shop::open_shop;

#[test]
fn the_final_state_is_printed_in_every_format() {
    let env = open_shop();
    let mut text = String::new();
    for form in ["table", "wide", "yaml", "name"] {
        let ran = env.run_ok(&format!("apply v1.yaml -q -o {form}"));
        let (shown, status) = (ran.stdout, env.run_ok(&format!("status -o {form}")).stdout);
        assert_eq!(redact::data(&shown), redact::data(&status), "as status has it");
        text.push_str(&format!("$ {form}\n{}", redact::data(&shown)));
    }
    let lines = text.lines().filter(|line| !line.contains("created:"));
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @"
    $ table
    NAME   TARGET   UPGRADED   READY   BATCH-STATE   ROLLING-STATE    AGE
    web    3        3          3       batchReady    rolloutSucceed   0s
    $ wide
    NAME   TARGET   UPGRADED   READY   BATCH-STATE   ROLLING-STATE    AGE   BATCH   REVISION
    web    3        3          3       batchReady    rolloutSucceed   0s    2/2     web-v1
    $ yaml
    version: 1
    items:
    - component: web
      application: shop
      revision: web-v1
      rolloutTargetSize: 3
      upgradedReplicas: 3
      upgradedReadyReplicas: 3
      batchRollingState: batchReady
      rollingState: rolloutSucceed
      currentBatch: 1
      batches:
      - 1
      - 2
      sourceRevisions: []
      sourceReplicas: 0
      batchPartition: null
      driver: null
      message: null
      metrics: []
    $ name
    rollout/web
    ");
}

#[test]
fn the_output_is_a_single_document() {
    let env = open_shop();
    let document: Value = serde_json::from_str(&env.run_ok("apply v2.yaml -o json").stdout).unwrap();
    assert_eq!(document["items"][0]["upgradedReadyReplicas"], 3);
    assert_eq!(document["version"], 1);
}

#[test]
fn no_components_are_an_empty_list() {
    let env = crate::support::test_env::TestEnv::new();
    assert_eq!(env.run_ok("status -q").stdout, "");
    assert_eq!(env.run_ok("status -q -o name").stdout, "");
    let document: Value = serde_json::from_str(&env.run_ok("status -q -o json").stdout).unwrap();
    assert_eq!(document, serde_json::json!({"version": 1, "items": []}));
    assert_eq!(env.run_ok("status -q -o yaml").stdout, "version: 1\nitems: []\n");
}

#[test]
fn all_namespaces_have_a_column() {
    let env = open_shop();
    env.run_ok("apply v1.yaml -q -n eu");
    env.run_ok("apply v1.yaml -q -n us");
    env.run_ok("apply v2.yaml -q -n us --partition 0");
    let ran = env.run_ok("status -A -n eu");
    insta::assert_snapshot!(redact::data(&ran.stdout), @"
    NAMESPACE   NAME   TARGET   UPGRADED   READY   BATCH-STATE   ROLLING-STATE      AGE
    default     web    3        3          3       batchReady    rolloutSucceed     0s
    eu          web    3        3          3       batchReady    rolloutSucceed     0s
    us          web    3        1          1       batchReady    rollingInBatches   0s
    ");
    insta::assert_snapshot!(ran.stderr, @"us/web: held after batch 1 of 2 as requested");
    assert_eq!(
        env.run_ok("status -A -q -o name").stdout,
        "default rollout/web\neu rollout/web\nus rollout/web\n"
    );
    let document: Value = serde_json::from_str(&env.run_ok("status -A -q -o json").stdout).unwrap();
    assert_eq!(document["items"][2]["namespace"], "us");
    assert!(env.run_to("status web -A", 2).stderr.contains("cannot be used with"));
}

#[test]
fn events_are_one_object_a_line() {
    let env = open_shop();
    let ran = env.run_ok("apply v2.yaml -o ndjson");
    assert_eq!(ran.stderr, "", "the events have told it");
    let mut names = Vec::new();
    for line in ran.stdout.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&event["version"], &event["application"]), (&1.into(), &"shop".into()), "{line}");
        assert!(event["elapsedSeconds"].is_number() && event["component"] == "web", "{line}");
        let name = event["event"].as_str().unwrap().to_owned();
        // The number of waits depends on how fast pods become ready.
        if name != "waiting" {
            names.push(name);
        }
    }
    insta::assert_snapshot!(names.join(" "), @"runStarted revisionCreated workloadCreated workloadScaled workloadScaled batchReady workloadScaled workloadScaled batchReady workloadDeleted succeeded");
}

#[test]
fn events_include_the_failure() {
    let env = open_shop();
    let ran = env.run("apply v2.yaml --batches 9 -o ndjson");
    assert_eq!(ran.code, Some(4));
    let event: Value = serde_json::from_str(ran.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(event["event"], "failed");
    assert!(event["reason"].as_str().unwrap().contains("do not fit"), "{event}");
}
