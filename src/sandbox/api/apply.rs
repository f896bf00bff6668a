//! Server-side apply: a configuration merged into the live object, with field ownership.
//!
//! `managedFields` records what each manager applied, so that a field that a manager drops is removed unless another
//! manager applied it too. Only appliers are recorded; the API server records all writers. See
//! <https://kubernetes.io/docs/reference/using-api/server-side-apply/>.

use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

use crate::sandbox::api::merge_patch::merge_keys;
use crate::sandbox::object::meta;
use crate::sandbox::object::status_error::StatusError;

/// The steps from the root to a field: `f:spec`, `k:{"name":"web"}`.
type Path = Vec<String>;

/// Who applies, and whether it takes over fields of others.
pub(crate) struct Applier<'a> {
    pub(crate) manager: &'a str,
    pub(crate) force: Force,
    pub(crate) time: String,
}

/// What happens to fields that another manager applied with another value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Force {
    Refuse,
    TakeOver,
}

/// Merges the applied configuration into the live object. The manager owns what it wrote, empty values
/// included.
pub(crate) fn apply(
    live: &Value,
    configuration: &Value,
    written: &Value,
    applier: &Applier<'_>,
) -> Result<Value, StatusError> {
    let applied = owned_paths(written);
    let mut others: Vec<(String, BTreeSet<Path>)> = Vec::new();
    let mut dropped: BTreeSet<Path> = BTreeSet::new();
    for entry in meta::items(live, "/metadata/managedFields").iter().filter(|e| e["operation"] == "Apply") {
        let mut paths = BTreeSet::new();
        decode(&entry["fieldsV1"], &mut Vec::new(), &mut paths);
        let manager = meta::text(entry, "/manager");
        if manager == applier.manager {
            dropped = paths.difference(&applied).cloned().collect();
        } else {
            others.push((manager.to_owned(), paths));
        }
    }
    let mut conflicts = Vec::new();
    for (manager, paths) in &mut others {
        for path in applied.intersection(&paths.clone()) {
            // Several managers may own the existence of an item; only its fields can conflict.
            let is_item = path.last().is_some_and(|step| step.starts_with("k:"));
            if !is_item && value_at(live, path) != value_at(configuration, path) {
                conflicts.push((manager.clone(), display_path(path)));
                paths.remove(path);
            }
        }
    }
    if !conflicts.is_empty() && applier.force == Force::Refuse {
        return Err(StatusError::apply_conflict(&conflicts));
    }
    let mut merged = live.clone();
    for path in &dropped {
        let is_persistent = |paths: &BTreeSet<Path>| paths.iter().any(|kept| kept.starts_with(path));
        if !is_persistent(&applied) && !others.iter().any(|(_, paths)| is_persistent(paths)) {
            remove_at(&mut merged, path);
        }
    }
    merge(&mut merged, configuration);
    record(&mut merged, live, applier, &applied, &others);
    Ok(merged)
}

/// Merges without regard to owners: maps by field, keyed lists by item; everything else is replaced.
fn merge(target: &mut Value, configuration: &Value) {
    let (Some(map), Some(fields)) = (target.as_object_mut(), configuration.as_object()) else {
        *target = configuration.clone();
        return;
    };
    for (name, value) in fields {
        if value.is_null() {
            continue;
        }
        let Some(own) = map.get_mut(name) else {
            map.insert(name.clone(), value.clone());
            continue;
        };
        match (own.as_array_mut(), value.as_array()) {
            (Some(list), Some(items)) if items.iter().all(|item| merge_keys(name, item).is_some()) => {
                for item in items {
                    let step = item_step(name, item);
                    match list.iter().position(|own| item_step(name, own) == step) {
                        Some(at) => merge(&mut list[at], item),
                        None => list.push(item.clone()),
                    }
                }
            }
            _ => merge(own, value),
        }
    }
}

