//! Reading a value by its declaration in [`crate::oam::schema`].
//!
//! Decides how a value that does not fit its declaration is reported. What comes out has the declared fields
//! alone, with the defaults filled in.

mod rules;

use serde_json::{Map, Number, Value, json};

use crate::oam::manifest::node::{Node, NodeValue};
use crate::oam::manifest::problem::{did_you_mean, nearest, quoted};
use crate::oam::manifest::properties::read_quantity;
use crate::oam::manifest::walk::{At, Object, Walk, listed};
use crate::oam::schema::{Field, Grammar, Literal, Presence, Shape, Table, Undeclared};

/// Reads a mapping by its table; `None` where something is wrong with it.
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
            Read::Absent => {}
            Read::Value(value) => {
                values.insert(field.name.to_owned(), value);
            }
            Read::Wrong => good = false,
        }
    }
    good &= rules::check_rules(walk, &object, table, &values);
    good.then_some(Value::Object(values))
}

/// Reads a value by its shape; `None` where something is wrong with it.
pub(super) fn read_shape(walk: &mut Walk<'_>, at: &At<'_>, shape: &Shape) -> Option<Value> {
    match shape {
        Shape::Text => walk.text(at, "a string").map(|text| json!(text)),
        Shape::Checked(Grammar { expected, accepts }) => {
            walk.checked(at, expected, *accepts).map(|text| json!(text))
        }
        Shape::Secret(grammar) => read_secret(walk, at, *grammar),
        Shape::Choice(words) => {
            let words: Vec<(&str, &str)> = words.iter().map(|word| (*word, *word)).collect();
            walk.choice(at, &words).map(|word| json!(word))
        }
        Shape::Integer { least, most } => read_integer(walk, at, *least, *most).map(|number| json!(number)),
        Shape::Boolean => walk.boolean(at).map(|value| json!(value)),
        Shape::Quantity(examples) => read_quantity(walk, at, examples).map(|quantity| json!(quantity)),
        Shape::Nullable(_) if at.node.value == NodeValue::Null => Some(Value::Null),
        Shape::Nullable(of) => read_shape(walk, at, of),
        Shape::List { of, expected } => {
            let items = walk.list(at, expected)?;
            let read: Vec<Option<Value>> = items.iter().map(|item| read_shape(walk, item, of)).collect();
            read.into_iter().collect::<Option<Vec<Value>>>().map(Value::Array)
        }
        Shape::Map { of, keys, expected } => read_map(walk, at, of, *keys, expected),
        Shape::Object(table) => read_table(walk, at, table),
        Shape::Any => read_any(walk, at),
        Shape::AnyObject if matches!(at.node.value, NodeValue::Map(_)) => read_any(walk, at),
        Shape::AnyObject => {
            walk.mismatch(at, "a mapping");
            None
        }
    }
}

/// What became of a declared field.
enum Read {
    Absent,
    Value(Value),
    Wrong,
}

