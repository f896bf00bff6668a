//! Faults of a process's requests, including the death of the process.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use rollout::cluster::clock::Clock;
use rollout::sandbox::fault::{Fault, RequestInfo, Verb, Verdict};
use serde_json::json;
use tokio::sync::Notify;

/// The fate of a request.
pub(crate) enum Fate {
    /// The verdict of the server or the network.
    Verdict(Verdict),
    /// The process dies before the request is applied.
    DeathBefore,
    /// The process dies after the request is applied, before the response.
    DeathUnanswered,
    /// The process dies after the response, before another request.
    DeathAfter,
}

/// The request is served as usual.
pub(crate) const PASS: Fate = Fate::Verdict(Verdict::Pass);

/// The server has no leader.
pub(crate) fn no_leader() -> Fate {
    Fate::Verdict(Verdict::Answer(status(500, "InternalError", "no leader")))
}

type Script = Box<dyn Fn(&RequestInfo) -> Fate + Send + Sync>;

/// A request and the time when it was sent.
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
        // Reviews are not stored.
        Verb::Create if seen.kind.ends_with("reviews") => false,
        Verb::Create | Verb::Patch if seen.path.contains("dryRun=All") => false,
        Verb::Create | Verb::Update | Verb::Patch | Verb::Delete => true,
    }
}

/// Whether a request may change something other than the Lease.
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

    /// Sets the clock for the times of requests.
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

    /// Makes the process die now.
    pub(crate) fn kill(&self) {
        self.death.notify_one();
    }

    /// Records a request and decides its fate.
    pub(crate) fn fate(&self, seen: &RequestInfo) -> Fate {
        let clock = self.clock.lock().unwrap().clone();
        let at = clock.map_or(Duration::ZERO, |clock| clock.elapsed().unsigned_abs());
        self.requests.lock().unwrap().push(Request { at, seen: seen.clone() });
        (self.script)(seen)
    }
}

/// The sandbox serves a request as soon as its fate is decided, so the death is signalled before the response.
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

/// An error response in the form of the API server's.
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

/// An overloaded server's plain text with `Retry-After`.
pub(crate) fn too_many_requests(seconds: u64) -> Response<Bytes> {
    let mut answer = answer(429, "text/plain", "Too many requests, please try again later.\n");
    answer.headers_mut().insert("retry-after", seconds.to_string().parse().unwrap());
    answer
}

/// An overloaded server's `Status` with `Retry-After`.
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

/// The API server's response to a JSON patch whose `test` failed.
pub(crate) fn test_failed() -> Response<Bytes> {
    status(422, "Invalid", "the server rejected our request due to an error in our request")
}

/// A proxy's HTML page, which the client cannot parse.
pub(crate) fn page(code: u16) -> Response<Bytes> {
    answer(code, "text/html", "<html>\n<body><h1>Service Unavailable</h1></body></html>\n")
}
