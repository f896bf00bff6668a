//! PersistentVolumeClaims: defaults and rules.
//!
//! See <https://kubernetes.io/docs/concepts/storage/persistent-volumes/#persistentvolumeclaims>.

use serde_json::{Value, json};

use super::defaulting::{default as set, default_status};
use super::names;
use crate::sandbox::object::field_error::FieldError;
use crate::sandbox::object::kind::NameRule;
use crate::sandbox::object::{meta, quantity};

/// The finalizer that keeps a claim while a pod uses it.
pub(crate) const PROTECTION: &str = "kubernetes.io/pvc-protection";

pub(crate) fn default(object: &mut Value) {
    set(meta::object_mut(object, "spec"), "volumeMode", json!("Filesystem"));
    default_status(object, json!({"phase": "Pending"}));
}

/// Protects a new claim from deletion while it is in use.
pub(crate) fn protect(object: &mut Value, before: Option<&Value>) {
    if before.is_none() && !meta::has_finalizer(object, PROTECTION) {
        let finalizers = meta::metadata(object).entry("finalizers").or_insert_with(|| json!([]));
        if let Some(finalizers) = finalizers.as_array_mut() {
            finalizers.push(json!(PROTECTION));
        }
    }
}

pub(crate) fn validate(object: &Value, before: Option<&Value>) -> Vec<FieldError> {
    let spec = &object["spec"];
    let mut errors = Vec::new();
    let modes = meta::items(spec, "/accessModes");
    if modes.is_empty() {
        errors.push(FieldError::required("spec.accessModes", "at least 1 access mode is required"));
    }
    let known = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
    for mode in modes.iter().filter(|mode| !known.iter().any(|known| *mode == known)) {
        errors.push(FieldError::unsupported("spec.accessModes", mode, &known));
    }
    let storage = meta::text(spec, "/resources/requests/storage");
    if storage.is_empty() {
        errors.push(FieldError::required("spec.resources[storage]", ""));
    } else if quantity::nanos(storage).is_none_or(|amount| amount <= 0) {
        errors.push(FieldError::invalid(
            "spec.resources[storage]",
            &json!(storage),
            "must be greater than zero",
        ));
    }
    let class = meta::text(spec, "/storageClassName");
    if let Some(rule) = names::name(NameRule::Subdomain, class).filter(|_| !class.is_empty()) {
        errors.push(FieldError::invalid("spec.storageClassName", &json!(class), rule));
    }
    let modes = ["Block", "Filesystem"];
    if !modes.contains(&meta::text(spec, "/volumeMode")) {
        errors.push(FieldError::unsupported("spec.volumeMode", &spec["volumeMode"], &modes));
    }
    if before.is_some_and(|before| fixed(before, before) != fixed(object, before)) {
        let detail = "spec is immutable after creation except resources.requests and volumeAttributesClassName \
                      for bound claims";
        errors.push(FieldError::forbidden("spec", detail));
    }
    errors
}

/// The immutable fields of a claim's spec. The name of the volume and the class are mutable while `before` lacks them.
fn fixed(object: &Value, before: &Value) -> Value {
    let mut spec = object["spec"].clone();
    if let Some(map) = spec.as_object_mut() {
        map.remove("volumeAttributesClassName");
        for field in ["volumeName", "storageClassName"] {
            if before["spec"].get(field).is_none() {
                map.remove(field);
            }
        }
    }
    if meta::text(before, "/status/phase") == "Bound" {
        spec["resources"] = Value::Null;
    }
    spec
}
