//! Watches the run records of one namespace, from which a run learns that it was paused or that another run has claimed
//! its component. The watch is only a hint: every write is conditional, whatever the watch has reported.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;
use kube::api::{Api, ListParams, WatchEvent, WatchParams};
use tokio::sync::watch;

use crate::cluster::backoff::BackoffBounds;
use crate::cluster::change_signal::ChangeSignal;
use crate::cluster::error::ClusterError;
use crate::cluster::keys;
use crate::cluster::record_store::{self, RecordList, StoredRecord, UnusableRecord};
use crate::cluster::session::Session;

/// How long the server keeps a watch open, in seconds.
const WATCH_SECONDS: u32 = 25;
/// A connection without any data for this long, not even the end of the watch, is dead.
const SILENCE: Duration = Duration::from_secs(30);
/// The delays after failures.
const BOUNDS: BackoffBounds = BackoffBounds { initial: Duration::from_secs(1), max: Duration::from_secs(8) };

/// A change to the run records of a namespace.
#[derive(Debug)]
pub enum RecordEvent {
    /// The complete list.
    Listed(RecordList),
    /// A record was created or changed.
    Applied(Box<StoredRecord>),
    /// A record that cannot be read was created or changed.
    Unusable(Box<UnusableRecord>),
    /// The record of this component was deleted.
    Deleted(String),
}

/// Reports every change to the records of a namespace, for as long as it is polled, starting from the version of a list
/// or with its own list. Changes missed during a failure are in the next list.
pub async fn watch_records(
    session: &Session,
    namespace: &str,
    from: Option<String>,
    mut on_heard: impl FnMut(RecordEvent),
) {
    let api = session.api::<ConfigMap>(namespace);
    let mut version = from;
    let backoff = session.backoff(BOUNDS);
    loop {
        match turn(session, &api, version, &mut on_heard).await {
            Ok(last) => {
                backoff.reset();
                version = Some(last);
            }
            Err(error) => {
                session.clock().pause(backoff.next_delay_after(error.retry_after())).await;
                version = None;
            }
        }
    }
}

/// Lists the records, unless there is a version to start from, and watches them until the watch ends. Returns the
/// version for the next watch.
async fn turn(
    session: &Session,
    api: &Api<ConfigMap>,
    from: Option<String>,
    on_heard: &mut impl FnMut(RecordEvent),
) -> Result<String, ClusterError> {
    let mut version = match from {
        Some(version) => version,
        None => {
            let params = ListParams::default().labels(keys::RECORD_COMPONENT);
            let listed = RecordList::of(session.request_untracked(api.list(&params)).await?);
            let version = listed.version.clone();
            on_heard(RecordEvent::Listed(listed));
            version
        }
    };
    let params = WatchParams::default().labels(keys::RECORD_COMPONENT).timeout(WATCH_SECONDS);
    let mut events = pin!(session.request_untracked(api.watch(&params, &version)).await?);
    loop {
        let event = session.clock().within(SILENCE, events.next()).await;
        match event.ok_or_else(|| ClusterError::transient("the watch is silent"))? {
            None => return Ok(version),
            Some(event) => match event.map_err(|error| session.classify(&error))? {
                WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                    version = object.resource_version().unwrap_or(version);
                    on_heard(heard(&object));
                }
                WatchEvent::Deleted(object) => {
                    version = object.resource_version().unwrap_or(version);
                    let component = object.labels().get(keys::RECORD_COMPONENT).cloned();
                    on_heard(RecordEvent::Deleted(component.unwrap_or_default()));
                }
                WatchEvent::Bookmark(mark) => version = mark.metadata.resource_version,
                WatchEvent::Error(status) => return Err(session.classify(&kube::Error::Api(status))),
            },
        }
    }
}

fn heard(object: &ConfigMap) -> RecordEvent {
    match record_store::parse_record(object) {
        Ok(stored) => RecordEvent::Applied(Box::new(stored)),
        Err(error) => RecordEvent::Unusable(Box::new(UnusableRecord::of(object, error))),
    }
}

/// The newest run records by component, and the components whose record was deleted or can no longer be read.
#[derive(Debug, Default)]
pub struct RecordCache {
    heard: RefCell<BTreeMap<String, StoredRecord>>,
    gone: RefCell<BTreeSet<String>>,
    changed: ChangeSignal,
}

impl RecordCache {
    /// Applies a change.
    pub fn apply(&self, heard: RecordEvent) {
        match heard {
            RecordEvent::Listed(all) => {
                all.records.into_iter().for_each(|stored| self.see(stored));
                self.changed.touch_all();
            }
            RecordEvent::Applied(stored) => {
                let component = stored.record.component.clone();
                self.see(*stored);
                self.changed.touch([component.as_str()]);
            }
            RecordEvent::Unusable(unusable) => self.lose(unusable.component),
            RecordEvent::Deleted(component) => self.lose(component),
        }
    }

    fn lose(&self, component: String) {
        self.changed.touch([component.as_str()]);
        self.gone.borrow_mut().insert(component);
    }

    fn see(&self, stored: StoredRecord) {
        let component = stored.record.component.clone();
        self.gone.borrow_mut().remove(&component);
        self.heard.borrow_mut().insert(component, stored);
    }

    /// Whether the record of a component was deleted, or can no longer be read.
    #[must_use]
    pub fn is_deleted(&self, component: &str) -> bool {
        self.gone.borrow().contains(component)
    }

    /// The record of a component, if it is newer than `known`.
    #[must_use]
    pub fn newer_than(&self, known: &StoredRecord) -> Option<StoredRecord> {
        let heard = self.heard.borrow();
        heard.get(&known.record.component).filter(|stored| stored.is_newer_than(known)).cloned()
    }

    /// Subscribes to every later change of a component's record.
    #[must_use]
    pub fn changes_of(&self, component: &str) -> watch::Receiver<u64> {
        self.changed.subscribe_to(component)
    }
}
