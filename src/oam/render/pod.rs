//! The pod template.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::oam::application::{Application, Component, ComponentKind};
use crate::oam::labels;
use crate::oam::object::{copy, text};
use crate::oam::properties::{Port, Properties};
use crate::oam::traits::volume_of;

/// The template of the component's pods. Properties that are not set are omitted, except for KubeVela's defaults.
pub(super) fn template(
    application: &Application,
    component: &Component,
    properties: &Properties,
    revision: &str,
) -> Value {
    let mut labels = own_labels(application, component, properties);
    let mut mark = |label: &str| labels.insert(label.to_owned(), revision.to_owned());
    // As in KubeVela, pods of other types get no revision label by default: one object serves all revisions, and a
    // label that changes with the name alone would replace its pods needlessly.
    if component.kind == ComponentKind::Webservice || properties.add_revision_label {
        mark(labels::REVISION);
    }
    if properties.add_revision_label {
        // Applications have no revisions here, so this is the component's.
        mark(labels::APP_REVISION);
    }
    json!({"metadata": metadata(&labels, properties), "spec": spec(&component.name, properties)})
}

/// The template of the pods of a component that is applied as a whole. As in KubeVela, they have a label for the
/// revision only with `addRevisionLabel`.
pub(super) fn whole_template(
    application: &Application,
    component: &Component,
    properties: &Properties,
    revision: &str,
) -> Value {
    let labels = whole_labels(application, component, properties, revision);
    json!({"metadata": metadata(&labels, properties), "spec": spec(&component.name, properties)})
}

/// The metadata of the Jobs of a `cron-task`, which have the labels and annotations of their pods, as in KubeVela.
pub(super) fn job_metadata(
    application: &Application,
    component: &Component,
    properties: &Properties,
) -> Value {
    metadata(&whole_labels(application, component, properties, ""), properties)
}

fn whole_labels(
    application: &Application,
    component: &Component,
    properties: &Properties,
    revision: &str,
) -> BTreeMap<String, String> {
    let mut labels = own_labels(application, component, properties);
    if properties.add_revision_label {
        labels.insert(labels::REVISION.to_owned(), revision.to_owned());
    }
    labels
}

/// The labels that the pods of all types have.
fn own_labels(
    application: &Application,
    component: &Component,
    properties: &Properties,
) -> BTreeMap<String, String> {
    let mut labels = properties.labels.clone();
    labels.insert(labels::NAME.to_owned(), application.name.clone());
    labels.insert(labels::COMPONENT.to_owned(), component.name.clone());
    labels
}

fn metadata(labels: &BTreeMap<String, String>, properties: &Properties) -> Value {
    let mut metadata = json!({"labels": labels});
    if !properties.annotations.is_empty() {
        metadata["annotations"] = json!(properties.annotations);
    }
    metadata
}

fn spec(name: &str, properties: &Properties) -> Value {
    let mut spec = Map::new();
    spec.insert("containers".to_owned(), json!([container(name, properties)]));
    set_list(&mut spec, "hostAliases", &properties.host_aliases);
    let secrets: Vec<Value> =
        properties.image_pull_secrets.iter().map(|name| json!({"name": name})).collect();
    set_list(&mut spec, "imagePullSecrets", &secrets);
    set_list(&mut spec, "volumes", &volumes(&properties.volumes));
    set(&mut spec, "restartPolicy", properties.restart.as_ref());
    Value::Object(spec)
}

fn container(name: &str, properties: &Properties) -> Value {
    let mut container = Map::new();
    set(&mut container, "name", Some(name));
    set(&mut container, "image", Some(&properties.image));
    set(&mut container, "imagePullPolicy", properties.image_pull_policy.as_ref());
    set(&mut container, "command", properties.command.as_ref());
    set(&mut container, "args", properties.args.as_ref());
    set_list(&mut container, "ports", &container_ports(&properties.ports));
    set_list(&mut container, "env", &properties.env);
    set(&mut container, "resources", resources(properties));
    let mut mounts: Vec<Value> = properties.volumes.iter().map(mount).collect();
    let claims = properties.claims.iter();
    mounts.extend(claims.map(|claim| json!({"name": claim.name, "mountPath": claim.mount_path})));
    set_list(&mut container, "volumeMounts", &mounts);
    set(&mut container, "lifecycle", lifecycle(properties));
    set(&mut container, "livenessProbe", properties.liveness_probe.as_ref());
    set(&mut container, "readinessProbe", properties.readiness_probe.as_ref());
    Value::Object(container)
}

/// Sets a field if there is a value.
pub(super) fn set(object: &mut Map<String, Value>, field: &str, value: Option<impl Serialize>) {
    object.extend(value.map(|value| (field.to_owned(), json!(value))));
}

/// Sets a list if it is not empty.
fn set_list(object: &mut Map<String, Value>, field: &str, items: &[Value]) {
    set(object, field, Some(items).filter(|items| !items.is_empty()));
}

/// The container's ports without duplicates: two ports of the Service may lead to the same one.
fn container_ports(ports: &[Port]) -> Vec<Value> {
    let mut seen = BTreeSet::new();
    ports.iter().filter(|port| seen.insert((port.target(), port.protocol))).map(port).collect()
}

fn port(port: &Port) -> Value {
    let mut entry = Map::new();
    set(&mut entry, "containerPort", Some(port.target()));
    set(&mut entry, "name", port.name.as_ref());
    set(&mut entry, "protocol", port.protocol);
    Value::Object(entry)
}

fn resources(properties: &Properties) -> Option<Value> {
    let Properties { cpu, memory, limit, .. } = properties;
    let (mut limits, mut requests) = (Map::new(), Map::new());
    for (name, amount) in [("cpu", cpu), ("memory", memory)] {
        if let Some(amount) = amount {
            requests.insert(name.to_owned(), json!(amount));
            limits.insert(name.to_owned(), json!(limit.get(name).unwrap_or(amount)));
        }
    }
    (!requests.is_empty()).then(|| json!({"limits": limits, "requests": requests}))
}

fn lifecycle(properties: &Properties) -> Option<Value> {
    let mut hooks = Map::new();
    for (name, command) in [("postStart", &properties.post_start), ("preStop", &properties.pre_stop)] {
        set(&mut hooks, name, command.as_ref().map(|command| json!({"exec": {"command": command}})));
    }
    (!hooks.is_empty()).then_some(Value::Object(hooks))
}

fn mount(volume: &Value) -> Value {
    let mut mount = Map::new();
    copy(volume, &mut mount, &["name", "mountPath", "subPath"]);
    Value::Object(mount)
}

/// The volumes without duplicates: several mounts may share one.
fn volumes(mounts: &[Value]) -> Vec<Value> {
    let mut seen = BTreeSet::new();
    mounts.iter().filter(|volume| seen.insert(text(volume, "name"))).map(volume_of).collect()
}
