//! What a request can come back with, sorted by what to do about it.

use std::time::Duration;

use kube::client::AuthError;
use thiserror::Error;

/// A failed request.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ClusterError {
    /// The object does not exist (404).
    #[error("{0}")]
    NotFound(String),
    /// An object of that name exists already (409).
    #[error("{0}")]
    AlreadyExists(String),
    /// A precondition did not hold (409, or 422 of a JSON Patch `test`).
    #[error("{0}")]
    Conflict(String),
    /// The request is refused for lack of rights (403).
    #[error("{0}")]
    Forbidden(String),
    /// The credentials are not accepted (401).
    #[error("{0}")]
    Unauthorized(String),
    /// The server finds the object wrong (400, 422).
    #[error("{0}")]
    Invalid(String),
    /// Worth another try: overload, a broken connection, a server that is away. The request may have
    /// been applied.
    #[error("{message}")]
    Transient {
        /// What went wrong.
        message: String,
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
    },
    /// Retries have used up their budget.
    #[error("the API server did not answer properly for {}s; the last answer: {message}", spent.as_secs())]
    Exhausted {
        /// The last error.
        message: String,
        /// For how long every try has failed.
        spent: Duration,
    },
    /// The user asked to stop while another try was due.
    #[error("stopped as asked, while the API server did not answer")]
    Stopped,
    /// Anything else, final.
    #[error("{0}")]
    Other(String),
}

/// What the API server says to a JSON Patch whose `test` failed; it names no field.
const PATCH_TEST_FAILED: &str = "the server rejected our request due to an error in our request";

impl ClusterError {
    /// An error that another try may cure, without a delay asked for.
    #[must_use]
    pub fn transient(message: impl Into<String>) -> Self {
        Self::Transient { message: message.into(), retry_after: None }
    }

    /// Whether another try may succeed.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Transient { .. })
    }
}

impl From<kube::Error> for ClusterError {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::from(*status),
            kube::Error::HyperError(_) | kube::Error::Service(_) | kube::Error::ReadEvents(_) => {
                connection(&error)
            }
            // What a credential plugin printed, and what it was given, may hold a token.
            kube::Error::Auth(AuthError::AuthExecRun { out, .. }) => {
                Self::Unauthorized(format!("the credential plugin failed with {}", out.status))
            }
            kube::Error::Auth(AuthError::AuthExecParse(_)) => {
                Self::Unauthorized("the credential plugin's answer cannot be read".to_owned())
            }
            kube::Error::Auth(_) => Self::Unauthorized(chain(&error)),
            // A body cut off in the middle is a broken connection too.
            kube::Error::SerdeError(ref parse) if parse.is_eof() => Self::transient(chain(&error)),
            kube::Error::FromUtf8(_) => Self::transient(chain(&error)),
            _ => Self::Other(chain(&error)),
        }
    }
}

impl From<kube::core::Status> for ClusterError {
    fn from(status: kube::core::Status) -> Self {
        let message = if status.message.is_empty() {
            format!("the API server answered {} {}", status.code, status.reason)
        } else {
            status.message.clone()
        };
        match (status.code, status.reason.as_str()) {
            (404, _) => Self::NotFound(message),
            (409, "AlreadyExists") => Self::AlreadyExists(message),
            (409, _) => Self::Conflict(message),
            (422, _) if status.message.starts_with(PATCH_TEST_FAILED) => Self::Conflict(message),
            (401, _) => Self::Unauthorized(message),
            (403, _) => Self::Forbidden(message),
            (400 | 422, _) => Self::Invalid(message),
            (410, _) | (408 | 429 | 500..=599, _) => Self::Transient {
                message: format!("{} (HTTP {})", first_line(&message), status.code),
                retry_after: status
                    .details
                    .map(|details| u64::from(details.retry_after_seconds))
                    .filter(|seconds| *seconds > 0)
                    .map(Duration::from_secs),
            },
            _ => Self::Other(message),
        }
    }
}

/// An HTML page or a stack trace says nothing beyond its first line.
fn first_line(message: &str) -> &str {
    let line = message.trim().lines().next().unwrap_or_default();
    if line.starts_with('<') { "an answer that is not from an API server" } else { line }
}

fn connection(error: &kube::Error) -> ClusterError {
    // The outer layers only say that a request failed; what failed is said by those below.
    let inner = std::error::Error::source(error).unwrap_or(error);
    let message = chain(inner);
    let message = message.strip_prefix("client error (Connect): ").unwrap_or(&message).to_owned();
    // A bad certificate or an unknown host does not get better by asking again.
    let is_final = ["certificate", "dns error", "failed to lookup", "invalid peer"]
        .iter()
        .any(|sign| message.to_lowercase().contains(sign));
    if is_final { ClusterError::Other(message) } else { ClusterError::transient(message) }
}

/// An error with its causes, each said once.
fn chain(error: &dyn std::error::Error) -> String {
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
mod tests {
    use super::*;

    fn status(code: u16, reason: &str, message: &str) -> ClusterError {
        ClusterError::from(kube::core::Status::failure(message, reason).with_code(code))
    }

    #[test]
    fn each_answer_has_its_kind() {
        assert!(matches!(status(404, "NotFound", "gone"), ClusterError::NotFound(_)));
        assert!(matches!(status(409, "AlreadyExists", "there"), ClusterError::AlreadyExists(_)));
        assert!(matches!(status(409, "Conflict", "moved"), ClusterError::Conflict(_)));
        assert!(matches!(status(422, "Invalid", PATCH_TEST_FAILED), ClusterError::Conflict(_)));
        assert!(matches!(status(422, "Invalid", "spec.replicas"), ClusterError::Invalid(_)));
        assert!(matches!(status(403, "Forbidden", "no"), ClusterError::Forbidden(_)));
        assert!(status(503, "", "<html>busy</html>").is_transient());
        assert!(status(429, "TooManyRequests", "slow down").is_transient());
    }

    #[test]
    fn a_page_of_html_is_not_repeated() {
        let error = status(503, "", "<html>\n<body>sorry</body>");
        assert_eq!(error.to_string(), "an answer that is not from an API server (HTTP 503)");
    }
}
