//! A process's tap on any client: requests can be lost, get another response, or coincide with the process's death.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::BodyExt as _;
use kube::Client;
use kube::client::Body;
use rollout::sandbox::fault::{RequestInfo, Verb, Verdict};
use serde_json::Value;
use tower::BoxError;

use super::fault::{Fate, Tap};

/// Wraps a client so that its requests pass through the tap.
pub(crate) fn tapped(client: Client, tap: Arc<Tap>) -> Client {
    let namespace = client.default_namespace().to_owned();
    let requests = Arc::new(AtomicUsize::new(0));
    let service = tower::service_fn(move |request: Request<Body>| {
        let index = requests.fetch_add(1, Ordering::Relaxed);
        pass(client.clone(), tap.clone(), index, request)
    });
    Client::new(service, namespace)
}

async fn pass(
    client: Client,
    tap: Arc<Tap>,
    index: usize,
    request: Request<Body>,
) -> Result<Response<Body>, BoxError> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let seen = request_info(index, &parts.method, &parts.uri, &body);
    let request = Request::from_parts(parts, Body::from(body));
    match tap.fate(&seen) {
        Fate::DeathBefore => {
            tap.kill();
            std::future::pending().await
        }
        Fate::DeathUnanswered => {
            // If the process dies meanwhile, the request that was sent still arrives.
            tokio::spawn(async move {
                drop(client.send(request).await);
                tap.kill();
            });
            std::future::pending().await
        }
        Fate::DeathAfter => {
            let answer = client.send(request).await;
            tap.kill();
            Ok(answer?)
        }
        Fate::Verdict(verdict) => meet(client, request, verdict).await,
    }
}

async fn meet(client: Client, request: Request<Body>, verdict: Verdict) -> Result<Response<Body>, BoxError> {
    let arrive = |request| {
        let client = client.clone();
        tokio::spawn(async move { drop(client.send(request).await) })
    };
    match verdict {
        Verdict::Pass => Ok(client.send(request).await?),
        Verdict::Answer(answer) => Ok(answer.map(Body::from)),
        Verdict::AnswerAfterApplying(answer) => {
            arrive(request).await?;
            Ok(answer.map(Body::from))
        }
        Verdict::Reset => Err(reset()),
        Verdict::ResetAfterApplying => {
            arrive(request).await?;
            Err(reset())
        }
        Verdict::Hang => std::future::pending().await,
        Verdict::HangAfterApplying => {
            arrive(request).await?;
            std::future::pending().await
        }
        Verdict::Watch(fault) => panic!("only the sandbox can make a watch misbehave: {fault:?}"),
    }
}

fn reset() -> BoxError {
    Box::new(io::Error::new(io::ErrorKind::ConnectionReset, "connection reset by peer"))
}

/// A request in the sandbox's form.
pub(crate) fn request_info(index: usize, method: &Method, uri: &http::Uri, body: &Bytes) -> RequestInfo {
    let body: Option<Value> = serde_json::from_slice(body).ok();
    let (kind, in_path) = place(uri.path());
    let is_watch = uri.query().is_some_and(|query| query.split('&').any(|option| option == "watch=true"));
    let verb = match *method {
        Method::POST => Verb::Create,
        Method::PUT => Verb::Update,
        Method::PATCH => Verb::Patch,
        Method::DELETE => Verb::Delete,
        _ if in_path.is_some() || kind.is_empty() => Verb::Get,
        _ if is_watch => Verb::Watch,
        _ => Verb::List,
    };
    let in_body = || Some(body.as_ref()?["metadata"]["name"].as_str()?.to_owned());
    let name = if verb == Verb::Create { in_path.or_else(in_body) } else { in_path };
    RequestInfo { index, verb, kind, name, path: uri.to_string(), body }
}

/// The plural name of the resource, with its subresource, and the object's name.
fn place(path: &str) -> (String, Option<String>) {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let (["api", _, rest @ ..] | ["apis", _, _, rest @ ..]) = parts.as_slice() else {
        return (String::new(), None);
    };
    let rest = match rest {
        ["namespaces", _, rest @ ..] if !rest.is_empty() => rest,
        rest => rest,
    };
    match rest {
        [] => (String::new(), None),
        [plural] => ((*plural).to_owned(), None),
        [plural, name] => ((*plural).to_owned(), Some((*name).to_owned())),
        [plural, name, sub @ ..] => (format!("{plural}/{}", sub.join("/")), Some((*name).to_owned())),
    }
}
