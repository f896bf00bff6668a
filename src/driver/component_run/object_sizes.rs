//! The size of a component that is applied as a whole, before and after a run: in pods if any of its objects have pods,
//! otherwise in objects.

use kube::api::DynamicObject;
use serde_json::{Value, json};

use crate::cluster::keys;
use crate::cluster::managed_fields::owns_applied_fields;
use crate::driver::object_owner::Handling;
use crate::driver::prepared_objects::{PreparedObject, PreparedObjects};
use crate::plan::epoch::Epoch;
use crate::plan::objects::wanted_size;

/// The size of what the component's last run applied. Objects that are being taken over do not count yet.
pub(super) fn size_before(objects: &PreparedObjects) -> u32 {
    let own = objects.objects.iter().filter(|object| object.handling != Handling::Adopt);
    let before = own.filter_map(|object| object.before.as_ref());
    let leftovers = objects.leftovers.iter().filter(|leftover| !leftover.holds_data());
    let live: Vec<Value> =
        before.chain(leftovers.map(|leftover| &leftover.before)).map(|live| json!(live)).collect();
    wanted_size(&live)
}

/// The size after the run.
pub(super) fn size_after(objects: &PreparedObjects) -> u32 {
    let after: Vec<Value> = objects.objects.iter().map(body_after).collect();
    objects.kept_size.unwrap_or_else(|| wanted_size(&after))
}

fn body_after(object: &PreparedObject) -> Value {
    let Some(live) = &object.before else { return object.body.clone() };
    // The number of a DaemonSet's pods depends on the nodes.
    if object.handling == Handling::Keep || object.reference.kind == "DaemonSet" {
        return json!(live);
    }
    let mut body = object.stamped_body(Some(live), Epoch(0));
    let size = &live.data["spec"]["replicas"];
    if object.is_resizable() && object.handling != Handling::Recreate && !is_applied(live, size) {
        body["spec"]["replicas"] = size.clone();
    }
    body
}

/// Whether a run has applied the size of an object, so that an apply without a size removes it.
fn is_applied(live: &DynamicObject, size: &Value) -> bool {
    owns_applied_fields(live, keys::FIELD_MANAGER, &json!({"spec": {"replicas": size}}))
}
