//! Compares a live Service with the desired one. Pure.

use std::collections::{BTreeMap, BTreeSet};

use json_patch::Patch;
use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::{Value, json};

use crate::cluster::keys;
use crate::oam::exposure::{PortKey, port_key};
use crate::oam::labels;

/// The desired state of a Service.
#[derive(Debug, Clone)]
pub struct WantedService<'a> {
    /// The application that owns it.
    pub application: &'a str,
    /// The component that it belongs to.
    pub component: &'a str,
    /// The Service; `None` if it should not exist.
    pub service: Option<Value>,
    /// What to do with the labels and annotations that it inherits from its application.
    pub inherited: ServiceMetadata<'a>,
}

/// What to do with labels and annotations from the application.
#[derive(Debug, Clone, Copy)]
pub enum ServiceMetadata<'a> {
    /// Set those of the manifest, and remove those of these keys, which earlier manifests had, that it no longer has.
    Written(&'a BTreeSet<String>),
    /// Keep them as they are, since there is no manifest.
    Kept,
}

/// The change that a Service needs.
#[derive(Debug, Clone)]
pub enum Change {
    /// It needs no change.
    None,
    /// It has to be created.
    Create(Value),
    /// It has to be updated.
    Update {
        /// The live Service.
        seen: Box<DynamicObject>,
        /// The changes, without the tests.
        operations: Vec<Value>,
    },
    /// It has to be deleted.
    Remove(Box<DynamicObject>),
    /// It belongs to another owner, which the text names.
    Foreign(String),
}

impl Change {
    /// The Service before and after, without fields that only the server and `rollout` write; `None` if nothing
    /// changes.
    #[must_use]
    pub fn difference(&self) -> Option<(Option<Value>, Option<Value>)> {
        match self {
            Self::None | Self::Foreign(_) => None,
            Self::Create(wanted) => Some((None, Some(written_fields(wanted.clone())))),
            Self::Remove(seen) => Some((Some(written_fields(serde_json::to_value(seen).ok()?)), None)),
            Self::Update { seen, .. } => {
                let before = serde_json::to_value(seen).ok()?;
                Some((Some(written_fields(before)), Some(written_fields(self.outcome()?))))
            }
        }
    }

    /// The Service after the change.
    fn outcome(&self) -> Option<Value> {
        match self {
            Self::None | Self::Foreign(_) | Self::Remove(_) => None,
            Self::Create(wanted) => Some(wanted.clone()),
            Self::Update { seen, operations } => {
                let mut after = serde_json::to_value(seen).ok()?;
                let patch: Patch = serde_json::from_value(json!(operations)).ok()?;
                json_patch::patch(&mut after, &patch).ok()?;
                Some(after)
            }
        }
    }

    /// Whether anything has to be written.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        match self {
            Self::None | Self::Foreign(_) => false,
            Self::Create(_) | Self::Update { .. } | Self::Remove(_) => true,
        }
    }

    /// The name of the Service that changes.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        match self {
            Self::None | Self::Foreign(_) => None,
            Self::Create(wanted) => wanted["metadata"]["name"].as_str().map(str::to_owned),
            Self::Update { seen, .. } | Self::Remove(seen) => Some(seen.name_any()),
        }
    }
}

/// The fields of a Service that were not assigned by the server.
fn written_fields(mut service: Value) -> Value {
    if let Some(metadata) = service["metadata"].as_object_mut() {
        metadata.retain(|field, _| matches!(field.as_str(), "name" | "labels" | "annotations"));
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.retain(|key, _| key != keys::APPLIED && key != keys::EPOCH);
            if annotations.is_empty() {
                metadata.remove("annotations");
            }
        }
    }
    json!({"metadata": service["metadata"], "spec": service["spec"]})
}

/// Compares a live Service with the desired one.
#[must_use]
pub fn service_change(seen: Option<&DynamicObject>, wanted: &WantedService<'_>) -> Change {
    let foreign = seen.and_then(|seen| foreign_owner(seen, wanted.application, wanted.component));
    match (seen, &wanted.service, foreign) {
        (None, None, _) => Change::None,
        (None, Some(service), _) => Change::Create(with_mark(service)),
        // A Service of another owner that the component does not need is left alone.
        (Some(_), None, Some(_)) => Change::None,
        (Some(_), Some(_), Some(reason)) => Change::Foreign(reason),
        (Some(seen), None, None) => Change::Remove(Box::new(seen.clone())),
        (Some(seen), Some(service), None) => {
            let operations = patch_operations(seen, service, wanted.inherited);
            if operations.is_empty() {
                Change::None
            } else {
                Change::Update { seen: Box::new(seen.clone()), operations }
            }
        }
    }
}

