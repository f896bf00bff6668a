//! What may happen to a process's requests, its death included.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use rollout::cluster::clock::Clock;
use rollout::sandbox::fault::{Fault, RequestInfo, Verb, Verdict};
use serde_json::json;
use tokio::sync::Notify;

/// What becomes of a request.
pub(crate) enum Fate {
    /// What the server or the network makes of it.
    Verdict(Verdict),
    /// The process dies before the request is applied.
    DeathBefore,
    /// The process dies when it is applied and not answered.
    DeathUnanswered,
    /// The process dies after the answer, before another request.
    DeathAfter,
}

/// The request goes its usual way.
pub(crate) const PASS: Fate = Fate::Verdict(Verdict::Pass);

/// The server has no leader.
pub(crate) fn no_leader() -> Fate {
    Fate::Verdict(Verdict::Answer(status(500, "InternalError", "no leader")))
}

type Script = Box<dyn Fn(&RequestInfo) -> Fate + Send + Sync>;

/// A request and when it was made.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) at: Duration,
    pub(crate) seen: RequestInfo,
}

impl Request {
    /// Whether it may change something.
    pub(crate) fn is_write(&self) -> bool {
        is_write(&self.seen)
    }

    pub(crate) fn line(&self) -> String {
        let name = self.seen.name.as_deref().unwrap_or("*");
        format!("{:>4} {:>9.3?} {:?} {} {name}", self.seen.index, self.at, self.seen.verb, self.seen.kind)
    }
}

/// Whether a request may change something.
pub(crate) fn is_write(seen: &RequestInfo) -> bool {
    match seen.verb {
        Verb::Get | Verb::List | Verb::Watch => false,
        // A question; nothing is kept.
        Verb::Create if seen.kind.ends_with("reviews") => false,
        Verb::Create | Verb::Patch if seen.path.contains("dryRun=All") => false,
        Verb::Create | Verb::Update | Verb::Patch | Verb::Delete => true,
    }
}

/// Whether a request may change something that a run is about. The Lease is its own affair.
pub(crate) fn is_effect(seen: &RequestInfo) -> bool {
    is_write(seen) && seen.kind != "leases"
}

/// Decides the fate of each request by a script, records them, and signals the process's death.
pub(crate) struct Tap {
    script: Script,
    clock: Mutex<Option<Clock>>,
    requests: Mutex<Vec<Request>>,
    death: Notify,
}

impl Tap {
    pub(crate) fn new(script: impl Fn(&RequestInfo) -> Fate + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            script: Box::new(script),
            clock: Mutex::default(),
            requests: Mutex::default(),
            death: Notify::new(),
        })
    }

    /// Has requests noted with the time on this clock.
    pub(crate) fn attach(&self, clock: &Clock) {
        *self.clock.lock().unwrap() = Some(clock.clone());
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// Waits for the process's death.
    pub(crate) async fn death(&self) {
        self.death.notified().await;
    }

    /// Has the process die now.
    pub(crate) fn kill(&self) {
        self.death.notify_one();
    }

    /// Notes a request and says what becomes of it.
    pub(crate) fn fate(&self, seen: &RequestInfo) -> Fate {
        let clock = self.clock.lock().unwrap().clone();
        let at = clock.map_or(Duration::ZERO, |clock| clock.elapsed().unsigned_abs());
        self.requests.lock().unwrap().push(Request { at, seen: seen.clone() });
        (self.script)(seen)
    }
}

/// On the sandbox a request is served while it is decided about, so the death is signalled before the response.
impl Fault for Tap {
    fn decide(&self, seen: &RequestInfo) -> Verdict {
        let verdict = match self.fate(seen) {
            Fate::Verdict(verdict) => return verdict,
            Fate::DeathBefore => Verdict::Hang,
            Fate::DeathUnanswered => Verdict::HangAfterApplying,
            Fate::DeathAfter => Verdict::Pass,
        };
        self.kill();
        verdict
    }
}

/// A failed answer as the API server gives it.
pub(crate) fn status(code: u16, reason: &str, message: &str) -> Response<Bytes> {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    });
    answer(code, "application/json", &body.to_string())
}

/// A response with this body.
pub(crate) fn answer(code: u16, content_type: &str, body: &str) -> Response<Bytes> {
    let answer = Response::builder().status(code).header("content-type", content_type);
    answer.body(Bytes::from(body.to_owned())).unwrap()
}

/// An overloaded server's plain text, which asks to come back later.
pub(crate) fn too_many_requests(seconds: u64) -> Response<Bytes> {
    let mut answer = answer(429, "text/plain", "Too many requests, please try again later.\n");
    answer.headers_mut().insert("retry-after", seconds.to_string().parse().unwrap());
    answer
}

/// An overloaded server's `Status`, which asks to come back later.
pub(crate) fn too_many_requests_status(seconds: u64) -> Response<Bytes> {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 429,
        "message": "the server has received too many requests", "reason": "TooManyRequests",
        "details": {"retryAfterSeconds": seconds},
    });
    let mut answer = answer(429, "application/json", &body.to_string());
    answer.headers_mut().insert("retry-after", seconds.to_string().parse().unwrap());
    answer
}

/// What the API server says to a JSON Patch whose `test` failed.
pub(crate) fn test_failed() -> Response<Bytes> {
    status(422, "Invalid", "the server rejected our request due to an error in our request")
}

/// A proxy's page, which no client can read.
pub(crate) fn page(code: u16) -> Response<Bytes> {
    answer(code, "text/html", "<html>\n<body><h1>Service Unavailable</h1></body></html>\n")
}
