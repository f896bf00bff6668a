//! The patch formats: JSON patch, merge patch, and strategic merge as far as workloads need it.
//!
//! They work on plain JSON and must not know what an object means, except which lists are merged by key.

use json_patch::{PatchErrorKind, PatchOperation};
use serde_json::{Map, Value, json};

use super::failure::Failure;

/// More operations than this are refused, as the API server does.
const MOST_OPERATIONS: usize = 10_000;

/// Applies a JSON patch (RFC 6902).
pub(super) fn json_patch(object: &Value, patch: &Value) -> Result<Value, Failure> {
    let operations: Vec<PatchOperation> = serde_json::from_value(patch.clone())
        .map_err(|e| Failure::bad_request(format!("error decoding patch: {e}")))?;
    if operations.len() > MOST_OPERATIONS {
        return Err(Failure::bad_request(format!(
            "The allowed maximum operations in a JSON patch is {MOST_OPERATIONS}, got {}",
            operations.len()
        )));
    }
    let mut patched = object.clone();
    for operation in &operations {
        let Err(error) = json_patch::patch(&mut patched, std::slice::from_ref(operation)) else { continue };
        // The server's library takes a missing value for null when it tests.
        let null = matches!(operation, PatchOperation::Test(test) if test.value.is_null());
        if !(null && matches!(error.kind, PatchErrorKind::InvalidPointer)) {
            return Err(Failure::patch_refused());
        }
    }
    Ok(patched)
}

/// Applies a merge patch (RFC 7386).
pub(super) fn merge_patch(object: &Value, patch: &Value) -> Result<Value, Failure> {
    if !patch.is_object() {
        return Err(Failure::bad_request("error decoding patch: the patch is not an object"));
    }
    let mut patched = object.clone();
    json_patch::merge(&mut patched, patch);
    Ok(patched)
}

/// Applies a strategic merge patch: as a merge patch, but some lists are merged item by item.
pub(super) fn strategic_patch(object: &Value, patch: &Value) -> Result<Value, Failure> {
    let Some(patch) = patch.as_object() else {
        return Err(Failure::bad_request("error decoding patch: the patch is not an object"));
    };
    let mut patched = object.clone();
    merge_map(&mut patched, patch)?;
    Ok(patched)
}

/// The keys by which the items of a list are told apart, where they are.
pub(super) fn merge_keys(list: &str, item: &Value) -> Option<&'static [&'static str]> {
    let keys: &[&str] = match list {
        "containers" | "initContainers" | "env" | "volumes" | "imagePullSecrets" => &["name"],
        "volumeMounts" => &["mountPath"],
        "ports" if item.get("containerPort").is_some() => &["containerPort", "protocol"],
        "ports" => &["port", "protocol"],
        "conditions" => &["type"],
        "ownerReferences" => &["uid"],
        "hostAliases" => &["ip"],
        "topologySpreadConstraints" => &["topologyKey", "whenUnsatisfiable"],
        _ => return None,
    };
    Some(keys)
}

/// Whether two items are the same by the list's keys. A strategic merge looks at the first key only.
fn same_item(keys: &[&str], one: &Value, other: &Value) -> bool {
    keys.first().is_some_and(|key| one.get(key).is_some() && one.get(key) == other.get(key))
}

fn merge_map(target: &mut Value, patch: &Map<String, Value>) -> Result<(), Failure> {
    match patch.get("$patch").and_then(Value::as_str) {
        Some("replace") => {
            let mut replaced = patch.clone();
            replaced.remove("$patch");
            *target = Value::Object(replaced);
            return Ok(());
        }
        Some("delete") => {
            *target = json!({});
            return Ok(());
        }
        _ => (),
    }
    if !target.is_object() {
        *target = json!({});
    }
    let Some(map) = target.as_object_mut() else { return Ok(()) };
    let retained = patch.get("$retainKeys").and_then(Value::as_array);
    if let Some(retained) = retained {
        map.retain(|name, _| retained.iter().any(|r| r == name.as_str()));
    }
    for (name, value) in patch {
        if name == "$patch" || name == "$retainKeys" || name.starts_with("$setElementOrder/") {
            continue;
        }
        if let Some(list) = name.strip_prefix("$deleteFromPrimitiveList/") {
            let gone = value.as_array().cloned().unwrap_or_default();
            if let Some(items) = map.get_mut(list).and_then(Value::as_array_mut) {
                items.retain(|item| !gone.contains(item));
            }
            continue;
        }
        match value {
            Value::Null => drop(map.remove(name)),
            Value::Object(inner) => merge_map(map.entry(name.clone()).or_insert_with(|| json!({})), inner)?,
            Value::Array(items) => merge_list(name, map, items)?,
            plain => drop(map.insert(name.clone(), plain.clone())),
        }
    }
    Ok(())
}

