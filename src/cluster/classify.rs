//! Classifies the client's errors by how to handle them.
//!
//! **Which errors are final.** Server errors (5xx) are retried, since most are temporary: a webhook that is down, a
//! change of leader, a proxy without a server. An error is final if the request itself is its cause: `413`, every 5xx
//! except 500, 502, 503 and 504, and a 500 in which the storage rejects the request ([`PERMANENT`], [`MISSHAPEN`]).

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kube::core::Status;

use crate::cluster::credentials::CredentialError;
use crate::cluster::error::{ClusterError, ErrorOrigin, Fault};
use crate::cluster::response::InvalidResponse;

/// The API server's message for a JSON Patch whose `test` failed; it names no field.
const PATCH_TEST_FAILED: &str = "the server rejected our request due to an error in our request";

/// Messages with HTTP 500 when the storage rejects the object permanently: etcd's limit for a request, gRPC's limits
/// for a message to etcd, and etcd's quota, which only its operator can raise.
const PERMANENT: [&str; 4] = [
    "etcdserver: request is too large",
    "trying to send message larger than max",
    "received message larger than max",
    "etcdserver: mvcc: database space exceeded",
];

/// A message with HTTP 500: the body of a server-side apply does not have the structure of its kind.
const MISSHAPEN: &str = "failed to create typed patch object";

/// How messages name the API server, and the proxy in front of it.
#[derive(Debug, Clone, Default)]
pub struct ServerName {
    address: Option<Arc<str>>,
    proxy: Option<Arc<str>>,
}

impl ServerName {
    /// A server at an address, which must hold no credentials.
    #[must_use]
    pub fn at(address: &str) -> Self {
        Self { address: Some(address.into()), proxy: None }
    }

    /// The same server, reached through a proxy at an address, which must hold no credentials.
    #[must_use]
    pub fn through(self, proxy: &str) -> Self {
        Self { proxy: Some(proxy.into()), ..self }
    }

    fn proxy(&self) -> String {
        self.proxy.as_ref().map_or("the proxy".to_owned(), |address| format!("the proxy `{address}`"))
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            Some(address) => write!(f, "the API server at `{address}`"),
            None => f.write_str("the API server"),
        }
    }
}

impl From<kube::Error> for ClusterError {
    fn from(error: kube::Error) -> Self {
        classify_error(&error, &ServerName::default())
    }
}

/// Classifies a failed request.
#[must_use]
#[expect(clippy::wildcard_enum_match_arm, reason = "the client's other errors are of this program's making")]
pub fn classify_error(error: &kube::Error, server: &ServerName) -> ClusterError {
    if let Some(error) = CredentialError::find(error) {
        let message = error.to_string();
        return match error {
            CredentialError::Failed(_) => ClusterError::Unauthorized(message),
            CredentialError::Awaited(_) => {
                ClusterError::Transient { message, retry_after: None, origin: ErrorOrigin::Connection }
            }
        };
    }
    if let Some(anomaly) = find_cause::<InvalidResponse>(error) {
        return match anomaly {
            InvalidResponse::Timeout(limit) => timed_out(*limit, server),
            InvalidResponse::NotApiServer { code, said } => not_api_server(*code, said, server),
        };
    }
    match error {
        kube::Error::Api(status) => classify_status(status, server),
        kube::Error::HyperError(_) | kube::Error::Service(_) => classify_connection(error, server),
        // A truncated body is a broken connection, too.
        kube::Error::ReadEvents(_) | kube::Error::FromUtf8(_) => broken(&chain(error), server),
        kube::Error::SerdeError(parse) if parse.is_eof() => broken(&chain(error), server),
        _ => ClusterError::Other(chain(error)),
    }
}

/// The error for a request that was not answered in time.
#[must_use]
pub fn timed_out(limit: Duration, server: &ServerName) -> ClusterError {
    let message = format!("no answer from {server} within {}s", limit.as_secs());
    ClusterError::Transient { message, retry_after: None, origin: ErrorOrigin::Connection }
}

