//! Compares, merges and prunes objects field by field, by the structure of their kind.
//!
//! It stands for `sigs.k8s.io/structured-merge-diff`. It must not know about managers.

use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

use crate::sandbox::object::field_set::{FieldSet, field};
use crate::sandbox::object::kind::Kind;
use crate::sandbox::validation::structure::{Place, Structure, item_step};

/// The differences between two objects.
#[derive(Debug, Clone, Default)]
pub(crate) struct Comparison {
    pub(crate) added: FieldSet,
    pub(crate) modified: FieldSet,
    pub(crate) removed: FieldSet,
}

impl Comparison {
    pub(crate) fn is_empty(&self) -> bool {
        self.added.is_empty() && self.modified.is_empty() && self.removed.is_empty()
    }

    /// Everything that differs.
    pub(crate) fn all(&self) -> FieldSet {
        let mut all = self.touched();
        all.extend(&self.removed);
        all
    }

    /// The fields that the writer of the second object comes to own.
    pub(crate) fn touched(&self) -> FieldSet {
        let mut touched = self.added.clone();
        touched.extend(&self.modified);
        touched
    }

    fn add(&mut self, step: &str, below: Self) {
        self.added.add(step.to_owned(), below.added);
        self.modified.add(step.to_owned(), below.modified);
        self.removed.add(step.to_owned(), below.removed);
    }

    /// The comparison of a node that is compared as a whole.
    fn of_leaf(before: Option<&Value>, after: Option<&Value>) -> Self {
        let mut leaf = Self::default();
        match (before, after) {
            (None, Some(_)) => leaf.added.is_member = true,
            (Some(_), None) => leaf.removed.is_member = true,
            (Some(_), Some(_)) => leaf.modified.is_member = true,
            (None, None) => (),
        }
        leaf
    }
}

pub(crate) fn compare(kind: Kind, before: &Value, after: &Value) -> Comparison {
    fields(Place::root(kind), before.as_object(), after.as_object())
}

fn fields(
    place: Place<'_>,
    before: Option<&Map<String, Value>>,
    after: Option<&Map<String, Value>>,
) -> Comparison {
    let mut found = Comparison::default();
    for (name, after) in after.into_iter().flatten() {
        let before = before.and_then(|map| map.get(name));
        if before != Some(after) {
            found.add(&field(name), value(place, name, before, Some(after)));
        }
    }
    for (name, before) in before.into_iter().flatten() {
        if after.is_none_or(|map| !map.contains_key(name)) {
            found.add(&field(name), value(place, name, Some(before), None));
        }
    }
    found
}

fn value(place: Place<'_>, name: &str, before: Option<&Value>, after: Option<&Value>) -> Comparison {
    let Some(shown) = after.or(before) else { return Comparison::default() };
    // A null is an empty value of the other's type.
    let shown = before.filter(|_| shown.is_null()).unwrap_or(shown);
    let is_alike = before.zip(after).is_none_or(|(before, after)| {
        before.is_null() || after.is_null() || std::mem::discriminant(before) == std::mem::discriminant(after)
    });
    let is_bare = |value: Option<&Value>| {
        value.is_none_or(|value| {
            let is_empty =
                value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty);
            is_empty || value.is_null()
        })
    };
    if !is_alike || (is_bare(before) && is_bare(after)) {
        return Comparison::of_leaf(before, after);
    }
    let mut found = match place.structure(name, shown) {
        Structure::Whole => return Comparison::of_leaf(before, after),
        Structure::Fields(below) => {
            fields(below, before.and_then(Value::as_object), after.and_then(Value::as_object))
        }
        Structure::Items(keys, below) => items(before, after, keys, |before, after| {
            fields(below, before.and_then(Value::as_object), after.and_then(Value::as_object))
        }),
        Structure::WholeItems(keys) => items(before, after, keys, |before, after| match (before, after) {
            (Some(_), Some(_)) => Comparison::of_leaf(before, after),
            _ => Comparison::default(),
        }),
    };
    found.added.is_member |= before.is_none();
    found.removed.is_member |= after.is_none();
    found
}

fn items(
    before: Option<&Value>,
    after: Option<&Value>,
    keys: &[&str],
    below: impl Fn(Option<&Value>, Option<&Value>) -> Comparison,
) -> Comparison {
    let mut found = Comparison::default();
    let before = steps(before, keys);
    let after = steps(after, keys);
    let all: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for step in all {
        let (before, after) = (before.get(step).copied(), after.get(step).copied());
        if before == after {
            continue;
        }
        let mut item = below(before, after);
        item.added.is_member |= before.is_none();
        item.removed.is_member |= after.is_none();
        found.add(step, item);
    }
    found
}

/// The items of a list by their steps. Of several with the same key, the last one counts.
fn steps<'a>(list: Option<&'a Value>, keys: &[&str]) -> BTreeMap<String, &'a Value> {
    let items = list.and_then(Value::as_array).into_iter().flatten();
    items.map(|item| (item_step(keys, item), item)).collect()
}

/// The fields that an applied configuration contains.
pub(crate) fn contained(kind: Kind, configuration: &Value) -> FieldSet {
    contained_fields(Place::root(kind), configuration.as_object())
}

