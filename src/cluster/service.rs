//! The Service of a component that exposes ports. It is not versioned and not batched (spec §7.1).

use std::hash::{DefaultHasher, Hash, Hasher};

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
        operations.push(json!({"op": "add", "path": format!("/spec/{field}"), "value": value}));
    }
    // The only field that is given or not. A Service without addresses needs no ports.
    if wanted["spec"]["ports"].is_null() && !seen.data["spec"]["ports"].is_null() {
        operations.push(json!({"op": "remove", "path": "/spec/ports"}));
    }
    operations
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
