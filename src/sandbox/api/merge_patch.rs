//! Merge patches, and strategic merge patches as far as workloads need them.
//!
//! They work on plain JSON, and only know which lists are merged by key. See
//! <https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/>.

use serde_json::{Map, Value, json};

use crate::sandbox::object::status_error::StatusError;

/// Applies a merge patch (RFC 7386).
pub(crate) fn merge_patch(object: &Value, patch: &Value) -> Result<Value, StatusError> {
    if !patch.is_object() {
        return Err(StatusError::bad_request("error decoding patch: the patch is not an object"));
    }
    let mut patched = object.clone();
    json_patch::merge(&mut patched, patch);
    Ok(patched)
}

/// Applies a strategic merge patch: like a merge patch, but some lists are merged item by item.
pub(crate) fn strategic_patch(object: &Value, patch: &Value) -> Result<Value, StatusError> {
    let Some(patch) = patch.as_object() else {
        return Err(StatusError::bad_request("error decoding patch: the patch is not an object"));
    };
    let mut patched = object.clone();
    merge_map(&mut patched, patch)?;
    Ok(patched)
}

/// The keys that identify the items of a list; `None` for a list that is replaced as a whole.
pub(crate) fn merge_keys(list: &str, item: &Value) -> Option<&'static [&'static str]> {
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

/// Whether two items have the same key. A strategic merge compares the first key only.
fn same_item(keys: &[&str], one: &Value, other: &Value) -> bool {
    keys.first().is_some_and(|key| one.get(key).is_some() && one.get(key) == other.get(key))
}

fn merge_map(target: &mut Value, patch: &Map<String, Value>) -> Result<(), StatusError> {
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

fn merge_list(name: &str, map: &mut Map<String, Value>, items: &[Value]) -> Result<(), StatusError> {
    if name == "finalizers" {
        let list = map.entry(name.to_owned()).or_insert_with(|| json!([]));
        if let Some(list) = list.as_array_mut() {
            *list = ordered(std::mem::take(list), items.to_vec(), |one, other| one == other);
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
    let mut named = Vec::new();
    for item in items {
        let Some(patch) = item.as_object() else {
            return Err(StatusError::bad_request(format!("invalid item in the list `{name}` of a patch")));
        };
        if !keys.first().is_some_and(|key| patch.contains_key(*key)) {
            return Err(StatusError::unreasoned(format!(
                "map: {} does not contain declared merge key: {}",
                written(item),
                keys.first().unwrap_or(&""),
            )));
        }
        let found = list.iter().position(|own| same_item(keys, own, item));
        if patch.get("$patch") == Some(&json!("delete")) {
            if let Some(at) = found {
                list.remove(at);
            }
            continue;
        }
        let mut merged = found.map_or_else(|| json!({}), |at| list[at].clone());
        merge_map(&mut merged, patch)?;
        named.push(merged);
    }
    *list = ordered(std::mem::take(list), named, |one, other| same_item(keys, one, other));
    Ok(())
}

/// Merges the items that a patch names with those that only the server has. Items that existed keep their order, and
/// new ones come first.
fn ordered(own: Vec<Value>, named: Vec<Value>, same: impl Fn(&Value, &Value) -> bool) -> Vec<Value> {
    let place = |item: &Value| own.iter().position(|own| same(own, item));
    let mut named = named.into_iter().map(|item| (place(&item), item)).collect::<Vec<_>>();
    // The sort is stable, so new items keep the patch's order.
    named.sort_by_key(|(place, _)| *place);
    let mut named = named.into_iter().peekable();
    let mut merged = Vec::new();
    let taken: Vec<usize> = named.clone().filter_map(|(place, _)| place).collect();
    for (at, item) in own.into_iter().enumerate().filter(|(at, _)| !taken.contains(at)) {
        while let Some((_, named)) = named.next_if(|(place, _)| place.is_none_or(|place| place < at)) {
            merged.push(named);
        }
        merged.push(item);
    }
    merged.extend(named.map(|(_, item)| item));
    merged
}

/// Formats a map as Go does.
fn written(item: &Value) -> String {
    let fields = item.as_object().into_iter().flatten();
    let fields = fields.map(|(name, value)| match value {
        Value::String(text) => format!("{name}:{text}"),
        other => format!("{name}:{other}"),
    });
    format!("map[{}]", fields.collect::<Vec<_>>().join(" "))
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
        let env = json!([{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]);
        assert_eq!(patched["spec"]["containers"], json!([{"name": "web", "image": "c", "env": env}]));
    }

    #[test]
    fn added_items_come_first() {
        let patch = json!({"spec": {"containers": [{"name": "new"}]}});
        let patched = strategic_patch(&workload(), &patch).unwrap();
        let names: Vec<&Value> =
            patched["spec"]["containers"].as_array().unwrap().iter().map(|c| &c["name"]).collect();
        assert_eq!(names, ["new", "web", "side"]);
        let patch = json!({"spec": {"containers": [{"name": "side", "image": "c"}]}});
        let patched = strategic_patch(&workload(), &patch).unwrap();
        assert_eq!(patched["spec"]["containers"][1]["image"], "c");
    }

    #[test]
    fn a_merge_patch_replaces_lists() {
        let patch = json!({"spec": {"containers": [{"name": "other"}], "paused": null}});
        let patched = merge_patch(&workload(), &patch).unwrap();
        assert_eq!(patched, json!({"spec": {"containers": [{"name": "other"}]}}));
    }
}
