//! Faults in the transport.

use crate::fixture::*;
use bytes::Bytes;
use futures::AsyncBufReadExt as _;
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, PostParams};
use rollout::sandbox::Sandbox;
use rollout::sandbox::fault::{Fault, RequestInfo, Verb, Verdict, WatchFault};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Decides about the request with this index and records all of them.
struct Nth {
    index: usize,
    verdict: fn() -> Verdict,
    seen: Mutex<Vec<RequestInfo>>,
}

impl Fault for Nth {
    fn decide(&self, request: &RequestInfo) -> Verdict {
        self.seen.lock().unwrap().push(request.clone());
        if request.index == self.index { (self.verdict)() } else { Verdict::Pass }
    }
}

fn faulty(index: usize, verdict: fn() -> Verdict) -> (Sandbox, kube::Client, Arc<Nth>) {
    let sandbox = sandbox("");
    let fault = Arc::new(Nth { index, verdict, seen: Mutex::default() });
    let client = sandbox.client_with("default", Arc::clone(&fault) as Arc<dyn Fault>);
    (sandbox, client, fault)
}

async fn create(client: &kube::Client, name: &str) -> kube::Result<ConfigMap> {
    let object: ConfigMap = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
    Api::default_namespaced(client.clone()).create(&PostParams::default(), &object).await
}

fn unavailable() -> http::Response<Bytes> {
    http::Response::builder().status(503).body(Bytes::from("<html>busy</html>")).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_fault_can_answer_instead_of_serving() {
    let (sandbox, client, _) = faulty(0, || Verdict::Answer(unavailable()));
    assert!(matches!(create(&client, "one").await, Err(kube::Error::Api(status)) if status.code == 503));
    assert!(sandbox.objects().is_empty());
    create(&client, "one").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_fault_can_answer_after_serving() {
    let (sandbox, client, _) = faulty(0, || Verdict::AnswerAfterApplying(unavailable()));
    assert!(create(&client, "one").await.is_err());
    assert_eq!(sandbox.objects().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn connections_are_reset_before_and_after_serving() {
    for (verdict, kept) in [((|| Verdict::Reset) as fn() -> Verdict, 0), (|| Verdict::ResetAfterApplying, 1)]
    {
        let (sandbox, client, _) = faulty(0, verdict);
        assert!(matches!(create(&client, "one").await, Err(kube::Error::Service(_))));
        assert_eq!(sandbox.objects().len(), kept);
        create(&client, "two").await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn requests_hang_before_and_after_serving() {
    for (verdict, kept) in [((|| Verdict::Hang) as fn() -> Verdict, 0), (|| Verdict::HangAfterApplying, 1)] {
        let (sandbox, client, _) = faulty(0, verdict);
        assert!(tokio::time::timeout(Duration::from_secs(60), create(&client, "one")).await.is_err());
        assert_eq!(sandbox.objects().len(), kept);
    }
}

#[tokio::test(start_paused = true)]
async fn a_fault_receives_the_request() {
    let (_sandbox, client, fault) = faulty(9, || Verdict::Pass);
    create(&client, "one").await.unwrap();
    get(&client, &format!("{MAPS}?labelSelector=a%3Db")).await;
    patch(&client, &format!("{DEPLOYMENTS}/web/status"), MERGE_PATCH, &json!({"status": {}})).await;
    let seen = fault.seen.lock().unwrap();
    let heads: Vec<(usize, Verb, &str, Option<&str>)> =
        seen.iter().map(|s| (s.index, s.verb, s.kind.as_str(), s.name.as_deref())).collect();
    assert_eq!(
        heads,
        [
            (0, Verb::Create, "configmaps", Some("one")),
            (1, Verb::List, "configmaps", None),
            (2, Verb::Patch, "deployments/status", Some("web")),
        ]
    );
    assert_eq!(seen[0].body.as_ref().unwrap()["metadata"]["name"], "one");
    assert_eq!(seen[1].path, format!("{MAPS}?labelSelector=a%3Db"));
}

/// The types of the events that a watch with a fault sends, and whether it closes instead of falling silent.
async fn event_types(verdict: fn() -> Verdict) -> (Vec<String>, bool) {
    let (_sandbox, client, _) = faulty(2, verdict);
    create(&client, "one").await.unwrap();
    create(&client, "two").await.unwrap();
    let request = http::Request::get(format!("{MAPS}?watch=true")).body(Vec::new()).unwrap();
    let mut lines = Box::pin(client.request_stream(request).await.unwrap()).lines();
    let mut types = Vec::new();
    loop {
        match tokio::time::timeout(Duration::from_secs(5), lines.next()).await {
            Err(_) => return (types, false),
            Ok(None) => return (types, true),
            Ok(Some(line)) => {
                let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
                types.push(event["type"].as_str().unwrap().to_owned());
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn watch_faults_take_effect() {
    let told_of = |types: &[&str]| types.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
    let all = told_of(&["ADDED", "ADDED"]);
    assert_eq!(event_types(|| Verdict::Pass).await, (all.clone(), false));
    assert_eq!(event_types(|| Verdict::Watch(WatchFault::CloseAfter(1))).await, (told_of(&["ADDED"]), true));
    assert_eq!(
        event_types(|| Verdict::Watch(WatchFault::GoneAfter(1))).await,
        (told_of(&["ADDED", "ERROR"]), true)
    );
    assert_eq!(event_types(|| Verdict::Watch(WatchFault::Silent)).await, (Vec::new(), false));
    let twice = told_of(&["ADDED"; 4]);
    assert_eq!(event_types(|| Verdict::Watch(WatchFault::DuplicateEach)).await, (twice, false));
}

#[tokio::test(start_paused = true)]
async fn a_watch_can_be_rejected_as_gone() {
    let (_sandbox, client, _) = faulty(0, || Verdict::Watch(WatchFault::GoneAsStatus));
    let (code, reason, _) = refusal(get(&client, &format!("{MAPS}?watch=true&resourceVersion=1")).await);
    assert_eq!((code, reason.as_str()), (410, "Expired"));
}
