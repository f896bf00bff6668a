//! The transport: a tower service under a real client, without a port.
//!
//! It reads a request, consults the client's fault, and sends the response. Everything happens while the request's
//! future is polled, so a dropped request is served either completely or not at all.

use bytes::Bytes;
use futures::future::BoxFuture;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use serde_json::Value;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use tower::BoxError;

use crate::sandbox::api::response::Response;
use crate::sandbox::api::route::{Request, Target};
use crate::sandbox::api::serve;
use crate::sandbox::api::watch::{self, Watch};
use crate::sandbox::fault::{Fault, Verb, Verdict, WatchFault};
use crate::sandbox::object::kind::Persistence;
use crate::sandbox::object::status_error::StatusError;
use crate::sandbox::simulation::Simulation;
use crate::sandbox::store::change::Actor;

/// The body of a response, whole or streamed.
pub(crate) type Body = UnsyncBoxBody<Bytes, BoxError>;

#[derive(Clone)]
pub(crate) struct Transport {
    simulation: Arc<Simulation>,
    fault: Option<Arc<dyn Fault>>,
    requests: Arc<AtomicUsize>,
}

impl Transport {
    pub(crate) fn new(simulation: Arc<Simulation>, fault: Option<Arc<dyn Fault>>) -> Self {
        Self { simulation, fault, requests: Arc::new(AtomicUsize::new(0)) }
    }

    async fn answer(
        self,
        request: http::Request<kube::client::Body>,
    ) -> Result<http::Response<Body>, BoxError> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let request = Request::new(&parts, body);
        let index = self.requests.fetch_add(1, Ordering::Relaxed);
        let verdict = match &self.fault {
            Some(fault) => fault.decide(&request.info(index)),
            None => Verdict::Pass,
        };
        match verdict {
            Verdict::Pass => Ok(self.serve(&request, None)),
            Verdict::Watch(fault) => Ok(self.serve(&request, Some(fault))),
            Verdict::Answer(answer) => Ok(answer.map(whole)),
            Verdict::AnswerAfterApplying(answer) => {
                drop(self.serve(&request, None));
                Ok(answer.map(whole))
            }
            Verdict::Reset => Err(reset()),
            Verdict::ResetAfterApplying => {
                drop(self.serve(&request, None));
                Err(reset())
            }
            Verdict::Hang => std::future::pending().await,
            Verdict::HangAfterApplying => {
                drop(self.serve(&request, None));
                std::future::pending().await
            }
        }
    }

    fn serve(&self, request: &Request, fault: Option<WatchFault>) -> http::Response<Body> {
        if let Target::Resource(place) = &request.target
            && !self.simulation.serves(place.kind)
        {
            return respond(404, "text/plain", whole(Bytes::from("404 page not found\n")));
        }
        if request.verb == Verb::Watch {
            return match self.watch(request, fault) {
                Ok(watch) => respond(200, JSON, stream(watch)),
                Err(failure) => refuse(&failure),
            };
        }
        let outcome = self.simulation.transact(Actor::Client, request.verb, |store, cache| {
            store.user_agent = request.user_agent();
            let answer = serve::serve(store, cache, request);
            (answer, std::mem::take(&mut store.warnings))
        });
        let (answer, warnings) = match outcome {
            Ok(outcome) => outcome,
            Err(error) => (Err(StatusError::storage(error.to_string())), Vec::new()),
        };
        let mut response = match answer {
            Ok(Response::Json(code, body)) => respond(code, JSON, whole(text(&body))),
            Ok(Response::Text(code, body)) => respond(code, TEXT, whole(Bytes::from(body))),
            Err(failure) => refuse(&failure),
        };
        for warning in warnings {
            let value = format!("299 - {}", Value::from(warning));
            if let Ok(value) = http::HeaderValue::try_from(value) {
                response.headers_mut().append(http::header::WARNING, value);
            }
        }
        response
    }

    fn watch(&self, request: &Request, fault: Option<WatchFault>) -> Result<Watch, StatusError> {
        let place = match &request.target {
            Target::Resource(place) if place.kind.persistence == Persistence::Stored => place,
            Target::Resource(_) => return Err(StatusError::method_not_allowed()),
            Target::Discovery(_) | Target::NoSuchResource | Target::NoSuchPath => {
                return Err(StatusError::no_such_resource());
            }
        };
        if fault == Some(WatchFault::GoneAsStatus) {
            let version = self.simulation.version();
            return Err(StatusError::expired(version, version));
        }
        self.simulation
            .transact(Actor::Client, Verb::Watch, |store, cache| {
                watch::open(&self.simulation, store, cache, place, &request.query, fault)
            })
            .unwrap_or_else(|error| Err(StatusError::storage(error.to_string())))
    }
}

impl tower::Service<http::Request<kube::client::Body>> for Transport {
    type Response = http::Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<kube::client::Body>) -> Self::Future {
        Box::pin(self.clone().answer(request))
    }
}

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

fn respond(code: u16, content_type: &'static str, body: Body) -> http::Response<Body> {
    let mut response = http::Response::new(body);
    *response.status_mut() =
        http::StatusCode::from_u16(code).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let value = http::HeaderValue::from_static(content_type);
    response.headers_mut().insert(http::header::CONTENT_TYPE, value);
    response
}

fn refuse(failure: &StatusError) -> http::Response<Body> {
    respond(failure.code, JSON, whole(text(&failure.to_status())))
}

fn text(body: &Value) -> Bytes {
    let mut text = body.to_string();
    text.push('\n');
    Bytes::from(text)
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

fn stream(watch: Watch) -> Body {
    let lines = futures::stream::unfold(watch, |mut watch| async move {
        // Each line is sent as a single frame.
        let frame = Full::new(watch.next().await?).frame().await?;
        Some((frame.map_err(|never| match never {}), watch))
    });
    StreamBody::new(lines).boxed_unsync()
}

fn reset() -> BoxError {
    Box::new(io::Error::new(io::ErrorKind::ConnectionReset, "connection reset by peer"))
}
