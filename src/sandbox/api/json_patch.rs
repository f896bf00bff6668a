//! JSON patch (RFC 6902) as the API server's library implements it, which is laxer than the standard:
//! `replace` sets a field that a map does not have, and a missing field passes a `test` for null.
//!
//! It works on plain JSON. As with the server, failures have no reason.

use serde_json::Value;

use crate::sandbox::object::status_error::StatusError;

/// The API server's limit on the number of operations.
const MAX_OPERATIONS: usize = 10_000;

pub(crate) fn apply(object: &Value, patch: &Value) -> Result<Value, StatusError> {
    let operations = patch.as_array().filter(|operations| operations.iter().all(Value::is_object));
    let Some(operations) = operations else {
        return Err(StatusError::bad_request("error decoding patch: it is not a list of operations"));
    };
    if operations.len() > MAX_OPERATIONS {
        return Err(StatusError::too_many_operations(MAX_OPERATIONS, operations.len()));
    }
    let mut patched = object.clone();
    for operation in operations {
        act(&mut patched, operation).ok_or_else(StatusError::patch_refused)?;
    }
    Ok(patched)
}

/// Warnings about unknown members of operations.
pub(crate) fn unknown(patch: &Value) -> Vec<String> {
    let mut complaints = Vec::new();
    for (at, operation) in patch.as_array().into_iter().flatten().enumerate() {
        for (name, _) in operation.as_object().into_iter().flatten() {
            if !["op", "path", "from", "value"].contains(&name.as_str()) {
                complaints.push(format!("json patch unknown field \"[{at}].{name}\""));
            }
        }
    }
    complaints
}

/// Applies one operation; `None` if it is impossible.
fn act(object: &mut Value, operation: &Value) -> Option<()> {
    let path = operation.get("path")?.as_str()?;
    let value = || operation.get("value").cloned().unwrap_or_default();
    match operation.get("op")?.as_str()? {
        "add" => add(object, path, value()),
        "remove" => remove(object, path).map(drop),
        "replace" if path.is_empty() => {
            *object = Some(value()).filter(|value| value.is_object() || value.is_array())?;
            Some(())
        }
        "replace" => {
            let (holder, key) = holder(object, path)?;
            match holder {
                Value::Array(items) => *items.get_mut(index(&key)?)? = value(),
                map => drop(map.as_object_mut()?.insert(key, value())),
            }
            Some(())
        }
        "move" => {
            let value = remove(object, operation.get("from")?.as_str()?)?;
            add(object, path, value)
        }
        "copy" => {
            let value = get(object, operation.get("from")?.as_str()?)?;
            add(object, path, value)
        }
        "test" if path.is_empty() => (*object == value()).then_some(()),
        "test" => (get(object, path)? == value()).then_some(()),
        _ => None,
    }
}

/// The map or list that contains the value at a path, and its key in it.
fn holder<'a>(object: &'a mut Value, path: &str) -> Option<(&'a mut Value, String)> {
    let (parent, key) = path.rsplit_once('/')?;
    let holder = object.pointer_mut(parent)?;
    let is_holder = holder.is_object() || holder.is_array();
    is_holder.then(|| (holder, key.replace("~1", "/").replace("~0", "~")))
}

/// The value at a path; null if a map does not have it.
fn get(object: &mut Value, path: &str) -> Option<Value> {
    let (holder, key) = holder(object, path)?;
    match holder {
        Value::Array(items) => items.get(index(&key)?).cloned(),
        map => Some(map.get(&key).cloned().unwrap_or_default()),
    }
}

fn add(object: &mut Value, path: &str, value: Value) -> Option<()> {
    let (holder, key) = holder(object, path)?;
    match holder {
        Value::Array(items) if key == "-" => items.push(value),
        Value::Array(items) => {
            let at = index(&key).filter(|at| *at <= items.len())?;
            items.insert(at, value);
        }
        map => drop(map.as_object_mut()?.insert(key, value)),
    }
    Some(())
}

fn remove(object: &mut Value, path: &str) -> Option<Value> {
    let (holder, key) = holder(object, path)?;
    match holder {
        Value::Array(items) => {
            let at = index(&key).filter(|at| *at < items.len())?;
            Some(items.remove(at))
        }
        map => map.as_object_mut()?.remove(&key),
    }
}

fn index(key: &str) -> Option<usize> {
    key.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn patched(operation: &Value) -> Option<Value> {
        let object = json!({"map": {"a": 1}, "list": ["x", "y"]});
        apply(&object, &json!([operation])).ok()
    }

    #[test]
    fn operations_behave_as_in_the_servers_library() {
        let whole = |map: Value, list: Value| Some(json!({"map": map, "list": list}));
        let xy = || json!(["x", "y"]);
        for (operation, expected) in [
            (json!({"op": "add", "path": "/map/b", "value": 2}), whole(json!({"a": 1, "b": 2}), xy())),
            (
                json!({"op": "add", "path": "/list/-", "value": "z"}),
                whole(json!({"a": 1}), json!(["x", "y", "z"])),
            ),
            (
                json!({"op": "add", "path": "/list/0", "value": "z"}),
                whole(json!({"a": 1}), json!(["z", "x", "y"])),
            ),
            (json!({"op": "add", "path": "/none/b", "value": 2}), None),
            (json!({"op": "replace", "path": "/map/b", "value": 2}), whole(json!({"a": 1, "b": 2}), xy())),
            (json!({"op": "replace", "path": "/list/2", "value": "z"}), None),
            (json!({"op": "remove", "path": "/map/b"}), None),
            (json!({"op": "remove", "path": "/list/0"}), whole(json!({"a": 1}), json!(["y"]))),
            (json!({"op": "move", "from": "/map/a", "path": "/map/b"}), whole(json!({"b": 1}), xy())),
            (json!({"op": "copy", "from": "/map/a", "path": "/map/b"}), whole(json!({"a": 1, "b": 1}), xy())),
            (json!({"op": "test", "path": "/map/a", "value": 1}), whole(json!({"a": 1}), xy())),
            (json!({"op": "test", "path": "/map/a", "value": 2}), None),
            (json!({"op": "test", "path": "/map/b", "value": null}), whole(json!({"a": 1}), xy())),
            (json!({"op": "test", "path": "/none/b", "value": null}), None),
            (json!({"op": "jump", "path": "/map/a"}), None),
            (json!({"op": "add", "value": 1}), None),
        ] {
            assert_eq!(patched(&operation), expected, "{operation}");
        }
    }

    #[test]
    fn a_failed_test_is_rejected_without_a_reason() {
        let patch = json!([{"op": "test", "path": "/a", "value": "z"}]);
        let failure = apply(&json!({"a": "y"}), &patch).unwrap_err();
        assert_eq!(failure.code, 422);
        assert_eq!(failure.message(), "the server rejected our request due to an error in our request");
    }

    #[test]
    fn invalid_lists_of_operations_are_rejected() {
        for patch in [json!({}), json!("text"), json!([1])] {
            assert_eq!(apply(&json!({}), &patch).unwrap_err().code, 400, "{patch}");
        }
    }
}
