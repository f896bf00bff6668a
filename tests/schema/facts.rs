//! Facts that a schema promises and that a document shows, in the same form: that a field has a value or a type.
//!
//! Fields of events are distinguished by kind: each kind whose `progress` may be null promises this separately.

use std::collections::BTreeSet;

use serde_json::Value;

/// The facts that a schema promises about fields: each value of an enumeration, each type, and an item in each list.
pub(crate) fn promised(schema: &Value) -> BTreeSet<String> {
    let mut facts = BTreeSet::new();
    promise(schema, schema, "", &mut facts);
    for one in schema["oneOf"].as_array().into_iter().flatten() {
        let kind = one["properties"]["event"]["const"].as_str().unwrap();
        promise(one, schema, kind, &mut facts);
    }
    facts
}

fn promise(schema: &Value, root: &Value, path: &str, facts: &mut BTreeSet<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = root.pointer(reference.trim_start_matches('#')).unwrap();
        promise(target, root, path, facts);
    }
    for one in schema["anyOf"].as_array().into_iter().flatten() {
        promise(one, root, path, facts);
    }
    let values = schema["enum"].as_array().into_iter().flatten().chain(schema.get("const"));
    facts.extend(values.map(|value| has(path, value)));
    let types = match &schema["type"] {
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect::<Vec<_>>(),
    };
    for name in types {
        match name {
            "boolean" => facts.extend([true, false].map(|value| has(path, &Value::Bool(value)))),
            "integer" => drop(facts.insert(is(path, "number"))),
            name => drop(facts.insert(is(path, name))),
        }
    }
    for (key, property) in schema["properties"].as_object().into_iter().flatten() {
        promise(property, root, &format!("{path}.{key}"), facts);
    }
    if let Some(items) = schema.get("items") {
        promise(items, root, &format!("{path}[]"), facts);
    }
}

/// The facts that a document shows.
pub(crate) fn shown(document: &Value) -> BTreeSet<String> {
    let mut facts = BTreeSet::new();
    show(document, "", &mut facts);
    if let Some(kind) = document["event"].as_str() {
        show(document, kind, &mut facts);
    }
    facts
}

fn show(value: &Value, path: &str, facts: &mut BTreeSet<String>) {
    let name = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    facts.insert(is(path, name));
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(key, field)| show(field, &format!("{path}.{key}"), facts));
        }
        Value::Array(items) => items.iter().for_each(|item| show(item, &format!("{path}[]"), facts)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            facts.insert(has(path, value));
        }
    }
}

fn is(path: &str, name: &str) -> String {
    format!("{path} is {name}")
}

fn has(path: &str, value: &Value) -> String {
    format!("{path} = {value}")
}
