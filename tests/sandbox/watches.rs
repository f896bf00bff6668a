//! Watches: their first events, their changes, and how they end.

use crate::fixture::*;
use futures::AsyncBufReadExt as _;
use futures::io::Lines;
use futures::{AsyncBufRead, StreamExt as _};
use serde_json::{Value, json};
use std::time::Duration;

type Events = Lines<std::pin::Pin<Box<dyn AsyncBufRead + Send>>>;

async fn watch(client: &kube::Client, query: &str) -> Events {
    let uri = format!("{MAPS}?watch=true&{query}");
    let request = http::Request::get(uri).body(Vec::new()).unwrap();
    let stream: std::pin::Pin<Box<dyn AsyncBufRead + Send>> =
        Box::pin(client.request_stream(request).await.unwrap());
    stream.lines()
}

async fn next(events: &mut Events) -> Option<Value> {
    events.next().await.map(|line| serde_json::from_str(&line.unwrap()).unwrap())
}

/// The type and the name of the next event.
async fn next_event(events: &mut Events) -> (String, String) {
    let event = next(events).await.unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&event["type"]), text(&event["object"]["metadata"]["name"]))
}

fn event(kind: &str, name: &str) -> (String, String) {
    (kind.to_owned(), name.to_owned())
}

async fn is_quiet(events: &mut Events) -> bool {
    tokio::time::timeout(Duration::from_secs(1), events.next()).await.is_err()
}

