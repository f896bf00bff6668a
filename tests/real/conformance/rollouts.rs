//! The states of a Deployment in order, as seen by a watch.
//!
//! Timing decides how often a controller writes its status, how many pods become ready between two syncs, and whether
//! the condition Progressing still mentions the new ReplicaSet when pods are first counted. Therefore two things are
//! compared: every state of rest as a whole, and those aspects of the transitions that do not depend on timing: the
//! observed generations, the changes of each condition, and that no count leaves its bounds or goes back.

use serde_json::{Value, json};

use super::configurations::deployment;
use super::talk::{DEPLOYMENTS, Events, JSON, JSON_PATCH, MERGE, Talk};

pub(super) fn script(talk: &mut Talk) {
    let mut events = talk.watch(DEPLOYMENTS, "fieldSelector=metadata.name%3Dweb");
    talk.post(DEPLOYMENTS, &deployment("web", 0));
    passes(talk, &mut events, "made empty", is_complete);
    changed(talk, MERGE, &json!({"spec": {"replicas": 3}}));
    passes(talk, &mut events, "scaled out", is_complete);
    changed(talk, MERGE, &json!({"metadata": {"annotations": {"stamp": "1"}}}));
    passes(talk, &mut events, "stamped", is_complete);
    let scale = json!([
        {"op": "test", "path": "/spec/replicas", "value": 3},
        {"op": "replace", "path": "/spec/replicas", "value": 1},
    ]);
    changed(talk, JSON_PATCH, &scale);
    passes(talk, &mut events, "scaled in", is_complete);
    changed(talk, JSON_PATCH, &image("web:2"));
    passes(talk, &mut events, "another template", is_complete);
    changed(talk, JSON_PATCH, &image("web:1"));
    passes(talk, &mut events, "the first template again", is_complete);
    talk.script("- {image: 'web:3', fail: NeverReady}\n- {image: '*', readyAfter: 100ms}\n");
    changed(talk, JSON_PATCH, &image("web:3"));
    passes(talk, &mut events, "a template whose pods fail", is_stuck);
    changed(talk, MERGE, &json!({"spec": {"paused": true}}));
    passes(talk, &mut events, "paused", is_paused);
    changed(talk, MERGE, &json!({"spec": {"paused": null}}));
    passes(talk, &mut events, "resumed", |deployment| is_seen(deployment) && !is_paused(deployment));
    changed(talk, JSON_PATCH, &image("web:1"));
    passes(talk, &mut events, "back from the failure", is_complete);
    changed(talk, MERGE, &json!({"spec": {"replicas": 0}}));
    passes(talk, &mut events, "drained", is_complete);
    let foreground = json!({"propagationPolicy": "Foreground"});
    talk.viewed("DELETE", &format!("{DEPLOYMENTS}/web"), JSON, &foreground.to_string(), without_status);
    passes(talk, &mut events, "deleted", |_| false);
    for collection in ["/apis/apps/v1/namespaces/{ns}/replicasets", "/api/v1/namespaces/{ns}/pods"] {
        talk.viewed(
            "GET",
            collection,
            "",
            "",
            |body| json!({"left": body["items"].as_array().map(Vec::len)}),
        );
    }
}

/// Changes the Deployment; the status in the answer depends on timing, and is not compared.
fn changed(talk: &mut Talk, kind: &str, body: &Value) {
    talk.viewed("PATCH", &format!("{DEPLOYMENTS}/web"), kind, &body.to_string(), without_status);
}

fn without_status(body: &Value) -> Value {
    json!({"generation": body["metadata"]["generation"], "spec": body["spec"]})
}

fn image(image: &str) -> Value {
    json!([{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image}])
}

fn count(deployment: &Value, field: &str) -> i64 {
    deployment["status"][field].as_i64().unwrap_or_default()
}

fn is_seen(deployment: &Value) -> bool {
    deployment["status"]["observedGeneration"] == deployment["metadata"]["generation"]
}

fn condition<'a>(deployment: &'a Value, kind: &str) -> &'a Value {
    let conditions = deployment["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().find(|condition| condition["type"] == kind).unwrap_or(&Value::Null)
}

/// All pods have the newest template, and the status shows it.
fn is_complete(deployment: &Value) -> bool {
    let size = deployment["spec"]["replicas"].as_i64().unwrap_or_default();
    let counts = ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"];
    is_seen(deployment)
        && counts.iter().all(|field| count(deployment, field) == size)
        && count(deployment, "terminatingReplicas") == 0
        && condition(deployment, "Progressing")["reason"] == "NewReplicaSetAvailable"
        && condition(deployment, "Available")["status"] == "True"
}

/// A pod with the newest template exists and is not ready.
fn is_stuck(deployment: &Value) -> bool {
    is_seen(deployment)
        && count(deployment, "updatedReplicas") == 1
        && count(deployment, "unavailableReplicas") == 1
}

fn is_paused(deployment: &Value) -> bool {
    is_seen(deployment) && condition(deployment, "Progressing")["reason"] == "DeploymentPaused"
}

/// Reads events until a state is reached or the object is deleted, and records the compared aspects.
fn passes(talk: &mut Talk, events: &mut Events, name: &str, is_over: fn(&Value) -> bool) {
    let mut told: Vec<Value> = Vec::new();
    let mut kinds = Vec::new();
    loop {
        let event = talk.next(events);
        let kind = event["type"].clone();
        let is_gone = kind == "DELETED";
        if kinds.last() != Some(&kind) {
            kinds.push(kind);
        }
        told.push(event["object"].clone());
        if is_gone || is_over(&event["object"]) {
            break;
        }
    }
    let last = told.last().cloned().unwrap_or_default();
    let way = json!({
        "events": kinds,
        "generations": changes(&told, |one| json!([one["metadata"]["generation"], one["status"]["observedGeneration"]])),
        "available": changes(&told, |one| said(condition(one, "Available"))),
        "progressing": changes(&told, |one| said(condition(one, "Progressing"))),
        "most": told.iter().map(|one| count(one, "replicas")).max(),
        "fewest ready": told.iter().map(|one| count(one, "readyReplicas")).min(),
        "rest": at_rest(&last),
    });
    talk.note(name, way);
}

/// The values of a view of the states in order, without repetitions.
fn changes(told: &[Value], view: fn(&Value) -> Value) -> Vec<Value> {
    let mut seen: Vec<Value> = told.iter().map(view).collect();
    seen.dedup();
    seen
}

fn said(condition: &Value) -> Value {
    if is_under_way(condition) {
        return json!([condition["status"], UNDER_WAY]);
    }
    json!([condition["status"], condition["reason"]])
}

const UNDER_WAY: &str = "under way";

fn is_under_way(condition: &Value) -> bool {
    condition["reason"] == "NewReplicaSetCreated" || condition["reason"] == "ReplicaSetUpdated"
}

/// A state of rest, without the hash in the name of a ReplicaSet.
fn at_rest(deployment: &Value) -> Value {
    let mut status = deployment["status"].clone();
    for condition in status["conditions"].as_array_mut().into_iter().flatten() {
        if is_under_way(condition) {
            condition["reason"] = json!(UNDER_WAY);
            condition["message"] = json!(UNDER_WAY);
        }
        let message = condition["message"].as_str().unwrap_or_default();
        let words =
            message.split_whitespace().map(|word| if word.starts_with("\"web-") { "<name>" } else { word });
        condition["message"] = json!(words.collect::<Vec<_>>().join(" "));
    }
    json!({"annotations": deployment["metadata"]["annotations"], "status": status})
}
