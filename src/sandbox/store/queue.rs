//! What the controllers have yet to look at, and when.
//!
//! An entry is a hint to look again; all state is in the objects, so a lost or doubled entry does no harm.
//! The queue must not know what looking means.

use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

use crate::sandbox::object::key::Key;

/// How long a change takes to reach a controller: the watch's way in a cluster. Without it, clients would never see
/// counts that are behind the spec, as they do in a cluster.
pub(crate) const CONTROLLER_DELAY: SignedDuration = SignedDuration::from_millis(5);

/// Who looks at an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Task {
    /// The Deployment controller.
    Deployment,
    /// The ReplicaSet controller.
    ReplicaSet,
    /// The StatefulSet controller.
    StatefulSet,
    /// OpenKruise's CloneSet controller.
    CloneSet,
    /// The kubelet, at one pod.
    Kubelet,
    /// The garbage collector, at an object whose owners may be gone.
    Collect,
    /// The garbage collector, at an owner that waits for its dependents.
    Finalize,
    /// The namespace controller, at a namespace that is going away.
    Namespace,
}

/// One look at one object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WorkItem {
    pub(crate) task: Task,
    pub(crate) key: Key,
}

/// WorkItem in the order in which it is due.
#[derive(Debug, Default)]
pub(crate) struct WorkQueue {
    due: BTreeMap<WorkItem, Timestamp>,
    order: BTreeSet<(Timestamp, WorkItem)>,
    grown: bool,
}

impl WorkQueue {
    /// Asks for a look at `at`, or earlier if one is already due before.
    pub(crate) fn add(&mut self, task: Task, key: &Key, at: Timestamp) {
        let work = WorkItem { task, key: key.clone() };
        if let Some(already) = self.due.get(&work) {
            if *already <= at {
                return;
            }
            self.order.remove(&(*already, work.clone()));
        }
        self.due.insert(work.clone(), at);
        self.order.insert((at, work));
        self.grown = true;
    }

    /// When the next look is due.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.order.first().map(|(at, _)| *at)
    }

    /// Takes the first look that is due by `now`.
    pub(crate) fn pop(&mut self, now: Timestamp) -> Option<(Timestamp, WorkItem)> {
        if self.next()? > now {
            return None;
        }
        let (at, work) = self.order.pop_first()?;
        self.due.remove(&work);
        Some((at, work))
    }

    /// Everything that is due, in order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &(Timestamp, WorkItem)> {
        self.order.iter()
    }

    /// Whether work was added since this was last asked.
    pub(crate) fn take_grown(&mut self) -> bool {
        std::mem::take(&mut self.grown)
    }
}
