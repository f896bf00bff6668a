//! Renders a component to the objects that run it.
//!
//! Renders each field of the workload, and in [`services`] of its Services, as KubeVela's component definitions do.
//! Rendering is deterministic, since changes are found by comparison. Must not know sizes, batches or the cluster.

mod pod;
pub mod services;
mod traited;
pub mod whole;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::oam::application::{Application, Component};
use crate::oam::hash::hash_json;
use crate::oam::kind::WorkloadKind;
use crate::oam::labels;
use crate::oam::properties::{ClaimTemplate, Properties};
use crate::oam::revision::concealed;
use crate::oam::workflow::StepGate;

pub use services::render_services;
pub use traited::{CHECKED_NAMESPACE, check_traits, render_trait_outputs};

/// The objects of a component.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// The workload, or the first object, which traits change.
    pub workload: Value,
    /// The other objects, in order.
    pub outputs: Vec<Output>,
}

/// An object besides a component's workload.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// Its name among the outputs of its trait or component, such as `service` or `objects-1`.
    pub name: String,
    /// The type of the trait that renders it; `AuxiliaryWorkload` for the component itself.
    pub trait_type: String,
    /// The object.
    pub object: Value,
}

/// Renders a component that is applied as a whole, as KubeVela does: the objects of its type, changed and extended by
/// its traits. The objects do not have the labels of the application yet.
pub fn render_component(
    application: &Application,
    component: &Component,
    namespace: &str,
    revision: &str,
) -> Rendered {
    traited::render_traited(application, component, namespace, revision)
}

/// The trait type of objects that the component itself renders.
pub(in crate::oam) const AUXILIARY: &str = "AuxiliaryWorkload";

/// Every object of a component that is applied as a whole, with labels and annotations of its application; the workload
/// is first.
pub fn render_objects(
    application: &Application,
    component: &Component,
    namespace: &str,
    revision: &str,
) -> Vec<Value> {
    let Rendered { workload, outputs } = render_component(application, component, namespace, revision);
    let inherited = Inherited::of(application);
    let mut of_workload = own_labels(&application.name, &component.name, namespace);
    for (key, value) in [
        (labels::RESOURCE_TYPE, "WORKLOAD"),
        (labels::WORKLOAD_TYPE, component.kind.as_str()),
        (labels::REVISION, revision),
    ] {
        of_workload.insert(key.to_owned(), value.to_owned());
    }
    let workload = marked(workload, &inherited, of_workload);
    let outputs = outputs.into_iter().map(|output| marked_output(application, component, namespace, output));
    std::iter::once(workload).chain(outputs).collect()
}

/// The objects of the traits of a component that is rolled out in batches, with labels and annotations of its
/// application.
pub fn render_trait_objects(application: &Application, component: &Component, namespace: &str) -> Vec<Value> {
    let outputs = traited::render_trait_outputs(application, component, namespace).into_iter();
    outputs.map(|output| marked_output(application, component, namespace, output)).collect()
}

/// A hash of an application's content, except its own labels and annotations: the same for manifests that differ only
/// in order or spelling.
#[must_use]
pub fn content_hash(application: &Application, namespace: &str) -> String {
    let plain = Application { labels: BTreeMap::new(), annotations: BTreeMap::new(), ..application.clone() };
    let of_component = |component: &Component| {
        let Rendered { workload, outputs } = render_component(&plain, component, namespace, "");
        let rollout = component.rollout.as_ref();
        json!({
            "name": component.name,
            "dependsOn": component.depends_on,
            "objects": std::iter::once(&workload)
                .chain(outputs.iter().map(|output| &output.object))
                .map(concealed)
                .collect::<Vec<Value>>(),
            "size": rollout.map(|rollout| rollout.target_size),
            "revision": rollout.and_then(|rollout| rollout.target_revision.clone()),
            "externalRevision": component.external_revision,
        })
    };
    let gates: Vec<StepGate> = application.steps.iter().filter_map(StepGate::of).collect();
    hash_json(&json!({
        "components": application.components.iter().map(of_component).collect::<Vec<Value>>(),
        "gates": gates,
    }))
}

/// An object besides a workload, with labels and annotations of its application.
fn marked_output(application: &Application, component: &Component, namespace: &str, output: Output) -> Value {
    let mut own = own_labels(&application.name, &component.name, namespace);
    for (key, value) in [
        (labels::RESOURCE_TYPE, "TRAIT"),
        (labels::TRAIT_TYPE, output.trait_type.as_str()),
        (labels::TRAIT_RESOURCE, output.name.as_str()),
    ] {
        own.insert(key.to_owned(), value.to_owned());
    }
    marked(output.object, &Inherited::of(application), own)
}

