//! Fields of objects that another manager owns.

use crate::cluster::keys;
use crate::cluster::managed_fields::field_at;
use crate::cluster::object_writer::{FieldConflict, KUBEVELA_MANAGERS};
use crate::driver::object_owner::Handling;
use crate::driver::outcome::{Failure, FailureKind};
use crate::driver::prepared_objects::PreparedObject;

/// Whether a field of another manager may be taken over, because it is KubeVela's or was applied by a revision of the
/// component.
pub(super) fn may_take(object: &PreparedObject, conflict: &FieldConflict) -> bool {
    let said_before = || object.earlier.iter().any(|earlier| field_at(earlier, &conflict.field).is_some());
    match object.handling {
        Handling::Adopt => true,
        Handling::Apply | Handling::Keep | Handling::Recreate => is_own(conflict) || said_before(),
    }
}

/// Whether a field was written by `rollout` or KubeVela, with another kind of write.
pub(super) fn is_own(conflict: &FieldConflict) -> bool {
    let manager = conflict.manager.as_str();
    manager == keys::FIELD_MANAGER || KUBEVELA_MANAGERS.contains(&manager)
}

/// The refusal of an object with a field that another manager owns.
pub(super) fn conflict_failure(object: &PreparedObject, conflict: &FieldConflict) -> Failure {
    let FieldConflict { manager, field } = conflict;
    let reference = &object.reference;
    Failure::new(FailureKind::Refused, format!("{reference}: field `{field}` is managed by `{manager}`"))
        .hint("leave the field out of the manifest, or have the other manager give it up")
}
