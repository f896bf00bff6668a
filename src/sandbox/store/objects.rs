//! Every object, the counters, and the work queue.
//!
//! The store assigns resource versions, UIDs and generated names, and records each change for watches, history and
//! controllers. It must not know rules about objects, requests or files.

use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::sandbox::fault::Verb;
use crate::sandbox::object::hash::NAME_ALPHABET;
use crate::sandbox::object::key::Key;
use crate::sandbox::object::kind::{Kind, Origin};
use crate::sandbox::object::meta;
use crate::sandbox::object::selector::Selector;
use crate::sandbox::object::status_error::StatusError;
use crate::sandbox::rules::Rule;
use crate::sandbox::store::change::Actor;
use crate::sandbox::store::change::ChangeRecord;
use crate::sandbox::store::managed_fields::Writer;
use crate::sandbox::store::queue::WorkQueue;
use crate::sandbox::validation::registry::{self, defined};

/// The number of deletions that are remembered with their versions, so that a process that reloads the file can publish
/// them to its watches.
const REMEMBERED_DELETIONS: usize = 500;

/// Everything that the file stores, and the running transaction.
#[derive(Debug, Default)]
pub(crate) struct Store {
    objects: BTreeMap<Key, Arc<Value>>,
    by_uid: HashMap<String, Key>,
    owned: HashMap<String, BTreeSet<Key>>,
    /// The objects that no other controls.
    uncontrolled: BTreeSet<Key>,
    /// The last resource version. One counter for all kinds, as in etcd.
    pub(crate) version: u64,
    /// How many UIDs and generated names were issued.
    pub(crate) issued: u64,
    /// How many UIDs and generated names were issued in dry runs.
    dry_run_issued: u64,
    pub(crate) queue: WorkQueue,
    /// When pods were created or last got another image, to the millisecond, by UID: `creationTimestamp` has whole
    /// seconds.
    pub(crate) pod_starts: BTreeMap<String, Timestamp>,
    pub(crate) rules: Vec<Rule>,
    /// API groups that are not installed.
    pub(crate) missing_groups: BTreeSet<String>,
    pub(crate) deletions: BTreeMap<u64, Key>,
    pub(crate) changes: Vec<ChangeRecord>,
    /// How many of them were delivered to the controllers.
    pub(crate) delivered: usize,
    /// The time of the running transaction, or of the work item that runs.
    pub(crate) now: Timestamp,
    /// The time up to which work runs: work between `now` and this was due while no process ran.
    pub(crate) horizon: Timestamp,
    /// Whether something besides objects and the queue changed and must be saved.
    pub(crate) dirty: bool,
    /// The `Warning` headers of the response.
    pub(crate) warnings: Vec<String>,
    /// The actor, and the program and the verb of the request.
    pub(crate) actor: Actor,
    pub(crate) user_agent: Option<Arc<str>>,
    pub(crate) verb: Verb,
    /// The manager that the running write is recorded for; none if its object already has all entries.
    pub(crate) writer: Option<Writer>,
}

/// The version of an empty cluster. A list must not return zero, which means "any" to a watch.
const FIRST_VERSION: u64 = 1;

impl Store {
    pub(crate) fn empty() -> Self {
        Self { version: FIRST_VERSION, ..Self::default() }
    }

    pub(crate) fn with_rules(mut self, rules: Vec<Rule>) -> Self {
        self.rules = rules;
        self
    }

    pub(crate) fn object(&self, key: &Key) -> Option<&Arc<Value>> {
        self.objects.get(key)
    }

    /// The object, or 404.
    pub(crate) fn require(&self, key: &Key) -> Result<Arc<Value>, StatusError> {
        self.object(key).cloned().ok_or_else(|| StatusError::not_found(key.kind, &key.name))
    }

    pub(crate) fn objects(&self) -> impl Iterator<Item = (&Key, &Arc<Value>)> {
        self.objects.iter()
    }

    /// Whether the kind is served: its group is installed, and its definition, if it has one, is established.
    pub(crate) fn serves(&self, kind: Kind) -> bool {
        if kind.origin != Origin::Defined {
            return !self.missing_groups.contains(kind.group);
        }
        let definition = self.object(&definition_of(kind));
        definition.is_some_and(|definition| defined::serves(definition, kind))
    }

