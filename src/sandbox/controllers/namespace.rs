//! The namespace controller: a deleted namespace is removed once it is empty.
//!
//! See <https://kubernetes.io/docs/concepts/overview/working-with-objects/namespaces/>.

use crate::sandbox::object::key::Key;
use crate::sandbox::object::meta;
use crate::sandbox::store::deletion::{self, DeleteOptions, Propagation};
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
    let options = DeleteOptions { propagation: Some(Propagation::Background), ..DeleteOptions::default() };
    for other in inside.iter().filter(|other| !other.kind.is("pods")) {
        deletion::delete_for_controller(store, other, &options);
    }
    for pod in inside.iter().filter(|other| other.kind.is("pods")) {
        deletion::delete_for_controller(store, pod, &options);
    }
}