fn owned_paths(configuration: &Value) -> BTreeSet<Path> {
    let mut configuration = configuration.clone();
    if let Some(map) = configuration.as_object_mut() {
        map.remove("apiVersion");
        map.remove("kind");
        map.remove("status");
    }
    for field in
        ["name", "namespace", "uid", "resourceVersion", "creationTimestamp", "managedFields", "generation"]
    {
        meta::metadata(&mut configuration).remove(field);
    }
    let mut paths = BTreeSet::new();
    collect(&configuration, &mut Vec::new(), &mut paths);
    paths.remove(&vec!["f:metadata".to_owned()]);
    paths
}

/// Maps that are owned as a whole (`x-kubernetes-map-type: atomic`).
const ATOMIC_MAPS: [&str; 7] = [
    "selector",
    "labelSelector",
    "nodeSelector",
    "secretKeyRef",
    "configMapKeyRef",
    "fieldRef",
    "resourceFieldRef",
];

fn collect(value: &Value, path: &mut Path, paths: &mut BTreeSet<Path>) {
    let Some(map) = value.as_object().filter(|map| !map.is_empty()) else {
        if !path.is_empty() {
            paths.insert(path.clone());
        }
        return;
    };
    for (name, value) in map.iter().filter(|(_, value)| !value.is_null()) {
        path.push(format!("f:{name}"));
        let items = value.as_array().filter(|items| !items.is_empty());
        match items.filter(|items| items.iter().all(|item| merge_keys(name, item).is_some())) {
            Some(items) => {
                for item in items {
                    path.push(item_step(name, item));
                    paths.insert(path.clone());
                    collect(item, path, paths);
                    path.pop();
                }
            }
            None if ATOMIC_MAPS.contains(&name.as_str()) => drop(paths.insert(path.clone())),
            None => collect(value, path, paths),
        }
        path.pop();
    }
}

fn item_step(list: &str, item: &Value) -> String {
    let mut key = Map::new();
    for field in merge_keys(list, item).unwrap_or_default() {
        let missing = if *field == "protocol" { json!("TCP") } else { Value::Null };
        key.insert((*field).to_owned(), item.get(*field).cloned().unwrap_or(missing));
    }
    format!("k:{}", Value::Object(key))
}

/// The index of the item that a step names, zero-based.
fn position(list: &str, items: &[Value], step: &str) -> Option<usize> {
    items.iter().position(|item| item_step(list, item) == step)
}

fn value_at<'a>(object: &'a Value, path: &[String]) -> Option<&'a Value> {
    let (mut value, mut list) = (object, "");
    for step in path {
        value = match step.strip_prefix("f:") {
            Some(name) => {
                list = name;
                value.get(name)?
            }
            None => {
                let items = value.as_array()?;
                &items[position(list, items, step)?]
            }
        };
    }
    Some(value)
}

/// Removes a field, and the maps and lists that it leaves empty.
fn remove_at(object: &mut Value, path: &[String]) {
    remove_below(object, "", path);
}

fn remove_below(value: &mut Value, list: &str, path: &[String]) {
    let Some((step, rest)) = path.split_first() else { return };
    let is_empty =
        |v: &Value| v.as_object().is_some_and(Map::is_empty) || v.as_array().is_some_and(Vec::is_empty);
    match step.strip_prefix("f:") {
        Some(name) => {
            let Some(map) = value.as_object_mut() else { return };
            let Some(inner) = map.get_mut(name) else { return };
            remove_below(inner, name, rest);
            if rest.is_empty() || is_empty(inner) {
                map.remove(name);
            }
        }
        None => {
            let Some(items) = value.as_array_mut() else { return };
            let Some(at) = position(list, items, step) else { return };
            remove_below(&mut items[at], "", rest);
            if rest.is_empty() {
                items.remove(at);
            }
        }
    }
}

/// A path as messages write it: `.spec.containers[name="web"].image`.
fn display_path(path: &[String]) -> String {
    let mut text = String::new();
    for step in path {
        match step.strip_prefix("f:") {
            Some(name) => {
                text.push('.');
                text.push_str(name);
            }
            None => {
                let key: Map<String, Value> =
                    step.strip_prefix("k:").and_then(|k| serde_json::from_str(k).ok()).unwrap_or_default();
                let parts: Vec<String> = key.iter().map(|(name, value)| format!("{name}={value}")).collect();
                text.push_str(&format!("[{}]", parts.join(",")));
            }
        }
    }
    text
}