    /// The objects of one kind, in one namespace or in all.
    pub(crate) fn of_kind<'a>(
        &'a self,
        kind: Kind,
        namespace: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a Key, &'a Arc<Value>)> {
        self.objects
            .range(Key::new(kind, namespace.unwrap_or_default(), "")..)
            .take_while(move |(key, _)| key.kind == kind && namespace.is_none_or(|n| n == key.namespace))
    }

    /// The objects of one kind in a namespace that a selector matches.
    pub(crate) fn selected<'a>(
        &'a self,
        kind: Kind,
        namespace: &'a str,
        selector: &'a Selector,
    ) -> impl Iterator<Item = (&'a Key, &'a Arc<Value>)> {
        self.of_kind(kind, Some(namespace)).filter(|(_, object)| selector.matches(meta::labels(object)))
    }

    /// The objects of one kind in a namespace that no other object controls, and that a selector matches.
    pub(crate) fn orphans<'a>(
        &'a self,
        kind: Kind,
        namespace: &'a str,
        selector: &'a Selector,
    ) -> impl Iterator<Item = (&'a Key, &'a Arc<Value>)> {
        let orphans = self.uncontrolled.range(Key::new(kind, namespace, "")..);
        let orphans = orphans.take_while(move |key| key.kind == kind && key.namespace == namespace);
        let objects = orphans.filter_map(|key| self.objects.get_key_value(key));
        objects.filter(|(_, object)| selector.matches(meta::labels(object)))
    }

    /// The objects that name the owner with this UID.
    pub(crate) fn owned_by(&self, uid: &str) -> impl Iterator<Item = (&Key, &Arc<Value>)> {
        self.owned.get(uid).into_iter().flatten().filter_map(|key| self.objects.get_key_value(key))
    }

    /// The key of the object with this UID.
    pub(crate) fn with_uid(&self, uid: &str) -> Option<&Key> {
        self.by_uid.get(uid)
    }

    /// Stores an object under the next resource version.
    pub(crate) fn put(&mut self, key: Key, mut object: Value) -> Arc<Value> {
        self.version += 1;
        meta::metadata(&mut object).insert("resourceVersion".to_owned(), json!(self.version.to_string()));
        let object = Arc::new(object);
        let before = self.replace(key.clone(), Some(Arc::clone(&object)));
        self.record_change(key, before, Some(Arc::clone(&object)));
        object
    }

    /// Removes an object; its last state carries the resource version of the removal.
    pub(crate) fn remove(&mut self, key: &Key) -> Option<Arc<Value>> {
        let before = Arc::clone(self.objects.get(key)?);
        self.version += 1;
        self.note_removal(self.version, key);
        self.replace(key.clone(), None);
        self.record_change(key.clone(), Some(Arc::clone(&before)), None);
        Some(before)
    }

    /// Records the version of a removal, before the object is removed.
    pub(crate) fn note_removal(&mut self, version: u64, key: &Key) {
        if let Some(object) = self.objects.get(key) {
            self.pod_starts.remove(meta::uid(object));
        }
        self.deletions.insert(version, key.clone());
        while self.deletions.len() > REMEMBERED_DELETIONS {
            self.deletions.pop_first();
        }
    }

    /// Puts or removes an object and updates the indexes, without recording a change.
    pub(crate) fn replace(&mut self, key: Key, object: Option<Arc<Value>>) -> Option<Arc<Value>> {
        if let Some(before) = self.objects.get(&key) {
            self.by_uid.remove(meta::uid(before));
            for owner in meta::owners(before) {
                if let Some(keys) = self.owned.get_mut(meta::text(owner, "/uid")) {
                    keys.remove(&key);
                }
            }
        }
        let Some(object) = object else {
            self.uncontrolled.remove(&key);
            return self.objects.remove(&key);
        };
        if key.kind.is("customresourcedefinitions") {
            defined::add(&object);
        }
        match meta::controller(&object) {
            None => self.uncontrolled.insert(key.clone()),
            Some(_) => self.uncontrolled.remove(&key),
        };
        self.by_uid.insert(meta::uid(&object).to_owned(), key.clone());
        for owner in meta::owners(&object) {
            self.owned.entry(meta::text(owner, "/uid").to_owned()).or_default().insert(key.clone());
        }
        self.objects.insert(key, object)
    }

    fn record_change(&mut self, key: Key, before: Option<Arc<Value>>, after: Option<Arc<Value>>) {
        let (version, actor) = (self.version, self.actor);
        let verb = match (actor, &before, &after) {
            (Actor::Client, _, _) => self.verb,
            (Actor::Controller, None, _) => Verb::Create,
            (Actor::Controller, Some(_), Some(_)) => Verb::Update,
            (Actor::Controller, Some(_), None) => Verb::Delete,
        };
        let user_agent = match actor {
            Actor::Client => self.user_agent.clone(),
            Actor::Controller => None,
        };
        let at = self.now;
        self.changes.push(ChangeRecord { version, at, key, actor, user_agent, verb, before, after });
    }

    /// The next UID: it looks random, and is the same in every run.
    pub(crate) fn issue_uid(&mut self) -> String {
        let high = self.issue();
        let low = scramble(high);
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            0x8000 | (low >> 48) & 0x3fff,
            low & 0xffff_ffff_ffff,
        )
    }

    /// The next suffix of a generated name: five characters, as in Kubernetes.
    pub(crate) fn issue_suffix(&mut self) -> String {
        let mut number = self.issue();
        let mut suffix = String::new();
        for _ in 0..5 {
            suffix.push(NAME_ALPHABET[(number % NAME_ALPHABET.len() as u64) as usize] as char);
            number /= NAME_ALPHABET.len() as u64;
        }
        suffix
    }

    /// Runs a dry run with UIDs and names of its own, so that it does not change those of later objects.
    pub(crate) fn in_dry_run<T>(&mut self, attempt: impl FnOnce(&mut Self) -> T) -> T {
        let issued = std::mem::replace(&mut self.issued, DRY_RUN_OFFSET + self.dry_run_issued);
        let outcome = attempt(self);
        self.dry_run_issued = std::mem::replace(&mut self.issued, issued) - DRY_RUN_OFFSET;
        outcome
    }

    fn issue(&mut self) -> u64 {
        self.issued += 1;
        scramble(self.issued)
    }
}

/// The key of the definition of a kind.
pub(crate) fn definition_of(kind: Kind) -> Key {
    Key::new(registry::kind("customresourcedefinitions"), "", &kind.resource())
}

/// The first number of dry runs: no sandbox issues as many other numbers.
const DRY_RUN_OFFSET: u64 = 1 << 62;

/// Spreads neighbouring numbers over all of `u64` (the finaliser of splitmix64).
fn scramble(number: u64) -> u64 {
    let mut z = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
