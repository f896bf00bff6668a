//! Components and the objects that KubeVela's definitions of types and traits render, as documents in `golden`: an
//! entry of `spec.components`, and the objects without the labels that all objects of an application have. A last
//! document lists the warnings, if there are any.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::{v1, v2};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{
    ConfigMap, Namespace, PersistentVolumeClaim, Secret, Service, ServiceAccount,
};
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use rollout::oam::application::Application;
use rollout::oam::labels;
use rollout::oam::manifest::{Source, parse_manifest};
use rollout::oam::render::{render_component, render_objects};
use rollout::oam::schema::Shape;
use rollout::oam::traits::TraitKind;
use serde_json::{Value, json};

/// The documents of each case, by its path below `golden`.
fn cases() -> Vec<(String, Vec<Value>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifest/golden");
    let mut files = files(&root);
    files.sort();
    let case = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        let documents = text.split("\n---\n");
        let documents =
            documents.map(|text| serde_yaml::from_str(text).unwrap_or_else(|e| panic!("{name}: {e}")));
        (name.clone(), documents.collect())
    };
    files.into_iter().map(case).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The application `shop` with one component.
fn application(name: &str, component: &Value) -> Application {
    let text = json!({
        "apiVersion": "core.oam.dev/v1beta1",
        "kind": "Application",
        "metadata": {"name": "shop", "namespace": "prod"},
        "spec": {"components": [component]},
    });
    let source = Source { name: name.to_owned(), bytes: text.to_string().into_bytes() };
    let mut applications = parse_manifest(&[source]).unwrap_or_else(|errors| panic!("{name}: {errors}"));
    applications.remove(0)
}

/// The objects of the case's component, and the warnings.
fn found(name: &str, component: &Value) -> Vec<Value> {
    let application = application(name, component);
    let rendered = render_component(&application, &application.components[0], "prod", "web-v1");
    let mut found = vec![rendered.workload];
    found.extend(rendered.outputs.into_iter().map(|output| output.object));
    for object in &mut found {
        if object["metadata"]["namespace"] == "prod" {
            object["metadata"].as_object_mut().unwrap().remove("namespace");
        }
    }
    let warning = |path: &str, message: &str| json!(format!("{path}: {message}"));
    let warnings: Vec<Value> = application
        .warnings
        .iter()
        .map(|one| warning(one.path.trim_start_matches("spec.components[0]."), &one.message))
        .collect();
    if !warnings.is_empty() {
        found.push(json!({"warnings": warnings}));
    }
    found
}

