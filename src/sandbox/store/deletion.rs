//! Deletion: at once, or delayed by finalizers and a grace period.
//!
//! Requests and controllers delete through the same function. Dependents are left to the garbage collector; this
//! module only sets the finalizers that instruct it. See
//! <https://kubernetes.io/docs/concepts/overview/working-with-objects/finalizers/> and
//! <https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination>.

use serde_json::{Value, json};

use crate::sandbox::object::key::Key;
use crate::sandbox::object::kind::{DeleteResponse, Kind};
use crate::sandbox::object::status_error::StatusError;
use crate::sandbox::object::{meta, pod};
use crate::sandbox::store::objects::Store;
use crate::sandbox::store::write::{DryRun, set_or_remove};

/// What happens to the dependents of a deleted object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Propagation {
    Background,
    Foreground,
    Orphan,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct DeleteOptions {
    pub(crate) uid: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) propagation: Option<Propagation>,
    pub(crate) grace: Option<i64>,
}

/// Deletes an object, or marks it as terminating if finalizers or a grace period delay it.
pub(crate) fn delete(
    store: &mut Store,
    key: &Key,
    options: &DeleteOptions,
    dry_run: DryRun,
) -> Result<Value, StatusError> {
    let kind = key.kind;
    let before = store.require(key)?;
    if let Some(given) = options.uid.as_deref()
        && given != meta::uid(&before)
    {
        return Err(StatusError::delete_uid(kind, &key.name, given, meta::uid(&before)));
    }
    let found = meta::text(&before, "/metadata/resourceVersion");
    if let Some(given) = options.version.as_deref()
        && given != found
    {
        return Err(StatusError::delete_version(kind, &key.name, given, found));
    }
    let mut object = (*before).clone();
    let mut finalizers: Vec<Value> = meta::items(&object, "/metadata/finalizers").to_vec();
    // By default, the dependents of Jobs are orphaned; those of other kinds are not.
    let by_default = kind.is("jobs").then_some(Propagation::Orphan);
    if let Some(propagation) = options.propagation.or(by_default) {
        finalizers.retain(|f| f != FOREGROUND && f != ORPHAN);
        match propagation {
            Propagation::Background => (),
            Propagation::Foreground => finalizers.push(json!(FOREGROUND)),
            Propagation::Orphan => finalizers.push(json!(ORPHAN)),
        }
    }
    if kind.is("customresourcedefinitions") && !meta::is_terminating(&object) {
        finalizers.push(json!(CLEANUP));
    }
    let grace = grace(kind, &object, options);
    let held = !finalizers.is_empty() || grace > 0 || kind.is("namespaces");
    if !held {
        if dry_run == DryRun::Off {
            store.remove(key);
            meta::metadata(&mut object)
                .insert("resourceVersion".to_owned(), json!(store.version.to_string()));
        }
        return Ok(match kind.delete_response {
            DeleteResponse::Object => object,
            DeleteResponse::Status => deleted(kind, &object),
        });
    }
    let begun = meta::is_terminating(&object);
    let generation = meta::number(&object, "/metadata/generation");
    let deadline = meta::saturating_add(store.now, jiff::SignedDuration::from_secs(grace));
    let metadata = meta::metadata(&mut object);
    let finalizers = (!finalizers.is_empty()).then_some(Value::Array(finalizers));
    set_or_remove(metadata, "finalizers", finalizers);
    let shorter =
        metadata.get("deletionGracePeriodSeconds").and_then(Value::as_i64).is_some_and(|g| grace < g);
    if !begun || shorter {
        metadata.insert("deletionTimestamp".to_owned(), json!(meta::format_time(deadline)));
        metadata.insert("deletionGracePeriodSeconds".to_owned(), json!(grace));
    }
    if !begun && generation > 0 && !kind.is("customresourcedefinitions") {
        metadata.insert("generation".to_owned(), json!(generation + 1));
    }
    if kind.is("namespaces") {
        object["status"]["phase"] = json!("Terminating");
    }
    if object == *before || dry_run == DryRun::On {
        return Ok(object);
    }
    Ok((*store.put(key.clone(), object)).clone())
}

/// Deletes an object for a controller. Without preconditions, this fails only if the object no longer exists, which is
/// ignored.
pub(crate) fn delete_for_controller(store: &mut Store, key: &Key, options: &DeleteOptions) {
    delete(store, key, options, DryRun::Off).ok();
}

/// The finalizer that keeps an owner until its dependents are deleted.
pub(crate) const FOREGROUND: &str = "foregroundDeletion";

/// The finalizer that keeps an owner until its dependents are released.
pub(crate) const ORPHAN: &str = "orphan";

/// The finalizer that keeps a CustomResourceDefinition until its objects are deleted.
pub(crate) const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

fn grace(kind: Kind, object: &Value, options: &DeleteOptions) -> i64 {
    if !kind.is("pods") || !pod::is_bound(object) || pod::has_ended(object) {
        return 0;
    }
    options.grace.unwrap_or_else(|| meta::number(object, "/spec/terminationGracePeriodSeconds")).max(0)
}

fn deleted(kind: Kind, object: &Value) -> Value {
    let mut details = json!({"name": meta::name(object), "kind": kind.plural, "uid": meta::uid(object)});
    if !kind.group.is_empty() {
        details["group"] = json!(kind.group);
    }
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
}
