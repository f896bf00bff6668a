//! The owners of an object's fields, from `metadata.managedFields`
//! (<https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management>).

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry};
use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::{Map, Value, json};

/// Whether a manager still owns, through its last apply, every field that it applied. A field that another manager has
/// changed since is owned by that manager.
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
        // Nobody owns the identity of an object.
        metadata.retain(|field, _| field == "labels" || field == "annotations");
    }
    covers(&owned.0, &applied)
}

/// Whether managers other than `manager` own the size of a workload and no other field of its spec, as after
/// `kubectl scale`: then they have not changed anything else that `manager` wrote.
#[must_use]
pub fn is_only_resized(live: &DynamicObject, manager: &str) -> bool {
    let of_others = live.managed_fields().iter().filter(|entry| {
        entry.manager.as_deref() != Some(manager) && entry.subresource.as_deref() != Some("status")
    });
    let specs = of_others.filter_map(|entry| entry.fields_v1.as_ref()?.0.get("f:spec")?.as_object());
    let mut fields = specs.flat_map(Map::keys).peekable();
    fields.peek().is_some() && fields.all(|field| field == "f:replicas")
}

/// Whether a manager owns the image of a container in a workload's template.
#[must_use]
pub fn owns_image(live: &DynamicObject, manager: &str, container: &str) -> bool {
    let key = format!("k:{}", json!({"name": container}));
    let of_manager = live.managed_fields().iter().filter(|entry| entry.manager.as_deref() == Some(manager));
    let mut templates =
        of_manager.filter_map(|entry| entry.fields_v1.as_ref()?.0.pointer("/f:spec/f:template/f:spec"));
    let lists = ["f:containers", "f:initContainers"];
    templates.any(|pod| lists.iter().any(|list| pod[list][&key].get("f:image").is_some()))
}

/// The managed fields of an object after `manager` has taken over, as applied fields, those that it or the managers in
/// `before` own through updates; `None` if there are none. A field that an apply drops is removed only if no other
/// manager owns it, and the same manager's updates count as those of another.
///
/// The size is left out, since it is not set by an apply.
#[must_use]
pub fn with_updates_applied(live: &DynamicObject, manager: &str, before: &[&str]) -> Option<Value> {
    let is_of_object =
        |entry: &ManagedFieldsEntry| entry.subresource.as_deref().unwrap_or_default().is_empty();
    let is_applied = |entry: &ManagedFieldsEntry| {
        is_of_object(entry)
            && entry.manager.as_deref() == Some(manager)
            && entry.operation.as_deref() == Some("Apply")
    };
    let entries = live.managed_fields();
    let has_applied = entries.iter().any(is_applied);
    let is_taken = |entry: &ManagedFieldsEntry| {
        let by = entry.manager.as_deref().unwrap_or_default();
        is_of_object(entry)
            && entry.operation.as_deref() == Some("Update")
            && (by == manager || (!has_applied && before.contains(&by)))
    };
    let (mut kept, mut taken) = (Vec::new(), Value::Null);
    for entry in entries {
        let fields = entry.fields_v1.as_ref().map(|fields| fields.0.clone()).unwrap_or_default();
        let (size, others) = split_size(fields);
        if is_applied(entry) {
            merge_fields(&mut taken, others);
            merge_fields(&mut taken, size.unwrap_or_default());
        } else if is_taken(entry) && has_steps(&others) {
            merge_fields(&mut taken, others);
            let size =
                size.map(|size| ManagedFieldsEntry { fields_v1: Some(FieldsV1(size)), ..entry.clone() });
            kept.extend(size);
        } else {
            kept.push(entry.clone());
        }
    }
    if !entries.iter().any(|entry| is_taken(entry) && !kept.contains(entry)) {
        return None;
    }
    let newest = entries.iter().find(|entry| is_applied(entry) || is_taken(entry))?;
    kept.push(ManagedFieldsEntry {
        manager: Some(manager.to_owned()),
        operation: Some("Apply".to_owned()),
        fields_v1: Some(FieldsV1(taken)),
        ..newest.clone()
    });
    serde_json::to_value(kept).ok()
}

