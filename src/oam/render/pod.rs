//! The pod template.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::oam::application::{Application, Component, ComponentKind};
use crate::oam::labels;
use crate::oam::properties::volumes::{Files, Medium, Volume, VolumeSource};
use crate::oam::properties::{EnvValue, EnvVar, HostAlias, KeyRef, Port, Probe, ProbeHandler, Properties};

/// The template of the component's pods. What is not given is left out, but for what KubeVela fills in.
pub(super) fn template(component: &Component, properties: &Properties, revision: &str) -> Value {
    let mut labels = properties.labels.clone();
    labels.insert(labels::COMPONENT.to_owned(), component.name.clone());
    match component.kind {
        ComponentKind::Webservice => {
            labels.insert(labels::REVISION.to_owned(), revision.to_owned());
            if properties.add_revision_label {
                // There is no revision of the application here; the component's is the nearest.
                labels.insert(labels::APP_REVISION.to_owned(), revision.to_owned());
            }
        }
        // KubeVela gives these pods no revision unless it is asked for: one object serves them all, and a
        // label that changes with the name alone would replace its pods for nothing.
        ComponentKind::Worker
        | ComponentKind::ClonesetService
        | ComponentKind::Daemon
        | ComponentKind::Task
        | ComponentKind::CronTask
        | ComponentKind::K8sObjects
        | ComponentKind::Raw
        | ComponentKind::RefObjects => {}
        ComponentKind::StatefulSet => {
            if properties.add_revision_label {
                labels.insert(labels::REVISION.to_owned(), revision.to_owned());
                labels.insert(labels::APP_REVISION.to_owned(), revision.to_owned());
            }
        }
    }
    json!({"metadata": metadata(&labels, properties), "spec": spec(&component.name, properties)})
}

/// The template of the pods of a component that is applied as a whole. As in KubeVela they carry the application's
/// name, and a revision only where it is asked for.
pub(super) fn whole_template(
    application: &Application,
    component: &Component,
    properties: &Properties,
    revision: &str,
) -> Value {
    let labels = whole_labels(application, component, properties, revision);
    json!({"metadata": metadata(&labels, properties), "spec": spec(&component.name, properties)})
}

/// The metadata of the Jobs of a `cron-task`, which KubeVela gives the labels and annotations of their pods.
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
    let mut labels = properties.labels.clone();
    labels.insert(labels::NAME.to_owned(), application.name.clone());
    labels.insert(labels::COMPONENT.to_owned(), component.name.clone());
    if properties.add_revision_label {
        labels.insert(labels::REVISION.to_owned(), revision.to_owned());
    }
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
    list(&mut spec, "hostAliases", &properties.host_aliases, host_alias);
    list(&mut spec, "imagePullSecrets", &properties.image_pull_secrets, |name| json!({"name": name}));
    list(&mut spec, "volumes", &volumes(&properties.volumes), |one| volume(one));
    if let Some(job) = &properties.job {
        spec.insert("restartPolicy".to_owned(), json!(job.restart.as_str()));
    }
    Value::Object(spec)
}

fn container(name: &str, properties: &Properties) -> Value {
    let mut container = Map::new();
    container.insert("name".to_owned(), json!(name));
    container.insert("image".to_owned(), json!(properties.image));
    if let Some(policy) = properties.image_pull_policy {
        container.insert("imagePullPolicy".to_owned(), json!(policy.as_str()));
    }
    if let Some(command) = &properties.command {
        container.insert("command".to_owned(), json!(command));
    }
    if let Some(args) = &properties.args {
        container.insert("args".to_owned(), json!(args));
    }
    list(&mut container, "ports", &container_ports(&properties.ports), |one| port(one));
    list(&mut container, "env", &properties.env, variable);
    if let Some(resources) = resources(properties) {
        container.insert("resources".to_owned(), resources);
    }
    let mounts = properties.volumes.iter().map(mount);
    let claims = properties.claims.iter();
    let mounts: Vec<Value> = mounts
        .chain(claims.map(|claim| json!({"name": claim.name, "mountPath": claim.mount_path})))
        .collect();
    list(&mut container, "volumeMounts", &mounts, Value::clone);
    if let Some(lifecycle) = lifecycle(properties) {
        container.insert("lifecycle".to_owned(), lifecycle);
    }
    if let Some(live) = &properties.liveness_probe {
        container.insert("livenessProbe".to_owned(), probe(live));
    }
    if let Some(ready) = &properties.readiness_probe {
        container.insert("readinessProbe".to_owned(), probe(ready));
    }
    Value::Object(container)
}

fn list<T>(object: &mut Map<String, Value>, field: &str, items: &[T], render: fn(&T) -> Value) {
    if !items.is_empty() {
        object.insert(field.to_owned(), items.iter().map(render).collect());
    }
}

/// The container's ports, each once: two ports of the Service may lead to one.
fn container_ports(ports: &[Port]) -> Vec<&Port> {
    let mut seen = BTreeSet::new();
    ports.iter().filter(|port| seen.insert((port.target(), port.protocol))).collect()
}

