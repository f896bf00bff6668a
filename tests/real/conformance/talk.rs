//! Sends raw requests to a ground, and records requests and answers.

use std::time::Duration;

use futures::io::Lines;
use futures::{AsyncBufRead, AsyncBufReadExt as _, StreamExt as _, TryStreamExt as _};
use http::Response;
use http_body_util::BodyExt as _;
use kube::client::Body;
use serde_json::{Value, json};

use super::ground::Ground;

pub(super) const MAPS: &str = "/api/v1/namespaces/{ns}/configmaps";
pub(super) const SERVICES: &str = "/api/v1/namespaces/{ns}/services";
pub(super) const PODS: &str = "/api/v1/namespaces/{ns}/pods";
pub(super) const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/{ns}/deployments";
pub(super) const REVISIONS: &str = "/apis/apps/v1/namespaces/{ns}/controllerrevisions";
pub(super) const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/{ns}/leases";

pub(super) const JSON: &str = "application/json";
pub(super) const JSON_PATCH: &str = "application/json-patch+json";
pub(super) const MERGE: &str = "application/merge-patch+json";
pub(super) const STRATEGIC: &str = "application/strategic-merge-patch+json";
pub(super) const APPLY: &str = "application/apply-patch+yaml";

/// The time after which a missing event is reported. If both grounds agree, no event takes that long.
const PATIENCE: Duration = Duration::from_secs(10);

/// A request and its answer.
#[derive(Debug, Clone)]
pub(super) struct Exchange {
    pub(super) request: String,
    pub(super) said: Value,
    pub(super) answer: Value,
}

impl Exchange {
    /// The whole exchange as text, to be read and compared.
    pub(super) fn text(&self) -> String {
        let body = serde_json::to_string_pretty(&self.said).unwrap();
        let answer = serde_json::to_string_pretty(&self.answer).unwrap();
        format!("{}\n{body}\n{answer}\n", self.request)
    }
}

/// A view of an answer: the part that is compared.
pub(super) type View = fn(&Value) -> Value;

/// A conversation with one ground.
pub(super) struct Talk<'a> {
    ground: Ground<'a>,
    exchanges: Vec<Exchange>,
    requests: usize,
}

/// An open watch.
pub(super) struct Events {
    name: String,
    lines: Option<Stream>,
    last: Value,
}

type Stream = Lines<std::pin::Pin<Box<dyn AsyncBufRead + Send>>>;

fn lines(response: Response<Body>) -> Stream {
    let stream = response.into_body().into_data_stream().map_err(std::io::Error::other);
    let stream: std::pin::Pin<Box<dyn AsyncBufRead + Send>> = Box::pin(stream.into_async_read());
    stream.lines()
}

impl<'a> Talk<'a> {
    pub(super) fn new(ground: Ground<'a>) -> Self {
        Self { ground, exchanges: Vec::new(), requests: 0 }
    }

    pub(super) fn exchanges(&self) -> &[Exchange] {
        &self.exchanges
    }

    /// The number of requests whose answers are compared.
    pub(super) fn requests(&self) -> usize {
        self.requests
    }

    pub(super) fn namespace(&self) -> &str {
        &self.ground.namespace
    }

    pub(super) fn get(&mut self, path: &str) -> Value {
        self.viewed("GET", path, "", "", Value::clone)
    }

    pub(super) fn post(&mut self, path: &str, body: &Value) -> Value {
        self.viewed("POST", path, JSON, &body.to_string(), Value::clone)
    }

    pub(super) fn put(&mut self, path: &str, body: &Value) -> Value {
        self.viewed("PUT", path, JSON, &body.to_string(), Value::clone)
    }

    pub(super) fn patch(&mut self, path: &str, kind: &str, body: &Value) -> Value {
        self.viewed("PATCH", path, kind, &body.to_string(), Value::clone)
    }

    /// Deletes with options, or without any if they are null.
    pub(super) fn delete(&mut self, path: &str, options: &Value) -> Value {
        let text = if options.is_null() { String::new() } else { options.to_string() };
        self.viewed("DELETE", path, JSON, &text, Value::clone)
    }

    /// Sends a raw request with any method and content type.
    pub(super) fn raw(&mut self, method: &str, path: &str, kind: &str, body: &str) -> Value {
        self.viewed(method, path, kind, body, Value::clone)
    }

    /// Sends a request with only a part of its answer compared; returns the whole body.
    pub(super) fn viewed(&mut self, method: &str, path: &str, kind: &str, body: &str, view: View) -> Value {
        self.requests += 1;
        let (mut answer, whole) = self.asked(method, path, kind, body);
        answer["body"] = view(&whole);
        let said = serde_json::from_str(body).unwrap_or_else(|_| json!(body));
        let request = format!("{method} {path} {kind}").trim_end().to_owned();
        self.exchanges.push(Exchange { request, said, answer });
        whole
    }

    /// Sends a request whose answer is not compared, for example to see whether an object is at rest.
    pub(super) fn unheard(&self, method: &str, path: &str, kind: &str, body: &Value) -> Value {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        self.asked(method, path, kind, &text).1
    }

