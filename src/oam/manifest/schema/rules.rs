//! Rules about the fields of one mapping.

use serde_json::{Map, Value};

use crate::oam::manifest::walk::{At, Object, Walk, joined, listed};
use crate::oam::schema::{Rule, Table};

/// Reports each rule that the mapping does not satisfy.
pub(super) fn check_rules(
    walk: &mut Walk<'_>,
    object: &Object<'_>,
    table: &Table,
    values: &Map<String, Value>,
) -> bool {
    let mut good = true;
    for rule in table.rules {
        good &= match rule {
            Rule::ExactlyOne(names) => at_least_one(walk, object, names) && at_most_one(walk, object, names),
            Rule::OneOf { names, none, expected } => {
                let given: Vec<&str> =
                    names.iter().copied().filter(|name| object.get(name).is_some()).collect();
                if given.len() != 1 {
                    let found = if given.is_empty() { (*none).to_owned() } else { listed(&given) };
                    let names = listed(names);
                    walk.refuse(&object.at, format!("found {found}, expected {expected} of {names}"));
                }
                given.len() == 1
            }
            Rule::AtMostOne(names) => at_most_one(walk, object, names),
            Rule::AtLeastOne(names) => at_least_one(walk, object, names),
            Rule::Alone(name) => is_alone(walk, object, name),
            Rule::Needs { field, is, needed } => {
                let applies = values.get(*field).and_then(Value::as_str) == Some(is);
                !applies || has_all(walk, object, field, is, needed)
            }
        };
    }
    good
}

fn at_least_one(walk: &mut Walk<'_>, object: &Object<'_>, names: &[&str]) -> bool {
    if names.iter().any(|name| object.get(name).is_some()) {
        return true;
    }
    walk.refuse(&object.at, format!("missing one of {}", listed(names)));
    false
}

/// Reports the second of several mutually exclusive fields.
fn at_most_one(walk: &mut Walk<'_>, object: &Object<'_>, names: &[&str]) -> bool {
    let mut given = names.iter().filter_map(|name| Some((*name, object.get(name)?)));
    let (Some((first, _)), Some((_, second))) = (given.next(), given.next()) else { return true };
    walk.refuse_with(
        &second,
        format!("cannot be used together with `{first}`"),
        format!("keep one of {}", listed(names)),
    );
    false
}

fn is_alone(walk: &mut Walk<'_>, object: &Object<'_>, name: &str) -> bool {
    if object.get(name).is_none() {
        return true;
    }
    let other = object.entries().find(|(other, _, _)| *other != name).map(|(_, key, _)| key);
    let Some(key) = other else { return true };
    walk.refuse_with(
        &key,
        format!("cannot be used together with `{name}`"),
        format!("move it into the entries of `{name}`, or omit `{name}`"),
    );
    false
}

fn has_all(walk: &mut Walk<'_>, object: &Object<'_>, field: &str, is: &str, needed: &[&str]) -> bool {
    let mut good = true;
    for name in needed.iter().filter(|name| object.get(name).is_none()) {
        let at = At { node: object.at.node, path: joined(&object.at.path, name) };
        walk.refuse(&at, format!("missing, required with `{field}: {is}`"));
        good = false;
    }
    good
}
