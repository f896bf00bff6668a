//! Watches the status of the components of a namespace: lists each kind once, and watches it from there.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use kube::core::Expression;
use tokio::sync::watch::{Receiver, Sender};

use crate::cluster::object_watch::{ObjectScope, ObjectWatch};
use crate::cluster::ownership::ComponentOwner;
use crate::cluster::record_store::{self, StoredRecord, UnusableRecord};
use crate::cluster::record_watch::{self, RecordEvent};
use crate::cluster::served_kind::find_kinds;
use crate::cluster::session::Session;
use crate::cluster::workload_cache::WorkloadCache;
use crate::cluster::workload_watch::{WatchScope, watch_workloads};
use crate::driver::context::Context;
use crate::driver::live_objects::LiveObjects;
use crate::driver::outcome::Failure;
use crate::oam::kind::WorkloadKind;
use crate::oam::labels;
use crate::oam::object::ObjectRef;
use crate::ops::status::objects::{applied_objects, status_of_objects};
use crate::ops::status::{NamespaceStatus, component_status, explain, explained_by_others};
use crate::plan::object_readiness::has_readiness_rule;
use crate::report::status::ComponentStatus;

/// The watches of a namespace's components.
pub struct StatusWatch<'a> {
    session: &'a Session,
    namespace: &'a str,
    /// The version of the list of records, from which the watch of records starts.
    listed: String,
    records: RefCell<BTreeMap<String, StoredRecord>>,
    unusable: RefCell<BTreeMap<String, UnusableRecord>>,
    changed: Sender<()>,
    cache: WorkloadCache,
    objects: ObjectWatch,
}

impl<'a> StatusWatch<'a> {
    /// Lists the run records. Everything else is unknown until [`StatusWatch::feed`] is polled.
    ///
    /// # Errors
    ///
    /// The server's last error.
    pub async fn open(context: &'a Context, namespace: &'a str) -> Result<Self, Failure> {
        let session = &context.session;
        let listed = record_store::list_records(session, namespace).await?;
        let records = by_component(listed.records);
        let cache = WorkloadCache::of(kinds(&records));
        let (records, changed) = (RefCell::new(records), Sender::new(()));
        let unusable = RefCell::new(unusable_by_component(listed.unusable));
        let objects = ObjectWatch::new(Expression::Exists(labels::NAME.to_owned()).into());
        Ok(Self { session, namespace, listed: listed.version, records, unusable, changed, cache, objects })
    }

    /// Applies the events of the watches, for as long as it is polled.
    pub async fn feed(&self) {
        let from = Some(self.listed.clone());
        let hear = record_watch::watch_records(self.session, self.namespace, from, |heard| self.hear(heard));
        let watch = async {
            loop {
                let watched = kinds(&self.records.borrow());
                let scopes: Vec<WatchScope> = watched.iter().map(|kind| self.scope(*kind)).collect();
                let feeds = scopes.iter().map(|scope| watch_workloads(self.session, scope, &self.cache));
                tokio::select! {
                    biased;
                    // A watch that failed permanently has reported that to the cache.
                    _ = join_all(feeds) => return,
                    () = self.another_kind(&watched) => {}
                }
            }
        };
        tokio::join!(hear, watch, self.find_objects(), self.objects.feed(self.session));
    }

    /// The status, once each kind has been listed.
    ///
    /// # Errors
    ///
    /// The error of a watch that failed permanently.
    pub async fn first(&self) -> Result<NamespaceStatus, Failure> {
        self.cache.wait_for_sync().await;
        let wanted = applied_objects(self.records.borrow().values());
        self.read_objects(&wanted).await?;
        self.status()
    }

    /// The present statuses, by name.
    ///
    /// # Errors
    ///
    /// The error of a watch that failed permanently.
    pub fn items(&self) -> Result<Vec<ComponentStatus>, Failure> {
        match self.cache.failure().or_else(|| self.objects.cache.failure()) {
            Some(error) => Err(error.into()),
            None => {
                let records = self.records.borrow();
                let stuck = explained_by_others(records.values());
                let mut items: Vec<ComponentStatus> =
                    records.values().map(|stored| self.item(stored)).collect();
                explain(&mut items, &stuck);
                Ok(items)
            }
        }
    }

    /// Like [`items`](Self::items), with the records that cannot be read.
    ///
    /// # Errors
    ///
    /// The error of a watch that failed permanently.
    pub fn status(&self) -> Result<NamespaceStatus, Failure> {
        let unusable = self.unusable.borrow().values().cloned().collect();
        Ok(NamespaceStatus { items: self.items()?, unusable })
    }

    /// Subscribes to all later changes.
    pub fn changes(&self) -> Changes {
        Changes {
            workloads: self.cache.changes(),
            objects: self.objects.cache.changes(),
            records: self.changed.subscribe(),
        }
    }

