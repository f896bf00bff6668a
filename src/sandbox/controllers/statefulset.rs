//! The StatefulSet controller: pods with ordinals, created and replaced one after the other.
//!
//! Each sync goes up the ordinals and stops, unless pods are managed in parallel, at the first that is not available.
//! Then it deletes condemned pods from the highest down, and then, in the same order, the first pod of another
//! revision, as far as the partition. So a broken pod blocks its own repair, as documented under [Forced rollback].
//! Claims for volumes and `maxUnavailable` are not implemented.
//!
//! [Forced rollback]: https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback

use jiff::SignedDuration;
use serde_json::{Value, json};
use std::sync::Arc;

use super::ownership;
use super::revisions::{self, History, REVISION_LABEL, pod_revision};
use crate::sandbox::object::key::Key;
use crate::sandbox::object::{meta, pod};
use crate::sandbox::store::deletion::{self, DeleteOptions};
use crate::sandbox::store::objects::Store;
use crate::sandbox::store::part::Part;
use crate::sandbox::store::queue::Task;
use crate::sandbox::store::write::{self, DryRun};
use crate::sandbox::validation::registry;

/// The set and its pods as they were when the sync began.
struct SyncContext {
    key: Key,
    set: Arc<Value>,
    history: History,
    replicas: i64,
    /// The first ordinal.
    start: i64,
    partition: i64,
    pod_management: PodManagement,
    pods: Vec<Member>,
}

/// `spec.podManagementPolicy`: whether pods wait for each other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PodManagement {
    OrderedReady,
    Parallel,
}

/// A pod of the set.
struct Member {
    ordinal: i64,
    key: Key,
    pod: Arc<Value>,
    ready: bool,
    available: bool,
    terminating: bool,
}

impl Member {
    fn is_unavailable(&self) -> bool {
        !self.available || self.terminating
    }
}

/// Whether a sync continues or waits for a pod.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Continue,
    Wait,
}

/// Brings the pods of a StatefulSet, and its status, one step further.
pub(super) fn sync(store: &mut Store, key: &Key) {
    let Some(set) = store.object(key).cloned() else { return };
    adopt_revisions(store, key, &set);
    let annotations = set.pointer("/metadata/annotations").cloned().unwrap_or_else(|| json!({}));
    let Some(history) = History::of(store, key, &set, &set["spec"]["template"], &annotations) else { return };
    let rolling = &set["spec"]["updateStrategy"]["rollingUpdate"];
    let context = SyncContext {
        key: key.clone(),
        replicas: meta::number(&set, "/spec/replicas"),
        start: meta::number(&set, "/spec/ordinals/start"),
        partition: meta::number(rolling, "/partition"),
        pod_management: match meta::text(&set, "/spec/podManagementPolicy") {
            "Parallel" => PodManagement::Parallel,
            _ => PodManagement::OrderedReady,
        },
        pods: pods(store, key, &set),
        history,
        set,
    };
    let mut leaving = 0;
    if !meta::is_terminating(&context.set) && create_missing(store, &context) == Flow::Continue {
        let condemned = delete_condemned(store, &context);
        if condemned == Flow::Continue
            && meta::text(&context.set, "/spec/updateStrategy/type") == "RollingUpdate"
        {
            leaving = replace_one(store, &context);
        }
    }
    report(store, &context, leaving);
    let pods: Vec<(Key, Arc<Value>)> =
        context.pods.iter().map(|member| (member.key.clone(), Arc::clone(&member.pod))).collect();
    context.history.truncate(store, &pods);
}

/// Adopts the revisions that the selector matches and no object controls.
fn adopt_revisions(store: &mut Store, key: &Key, set: &Value) {
    if meta::is_terminating(set) {
        return;
    }
    for revision in revisions::list(store, key, set) {
        if meta::controller(&revision).is_none() {
            let key = Key::new(registry::kind("controllerrevisions"), &key.namespace, meta::name(&revision));
            ownership::adopt(store, &key, set);
        }
    }
}

