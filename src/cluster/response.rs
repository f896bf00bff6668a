//! Normalises failed responses to those of an API server, and detects responses that cannot be from one.
//!
//! An overloaded server responds in plain text with a `Retry-After` header, and a proxy with an HTML page. Both are
//! turned into a `Status` object with the delay, so that all are classified alike. Requests whose response does not
//! even begin time out here, including watches; a watch that ends at once counts as failed.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, WARNING};
use http::{Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Either};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tower::Service;

use crate::cluster::clock::Clock;
use crate::cluster::watch_body;
use crate::oam::labels;

/// The maximum number of distinct warnings that are kept.
const MAX_WARNINGS: usize = 100;
/// How many bytes of a failed response are read.
const MAX_FAILURE_BYTES: usize = 4 * 1024 * 1024;
/// How many bytes of a response that is not a `Status` are quoted.
const MAX_TEXT_BYTES: usize = 4 * 1024;

/// API groups that every API server serves, so that it answers with a `Status` if something is not found there.
const ALWAYS_SERVED: [&str; 2] = ["/api/v1/", "/apis/apps/"];

/// A response that is not from an API server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidResponse {
    /// There was no response.
    #[error("no answer within {}s", .0.as_secs())]
    Timeout(Duration),
    /// It is from something else.
    #[error("the response is not from an API server (HTTP {code})")]
    NotApiServer {
        /// The HTTP status.
        code: u16,
        /// The beginning of its body.
        said: String,
    },
}

/// The warnings in the server's `Warning` headers, in order and without duplicates, each with the component that it is
/// about: the component in the label of the response's object.
#[derive(Debug, Clone, Default)]
pub struct ServerWarnings(Arc<Mutex<WarningLog>>);

#[derive(Debug, Default)]
struct WarningLog {
    /// The texts of all warnings received.
    heard: BTreeSet<String>,
    /// The warnings that have not been taken yet, each with its component.
    pending: Vec<(Option<String>, String)>,
    /// The warnings of `rollout` itself that were reported.
    reported: BTreeSet<String>,
}

impl ServerWarnings {
    /// Takes the warnings that have not been taken yet, except those about other components.
    #[must_use]
    pub fn take(&self, component: &str) -> Vec<String> {
        let mut kept = self.lock();
        let is_about = |about: &Option<String>| about.as_ref().is_none_or(|about| about == component);
        let (taken, left) =
            std::mem::take(&mut kept.pending).into_iter().partition(|(about, _)| is_about(about));
        kept.pending = left;
        let taken: Vec<(Option<String>, String)> = taken;
        taken.into_iter().map(|(_, text)| text).collect()
    }

    fn note(&self, headers: &HeaderMap, component: Option<&str>) {
        for text in headers.get_all(WARNING).iter().filter_map(warning) {
            let mut kept = self.lock();
            if kept.heard.len() < MAX_WARNINGS && kept.heard.insert(text.clone()) {
                kept.pending.push((component.map(str::to_owned), text));
            }
        }
    }

    /// Whether a warning of `rollout` itself is new: each is reported once per command.
    #[must_use]
    pub fn is_first(&self, text: &str) -> bool {
        self.lock().reported.insert(text.to_owned())
    }