fn decode(fields: &Value, path: &mut Path, paths: &mut BTreeSet<Path>) {
    for (step, inner) in fields.as_object().into_iter().flatten() {
        if step == "." {
            paths.insert(path.clone());
            continue;
        }
        path.push(step.clone());
        if inner.as_object().is_none_or(Map::is_empty) {
            paths.insert(path.clone());
        }
        decode(inner, path, paths);
        path.pop();
    }
}

fn encode(paths: &BTreeSet<Path>) -> Value {
    let mut fields = json!({});
    for path in paths {
        let mut at = &mut fields;
        for step in path {
            at = &mut at[step.as_str()];
            if !at.is_object() {
                *at = json!({});
            }
        }
        if path.last().is_some_and(|step| step.starts_with("k:")) {
            at["."] = json!({});
        }
    }
    fields
}

fn record(
    merged: &mut Value,
    live: &Value,
    applier: &Applier<'_>,
    applied: &BTreeSet<Path>,
    others: &[(String, BTreeSet<Path>)],
) {
    let api_version = merged["apiVersion"].clone();
    let entry = |manager: &str, paths: &BTreeSet<Path>| {
        let fields = encode(paths);
        let before = meta::items(live, "/metadata/managedFields")
            .iter()
            .find(|e| e["manager"] == manager && e["operation"] == "Apply" && e["fieldsV1"] == fields);
        before.cloned().unwrap_or_else(|| {
            json!({
                "manager": manager,
                "operation": "Apply",
                "apiVersion": api_version,
                "time": applier.time,
                "fieldsType": "FieldsV1",
                "fieldsV1": fields,
            })
        })
    };
    let mut entries: Vec<Value> = others
        .iter()
        .filter(|(_, paths)| !paths.is_empty())
        .map(|(manager, paths)| entry(manager, paths))
        .collect();
    entries.push(entry(applier.manager, applied));
    let updates =
        meta::items(live, "/metadata/managedFields").iter().filter(|e| e["operation"] != "Apply").cloned();
    entries.extend(updates);
    meta::metadata(merged).insert("managedFields".to_owned(), Value::Array(entries));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(manager: &'static str, force: Force) -> Applier<'static> {
        Applier { manager, force, time: "2026-01-01T00:00:00Z".to_owned() }
    }

    fn apply(live: &Value, configuration: &Value, applier: &Applier<'_>) -> Result<Value, StatusError> {
        super::apply(live, configuration, configuration, applier)
    }

    fn config(data: &Value) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data})
    }

    #[test]
    fn dropped_fields_are_removed_and_foreign_fields_stay() {
        let live = apply(
            &config(&json!({"foreign": "1"})),
            &config(&json!({"a": "1", "b": "2"})),
            &by("me", Force::Refuse),
        )
        .unwrap();
        let live = apply(&live, &config(&json!({"a": "3"})), &by("me", Force::Refuse)).unwrap();
        assert_eq!(live["data"], json!({"foreign": "1", "a": "3"}));
    }

    #[test]
    fn fields_of_another_applier_are_taken_by_force_only() {
        let live =
            apply(&config(&json!({})), &config(&json!({"a": "1"})), &by("one", Force::Refuse)).unwrap();
        let failure = apply(&live, &config(&json!({"a": "2"})), &by("two", Force::Refuse)).unwrap_err();
        assert_eq!(failure.message(), "Apply failed with 1 conflict: conflict with \"one\": .data.a");
        let live = apply(&live, &config(&json!({"a": "2"})), &by("two", Force::TakeOver)).unwrap();
        assert_eq!(live["data"], json!({"a": "2"}));
    }

    #[test]
    fn reapplying_changes_nothing() {
        let applied = config(&json!({"a": "1"}));
        let once = apply(&config(&json!({})), &applied, &by("me", Force::Refuse)).unwrap();
        assert_eq!(apply(&once, &applied, &by("me", Force::Refuse)).unwrap(), once);
    }
}