fn contained_fields(place: Place<'_>, map: Option<&Map<String, Value>>) -> FieldSet {
    let mut set = FieldSet::default();
    for (name, value) in map.into_iter().flatten() {
        let mut below = match place.structure(name, value) {
            Structure::Whole => FieldSet::leaf(),
            Structure::Fields(below) => contained_fields(below, value.as_object()),
            Structure::Items(keys, below) => {
                contained_items(value, keys, |item| contained_fields(below, item.as_object()))
            }
            Structure::WholeItems(keys) => contained_items(value, keys, |_| FieldSet::leaf()),
        };
        below.is_member |= value.as_object().is_some_and(Map::is_empty) || !place.declares(name);
        set.add(field(name), below);
    }
    set
}

fn contained_items(list: &Value, keys: &[&str], below: impl Fn(&Value) -> FieldSet) -> FieldSet {
    let mut set = FieldSet::default();
    for item in list.as_array().into_iter().flatten() {
        set.add(item_step(keys, item), FieldSet { is_member: true, ..below(item) });
    }
    set
}

/// A set with every declared field on the way to a member.
pub(crate) fn with_parents(place: Place<'_>, set: &FieldSet) -> FieldSet {
    let mut full = FieldSet { is_member: set.is_member, ..FieldSet::default() };
    for (step, below) in &set.children {
        let below = match step.strip_prefix("f:") {
            Some(name) => {
                let mut deeper = with_parents(place.field(name), below);
                deeper.is_member |= !below.children.is_empty() && place.declares(name);
                deeper
            }
            None => with_parents(place, below),
        };
        full.children.insert(step.clone(), below);
    }
    full
}

/// Merges a configuration into an object.
pub(crate) fn merge(place: Place<'_>, object: &mut Map<String, Value>, configuration: &Map<String, Value>) {
    for (name, value) in configuration.iter().filter(|(_, value)| !value.is_null()) {
        let Some(own) = object.get_mut(name) else {
            object.insert(name.clone(), value.clone());
            continue;
        };
        match (place.structure(name, value), own) {
            (Structure::Fields(below), Value::Object(own)) => {
                if let Some(given) = value.as_object() {
                    merge(below, own, given);
                }
            }
            (Structure::Items(keys, below), Value::Array(own)) => {
                let given = value.as_array().map(Vec::as_slice).unwrap_or_default();
                *own = merge_items(own, given, keys, |own, given| {
                    if let (Some(own), Some(given)) = (own.as_object_mut(), given.as_object()) {
                        merge(below, own, given);
                    }
                });
            }
            (Structure::WholeItems(keys), Value::Array(own)) => {
                let given = value.as_array().map(Vec::as_slice).unwrap_or_default();
                *own = merge_items(own, given, keys, |own, given| given.clone_into(own));
            }
            (_, own) => *own = value.clone(),
        }
    }
}

/// Merges two lists. Items of the configuration keep its order; the others keep their place among them.
fn merge_items(
    own: &[Value],
    given: &[Value],
    keys: &[&str],
    merge: impl Fn(&mut Value, &Value),
) -> Vec<Value> {
    let steps = |list: &[Value]| -> Vec<String> { list.iter().map(|item| item_step(keys, item)).collect() };
    let (own_steps, given_steps) = (steps(own), steps(given));
    let mut shared = given_steps.iter().filter(|step| own_steps.contains(step));
    let mut next_shared = shared.next();
    let mut done: Vec<&String> = Vec::new();
    let mut merged = Vec::new();
    let (mut at, mut from) = (0, 0);
    while at < own.len() || from < given.len() {
        let (here, there) = (own_steps.get(at), given_steps.get(from));
        if let Some(step) = here {
            let is_given = given_steps.contains(step);
            if !is_given {
                merged.push(own[at].clone());
                at += 1;
                continue;
            }
            let is_due = there == Some(step) || next_shared == Some(step);
            if there != Some(step) && (done.contains(&step) || !is_due) {
                at += 1;
                continue;
            }
        }
        let Some(step) = there else { break };
        let mut item = own_steps
            .iter()
            .position(|own| own == step)
            .map_or_else(|| given[from].clone(), |at| own[at].clone());
        merge(&mut item, &given[from]);
        merged.push(item);
        done.push(step);
        if here == there {
            at += 1;
        }
        if next_shared == Some(step) {
            next_shared = shared.next();
        }
        from += 1;
    }
    merged
}

/// Removes the members of a set from an object.
pub(crate) fn remove(place: Place<'_>, object: &mut Map<String, Value>, set: &FieldSet) {
    for (step, below) in &set.children {
        let Some(name) = step.strip_prefix("f:") else { continue };
        if below.is_member {
            object.remove(name);
            continue;
        }
        let Some(value) = object.get_mut(name) else { continue };
        let structure = place.structure(name, value);
        match (structure, &mut *value) {
            (Structure::Fields(deeper), Value::Object(map)) => remove(deeper, map, below),
            (Structure::Items(keys, deeper), Value::Array(items)) => {
                remove_items(items, keys, below, |item, set| {
                    if let Some(map) = item.as_object_mut() {
                        remove(deeper, map, set);
                    }
                });
            }
            (Structure::WholeItems(keys), Value::Array(items)) => remove_items(items, keys, below, |_, _| ()),
            _ => (),
        }
        let is_bare =
            value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty);
        if is_bare {
            object.remove(name);
        }
    }
}

fn remove_items(
    items: &mut Vec<Value>,
    keys: &[&str],
    set: &FieldSet,
    remove: impl Fn(&mut Value, &FieldSet),
) {
    items.retain_mut(|item| match set.children.get(&item_step(keys, item)) {
        Some(below) if below.is_member => false,
        Some(below) => {
            remove(item, below);
            true
        }
        None => true,
    });
}
