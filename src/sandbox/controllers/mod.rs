//! The controllers, and which of them a change concerns.
//!
//! They stand for kube-controller-manager and OpenKruise's manager: see [Controllers] and each file for its own
//! document. Every controller is level-triggered: it reads the objects as they are and does what is missing.
//! Controllers act through the same writes as clients and keep nothing between two runs. Left out are all other
//! controllers (endpoints, autoscaling, disruption, jobs, nodes), and claims for volumes.
//!
//! [Controllers]: https://kubernetes.io/docs/concepts/architecture/controller/

mod cloneset;
mod deployment;
mod gc;
mod int_or_percent;
mod namespace;
mod ownership;
mod replicaset;
mod revisions;
mod statefulset;

use crate::sandbox::kubelet;
use crate::sandbox::object::key::Key;
use crate::sandbox::object::kind::Scope;
use crate::sandbox::object::meta;
use crate::sandbox::object::selector::Selector;
use crate::sandbox::store::change::ChangeRecord;
use crate::sandbox::store::deletion::{FOREGROUND, ORPHAN};
use crate::sandbox::store::objects::Store;
use crate::sandbox::store::queue::{CONTROLLER_DELAY, Task, WorkItem};
use crate::sandbox::validation::registry;

/// Runs a controller for one object.
pub(crate) fn run(store: &mut Store, work: &WorkItem) {
    match work.task {
        Task::Deployment => deployment::sync(store, &work.key),
        Task::ReplicaSet => replicaset::sync(store, &work.key),
        Task::StatefulSet => statefulset::sync(store, &work.key),
        Task::CloneSet => cloneset::sync(store, &work.key),
        Task::Kubelet => kubelet::sync(store, &work.key),
        Task::Collect => gc::collect(store, &work.key),
        Task::Finalize => gc::finalize(store, &work.key),
        Task::Namespace => namespace::sync(store, &work.key),
    }
}

/// Queues every pod for the kubelet, as after a change of its rules.
pub(crate) fn enqueue_all_pods(store: &mut Store) {
    let pods: Vec<Key> = store.of_kind(registry::kind("pods"), None).map(|(key, _)| key.clone()).collect();
    for pod in pods {
        store.queue.add(Task::Kubelet, &pod, store.now + CONTROLLER_DELAY);
    }
}

/// Queues the controllers that a change concerns: the object's own, its owners', and the garbage collector.
pub(crate) fn handle_change(store: &mut Store, change: &ChangeRecord) {
    let at = store.now + CONTROLLER_DELAY;
    let key = &change.key;
    let last = change.after.as_ref().or(change.before.as_ref());
    match key.kind.plural {
        "deployments" => store.queue.add(Task::Deployment, key, at),
        "replicasets" => {
            store.queue.add(Task::ReplicaSet, key, at);
            enqueue_owner(store, change, Task::Deployment, "deployments");
        }
        "statefulsets" => store.queue.add(Task::StatefulSet, key, at),
        "clonesets" => store.queue.add(Task::CloneSet, key, at),
        "pods" => {
            kubelet::handle_change(store, change);
            store.queue.add(Task::Kubelet, key, at);
            enqueue_owner(store, change, Task::ReplicaSet, "replicasets");
            enqueue_owner(store, change, Task::StatefulSet, "statefulsets");
            enqueue_owner(store, change, Task::CloneSet, "clonesets");
        }
        "namespaces" => store.queue.add(Task::Namespace, key, at),
        _ => (),
    }
    if change.after.is_none() && key.kind.scope == Scope::Namespaced {
        let namespace = Key::new(registry::kind("namespaces"), "", &key.namespace);
        if store.object(&namespace).is_some_and(|n| meta::is_terminating(n)) {
            store.queue.add(Task::Namespace, &namespace, at);
        }
    }
    let Some(last) = last else { return };
    let owners_changed = change
        .before
        .as_ref()
        .is_none_or(|b| change.after.as_ref().is_some_and(|a| meta::owners(a) != meta::owners(b)));
    if owners_changed && change.after.is_some() && !meta::owners(last).is_empty() {
        store.queue.add(Task::Collect, key, at);
    }
    for owner in meta::owners(change.before.as_ref().unwrap_or(last)) {
        if let Some(owner) = store.with_uid(meta::text(owner, "/uid")).cloned()
            && store.object(&owner).is_some_and(|o| meta::is_terminating(o))
        {
            store.queue.add(Task::Finalize, &owner, at);
        }
    }
    if change.after.is_none() {
        let dependents: Vec<Key> = store.owned_by(meta::uid(last)).map(|(key, _)| key.clone()).collect();
        for dependent in dependents {
            store.queue.add(Task::Collect, &dependent, at);
        }
    } else if meta::is_terminating(last) && [FOREGROUND, ORPHAN].iter().any(|f| meta::has_finalizer(last, f))
    {
        store.queue.add(Task::Finalize, key, at);
    }
}

/// Queues the controller of a changed object, or those that may adopt it.
fn enqueue_owner(store: &mut Store, change: &ChangeRecord, task: Task, plural: &'static str) {
    let kind = registry::kind(plural);
    let at = store.now + CONTROLLER_DELAY;
    for object in [&change.before, &change.after].into_iter().flatten() {
        match meta::controller(object) {
            Some(owner) if owner["kind"] == kind.kind => {
                let key = Key::new(kind, &change.key.namespace, meta::text(owner, "/name"));
                store.queue.add(task, &key, at);
            }
            Some(_) => (),
            None => {
                let adopting: Vec<Key> = store
                    .of_kind(kind, Some(&change.key.namespace))
                    .filter(|(_, owner)| {
                        Selector::of(&owner["spec"]["selector"]).matches(meta::labels(object))
                    })
                    .map(|(key, _)| key.clone())
                    .collect();
                for key in adopting {
                    store.queue.add(task, &key, at);
                }
            }
        }
    }
}