/// The set's pods by ordinal, after adopting orphans whose name and labels match.
fn pods(store: &mut Store, key: &Key, set: &Value) -> Vec<Member> {
    let own = ownership::claim(store, key, set, registry::kind("pods"), |pod, object| {
        ordinal(key, pod).is_some() && !meta::is_terminating(object)
    });
    let seconds = SignedDuration::from_secs(meta::number(set, "/spec/minReadySeconds"));
    let mut members = Vec::new();
    for (pod_key, pod) in own {
        let Some(ordinal) = ordinal(key, &pod_key) else { continue };
        let since = pod::ready_since(&pod).filter(|_| meta::text(&pod, "/status/phase") == "Running");
        let due = since.map(|since| meta::saturating_add(since, seconds));
        if let Some(due) = due.filter(|due| *due > store.now) {
            store.queue.add(Task::StatefulSet, key, due);
        }
        members.push(Member {
            ordinal,
            ready: since.is_some(),
            available: due.is_some_and(|due| due <= store.now),
            terminating: meta::is_terminating(&pod),
            key: pod_key,
            pod,
        });
    }
    members.sort_by_key(|member| member.ordinal);
    members
}

/// The number at the end of a pod's name, if the rest is the set's name.
fn ordinal(set: &Key, pod: &Key) -> Option<i64> {
    pod.name.strip_prefix(&set.name)?.strip_prefix('-')?.parse().ok()
}

impl SyncContext {
    fn ordinals(&self) -> std::ops::Range<i64> {
        self.start..self.start + self.replicas
    }

    fn member(&self, ordinal: i64) -> Option<&Member> {
        self.pods.iter().find(|member| member.ordinal == ordinal)
    }

    /// Pods whose ordinal is out of range, highest first.
    fn condemned(&self) -> impl DoubleEndedIterator<Item = &Member> {
        self.pods.iter().rev().filter(|member| !self.ordinals().contains(&member.ordinal))
    }
}

/// Creates the missing pods, in order.
fn create_missing(store: &mut Store, context: &SyncContext) -> Flow {
    for ordinal in context.ordinals() {
        let Some(member) = context.member(ordinal) else {
            create_pod(store, context, ordinal);
            if context.pod_management == PodManagement::OrderedReady {
                return Flow::Wait;
            }
            continue;
        };
        if pod::has_ended(&member.pod) {
            if !member.terminating {
                delete(store, &member.key);
            }
            if context.pod_management == PodManagement::OrderedReady {
                return Flow::Wait;
            }
        } else if context.pod_management == PodManagement::OrderedReady && member.is_unavailable() {
            return Flow::Wait;
        }
    }
    Flow::Continue
}

fn create_pod(store: &mut Store, context: &SyncContext, ordinal: i64) {
    let strategy = &context.set["spec"]["updateStrategy"];
    let is_old = match strategy.get("rollingUpdate") {
        Some(_) => ordinal < context.start + context.partition,
        None => false,
    };
    let revision = if is_old { &context.history.current } else { &context.history.update };
    let (template, name) = (revisions::template(revision), format!("{}-{ordinal}", context.key.name));
    let mut pod = json!({"metadata": template["metadata"], "spec": template["spec"]});
    meta::set_label(&mut pod, REVISION_LABEL, meta::name(revision));
    meta::set_label(&mut pod, "statefulset.kubernetes.io/pod-name", &name);
    meta::set_label(&mut pod, "apps.kubernetes.io/pod-index", &ordinal.to_string());
    let metadata = meta::metadata(&mut pod);
    metadata.insert("name".to_owned(), json!(name));
    metadata.insert("generateName".to_owned(), json!(format!("{}-", context.key.name)));
    metadata.insert("ownerReferences".to_owned(), json!([meta::controller_reference(&context.set)]));
    let spec = meta::object_mut(&mut pod, "spec");
    spec.insert("hostname".to_owned(), json!(name));
    if let Some(service) = context.set["spec"].get("serviceName").filter(|service| **service != "") {
        spec.insert("subdomain".to_owned(), service.clone());
    }
    // The claims themselves do not exist here, so no pod waits for a volume.
    let claims = meta::items(&context.set, "/spec/volumeClaimTemplates").iter().map(|claim| {
        let volume = meta::name(claim);
        json!({"name": volume, "persistentVolumeClaim": {"claimName": format!("{volume}-{name}")}})
    });
    let claims: Vec<Value> = claims.collect();
    if !claims.is_empty()
        && let Some(volumes) = spec.entry("volumes").or_insert_with(|| json!([])).as_array_mut()
    {
        volumes.splice(0..0, claims);
    }
    // An error means that another object has the name; the next sync retries.
    write::create(store, registry::kind("pods"), &context.key.namespace, pod, DryRun::Off).ok();
}

