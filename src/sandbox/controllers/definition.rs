//! The controllers of CustomResourceDefinitions: names are accepted, the kind is established, and a deleted
//! definition's objects are deleted as well.
//!
//! See
//! <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#delete-a-customresourcedefinition>.
//! Conflicts of names are not implemented.

use serde_json::json;

use super::gc;
use crate::sandbox::object::key::Key;
use crate::sandbox::object::kind::Origin;
use crate::sandbox::object::meta;
use crate::sandbox::store::deletion::{self, CLEANUP, DeleteOptions};
use crate::sandbox::store::objects::{Store, definition_of};
use crate::sandbox::store::part::Part;
use crate::sandbox::store::write;

/// Establishes a definition, or deletes its objects and then removes its finalizer.
pub(super) fn sync(store: &mut Store, key: &Key) {
    let Some(definition) = store.object(key).cloned() else { return };
    if meta::is_terminating(&definition) {
        clean_up(store, key);
        return;
    }
    let names = definition["spec"]["names"].clone();
    let now = meta::format_time(store.now);
    let condition = |kind: &str, reason: &str, message: &str| {
        let known = meta::items(&definition, "/status/conditions").iter().find(|c| c["type"] == kind);
        known.cloned().unwrap_or_else(|| {
            json!({"type": kind, "status": "True", "lastTransitionTime": now, "reason": reason, "message": message})
        })
    };
    let conditions = [
        condition("NamesAccepted", "NoConflicts", "no conflicts found"),
        condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
    ];
    write::modify(store, key, Part::Status, |definition| {
        definition["status"]["acceptedNames"] = names;
        definition["status"]["conditions"] = json!(conditions);
    });
}

fn clean_up(store: &mut Store, key: &Key) {
    let is_instance = |other: &Key| other.kind.origin == Origin::Defined && definition_of(other.kind) == *key;
    let instances: Vec<Key> =
        store.objects().map(|(other, _)| other).filter(|other| is_instance(other)).cloned().collect();
    for instance in &instances {
        deletion::delete_for_controller(store, instance, &DeleteOptions::default());
    }
    if instances.iter().all(|instance| store.object(instance).is_none()) {
        gc::drop_finalizer(store, key, CLEANUP);
    }
}