/// Adds labels and annotations to an object. Its existing labels take precedence over the application's, and `own` over
/// both.
fn marked(mut object: Value, inherited: &Inherited, own: BTreeMap<String, String>) -> Value {
    let mut add = |field: &str, inherited: &BTreeMap<String, String>, own: BTreeMap<String, String>| {
        let mut all: Map<String, Value> =
            inherited.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
        let given = object["metadata"][field].as_object().cloned().unwrap_or_default();
        all.extend(given);
        all.extend(own.into_iter().map(|(key, value)| (key, json!(value))));
        if !all.is_empty() {
            object["metadata"][field] = Value::Object(all);
        }
    };
    add("labels", &inherited.labels, own);
    add("annotations", &inherited.annotations, BTreeMap::new());
    object
}

/// The component's workload as stored in a revision: named like the component, without `replicas`, `paused`, a
/// partition or the labels of a single rollout.
///
/// `namespace` is the application's, and `revision` the name of the component revision, which is a label of a
/// webservice's pods.
pub fn render_workload(
    application: &Application,
    component: &Component,
    namespace: &str,
    revision: &str,
) -> Value {
    let mut own = own_labels(&application.name, &component.name, namespace);
    own.insert(labels::RESOURCE_TYPE.to_owned(), "WORKLOAD".to_owned());
    own.insert(labels::WORKLOAD_TYPE.to_owned(), component.kind.as_str().to_owned());
    let bare = bare_workload(application, component, namespace, revision);
    let workload = traited::traited_workload(application, component, namespace, bare);
    marked(workload, &Inherited::of(application), own)
}

/// The workload without its traits, and without labels and annotations of its application.
fn bare_workload(application: &Application, component: &Component, namespace: &str, revision: &str) -> Value {
    let kind = component.kind.workload().unwrap_or_default();
    let template = |properties: &Properties| pod::template(application, component, properties, revision);
    json!({
        "apiVersion": kind.api_version(),
        "kind": kind.as_str(),
        "metadata": {"name": component.name, "namespace": namespace},
        "spec": component.properties().map(|properties| spec(component, kind, properties, &template(properties))),
    })
}

fn spec(component: &Component, kind: WorkloadKind, properties: &Properties, template: &Value) -> Value {
    let mut spec = json!({
        "selector": {"matchLabels": {labels::COMPONENT: component.name}},
        "template": template,
    });
    match kind {
        WorkloadKind::Deployment => {}
        WorkloadKind::CloneSet => {
            if let Some(strategy) = &properties.update_strategy {
                spec["updateStrategy"] = json!({"type": strategy});
            }
        }
        WorkloadKind::StatefulSet => {
            spec["serviceName"] = json!(services::headless_name(&component.name));
            if let Some(order) = &properties.pod_management {
                spec["podManagementPolicy"] = json!(order);
            }
            if !properties.claims.is_empty() {
                spec["volumeClaimTemplates"] = properties.claims.iter().map(claim).collect();
            }
        }
    }
    spec
}

fn claim(claim: &ClaimTemplate) -> Value {
    let mut spec = json!({
        "accessModes": claim.access_modes,
        "resources": {"requests": {"storage": claim.storage}},
    });
    if let Some(class) = &claim.storage_class_name {
        spec["storageClassName"] = json!(class);
    }
    json!({"metadata": {"name": claim.name}, "spec": spec})
}

fn own_labels(application: &str, component: &str, namespace: &str) -> BTreeMap<String, String> {
    [(labels::COMPONENT, component), (labels::NAME, application), (labels::NAMESPACE, namespace)]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// The labels and annotations that a component's objects inherit from its application.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inherited {
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// The annotations.
    pub annotations: BTreeMap<String, String>,
}

impl Inherited {
    /// The labels and annotations that the application passes on.
    pub fn of(application: &Application) -> Self {
        let labels = filter(application, labels::FILTER_LABELS);
        let mut annotations = filter(application, labels::FILTER_ANNOTATIONS);
        annotations.extend([labels::KUBECTL_LAST_APPLIED, labels::FILTER_LABELS, labels::FILTER_ANNOTATIONS]);
        let without = |all: &BTreeMap<String, String>, filtered: &BTreeSet<&str>| {
            let passed = all.iter().filter(|(key, _)| !filtered.contains(key.as_str()));
            passed.map(|(key, value)| (key.clone(), value.clone())).collect()
        };
        Self {
            labels: without(&application.labels, &labels),
            annotations: without(&application.annotations, &annotations),
        }
    }

    /// The labels and annotations of the component's workload: those of the application and those of its traits.
    pub fn of_workload(application: &Application, component: &Component, namespace: &str) -> Self {
        Self::stored(&render_workload(application, component, namespace, ""))
    }

    /// The labels and annotations that a workload in a revision's body has inherited.
    pub fn stored(workload: &Value) -> Self {
        let map = |field: &str| {
            let all = workload["metadata"][field].as_object().into_iter().flatten();
            all.filter(|(key, _)| !labels::is_own(key))
                .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
                .collect()
        };
        Self { labels: map("labels"), annotations: map("annotations") }
    }
}

/// The keys in one of the application's filter annotations.
fn filter<'a>(application: &'a Application, annotation: &str) -> BTreeSet<&'a str> {
    let keys = application.annotations.get(annotation).map_or("", String::as_str);
    keys.split(',').map(str::trim).filter(|key| !key.is_empty()).collect()
}
