//! The volume controllers: every claim is bound at once, to a volume that does not exist as an object, and a deleted
//! claim is kept while a pod uses it.
//!
//! See <https://kubernetes.io/docs/concepts/storage/persistent-volumes/#storage-object-in-use-protection>.

use serde_json::{Value, json};

use super::gc;
use crate::sandbox::object::key::Key;
use crate::sandbox::object::{meta, pod};
use crate::sandbox::store::objects::Store;
use crate::sandbox::store::part::Part;
use crate::sandbox::store::queue::{CONTROLLER_DELAY, Task};
use crate::sandbox::store::write;
use crate::sandbox::validation::claim::PROTECTION;
use crate::sandbox::validation::registry;

/// Binds a claim, or removes the finalizer of a deleted one.
pub(super) fn sync(store: &mut Store, key: &Key) {
    let Some(claim) = store.object(key).cloned() else { return };
    if meta::is_terminating(&claim) {
        let uses = |pod: &Value| !pod::has_ended(pod) && names(pod).any(|name| name == key.name);
        let is_used = store.of_kind(registry::kind("pods"), Some(&key.namespace)).any(|(_, pod)| uses(pod));
        if !is_used {
            gc::drop_finalizer(store, key, PROTECTION);
        }
        return;
    }
    let volume = format!("pvc-{}", meta::uid(&claim));
    write::modify(store, key, Part::Main, |claim| {
        meta::object_mut(claim, "spec").entry("volumeName").or_insert_with(|| json!(volume));
    });
    let storage = claim.pointer("/spec/resources/requests/storage").cloned();
    let status = json!({
        "phase": "Bound",
        "accessModes": claim["spec"]["accessModes"],
        "capacity": {"storage": storage},
    });
    write::modify(store, key, Part::Status, |claim| claim["status"] = status);
}

/// Queues the claims of a pod that has ended or was deleted.
pub(super) fn handle_pod(store: &mut Store, key: &Key, pod: &Value) {
    for name in names(pod) {
        let claim = Key::new(registry::kind("persistentvolumeclaims"), &key.namespace, name);
        if store.object(&claim).is_some_and(|claim| meta::is_terminating(claim)) {
            store.queue.add(Task::Claim, &claim, store.now + CONTROLLER_DELAY);
        }
    }
}

/// The claims that a pod mounts.
fn names(pod: &Value) -> impl Iterator<Item = &str> {
    let volumes = meta::items(pod, "/spec/volumes").iter();
    volumes.filter_map(|volume| volume.pointer("/persistentVolumeClaim/claimName").and_then(Value::as_str))
}
