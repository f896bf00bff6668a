//! Faults that a test injects into the requests of one client.
//!
//! A fault receives each request before the sandbox and decides whether it is served, lost or answered with an error.
//! It must not know the sandbox's state.

use bytes::Bytes;
use serde_json::Value;

/// Decides about each request of a client.
pub trait Fault: Send + Sync + 'static {
    /// Called once per request, in the order in which requests arrive.
    fn decide(&self, request: &RequestInfo) -> Verdict;
}

/// The parts of a request that a fault receives.
#[derive(Debug, Clone)]
pub struct RequestInfo {
    /// How many requests the client sent before this one.
    pub index: usize,
    /// The verb.
    pub verb: Verb,
    /// The plural name of the resource, with its subresource: `deployments`, `pods/log`. Empty for discovery.
    pub kind: String,
    /// The object's name, from the body of a create; `None` for a collection.
    pub name: Option<String>,
    /// The path and the query.
    pub path: String,
    /// The body, if it is JSON.
    pub body: Option<Value>,
}

/// The verb of a request or a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verb {
    /// Reads one object.
    #[default]
    Get,
    /// Reads many objects.
    List,
    /// Follows changes.
    Watch,
    /// Creates an object.
    Create,
    /// Replaces an object.
    Update,
    /// Changes parts of an object.
    Patch,
    /// Removes an object.
    Delete,
}

/// What happens to a request.
#[derive(Debug)]
pub enum Verdict {
    /// It is served.
    Pass,
    /// It gets this response and is not served.
    Answer(http::Response<Bytes>),
    /// It is served, but gets this response.
    AnswerAfterApplying(http::Response<Bytes>),
    /// The connection is reset before it is served.
    Reset,
    /// It is served, and the connection is reset before the response.
    ResetAfterApplying,
    /// It is neither served nor answered.
    Hang,
    /// It is served and never answered.
    HangAfterApplying,
    /// It is served, and the watch misbehaves. Other requests are served as usual.
    Watch(WatchFault),
}

/// How a watch misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchFault {
    /// It closes after this many events.
    CloseAfter(usize),
    /// It reports 410 Gone as an event after this many events, and closes.
    GoneAfter(usize),
    /// It is rejected with status 410 Gone.
    GoneAsStatus,
    /// It stays open and sends nothing.
    Silent,
    /// It sends every event twice.
    DuplicateEach,
}
