//! The controllers' work queue: which object is due for which controller, and when.
//!
//! It stands for client-go's delaying work queue. An entry is only a reason to sync; all state is in the objects, so a
//! lost or duplicate entry does no harm. The queue must not know what a sync does.

use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

use crate::sandbox::object::key::Key;

/// How long a change takes to reach a controller, like the watch delay in a cluster. Without it, clients would never
/// observe a status that is behind its spec, as they do in a cluster.
pub(crate) const CONTROLLER_DELAY: SignedDuration = SignedDuration::from_millis(5);

/// A controller, by its name in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Task {
    Deployment,
    ReplicaSet,
    StatefulSet,
    CloneSet,
    DaemonSet,
    Job,
    /// The volume controllers, for a claim.
    Claim,
    /// The service controller, for a Service that may need an address.
    LoadBalancer,
    /// The controllers of a CustomResourceDefinition.
    Definition,
    /// The kubelet, for a pod.
    Kubelet,
    /// The garbage collector, for an object whose owners may be gone.
    Collect,
    /// The garbage collector, for an owner that waits for its dependents.
    Finalize,
    /// The namespace controller, for a terminating namespace.
    Namespace,
}

/// One object for one controller.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WorkItem {
    pub(crate) task: Task,
    pub(crate) key: Key,
}

/// Work items in the order in which they are due.
#[derive(Debug, Default)]
pub(crate) struct WorkQueue {
    due: BTreeMap<WorkItem, Timestamp>,
    order: BTreeSet<(Timestamp, WorkItem)>,
    grown: bool,
    /// The changes since it was last saved; `None` if it is not saved.
    log: Option<BTreeSet<WorkItem>>,
}

impl WorkQueue {
    /// Queues an object for `at`, unless it is queued for an earlier time.
    pub(crate) fn add(&mut self, task: Task, key: &Key, at: Timestamp) {
        let work = WorkItem { task, key: key.clone() };
        if let Some(already) = self.due.get(&work) {
            if *already <= at {
                return;
            }
            self.order.remove(&(*already, work.clone()));
        }
        self.log(&work);
        self.due.insert(work.clone(), at);
        self.order.insert((at, work));
        self.grown = true;
    }

    /// Queues an item for a time, replacing its earlier time; without a time, removes it.
    pub(crate) fn set(&mut self, work: WorkItem, at: Option<Timestamp>) {
        if let Some(already) = self.due.remove(&work) {
            self.order.remove(&(already, work.clone()));
        }
        if let Some(at) = at {
            self.due.insert(work.clone(), at);
            self.order.insert((at, work));
        }
    }

    /// When the next item is due.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.order.first().map(|(at, _)| *at)
    }

    /// Takes the first item that is due by `now`.
    pub(crate) fn pop(&mut self, now: Timestamp) -> Option<(Timestamp, WorkItem)> {
        if self.next()? > now {
            return None;
        }
        let (at, work) = self.order.pop_first()?;
        self.due.remove(&work);
        self.log(&work);
        Some((at, work))
    }

    /// Starts recording changes.
    pub(crate) fn keep_log(&mut self) {
        self.log = Some(BTreeSet::new());
    }

    /// The changes since the last call: the items, with their times if they are queued.
    pub(crate) fn take_log(&mut self) -> Vec<(WorkItem, Option<Timestamp>)> {
        let Some(log) = &mut self.log else { return Vec::new() };
        let changed = std::mem::take(log);
        changed.into_iter().map(|work| (work.clone(), self.due.get(&work).copied())).collect()
    }

    fn log(&mut self, work: &WorkItem) {
        if let Some(log) = &mut self.log {
            log.insert(work.clone());
        }
    }

    /// All items in order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &(Timestamp, WorkItem)> {
        self.order.iter()
    }

    /// Whether items were added since the last call.
    pub(crate) fn take_grown(&mut self) -> bool {
        std::mem::take(&mut self.grown)
    }
}