/// The managed fields of an object after other managers have lost the fields that are about to be applied; `None` if
/// they own none of them. A field that a later apply drops is removed only if no other manager owns it.
///
/// The size is left out, as in [`with_updates_applied`]; and so are subresources, which controllers write.
#[must_use]
pub fn without_applied(live: &DynamicObject, manager: &str, applied: &Value) -> Option<Value> {
    let mut kept = Vec::new();
    for entry in live.managed_fields() {
        let is_others = entry.subresource.as_deref().unwrap_or_default().is_empty()
            && entry.manager.as_deref() != Some(manager);
        let Some(fields) = entry.fields_v1.as_ref().filter(|_| is_others) else {
            kept.push(entry.clone());
            continue;
        };
        let (size, others) = split_size(fields.0.clone());
        let mut rest = without(&others, applied);
        merge_fields(&mut rest, size.unwrap_or_else(|| json!({})));
        if has_steps(&rest) {
            kept.push(ManagedFieldsEntry { fields_v1: Some(FieldsV1(rest)), ..entry.clone() });
        }
    }
    (kept != live.managed_fields()).then(|| serde_json::to_value(kept).ok()).flatten()
}

/// A set of owned fields without those of a value. Nobody owns the identity of an object.
fn without(owned: &Value, applied: &Value) -> Value {
    let mut rest = Map::new();
    for (step, below) in owned.as_object().into_iter().flatten() {
        let said = match step.strip_prefix("f:") {
            Some(field) => applied.get(field),
            None => applied.as_array().and_then(|items| items.iter().find(|item| is_step_of(step, item))),
        };
        let left = match said.filter(|said| !said.is_null()) {
            None => below.clone(),
            Some(_) if !has_steps(below) => continue,
            Some(said) => without(below, said),
        };
        let is_all_said =
            said.is_some() && left.as_object().is_some_and(|steps| steps.keys().all(|step| step == "."));
        if step != "." && !is_all_said {
            rest.insert(step.clone(), left);
        }
    }
    // A manager that owns a field of a list's item keeps the item.
    if !rest.is_empty() && owned.get(".").is_some() {
        rest.insert(".".to_owned(), json!({}));
    }
    Value::Object(rest)
}

/// Splits the fields that a manager owns into the size and all others.
fn split_size(mut fields: Value) -> (Option<Value>, Value) {
    let size =
        fields.get_mut("f:spec").and_then(Value::as_object_mut).and_then(|spec| spec.remove("f:replicas"));
    if fields.get("f:spec").is_some_and(|spec| !has_steps(spec))
        && let Some(fields) = fields.as_object_mut()
    {
        fields.remove("f:spec");
    }
    (size.map(|size| json!({"f:spec": {"f:replicas": size}})), fields)
}

fn has_steps(fields: &Value) -> bool {
    fields.as_object().is_some_and(|steps| !steps.is_empty())
}

fn merge_fields(into: &mut Value, more: Value) {
    match (into.as_object_mut(), more) {
        (Some(into), Value::Object(more)) => {
            for (step, below) in more {
                merge_fields(into.entry(step).or_insert_with(|| json!({})), below);
            }
        }
        (None, more) => *into = more,
        (Some(_), _) => {}
    }
}

