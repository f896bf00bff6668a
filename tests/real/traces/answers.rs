//! The answers of both backends to raw requests about CloneSets and StatefulSets: code, reason, message and stored
//! fields.
//!
//! All requests are about objects that no controller has acted upon yet, or that are at rest.

use http_body_util::BodyExt as _;
use kube::client::Body;
use serde_json::{Value, json};
use similar::TextDiff;

use super::backend::Backend;
use crate::real_env::RealEnv;

/// A request: method, what follows the path of the collection, type of the body, body.
type Ask = (&'static str, &'static str, &'static str, Value);

const JSON: &str = "application/json";
const MERGE: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
const JSON_PATCH: &str = "application/json-patch+json";

pub(crate) fn of_clone_sets(env: &RealEnv) {
    let path = format!("/apis/apps.kruise.io/v1alpha1/namespaces/{}/clonesets", env.namespace);
    compare(env, &path, &asks("apps.kruise.io/v1alpha1", "CloneSet", &clone_set_asks()));
}

pub(crate) fn of_stateful_sets(env: &RealEnv) {
    let path = format!("/apis/apps/v1/namespaces/{}/statefulsets", env.namespace);
    compare(env, &path, &asks("apps/v1", "StatefulSet", &stateful_set_asks()));
}

/// The smallest workload, without pods.
fn workload(version: &str, kind: &str, name: &str) -> Value {
    json!({
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": name},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "web", "image": "web:1"}]},
            },
        },
    })
}

/// Requests about any workload, with those of one kind among them.
fn asks(version: &str, kind: &str, more: &[Ask]) -> Vec<Ask> {
    let mut asks = vec![
        ("POST", "", JSON, workload(version, kind, "Bad_Name")),
        ("POST", "", JSON, workload(version, kind, "web")),
        ("POST", "", JSON, workload(version, kind, "web")),
        ("PUT", "/nobody", JSON, workload(version, kind, "nobody")),
        ("PATCH", "/nobody", MERGE, json!({"spec": {"replicas": 1}})),
        ("PATCH", "/web", MERGE, json!({"metadata": {"annotations": {"a": "b"}}})),
        ("PATCH", "/web", MERGE, json!({"spec": {"template": {"metadata": {"annotations": {"a": "b"}}}}})),
        ("PATCH", "/web", JSON_PATCH, json!([{"op": "test", "path": "/metadata/uid", "value": "no"}])),
        ("PATCH", "/web", MERGE, json!({"metadata": {"resourceVersion": "1"}})),
        ("PATCH", "/web/status", MERGE, json!({"metadata": {"annotations": {"c": "d"}}})),
        ("GET", "/nobody", JSON, Value::Null),
        ("GET", "/nobody/scale", JSON, Value::Null),
        ("DELETE", "/web", JSON, json!({"preconditions": {"resourceVersion": "1"}})),
    ];
    asks.extend_from_slice(more);
    asks.push(("DELETE", "/web", JSON, Value::Null));
    asks.push(("GET", "/web", JSON, Value::Null));
    asks
}

fn clone_set_asks() -> Vec<Ask> {
    let version = "apps.kruise.io/v1alpha1";
    let mut odd = workload(version, "CloneSet", "odd");
    odd["odd"] = json!(1);
    odd["spec"]["odd"] = json!(1);
    odd["spec"]["selector"]["odd"] = json!(1);
    odd["spec"]["template"]["odd"] = json!([null]);
    odd["spec"]["updateStrategy"] = json!({"type": null, "partition": "30%", "odd": {}});
    odd["spec"]["lifecycle"] = Value::Null;
    odd["status"] = json!({"replicas": 7});
    let mut bare = workload(version, "CloneSet", "bare");
    bare["spec"] = json!({"replicas": 0});
    let mut mistyped = workload(version, "CloneSet", "mistyped");
    mistyped["spec"]["replicas"] = json!("3");
    vec![
        ("POST", "", JSON, odd),
        ("POST", "", JSON, bare),
        ("POST", "", JSON, mistyped),
        // Not stored: an object without a size crashes the controller.
        (
            "POST",
            "?dryRun=All",
            JSON,
            json!({"apiVersion": version, "kind": "CloneSet", "metadata": {"name": "empty"}}),
        ),
        ("PATCH", "/web", STRATEGIC, json!({"spec": {"replicas": 0}})),
        ("PATCH", "/web", MERGE, json!({"spec": {"replicas": "x"}})),
        ("PATCH", "/web", MERGE, json!({"spec": {"updateStrategy": {"paused": "x"}}})),
        ("PATCH", "/web", MERGE, json!({"spec": {"selector": null}})),
        ("PUT", "/web", JSON, workload(version, "CloneSet", "web")),
        ("PATCH", "/web/status", MERGE, json!({"metadata": {"labels": {"a": "b"}}, "spec": {"replicas": 5}})),
        // The others are named too, since the controller may or may not have added its own yet.
        (
            "PATCH",
            "/web/status",
            MERGE,
            json!({"status": {
                "replicas": 0, "availableReplicas": 0, "updatedReplicas": 0, "updatedReadyReplicas": 0,
                "readyReplicas": null,
            }}),
        ),
        ("DELETE", "/odd", JSON, Value::Null),
    ]
}