/// Why a Service is not the component's; `None` if it is.
#[must_use]
pub fn foreign_owner(seen: &DynamicObject, application: &str, component: &str) -> Option<String> {
    let name = seen.name_any();
    match seen.labels().get(labels::NAME) {
        Some(owner) if owner != application => {
            return Some(format!("service `{name}` belongs to application `{owner}`"));
        }
        Some(_) => {}
        None => {
            return Some(format!(
                "service `{name}` exists and does not belong to application `{application}`"
            ));
        }
    }
    match seen.labels().get(labels::COMPONENT) {
        Some(owner) if owner == component => {}
        Some(owner) => return Some(format!("service `{name}` belongs to component `{owner}`")),
        None => return Some(format!("service `{name}` exists and is not part of component `{component}`")),
    }
    // Services of KubeVela's traits, which a component may have at first.
    let is_trait = seen.labels().get(labels::RESOURCE_TYPE).is_some_and(|kind| kind == "TRAIT")
        && seen.labels().contains_key(labels::TRAIT_RESOURCE);
    let is_marked = seen.annotations().contains_key(keys::APPLIED);
    (!is_marked && !is_trait)
        .then(|| format!("service `{name}` exists and was not created for component `{component}`"))
}

/// The Service with the mark of `rollout`, which lists the labels and annotations from the application.
fn with_mark(service: &Value) -> Value {
    let mut service = service.clone();
    let applied = applied(&service);
    if service["metadata"]["annotations"].is_null() {
        service["metadata"]["annotations"] = json!({});
    }
    service["metadata"]["annotations"][keys::APPLIED] = json!(applied);
    service
}

fn applied(service: &Value) -> String {
    let of = |field: &str| -> Vec<String> {
        let all = service["metadata"][field].as_object().into_iter().flatten();
        all.map(|(key, _)| key).filter(|key| !labels::is_own(key)).cloned().collect()
    };
    let all: BTreeMap<&str, Vec<String>> =
        [("annotations", of("annotations")), ("labels", of("labels"))].into_iter().collect();
    json!(all).to_string()
}

/// The patch that turns a Service into the desired one; empty if it needs none. Fields that others wrote are kept.
fn patch_operations(seen: &DynamicObject, wanted: &Value, inherited: ServiceMetadata<'_>) -> Vec<Value> {
    let mut operations = Vec::new();
    let mark = seen.annotations().get(keys::APPLIED);
    let listed: Option<BTreeMap<String, Vec<String>>> = mark.and_then(|mark| serde_json::from_str(mark).ok());
    for (field, before) in [("labels", seen.labels()), ("annotations", seen.annotations())] {
        let mut after = before.clone();
        let handed = wanted["metadata"][field].as_object();
        if let ServiceMetadata::Written(known) = inherited {
            let listed = listed.as_ref().and_then(|listed| listed.get(field));
            after.retain(|key, _| {
                let is_earlier = known.contains(key) || listed.is_some_and(|listed| listed.contains(key));
                !is_earlier || handed.is_some_and(|handed| handed.contains_key(key))
            });
        }
        for (key, value) in handed.into_iter().flatten() {
            let is_written = labels::is_own(key) || matches!(inherited, ServiceMetadata::Written(_));
            if let (true, Some(value)) = (is_written, value.as_str()) {
                after.insert(key.clone(), value.to_owned());
            }
        }
        if field == "annotations" {
            let own = applied(wanted);
            match inherited {
                // Keep the mark of an earlier version, which lists nothing, if there is nothing to list.
                ServiceMetadata::Written(_) if mark.is_none() || listed.is_some() || own != NOTHING => {
                    after.insert(keys::APPLIED.to_owned(), own);
                }
                ServiceMetadata::Kept if mark.is_none() => {
                    after.insert(keys::APPLIED.to_owned(), NOTHING.to_owned());
                }
                ServiceMetadata::Written(_) | ServiceMetadata::Kept => {}
            }
        }
        if after != *before {
            operations.push(json!({"op": "add", "path": format!("/metadata/{field}"), "value": after}));
        }
    }
    for (field, value) in wanted["spec"].as_object().into_iter().flatten() {
        let value = if field == "ports" { ports(&seen.data["spec"], wanted) } else { value.clone() };
        if seen.data["spec"][field] != value {
            operations.push(json!({"op": "add", "path": format!("/spec/{field}"), "value": value}));
        }
    }
    // Only the ports may be absent: a headless Service needs none.
    if wanted["spec"]["ports"].is_null() && !seen.data["spec"]["ports"].is_null() {
        operations.push(json!({"op": "remove", "path": "/spec/ports"}));
    }
    operations
}

/// The mark of a Service that inherits nothing from its application.
const NOTHING: &str = r#"{"annotations":[],"labels":[]}"#;

