//! Reading a value by its declaration in [`crate::oam::schema`].
//!
//! Decides how a value that does not fit its declaration is reported. The result contains only the declared fields,
//! with defaults filled in.

mod rules;

use std::ops::RangeInclusive;

use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value, json};

use crate::oam::application::Release;
use crate::oam::manifest::names;
use crate::oam::manifest::node::{Node, NodeValue};
use crate::oam::manifest::problem::{nearest, quoted};
use crate::oam::manifest::walk::{At, Object, Walk, in_range, joined, listed};
use crate::oam::quantity::{is_quantity, likely_quantity};
use crate::oam::schema::{Field, Grammar, Literal, Presence, Shape, Table, Undeclared};

/// The default of the API server's `--service-node-port-range`.
const NODE_PORTS: RangeInclusive<i64> = 30_000..=32_767;

/// Reads a shape into a type with its fields; `None` if it is invalid.
pub(super) fn read_as<T: DeserializeOwned>(walk: &mut Walk<'_>, at: &At<'_>, shape: &Shape) -> Option<T> {
    let value = read_shape(walk, at, shape)?;
    typed(walk, at, value)
}

/// Converts a value that has been read into a type with its fields.
pub(super) fn typed<T: DeserializeOwned>(walk: &mut Walk<'_>, at: &At<'_>, value: Value) -> Option<T> {
    serde_json::from_value(value).map_err(|error| walk.refuse(at, format!("invalid value: {error}"))).ok()
}

/// Reads a mapping by its table; `None` if it is invalid.
pub(super) fn read_table(walk: &mut Walk<'_>, at: &At<'_>, table: &Table) -> Option<Value> {
    if !matches!(at.node.value, NodeValue::Map(_)) {
        walk.mismatch(at, table.expected);
        return None;
    }
    let object = walk.object(at)?;
    let mut values = Map::new();
    let mut good = report_undeclared(walk, &object, table, &mut values);
    for field in table.fields {
        match read_field(walk, &object, field) {
            Some(value) => values.extend(value.map(|value| (field.name.to_owned(), value))),
            None => good = false,
        }
    }
    good &= rules::check_rules(walk, &object, table, &values);
    good.then_some(Value::Object(values))
}

/// Reads a value by its shape; `None` if it is invalid.
pub(super) fn read_shape(walk: &mut Walk<'_>, at: &At<'_>, shape: &Shape) -> Option<Value> {
    match shape {
        Shape::Text => walk.text(at, "a string").map(|text| json!(text)),
        Shape::Checked(grammar) => walk.checked(at, *grammar).map(|text| json!(text)),
        Shape::Secret(grammar) => read_secret(walk, at, *grammar),
        Shape::Choice(words) => {
            let words: Vec<(&str, &str)> = words.iter().map(|word| (*word, *word)).collect();
            walk.choice(at, &words).map(|word| json!(word))
        }
        Shape::ObjectName => read_object_name(walk, at),
        Shape::Integer { noun, least, most } => {
            walk.integer(at, *least..=*most, noun).map(|number| json!(number))
        }
        Shape::NodePort => {
            let port: i64 = walk.integer(at, 1..=65_535, "a port")?;
            if !NODE_PORTS.contains(&port) {
                let (least, most) = (NODE_PORTS.start(), NODE_PORTS.end());
                walk.warn(
                    at,
                    format!(
                        "ports on nodes are from {least} to {most}, unless the cluster has another range"
                    ),
                );
            }
            Some(json!(port))
        }
        Shape::Boolean => walk.boolean(at).map(|value| json!(value)),
        Shape::Quantity(examples) => read_quantity(walk, at, examples).map(|quantity| json!(quantity)),
        Shape::Nullable(_) if at.node.value == NodeValue::Null => Some(Value::Null),
        Shape::Nullable(of) => read_shape(walk, at, of),
        Shape::List { of, expected } => {
            walk.list_of(at, expected, |walk, item| read_shape(walk, item, of)).map(Value::Array)
        }
        Shape::Map { of, keys, expected } => read_map(walk, at, of, *keys, expected),
        Shape::Filled { of, expected } => {
            let value = read_shape(walk, at, of)?;
            if value == "" || value == json!([]) {
                walk.mismatch(at, expected);
                return None;
            }
            Some(value)
        }
        Shape::Object(table) => read_table(walk, at, table),
        Shape::Typed(types) => {
            let table = read_type(walk, at, types)?;
            read_table(walk, at, table)
        }
        Shape::Any => read_any(walk, at),
        Shape::AnyObject if matches!(at.node.value, NodeValue::Map(_)) => read_any(walk, at),
        Shape::AnyObject => {
            walk.mismatch(at, "a mapping");
            None
        }
    }
}