fn stateful_set_asks() -> Vec<Ask> {
    let mut full = workload("apps/v1", "StatefulSet", "full");
    full["spec"]["updateStrategy"] = json!({"rollingUpdate": {"partition": -1}});
    full["spec"]["podManagementPolicy"] = json!("Sideways");
    let mut by_hand = workload("apps/v1", "StatefulSet", "by-hand");
    by_hand["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
    vec![
        ("POST", "", JSON, full),
        ("POST", "", JSON, by_hand),
        ("PATCH", "/web", STRATEGIC, json!({"spec": {"minReadySeconds": 1}})),
        ("PATCH", "/web", MERGE, json!({"spec": {"serviceName": "other"}})),
        ("PATCH", "/web", MERGE, json!({"spec": {"selector": {"matchLabels": {"app": "other"}}}})),
        ("PATCH", "/web", MERGE, json!({"spec": {"replicas": -1}})),
        ("GET", "/web/scale", JSON, Value::Null),
        ("DELETE", "/by-hand", JSON, Value::Null),
    ]
}

fn compare(env: &RealEnv, path: &str, asks: &[Ask]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (real, sandbox) = runtime.block_on(async {
        let real = told(&Backend::real(env).await.client, path, asks).await;
        (real, told(&Backend::sandbox(env).client, path, asks).await)
    });
    let difference = TextDiff::from_lines(&real, &sandbox);
    let difference = difference.unified_diff().header("real", "sandbox").to_string();
    assert!(difference.is_empty(), "the answers differ:\n{difference}");
}

/// All requests and their answers, as text.
async fn told(client: &kube::Client, path: &str, asks: &[Ask]) -> String {
    let mut text = String::new();
    for (method, rest, kind, body) in asks {
        let sent = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request = http::Request::builder().method(*method).uri(format!("{path}{rest}"));
        let request = request.header("content-type", *kind).body(Body::from(sent)).unwrap();
        let response = client.send(request).await.unwrap();
        let code = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let answer = plain(serde_json::from_slice(&bytes).unwrap());
        let answer = serde_json::to_string_pretty(&answer).unwrap();
        text.push_str(&format!("{method} {rest} {body}\n{code} {answer}\n"));
    }
    text
}

/// An answer without cluster-specific values and without fields that controllers add later.
fn plain(mut answer: Value) -> Value {
    for field in ["uid", "resourceVersion", "creationTimestamp", "managedFields"] {
        if let Some(metadata) = answer.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove(field);
        }
        if let Some(details) = answer.get_mut("details").and_then(Value::as_object_mut) {
            details.remove(field);
        }
    }
    if answer["kind"] == "Status" {
        let message = answer["message"].as_str().unwrap_or_default();
        let words = message.split(' ').map(|word| if is_made_up(word) { "ID" } else { word });
        answer["message"] = json!(words.collect::<Vec<_>>().join(" "));
    } else {
        answer.as_object_mut().unwrap().remove("status");
    }
    answer
}

/// Whether a word of a message is a UID or a version.
fn is_made_up(word: &str) -> bool {
    let word = word.trim_matches(['(', ')', '.', ',', '"']);
    word.len() == 36 || (!word.is_empty() && word.chars().all(|c| c.is_ascii_digit()))
}
