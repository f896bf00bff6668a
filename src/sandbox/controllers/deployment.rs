//! The Deployment controller: one ReplicaSet per template, scaled step by step towards the newest.
//!
//! This module finds or creates the ReplicaSets and runs the strategies; `scaling` computes sizes, `status` reports.
//! See
//! <https://kubernetes.io/docs/concepts/workloads/controllers/deployment/>. It must not read pods, except to know
//! whether old ones still run. Rollback through the API, which Kubernetes removed, is not implemented.

mod model;
mod scaling;
mod status;

use serde_json::{Value, json};
use std::sync::Arc;

use self::model::{DESIRED, MAXIMUM, OwnedReplicaSet, Progress, REVISION, RollingBounds, SyncContext};
use super::ownership;
use crate::sandbox::object::hash::template_hash;
use crate::sandbox::object::key::Key;
use crate::sandbox::object::status_error::StatusError;
use crate::sandbox::object::{meta, pod};
use crate::sandbox::store::deletion::{self, DeleteOptions};
use crate::sandbox::store::objects::Store;
use crate::sandbox::store::part::Part;
use crate::sandbox::store::queue::{CONTROLLER_DELAY, Task};
use crate::sandbox::store::write::{self, DryRun};
use crate::sandbox::validation::registry;

/// The label that distinguishes the pods of different templates.
const HASH_LABEL: &str = "pod-template-hash";
/// Annotations of a Deployment that its ReplicaSets do not inherit.
const NOT_COPIED: [&str; 5] = [
    REVISION,
    DESIRED,
    MAXIMUM,
    "deployment.kubernetes.io/revision-history",
    "kubectl.kubernetes.io/last-applied-configuration",
];

/// Brings the ReplicaSets of a Deployment, and its status, one step further.
pub(super) fn sync(store: &mut Store, key: &Key) {
    let Some(deployment) = store.object(key).cloned() else { return };
    let mut context = observe(store, key, deployment);
    if meta::is_terminating(&context.deployment) {
        status::report(store, &context, status::ProgressCheck::Skip);
        return;
    }
    let paused = context.deployment["spec"]["paused"] == true;
    // A pause or a resize keeps the ratio of old and new pods, and does not count against the progress deadline.
    if paused || is_scaling(&context) {
        sync_revision(store, &mut context);
        scaling::proportionally(store, &mut context);
        if paused {
            clean_up(store, &context);
        }
        status::report(store, &context, status::ProgressCheck::Skip);
        return;
    }
    sync_revision(store, &mut context);
    match meta::text(&context.deployment, "/spec/strategy/type") {
        "Recreate" => recreate(store, &mut context),
        _ => roll(store, &mut context),
    }
    status::report(store, &context, status::ProgressCheck::Run);
}

fn observe(store: &mut Store, key: &Key, deployment: Arc<Value>) -> SyncContext {
    let sets = registry::kind("replicasets");
    let owned = ownership::claim(store, key, &deployment, sets, |_, set| !meta::is_terminating(set));
    let mut others: Vec<OwnedReplicaSet> =
        owned.into_iter().map(|(key, object)| OwnedReplicaSet { key, object }).collect();
    others.sort_by_cached_key(|set| {
        (meta::time_at(&set.object, "/metadata/creationTimestamp"), set.key.clone())
    });
    let newest =
        others.iter().position(|set| same_template(&deployment, &set.object)).map(|at| others.remove(at));
    let bounds = RollingBounds::of(&deployment);
    let collisions = meta::number(&deployment, "/status/collisionCount");
    SyncContext {
        key: key.clone(),
        deployment,
        newest,
        others,
        bounds,
        progress: None,
        revision: None,
        collisions,
    }
}

fn same_template(deployment: &Value, set: &Value) -> bool {
    let mut template = set["spec"]["template"].clone();
    if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.remove(HASH_LABEL);
    }
    template == deployment["spec"]["template"]
}

/// Whether the Deployment was resized since its ReplicaSets were last scaled.
fn is_scaling(context: &SyncContext) -> bool {
    context.all().filter(|set| set.replicas() > 0).any(|set| {
        let desired: Option<i64> = meta::annotation(&set.object, DESIRED).and_then(|d| d.parse().ok());
        desired.is_some_and(|desired| desired != context.replicas())
    })
}

/// Numbers the newest ReplicaSet after all others and copies the Deployment's annotations to it.
fn sync_revision(store: &mut Store, context: &mut SyncContext) {
    let Some(newest) = context.newest.clone() else { return };
    let last = context.others.iter().map(OwnedReplicaSet::revision).max().unwrap_or_default();
    let revision = newest.revision().max(last + 1);
    let (annotations, seconds) =
        (annotations(context, revision), context.deployment["spec"].get("minReadySeconds").cloned());
    let edited = write::modify(store, &newest.key, Part::Main, |set| {
        meta::metadata(set).entry("annotations").or_insert_with(|| json!({}));
        for (name, value) in annotations {
            set["metadata"]["annotations"][name] = value;
        }
        match seconds {
            Some(seconds) => set["spec"]["minReadySeconds"] = seconds,
            None => drop(meta::object_mut(set, "spec").remove("minReadySeconds")),
        }
    });
    if let Some(object) = edited {
        context.newest = Some(OwnedReplicaSet { key: newest.key.clone(), object });
    }
    context.revision = Some(revision.to_string());
    context.progress = Some(Progress::Found(newest.key.name));
}