/// The desired ports, in the order of the live ones. Ports that remain keep what the cluster has assigned, such as a
/// node port that external load balancers may use.
fn ports(seen: &Value, wanted: &Value) -> Value {
    let list = |spec: &Value| spec["ports"].as_array().cloned().unwrap_or_default();
    let has_node_ports = matches!(wanted["spec"]["type"].as_str(), Some("NodePort" | "LoadBalancer"));
    let before = list(seen);
    let position = |at: Option<PortKey>| before.iter().position(|one| port_key(one) == at);
    let mut ports = list(&wanted["spec"]);
    ports.sort_by_key(|port| position(port_key(port)).unwrap_or(before.len()));
    let merged = ports.into_iter().map(|port| {
        let same = position(port_key(&port)).map(|index| before[index].clone());
        let mut entry = same.unwrap_or_else(|| json!({"protocol": "TCP"}));
        if let Some(entry) = entry.as_object_mut() {
            // The protocol defaults to TCP, as in a Service.
            for field in ["name", "targetPort"] {
                entry.remove(field);
            }
            let given = port.as_object().into_iter().flatten();
            entry.extend(given.map(|(field, value)| (field.clone(), value.clone())));
        }
        if let (false, Some(entry)) = (has_node_ports, entry.as_object_mut()) {
            entry.remove("nodePort");
        }
        entry
    });
    merged.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen() -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": "web", "uid": "1", "resourceVersion": "7",
                "labels": {"team": "a", "app.oam.dev/name": "shop", "app.oam.dev/component": "web"},
                "annotations": {"batch-rollout.dev/applied": "{\"annotations\":[],\"labels\":[\"team\"]}"},
            },
            "spec": {
                "type": "NodePort",
                "clusterIP": "10.0.0.1",
                "ports": [{"name": "http", "port": 80, "targetPort": 80, "protocol": "TCP", "nodePort": 31000}],
            },
        }))
        .unwrap()
    }

    fn compared(service: Option<Value>, known: &[&str]) -> Change {
        let known = known.iter().map(|key| (*key).to_owned()).collect();
        let inherited = ServiceMetadata::Written(&known);
        let wanted = WantedService { application: "shop", component: "web", service, inherited };
        service_change(Some(&seen()), &wanted)
    }

    fn patched(spec: &Value) -> Value {
        let labels = json!({"team": "b"});
        compared(Some(json!({"metadata": {"labels": labels}, "spec": spec})), &[])
            .difference()
            .unwrap()
            .1
            .unwrap()
    }

    #[test]
    fn remaining_ports_keep_what_the_cluster_assigned() {
        let port = json!({"name": "web", "port": 80, "targetPort": "web"});
        let new = json!({"name": "dns", "port": 53, "targetPort": "dns", "protocol": "UDP"});
        let after = patched(&json!({"type": "NodePort", "ports": [new, port]}));
        let kept =
            json!({"name": "web", "port": 80, "targetPort": "web", "protocol": "TCP", "nodePort": 31000});
        assert_eq!(after["spec"]["ports"], json!([kept, new]));
        assert_eq!(
            (&after["spec"]["clusterIP"], &after["metadata"]["labels"]["team"]),
            (&json!("10.0.0.1"), &json!("b"))
        );
    }

    #[test]
    fn node_ports_are_removed_for_types_without_them() {
        let port = json!({"name": "http", "port": 80, "targetPort": 80});
        let after = patched(&json!({"type": "ClusterIP", "ports": [port]}));
        assert!(after["spec"]["ports"][0]["nodePort"].is_null(), "{after}");
    }

    #[test]
    fn a_service_in_the_desired_state_is_not_written() {
        let port = json!({"name": "http", "port": 80, "targetPort": 80});
        let spec = json!({"type": "NodePort", "ports": [port]});
        let change = compared(Some(json!({"metadata": {"labels": {"team": "a"}}, "spec": spec})), &["team"]);
        assert!(!change.is_pending(), "{change:?}");
    }

    #[test]
    fn labels_removed_from_the_application_are_removed_from_the_service() {
        let port = json!({"name": "http", "port": 80, "targetPort": 80});
        let spec = json!({"type": "NodePort", "ports": [port]});
        let change = compared(Some(json!({"metadata": {}, "spec": spec})), &[]);
        let (_, after) = change.difference().unwrap();
        assert_eq!(
            after.unwrap()["metadata"]["labels"],
            json!({"app.oam.dev/name": "shop", "app.oam.dev/component": "web"})
        );
    }

    #[test]
    fn foreign_services_are_not_changed_or_removed() {
        assert!(matches!(compared(None, &[]), Change::Remove(_)));
        let service = json!({"metadata": {}, "spec": {}});
        let of = |edit: &dyn Fn(&mut DynamicObject), service: Option<Value>| {
            let mut seen = seen();
            edit(&mut seen);
            let inherited = ServiceMetadata::Kept;
            let wanted = WantedService { application: "shop", component: "web", service, inherited };
            service_change(Some(&seen), &wanted)
        };
        let edits: [&dyn Fn(&mut DynamicObject); 3] = [
            &|seen| drop(seen.labels_mut().insert(labels::NAME.to_owned(), "other".to_owned())),
            &|seen| drop(seen.labels_mut().insert(labels::COMPONENT.to_owned(), "api".to_owned())),
            &|seen| seen.annotations_mut().clear(),
        ];
        for edit in edits {
            assert!(matches!(of(edit, Some(service.clone())), Change::Foreign(_)));
            assert!(matches!(of(edit, None), Change::None));
        }
    }
}