/// Classifies a failure that the server returned.
fn classify_status(status: &Status, server: &ServerName) -> ClusterError {
    let message = if status.message.is_empty() {
        format!("{server} answered {} {}", status.code, status.reason).trim_end().to_owned()
    } else {
        status.message.clone()
    };
    let with_code = || format!("{} (HTTP {})", first_line(&message), status.code);
    match (status.code, status.reason.as_str()) {
        (404, _) => ClusterError::NotFound(message),
        (409, "AlreadyExists") => ClusterError::AlreadyExists(message),
        (409, _) => ClusterError::Conflict(message),
        (422, _) if status.message.starts_with(PATCH_TEST_FAILED) => ClusterError::Conflict(message),
        (401, _) => ClusterError::Unauthorized(format!(
            "{server} does not accept the credentials: {}",
            first_line(&message)
        )),
        // The rejection of a privilege escalation lists rules line by line.
        (403, _) => ClusterError::Forbidden(message.replace('\n', " ")),
        (400 | 422, _) => ClusterError::Invalid(message),
        (413, _) => ClusterError::Rejected(with_code()),
        (500, _) if message.starts_with(MISSHAPEN) => ClusterError::Invalid(message),
        (500, _) if PERMANENT.iter().any(|cause| message.contains(cause)) => {
            ClusterError::Rejected(with_code())
        }
        (408 | 410 | 429 | 500 | 502..=504, _) => ClusterError::Transient {
            message: with_code(),
            retry_after: status
                .details
                .as_ref()
                .map(|details| u64::from(details.retry_after_seconds))
                .filter(|seconds| *seconds > 0)
                .map(Duration::from_secs),
            origin: ErrorOrigin::Server,
        },
        (500..=599, _) => ClusterError::Rejected(with_code()),
        _ => ClusterError::Other(message),
    }
}

/// The error if something other than an API server answers: a wrong address, or a proxy's own page.
fn not_api_server(code: u16, said: &str, server: &ServerName) -> ClusterError {
    let what = first_line(said);
    let said = if what.is_empty() { String::new() } else { format!(": {what}") };
    let place = match &server.address {
        Some(address) => format!("the server at `{address}`"),
        None => "the server".to_owned(),
    };
    let message = format!("{place} is not an API server: HTTP {code}{said}");
    ClusterError::Misdirected { fault: Fault::NotApiServer, message }
}

/// The first line of a message; the rest of an HTML page or a stack trace is of no use.
fn first_line(message: &str) -> &str {
    let line = message.trim().lines().next().unwrap_or_default();
    if line.starts_with('<') { "an HTML page" } else { line }
}

fn classify_connection(error: &kube::Error, server: &ServerName) -> ClusterError {
    // The outer errors only state that a request failed; the inner ones state why.
    let inner = error.source().unwrap_or(error);
    let message = chain(inner);
    let message = message.strip_prefix("client error (Connect): ").unwrap_or(&message).to_owned();
    let said = |signs: &[&str]| signs.iter().any(|sign| message.to_lowercase().contains(sign));
    // These are about the proxy, whatever else they contain.
    if said(&["tunnel error", "socks error"]) {
        // Before the first connection, these are permanent.
        if said(&["dns error", "failed to lookup", "certificate", "authorization required"]) {
            let message = format!("{} of {server} cannot be used: {message}", server.proxy());
            return ClusterError::Misdirected { fault: Fault::Proxy, message };
        }
        let message = format!("no connection to {server} through {}: {message}", server.proxy());
        return ClusterError::Transient { message, retry_after: None, origin: ErrorOrigin::Connection };
    }
    // A TLS alert from the server is about the client's certificate; the client itself verifies the server's.
    if said(&["received fatal alert"]) && said(&["certificate", "unknownca"]) {
        let message = format!("{server} does not accept the client certificate: {message}");
        return ClusterError::Unauthorized(message);
    }
    // Before the first connection, retrying does not help with a bad certificate or an unknown host.
    if said(&["dns error", "failed to lookup"]) {
        let message = format!("the host of {server} cannot be found: {message}");
        return ClusterError::Misdirected { fault: Fault::UnknownHost, message };
    }
    if said(&["certificate", "invalid peer"]) {
        let message = format!("{server} cannot be trusted: {message}");
        return ClusterError::Misdirected { fault: Fault::Untrusted, message };
    }
    broken(&message, server)
}

fn broken(message: &str, server: &ServerName) -> ClusterError {
    let message = format!("no connection to {server}: {message}");
    ClusterError::Transient { message, retry_after: None, origin: ErrorOrigin::Connection }
}

/// The first error of a type in a chain.
fn find_cause<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// An error with its causes, without repetitions.
fn chain(error: &dyn Error) -> String {
    let mut parts: Vec<String> = vec![error.to_string()];
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
        source = cause.source();
    }
    parts.join(": ")
}

#[cfg(test)]
mod tests;
