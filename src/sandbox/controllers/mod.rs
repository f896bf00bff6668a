//! The controllers, and which of them a change concerns.
//!
//! They stand for kube-controller-manager and OpenKruise's manager: see [Controllers] and each file for its own
//! document. Every controller is level-triggered: it compares the current objects with the desired state. Controllers
//! write through the same functions as clients and keep no state between runs. All other controllers (endpoints,
//! autoscaling, disruption, cron jobs, nodes) and the claims of a StatefulSet are not implemented.
//!
//! [Controllers]: https://kubernetes.io/docs/concepts/architecture/controller/

mod claim;
mod cloneset;
mod daemonset;
mod definition;
mod deployment;
mod gc;
mod int_or_percent;
mod job;
mod load_balancer;
mod namespace;
mod ownership;
mod replicaset;
mod revisions;
mod statefulset;

use serde_json::Value;

use crate::sandbox::kubelet;
use crate::sandbox::object::key::Key;
use crate::sandbox::object::kind::{Origin, Scope};
use crate::sandbox::object::selector::Selector;
use crate::sandbox::object::{meta, pod};
use crate::sandbox::store::change::ChangeRecord;
use crate::sandbox::store::deletion::{FOREGROUND, ORPHAN};
use crate::sandbox::store::managed_fields::Writer;
use crate::sandbox::store::objects::{Store, definition_of};
use crate::sandbox::store::queue::{CONTROLLER_DELAY, Task, WorkItem};
use crate::sandbox::validation::registry;

/// Runs a controller for one object.
pub(crate) fn run(store: &mut Store, work: &WorkItem) {
    store.writer = Some(Writer::named(match work.task {
        Task::Kubelet => "kubelet",
        Task::CloneSet => "manager",
        Task::LoadBalancer => "cloud-controller-manager",
        Task::Definition => "kube-apiserver",
        Task::Deployment
        | Task::ReplicaSet
        | Task::StatefulSet
        | Task::DaemonSet
        | Task::Job
        | Task::Claim
        | Task::Collect
        | Task::Finalize
        | Task::Namespace => "kube-controller-manager",
    }));
    match work.task {
        Task::Deployment => deployment::sync(store, &work.key),
        Task::ReplicaSet => replicaset::sync(store, &work.key),
        Task::StatefulSet => statefulset::sync(store, &work.key),
        Task::CloneSet => cloneset::sync(store, &work.key),
        Task::DaemonSet => daemonset::sync(store, &work.key),
        Task::Job => job::sync(store, &work.key),
        Task::Claim => claim::sync(store, &work.key),
        Task::LoadBalancer => load_balancer::sync(store, &work.key),
        Task::Definition => definition::sync(store, &work.key),
        Task::Kubelet => kubelet::sync(store, &work.key),
        Task::Collect => gc::collect(store, &work.key),
        Task::Finalize => gc::finalize(store, &work.key),
        Task::Namespace => namespace::sync(store, &work.key),
    }
}

/// Queues everything that depends on the rules after they have changed: pods, and Services that may get an address.
pub(crate) fn enqueue_scripted(store: &mut Store) {
    for (plural, task) in [("pods", Task::Kubelet), ("services", Task::LoadBalancer)] {
        let is_scripted = |object: &Value| task == Task::Kubelet || load_balancer::concerns(object);
        let all = store.of_kind(registry::kind(plural), None);
        let scripted: Vec<Key> =
            all.filter(|(_, object)| is_scripted(object)).map(|(key, _)| key.clone()).collect();
        for key in scripted {
            store.queue.add(task, &key, store.now + CONTROLLER_DELAY);
        }
    }
}

/// Queues the controllers that a change concerns: the object's own, its owners', and the garbage collector.
pub(crate) fn handle_change(store: &mut Store, change: &ChangeRecord) {
    let at = store.now + CONTROLLER_DELAY;
    let key = &change.key;
    let last = change.after.as_ref().or(change.before.as_ref());
    let known = if key.kind.origin == Origin::Defined { "" } else { key.kind.plural };
    match known {
        "deployments" => store.queue.add(Task::Deployment, key, at),
        "replicasets" => {
            store.queue.add(Task::ReplicaSet, key, at);
            enqueue_owner(store, change, Task::Deployment, "deployments");
        }
        "statefulsets" => store.queue.add(Task::StatefulSet, key, at),
        "clonesets" => store.queue.add(Task::CloneSet, key, at),
        "daemonsets" => store.queue.add(Task::DaemonSet, key, at),
        "jobs" => store.queue.add(Task::Job, key, at),
        "persistentvolumeclaims" => store.queue.add(Task::Claim, key, at),
        "services" if last.is_some_and(|service| load_balancer::concerns(service)) => {
            store.queue.add(Task::LoadBalancer, key, at);
        }
        "customresourcedefinitions" => store.queue.add(Task::Definition, key, at),
        "pods" => {
            if let Some(pod) = last.filter(|pod| change.after.is_none() || pod::has_ended(pod)) {
                claim::handle_pod(store, key, pod);
            }
            kubelet::handle_change(store, change);
            store.queue.add(Task::Kubelet, key, at);
            enqueue_owner(store, change, Task::ReplicaSet, "replicasets");
            enqueue_owner(store, change, Task::StatefulSet, "statefulsets");
            enqueue_owner(store, change, Task::CloneSet, "clonesets");
            enqueue_owner(store, change, Task::DaemonSet, "daemonsets");
            enqueue_owner(store, change, Task::Job, "jobs");
        }
        "namespaces" => store.queue.add(Task::Namespace, key, at),
        _ => (),
    }
    if change.after.is_none() && key.kind.origin == Origin::Defined {
        let definition = definition_of(key.kind);
        if store.object(&definition).is_some_and(|definition| meta::is_terminating(definition)) {
            store.queue.add(Task::Definition, &definition, at);
        }
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
