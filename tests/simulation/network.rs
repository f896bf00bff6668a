//! The connection between a process and the server: delays, outages, bad answers, deaths and stops.
//!
//! A request that has been sent arrives, whatever happens to its process.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
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
use crate::support::admission::Admission;
use crate::support::fault::{Tap, is_write, page, status, test_failed, too_many_requests};
use crate::support::random::Rng;
use crate::support::rules::world::{self, WORKLOADS};
use crate::support::tapped_client::request_info;

/// How long an overloaded server asks clients to wait.
const RETRY_AFTER: Duration = Duration::from_secs(3);

/// More requests than any process makes.
const ENDLESS: usize = 20_000;

/// How often a process is polled before it is stopped.
const LAST_POLLS: u32 = 64;

/// The body of a response.
type ResponseBody = UnsyncBoxBody<Bytes, BoxError>;

/// The connection of one process.
pub(crate) struct Connection {
    pub(crate) tap: Arc<Tap>,
    pub(crate) clock: Clock,
    /// The user agent of its requests.
    pub(crate) user_agent: String,
    pub(crate) pace: Pace,
    /// The remaining faults, the first with the number of requests that it still lets pass.
    pub(crate) faults: Mutex<VecDeque<Fault>>,
    pub(crate) rng: Mutex<Rng>,
    /// When the process sent each request.
    pub(crate) requests: Mutex<Vec<Duration>>,
    /// The requests without an answer, or with one that leaves their outcome open.
    pub(crate) unanswered: Mutex<BTreeSet<usize>>,
    /// Wakes those that wait for a fault of another process.
    pub(crate) struck: Arc<Notify>,
    /// Until when the process is stopped.
    pub(crate) frozen: Mutex<Option<Moment>>,
    /// Until when nothing gets through.
    pub(crate) outage: Mutex<Option<Moment>>,
    /// Until when no request about Leases gets through.
    pub(crate) lease_outage: Mutex<Option<Moment>>,
    /// Until when the server has asked not to repeat a request.
    pub(crate) asked_to_wait: Mutex<BTreeMap<String, Moment>>,
    /// The first request that was repeated too early.
    pub(crate) hasty: Mutex<Option<String>>,
    pub(crate) admission: Arc<Admission>,
    /// The epochs of the records that the process read first, by component.
    pub(crate) decided_from: Mutex<Option<BTreeMap<String, u64>>>,
}

