//! The errors of requests, classified by how to handle them.

use std::time::Duration;

use thiserror::Error;

/// A failed request.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ClusterError {
    /// The object does not exist (404).
    #[error("{0}")]
    NotFound(String),
    /// An object of that name already exists (409).
    #[error("{0}")]
    AlreadyExists(String),
    /// A precondition did not hold (409, or 422 of a JSON Patch `test`).
    #[error("{0}")]
    Conflict(String),
    /// The request is forbidden, by authorisation or admission (403).
    #[error("{0}")]
    Forbidden(String),
    /// The credentials are not accepted (401).
    #[error("{0}")]
    Unauthorized(String),
    /// The server rejects the object as invalid (400, 422).
    #[error("{0}")]
    Invalid(String),
    /// The server rejects the request permanently, for example because the object is too large for its storage.
    #[error("{0}")]
    Rejected(String),
    /// No API server was reached, and retrying does not help, unless there has been a connection before.
    #[error("{message}")]
    Misdirected {
        /// What is misconfigured.
        fault: Fault,
        /// The message.
        message: String,
    },
    /// Worth retrying: overload, a broken connection, a server that is down. The request may have been applied.
    #[error("{message}")]
    Transient {
        /// The message.
        message: String,
        /// How long the server requests to wait.
        retry_after: Option<Duration>,
        /// Where the request failed.
        origin: ErrorOrigin,
    },
    /// Retries have used up their budget.
    #[error("{}", exhausted_message(message, *spent))]
    Exhausted {
        /// The last error.
        message: String,
        /// How long every attempt has failed.
        spent: Duration,
        /// Where the last request failed.
        origin: ErrorOrigin,
    },
    /// The user interrupted the process before a failed request, with this message, was retried.
    #[error("interrupted before a failed request was retried: {0}")]
    Stopped(String),
    /// Any other error, which is final.
    #[error("{0}")]
    Other(String),
}

/// Where a request that is worth retrying failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorOrigin {
    /// The server returned the error.
    Server,
    /// The server was not reached, or the connection broke before it answered.
    Connection,
}

/// Why an API server cannot be reached, apart from an outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The host name does not exist.
    UnknownHost,
    /// The server's certificate is not trusted.
    Untrusted,
    /// Something other than an API server answers.
    NotApiServer,
    /// The proxy cannot be used.
    Proxy,
}

/// The longest `Retry-After` that is honoured; a busy API server requests at most 32 s.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

/// Part of the API server's rejection of an object in a namespace that is terminating.
const NAMESPACE_TERMINATING: &str = "because it is being terminated";

/// Part of the API server's error if it cannot call a webhook; the name of the webhook in quotes follows.
const WEBHOOK_FAILED: &str = "failed calling webhook \"";

/// The hint if the API server cannot call a webhook.
const CHECK_WEBHOOK: &str = "check that the pods of the webhook run: `kubectl get \
                             validatingwebhookconfigurations,mutatingwebhookconfigurations -o yaml` names its Service";

/// The TLS library's error for a server whose certificate is that of a certificate authority.
const IS_AUTHORITY: &str = "CaUsedAsEndEntity";

/// The hint if the address is likely to be wrong.
const CHECK_ADDRESS: &str = "check the address in the kubeconfig: `kubectl cluster-info`";

impl ClusterError {
    /// A transient error of the server, without a requested delay.
    #[must_use]
    pub fn transient(message: impl Into<String>) -> Self {
        Self::Transient { message: message.into(), retry_after: None, origin: ErrorOrigin::Server }
    }

    /// Whether the namespace of a new object does not exist.
    #[must_use]
    pub fn is_missing_namespace(&self) -> bool {
        matches!(self, Self::NotFound(message) if message.starts_with("namespaces "))
    }

    /// Whether nothing can be created in the namespace, because it does not exist or is being deleted.
    #[must_use]
    pub fn is_lost_namespace(&self) -> bool {
        self.is_missing_namespace()
            || matches!(self, Self::Forbidden(message) if message.contains(NAMESPACE_TERMINATING))
    }

