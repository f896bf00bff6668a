//! The Service of a component that exposes ports. It is not versioned and not batched (spec §7.1).

use std::hash::{DefaultHasher, Hash, Hasher};

use json_patch::Patch;
use kube::ResourceExt;
use kube::api::{ApiResource, DynamicObject};
use serde_json::{Value, json};

use crate::cluster::error::ClusterError;
use crate::cluster::keys;
use crate::cluster::perform::{creating, json_patch, patching};
use crate::cluster::session::Session;
use crate::oam::labels;

/// What has to be done for a Service.
#[derive(Debug, Clone)]
pub enum Change {
    /// It is as wanted.
    None,
    /// It does not exist.
    Create(Value),
    /// It is another.
    Update {
        /// The Service as it was seen.
        seen: Box<DynamicObject>,
        /// The Service wanted.
        wanted: Value,
    },
    /// It is somebody else's; the text says whose.
    Foreign(String),
}

impl Change {
    /// The Service before and after, without what only the server and this program write; `None` where nothing
    /// changes.
    #[must_use]
    pub fn difference(&self) -> Option<(Option<Value>, Value)> {
        match self {
            Self::None | Self::Foreign(_) => None,
            Self::Create(wanted) => Some((None, plain(wanted.clone()))),
            Self::Update { seen, wanted } => {
                let before = serde_json::to_value(seen).ok()?;
                let patch: Patch = serde_json::from_value(json!(operations(seen, wanted))).ok()?;
                let mut after = before.clone();
                json_patch::patch(&mut after, &patch).ok()?;
                Some((Some(plain(before)), plain(after)))
            }
        }
    }
}

/// What of a Service somebody wrote.
fn plain(mut service: Value) -> Value {
    if let Some(metadata) = service["metadata"].as_object_mut() {
        metadata.retain(|field, _| matches!(field.as_str(), "name" | "labels" | "annotations"));
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove(keys::APPLIED);
            if annotations.is_empty() {
                metadata.remove("annotations");
            }
        }
    }
    json!({"metadata": service["metadata"], "spec": service["spec"]})
}

fn resource() -> ApiResource {
    ApiResource::erase::<k8s_openapi::api::core::v1::Service>(&())
}

/// Compares a Service with the one wanted.
///
/// # Errors
/// What the server answered at last.
pub async fn compare(
    session: &Session,
    namespace: &str,
    application: &str,
    wanted: &Value,
) -> Result<Change, ClusterError> {
    let mut wanted = wanted.clone();
    if wanted["metadata"]["annotations"].is_null() {
        wanted["metadata"]["annotations"] = json!({});
    }
    let hash = hash(&wanted);
    wanted["metadata"]["annotations"][keys::APPLIED] = json!(hash);
    let api = session.dynamic(namespace, &resource());
    let name = wanted["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let Some(seen) = session.read(|| api.get_opt(&name)).await? else {
        return Ok(Change::Create(wanted));
    };
    Ok(match seen.labels().get(labels::NAME) {
        Some(owner) if owner == application => {
            if seen.annotations().get(keys::APPLIED) == Some(&hash) {
                Change::None
            } else {
                Change::Update { seen: Box::new(seen), wanted }
            }
        }
        Some(owner) => Change::Foreign(format!("service `{name}` belongs to application `{owner}`")),
        None => Change::Foreign(format!(
            "service `{name}` exists and does not belong to application `{application}`"
        )),
    })
}

/// Creates or changes the Service. Fields that the cluster gave it, such as its address, stay.
///
/// # Errors
/// A conflict means that it has changed since it was compared.
pub async fn apply(session: &Session, namespace: &str, change: &Change) -> Result<(), ClusterError> {
    let api = session.dynamic(namespace, &resource());
    match change {
        Change::None | Change::Foreign(_) => Ok(()),
        Change::Create(wanted) => {
            let object: DynamicObject = serde_json::from_value(wanted.clone())
                .map_err(|error| ClusterError::Invalid(error.to_string()))?;
            let params = creating();
            session.once(api.create(&params, &object)).await.map(|_| ())
        }
        Change::Update { seen, wanted } => {
            let operations = operations(seen, wanted);
            let params = patching();
            let name = seen.name_any();
            session.once(api.patch(&name, &params, &json_patch(json!(operations))?)).await.map(|_| ())
        }
    }
}