impl Connection {
    /// A client whose requests use this connection.
    pub(crate) fn client(self: &Arc<Self>, server: &Client) -> Client {
        let (connection, server) = (self.clone(), server.clone());
        let namespace = server.default_namespace().to_owned();
        let service = tower::service_fn(move |request: Request<Body>| {
            let (connection, server) = (connection.clone(), server.clone());
            // The process has now sent the request, even if it is stopped before it polls the response.
            let index = connection.note_request(connection.clock.elapsed().unsigned_abs());
            async move {
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

    /// Records a request; returns its index.
    fn note_request(&self, at: Duration) -> usize {
        let mut requests = self.requests.lock().unwrap();
        requests.push(at);
        // If no time passes between requests, nothing else ends an endless loop.
        assert!(requests.len() <= ENDLESS, "a process makes request after request");
        requests.len() - 1
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
        // Records the fate of the request.
        self.tap.fate(&seen);
        parts.headers.insert(http::header::USER_AGENT, self.user_agent.parse()?);
        let request = Request::from_parts(parts, body);
        self.note_haste(&seen);
        let fault = self.next_fault(&seen);
        self.strike(fault, Stage::Before).await;
        if let Some(FaultKind::Answer(answer)) = fault.map(|fault| fault.kind) {
            if let Some(request) = repeatable(&seen).filter(|_| answer == Answer::TooManyRequests) {
                let until = self.clock.moment().plus(RETRY_AFTER);
                self.asked_to_wait.lock().unwrap().insert(request, until);
            }
            return answer.response(&seen);
        }
        self.outage_is_over(&seen).await?;
        let (parts, body) = request.into_parts();
        let request = match self.admission.admit(&seen, body, self.clock.moment()) {
            Ok(admitted) => Request::from_parts(parts, Body::from(admitted)),
            Err(answer) => return Ok((*answer).map(whole)),
        };
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
        self.outage_is_over(&seen).await?;
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

    /// Records the response of a list of records: the process decides from the first such list.
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

    /// The fault that strikes at a request, if any.
    fn next_fault(&self, seen: &RequestInfo) -> Option<Fault> {
        let mut faults = self.faults.lock().unwrap();
        let next = faults.front_mut().filter(|next| next.counted.counts(seen))?;
        match next.request.checked_sub(1) {
            Some(left) => {
                next.request = left;
                None
            }
            None => faults.pop_front(),
        }
    }

    /// Records a request that is repeated earlier than the server has asked for.
    fn note_haste(&self, seen: &RequestInfo) {
        let Some(request) = repeatable(seen) else { return };
        let asked = self.asked_to_wait.lock().unwrap().remove(&request);
        if asked.is_some_and(|until| self.clock.moment() < until) {
            self.hasty.lock().unwrap().get_or_insert(request);
        }
    }

    /// Applies the effect of the fault at this stage to the process.
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
            FaultKind::LeaseOutage(lasting) => {
                *self.lease_outage.lock().unwrap() = Some(self.clock.moment().plus(lasting));
            }
            FaultKind::Answer(_) | FaultKind::AnswerAfterServing(_) | FaultKind::LateAnswer(_) => {}
        }
    }

    /// Lets a request pass after an outage: one during the outage is never answered, or its connection is reset.
    async fn outage_is_over(&self, seen: &RequestInfo) -> Result<(), BoxError> {
        let of_all = *self.outage.lock().unwrap();
        let of_leases = self.lease_outage.lock().unwrap().filter(|_| seen.kind == "leases");
        let until = of_all.max(of_leases).filter(|until| self.clock.moment() < *until);
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

    /// The response of a watch, whose events are delayed at random and by outages.
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

    /// Polls a process, except while it is stopped.
    pub(crate) async fn run<F: Future>(&self, process: F) -> F::Output {
        let mut process = pin!(process);
        let mut stopped: Option<LocalBoxFuture<'_, ()>> = None;
        // A request that the process has decided to send takes some polls to arrive here, during which no fault can
        // strike it.
        let mut polls_left = LAST_POLLS;
        poll_fn(|context| {
            loop {
                if let Some(sleep) = &mut stopped {
                    ready!(sleep.as_mut().poll(context));
                    stopped = None;
                }
                if let Poll::Ready(output) = process.as_mut().poll(context) {
                    return Poll::Ready(output);
                }
                let mut frozen = self.frozen.lock().unwrap();
                if frozen.is_some() && polls_left > 0 {
                    polls_left -= 1;
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                match frozen.take() {
                    Some(until) => {
                        stopped = Some(self.clock.until(Some(until)).boxed_local());
                        polls_left = LAST_POLLS;
                    }
                    None => return Poll::Pending,
                }
            }
        })
        .await
    }
}

impl Counted {
    /// Whether this counts the request.
    fn counts(self, seen: &RequestInfo) -> bool {
        match self {
            Self::All => true,
            Self::Leases => seen.kind == "leases",
            Self::Records => seen.kind == "configmaps",
            Self::Workloads => WORKLOADS.contains(&seen.kind.as_str()),
            Self::Looks => seen.verb == Verb::Get && WORKLOADS.contains(&seen.kind.as_str()),
            Self::Creations => seen.verb == Verb::Create && is_write(seen),
            Self::Targets => seen.verb == Verb::Create && WORKLOADS.contains(&seen.kind.as_str()),
            Self::Removals => seen.verb == Verb::Delete,
            Self::Watches => seen.verb == Verb::Watch,
        }
    }
}

impl Answer {
    fn response(self, seen: &RequestInfo) -> Result<Response<ResponseBody>, BoxError> {
        let response = match self {
            Self::Conflict if seen.verb == Verb::Patch && is_write(seen) => test_failed(),
            Self::Conflict if is_write(seen) => status(409, "Conflict", "the object has been modified"),
            Self::Conflict | Self::Unavailable => page(503),
            Self::TooManyRequests => too_many_requests(RETRY_AFTER.as_secs()),
            Self::InternalError => status(500, "InternalError", "etcdserver: leader changed"),
            Self::Timeout => status(504, "Timeout", "request did not complete"),
            Self::Reset => return Err(reset()),
        };
        Ok(response.map(whole))
    }
}

/// A key that stays the same when a watch or write is repeated; `None` for a read, since it may be an unrelated one.
fn repeatable(seen: &RequestInfo) -> Option<String> {
    if !is_write(seen) && seen.verb != Verb::Watch {
        return None;
    }
    let path = seen.path.split('?').next().unwrap_or_default();
    let name = seen.name.as_deref().unwrap_or_default();
    let operations = seen.body.as_ref().and_then(Value::as_array);
    let changes = operations.and_then(|all| all.last()).map(|last| last["path"].to_string());
    Some(format!("{:?} {path} {name} {}", seen.verb, changes.unwrap_or_default()))
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