/// Reads a declared field: `Some(None)` if it is absent, and `None` if it is wrong.
pub(super) fn read_field(walk: &mut Walk<'_>, object: &Object<'_>, field: &Field) -> Option<Option<Value>> {
    let keeps_null = matches!(field.shape, Shape::Nullable(_) | Shape::Any);
    let found = if keeps_null { object.find(field.name) } else { object.get(field.name) };
    if let Some(at) = found {
        if let Some(instead) = field.deprecated {
            walk.warn(&at, format!("deprecated, use {instead}"));
        }
        return read_shape(walk, &at, &field.shape).map(Some);
    }
    match field.presence {
        Presence::Optional => Some(None),
        Presence::Default(literal) => Some(Some(default_of(&field.shape, literal))),
        Presence::Required => {
            let expected = field.missing.map_or_else(|| in_words(&field.shape), str::to_owned);
            walk.required(object, field.name, &expected);
            None
        }
    }
}

/// Reports the fields that are not declared, and keeps those of a mapping that is copied whole.
fn report_undeclared(
    walk: &mut Walk<'_>,
    object: &Object<'_>,
    table: &Table,
    values: &mut Map<String, Value>,
) -> bool {
    let known: Vec<&str> = table.fields.iter().map(|field| field.name).collect();
    let advice_of = |list: &[(&str, &'static str)], name: &str| {
        list.iter().find(|(other, _)| *other == name).map(|(_, advice)| *advice)
    };
    let mut good = true;
    for (name, key, value) in object.entries().filter(|(name, _, _)| !known.contains(name)) {
        let (unsupported, advice) = (advice_of(table.unsupported, name), advice_of(table.advice, name));
        let is_refused = match table.undeclared {
            Undeclared::Refused => true,
            Undeclared::ByRelease => walk.release() == Release::InBatches,
            Undeclared::Ignored => false,
            Undeclared::Kept => {
                if let Some(similar) = nearest(name, known.iter().copied()) {
                    walk.warn(&key, format!("unknown field; did you mean `{similar}`?"));
                }
                let value = read_any(walk, &value);
                good &= value.is_some();
                values.extend(value.map(|value| (name.to_owned(), value)));
                continue;
            }
        };
        match unsupported {
            Some(reason) if is_refused => walk.refuse_with(&key, "not supported", reason),
            _ if is_refused => walk.refuse_field(&key, name, &known, advice),
            reason => walk.ignore_field(&key, name, &known, reason.or(advice)),
        }
        // A component with ignored fields is checked further.
        good &= table.undeclared != Undeclared::Refused;
    }
    good
}

fn read_map(walk: &mut Walk<'_>, at: &At<'_>, of: &Shape, keys: Grammar, expected: &str) -> Option<Value> {
    if !matches!(at.node.value, NodeValue::Map(_)) {
        walk.mismatch(at, expected);
        return None;
    }
    let object = walk.object(at)?;
    let mut values = Map::new();
    let mut good = true;
    for (name, key, value) in object.entries() {
        if !(keys.accepts)(name) {
            walk.refuse(&key, format!("found {}, expected {}", quoted(name), keys.expected));
            good = false;
        }
        match read_shape(walk, &value, of) {
            Some(value) => {
                values.insert(name.to_owned(), value);
            }
            None => good = false,
        }
    }
    good.then_some(Value::Object(values))
}

/// A string that messages must not quote: it may be a password, and messages end up in logs.
fn read_secret(walk: &mut Walk<'_>, at: &At<'_>, grammar: Grammar) -> Option<Value> {
    let (found, hint) = match &at.node.value {
        NodeValue::Text(text) if (grammar.accepts)(text) => return Some(json!(text)),
        NodeValue::Text(_) => ("a string", None),
        NodeValue::Bool(_) => ("a boolean", Some("put it in quotes")),
        NodeValue::Int(_) | NodeValue::Float(_) => ("a number", Some("put it in quotes")),
        NodeValue::Null | NodeValue::List(_) | NodeValue::Map(_) => {
            walk.mismatch(at, grammar.expected);
            return None;
        }
    };
    let hint = hint.filter(|_| (grammar.accepts)(walk.raw(at.node))).map(str::to_owned);
    walk.report(at, format!("found {found}, expected {}", grammar.expected), hint);
    None
}

/// The name of an object outside the manifest.
fn read_object_name(walk: &mut Walk<'_>, at: &At<'_>) -> Option<Value> {
    let name = at.node.as_text().filter(|name| !name.is_empty() && !names::is_subdomain(name));
    if let (Release::AsAWhole, Some(name)) = (walk.release(), name) {
        walk.warn(at, format!("no object can be named `{name}`: pods will wait for it"));
        return Some(json!(name));
    }
    walk.checked(at, names::SUBDOMAIN).map(|name| json!(name))
}

/// The table of a mapping's type.
fn read_type<'t>(walk: &mut Walk<'_>, at: &At<'_>, types: &'t [(&str, Table)]) -> Option<&'t Table> {
    let Some(node) = at.node.field("type") else { return types.last().map(|(_, table)| table) };
    let tables: Vec<(&str, &Table)> = types.iter().map(|(name, table)| (*name, table)).collect();
    walk.choice(&At { node, path: joined(&at.path, "type") }, &tables)
}