fn delete(store: &mut Store, key: &Key) {
    deletion::delete_for_controller(store, key, &DeleteOptions::default());
}

/// Deletes pods whose ordinal is out of range: all at once, or the highest after all others are available.
fn delete_condemned(store: &mut Store, context: &SyncContext) -> Flow {
    let of_the_set = context.ordinals().filter_map(|ordinal| context.member(ordinal));
    let first_unavailable =
        of_the_set.chain(context.condemned().rev()).find(|member| member.is_unavailable()).map(|m| m.ordinal);
    for member in context.condemned() {
        match context.pod_management {
            PodManagement::Parallel if member.terminating => (),
            PodManagement::Parallel => delete(store, &member.key),
            PodManagement::OrderedReady if member.terminating => return Flow::Wait,
            // Lower pods are repaired first: an unavailable pod is deleted only if it is the lowest such pod.
            PodManagement::OrderedReady if !member.available && first_unavailable != Some(member.ordinal) => {
                return Flow::Wait;
            }
            PodManagement::OrderedReady => {
                delete(store, &member.key);
                return Flow::Wait;
            }
        }
    }
    Flow::Continue
}

/// Deletes the highest pod of another revision, unless one above it is not available yet. Returns how many it
/// deleted.
fn replace_one(store: &mut Store, context: &SyncContext) -> i64 {
    let update = meta::name(&context.history.update);
    // The partition counts pods from the first one, whatever ordinal that has.
    for ordinal in (context.start + context.partition..context.start + context.replicas).rev() {
        // A pod that was just created is not available yet.
        let Some(member) = context.member(ordinal) else { return 0 };
        if pod_revision(&member.pod) != update && !member.terminating {
            delete(store, &member.key);
            return 1;
        }
        if member.is_unavailable() {
            return 0;
        }
    }
    0
}

/// Writes the status.
fn report(store: &mut Store, context: &SyncContext, leaving: i64) {
    let count = |of: &dyn Fn(&Member) -> bool| {
        i64::try_from(context.pods.iter().filter(|member| of(member)).count()).unwrap_or(i64::MAX)
    };
    let (current, update) = (meta::name(&context.history.current), meta::name(&context.history.update));
    let of_revision = |name: &str| count(&|m| !m.terminating && pod_revision(&m.pod) == name);
    let (replicas, ready, updated) = (count(&|_| true), count(&|m| m.ready), of_revision(update));
    let is_rolling = meta::text(&context.set, "/spec/updateStrategy/type") == "RollingUpdate";
    let is_complete =
        is_rolling && [replicas, ready, updated].iter().all(|number| *number == context.replicas);
    // The update revision becomes the current one when every pod runs it and is ready. Until then the pod that this
    // sync deleted counts as a replica, but no longer for its revision.
    let (current, of_current) =
        if is_complete { (update, updated) } else { (current, of_revision(current) - leaving) };
    let mut status = json!({
        "observedGeneration": meta::number(&context.set, "/metadata/generation"),
        "replicas": replicas,
        "availableReplicas": count(&|m| m.available),
        "currentRevision": current,
        "updateRevision": update,
        "collisionCount": context.history.collisions,
    });
    for (field, number) in
        [("readyReplicas", ready), ("currentReplicas", of_current), ("updatedReplicas", updated)]
    {
        if number != 0 {
            status[field] = json!(number);
        }
    }
    write::modify(store, &context.key, Part::Status, |set| set["status"] = status);
}
