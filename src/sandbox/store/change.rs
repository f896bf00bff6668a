//! Accepted changes, which the store records for watches and tests.

use jiff::Timestamp;
use serde_json::Value;
use std::sync::Arc;

use crate::sandbox::fault::Verb;
use crate::sandbox::object::key::Key;

/// Who made a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Actor {
    /// A client, by a request.
    #[default]
    Client,
    /// A controller, the kubelet or the garbage collector.
    Controller,
}

/// One accepted change.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// When it was accepted.
    pub at: Timestamp,
    /// Who made it.
    pub actor: Actor,
    /// The `User-Agent` of the request; `None` if it had none, or no request made the change.
    pub user_agent: Option<Arc<str>>,
    /// The verb.
    pub verb: Verb,
    /// The plural name of the resource.
    pub kind: String,
    /// The object's name.
    pub name: String,
    /// The object before; `None` if it was created.
    pub before: Option<Arc<Value>>,
    /// The object after; `None` if it was removed.
    pub after: Option<Arc<Value>>,
}

/// An accepted change with its resource version.
#[derive(Debug, Clone)]
pub(crate) struct ChangeRecord {
    pub(crate) version: u64,
    pub(crate) at: Timestamp,
    pub(crate) key: Key,
    pub(crate) actor: Actor,
    pub(crate) user_agent: Option<Arc<str>>,
    pub(crate) verb: Verb,
    pub(crate) before: Option<Arc<Value>>,
    pub(crate) after: Option<Arc<Value>>,
}

impl From<ChangeRecord> for Change {
    fn from(change: ChangeRecord) -> Self {
        let ChangeRecord { version: _, at, key, actor, user_agent, verb, before, after } = change;
        let (kind, name) = (key.kind.plural.to_owned(), key.name);
        Self { at, actor, user_agent, verb, kind, name, before, after }
    }
}