    fn lock(&self) -> MutexGuard<'_, WarningLog> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The text of a `Warning` header, `299 - "text"`, as the Kubernetes API server writes it.
fn warning(value: &HeaderValue) -> Option<String> {
    let text = value.to_str().ok()?.strip_prefix("299 ")?.split_once(' ')?.1;
    let text = text.strip_prefix('"')?.strip_suffix('"')?;
    Some(text.replace("\\\"", "\"").replace("\\\\", "\\"))
}

/// Wraps a client so that failed responses carry their `Retry-After`, warnings are kept, and every response begins
/// within `limit` (zero means no limit).
#[must_use]
pub fn normalise_responses(
    client: Client,
    clock: Clock,
    limit: Duration,
    warnings: ServerWarnings,
) -> Client {
    let namespace = client.default_namespace().to_owned();
    Client::new(ResponseNormaliser { client, clock, limit, warnings }, namespace)
}

#[derive(Clone)]
struct ResponseNormaliser {
    client: Client,
    warnings: ServerWarnings,
    clock: Clock,
    limit: Duration,
}

impl Service<Request<Body>> for ResponseNormaliser {
    type Response = Response<Either<Body, UnsyncBoxBody<Bytes, tower::BoxError>>>;
    type Error = tower::BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Self { client, clock, limit, warnings } = self.clone();
        let path = request.uri().path().to_owned();
        let is_watch = watch_body::is_watch(request.uri());
        Box::pin(async move {
            let Some(response) = clock.within(limit, client.send(request)).await else {
                return Err(InvalidResponse::Timeout(limit).into());
            };
            let mut response = response?;
            let has_object = response.status().is_success() && !is_watch;
            if !has_object {
                warnings.note(response.headers(), None);
            } else if response.headers().contains_key(WARNING) {
                let (parts, body) = response.into_parts();
                let bytes = body.collect().await?.to_bytes();
                warnings.note(&parts.headers, component_of(&bytes).as_deref());
                response = Response::from_parts(parts, Body::from(bytes.to_vec()));
            }
            let status = response.status();
            let is_failure = status.is_client_error() || status.is_server_error();
            if !is_failure && !status.is_redirection() && !is_page(response.headers()) {
                return Ok(response.map(|body| match is_watch {
                    true => Either::Right(watch_body::checked(body, &clock)),
                    false => Either::Left(body),
                }));
            }
            let (parts, body) = response.into_parts();
            let (bytes, is_whole) = beginning(body).await?;
            let is_strange = || match is_whole {
                true => is_strange(status, &path, &parts.headers, &bytes),
                // A truncated Status cannot be parsed.
                false => is_page(&parts.headers),
            };
            if !is_failure || is_strange() {
                // The content of a page is not quoted.
                let said =
                    if is_failure { String::from_utf8_lossy(&bytes).into_owned() } else { String::new() };
                return Err(InvalidResponse::NotApiServer { code: status.as_u16(), said }.into());
            }
            let retry_after =
                parts.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            let body = with_retry_after(&bytes, status.as_u16(), retry_after);
            Ok(Response::from_parts(parts, Either::Left(Body::from(body))))
        })
    }
}

/// The component that the object in a body belongs to.
fn component_of(body: &[u8]) -> Option<String> {
    let object: Value = serde_json::from_slice(body).ok()?;
    object["metadata"]["labels"][labels::COMPONENT].as_str().map(str::to_owned)
}

/// A body, truncated once it reaches [`MAX_FAILURE_BYTES`], and whether it is complete.
async fn beginning(mut body: Body) -> Result<(Vec<u8>, bool), kube::Error> {
    let mut bytes = Vec::new();
    while bytes.len() < MAX_FAILURE_BYTES {
        let Some(frame) = body.frame().await else { return Ok((bytes, true)) };
        bytes.extend_from_slice(frame?.data_ref().map_or(&[], |data| data));
    }
    Ok((bytes, false))
}

/// Whether a response declares that its body is an HTML page.
fn is_page(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.starts_with("text/html")
}

/// Whether a failed response cannot be from an API server. Errors of a proxy in front of one may be temporary, and an
/// API server itself responds in plain text for unknown paths. But it never responds to a forbidden request with an
/// HTML page.
fn is_strange(status: StatusCode, path: &str, headers: &HeaderMap, body: &[u8]) -> bool {
    if as_status(body).is_some() {
        return false;
    }
    let is_page = is_page(headers) || body.trim_ascii_start().starts_with(b"<");
    let is_served = ALWAYS_SERVED.iter().any(|served| path.starts_with(served));
    match status {
        StatusCode::UNAUTHORIZED => false,
        StatusCode::FORBIDDEN => is_page,
        StatusCode::REQUEST_TIMEOUT | StatusCode::GONE | StatusCode::PAYLOAD_TOO_LARGE => false,
        StatusCode::TOO_MANY_REQUESTS => false,
        StatusCode::NOT_FOUND => is_served || is_page,
        status => status.is_client_error(),
    }
}

fn as_status(body: &[u8]) -> Option<Value> {
    serde_json::from_slice::<Value>(body).ok().filter(|status| status["kind"] == "Status")
}

