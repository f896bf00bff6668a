//! The state that all clients of a sandbox share, and the only way to access it: a transaction.
//!
//! A transaction takes the lock, loads the writes of other processes, runs all controllers that are due, executes the
//! caller's operation, saves the result to the file, and only then publishes it to watches. So no watch delivers a
//! change that is lost afterwards. This module must not know the operations.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

use crate::sandbox::Now;
use crate::sandbox::controllers;
use crate::sandbox::error::SandboxError;
use crate::sandbox::fault::Verb;
use crate::sandbox::object::key::Key;
use crate::sandbox::object::kind::{Kind, Origin};
use crate::sandbox::rules::Rule;
use crate::sandbox::store::change::Actor;
use crate::sandbox::store::change::ChangeRecord;
use crate::sandbox::store::file::DataFile;
use crate::sandbox::store::journal::SettingsChange;
use crate::sandbox::store::objects::Store;
use crate::sandbox::store::queue::CONTROLLER_DELAY;
use crate::sandbox::store::watch_cache::WatchCache;

/// How often the file is checked for writes of other processes.
const FILE_CHECK: Duration = Duration::from_millis(50);
/// The longest sleep of [`Simulation::run`] while nothing is due. Writes wake it.
const REST: Duration = Duration::from_secs(3_600);

/// The shared state, its clock and its wake-up call.
pub(crate) struct Simulation {
    state: Mutex<State>,
    wake: Notify,
    now: Now,
    recording: Recording,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recording {
    On,
    Off,
}

struct State {
    store: Store,
    cache: WatchCache,
    history: Vec<ChangeRecord>,
    file: Option<DataFile>,
    /// The last save failed, so this state contains changes that were not accepted.
    stale: bool,
    /// The time until which controllers and the kubelet are stalled.
    stalled_until: Option<Timestamp>,
}

impl State {
    /// Whether controllers and the kubelet are stalled now.
    fn is_stalled(&self, now: Timestamp) -> bool {
        self.stalled_until.is_some_and(|until| now < until)
    }
}

impl Simulation {
    /// Loads the file, if there is one, and sets the rules, if the caller has any.
    pub(crate) fn open(
        file: Option<DataFile>,
        rules: Option<Vec<Rule>>,
        now: Now,
        recording: Recording,
    ) -> Result<Self, SandboxError> {
        let mut store = Store::empty();
        let mut file = file;
        if let Some(file) = &mut file {
            let _locked = file.lock()?;
            store = file.load(&store)?.unwrap_or(store);
            store.queue.keep_log();
        }
        let cache = WatchCache::from(store.version);
        let state = State { store, cache, history: Vec::new(), file, stale: false, stalled_until: None };
        let simulation = Self { state: Mutex::new(state), wake: Notify::new(), now, recording };
        simulation.transact(Actor::Client, Verb::Get, |_, _| ())?;
        if let Some(rules) = rules {
            simulation.set_rules(rules)?;
        }
        Ok(simulation)
    }

