//! Rules of metadata, for objects of every kind.
//!
//! See <https://kubernetes.io/docs/concepts/overview/working-with-objects/names/>.

use serde_json::{Value, json};

use super::{IMMUTABLE, names};
use crate::sandbox::object::field_error::{FieldError, GoSyntax};
use crate::sandbox::object::kind::{Kind, NameRule};
use crate::sandbox::object::meta;

/// The errors in metadata of a new object.
pub(crate) fn on_create(kind: Kind, object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let name = meta::name(object);
    let prefix = meta::text(object, "/metadata/generateName");
    let probed = format!("{prefix}x");
    if name.is_empty() {
        errors.push(FieldError::required("metadata.name", "name or generateName is required"));
    } else if let Some(rule) = names::name(kind.names, &probed).filter(|_| !prefix.is_empty()) {
        errors.push(FieldError::invalid("metadata.generateName", &json!(prefix), rule));
    } else if let Some(rule) = names::name(kind.names, name) {
        errors.push(FieldError::invalid("metadata.name", &json!(name), rule));
    }
    if !meta::namespace(object).is_empty()
        && let Some(rule) = names::name(NameRule::Label, meta::namespace(object))
    {
        errors.push(FieldError::invalid("metadata.namespace", &json!(meta::namespace(object)), rule));
    }
    errors.extend(shared(object));
    errors
}

/// The errors in metadata of an object that replaces `before`.
pub(crate) fn on_update(object: &Value, before: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for field in ["name", "namespace", "uid"] {
        let (given, found) = (&object["metadata"][field], &before["metadata"][field]);
        if given != found {
            errors.push(FieldError::invalid(format!("metadata.{field}"), given, IMMUTABLE));
        }
    }
    if meta::is_terminating(before) {
        let known = meta::items(before, "/metadata/finalizers");
        let added = meta::items(object, "/metadata/finalizers").iter().filter(|f| !known.contains(f));
        let added: Vec<String> = added.map(Value::to_string).collect();
        if !added.is_empty() {
            let detail = format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                added.join(", ")
            );
            errors.push(FieldError::forbidden("metadata.finalizers", &detail));
        }
    }
    errors.extend(shared(object));
    errors
}

fn shared(object: &Value) -> Vec<FieldError> {
    let mut errors = names::labels("metadata.labels", meta::labels(object));
    let annotations = object.pointer("/metadata/annotations").and_then(Value::as_object);
    errors.extend(names::annotations("metadata.annotations", annotations));
    errors.extend(owners(meta::owners(object)));
    errors.extend(names::finalizers("metadata.finalizers", meta::items(object, "/metadata/finalizers")));
    errors
}

fn owners(owners: &[Value]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for owner in owners {
        for (field, detail) in [
            ("apiVersion", "version must not be empty"),
            ("kind", "must not be empty"),
            ("name", "must not be empty"),
            ("uid", "must not be empty"),
        ] {
            if meta::text(owner, &format!("/{field}")).is_empty() {
                errors.push(FieldError::invalid(
                    format!("metadata.ownerReferences.{field}"),
                    &json!(""),
                    detail,
                ));
            }
        }
    }
    let mut controllers = owners.iter().filter(|owner| owner["controller"] == true);
    if let (Some(one), Some(other)) = (controllers.next(), controllers.next()) {
        let called = |owner: &Value| format!("{}/{}", meta::text(owner, "/kind"), meta::text(owner, "/name"));
        let detail = format!(
            "Only one reference can have Controller set to true. Found \"true\" in references for {} and {}",
            called(one),
            called(other)
        );
        errors.push(FieldError::invalid("metadata.ownerReferences", &in_order(owners), &detail));
    }
    errors
}

/// References as the server prints them, with their fields in its order.
fn in_order(owners: &[Value]) -> GoSyntax {
    let fields = ["apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion"];
    let one = |owner: &Value| {
        let given = fields.iter().filter_map(|field| Some(format!("\"{field}\":{}", owner.get(*field)?)));
        format!("{{{}}}", given.collect::<Vec<_>>().join(","))
    };
    GoSyntax(format!("[{}]", owners.iter().map(one).collect::<Vec<_>>().join(",")))
}
