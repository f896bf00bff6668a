//! From a component to the objects that run it.
//!
//! Decides what a workload and a Service look like, field by field as KubeVela's component definitions do.
//! The same input always gives the same object: whether something has changed is told by comparing. Must
//! not know sizes, batches or what is in the cluster.

mod pod;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::oam::application::{Application, Component, ComponentKind};
use crate::oam::kind::WorkloadKind;
use crate::oam::labels;
use crate::oam::properties::{ClaimTemplate, Port, Protocol};

impl ComponentKind {
    /// The type as manifests spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Webservice => "webservice",
            Self::Worker => "worker",
            Self::ClonesetService => "cloneset-service",
            Self::StatefulSet => "statefulset",
        }
    }

    /// The kind of workload that runs it.
    pub fn workload(self) -> WorkloadKind {
        match self {
            Self::Webservice | Self::Worker => WorkloadKind::Deployment,
            Self::ClonesetService => WorkloadKind::CloneSet,
            Self::StatefulSet => WorkloadKind::StatefulSet,
        }
    }
}

/// The component's workload as a revision stores it: named like the component, without `replicas`, `paused`, a
/// partition and the labels of a single rollout.
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
    let kind = component.kind.workload();
    json!({
        "apiVersion": kind.api_version(),
        "kind": kind.as_str(),
        "metadata": metadata,
        "spec": spec(component, revision),
    })
}

fn spec(component: &Component, revision: &str) -> Value {
    let mut spec = json!({
        "selector": {"matchLabels": {labels::COMPONENT: component.name}},
        "template": pod::template(component, revision),
    });
    let properties = &component.properties;
    match component.kind.workload() {
        WorkloadKind::Deployment => {}
        WorkloadKind::CloneSet => {
            if let Some(strategy) = properties.update_strategy {
                spec["updateStrategy"] = json!({"type": strategy.as_str()});
            }
        }
        WorkloadKind::StatefulSet => {
            spec["serviceName"] = json!(headless_name(component));
            if let Some(order) = properties.pod_management {
                spec["podManagementPolicy"] = json!(order.as_str());
            }
            if !properties.claims.is_empty() {
                spec["volumeClaimTemplates"] = properties.claims.iter().map(claim).collect();
            }
        }
    }
    spec
}

fn claim(claim: &ClaimTemplate) -> Value {
    let modes: Vec<&str> = claim.access_modes.iter().map(|mode| mode.as_str()).collect();
    let mut spec = json!({
        "accessModes": modes,
        "resources": {"requests": {"storage": claim.storage}},
    });
    if let Some(class) = &claim.storage_class {
        spec["storageClassName"] = json!(class);
    }
    json!({"metadata": {"name": claim.name}, "spec": spec})
}

/// The name of the Service that gives a StatefulSet's pods their names in DNS.
fn headless_name(component: &Component) -> String {
    format!("{}-headless", component.name)
}

/// The component's Services: the one that offers its exposed ports, and for a StatefulSet the one that gives
/// its pods their names in DNS. They select the pods of all revisions.
pub fn services(application: &Application, component: &Component, namespace: &str) -> Vec<Value> {
    let exposing = service(application, component, namespace);
    let headless = (component.kind.workload() == WorkloadKind::StatefulSet)
        .then(|| headless_service(application, component, namespace));
    exposing.into_iter().chain(headless).collect()
}

fn headless_service(application: &Application, component: &Component, namespace: &str) -> Value {
    let ports: Vec<Value> = component.properties.ports.iter().map(service_port).collect();
    let mut spec = json!({
        "clusterIP": "None",
        "selector": {labels::COMPONENT: component.name},
        // Peers have to find each other before they are ready.
        "publishNotReadyAddresses": true,
    });
    if !ports.is_empty() {
        spec["ports"] = json!(ports);
    }
    let name = headless_name(component);
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": service_metadata(application, component, namespace, &name, "statefulsetHeadless"),
        "spec": spec,
    })
}

/// The component's Service, if it exposes a port: named like the component.
fn service(application: &Application, component: &Component, namespace: &str) -> Option<Value> {
    let ports: Vec<Value> =
        component.properties.ports.iter().filter(|port| port.expose).map(service_port).collect();
    if ports.is_empty() {
        return None;
    }
    let resource = match component.kind.workload() {
        WorkloadKind::Deployment | WorkloadKind::CloneSet => "webserviceExpose",
        WorkloadKind::StatefulSet => "statefulsetExpose",
    };
    Some(json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": service_metadata(application, component, namespace, &component.name, resource),
        "spec": {
            "type": component.properties.expose_type.as_str(),
            "selector": {labels::COMPONENT: component.name},
            "ports": ports,
        },
    }))
}

fn service_metadata(
    application: &Application,
    component: &Component,
    namespace: &str,
    name: &str,
    resource: &str,
) -> Value {
    let mut labels = inherited_labels(application);
    labels.extend(own_labels(application, component, namespace));
    labels.insert(labels::RESOURCE_TYPE.to_owned(), "TRAIT".to_owned());
    labels.insert(labels::TRAIT_TYPE.to_owned(), "AuxiliaryWorkload".to_owned());
    labels.insert(labels::TRAIT_RESOURCE.to_owned(), resource.to_owned());
    let mut metadata = json!({"name": name, "namespace": namespace, "labels": labels});
    let annotations = inherited_annotations(application);
    if !annotations.is_empty() {
        metadata["annotations"] = json!(annotations);
    }
    metadata
}

/// A port of a Service. Its protocol is given where it is not TCP; KubeVela leaves it out, and so offers UDP
/// ports as TCP.
fn service_port(port: &Port) -> Value {
    let mut entry = json!({"port": port.port, "targetPort": port.port});
    if let Some(name) = &port.name {
        entry["name"] = json!(name);
    }
    match port.protocol {
        None | Some(Protocol::Tcp) => {}
        Some(protocol) => entry["protocol"] = json!(protocol.as_str()),
    }
    entry
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