fn port(port: &Port) -> Value {
    let mut entry = json!({"containerPort": port.target()});
    if let Some(name) = &port.name {
        entry["name"] = json!(name);
    }
    if let Some(protocol) = port.protocol {
        entry["protocol"] = json!(protocol.as_str());
    }
    entry
}

fn variable(variable: &EnvVar) -> Value {
    let reference = |KeyRef { name, key, optional }: &KeyRef| {
        let mut reference = json!({"name": name, "key": key});
        if let Some(optional) = optional {
            reference["optional"] = json!(optional);
        }
        reference
    };
    let name = &variable.name;
    match &variable.value {
        EnvValue::Unset => json!({"name": name}),
        EnvValue::Literal(value) => json!({"name": name, "value": value}),
        EnvValue::Secret(from) => json!({"name": name, "valueFrom": {"secretKeyRef": reference(from)}}),
        EnvValue::ConfigMap(from) => {
            json!({"name": name, "valueFrom": {"configMapKeyRef": reference(from)}})
        }
        EnvValue::Field(from) => json!({"name": name, "valueFrom": {"fieldRef": from}}),
        EnvValue::Resource(from) => json!({"name": name, "valueFrom": {"resourceFieldRef": from}}),
    }
}

fn resources(properties: &Properties) -> Option<Value> {
    let Properties { cpu, memory, limit, .. } = properties;
    let (mut limits, mut requests) = (Map::new(), Map::new());
    for (name, amount, limit) in [("cpu", cpu, &limit.cpu), ("memory", memory, &limit.memory)] {
        if let Some(amount) = amount {
            requests.insert(name.to_owned(), json!(amount));
            limits.insert(name.to_owned(), json!(limit.as_ref().unwrap_or(amount)));
        }
    }
    (!requests.is_empty()).then(|| json!({"limits": limits, "requests": requests}))
}

fn lifecycle(properties: &Properties) -> Option<Value> {
    let mut hooks = Map::new();
    for (name, command) in [("postStart", &properties.post_start), ("preStop", &properties.pre_stop)] {
        if let Some(command) = command {
            hooks.insert(name.to_owned(), json!({"exec": {"command": command}}));
        }
    }
    (!hooks.is_empty()).then_some(Value::Object(hooks))
}

fn mount(volume: &Volume) -> Value {
    let mut mount = json!({"name": volume.name, "mountPath": volume.mount_path});
    if let Some(path) = &volume.sub_path {
        mount["subPath"] = json!(path);
    }
    mount
}

/// The volumes, each once: several mounts may share one.
fn volumes(mounts: &[Volume]) -> Vec<&Volume> {
    let mut seen = BTreeSet::new();
    mounts.iter().filter(|volume| seen.insert(&volume.name)).collect()
}

fn volume(volume: &Volume) -> Value {
    let (field, source) = match &volume.source {
        VolumeSource::Claim { name } => ("persistentVolumeClaim", json!({"claimName": name})),
        VolumeSource::ConfigMap(from) => ("configMap", files(from, "name")),
        VolumeSource::Secret(from) => ("secret", files(from, "secretName")),
        VolumeSource::EmptyDir { medium } => {
            let medium = match medium {
                Medium::Disk => "",
                Medium::Memory => "Memory",
            };
            ("emptyDir", json!({"medium": medium}))
        }
        VolumeSource::HostPath { path } => ("hostPath", json!({"path": path})),
    };
    json!({"name": volume.name, field: source})
}

fn files(from: &Files, name_field: &str) -> Value {
    let mut source = json!({name_field: from.name, "defaultMode": from.default_mode});
    if let Some(items) = &from.items {
        source["items"] =
            items.iter().map(|item| json!({"key": item.key, "path": item.path, "mode": item.mode})).collect();
    }
    source
}

fn probe(probe: &Probe) -> Value {
    let (field, handler) = match &probe.handler {
        ProbeHandler::Exec { command } => ("exec", json!({"command": command})),
        ProbeHandler::TcpSocket { port } => ("tcpSocket", json!({"port": port})),
        ProbeHandler::HttpGet { path, port, host, scheme, headers } => {
            let mut get = json!({"path": path, "port": port});
            if let Some(host) = host {
                get["host"] = json!(host);
            }
            if let Some(scheme) = scheme {
                get["scheme"] = json!(scheme.as_str());
            }
            if !headers.is_empty() {
                get["httpHeaders"] =
                    headers.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
            }
            ("httpGet", get)
        }
    };
    json!({
        field: handler,
        "initialDelaySeconds": probe.initial_delay_seconds,
        "periodSeconds": probe.period_seconds,
        "timeoutSeconds": probe.timeout_seconds,
        "successThreshold": probe.success_threshold,
        "failureThreshold": probe.failure_threshold,
    })
}

fn host_alias(alias: &HostAlias) -> Value {
    json!({"ip": alias.ip, "hostnames": alias.hostnames})
}
