//! The way between a process and the server: delays, outages, bad answers, deaths and stops.
//!
//! A request that has been sent arrives, whatever becomes of its process.

use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures::future::LocalBoxFuture;
use futures::{FutureExt as _, stream};
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use kube::Client;
use kube::client::Body;
use rollout::cluster::clock::{Clock, Moment};
use rollout::sandbox::fault::{RequestInfo, Verb};
use serde_json::Value;
use tokio::sync::Notify;
use tower::BoxError;

use crate::script::{Answer, Counted, Fault, FaultKind, Pace, Stage};
use crate::support::fault::{Tap, is_write, page, status, test_failed, too_many_requests};
use crate::support::random::Rng;
use crate::support::rules::world::{self, WORKLOADS};
use crate::support::tapped_client::request_info;

/// The body of a response.
type ResponseBody = UnsyncBoxBody<Bytes, BoxError>;

/// The way of one process.
pub(crate) struct Connection {
    pub(crate) tap: Arc<Tap>,
    pub(crate) clock: Clock,
    /// What its requests call themselves.
    pub(crate) user_agent: String,
    pub(crate) pace: Pace,
    pub(crate) fault: Option<Fault>,
    pub(crate) rng: Mutex<Rng>,
    pub(crate) requests: AtomicUsize,
    /// How many of them there were that the fault counts.
    pub(crate) counted: AtomicUsize,
    /// The requests that got no answer, or none that says something.
    pub(crate) unanswered: Mutex<BTreeSet<usize>>,
    /// Wakes those that wait for a fault of another process.
    pub(crate) struck: Arc<Notify>,
    /// Until when the process is stopped.
    pub(crate) frozen: Mutex<Option<Moment>>,
    /// Until when nothing gets through.
    pub(crate) outage: Mutex<Option<Moment>>,
    pub(crate) denials: Arc<Denials>,
    /// The epochs of the records that the process has read first, by component.
    pub(crate) decided_from: Mutex<Option<BTreeMap<String, u64>>>,
}

