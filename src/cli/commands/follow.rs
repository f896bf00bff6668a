//! Where the components of a namespace stand, followed: each kind is listed once, and watched from there.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use tokio::sync::watch::{Receiver, Sender};

use crate::cli::commands::gather;
use crate::cluster::error::ClusterError;
use crate::cluster::ownership::ComponentOwner;
use crate::cluster::record::{self, StoredRecord};
use crate::cluster::records::{self, Heard};
use crate::cluster::session::Session;
use crate::cluster::view::View;
use crate::cluster::watch::{self, Subject};
use crate::oam::kind::WorkloadKind;
use crate::oam::labels;
use crate::report::status::ComponentStatus;

/// The components of a namespace, as the watches tell.
pub struct Followed<'a> {
    session: &'a Session,
    namespace: &'a str,
    /// The list of records that the watch of records goes on from.
    listed: String,
    records: RefCell<BTreeMap<String, StoredRecord>>,
    told: Sender<()>,
    view: View,
}

impl<'a> Followed<'a> {
    /// Lists the run records. Nothing more is known before [`Followed::feed`] is polled.
    ///
    /// # Errors
    ///
    /// What the server answered at last.
    pub async fn open(session: &'a Session, namespace: &'a str) -> Result<Self, ClusterError> {
        let listed = record::list(session, namespace).await?;
        let records = by_component(listed.records);
        let view = View::of(kinds(&records));
        let (records, told) = (RefCell::new(records), Sender::new(()));
        Ok(Self { session, namespace, listed: listed.version, records, told, view })
    }

    /// Takes in what the watches tell, for as long as it is polled.
    pub async fn feed(&self) {
        let from = Some(self.listed.clone());
        let hear = records::follow(self.session, self.namespace, from, |heard| self.hear(heard));
        let watch = async {
            loop {
                let watched = kinds(&self.records.borrow());
                let subjects: Vec<Subject> = watched.iter().map(|kind| self.subject(*kind)).collect();
                let feeds = subjects.iter().map(|subject| watch::feed(self.session, subject, &self.view));
                tokio::select! {
                    // One that cannot go on has told the view.
                    _ = join_all(feeds) => return,
                    () = self.another_kind(&watched) => {}
                }
            }
        };
        tokio::join!(hear, watch);
    }

    /// Where everything stands, once each kind has been listed.
    ///
    /// # Errors
    ///
    /// Why a watch cannot go on.
    pub async fn first(&self) -> Result<Vec<ComponentStatus>, ClusterError> {
        self.view.completed().await;
        self.items()
    }

    /// Where everything stands, by name.
    ///
    /// # Errors
    ///
    /// Why a watch cannot go on.
    pub fn items(&self) -> Result<Vec<ComponentStatus>, ClusterError> {
        match self.view.failure() {
            Some(error) => Err(error),
            None => Ok(self.records.borrow().values().map(|stored| self.item(stored)).collect()),
        }
    }

    /// Sees every change from now on.
    pub fn changes(&self) -> Changes {
        Changes { workloads: self.view.changes(), records: self.told.subscribe() }
    }

    fn item(&self, stored: &StoredRecord) -> ComponentStatus {
        let record = &stored.record;
        gather::status(stored.clone(), self.view.workloads(&ComponentOwner::of_record(record)))
    }

    fn subject(&self, kind: WorkloadKind) -> Subject {
        Subject { namespace: self.namespace.to_owned(), kind, selector: labels::COMPONENT.to_owned() }
    }

    fn hear(&self, heard: Heard) {
        let mut records = self.records.borrow_mut();
        match heard {
            Heard::All(all) => *records = by_component(all),
            Heard::One(stored) => drop(records.insert(stored.record.component.clone(), *stored)),
            Heard::Gone(component) => drop(records.remove(&component)),
        }
        drop(records);
        self.told.send_replace(());
    }

    /// Waits for a component of a kind that is not watched.
    async fn another_kind(&self, watched: &BTreeSet<WorkloadKind>) {
        let mut told = self.told.subscribe();
        while kinds(&self.records.borrow()).is_subset(watched) {
            if told.changed().await.is_err() {
                return;
            }
        }
    }
}

/// What there is to see.
#[derive(Debug)]
pub struct Changes {
    workloads: Receiver<u64>,
    records: Receiver<()>,
}

impl Changes {
    /// Waits for the next change.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.workloads.changed() => {}
            _ = self.records.changed() => {}
        }
    }
}

fn by_component(records: Vec<StoredRecord>) -> BTreeMap<String, StoredRecord> {
    records.into_iter().map(|stored| (stored.record.component.clone(), stored)).collect()
}

/// The kinds of workload that the components run as; Deployments where there are none yet.
fn kinds(records: &BTreeMap<String, StoredRecord>) -> BTreeSet<WorkloadKind> {
    let known = records.values().map(|stored| stored.record.run.spec.kind);
    known.chain([WorkloadKind::Deployment]).collect()
}
