//! Fields that several parts of a manifest have: labels, annotations, and parts that have to be empty.

use std::collections::BTreeMap;

use crate::oam::manifest::names;
use crate::oam::manifest::node::NodeValue;
use crate::oam::manifest::problem::quoted;
use crate::oam::manifest::walk::{Object, Walk};

/// A mapping of labels; empty where there is none.
pub(super) fn read_labels(
    walk: &mut Walk<'_>,
    object: &Object<'_>,
    field: &str,
) -> Option<BTreeMap<String, String>> {
    read_strings(walk, object, field, names::LABEL_VALUE, names::is_label_value)
}

/// A mapping of annotations; empty where there is none.
pub(super) fn read_annotations(
    walk: &mut Walk<'_>,
    object: &Object<'_>,
    field: &str,
) -> Option<BTreeMap<String, String>> {
    read_strings(walk, object, field, "a string", |_| true)
}

fn read_strings(
    walk: &mut Walk<'_>,
    object: &Object<'_>,
    field: &str,
    expected: &str,
    check: fn(&str) -> bool,
) -> Option<BTreeMap<String, String>> {
    let Some(at) = object.get(field) else { return Some(BTreeMap::new()) };
    let map = walk.object(&at)?;
    let mut strings = BTreeMap::new();
    let mut good = true;
    for (name, key, value) in map.entries() {
        if !names::is_key(name) {
            walk.refuse(&key, format!("found {}, expected {}", quoted(name), names::KEY));
            good = false;
        }
        match walk.checked(&value, expected, check) {
            Some(text) => {
                strings.insert(name.to_owned(), text.to_owned());
            }
            None => good = false,
        }
    }
    good.then_some(strings)
}

/// Refuses a part that is not supported, unless it says nothing.
pub(super) fn refuse_filled(walk: &mut Walk<'_>, object: &Object<'_>, field: &str, advice: &str) {
    let Some(at) = object.get(field) else { return };
    let is_empty = match &at.node.value {
        NodeValue::List(items) => items.is_empty(),
        NodeValue::Map(entries) => entries.is_empty(),
        NodeValue::Null
        | NodeValue::Bool(_)
        | NodeValue::Int(_)
        | NodeValue::Float(_)
        | NodeValue::Text(_) => false,
    };
    if !is_empty {
        walk.refuse_with(&at, "not supported", advice);
    }
}
