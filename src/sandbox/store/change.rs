//! Accepted changes, as the store records them and as tests read them.

use serde_json::Value;
use std::sync::Arc;

use crate::sandbox::fault::Verb;
use crate::sandbox::object::key::Key;

/// On whose behalf a change was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Actor {
    /// A client asked for it.
    #[default]
    Client,
    /// A controller, the kubelet or the garbage collector made it.
    Controller,
}

/// One accepted change.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// On whose behalf.
    pub actor: Actor,
    /// What was done.
    pub verb: Verb,
    /// The plural name of the resource.
    pub kind: String,
    /// The object's name.
    pub name: String,
    /// The object before, unless it was made.
    pub before: Option<Arc<Value>>,
    /// The object after, unless it is gone.
    pub after: Option<Arc<Value>>,
}

/// An accepted change with the version that it got.
#[derive(Debug, Clone)]
pub(crate) struct ChangeRecord {
    pub(crate) version: u64,
    pub(crate) key: Key,
    pub(crate) actor: Actor,
    pub(crate) verb: Verb,
    pub(crate) before: Option<Arc<Value>>,
    pub(crate) after: Option<Arc<Value>>,
}

impl From<ChangeRecord> for Change {
    fn from(change: ChangeRecord) -> Self {
        let ChangeRecord { version: _, key, actor, verb, before, after } = change;
        Self { actor, verb, kind: key.kind.plural.to_owned(), name: key.name, before, after }
    }
}