fn read_field(walk: &mut Walk<'_>, object: &Object<'_>, field: &Field) -> Read {
    let keeps_null = matches!(field.shape, Shape::Nullable(_) | Shape::Any);
    let found = if keeps_null { object.find(field.name) } else { object.get(field.name) };
    if let Some(at) = found {
        if let Some(instead) = field.deprecated {
            walk.warn(&at, format!("deprecated, use {instead}"));
        }
        return read_shape(walk, &at, &field.shape).map_or(Read::Wrong, Read::Value);
    }
    match field.presence {
        Presence::Optional => Read::Absent,
        Presence::Default(literal) => Read::Value(default_of(&field.shape, literal)),
        Presence::Required => {
            walk.required(object, field.name, &in_words(&field.shape));
            Read::Wrong
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
    let mut good = true;
    for (name, key, value) in object.entries() {
        if known.contains(&name) {
            continue;
        }
        let advice = table.advice.iter().find(|(other, _)| *other == name).map(|(_, advice)| *advice);
        let similar = nearest(name, known.iter().copied());
        match table.undeclared {
            Undeclared::Refused => {
                let hint = advice
                    .map(str::to_owned)
                    .or_else(|| did_you_mean(name, known.iter().copied()))
                    .or_else(|| Some(format!("known fields: {}", listed(&known))));
                walk.report(&key, "unknown field".to_owned(), hint);
                good = false;
            }
            Undeclared::Ignored => {
                let advice = match (advice, similar) {
                    (Some(advice), _) => advice.to_owned(),
                    (None, Some(similar)) => format!("did you mean `{similar}`?"),
                    (None, None) if known.is_empty() => "it takes no fields".to_owned(),
                    (None, None) => format!("known fields: {}", listed(&known)),
                };
                walk.warn(&key, format!("unknown field, ignored; {advice}"));
            }
            Undeclared::Kept => {
                if let Some(similar) = similar {
                    walk.warn(&key, format!("unknown field; did you mean `{similar}`?"));
                }
                match read_any(walk, &value) {
                    Some(value) => {
                        values.insert(name.to_owned(), value);
                    }
                    None => good = false,
                }
            }
        }
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

/// A string that is not quoted: it may be a password, and messages end up in logs.
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

/// A whole number; `8080.0` is one too.
fn read_integer(walk: &mut Walk<'_>, at: &At<'_>, least: i64, most: i64) -> Option<i64> {
    let range = least..=most;
    let found = match &at.node.value {
        NodeValue::Int(number) => i64::try_from(*number).ok(),
        #[expect(clippy::cast_possible_truncation, reason = "a whole number this small is exact")]
        NodeValue::Float(number) if number.fract() == 0.0 && number.abs() < 1e15 => Some(*number as i64),
        NodeValue::Null
        | NodeValue::Bool(_)
        | NodeValue::Float(_)
        | NodeValue::Text(_)
        | NodeValue::List(_)
        | NodeValue::Map(_) => None,
    };
    let found = found.filter(|number| range.contains(number));
    if found.is_none() {
        let is_in_range = |text: &&str| text.parse().is_ok_and(|number: i64| range.contains(&number));
        let hint = at.node.as_text().filter(is_in_range);
        let hint = hint.map(|text| format!("did you mean {text}, without quotes?"));
        let message = format!("found {}, expected {}", walk.found(at.node), in_range(least, most));
        walk.report(at, message, hint);
    }
    found
}

/// Any value as JSON.
pub(super) fn read_any(walk: &mut Walk<'_>, at: &At<'_>) -> Option<Value> {
    match &at.node.value {
        NodeValue::Null
        | NodeValue::Bool(_)
        | NodeValue::Text(_)
        | NodeValue::Int(_)
        | NodeValue::Float(_) => Some(plain(at.node)),
        NodeValue::List(_) => {
            let items = walk.list(at, "a list")?;
            let read: Vec<Option<Value>> = items.iter().map(|item| read_any(walk, item)).collect();
            read.into_iter().collect::<Option<Vec<Value>>>().map(Value::Array)
        }
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

/// A scalar as JSON. The parser reads what is no 64-bit number as a float, and what is no number as a string.
fn plain(node: &Node) -> Value {
    match &node.value {
        NodeValue::Bool(value) => json!(value),
        NodeValue::Text(text) => json!(text),
        NodeValue::Int(number) => {
            let small = i64::try_from(*number).map(Number::from);
            let number = small.or_else(|_| u64::try_from(*number).map(Number::from));
            number.map_or(Value::Null, Value::Number)
        }
        // As in YAML that is read for Kubernetes, `2.0` is an integer.
        #[expect(clippy::cast_possible_truncation, reason = "a whole number this small is exact")]
        NodeValue::Float(number) if number.fract() == 0.0 && number.abs() < 1e15 => json!(*number as i64),
        NodeValue::Float(number) => Number::from_f64(*number).map_or(Value::Null, Value::Number),
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

fn in_range(least: i64, most: i64) -> String {
    if least == most { least.to_string() } else { format!("an integer from {least} to {most}") }
}

/// What a shape is, in words.
fn in_words(shape: &Shape) -> String {
    match shape {
        Shape::Text => "a string".to_owned(),
        Shape::Checked(grammar) | Shape::Secret(grammar) => grammar.expected.to_owned(),
        Shape::Choice(words) => format!("one of {}", listed(words)),
        Shape::Integer { least, most } => in_range(*least, *most),
        Shape::Boolean => "true or false".to_owned(),
        Shape::Quantity(examples) => format!("a quantity of 0 or more such as {examples}"),
        Shape::Nullable(of) => in_words(of),
        Shape::List { expected, .. } | Shape::Map { expected, .. } => (*expected).to_owned(),
        Shape::Object(table) => table.expected.to_owned(),
        Shape::Any => "a value".to_owned(),
        Shape::AnyObject => "a mapping".to_owned(),
    }
}

#[cfg(test)]
mod tests;