    /// Whether the message names this namespace.
    #[must_use]
    pub fn names_namespace(&self, namespace: &str) -> bool {
        let text = self.to_string();
        text.contains(&format!("\"{namespace}\"")) || text.contains(&format!(" namespace {namespace} "))
    }

    /// Whether the API server could not call a webhook.
    #[must_use]
    pub fn is_failed_webhook(&self) -> bool {
        matches!(self, Self::Transient { message, .. } if failed_webhook(message).is_some())
    }

    /// Whether a retry may succeed.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Transient { .. })
    }

    /// How long the server requests to wait, up to the limit that is honoured.
    #[must_use]
    pub fn retry_after(&self) -> Duration {
        match self {
            Self::Transient { retry_after, .. } => retry_after.unwrap_or_default().min(MAX_RETRY_AFTER),
            Self::NotFound(_)
            | Self::AlreadyExists(_)
            | Self::Conflict(_)
            | Self::Forbidden(_)
            | Self::Unauthorized(_)
            | Self::Invalid(_)
            | Self::Rejected(_)
            | Self::Misdirected { .. }
            | Self::Exhausted { .. }
            | Self::Stopped(_)
            | Self::Other(_) => Duration::ZERO,
        }
    }

    /// The error after all attempts have failed for `spent`, with this one the last. Expired credentials are returned
    /// as they are, since they have their own hint.
    #[must_use]
    pub fn exhausted(&self, spent: Duration) -> Self {
        if matches!(self, Self::Unauthorized(_)) {
            return self.clone();
        }
        Self::Exhausted { message: self.to_string(), spent, origin: self.origin() }
    }

    /// Where the request failed.
    #[must_use]
    pub fn origin(&self) -> ErrorOrigin {
        match self {
            Self::Transient { origin, .. } | Self::Exhausted { origin, .. } => *origin,
            Self::Misdirected { .. } => ErrorOrigin::Connection,
            Self::NotFound(_)
            | Self::AlreadyExists(_)
            | Self::Conflict(_)
            | Self::Forbidden(_)
            | Self::Unauthorized(_)
            | Self::Invalid(_)
            | Self::Rejected(_)
            | Self::Stopped(_)
            | Self::Other(_) => ErrorOrigin::Server,
        }
    }

    /// What to do next, if that follows from the kind of error alone. A forbidden request may have many reasons.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Unauthorized(_) => Some("check the credentials in the kubeconfig: `kubectl auth whoami`"),
            Self::Exhausted { origin: ErrorOrigin::Connection, .. } => Some(CHECK_ADDRESS),
            Self::Exhausted { message, .. } => failed_webhook(message).and(Some(CHECK_WEBHOOK)),
            Self::Misdirected { fault, message } => Some(match fault {
                Fault::UnknownHost | Fault::NotApiServer => CHECK_ADDRESS,
                Fault::Untrusted if message.contains(IS_AUTHORITY) => {
                    "issue a certificate for the server without `CA:TRUE`, which only a certificate authority may have"
                }
                Fault::Untrusted => {
                    "check `certificate-authority` and `tls-server-name` of the cluster in the kubeconfig"
                }
                Fault::Proxy => {
                    "check `proxy-url` of the cluster in the kubeconfig, or the variables `HTTPS_PROXY` and `HTTP_PROXY`"
                }
            }),
            Self::NotFound(_)
            | Self::AlreadyExists(_)
            | Self::Conflict(_)
            | Self::Forbidden(_)
            | Self::Invalid(_)
            | Self::Rejected(_)
            | Self::Transient { .. }
            | Self::Stopped(_)
            | Self::Other(_) => None,
        }
    }
}

/// The name of the webhook that the API server could not call, and why.
fn failed_webhook(message: &str) -> Option<(&str, &str)> {
    let (name, cause) = message.split_once(WEBHOOK_FAILED)?.1.split_once('"')?;
    Some((name, cause.trim_start_matches(": ")))
}

fn exhausted_message(message: &str, spent: Duration) -> String {
    let spent = spent.as_secs();
    match failed_webhook(message) {
        Some((name, cause)) => format!("webhook `{name}` could not be called for {spent}s: {cause}"),
        None => format!("the API server did not answer properly for {spent}s; the last answer: {message}"),
    }
}