fn with_retry_after(body: &[u8], code: u16, retry_after: Option<u64>) -> Vec<u8> {
    let mut status = as_status(body).unwrap_or_else(|| {
        json!({
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "message": String::from_utf8_lossy(&body[..body.len().min(MAX_TEXT_BYTES)]).trim(),
            "code": code,
        })
    });
    if let Some(seconds) = retry_after {
        let asked = status["details"]["retryAfterSeconds"].as_u64().unwrap_or(0);
        status["details"]["retryAfterSeconds"] = json!(asked.max(seconds));
    }
    status.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use http_body_util::StreamBody;
    use hyper::body::Frame;

    use super::*;

    fn read(body: &[u8], code: u16, retry_after: Option<u64>) -> Value {
        serde_json::from_slice(&with_retry_after(body, code, retry_after)).unwrap()
    }

    #[test]
    fn plain_text_becomes_a_status() {
        let status = read(b"Too many requests, please try again later.", 429, Some(3));
        assert_eq!(status["code"], 429);
        assert_eq!(status["details"]["retryAfterSeconds"], 3);
    }

    /// Regardless of which component takes its warnings first.
    #[tokio::test]
    async fn a_warning_goes_to_the_component_of_the_object_that_it_came_with() {
        let service = tower::service_fn(|request: Request<Body>| async move {
            let name = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
            let labels = if name == "none" { json!({}) } else { json!({labels::COMPONENT: name}) };
            let object = json!({"metadata": {"name": name, "labels": labels}});
            let answer = Response::builder().header(WARNING, format!("299 - \"about {name}\""));
            Ok::<_, tower::BoxError>(answer.body(Body::from(object.to_string().into_bytes())).unwrap())
        });
        let (client, warnings) = (Client::new(service, "x"), ServerWarnings::default());
        let client = normalise_responses(client, Clock::system(), Duration::ZERO, warnings.clone());
        let api: kube::Api<k8s_openapi::api::core::v1::ConfigMap> = kube::Api::default_namespaced(client);
        for name in ["web", "api", "web", "none"] {
            assert_eq!(api.get(name).await.unwrap().metadata.name.as_deref(), Some(name));
        }
        assert_eq!(warnings.take("api"), ["about api", "about none"]);
        assert_eq!(warnings.take("api"), [""; 0]);
        assert_eq!(warnings.take("web"), ["about web"]);
    }

    /// In frames, as on a connection. A body that is too long to read is classified by its code.
    #[tokio::test]
    async fn long_error_bodies_are_classified_by_their_code() {
        const FRAME: usize = 16 * 1024;
        for length in [100, 100_000, 5 * 1024 * 1024] {
            let service = tower::service_fn(move |_: Request<Body>| async move {
                let text = "x".repeat(length);
                let status = json!({"kind": "Status", "code": 422, "reason": "Invalid", "message": text});
                let text = Bytes::from(status.to_string());
                let frames = (0..text.len()).step_by(FRAME).map(|from| {
                    let frame = text.slice(from..text.len().min(from + FRAME));
                    Ok::<_, std::convert::Infallible>(Frame::data(frame))
                });
                let frames: Vec<_> = frames.collect();
                let body = StreamBody::new(futures::stream::iter(frames));
                Ok::<_, tower::BoxError>(Response::builder().status(422).body(body).unwrap())
            });
            let client = Client::new(service, "x");
            let client =
                normalise_responses(client, Clock::system(), Duration::ZERO, ServerWarnings::default());
            let request = Request::get("/api/v1/namespaces/x/pods").body(Vec::new()).unwrap();
            let error = client.request::<Value>(request).await.unwrap_err();
            let kube::Error::Api(status) = error else { panic!("{length}: {error}") };
            assert_eq!(status.code, 422, "{length}");
        }
    }

    #[test]
    fn a_forbidden_page_is_not_from_an_api_server() {
        let path = "/api/v1/namespaces/x/pods";
        let is_strange = |body: &[u8]| is_strange(StatusCode::FORBIDDEN, path, &HeaderMap::new(), body);
        assert!(is_strange(b"\n<html>Access denied"));
        assert!(!is_strange(b"forbidden"));
        assert!(!is_strange(br#"{"kind":"Status","code":403,"message":"<no>"}"#));
    }

    #[test]
    fn warnings_are_parsed_from_their_header() {
        let text = |value: &'static str| warning(&HeaderValue::from_static(value));
        assert_eq!(
            text(r#"299 - "would violate \"restricted\"""#).as_deref(),
            Some(r#"would violate "restricted""#)
        );
        assert_eq!(text("110 - stale"), None);
    }

    #[test]
    fn a_status_is_passed_on_unchanged() {
        let status =
            read(br#"{"kind":"Status","code":409,"reason":"Conflict","message":"moved"}"#, 409, None);
        assert_eq!(status["reason"], "Conflict");
        assert_eq!(status.get("details"), None);
    }
}
