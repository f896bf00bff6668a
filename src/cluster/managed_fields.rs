//! Which fields of an object are whose, by `metadata.managedFields`
//! (<https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management>).

use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::{Map, Value};

/// Whether a manager still owns, by its last apply, every field of what it applied: a field that somebody else has changed
/// since is owned by them.
#[must_use]
pub fn owns_applied_fields(live: &DynamicObject, manager: &str, applied: &Value) -> bool {
    let entry = live.managed_fields().iter().find(|entry| {
        entry.manager.as_deref() == Some(manager)
            && entry.operation.as_deref() == Some("Apply")
            && entry.subresource.as_deref().unwrap_or_default().is_empty()
    });
    let Some(owned) = entry.and_then(|entry| entry.fields_v1.as_ref()) else { return false };
    let mut applied = applied.clone();
    if let Some(fields) = applied.as_object_mut() {
        fields.remove("apiVersion");
        fields.remove("kind");
    }
    if let Some(metadata) = applied.get_mut("metadata").and_then(Value::as_object_mut) {
        // Its identity is nobody's.
        metadata.retain(|field, _| field == "labels" || field == "annotations");
    }
    covers(&owned.0, &applied)
}

/// Whether a set of owned fields has every leaf of a value. Steps are `f:<field>`, `k:<keys of a list's item>` and
/// `v:<value>`; what has no steps below it is owned as a whole.
fn covers(owned: &Value, applied: &Value) -> bool {
    let Some(steps) = owned.as_object().filter(|steps| steps.keys().any(|step| step != ".")) else {
        return true;
    };
    match applied {
        Value::Object(fields) => fields.iter().all(|(field, value)| {
            value.is_null()
                || steps.get(&format!("f:{field}")).is_some_and(|owned| covers(owned, value))
                // An empty map leaves nothing to own.
                || is_empty(value)
        }),
        Value::Array(items) => items.iter().all(|item| {
            let owned = steps.iter().find(|(step, _)| is_step_of(step, item));
            owned.is_some_and(|(_, owned)| covers(owned, item))
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

/// Whether a step names an item of a list. A key that the item lacks has been defaulted.
fn is_step_of(step: &str, item: &Value) -> bool {
    if let Some(value) = step.strip_prefix("v:") {
        return serde_json::from_str::<Value>(value).is_ok_and(|value| value == *item);
    }
    let Some(Ok(keys)) = step.strip_prefix("k:").map(serde_json::from_str::<Map<String, Value>>) else {
        return false;
    };
    keys.iter().all(|(key, value)| item.get(key).is_none_or(|own| own == value))
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}

/// The value of a field that a conflict names, such as `.spec.template.spec.containers[name="web"].image`; `None` where the
/// object does not say it.
#[must_use]
pub fn field_at<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    let mut value = object;
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('[') {
            let end = after.find(']')?;
            value = item_at(value, &after[..end])?;
            rest = &after[end + 1..];
        } else {
            let after = rest.strip_prefix('.')?;
            // A key of labels and annotations has dots of its own.
            let fields = value.as_object()?;
            let key = fields.keys().filter(|key| {
                after
                    .strip_prefix(key.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            });
            let key = key.max_by_key(|key| key.len())?;
            value = &fields[key];
            rest = &after[key.len()..];
        }
    }
    Some(value)
}

/// The item of a list that has these keys: `name="web"`, `containerPort=80,protocol="TCP"`; or, of a set, this value: `="a"`.
fn item_at<'a>(list: &'a Value, keys: &str) -> Option<&'a Value> {
    let items = list.as_array()?;
    if let Some(value) = keys.strip_prefix('=') {
        let value: Value = serde_json::from_str(value).ok()?;
        return items.iter().find(|item| **item == value);
    }
    let keys: Vec<(&str, Value)> = keys
        .split(',')
        .filter_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            Some((key, serde_json::from_str(value).ok()?))
        })
        .collect();
    items.iter().find(|item| keys.iter().all(|(key, value)| item.get(key).is_none_or(|own| own == value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn live(fields: &Value) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "managedFields": [
                {"manager": "rollout", "operation": "Apply", "apiVersion": "apps/v1", "fieldsType": "FieldsV1", "fieldsV1": fields},
                {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:spec": {}}},
            ]},
        }))
        .unwrap()
    }

    fn applied() -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "labels": {"app.oam.dev/name": "shop"}},
            "spec": {"replicas": 2, "selector": {"matchLabels": {"a": "b"}}, "template": {"spec": {"containers": [
                {"name": "web", "image": "web:1", "ports": [{"containerPort": 80}], "emptyDir": {}},
            ]}}},
        })
    }

    fn owned() -> Value {
        json!({
            "f:metadata": {"f:labels": {"f:app.oam.dev/name": {}}},
            "f:spec": {"f:replicas": {}, "f:selector": {}, "f:template": {"f:spec": {"f:containers": {
                "k:{\"name\":\"web\"}": {".": {}, "f:name": {}, "f:image": {}, "f:ports": {
                    "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}}},
            }}}},
        })
    }

    #[test]
    fn a_field_that_another_manager_has_changed_is_missed() {
        assert!(owns_applied_fields(&live(&owned()), "rollout", &applied()));
        assert!(!owns_applied_fields(&live(&owned()), "somebody", &applied()));
        let lost = ["/f:spec/f:replicas", "/f:metadata/f:labels/f:app.oam.dev~1name"];
        for pointer in lost {
            let mut owned = owned();
            let (parent, field) = pointer.rsplit_once('/').unwrap();
            owned.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(&field.replace("~1", "/"));
            owned.pointer_mut(parent).unwrap()["f:other"] = json!({});
            assert!(!owns_applied_fields(&live(&owned), "rollout", &applied()), "{pointer}");
        }
        let mut image = owned();
        let container = &mut image["f:spec"]["f:template"]["f:spec"]["f:containers"]["k:{\"name\":\"web\"}"];
        container.as_object_mut().unwrap().remove("f:image");
        assert!(!owns_applied_fields(&live(&image), "rollout", &applied()));
    }

    #[test]
    fn fields_are_found_by_the_path_of_a_conflict() {
        let object = applied();
        let found = |path: &str| field_at(&object, path).cloned();
        assert_eq!(found(".spec.replicas"), Some(json!(2)));
        assert_eq!(found(".metadata.labels.app.oam.dev/name"), Some(json!("shop")));
        assert_eq!(found(".spec.template.spec.containers[name=\"web\"].image"), Some(json!("web:1")));
        let port = ".spec.template.spec.containers[name=\"web\"].ports[containerPort=80,protocol=\"TCP\"].containerPort";
        assert_eq!(found(port), Some(json!(80)));
        assert_eq!(found(".spec.template.spec.containers[name=\"other\"].image"), None);
        assert_eq!(found(".spec.paused"), None);
    }
}