async fn version(client: &kube::Client) -> u64 {
    get(client, MAPS).await.1["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_watch_delivers_every_change_after_its_version() {
    let (_sandbox, client) = client();
    made(&client, MAPS, &map("old", &json!({}))).await;
    let from = version(&client).await;
    made(&client, MAPS, &map("new", &json!({}))).await;
    let mut events = watch(&client, &format!("resourceVersion={from}")).await;
    assert_eq!(next_event(&mut events).await, event("ADDED", "new"));
    patch(&client, &format!("{MAPS}/old"), MERGE_PATCH, &json!({"data": {"a": "b"}})).await;
    assert_eq!(next_event(&mut events).await, event("MODIFIED", "old"));
    delete(&client, &format!("{MAPS}/old"), &Value::Null).await;
    let gone = next(&mut events).await.unwrap();
    assert_eq!((&gone["type"], &gone["object"]["data"]["a"]), (&json!("DELETED"), &json!("b")));
    assert_eq!(gone["object"]["metadata"]["resourceVersion"], version(&client).await.to_string());
    assert!(is_quiet(&mut events).await);
}

#[tokio::test(start_paused = true)]
async fn a_watch_without_a_version_starts_with_the_existing_objects() {
    let (_sandbox, client) = client();
    made(&client, MAPS, &map("one", &json!({}))).await;
    let mut events = watch(&client, "").await;
    assert_eq!(next_event(&mut events).await, event("ADDED", "one"));
    assert!(is_quiet(&mut events).await);
}

#[tokio::test(start_paused = true)]
async fn initial_events_end_with_a_marked_bookmark() {
    let (_sandbox, client) = client();
    made(&client, MAPS, &map("one", &json!({}))).await;
    let query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let mut events = watch(&client, query).await;
    assert_eq!(next_event(&mut events).await, event("ADDED", "one"));
    let bookmark = next(&mut events).await.unwrap();
    assert_eq!(bookmark["type"], "BOOKMARK");
    assert_eq!(bookmark["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
}

#[tokio::test(start_paused = true)]
async fn objects_are_added_and_deleted_as_they_start_and_stop_matching() {
    let (_sandbox, client) = client();
    let from = version(&client).await;
    made(&client, MAPS, &map("one", &json!({}))).await;
    let mut events = watch(&client, &format!("resourceVersion={from}&labelSelector=tier%3Dfront")).await;
    let label = |value: Value| json!({"metadata": {"labels": {"tier": value}}});
    let path = format!("{MAPS}/one");
    patch(&client, &path, MERGE_PATCH, &label(json!("front"))).await;
    assert_eq!(next_event(&mut events).await, event("ADDED", "one"));
    patch(&client, &path, MERGE_PATCH, &json!({"data": {"a": "b"}})).await;
    assert_eq!(next_event(&mut events).await, event("MODIFIED", "one"));
    patch(&client, &path, MERGE_PATCH, &label(json!("back"))).await;
    assert_eq!(next_event(&mut events).await, event("DELETED", "one"));
    patch(&client, &path, MERGE_PATCH, &json!({"data": {"a": "c"}})).await;
    assert!(is_quiet(&mut events).await);
}

#[tokio::test(start_paused = true)]
async fn idle_watches_send_bookmarks() {
    let (_sandbox, client) = client();
    made(&client, MAPS, &map("one", &json!({}))).await;
    let from = version(&client).await;
    let mut events = watch(&client, &format!("resourceVersion={from}&allowWatchBookmarks=true")).await;
    made(&client, DEPLOYMENTS, &deployment("web", "web:1", 0)).await;
    let bookmark = next(&mut events).await.unwrap();
    assert_eq!(bookmark["type"], "BOOKMARK");
    assert_eq!(bookmark["object"]["metadata"]["resourceVersion"], version(&client).await.to_string());
}

#[tokio::test(start_paused = true)]
async fn a_watch_closes_at_its_timeout() {
    let (_sandbox, client) = client();
    let mut events = watch(&client, "timeoutSeconds=5").await;
    assert!(is_quiet(&mut events).await);
    assert_eq!(next(&mut events).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_watch_from_a_forgotten_version_expires() {
    let (_sandbox, client) = client();
    made(&client, MAPS, &map("one", &json!({"n": "0"}))).await;
    for number in 1..=1_010 {
        let body = json!({"data": {"n": number.to_string()}});
        patch(&client, &format!("{MAPS}/one"), MERGE_PATCH, &body).await;
    }
    let mut events = watch(&client, "resourceVersion=1").await;
    let error = next(&mut events).await.unwrap();
    assert_eq!((&error["type"], &error["object"]["code"]), (&json!("ERROR"), &json!(410)));
    assert_eq!(error["object"]["reason"], "Expired");
    assert!(error["object"]["message"].as_str().unwrap().starts_with("too old resource version: 1 ("));
    assert_eq!(next(&mut events).await, None);
    let from = version(&client).await - 5;
    let mut events = watch(&client, &format!("resourceVersion={from}")).await;
    assert_eq!(next_event(&mut events).await, event("MODIFIED", "one"));
}

#[tokio::test(start_paused = true)]
async fn a_slow_watch_misses_nothing() {
    let (_sandbox, client) = client();
    made(&client, MAPS, &map("one", &json!({"n": "0"}))).await;
    let from = version(&client).await;
    let mut events = watch(&client, &format!("resourceVersion={from}")).await;
    for number in 1..=1_500 {
        let body = json!({"data": {"n": number.to_string()}});
        patch(&client, &format!("{MAPS}/one"), MERGE_PATCH, &body).await;
    }
    for number in 1..=1_500 {
        let event = next(&mut events).await.unwrap();
        assert_eq!(event["object"]["data"]["n"], number.to_string());
    }
}

/// What kube's watcher reports about an existing ConfigMap and a new one.
async fn watched(config: kube::runtime::watcher::Config) -> Vec<String> {
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::runtime::watcher::{Event, watcher};
    let (_sandbox, client) = client();
    made(&client, MAPS, &map("old", &json!({}))).await;
    let api = kube::Api::<ConfigMap>::default_namespaced(client.clone());
    let mut events = Box::pin(watcher(api, config));
    let mut seen = Vec::new();
    while seen.len() < 5 {
        let said = match events.next().await.unwrap().unwrap() {
            Event::Init => "init".to_owned(),
            Event::InitApply(object) => format!("has {}", object.metadata.name.unwrap()),
            Event::InitDone => {
                made(&client, MAPS, &map("new", &json!({}))).await;
                delete(&client, &format!("{MAPS}/old"), &Value::Null).await;
                "done".to_owned()
            }
            Event::Apply(object) => format!("got {}", object.metadata.name.unwrap()),
            Event::Delete(object) => format!("lost {}", object.metadata.name.unwrap()),
        };
        seen.push(said);
    }
    seen
}

#[tokio::test(start_paused = true)]
async fn watchers_of_kube_runtime_work() {
    let expected = ["init", "has old", "done", "got new", "lost old"];
    assert_eq!(watched(kube::runtime::watcher::Config::default()).await, expected);
    assert_eq!(watched(kube::runtime::watcher::Config::default().streaming_lists()).await, expected);
}