    fn asked(&self, method: &str, path: &str, kind: &str, body: &str) -> (Value, Value) {
        let asked = async {
            let response = self.response(method, path, kind, body).await;
            let headers = response.headers().clone();
            let code = response.status().as_u16();
            let bytes = response.into_body().collect().await.unwrap().to_bytes();
            let whole =
                serde_json::from_slice(&bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes)));
            let text = |value: &http::HeaderValue| json!(value.to_str().unwrap());
            let warnings: Vec<Value> = headers.get_all("warning").iter().map(text).collect();
            let mut answer = json!({"code": code, "type": headers.get("content-type").map(text)});
            if !warnings.is_empty() {
                answer["warnings"] = json!(warnings);
            }
            (answer, whole)
        };
        let asked = async { tokio::time::timeout(PATIENCE, asked).await };
        let asked = self.ground.runtime.block_on(asked);
        asked.unwrap_or_else(|_| panic!("{method} {path}: it is not answered"))
    }

    async fn response(&self, method: &str, path: &str, kind: &str, body: &str) -> Response<Body> {
        let uri = path.replace("{ns}", &self.ground.namespace);
        let mut request = http::Request::builder().method(method).uri(uri);
        if !kind.is_empty() {
            request = request.header("content-type", kind);
        }
        let request = request.body(Body::from(body.as_bytes().to_vec())).unwrap();
        self.ground.client.send(request).await.unwrap()
    }

    /// Opens a watch. The answer to the request is compared here, and the events as they are read.
    pub(super) fn watch(&mut self, path: &str, query: &str) -> Events {
        let uri = if query.is_empty() {
            format!("{path}?watch=true")
        } else {
            format!("{path}?watch=true&{query}")
        };
        self.requests += 1;
        let response = self.ground.runtime.block_on(self.response("GET", &uri, "", ""));
        let code = response.status().as_u16();
        let mut events = Events { name: format!("WATCH {uri}"), lines: None, last: Value::Null };
        let mut answer = json!({"code": code});
        if code == 200 {
            events.lines = Some(lines(response));
        } else {
            let body = response.into_body().collect();
            let bytes = self.ground.runtime.block_on(body).unwrap().to_bytes();
            answer["body"] = serde_json::from_slice(&bytes).unwrap_or_default();
        }
        self.exchanges.push(Exchange { request: events.name.clone(), said: Value::Null, answer });
        events
    }

    /// The next event, not compared; null at the end of the stream.
    pub(super) fn next(&self, events: &mut Events) -> Value {
        let Some(lines) = &mut events.lines else { return Value::Null };
        let next = async { tokio::time::timeout(PATIENCE, lines.next()).await };
        match self.ground.runtime.block_on(next) {
            Ok(Some(line)) => {
                events.last = serde_json::from_str(&line.unwrap()).unwrap();
                events.last.clone()
            }
            Ok(None) => Value::Null,
            Err(_) => panic!("{}: nothing came after {:#}", events.name, events.last),
        }
    }

    /// Reads the next events of a watch.
    pub(super) fn told(&mut self, events: &mut Events, count: usize) -> Vec<Value> {
        let told: Vec<Value> = (0..count).map(|_| self.next(events)).collect();
        self.note(&events.name.clone(), json!(told));
        told
    }

    /// Reads all events up to the end of a watch.
    pub(super) fn told_to_the_end(&mut self, events: &mut Events) {
        let told: Vec<Value> =
            std::iter::from_fn(|| Some(self.next(events)).filter(|event| !event.is_null())).collect();
        self.note(&events.name.clone(), json!(told));
    }

    /// Records a finding of a script, to be compared.
    pub(super) fn note(&mut self, name: &str, found: Value) {
        self.exchanges.push(Exchange { request: name.to_owned(), said: Value::Null, answer: found });
    }

    /// Waits, with a watch, until an object satisfies `wanted`; its state is then compared.
    pub(super) fn until(&mut self, collection: &str, name: &str, wanted: fn(&Value) -> bool) -> Value {
        let mut events = self.listen(collection, &format!("fieldSelector=metadata.name%3D{name}"));
        loop {
            let event = self.next(&mut events);
            assert!(!event.is_null(), "{}: it ended", events.name);
            if wanted(&event) {
                self.note(&format!("{collection}/{name} at rest"), event["object"].clone());
                return event["object"].clone();
            }
        }
    }

    /// Waits, with a watch, until an object is deleted.
    pub(super) fn until_gone(&self, collection: &str, name: &str) {
        let list = self.unheard("GET", collection, "", &Value::Null);
        let items = list["items"].as_array().unwrap();
        if items.iter().all(|item| item["metadata"]["name"] != name) {
            return;
        }
        let version = list["metadata"]["resourceVersion"].as_str().unwrap();
        let query = format!("fieldSelector=metadata.name%3D{name}&resourceVersion={version}");
        let mut events = self.listen(collection, &query);
        while self.next(&mut events)["type"] != "DELETED" {}
    }

    /// Opens a watch whose events are not compared.
    fn listen(&self, collection: &str, query: &str) -> Events {
        let uri = format!("{collection}?watch=true&{query}");
        let response = self.ground.runtime.block_on(self.response("GET", &uri, "", ""));
        Events { name: format!("WATCH {uri}"), lines: Some(lines(response)), last: Value::Null }
    }

    /// Sets the kubelet's rules.
    pub(super) fn script(&self, rules: &str) {
        self.ground.script(rules);
    }

    /// Compacts the server's history up to now.
    pub(super) fn forget(&self) {
        self.ground.forget();
    }
}
