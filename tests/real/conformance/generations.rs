//! Which writes raise the generation or keep the version, and the subresources for status and scale.
//!
//! The Deployment is paused and has no pods; before each request, its controller has come to rest.

use serde_json::{Value, json};

use super::configurations::{is_at_rest, quiet, service};
use super::talk::{DEPLOYMENTS, JSON, JSON_PATCH, MERGE, SERVICES, STRATEGIC, Talk};

pub(super) fn script(talk: &mut Talk) {
    generations(talk);
    status(talk);
    scale(talk);
    services(talk);
}

fn one() -> String {
    format!("{DEPLOYMENTS}/one")
}

fn generations(talk: &mut Talk) {
    talk.post(DEPLOYMENTS, &quiet("one"));
    let label = json!({"metadata": {"labels": {"a": "b"}}});
    let note = json!({"metadata": {"annotations": {"a": "b"}}});
    for body in [
        json!({}),
        label.clone(),
        label,
        note.clone(),
        note,
        json!({"metadata": {"annotations": {"a": null}}}),
        json!({"spec": {"minReadySeconds": 1}}),
        json!({"spec": {"minReadySeconds": 1}}),
        json!({"spec": {"template": {"metadata": {"annotations": {"x": "y"}}}}}),
        json!({"status": {"replicas": 5}}),
        json!({"metadata": {"finalizers": ["example.com/hold"]}}),
        json!({"metadata": {"finalizers": null}}),
        json!({"metadata": {"generation": 50}}),
    ] {
        talk.until(DEPLOYMENTS, "one", is_at_rest);
        talk.patch(&one(), MERGE, &body);
    }
    talk.until(DEPLOYMENTS, "one", is_at_rest);
    talk.get(&one());
}

fn status(talk: &mut Talk) {
    let path = format!("{}/status", one());
    talk.get(&path);
    // The controller overwrites this status, so the answers are compared.
    for (kind, body) in [
        (
            MERGE,
            json!({"spec": {"minReadySeconds": 9}, "metadata": {"labels": {"s": "t"}, "annotations": {"s": "t"}}}),
        ),
        (MERGE, json!({"status": {"collisionCount": 3}})),
        (MERGE, json!({"status": {"replicas": -1}})),
        (MERGE, json!({"status": {"replicas": 0, "readyReplicas": 1}})),
        (MERGE, json!({"status": "fine"})),
        (
            STRATEGIC,
            json!({"status": {"conditions": [{"type": "Mine", "status": "True", "lastUpdateTime": "2020-01-01T00:00:00Z", "lastTransitionTime": "2020-01-01T00:00:00Z"}]}}),
        ),
        (JSON_PATCH, json!([{"op": "add", "path": "/status/observedGeneration", "value": -1}])),
        (JSON_PATCH, json!([{"op": "test", "path": "/spec/replicas", "value": 7}])),
    ] {
        talk.until(DEPLOYMENTS, "one", is_at_rest);
        talk.patch(&path, kind, &body);
    }
    let mut body = talk.until(DEPLOYMENTS, "one", is_settled);
    body["spec"]["replicas"] = json!(4);
    body["status"]["collisionCount"] = json!(4);
    talk.put(&path, &body);
    talk.put(&path, &body);
    talk.put(&format!("{DEPLOYMENTS}/none/status"), &quiet("none"));
    talk.delete(&path, &Value::Null);
    talk.post(&path, &body);
    talk.until(DEPLOYMENTS, "one", is_settled);
}

/// At rest, without the status that was written in place of the controller's.
fn is_settled(event: &Value) -> bool {
    is_at_rest(event) && event["object"]["status"]["readyReplicas"].is_null()
}

fn scale(talk: &mut Talk) {
    let path = format!("{}/scale", one());
    let scale = talk.get(&path);
    talk.get(&format!("{DEPLOYMENTS}/none/scale"));
    let mut body = scale.clone();
    body["spec"]["replicas"] = json!(2);
    talk.put(&path, &body);
    talk.until(DEPLOYMENTS, "one", is_at_rest);
    body["spec"]["replicas"] = json!(0);
    talk.put(&path, &body);
    for metadata in [
        json!({"name": "other", "namespace": scale["metadata"]["namespace"]}),
        json!({"name": "one", "namespace": scale["metadata"]["namespace"]}),
    ] {
        body["metadata"] = metadata;
        talk.until(DEPLOYMENTS, "one", is_at_rest);
        talk.put(&path, &body);
    }
    for (kind, patch) in [
        (MERGE, json!({"spec": {"replicas": 3}})),
        (MERGE, json!({"spec": {"replicas": 3}})),
        (MERGE, json!({"spec": {"replicas": -3}})),
        (MERGE, json!({"spec": {"replicas": "three"}})),
        (JSON_PATCH, json!([{"op": "test", "path": "/spec/replicas", "value": 5}])),
        (JSON_PATCH, json!([{"op": "replace", "path": "/spec/replicas", "value": 0}])),
        (STRATEGIC, json!({"spec": {"replicas": 0}})),
    ] {
        talk.until(DEPLOYMENTS, "one", is_at_rest);
        talk.patch(&path, kind, &patch);
    }
    talk.delete(&path, &Value::Null);
    talk.raw("PATCH", &path, JSON, "{}");
}

fn services(talk: &mut Talk) {
    talk.post(SERVICES, &service("one"));
    let path = format!("{SERVICES}/one");
    talk.patch(&path, MERGE, &json!({"spec": {"selector": {"x": "y"}}}));
    talk.patch(&path, MERGE, &json!({"status": {"loadBalancer": {"ingress": [{"ip": "10.1.2.3"}]}}}));
    talk.patch(
        &format!("{path}/status"),
        MERGE,
        &json!({"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.3"}]}}}),
    );
    talk.get(&format!("{path}/scale"));
}
