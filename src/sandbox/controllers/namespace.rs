//! The namespace controller: a deleted namespace is removed once it is empty.
//!
//! See <https://kubernetes.io/docs/concepts/overview/working-with-objects/namespaces/>.

use crate::sandbox::object::key::Key;
use crate::sandbox::object::meta;
use crate::sandbox::store::deletion::{self, DeleteOptions};
use crate::sandbox::store::objects::Store;

/// Deletes everything in a terminating namespace, then the namespace.
pub(super) fn sync(store: &mut Store, key: &Key) {
    if !store.object(key).is_some_and(|n| meta::is_terminating(n)) {
        return;
    }
    let inside: Vec<Key> = store
        .objects()
        .filter(|(other, _)| other.namespace == key.name)
        .map(|(other, _)| other.clone())
        .collect();
    if inside.is_empty() {
        store.remove(key);
        return;
    }
    for other in inside.iter().filter(|other| other.kind.plural != "pods") {
        deletion::delete_for_controller(store, other, &DeleteOptions::default());
    }
    for pod in inside.iter().filter(|other| other.kind.plural == "pods") {
        deletion::delete_for_controller(store, pod, &DeleteOptions::default());
    }
}