/// A quantity, as a string or a number.
fn read_quantity(walk: &mut Walk<'_>, at: &At<'_>, examples: &str) -> Option<String> {
    let expected = format!("a quantity of 0 or more such as {examples}");
    // Keeps the number's spelling if that is a quantity: `1e3` stays `1e3`. Some YAML numbers, such as `0x10`, are not.
    let spelt = Some(walk.raw(at.node).to_owned()).filter(|raw| is_quantity(raw));
    let text = match &at.node.value {
        NodeValue::Text(text) => text.clone(),
        NodeValue::Int(number) => spelt.unwrap_or_else(|| number.to_string()),
        NodeValue::Float(number) => spelt.unwrap_or_else(|| number.to_string()),
        NodeValue::Null | NodeValue::Bool(_) | NodeValue::List(_) | NodeValue::Map(_) => {
            walk.mismatch(at, &expected);
            return None;
        }
    };
    if is_quantity(&text) {
        return Some(text);
    }
    let hint = likely_quantity(&text).map(|likely| format!("did you mean `{likely}`?"));
    walk.report(at, format!("found {}, expected {expected}", quoted(&text)), hint);
    None
}

/// Any value as JSON.
pub(super) fn read_any(walk: &mut Walk<'_>, at: &At<'_>) -> Option<Value> {
    match &at.node.value {
        NodeValue::Null
        | NodeValue::Bool(_)
        | NodeValue::Text(_)
        | NodeValue::Int(_)
        | NodeValue::Float(_) => Some(plain(at.node)),
        NodeValue::List(_) => walk.list_of(at, "a list", read_any).map(Value::Array),
        NodeValue::Map(_) => {
            let object = walk.object(at)?;
            let mut values = Map::new();
            let mut good = true;
            for (name, _, value) in object.entries() {
                match read_any(walk, &value) {
                    Some(value) => {
                        values.insert(name.to_owned(), value);
                    }
                    None => good = false,
                }
            }
            good.then_some(Value::Object(values))
        }
    }
}

/// A scalar as JSON. The parser has read numbers beyond 64 bits as floats, and other scalars as strings.
fn plain(node: &Node) -> Value {
    match &node.value {
        NodeValue::Bool(value) => json!(value),
        NodeValue::Text(text) => json!(text),
        NodeValue::Int(number) => {
            let small = i64::try_from(*number).map(Number::from);
            let number = small.or_else(|_| u64::try_from(*number).map(Number::from));
            number.map_or(Value::Null, Value::Number)
        }
        NodeValue::Float(number) => match node.value.whole() {
            Some(whole) => json!(whole),
            None => Number::from_f64(*number).map_or(Value::Null, Value::Number),
        },
        NodeValue::Null | NodeValue::List(_) | NodeValue::Map(_) => Value::Null,
    }
}

fn default_of(shape: &Shape, literal: Literal) -> Value {
    match literal {
        Literal::Text(text) => json!(text),
        Literal::Integer(number) => json!(number),
        Literal::Boolean(value) => json!(value),
        Literal::Texts(texts) => json!(texts),
        Literal::EmptyMap => json!({}),
        Literal::Filled => filled(shape),
    }
}

/// The defaults of an object's fields.
fn filled(shape: &Shape) -> Value {
    let Shape::Object(table) = shape else { return json!({}) };
    let defaults = table.fields.iter().filter_map(|field| match field.presence {
        Presence::Default(literal) => Some((field.name.to_owned(), default_of(&field.shape, literal))),
        Presence::Required | Presence::Optional => None,
    });
    Value::Object(defaults.collect())
}

/// Describes a shape in messages.
fn in_words(shape: &Shape) -> String {
    match shape {
        Shape::Text => "a string".to_owned(),
        Shape::Checked(grammar) | Shape::Secret(grammar) => grammar.expected.to_owned(),
        Shape::Choice(words) => format!("one of {}", listed(words)),
        Shape::ObjectName => names::SUBDOMAIN.expected.to_owned(),
        Shape::Integer { noun, least, most } => in_range(noun, least, most),
        Shape::NodePort => in_range("a port", 1, 65_535),
        Shape::Boolean => "true or false".to_owned(),
        Shape::Quantity(examples) => format!("a quantity of 0 or more such as {examples}"),
        Shape::Nullable(of) | Shape::Filled { of, .. } => in_words(of),
        Shape::List { expected, .. } | Shape::Map { expected, .. } => (*expected).to_owned(),
        Shape::Object(table) => table.expected.to_owned(),
        Shape::Any => "a value".to_owned(),
        Shape::AnyObject | Shape::Typed(_) => "a mapping".to_owned(),
    }
}

#[cfg(test)]
mod tests;
