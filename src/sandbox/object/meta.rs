//! Reading and writing the metadata of objects.
//!
//! Small accessors that treat a missing field as the API does.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// The text at a JSON pointer, or the empty text.
pub(crate) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The number at a JSON pointer, or zero.
pub(crate) fn number(object: &Value, pointer: &str) -> i64 {
    object.pointer(pointer).and_then(Value::as_i64).unwrap_or_default()
}

/// The list at a JSON pointer, or none.
pub(crate) fn items<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

pub(crate) fn name(object: &Value) -> &str {
    text(object, "/metadata/name")
}

pub(crate) fn namespace(object: &Value) -> &str {
    text(object, "/metadata/namespace")
}

pub(crate) fn uid(object: &Value) -> &str {
    text(object, "/metadata/uid")
}

/// `metadata.resourceVersion` as a number.
pub(crate) fn version(object: &Value) -> u64 {
    text(object, "/metadata/resourceVersion").parse().unwrap_or_default()
}

pub(crate) fn labels(object: &Value) -> Option<&Map<String, Value>> {
    object.pointer("/metadata/labels").and_then(Value::as_object)
}

pub(crate) fn annotation<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.pointer("/metadata/annotations").and_then(|a| a.get(name)).and_then(Value::as_str)
}

pub(crate) fn set_annotation(object: &mut Value, name: &str, text: &str) {
    metadata(object).entry("annotations").or_insert_with(|| json!({}))[name] = json!(text);
}

pub(crate) fn set_label(object: &mut Value, name: &str, text: &str) {
    metadata(object).entry("labels").or_insert_with(|| json!({}))[name] = json!(text);
}

/// One of `metadata.labels`, or the empty text.
pub(crate) fn label<'a>(object: &'a Value, name: &str) -> &'a str {
    labels(object).and_then(|labels| labels.get(name)).and_then(Value::as_str).unwrap_or_default()
}

pub(crate) fn is_terminating(object: &Value) -> bool {
    object.pointer("/metadata/deletionTimestamp").is_some()
}

/// `metadata.finalizers`.
pub(crate) fn has_finalizer(object: &Value, finalizer: &str) -> bool {
    items(object, "/metadata/finalizers").iter().any(|f| f == finalizer)
}

pub(crate) fn owners(object: &Value) -> &[Value] {
    items(object, "/metadata/ownerReferences")
}

/// The reference to the owner that controls the object.
pub(crate) fn controller(object: &Value) -> Option<&Value> {
    owners(object).iter().find(|o| o["controller"] == json!(true))
}

/// The reference by which `owner` controls the objects that it creates.
pub(crate) fn controller_reference(owner: &Value) -> Value {
    json!({
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": name(owner),
        "uid": uid(owner),
        "controller": true,
        "blockOwnerDeletion": true,
    })
}

/// The map at `field`, created if missing.
pub(crate) fn object_mut<'a>(object: &'a mut Value, field: &str) -> &'a mut Map<String, Value> {
    if !object.get(field).is_some_and(Value::is_object) {
        object[field] = json!({});
    }
    object[field].as_object_mut().expect("it was just made an object")
}

/// `metadata`, created if missing.
pub(crate) fn metadata(object: &mut Value) -> &mut Map<String, Value> {
    object_mut(object, "metadata")
}

/// Formats a time as the API does: whole seconds, UTC.
pub(crate) fn format_time(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The time at a JSON pointer.
pub(crate) fn time_at(object: &Value, pointer: &str) -> Option<Timestamp> {
    object.pointer(pointer).and_then(Value::as_str).and_then(|t| t.parse().ok())
}

/// The time after a duration, at most the latest that can be represented.
pub(crate) fn saturating_add(moment: Timestamp, duration: jiff::SignedDuration) -> Timestamp {
    moment.checked_add(duration).unwrap_or(Timestamp::MAX)
}