    fn item(&self, stored: &StoredRecord) -> ComponentStatus {
        if let Some(status) = status_of_objects(stored, |one| self.objects.cache.get(one)) {
            return status;
        }
        let record = &stored.record;
        component_status(stored.clone(), self.cache.workloads(&ComponentOwner::of_record(record)))
    }

    fn scope(&self, kind: WorkloadKind) -> WatchScope {
        WatchScope {
            namespace: self.namespace.to_owned(),
            kind,
            selector: Expression::Exists(labels::COMPONENT.to_owned()).into(),
        }
    }

    fn hear(&self, heard: RecordEvent) {
        let (mut records, mut unusable) = (self.records.borrow_mut(), self.unusable.borrow_mut());
        match heard {
            RecordEvent::Listed(all) => {
                *records = by_component(all.records);
                *unusable = unusable_by_component(all.unusable);
            }
            RecordEvent::Applied(stored) => {
                unusable.remove(&stored.record.component);
                records.insert(stored.record.component.clone(), *stored);
            }
            RecordEvent::Unusable(record) => {
                records.remove(&record.component);
                unusable.insert(record.component.clone(), *record);
            }
            RecordEvent::Deleted(component) => {
                records.remove(&component);
                unusable.remove(&component);
            }
        }
        drop((records, unusable));
        self.changed.send_replace(());
    }

    async fn read_objects(&self, wanted: &BTreeSet<ObjectRef>) -> Result<(), Failure> {
        if wanted.is_empty() {
            return Ok(());
        }
        let found = LiveObjects::read(self.session, self.namespace, wanted).await?;
        for reference in wanted {
            if let Some(object) = found.get(reference) {
                self.objects.cache.apply(reference, object);
            }
        }
        Ok(())
    }

    /// Watches the objects that the records name. Objects of a kind without a readiness rule are read instead, after
    /// each change of a record until they exist.
    async fn find_objects(&self) {
        let mut changed = self.changed.subscribe();
        loop {
            let wanted = applied_objects(self.records.borrow().values());
            // If discovery fails now, it is repeated after the next change.
            if let Ok(kinds) = find_kinds(self.session, &wanted).await {
                let scope = |one: &ObjectRef| {
                    if !has_readiness_rule(one.group(), &one.kind) {
                        return None;
                    }
                    let kind = kinds.get(&(one.api_version.clone(), one.kind.clone()))?.clone()?;
                    let is_unselected = |known: &_| !self.objects.is_selected(known);
                    let is_elsewhere = self.objects.cache.is_some_and(one, is_unselected);
                    let name = is_elsewhere.then(|| one.name.clone());
                    Some(ObjectScope { kind, namespace: one.namespace.clone(), name })
                };
                self.objects.watch_scopes(wanted.iter().filter_map(scope));
            }
            let is_unknown = |one: &&ObjectRef| {
                !has_readiness_rule(one.group(), &one.kind) && self.objects.cache.get(one).is_none()
            };
            // Objects that cannot be read now are read after the next change.
            self.read_objects(&wanted.iter().filter(is_unknown).cloned().collect()).await.ok();
            if changed.changed().await.is_err() {
                return;
            }
        }
    }

    /// Waits for a component of a kind that is not watched.
    async fn another_kind(&self, watched: &BTreeSet<WorkloadKind>) {
        let mut changed = self.changed.subscribe();
        while kinds(&self.records.borrow()).is_subset(watched) {
            if changed.changed().await.is_err() {
                return;
            }
        }
    }
}

/// A subscription to changes of the status.
#[derive(Debug)]
pub struct Changes {
    workloads: Receiver<u64>,
    objects: Receiver<u64>,
    records: Receiver<()>,
}

impl Changes {
    /// Waits for the next change.
    pub async fn next(&mut self) {
        tokio::select! {
            biased;
            _ = self.workloads.changed() => {}
            _ = self.objects.changed() => {}
            _ = self.records.changed() => {}
        }
    }
}

fn by_component(records: Vec<StoredRecord>) -> BTreeMap<String, StoredRecord> {
    records.into_iter().map(|stored| (stored.record.component.clone(), stored)).collect()
}

fn unusable_by_component(records: Vec<UnusableRecord>) -> BTreeMap<String, UnusableRecord> {
    records.into_iter().map(|record| (record.component.clone(), record)).collect()
}

/// The kinds of workload that the components run as, and always Deployments.
fn kinds(records: &BTreeMap<String, StoredRecord>) -> BTreeSet<WorkloadKind> {
    let known = records.values().map(|stored| stored.record.run.spec.kind);
    known.chain([WorkloadKind::Deployment]).collect()
}