    /// Brings the state up to date, runs `act` on it and commits the changes.
    pub(crate) fn transact<T>(
        &self,
        actor: Actor,
        verb: Verb,
        act: impl FnOnce(&mut Store, &mut WatchCache) -> T,
    ) -> Result<T, SandboxError> {
        let mut guard = self.state();
        let state = &mut *guard;
        let before = state.store.queue.next();
        let _locked = state.file.as_ref().map(DataFile::lock).transpose()?;
        self.reload_if_changed(state)?;
        let now = (self.now)();
        match state.is_stalled(now) {
            true => state.store.now = now,
            false => advance(&mut state.store, now),
        }
        self.commit(state)?;
        state.store.actor = actor;
        state.store.verb = verb;
        let outcome = act(&mut state.store, &mut state.cache);
        deliver_changes(&mut state.store);
        self.commit(state)?;
        if state.store.queue.next() != before {
            self.wake.notify_one();
        }
        Ok(outcome)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic in a transaction is a bug of the sandbox; the changes accepted before it are still valid.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reloads the file if another process wrote it.
    fn reload_if_changed(&self, state: &mut State) -> Result<(), SandboxError> {
        let Some(file) = state.file.as_mut().filter(|file| state.stale || file.is_changed()) else {
            return Ok(());
        };
        if !state.stale
            && let Some(before) = file.catch_up(&mut state.store)?
        {
            let (store, cache) = (&state.store, &mut state.cache);
            let known = |key: &Key| (before[key].as_ref(), store.object(key));
            differences(before.keys(), known, store).iter().for_each(|change| cache.publish(change));
            return Ok(());
        }
        let mut store = match file.load(&state.store)? {
            Some(store) => store,
            // Unsaved changes were not accepted, and there is no earlier state.
            None if state.stale => Store::empty().with_rules(state.store.rules.clone()),
            None => return Ok(()),
        };
        store.queue.keep_log();
        state.stale = false;
        store.now = state.store.now;
        let before = &state.store;
        let keys: BTreeSet<&Key> = before.objects().chain(store.objects()).map(|(key, _)| key).collect();
        let known = |key: &Key| (before.object(key), store.object(key));
        for change in differences(keys, known, &store) {
            state.cache.publish(&change);
        }
        state.store = store;
        Ok(())
    }

    /// Saves the changes, then publishes them.
    fn commit(&self, state: &mut State) -> Result<(), SandboxError> {
        let changes = std::mem::take(&mut state.store.changes);
        state.store.delivered = 0;
        let grown = state.store.queue.take_grown();
        let is_dirty = std::mem::take(&mut state.store.dirty);
        let touched = is_dirty || grown;
        let settings = if is_dirty { SettingsChange::Changed } else { SettingsChange::Kept };
        let news = !changes.is_empty() || (touched && state.file.as_ref().is_some_and(DataFile::exists));
        if let (true, Some(file)) = (news, state.file.as_mut())
            && let Err(error) = file.save(&mut state.store, &changes, settings)
        {
            state.stale = true;
            return Err(error);
        }
        for change in &changes {
            state.cache.publish(change);
        }
        if self.recording == Recording::On {
            state.history.extend(changes);
        }
        Ok(())
    }

    /// Replaces the file by one document that includes the lines that transactions have added.
    pub(crate) fn compact(&self) -> Result<(), SandboxError> {
        let mut guard = self.state();
        let state = &mut *guard;
        if state.file.is_none() {
            return Ok(());
        }
        let _locked = state.file.as_ref().map(DataFile::lock).transpose()?;
        self.reload_if_changed(state)?;
        match &mut state.file {
            Some(file) => file.compact(&mut state.store),
            None => Ok(()),
        }
    }

    /// Replaces the rules and queues every pod for the kubelet.
    pub(crate) fn set_rules(&self, rules: Vec<Rule>) -> Result<(), SandboxError> {
        self.transact(Actor::Client, Verb::Get, |store, _| {
            if store.rules != rules {
                store.rules = rules;
                store.dirty = true;
                controllers::enqueue_scripted(store);
            }
        })
    }

    /// Stops serving a group.
    pub(crate) fn uninstall_group(&self, group: &str) -> Result<(), SandboxError> {
        self.transact(Actor::Client, Verb::Get, |store, _| {
            store.dirty |= store.missing_groups.insert(group.to_owned());
        })
    }

    /// Whether a kind is served. Another process may have defined it.
    pub(crate) fn serves(&self, kind: Kind) -> bool {
        if kind.origin == Origin::Defined {
            let served = self.transact(Actor::Client, Verb::Get, |store, _| store.serves(kind));
            return served.unwrap_or_default();
        }
        self.state().store.serves(kind)
    }

    /// Drops the watch cache's history.
    pub(crate) fn forget(&self) {
        let mut state = self.state();
        let version = state.store.version;
        state.cache.forget(version);
    }

    pub(crate) fn version(&self) -> u64 {
        self.state().store.version
    }

    pub(crate) fn objects(&self) -> Vec<Value> {
        let all = |store: &Store| store.objects().map(|(_, object)| (**object).clone()).collect();
        // If the file cannot be read now, its last known state is the best answer.
        let read = self.transact(Actor::Client, Verb::List, |store, _| all(store));
        read.unwrap_or_else(|_| all(&self.state().store))
    }

    pub(crate) fn history(&self) -> Vec<ChangeRecord> {
        self.state().history.clone()
    }

    /// Whether controllers have work that is due soon, within a few controller delays.
    pub(crate) fn is_busy(&self) -> bool {
        let soon = (self.now)() + CONTROLLER_DELAY * 8;
        self.state().store.queue.next().is_some_and(|at| at <= soon)
    }

    /// Stalls controllers and the kubelet for this long.
    pub(crate) fn stall(&self, lasting: Duration) {
        let lasting = SignedDuration::try_from(lasting).unwrap_or(SignedDuration::MAX);
        self.state().stalled_until = (self.now)().checked_add(lasting).ok();
    }

    /// Runs the controllers as time passes, for as long as this future is polled.
    pub(crate) async fn run(&self) {
        loop {
            let wait = self.run_due();
            tokio::select! {
                biased;
                () = tokio::time::sleep(wait) => (),
                () = self.wake.notified() => (),
            }
        }
    }

    /// Runs the work that is due and returns how long to sleep until the next.
    fn run_due(&self) -> Duration {
        let (due, shared, changed) = {
            let state = self.state();
            let changed = state.file.as_ref().is_some_and(DataFile::is_changed);
            let due = state.store.queue.next();
            let due = due.map(|due| state.stalled_until.map_or(due, |until| due.max(until)));
            (due, state.file.is_some(), changed)
        };
        let is_due = due.is_some_and(|at| at <= (self.now)());
        let next = if is_due || changed {
            // If the file cannot be used now, it is retried; requests report the error.
            self.transact(Actor::Controller, Verb::Get, |store, _| store.queue.next()).unwrap_or_default()
        } else {
            due
        };
        let until = next.map(|at| at.duration_since((self.now)()).max(SignedDuration::from_millis(1)));
        let until = until.and_then(|until| Duration::try_from(until).ok()).unwrap_or(REST);
        if shared { until.min(FILE_CHECK) } else { until.min(REST) }
    }
}

/// Runs all tasks that are due by `now`, each at its scheduled time.
fn advance(store: &mut Store, now: Timestamp) {
    store.actor = Actor::Controller;
    store.horizon = now;
    while let Some((at, work)) = store.queue.pop(now) {
        store.now = at;
        controllers::run(store, &work);
        deliver_changes(store);
    }
    store.now = now;
}

/// Delivers new changes to the controllers.
fn deliver_changes(store: &mut Store) {
    while store.delivered < store.changes.len() {
        let change = store.changes[store.delivered].clone();
        store.delivered += 1;
        controllers::handle_change(store, &change);
    }
}

/// The changes of these objects between two states. Several changes of one object appear as one.
fn differences<'a>(
    keys: impl IntoIterator<Item = &'a Key>,
    known: impl Fn(&Key) -> (Option<&'a Arc<Value>>, Option<&'a Arc<Value>>),
    after: &Store,
) -> Vec<ChangeRecord> {
    let mut changes = Vec::new();
    for key in keys {
        let (old, new) = known(key);
        if old == new {
            continue;
        }
        let replaced = old.zip(new).is_some_and(|(old, new)| {
            crate::sandbox::object::meta::uid(old) != crate::sandbox::object::meta::uid(new)
        });
        let version = new.map(|new| crate::sandbox::object::meta::version(new));
        let mut change = |version: u64, old: Option<&Arc<Value>>, new: Option<&Arc<Value>>| {
            changes.push(ChangeRecord {
                version,
                at: after.now,
                key: key.clone(),
                actor: Actor::Controller,
                user_agent: None,
                verb: Verb::Update,
                before: old.cloned(),
                after: new.cloned(),
            });
        };
        let gone = || {
            let deletion = after.deletions.iter().rev().find(|(_, deleted)| **deleted == *key);
            deletion.map_or(after.version, |(version, _)| *version)
        };
        match version {
            None => change(gone(), old, None),
            Some(version) if replaced => {
                change(gone().min(version), old, None);
                change(version, None, new);
            }
            Some(version) => change(version, old, new),
        }
    }
    changes.sort_by_key(|change| change.version);
    changes
}