/// The writes that nobody has the right to.
#[derive(Default)]
pub(crate) struct Denials(Mutex<Vec<(&'static str, Moment)>>);

impl Denials {
    pub(crate) fn deny(&self, kind: &'static str, until: Moment) {
        self.0.lock().unwrap().push((kind, until));
    }

    pub(crate) fn lift(&self) {
        self.0.lock().unwrap().clear();
    }

    fn denies(&self, seen: &RequestInfo, now: Moment) -> bool {
        is_write(seen)
            && self.0.lock().unwrap().iter().any(|(kind, until)| *kind == seen.kind && now < *until)
    }
}

impl Connection {
    /// A client whose requests go this way.
    pub(crate) fn client(self: &Arc<Self>, server: &Client) -> Client {
        let (connection, server) = (self.clone(), server.clone());
        let namespace = server.default_namespace().to_owned();
        let service = tower::service_fn(move |request: Request<Body>| {
            let (connection, server) = (connection.clone(), server.clone());
            async move {
                let index = connection.requests.fetch_add(1, Ordering::Relaxed);
                let response = connection.clone().pass(index, server, request).await;
                let says_something = |response: &Response<ResponseBody>| {
                    response.status().is_success() || response.status() == http::StatusCode::NOT_FOUND
                };
                if !response.as_ref().is_ok_and(says_something) {
                    connection.unanswered.lock().unwrap().insert(index);
                }
                response
            }
        });
        Client::new(service, namespace)
    }

    async fn pass(
        self: Arc<Self>,
        index: usize,
        server: Client,
        request: Request<Body>,
    ) -> Result<Response<ResponseBody>, BoxError> {
        let (mut parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let seen = request_info(index, &parts.method, &parts.uri, &body);
        // Notes it.
        self.tap.fate(&seen);
        parts.headers.insert(http::header::USER_AGENT, self.user_agent.parse()?);
        let request = Request::from_parts(parts, Body::from(body));
        let is_counted = |fault: &Fault| fault.counted.counts(&seen);
        let fault = self.fault.filter(is_counted);
        let fault = fault.filter(|fault| self.counted.fetch_add(1, Ordering::Relaxed) == fault.request);
        self.strike(fault, Stage::Before).await;
        if let Some(FaultKind::Answer(answer)) = fault.map(|fault| fault.kind) {
            return answer.response(&seen);
        }
        self.outage_is_over().await?;
        if self.denials.denies(&seen, self.clock.moment()) {
            let message = format!("{} \"x\" is forbidden: User \"ci\" cannot do that", seen.kind);
            return Ok(status(403, "Forbidden", &message).map(whole));
        }
        let (there, back) = (self.delay(), self.delay());
        let clock = self.clock.clone();
        let sent = tokio::spawn(async move {
            clock.pause(there).await;
            server.send(request).await
        });
        self.strike(fault, Stage::Sent).await;
        let response = sent.await??;
        self.clock.pause(back).await;
        if let Some(FaultKind::LateAnswer(lasting)) = fault.map(|fault| fault.kind) {
            self.clock.pause(lasting).await;
        }
        self.outage_is_over().await?;
        self.strike(fault, Stage::After).await;
        if let Some(FaultKind::AnswerAfterServing(answer)) = fault.map(|fault| fault.kind) {
            return answer.response(&seen);
        }
        Ok(match seen.verb {
            Verb::Watch => self.lagging(response),
            Verb::List if seen.kind == "configmaps" => self.noted(response).await?,
            _ => response.map(streamed),
        })
    }

    /// The response of a list of records, the first of which is what the process decides from.
    async fn noted(&self, response: Response<Body>) -> Result<Response<ResponseBody>, BoxError> {
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await?.to_bytes();
        let list: Value = serde_json::from_slice(&bytes)?;
        if let Some(items) = list["items"].as_array() {
            let records = items.iter().filter_map(world::record);
            let epochs = records.map(|record| (record.component, record.epoch.0)).collect();
            self.decided_from.lock().unwrap().get_or_insert(epochs);
        }
        Ok(Response::from_parts(parts, whole(bytes)))
    }

    /// What the fault does to the process at this stage.
    async fn strike(&self, fault: Option<Fault>, stage: Stage) {
        let Some(fault) = fault.filter(|fault| fault.stage == stage) else { return };
        self.struck.notify_waiters();
        match fault.kind {
            FaultKind::Death => {
                self.tap.kill();
                std::future::pending::<()>().await;
            }
            FaultKind::Freeze(lasting) => {
                let until = self.clock.moment().plus(lasting);
                *self.frozen.lock().unwrap() = Some(until);
                self.clock.until(Some(until)).await;
            }
            FaultKind::Outage(lasting) => {
                *self.outage.lock().unwrap() = Some(self.clock.moment().plus(lasting));
            }
            FaultKind::Answer(_) | FaultKind::AnswerAfterServing(_) | FaultKind::LateAnswer(_) => {}
        }
    }

    /// A request during an outage is never answered, or its connection is reset.
    async fn outage_is_over(&self) -> Result<(), BoxError> {
        let until = self.outage.lock().unwrap().filter(|until| self.clock.moment() < *until);
        let Some(until) = until else { return Ok(()) };
        if self.rng.lock().unwrap().one_in(2) {
            self.clock.until(Some(until)).await;
        }
        Err(reset())
    }

    fn delay(&self) -> Duration {
        let mut rng = self.rng.lock().unwrap();
        let milliseconds = match self.pace {
            Pace::Instant => 0,
            Pace::Fast => rng.below(8),
            Pace::Slow if rng.one_in(20) => rng.below(4_000),
            Pace::Slow => rng.below(400),
        };
        Duration::from_millis(u64::from(milliseconds))
    }

    /// The response of a watch, whose events take their time, and are held up by an outage.
    fn lagging(self: Arc<Self>, response: Response<Body>) -> Response<ResponseBody> {
        let (parts, body) = response.into_parts();
        let frames = stream::unfold((self, body), |(connection, mut body)| async move {
            let frame = body.frame().await?;
            connection.clock.pause(connection.delay()).await;
            let until = *connection.outage.lock().unwrap();
            if until.is_some() {
                connection.clock.until(until).await;
            }
            Some((frame.map_err(BoxError::from), (connection, body)))
        });
        Response::from_parts(parts, StreamBody::new(frames).boxed_unsync())
    }

    /// Polls a process, but while it is stopped.
    pub(crate) async fn run<F: Future>(&self, process: F) -> F::Output {
        let mut process = pin!(process);
        let mut stopped: Option<LocalBoxFuture<'_, ()>> = None;
        poll_fn(|context| {
            loop {
                if let Some(sleep) = &mut stopped {
                    ready!(sleep.as_mut().poll(context));
                    stopped = None;
                }
                if let Poll::Ready(output) = process.as_mut().poll(context) {
                    return Poll::Ready(output);
                }
                match self.frozen.lock().unwrap().take() {
                    Some(until) => stopped = Some(self.clock.until(Some(until)).boxed_local()),
                    None => return Poll::Pending,
                }
            }
        })
        .await
    }
}

impl Counted {
    /// Whether a request is one of these.
    fn counts(self, seen: &RequestInfo) -> bool {
        match self {
            Self::All => true,
            Self::Leases => seen.kind == "leases",
            Self::Records => seen.kind == "configmaps",
            Self::Workloads => WORKLOADS.contains(&seen.kind.as_str()),
            Self::Looks => seen.verb == Verb::Get && WORKLOADS.contains(&seen.kind.as_str()),
            Self::Creations => seen.verb == Verb::Create && is_write(seen),
            Self::Removals => seen.verb == Verb::Delete,
        }
    }
}

impl Answer {
    fn response(self, seen: &RequestInfo) -> Result<Response<ResponseBody>, BoxError> {
        let response = match self {
            Self::Conflict if seen.verb == Verb::Patch && is_write(seen) => test_failed(),
            Self::Conflict if is_write(seen) => status(409, "Conflict", "the object has been modified"),
            Self::Conflict | Self::Unavailable => page(503),
            Self::TooManyRequests => too_many_requests(3),
            Self::InternalError => status(500, "InternalError", "etcdserver: leader changed"),
            Self::Timeout => status(504, "Timeout", "request did not complete"),
            Self::Reset => return Err(reset()),
        };
        Ok(response.map(whole))
    }
}

fn whole(bytes: Bytes) -> ResponseBody {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

fn streamed(body: Body) -> ResponseBody {
    body.map_err(BoxError::from).boxed_unsync()
}

fn reset() -> BoxError {
    Box::new(io::Error::new(io::ErrorKind::ConnectionReset, "connection reset by peer"))
}
