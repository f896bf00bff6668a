//! Custom resources: what the API server does for kinds that a definition describes.
//!
//! It drops fields that the definition's schema does not know and nulls, complains about wrong types and missing
//! fields, and fills in nothing. It must not know what the fields mean.

pub(crate) mod cloneset;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

use crate::sandbox::object::field_error::Problem;
use crate::sandbox::object::kind::Checked;
use crate::sandbox::validation::strict;
use crate::sandbox::validation::typed;

/// What a value may look like.
pub(crate) enum Schema {
    /// Whatever a client writes, fields that nobody knows included.
    Anything,
    Text,
    Number,
    Switch,
    NumberOrText,
    /// Any names, with texts.
    Texts,
    List(&'static Self),
    Fields(&'static [Field]),
}

/// A field of an object.
pub(crate) struct Field {
    name: &'static str,
    schema: Schema,
    needed: Needed,
}

/// Whether an object is refused without a field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needed {
    Yes,
    No,
}

const fn may(name: &'static str, schema: Schema) -> Field {
    Field { name, schema, needed: Needed::No }
}

const fn must(name: &'static str, schema: Schema) -> Field {
    Field { name, schema, needed: Needed::Yes }
}

/// Checks what all objects have in common and drops unknown fields of `spec` and `status`.
fn check(mut object: Value, parts: &[Field]) -> Result<Checked, String> {
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
    let unknown = strict::unknown(&given, &object);
    Ok(Checked { object, unknown })
}

fn known<'a>(fields: &'a [Field], name: &str) -> Option<&'a Field> {
    fields.iter().find(|field| field.name == name)
}

fn prune(schema: &Schema, value: &mut Value) {
    match (schema, value) {
        (Schema::Fields(fields), Value::Object(map)) => {
            // A null says no more than a field that is not there.
            map.retain(|name, value| known(fields, name).is_some() && !value.is_null());
            for (name, value) in map.iter_mut() {
                if let Some(field) = known(fields, name) {
                    prune(&field.schema, value);
                }
            }
        }
        (Schema::List(item), Value::Array(items)) => items.iter_mut().for_each(|value| prune(item, value)),
        _ => (),
    }
}

/// Complaints about the fields of an object found at `path`.
fn complaints(path: &str, fields: &[Field], object: &Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    for field in fields {
        let path = if path.is_empty() { field.name.to_owned() } else { format!("{path}.{}", field.name) };
        match object.get(field.name) {
            Some(value) => problems.extend(misfits(&path, &field.schema, value)),
            None if field.needed == Needed::Yes => problems.push(Problem::required(path, "")),
            None => (),
        }
    }
    problems
}

fn misfits(path: &str, schema: &Schema, value: &Value) -> Vec<Problem> {
    match (schema, value) {
        (Schema::Anything, _)
        | (Schema::Text, Value::String(_))
        | (Schema::Switch, Value::Bool(_))
        | (Schema::NumberOrText, Value::String(_)) => Vec::new(),
        (Schema::Number | Schema::NumberOrText, Value::Number(number)) if number.is_i64() => Vec::new(),
        (Schema::Texts, Value::Object(map)) => map
            .iter()
            .flat_map(|(name, value)| misfits(&format!("{path}.{name}"), &Schema::Text, value))
            .collect(),
        (Schema::List(item), Value::Array(items)) => items
            .iter()
            .enumerate()
            .flat_map(|(at, value)| misfits(&format!("{path}[{at}]"), item, value))
            .collect(),
        (Schema::Fields(fields), Value::Object(_)) => complaints(path, fields, value),
        _ => vec![mistyped(path, schema, value)],
    }
}

fn mistyped(path: &str, schema: &Schema, value: &Value) -> Problem {
    let wanted = match schema {
        Schema::Anything => "object",
        Schema::Text => "string",
        Schema::Number => "integer",
        Schema::Switch => "boolean",
        Schema::NumberOrText => "integer,string",
        Schema::Texts | Schema::Fields(_) => "object",
        Schema::List(_) => "array",
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
    Problem::mistyped(path, &json!(found), &detail)
}
