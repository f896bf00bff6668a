//! Which objects belong to a workload: those that it controls, after adopting those that its selector matches and that
//! have no controller.
//!
//! It stands for the controllers' reference manager. See
//! <https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#non-template-pod-acquisitions>.

use serde_json::{Value, json};
use std::sync::Arc;

use crate::sandbox::object::key::Key;
use crate::sandbox::object::kind::Kind;
use crate::sandbox::object::meta;
use crate::sandbox::object::selector::Selector;
use crate::sandbox::store::objects::Store;
use crate::sandbox::store::part::Part;
use crate::sandbox::store::write;

/// An object and its key.
pub(super) type Found = (Key, Arc<Value>);

/// The objects of a kind that `owner` controls, after it adopted the orphans that `is_adoptable` accepts. An owner
/// that is being deleted adopts nothing.
pub(super) fn claim(
    store: &mut Store,
    key: &Key,
    owner: &Value,
    kind: Kind,
    is_adoptable: impl Fn(&Key, &Value) -> bool,
) -> Vec<Found> {
    if !meta::is_terminating(owner) {
        let selector = Selector::of(&owner["spec"]["selector"]);
        let orphans: Vec<Key> = store
            .orphans(kind, &key.namespace, &selector)
            .filter(|(key, object)| is_adoptable(key, object))
            .map(|(key, _)| key.clone())
            .collect();
        for orphan in orphans {
            adopt(store, &orphan, owner);
        }
    }
    controlled(store, meta::uid(owner), kind)
}

/// The objects of a kind whose controller has this UID.
pub(super) fn controlled(store: &Store, uid: &str, kind: Kind) -> Vec<Found> {
    store
        .owned_by(uid)
        .filter(|(key, _)| key.kind == kind)
        .filter(|(_, object)| meta::controller(object).is_some_and(|owner| owner["uid"] == uid))
        .map(|(key, object)| (key.clone(), Arc::clone(object)))
        .collect()
}

/// Makes `owner` the controller of an object that has none.
pub(super) fn adopt(store: &mut Store, orphan: &Key, owner: &Value) {
    write::modify(store, orphan, Part::Main, |object| {
        let owners = meta::metadata(object).entry("ownerReferences").or_insert_with(|| json!([]));
        if let Some(owners) = owners.as_array_mut() {
            owners.push(meta::controller_reference(owner));
        }
    });
}
