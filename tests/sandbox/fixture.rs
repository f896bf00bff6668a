//! Shared parts of the tests: a sandbox on the paused clock, and raw requests.

use http_body_util::BodyExt as _;
use jiff::{SignedDuration, Timestamp};
use kube::client::Body;
use rollout::sandbox::rules::parse_rules;
use rollout::sandbox::{Now, Options, RulesSource, Sandbox};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

pub(crate) const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";
pub(crate) const PODS: &str = "/api/v1/namespaces/default/pods";
pub(crate) const MAPS: &str = "/api/v1/namespaces/default/configmaps";

pub(crate) const JSON_PATCH: &str = "application/json-patch+json";
pub(crate) const MERGE_PATCH: &str = "application/merge-patch+json";
pub(crate) const STRATEGIC_PATCH: &str = "application/strategic-merge-patch+json";
pub(crate) const APPLY_PATCH: &str = "application/apply-patch+yaml";

/// A clock that follows tokio's, paused or not.
#[expect(clippy::disallowed_methods, reason = "the paused clock of tokio is the clock of these tests")]
pub(crate) fn clock() -> Now {
    let start = tokio::time::Instant::now();
    let epoch: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    Arc::new(move || epoch + SignedDuration::try_from(start.elapsed()).unwrap())
}

/// A sandbox in memory whose kubelet follows these rules.
pub(crate) fn sandbox(rules: &str) -> Sandbox {
    let rules = RulesSource::Given(parse_rules("rules", rules).unwrap());
    Sandbox::open(Options { file: None, rules, now: clock(), record_history: true }).unwrap()
}

pub(crate) fn client() -> (Sandbox, kube::Client) {
    let sandbox = sandbox("- {image: '*', readyAfter: 20ms}");
    let client = sandbox.client("default");
    (sandbox, client)
}

/// Sends a raw request and returns the status code and body of the response.
pub(crate) async fn send(
    client: &kube::Client,
    method: &str,
    path: &str,
    kind: &str,
    body: &Value,
) -> (u16, Value) {
    let text = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let request = http::Request::builder().method(method).uri(path).header("content-type", kind);
    let response = client.send(request.body(Body::from(text)).unwrap()).await.unwrap();
    let code = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes)));
    (code, body)
}

pub(crate) async fn get(client: &kube::Client, path: &str) -> (u16, Value) {
    send(client, "GET", path, "", &Value::Null).await
}

pub(crate) async fn post(client: &kube::Client, path: &str, body: &Value) -> (u16, Value) {
    send(client, "POST", path, "application/json", body).await
}

pub(crate) async fn put(client: &kube::Client, path: &str, body: &Value) -> (u16, Value) {
    send(client, "PUT", path, "application/json", body).await
}

pub(crate) async fn patch(client: &kube::Client, path: &str, kind: &str, body: &Value) -> (u16, Value) {
    send(client, "PATCH", path, kind, body).await
}

pub(crate) async fn delete(client: &kube::Client, path: &str, options: &Value) -> (u16, Value) {
    send(client, "DELETE", path, "application/json", options).await
}

/// Creates an object; must succeed.
pub(crate) async fn made(client: &kube::Client, path: &str, body: &Value) -> Value {
    let (code, body) = post(client, path, body).await;
    assert_eq!(code, 201, "{body}");
    body
}

/// Advances the clock, which `start_paused` has stopped; nothing sleeps.
pub(crate) async fn pass(milliseconds: u64) {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}

/// A minimal Deployment.
pub(crate) fn deployment(name: &str, image: &str, replicas: i64) -> Value {
    json!({
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "web", "image": image}]},
            },
        },
    })
}

pub(crate) fn map(name: &str, data: &Value) -> Value {
    json!({"metadata": {"name": name}, "data": data})
}

/// The code, the reason and the message of an error.
pub(crate) fn refusal((code, body): (u16, Value)) -> (u16, String, String) {
    assert_eq!(body["kind"], "Status", "{body}");
    assert_eq!(body["code"], code, "{body}");
    let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
    (code, text("reason"), text("message"))
}

pub(crate) fn refused(code: u16, reason: &str, message: &str) -> (u16, String, String) {
    (code, reason.to_owned(), message.to_owned())
}
