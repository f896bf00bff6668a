//! From a component to the objects that run it.
//!
//! Decides what a workload and a Service look like, field by field as KubeVela's component definitions do.
//! The same input always gives the same object: whether something has changed is told by comparing. Must
//! not know sizes, batches or what is in the cluster.

mod pod;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::oam::application::{Application, Component, ComponentKind};
use crate::oam::labels;
use crate::oam::properties::Protocol;

impl ComponentKind {
    /// The type as manifests spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Webservice => "webservice",
            Self::Worker => "worker",
        }
    }
}

/// The component's Deployment as a revision stores it: named like the component, without `replicas`, `paused`
/// and the labels of a single rollout.
///
/// `namespace` is the one that the application goes to, `revision` the name of the component revision, which
/// the pods of a webservice carry.
pub fn workload(application: &Application, component: &Component, namespace: &str, revision: &str) -> Value {
    let mut labels = inherited_labels(application);
    labels.extend(own_labels(application, component, namespace));
    labels.insert(labels::RESOURCE_TYPE.to_owned(), "WORKLOAD".to_owned());
    labels.insert(labels::WORKLOAD_TYPE.to_owned(), component.kind.as_str().to_owned());
    let annotations = inherited_annotations(application);
    let mut metadata = Map::new();
    metadata.insert("name".to_owned(), json!(component.name));
    metadata.insert("namespace".to_owned(), json!(namespace));
    metadata.insert("labels".to_owned(), json!(labels));
    if !annotations.is_empty() {
        metadata.insert("annotations".to_owned(), json!(annotations));
    }
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {
            "selector": {"matchLabels": {labels::COMPONENT: component.name}},
            "template": pod::template(component, revision),
        },
    })
}

/// The component's Service, if it exposes a port: named like the component, selecting the pods of all its
/// revisions.
///
/// A port's protocol is given where it is not TCP. KubeVela leaves it out, and so offers UDP ports as TCP.
pub fn service(application: &Application, component: &Component, namespace: &str) -> Option<Value> {
    let ports: Vec<Value> = component
        .properties
        .ports
        .iter()
        .filter(|port| port.expose)
        .map(|port| {
            let mut entry = json!({"port": port.port, "targetPort": port.port});
            if let Some(name) = &port.name {
                entry["name"] = json!(name);
            }
            match port.protocol {
                None | Some(Protocol::Tcp) => {}
                Some(protocol) => entry["protocol"] = json!(protocol.as_str()),
            }
            entry
        })
        .collect();
    if ports.is_empty() {
        return None;
    }
    let mut labels = inherited_labels(application);
    labels.extend(own_labels(application, component, namespace));
    labels.insert(labels::RESOURCE_TYPE.to_owned(), "TRAIT".to_owned());
    labels.insert(labels::TRAIT_TYPE.to_owned(), "AuxiliaryWorkload".to_owned());
    labels.insert(labels::TRAIT_RESOURCE.to_owned(), "webserviceExpose".to_owned());
    let mut metadata = json!({"name": component.name, "namespace": namespace, "labels": labels});
    let annotations = inherited_annotations(application);
    if !annotations.is_empty() {
        metadata["annotations"] = json!(annotations);
    }
    Some(json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {
            "type": component.properties.expose_type.as_str(),
            "selector": {labels::COMPONENT: component.name},
            "ports": ports,
        },
    }))
}

fn own_labels(application: &Application, component: &Component, namespace: &str) -> BTreeMap<String, String> {
    [
        (labels::COMPONENT, component.name.as_str()),
        (labels::NAME, application.name.as_str()),
        (labels::NAMESPACE, namespace),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .collect()
}

fn inherited_labels(application: &Application) -> BTreeMap<String, String> {
    let filtered = filter(application, labels::FILTER_LABELS);
    let pass = |key: &str| !filtered.contains(key);
    application
        .labels
        .iter()
        .filter(|(key, _)| pass(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

fn inherited_annotations(application: &Application) -> BTreeMap<String, String> {
    let mut filtered = filter(application, labels::FILTER_ANNOTATIONS);
    filtered.extend([labels::KUBECTL_LAST_APPLIED, labels::FILTER_LABELS, labels::FILTER_ANNOTATIONS]);
    application
        .annotations
        .iter()
        .filter(|(key, _)| !filtered.contains(key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// The keys that one of the application's filter annotations names.
fn filter<'a>(application: &'a Application, annotation: &str) -> BTreeSet<&'a str> {
    let keys = application.annotations.get(annotation).map_or("", String::as_str);
    keys.split(',').map(str::trim).filter(|key| !key.is_empty()).collect()
}
