//! Comparing and hashing the content of revisions.
//!
//! Only a workload's `spec` counts. A different name, label or annotation is no new revision, and neither are the names
//! of the revision and the application in the pods' labels.

use serde_json::{Map, Value, json};

use crate::oam::hash::hash_json;
use crate::oam::labels;
use crate::oam::object::ObjectRef;
use crate::oam::revision::conceal::remove_last_applied;

/// The maximum number of differences that are listed.
const MAX_DIFFERENCES: usize = 20;

/// The paths where the objects of two revisions differ that are applied as a whole. All fields count.
pub(super) fn object_differences(stored: &[Value], rendered: &[Value]) -> Vec<String> {
    let mut found = Vec::new();
    for rendered in rendered {
        let name = ObjectRef::of(rendered);
        let before = stored.iter().find(|stored| ObjectRef::of(stored) == name);
        let path = name.map_or_else(String::new, |name| name.to_string());
        let before = before.map(comparable_object);
        compare_fields(&path, before.as_ref(), Some(&comparable_object(rendered)), &mut found);
    }
    for stored in stored {
        let name = ObjectRef::of(stored);
        if !rendered.iter().any(|rendered| ObjectRef::of(rendered) == name) {
            add(
                format!("{}: no longer rendered", name.map_or_else(String::new, |name| name.to_string())),
                &mut found,
            );
        }
    }
    found
}

/// An object without the name of its revision and without nulls. Empty values are kept, since they have a meaning in
/// some kinds.
fn comparable_object(object: &Value) -> Value {
    let mut object = object.clone();
    for pointer in ["/metadata/labels", "/spec/template/metadata/labels"] {
        blank_revision(object.pointer_mut(pointer));
    }
    // Revisions recorded by earlier versions contain the annotation.
    remove_last_applied(&mut object);
    without_nulls(object)
}

fn blank_revision(found: Option<&mut Value>) {
    let Some(found) = found.and_then(Value::as_object_mut) else { return };
    for key in [labels::REVISION, labels::APP_REVISION] {
        if let Some(value) = found.get_mut(key) {
            *value = json!("");
        }
    }
}

/// The hash of a workload: FNV-1a with 64 bits over the comparable spec as JSON with sorted keys, as 16
/// hexadecimal digits. Revisions contain it for information; comparisons use their content.
pub(super) fn hash(workload: &Value) -> String {
    hash_json(&comparable(workload))
}

/// Like [`hash`], for objects that are applied as a whole.
pub(super) fn hash_of_objects(objects: &[Value]) -> String {
    hash_json(&objects.iter().map(comparable_object).collect())
}

/// The paths where two workloads' specs differ, with both values; empty if they are the same.
pub(super) fn differences(stored: &Value, rendered: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare("", &comparable(stored), &comparable(rendered), &mut found);
    found
}

/// A workload's spec without the fields that do not count.
fn comparable(workload: &Value) -> Value {
    let mut spec = workload.get("spec").cloned().unwrap_or_default();
    if let Some(fields) = spec.as_object_mut() {
        fields.remove("replicas");
        fields.remove("paused");
    }
    blank_revision(spec.pointer_mut("/template/metadata/labels"));
    // Revisions recorded by earlier versions lack the label. They stay as they are, and so do their pods.
    if let Some(Value::Object(of_pods)) = spec.pointer_mut("/template/metadata/labels") {
        of_pods.remove(labels::NAME);
    }
    without_empties(&MEANT_EMPTY, spec)
}

/// Fields whose empty value has a meaning: a volume's type, and selectors that match everything.
const MEANT_EMPTY: [&str; 3] = ["emptyDir", "labelSelector", "namespaceSelector"];

/// The value without fields that are null, an empty list or an empty object, which mean the same as absent ones, except
/// empty fields named in `meant_empty`. KubeVela stores `hostAliases: []` with every webservice and `lifecycle: {}`
/// with every cloneset-service.
pub(in crate::oam) fn without_empties(meant_empty: &[&str], value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(key, value)| (key, without_empties(meant_empty, value)));
            let is_kept = |(key, value): &(String, Value)| {
                !is_empty(value) || (meant_empty.contains(&key.as_str()) && !value.is_null())
            };
            fields.filter(is_kept).collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.into_iter().map(|item| without_empties(meant_empty, item)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

/// The value without fields that are null.
pub(in crate::oam) fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.into_iter().filter(|(_, value)| !value.is_null());
            fields.map(|(key, value)| (key, without_nulls(value))).collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn compare(path: &str, stored: &Value, rendered: &Value, found: &mut Vec<String>) {
    match (stored, rendered) {
        (Value::Object(old), Value::Object(new)) => {
            let mut keys: Vec<&String> =
                old.keys().chain(new.keys().filter(|key| !old.contains_key(*key))).collect();
            keys.sort();
            for key in keys {
                let plain = key.bytes().all(|byte| byte.is_ascii_alphanumeric());
                let path = match (path.is_empty(), plain) {
                    (true, _) => key.clone(),
                    (false, true) => format!("{path}.{key}"),
                    (false, false) => format!("{path}[{key}]"),
                };
                compare_fields(&path, old.get(key), new.get(key), found);
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            for index in 0..old.len().max(new.len()) {
                compare_fields(&format!("{path}[{index}]"), old.get(index), new.get(index), found);
            }
        }
        (old, new) if old == new => {}
        (old, new) => add(format!("{path}: {} → {}", shown(old), shown(new)), found),
    }
}

fn compare_fields(path: &str, stored: Option<&Value>, rendered: Option<&Value>, found: &mut Vec<String>) {
    match (stored, rendered) {
        (Some(old), Some(new)) => compare(path, old, new, found),
        (Some(old), None) => add(format!("{path}: {} → nothing", shown(old)), found),
        (None, Some(new)) => add(format!("{path}: nothing → {}", shown(new)), found),
        (None, None) => {}
    }
}

fn add(difference: String, found: &mut Vec<String>) {
    match found.len() {
        MAX_DIFFERENCES => found.push("and more".to_owned()),
        0..MAX_DIFFERENCES => found.push(difference),
        _ => {}
    }
}

fn shown(value: &Value) -> String {
    const MAX_CHARACTERS: usize = 120;
    let text = value.as_str().map_or_else(|| value.to_string(), |text| format!("`{text}`"));
    match text.char_indices().nth(MAX_CHARACTERS) {
        None => text,
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
