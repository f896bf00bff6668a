//! Faults: what a test may do to the requests of one client.
//!
//! A fault sees each request before the sandbox does and says what becomes of it. It must not know the
//! sandbox's state.

use bytes::Bytes;
use serde_json::Value;

/// Decides what becomes of each request of a client.
pub trait Fault: Send + Sync + 'static {
    /// Called once per request, in the order in which requests arrive.
    fn decide(&self, request: &Seen) -> Verdict;
}

/// A request as a fault sees it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// How many requests the client made before.
    pub index: usize,
    /// What is asked.
    pub verb: Verb,
    /// The plural name of the resource, with its subresource: `deployments`, `pods/log`. Empty for discovery.
    pub kind: String,
    /// The object, unless the request is about many, or the name of an object to be made.
    pub name: Option<String>,
    /// The path and the query.
    pub path: String,
    /// The body, where it is JSON.
    pub body: Option<Value>,
}

/// What a request, or a change, does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verb {
    /// Reads one object.
    #[default]
    Get,
    /// Reads many objects.
    List,
    /// Follows changes.
    Watch,
    /// Makes an object.
    Create,
    /// Replaces an object.
    Update,
    /// Changes parts of an object.
    Patch,
    /// Removes an object.
    Delete,
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Verdict {
    /// It is served.
    Pass,
    /// It is answered so and never served.
    Answer(http::Response<Bytes>),
    /// It is served, but answered so.
    AnswerAfterApplying(http::Response<Bytes>),
    /// The connection breaks before it is served.
    Reset,
    /// It is served, and the connection breaks before the answer.
    ResetAfterApplying,
    /// Nothing ever happens.
    Hang,
    /// It is served, and no answer ever comes.
    HangAfterApplying,
    /// It is served, and the watch misbehaves. Other requests are served as usual.
    Watch(WatchFault),
}

/// How a watch misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchFault {
    /// It ends after so many events.
    CloseAfter(usize),
    /// It says that its history is gone after so many events, and ends.
    GoneAfter(usize),
    /// It is refused because its history is gone.
    GoneAsStatus,
    /// It stays open and never says anything.
    Silent,
    /// It says everything twice.
    DuplicateEach,
}