#[test]
fn every_component_is_rendered_as_by_kubevela() {
    let mut wrong = String::new();
    for (name, documents) in cases() {
        let found = found(&name, &documents[0]);
        if found != documents[1..] {
            let found: Vec<String> = found.iter().map(|one| serde_yaml::to_string(one).unwrap()).collect();
            wrong.push_str(&format!("=== {name}\n{}\n", found.join("---\n")));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// The object, deserialised and serialised by its type in Kubernetes' API; `None` for kinds that are not of Kubernetes
/// itself.
fn read_back(object: &Value) -> Option<Value> {
    fn through<T: serde::de::DeserializeOwned + serde::Serialize>(object: &Value) -> Value {
        let typed: T =
            serde_json::from_value(object.clone()).unwrap_or_else(|error| panic!("{error}: {object}"));
        serde_json::to_value(typed).unwrap()
    }
    let read = match object["kind"].as_str()? {
        "Deployment" => through::<Deployment>,
        "StatefulSet" => through::<StatefulSet>,
        "DaemonSet" => through::<DaemonSet>,
        "Job" => through::<Job>,
        "CronJob" => through::<CronJob>,
        "Service" => through::<Service>,
        "ConfigMap" => through::<ConfigMap>,
        "Secret" => through::<Secret>,
        "Namespace" => through::<Namespace>,
        "PersistentVolumeClaim" => through::<PersistentVolumeClaim>,
        "ServiceAccount" => through::<ServiceAccount>,
        "Ingress" => through::<Ingress>,
        "HorizontalPodAutoscaler" if object["apiVersion"] == "autoscaling/v1" => {
            through::<v1::HorizontalPodAutoscaler>
        }
        "HorizontalPodAutoscaler" => through::<v2::HorizontalPodAutoscaler>,
        "Role" => through::<Role>,
        "RoleBinding" => through::<RoleBinding>,
        "ClusterRole" => through::<ClusterRole>,
        "ClusterRoleBinding" => through::<ClusterRoleBinding>,
        _ => return None,
    };
    Some(read(object))
}

/// Whether a value contains everything that another one does.
pub(crate) fn has_all(value: &Value, other: &Value) -> bool {
    match (value, other) {
        (Value::Object(value), Value::Object(other)) => {
            other.iter().all(|(key, other)| value.get(key).is_some_and(|value| has_all(value, other)))
        }
        (Value::Array(value), Value::Array(other)) => {
            value.len() == other.len() && value.iter().zip(other).all(|(value, other)| has_all(value, other))
        }
        _ => value == other,
    }
}

#[test]
fn no_object_has_a_field_that_kubernetes_does_not_have() {
    for (name, documents) in cases() {
        for object in documents[1..].iter().filter(|document| document["kind"].is_string()) {
            if let Some(read) = read_back(object) {
                assert!(has_all(&read, object), "{name}: {read}\nis not\n{object}");
            }
        }
    }
}

#[test]
fn every_object_has_the_labels_of_its_application() {
    for (name, documents) in cases() {
        let application = application(&name, &documents[0]);
        let component = &application.components[0];
        for object in render_objects(&application, component, "prod", "web-v1") {
            let labels = &object["metadata"]["labels"];
            for (key, value) in
                [(labels::NAME, "shop"), (labels::NAMESPACE, "prod"), (labels::COMPONENT, &component.name)]
            {
                assert_eq!(labels[key], value, "{name}: {object}");
            }
        }
    }
}

/// A parameter by its trait, its mapping and its name: a part that occurs in several places of a trait needs one case.
fn parameter(path: &str) -> String {
    let names: Vec<&str> = path.split('.').collect();
    match names.as_slice() {
        [name, .., mapping, field] if names.len() > 2 => format!("{name}: {mapping}.{field}"),
        _ => path.to_owned(),
    }
}

/// The fields that a shape declares.
fn declared(shape: &Shape, path: &str, found: &mut BTreeSet<String>) {
    match shape {
        Shape::Object(table) => {
            for field in table.fields {
                let path = format!("{path}.{}", field.name);
                declared(&field.shape, &path, found);
                found.insert(parameter(&path));
            }
        }
        Shape::List { of, .. } | Shape::Map { of, .. } | Shape::Nullable(of) | Shape::Filled { of, .. } => {
            declared(of, path, found);
        }
        Shape::Typed(types) => {
            types.iter().for_each(|(_, table)| declared(&Shape::Object(table), path, found));
        }
        Shape::Text
        | Shape::Checked(_)
        | Shape::Secret(_)
        | Shape::ObjectName
        | Shape::Choice(_)
        | Shape::Integer { .. }
        | Shape::NodePort
        | Shape::Boolean
        | Shape::Quantity(_)
        | Shape::Any
        | Shape::AnyObject => {}
    }
}

/// The fields that a value has.
fn used(value: &Value, shape: &Shape, path: &str, found: &mut BTreeSet<String>) {
    match (value, shape) {
        (Value::Object(fields), Shape::Object(table)) => {
            for field in table.fields {
                let Some(value) = fields.get(field.name) else { continue };
                let path = format!("{path}.{}", field.name);
                used(value, &field.shape, &path, found);
                found.insert(parameter(&path));
            }
        }
        (Value::Array(items), Shape::List { of, .. }) => {
            items.iter().for_each(|item| used(item, of, path, found));
        }
        (Value::Object(fields), Shape::Map { of, .. }) => {
            fields.values().for_each(|value| used(value, of, path, found));
        }
        (value, Shape::Nullable(of)) => used(value, of, path, found),
        _ => {}
    }
}

#[test]
fn every_parameter_of_every_trait_has_a_case() {
    let mut missing = BTreeSet::new();
    for kind in TraitKind::ALL {
        missing.insert(kind.as_str().to_owned());
        declared(&kind.properties(), kind.as_str(), &mut missing);
    }
    assert!(missing.len() > 250, "the tables are found");
    for (_, documents) in cases() {
        for one in documents[0]["traits"].as_array().into_iter().flatten() {
            let name = one["type"].as_str().unwrap();
            let Some(kind) = TraitKind::of_name(name) else { continue };
            let mut found = BTreeSet::from([name.to_owned()]);
            used(&one["properties"], &kind.properties(), name, &mut found);
            missing.retain(|path| !found.contains(path));
        }
    }
    assert_eq!(missing, BTreeSet::new());
}