/// The patch that makes a Service the one wanted. What others wrote beside that stays.
fn operations(seen: &DynamicObject, wanted: &Value) -> Vec<Value> {
    let mut operations = vec![
        json!({"op": "test", "path": "/metadata/uid", "value": seen.uid()}),
        json!({"op": "test", "path": "/metadata/resourceVersion", "value": seen.resource_version()}),
    ];
    for (field, mut map) in [("labels", json!(seen.labels())), ("annotations", json!(seen.annotations()))] {
        for (key, value) in wanted["metadata"][field].as_object().into_iter().flatten() {
            map[key] = value.clone();
        }
        operations.push(json!({"op": "add", "path": format!("/metadata/{field}"), "value": map}));
    }
    for (field, value) in wanted["spec"].as_object().into_iter().flatten() {
        let value = if field == "ports" { ports(&seen.data["spec"], wanted) } else { value.clone() };
        if seen.data["spec"][field] != value {
            operations.push(json!({"op": "add", "path": format!("/spec/{field}"), "value": value}));
        }
    }
    // The only field that is given or not. A Service without addresses needs no ports.
    if wanted["spec"]["ports"].is_null() && !seen.data["spec"]["ports"].is_null() {
        operations.push(json!({"op": "remove", "path": "/spec/ports"}));
    }
    operations
}

/// The ports wanted, with what the cluster gave to those that stay: a node's port that balancers outside may know.
fn ports(seen: &Value, wanted: &Value) -> Value {
    let list = |spec: &Value| spec["ports"].as_array().cloned().unwrap_or_default();
    let protocol = |port: &Value| port["protocol"].as_str().unwrap_or("TCP").to_owned();
    let has_node_ports = matches!(wanted["spec"]["type"].as_str(), Some("NodePort" | "LoadBalancer"));
    let kept: &[&str] = if has_node_ports { &["protocol", "nodePort"] } else { &["protocol"] };
    let before = list(seen);
    let ports = list(&wanted["spec"]).into_iter().map(|mut port| {
        let same = before.iter().find(|one| one["port"] == port["port"] && protocol(one) == protocol(&port));
        for field in kept {
            if let Some(value) = same.and_then(|same| same.get(field)).filter(|_| port[field].is_null()) {
                port[field] = value.clone();
            }
        }
        port
    });
    ports.collect()
}

/// A hash of what is applied, whether or not it carries one already. Only equality matters; another version's
/// hash means one needless write.
fn hash(wanted: &Value) -> String {
    let mut plain = wanted.clone();
    if let Some(annotations) = plain["metadata"]["annotations"].as_object_mut() {
        annotations.remove(keys::APPLIED);
    }
    let mut hasher = DefaultHasher::new();
    (plain["metadata"].to_string(), plain["spec"].to_string()).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen() -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web", "uid": "1", "resourceVersion": "7", "labels": {"team": "a"}},
            "spec": {
                "type": "NodePort",
                "clusterIP": "10.0.0.1",
                "ports": [{"name": "http", "port": 80, "targetPort": 80, "protocol": "TCP", "nodePort": 31000}],
            },
        }))
        .unwrap()
    }

    fn patched(wanted: &Value) -> Value {
        Change::Update { seen: Box::new(seen()), wanted: wanted.clone() }.difference().unwrap().1
    }

    #[test]
    fn a_port_that_stays_keeps_what_the_cluster_gave_it() {
        let port = json!({"name": "web", "port": 80, "targetPort": 8080});
        let new = json!({"name": "dns", "port": 53, "targetPort": 53});
        let spec = json!({"type": "NodePort", "ports": [port, new]});
        let after = patched(&json!({"metadata": {"labels": {"team": "b"}}, "spec": spec}));
        let kept =
            json!({"name": "web", "port": 80, "targetPort": 8080, "protocol": "TCP", "nodePort": 31000});
        assert_eq!(after["spec"]["ports"], json!([kept, new]));
        assert_eq!(
            (&after["spec"]["clusterIP"], &after["metadata"]["labels"]["team"]),
            (&json!("10.0.0.1"), &json!("b"))
        );
    }

    #[test]
    fn a_type_without_node_ports_gives_them_back() {
        let port = json!({"name": "http", "port": 80, "targetPort": 80});
        let after = patched(&json!({"metadata": {}, "spec": {"type": "ClusterIP", "ports": [port]}}));
        assert!(after["spec"]["ports"][0]["nodePort"].is_null(), "{after}");
    }

    #[test]
    fn what_is_as_wanted_is_not_written() {
        let port = json!({"name": "http", "port": 80, "targetPort": 80});
        let wanted = json!({"metadata": {}, "spec": {"type": "NodePort", "ports": [port]}});
        let paths = operations(&seen(), &wanted);
        assert!(!paths.iter().any(|one| one["path"].as_str().unwrap().starts_with("/spec")), "{paths:?}");
    }
}
