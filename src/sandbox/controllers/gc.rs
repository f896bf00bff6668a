//! The garbage collector: dependents follow their owners.
//!
//! It knows owner references and the two finalizers that block an owner's deletion; it must not know kinds. See
//! <https://kubernetes.io/docs/concepts/architecture/garbage-collection/>.

use serde_json::Value;

use crate::sandbox::object::key::Key;
use crate::sandbox::object::meta;
use crate::sandbox::store::deletion::{self, DeleteOptions, FOREGROUND, ORPHAN, Propagation};
use crate::sandbox::store::objects::Store;
use crate::sandbox::store::part::Part;
use crate::sandbox::store::queue::{CONTROLLER_DELAY, Task};
use crate::sandbox::store::write;
use crate::sandbox::validation::registry;

/// The state of an owner, in the garbage collector's own terms.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OwnerState {
    /// It exists, or its kind is not served, so its absence cannot be shown.
    Solid,
    /// It does not exist.
    Dangling,
    /// It is being deleted and waits for its dependents.
    WaitingForDependents,
}

/// Deletes an object whose owners have all been deleted, or removes the references to those that have.
pub(super) fn collect(store: &mut Store, key: &Key) {
    let Some(object) = store.object(key).cloned() else { return };
    let owner_states: Vec<OwnerState> =
        meta::owners(&object).iter().map(|o| owner_state(store, key, o)).collect();
    if owner_states.is_empty() || owner_states.iter().all(|s| *s == OwnerState::Solid) {
        return;
    }
    // One owner is enough to keep the object; the references to the others are removed.
    if owner_states.contains(&OwnerState::Solid) {
        let mut owner_states = owner_states.into_iter();
        write::modify(store, key, Part::Main, |object| {
            edit_list(object, "ownerReferences", |_| owner_states.next() == Some(OwnerState::Solid));
        });
        return;
    }
    if meta::is_terminating(&object) {
        return;
    }
    // A finalizer set by a client determines the propagation. Otherwise the dependents of a foreground deletion are
    // deleted in the foreground as well, so that the whole tree is removed from its leaves up.
    let waiting = owner_states.contains(&OwnerState::WaitingForDependents);
    let has_dependents = store.owned_by(meta::uid(&object)).next().is_some();
    let propagation = if meta::has_finalizer(&object, ORPHAN) {
        Propagation::Orphan
    } else if meta::has_finalizer(&object, FOREGROUND) || (waiting && has_dependents) {
        Propagation::Foreground
    } else {
        Propagation::Background
    };
    let options = DeleteOptions { propagation: Some(propagation), ..DeleteOptions::default() };
    deletion::delete_for_controller(store, key, &options);
}

fn owner_state(store: &Store, dependent: &Key, owner: &Value) -> OwnerState {
    if registry::find_kind(meta::text(owner, "/apiVersion"), meta::text(owner, "/kind")).is_none() {
        return OwnerState::Solid;
    }
    let found = store
        .with_uid(meta::text(owner, "/uid"))
        .filter(|key| key.namespace.is_empty() || key.namespace == dependent.namespace)
        .and_then(|key| store.object(key));
    match found {
        None => OwnerState::Dangling,
        Some(owner) if meta::is_terminating(owner) && meta::has_finalizer(owner, FOREGROUND) => {
            OwnerState::WaitingForDependents
        }
        Some(_) => OwnerState::Solid,
    }
}

/// Removes the finalizer of an owner once its dependents are deleted (foreground) or released (orphan).
pub(super) fn finalize(store: &mut Store, key: &Key) {
    let Some(owner) = store.object(key).cloned() else { return };
    if !meta::is_terminating(&owner) {
        return;
    }
    let uid = meta::uid(&owner).to_owned();
    let dependents: Vec<Key> = store.owned_by(&uid).map(|(key, _)| key.clone()).collect();
    if meta::has_finalizer(&owner, ORPHAN) {
        for dependent in &dependents {
            write::modify(store, dependent, Part::Main, |object| {
                edit_list(object, "ownerReferences", |owner| owner["uid"] != uid.as_str());
            });
        }
        drop_finalizer(store, key, ORPHAN);
    } else if meta::has_finalizer(&owner, FOREGROUND) {
        let blocking = store.owned_by(&uid).any(|(_, dependent)| {
            meta::owners(dependent)
                .iter()
                .any(|o| o["uid"] == uid.as_str() && o["blockOwnerDeletion"] == true)
        });
        if !blocking {
            drop_finalizer(store, key, FOREGROUND);
            return;
        }
        for dependent in &dependents {
            store.queue.add(Task::Collect, dependent, store.now + CONTROLLER_DELAY);
        }
    }
}

pub(super) fn drop_finalizer(store: &mut Store, key: &Key, finalizer: &str) {
    write::modify(store, key, Part::Main, |object| edit_list(object, "finalizers", |f| f != finalizer));
}

/// Filters a list in the metadata, and removes it when it is empty.
fn edit_list(object: &mut Value, field: &str, mut keep: impl FnMut(&Value) -> bool) {
    let metadata = meta::metadata(object);
    let Some(list) = metadata.get_mut(field).and_then(Value::as_array_mut) else { return };
    list.retain(|item| keep(item));
    if list.is_empty() {
        metadata.remove(field);
    }
}
