//! Rules of the kinds without pods: ConfigMaps, ControllerRevisions and Leases.

use serde_json::{Value, json};

use super::{IMMUTABLE, NOT_NEGATIVE, names};
use crate::sandbox::object::field_error::FieldError;
use crate::sandbox::object::meta;

pub(crate) fn config_map(object: &Value, before: Option<&Value>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let fixed = before.filter(|before| before["immutable"] == json!(true));
    for field in ["immutable", "data", "binaryData"] {
        if fixed.is_some_and(|before| before.get(field) != object.get(field)) {
            errors.push(FieldError::forbidden(field, "field is immutable when `immutable` is set"));
        }
    }
    for part in ["data", "binaryData"] {
        for key in object.get(part).and_then(Value::as_object).into_iter().flatten().map(|(key, _)| key) {
            if let Some(rule) = names::config_key(key) {
                errors.push(FieldError::invalid(format!("{part}[{key}]"), &json!(key), rule));
            }
            if part == "data" && object.pointer("/binaryData").is_some_and(|data| data.get(key).is_some()) {
                let detail = "duplicate of key present in binaryData";
                errors.push(FieldError::invalid(format!("data[{key}]"), &json!(key), detail));
            }
        }
    }
    errors
}

pub(crate) fn controller_revision(object: &Value, before: Option<&Value>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if let Some(before) = before
        && before.get("data") != object.get("data")
    {
        errors.push(FieldError::invalid("data", &object["data"], IMMUTABLE));
    }
    match object.get("data") {
        None | Some(Value::Null) => errors.push(FieldError::required("data", "data is mandatory")),
        Some(Value::Object(_)) => (),
        Some(_) => errors.push(FieldError::required("data", "data must be a valid JSON object")),
    }
    if meta::number(object, "/revision") < 0 {
        errors.push(FieldError::invalid("revision", &object["revision"], NOT_NEGATIVE));
    }
    errors
}

pub(crate) fn lease(object: &Value, _before: Option<&Value>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (field, least, detail) in
        [("leaseDurationSeconds", 1, "must be greater than 0"), ("leaseTransitions", 0, NOT_NEGATIVE)]
    {
        let value = &object["spec"][field];
        if value.as_i64().is_some_and(|v| v < least) {
            errors.push(FieldError::invalid(format!("spec.{field}"), value, detail));
        }
    }
    errors
}
