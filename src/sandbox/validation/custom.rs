//! Custom resources: what the API server does for kinds that a CustomResourceDefinition describes.
//!
//! It drops unknown fields and nulls, reports wrong types and missing fields by the definition's schema, and sets no
//! defaults. It must not know what the fields mean. See
//! <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema>.

pub(crate) mod cloneset;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

use crate::sandbox::object::field_error::FieldError;
use crate::sandbox::object::kind::Decoded;
use crate::sandbox::validation::fields;
use crate::sandbox::validation::typed;

/// The schema of a value, in the terms of OpenAPI.
pub(crate) enum Schema {
    /// Any value, unknown fields included (`x-kubernetes-preserve-unknown-fields`).
    Unstructured,
    Text,
    Integer,
    Boolean,
    IntOrString,
    /// A map of strings.
    StringMap,
    Array(&'static Self),
    Object(&'static [Field]),
}

/// A field of an object.
pub(crate) struct Field {
    name: &'static str,
    schema: Schema,
    presence: Presence,
}

/// Whether a field is required.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    Required,
    Optional,
}

const fn optional(name: &'static str, schema: Schema) -> Field {
    Field { name, schema, presence: Presence::Optional }
}

const fn required(name: &'static str, schema: Schema) -> Field {
    Field { name, schema, presence: Presence::Required }
}

/// Decodes the metadata and drops unknown fields of `spec` and `status`.
fn check(mut object: Value, parts: &[Field]) -> Result<Decoded, String> {
    let given = object.clone();
    let metadata = object["metadata"].take();
    let metadata = typed::check::<ObjectMeta>(metadata)?.object;
    if let Some(map) = object.as_object_mut() {
        map.retain(|name, _| ["apiVersion", "kind"].contains(&name.as_str()) || known(parts, name).is_some());
        for (name, value) in map.iter_mut() {
            if let Some(field) = known(parts, name) {
                prune(&field.schema, value);
            }
        }
        map.insert("metadata".to_owned(), metadata);
    }
    let unknown = fields::unknown(&given, &object);
    Ok(Decoded { object, unknown })
}

fn known<'a>(fields: &'a [Field], name: &str) -> Option<&'a Field> {
    fields.iter().find(|field| field.name == name)
}

fn prune(schema: &Schema, value: &mut Value) {
    match (schema, value) {
        (Schema::Object(fields), Value::Object(map)) => {
            // A null is the same as a missing field.
            map.retain(|name, value| known(fields, name).is_some() && !value.is_null());
            for (name, value) in map.iter_mut() {
                if let Some(field) = known(fields, name) {
                    prune(&field.schema, value);
                }
            }
        }
        (Schema::Array(item), Value::Array(items)) => items.iter_mut().for_each(|value| prune(item, value)),
        _ => (),
    }
}

/// The errors in fields of an object found at `path`.
fn schema_errors(path: &str, fields: &[Field], object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for field in fields {
        let path = if path.is_empty() { field.name.to_owned() } else { format!("{path}.{}", field.name) };
        match object.get(field.name) {
            Some(value) => errors.extend(value_errors(&path, &field.schema, value)),
            None if field.presence == Presence::Required => errors.push(FieldError::required(path, "")),
            None => (),
        }
    }
    errors
}

fn value_errors(path: &str, schema: &Schema, value: &Value) -> Vec<FieldError> {
    match (schema, value) {
        (Schema::Unstructured, _)
        | (Schema::Text, Value::String(_))
        | (Schema::Boolean, Value::Bool(_))
        | (Schema::IntOrString, Value::String(_)) => Vec::new(),
        (Schema::Integer | Schema::IntOrString, Value::Number(number)) if number.is_i64() => Vec::new(),
        (Schema::StringMap, Value::Object(map)) => map
            .iter()
            .flat_map(|(name, value)| value_errors(&format!("{path}.{name}"), &Schema::Text, value))
            .collect(),
        (Schema::Array(item), Value::Array(items)) => items
            .iter()
            .enumerate()
            .flat_map(|(at, value)| value_errors(&format!("{path}[{at}]"), item, value))
            .collect(),
        (Schema::Object(fields), Value::Object(_)) => schema_errors(path, fields, value),
        _ => vec![mistyped(path, schema, value)],
    }
}

fn mistyped(path: &str, schema: &Schema, value: &Value) -> FieldError {
    let wanted = match schema {
        Schema::Unstructured => "object",
        Schema::Text => "string",
        Schema::Integer => "integer",
        Schema::Boolean => "boolean",
        Schema::IntOrString => "integer,string",
        Schema::StringMap | Schema::Object(_) => "object",
        Schema::Array(_) => "array",
    };
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_i64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let detail = format!("{path} in body must be of type {wanted}: \"{found}\"");
    FieldError::mistyped(path, &json!(found), &detail)
}