fn merge_list(name: &str, map: &mut Map<String, Value>, items: &[Value]) -> Result<(), Failure> {
    if name == "finalizers" {
        let list = map.entry(name.to_owned()).or_insert_with(|| json!([]));
        if let Some(list) = list.as_array_mut() {
            let new: Vec<Value> = items.iter().filter(|item| !list.contains(item)).cloned().collect();
            list.extend(new);
        }
        return Ok(());
    }
    let replaced = items.iter().any(|item| {
        item.get("$patch") == Some(&json!("replace")) && item.as_object().is_some_and(|m| m.len() == 1)
    });
    let keys = items.first().and_then(|item| merge_keys(name, item));
    let (Some(keys), false) = (keys, replaced) else {
        let kept: Vec<Value> = items.iter().filter(|item| item.get("$patch").is_none()).cloned().collect();
        map.insert(name.to_owned(), Value::Array(kept));
        return Ok(());
    };
    let list = map.entry(name.to_owned()).or_insert_with(|| json!([]));
    let Some(list) = list.as_array_mut() else { return Ok(()) };
    for item in items {
        let Some(patch) = item.as_object() else {
            return Err(Failure::bad_request(format!("invalid item in the list `{name}` of a patch")));
        };
        if !keys.first().is_some_and(|key| patch.contains_key(*key)) {
            let message = format!("map: {item} does not contain declared merge key: {}", keys.join(", "));
            return Err(Failure::bad_request(message));
        }
        let found = list.iter().position(|own| same_item(keys, own, item));
        if patch.get("$patch") == Some(&json!("delete")) {
            if let Some(at) = found {
                list.remove(at);
            }
            continue;
        }
        match found {
            Some(at) => merge_map(&mut list[at], patch)?,
            None => {
                let mut new = json!({});
                merge_map(&mut new, patch)?;
                list.push(new);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workload() -> Value {
        json!({"spec": {"containers": [
            {"name": "web", "image": "a", "env": [{"name": "A", "value": "1"}]},
            {"name": "side", "image": "b"},
        ]}})
    }

    #[test]
    fn strategic_merge_goes_by_container_name() {
        let patch = json!({"spec": {"containers": [
            {"name": "side", "$patch": "delete"},
            {"name": "web", "image": "c", "env": [{"name": "B", "value": "2"}]},
        ]}});
        let patched = strategic_patch(&workload(), &patch).unwrap();
        let env = json!([{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]);
        assert_eq!(patched["spec"]["containers"], json!([{"name": "web", "image": "c", "env": env}]));
    }

    #[test]
    fn a_merge_patch_replaces_lists() {
        let patch = json!({"spec": {"containers": [{"name": "other"}], "paused": null}});
        let patched = merge_patch(&workload(), &patch).unwrap();
        assert_eq!(patched, json!({"spec": {"containers": [{"name": "other"}]}}));
    }

    #[test]
    fn a_failed_test_changes_nothing_and_names_nothing() {
        let patch = json!([{"op": "test", "path": "/spec/containers/0/image", "value": "z"}]);
        let failure = json_patch(&workload(), &patch).unwrap_err();
        assert_eq!(failure.code, 422);
        assert_eq!(failure.message(), "the server rejected our request due to an error in our request");
    }

    #[test]
    fn a_missing_value_passes_for_null() {
        let patch = json!([{"op": "test", "path": "/spec/paused", "value": null}]);
        assert_eq!(json_patch(&workload(), &patch).unwrap(), workload());
    }
}