/// Whether a set of owned fields contains every leaf of a value. Steps are `f:<field>`, `k:<keys of a list's item>` and
/// `v:<value>`; a step with none below it owns the whole value.
fn covers(owned: &Value, applied: &Value) -> bool {
    let Some(steps) = owned.as_object().filter(|steps| steps.keys().any(|step| step != ".")) else {
        return true;
    };
    match applied {
        Value::Object(fields) => fields.iter().all(|(field, value)| {
            value.is_null()
                || steps.get(&format!("f:{field}")).is_some_and(|owned| covers(owned, value))
                // An empty value has no fields to own.
                || is_empty(value)
        }),
        Value::Array(items) => items.iter().all(|item| {
            let owned = steps.iter().find(|(step, _)| is_step_of(step, item));
            owned.is_some_and(|(_, owned)| covers(owned, item))
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

/// Whether a step names an item of a list. A key that the item does not have was defaulted.
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

/// The value of a field that a conflict names, such as `.spec.template.spec.containers[name="web"].image`; `None` if
/// the object does not have it.
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
            // The keys of labels and annotations may contain dots.
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

/// The item of a list with these keys, such as `name="web"` or `containerPort=80,protocol="TCP"`; in a set, the item
/// with this value, such as `="a"`.
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
    fn a_change_of_the_size_is_distinguished_from_others() {
        let size = json!({"f:spec": {"f:replicas": {}}});
        let image = json!({"f:spec": {"f:replicas": {}, "f:template": {"f:spec": {}}}});
        let status = json!({"f:spec": {}, "f:status": {"f:replicas": {}}});
        let with = |entries: &[(&str, &str, &Value)]| {
            let entry = |(manager, subresource, fields): &(&str, &str, &Value)| json!({"manager": manager, "operation": "Update", "subresource": subresource, "fieldsV1": fields});
            let entries: Vec<Value> = entries.iter().map(entry).collect();
            let object = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"managedFields": entries}});
            is_only_resized(&serde_json::from_value(object).unwrap(), "rollout")
        };
        let ours = ("rollout", "", &image);
        let controller = ("kube-controller-manager", "status", &status);
        assert!(with(&[ours, controller, ("kubectl", "scale", &size)]));
        assert!(with(&[ours, controller, ("kubectl-patch", "", &size)]));
        assert!(!with(&[ours, controller, ("kubectl-edit", "", &image)]));
        assert!(!with(&[ours, ("kubectl", "scale", &size), ("kubectl-edit", "", &image)]));
        assert!(!with(&[ours, controller]), "a field that was removed is owned by nobody");
    }

    #[test]
    fn fields_changed_by_another_manager_are_no_longer_owned() {
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
    fn updates_become_applied_fields_except_for_the_size() {
        let entry = |manager: &str, operation: &str, fields: Value| json!({"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": fields});
        let object = |entries: Value| -> DynamicObject {
            serde_json::from_value(json!({
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "managedFields": entries},
            }))
            .unwrap()
        };
        let size = || json!({"f:spec": {"f:replicas": {}}});
        let other = || entry("kubectl", "Update", json!({"f:spec": {"f:paused": {}}}));
        let owned = |manager| {
            entry(manager, "Update", json!({"f:spec": {"f:replicas": {}, "f:template": {"f:a": {}}}}))
        };
        let template = |fields: Value| json!({"f:spec": {"f:template": fields}});
        let found = |entries: Value| with_updates_applied(&object(entries), "rollout", &["vela"]);
        assert_eq!(
            found(json!([other(), owned("vela")])),
            Some(json!([
                other(),
                entry("vela", "Update", size()),
                entry("rollout", "Apply", template(json!({"f:a": {}}))),
            ]))
        );
        let applied = || entry("rollout", "Apply", template(json!({"f:b": {}})));
        assert_eq!(
            found(json!([applied(), owned("rollout")])),
            Some(json!([
                entry("rollout", "Update", size()),
                entry("rollout", "Apply", template(json!({"f:a": {}, "f:b": {}}))),
            ]))
        );
        assert_eq!(found(json!([applied(), owned("vela"), entry("rollout", "Update", size())])), None);
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

    #[test]
    fn other_managers_keep_the_fields_that_are_not_applied() {
        let fields = json!({
            "f:metadata": {"f:labels": {"f:team": {}, "f:tier": {}}},
            "f:spec": {
                "f:replicas": {},
                "f:template": {"f:spec": {"f:containers": {
                    "k:{\"name\":\"web\"}": {".": {}, "f:name": {}, "f:image": {}, "f:tty": {}},
                    "k:{\"name\":\"old\"}": {".": {}, "f:name": {}, "f:image": {}},
                }}},
            },
        });
        let object: DynamicObject = serde_json::from_value(json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "managedFields": [
                {"manager": "helm", "operation": "Update", "fieldsV1": fields},
                {"manager": "hpa", "operation": "Update", "subresource": "scale", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
            ]},
        }))
        .unwrap();
        let applied = json!({
            "metadata": {"labels": {"team": "a"}},
            "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "web", "image": "web:2"}]}}},
        });
        let rest = without_applied(&object, "rollout", &applied).unwrap();
        assert_eq!(
            rest[0]["fieldsV1"],
            json!({
                "f:metadata": {"f:labels": {"f:tier": {}}},
                "f:spec": {
                    "f:replicas": {},
                    "f:template": {"f:spec": {"f:containers": {
                        "k:{\"name\":\"web\"}": {".": {}, "f:tty": {}},
                        "k:{\"name\":\"old\"}": {".": {}, "f:name": {}, "f:image": {}},
                    }}},
                },
            })
        );
        assert_eq!(rest[1]["subresource"], "scale");
        let everything = json!({"metadata": {"labels": {"x": "y"}}});
        assert_eq!(without_applied(&object, "rollout", &everything), None);
    }
}
