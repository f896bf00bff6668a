//! What a request can come back with, sorted by what to do about it.

use std::time::Duration;

use thiserror::Error;

use crate::cluster::classify::{ServerName, classify_error};

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
    /// The server rejects the object as invalid (400, 422).
    #[error("{0}")]
    Invalid(String),
    /// The server cannot take the request, now or later, such as an object that its storage finds too large.
    #[error("{0}")]
    Rejected(String),
    /// No API server was reached, and asking again does not help, unless there has been a connection before.
    #[error("{message}")]
    Misdirected {
        /// What is wrong.
        fault: Fault,
        /// What went wrong.
        message: String,
    },
    /// Worth another try: overload, a broken connection, a server that is away. The request may have
    /// been applied.
    #[error("{message}")]
    Transient {
        /// What went wrong.
        message: String,
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
        /// Where it went wrong.
        origin: ErrorOrigin,
    },
    /// Retries have used up their budget.
    #[error("the API server did not answer properly for {}s; the last answer: {message}", spent.as_secs())]
    Exhausted {
        /// The last error.
        message: String,
        /// For how long every try has failed.
        spent: Duration,
        /// Where the last one went wrong.
        origin: ErrorOrigin,
    },
    /// The user asked to stop while another try was due.
    #[error("interrupted while the API server did not answer")]
    Stopped,
    /// Anything else, final.
    #[error("{0}")]
    Other(String),
}

/// Where a request went wrong that is worth another try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorOrigin {
    /// The server answered so.
    Server,
    /// It was not reached, or the connection broke before its answer.
    Connection,
}

/// What keeps an API server from being reached, but for an outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// There is no host of that name.
    UnknownHost,
    /// Its certificate is not one to trust.
    Untrusted,
    /// Something else answers there.
    NotApiServer,
    /// The proxy on the way to it cannot be used.
    Proxy,
}

/// The longest `Retry-After` that is honoured; a busy API server asks for 32 s at most.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

/// Where the address is likely to be wrong.
const CHECK_ADDRESS: &str = "check the address in the kubeconfig: `kubectl cluster-info`";

impl ClusterError {
    /// An error of the server that another try may cure, without a delay asked for.
    #[must_use]
    pub fn transient(message: impl Into<String>) -> Self {
        Self::Transient { message: message.into(), retry_after: None, origin: ErrorOrigin::Server }
    }

    /// Whether the namespace of a new object does not exist.
    #[must_use]
    pub fn is_missing_namespace(&self) -> bool {
        matches!(self, Self::NotFound(message) if message.starts_with("namespaces "))
    }

    /// Whether another try may succeed.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Transient { .. })
    }

    /// How long the server asks to wait, as far as that is honoured.
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
            | Self::Stopped
            | Self::Other(_) => Duration::ZERO,
        }
    }

    /// This error as the last of tries that all failed for `spent`. Expired credentials stay what they are, since their
    /// own hint helps.
    #[must_use]
    pub fn exhausted(&self, spent: Duration) -> Self {
        if matches!(self, Self::Unauthorized(_)) {
            return self.clone();
        }
        Self::Exhausted { message: self.to_string(), spent, origin: self.origin() }
    }

    /// Where it went wrong.
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
            | Self::Stopped
            | Self::Other(_) => ErrorOrigin::Server,
        }
    }

    /// What to do next, where the kind of error alone says that. What is forbidden may have many reasons.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Unauthorized(_) => Some("check the credentials in the kubeconfig: `kubectl auth whoami`"),
            Self::Exhausted { origin: ErrorOrigin::Connection, .. } => Some(CHECK_ADDRESS),
            Self::Misdirected { fault, .. } => Some(match fault {
                Fault::UnknownHost | Fault::NotApiServer => CHECK_ADDRESS,
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
            | Self::Exhausted { origin: ErrorOrigin::Server, .. }
            | Self::Stopped
            | Self::Other(_) => None,
        }
    }
}

impl From<kube::Error> for ClusterError {
    fn from(error: kube::Error) -> Self {
        classify_error(&error, &ServerName::default())
    }
}