fn annotations(context: &SyncContext, revision: i64) -> Vec<(String, Value)> {
    let own = context.deployment.pointer("/metadata/annotations").and_then(Value::as_object);
    let copied = own.into_iter().flatten().filter(|(name, _)| !NOT_COPIED.contains(&name.as_str()));
    let mut annotations: Vec<(String, Value)> = copied.map(|(n, v)| (n.clone(), v.clone())).collect();
    annotations.push((REVISION.to_owned(), json!(revision.to_string())));
    annotations
}

/// Creates the ReplicaSet for the Deployment's template, as large as its bounds allow.
fn create_newest(store: &mut Store, context: &mut SyncContext) {
    if context.newest.is_some() {
        return;
    }
    let deployment = Arc::clone(&context.deployment);
    let hash = template_hash(&deployment["spec"]["template"], context.collisions);
    let last = context.others.iter().map(OwnedReplicaSet::revision).max().unwrap_or_default();
    let mut template = deployment["spec"]["template"].clone();
    meta::object_mut(&mut template, "metadata");
    meta::object_mut(&mut template["metadata"], "labels").insert(HASH_LABEL.to_owned(), json!(hash));
    let mut selector = deployment["spec"]["selector"].clone();
    meta::object_mut(&mut selector, "matchLabels").insert(HASH_LABEL.to_owned(), json!(hash));
    let mut spec = json!({
        "replicas": scaling::newest_replicas(context),
        "selector": selector,
        "template": template,
    });
    if let Some(seconds) = deployment["spec"].get("minReadySeconds") {
        spec["minReadySeconds"] = seconds.clone();
    }
    let mut annotations: serde_json::Map<String, Value> =
        annotations(context, last + 1).into_iter().collect();
    let most = context.replicas() + context.bounds.max_surge;
    annotations.insert(DESIRED.to_owned(), json!(context.replicas().to_string()));
    annotations.insert(MAXIMUM.to_owned(), json!(most.to_string()));
    let name = format!("{}-{hash}", context.key.name);
    let set = json!({
        "metadata": {
            "name": name,
            "labels": template["metadata"]["labels"],
            "annotations": annotations,
            "ownerReferences": [meta::controller_reference(&deployment)],
        },
        "spec": spec,
    });
    let kind = registry::kind("replicasets");
    match write::create(store, kind, &context.key.namespace, set, DryRun::Off) {
        Ok(object) => {
            context.progress = Some(Progress::Created(name.clone()));
            context.revision = Some((last + 1).to_string());
            context.newest =
                Some(OwnedReplicaSet { key: Key::new(kind, &context.key.namespace, &name), object });
        }
        Err(failure) => record_refusal(context, &failure, &name),
    }
}

fn record_refusal(context: &mut SyncContext, failure: &StatusError, name: &str) {
    if failure.code == 409 {
        // The name belongs to another template; another hash is tried once the count has been stored.
        context.collisions += 1;
    } else {
        let message = format!("Failed to create new replica set \"{name}\": {}", failure.message());
        context.progress = Some(Progress::Failed(message));
    }
}

/// One step of the strategy `RollingUpdate`.
fn roll(store: &mut Store, context: &mut SyncContext) {
    create_newest(store, context);
    let Some(newest) = context.newest.clone() else { return };
    let wanted = scaling::newest_replicas(context);
    if wanted != newest.replicas() {
        scaling::scale(store, context, &newest, wanted);
        return;
    }
    if scaling::shrink_others(store, context) {
        return;
    }
    if status::is_complete(&context.deployment, &status::calculate(context)) {
        clean_up(store, context);
    }
}

/// One step of the strategy `Recreate`.
fn recreate(store: &mut Store, context: &mut SyncContext) {
    let running: Vec<OwnedReplicaSet> =
        context.others.iter().filter(|set| set.replicas() > 0).cloned().collect();
    if !running.is_empty() {
        for set in running {
            scaling::scale(store, context, &set, 0);
        }
        return;
    }
    let pods = registry::kind("pods");
    let old_pods = context.others.iter().any(|set| {
        let mut own = store.owned_by(set.uid()).filter(|(key, _)| key.kind == pods);
        own.any(|(_, pod)| !pod::has_ended(pod))
    });
    if old_pods {
        store.queue.add(Task::Deployment, &context.key, store.now + CONTROLLER_DELAY);
        return;
    }
    create_newest(store, context);
    if let Some(newest) = context.newest.clone()
        && newest.replicas() != context.replicas()
    {
        scaling::scale(store, context, &newest, context.replicas());
        return;
    }
    if status::is_complete(&context.deployment, &status::calculate(context)) {
        clean_up(store, context);
    }
}

/// Deletes the oldest empty ReplicaSets beyond the history limit.
fn clean_up(store: &mut Store, context: &SyncContext) {
    let Some(limit) = context.deployment["spec"]["revisionHistoryLimit"].as_u64() else { return };
    let mut old: Vec<&OwnedReplicaSet> =
        context.others.iter().filter(|set| !meta::is_terminating(&set.object)).collect();
    old.sort_by_key(|set| set.revision());
    let surplus = old.len().saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX));
    for set in old.into_iter().take(surplus) {
        let observed = set.status("observedGeneration") >= meta::number(&set.object, "/metadata/generation");
        if set.replicas() == 0 && set.status("replicas") == 0 && observed {
            deletion::delete_for_controller(store, &set.key, &DeleteOptions::default());
        }
    }
}
