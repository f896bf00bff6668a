//! The pod template.

use serde_json::{Map, Value, json};

use crate::oam::application::{Component, ComponentKind};
use crate::oam::labels;
use crate::oam::properties::{
    EnvValue, EnvVar, Files, HostAlias, KeyRef, Medium, Port, Probe, ProbeHandler, Properties, Volume,
    VolumeSource,
};

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
        ComponentKind::Worker | ComponentKind::ClonesetService => {}
        ComponentKind::StatefulSet => {
            if properties.add_revision_label {
                labels.insert(labels::REVISION.to_owned(), revision.to_owned());
                labels.insert(labels::APP_REVISION.to_owned(), revision.to_owned());
            }
        }
    }
    let mut metadata = json!({"labels": labels});
    if !properties.annotations.is_empty() {
        metadata["annotations"] = json!(properties.annotations);
    }
    json!({"metadata": metadata, "spec": spec(&component.name, properties)})
}

fn spec(name: &str, properties: &Properties) -> Value {
    let mut spec = Map::new();
    spec.insert("containers".to_owned(), json!([container(name, properties)]));
    list(&mut spec, "hostAliases", &properties.host_aliases, host_alias);
    list(&mut spec, "imagePullSecrets", &properties.image_pull_secrets, |name| json!({"name": name}));
    list(&mut spec, "volumes", &properties.volumes, volume);
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
    list(&mut container, "ports", &properties.ports, port);
    list(&mut container, "env", &properties.env, variable);
    if let Some(resources) = resources(properties) {
        container.insert("resources".to_owned(), resources);
    }
    let mounts = properties.volumes.iter().map(|volume| (&volume.name, &volume.mount_path));
    let mounts = mounts.chain(properties.claims.iter().map(|claim| (&claim.name, &claim.mount_path)));
    let mounts: Vec<Value> = mounts.map(|(name, path)| json!({"name": name, "mountPath": path})).collect();
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

fn port(port: &Port) -> Value {
    let mut entry = json!({"containerPort": port.port});
    if let Some(name) = &port.name {
        entry["name"] = json!(name);
    }
    if let Some(protocol) = port.protocol {
        entry["protocol"] = json!(protocol.as_str());
    }
    entry
}

fn variable(variable: &EnvVar) -> Value {
    let reference = |KeyRef { name, key }: &KeyRef| json!({"name": name, "key": key});
    let name = &variable.name;
    match &variable.value {
        EnvValue::Unset => json!({"name": name}),
        EnvValue::Literal(value) => json!({"name": name, "value": value}),
        EnvValue::Secret(from) => json!({"name": name, "valueFrom": {"secretKeyRef": reference(from)}}),
        EnvValue::ConfigMap(from) => {
            json!({"name": name, "valueFrom": {"configMapKeyRef": reference(from)}})
        }
    }
}

fn resources(properties: &Properties) -> Option<Value> {
    let mut amounts = Map::new();
    for (name, amount) in [("cpu", &properties.cpu), ("memory", &properties.memory)] {
        if let Some(amount) = amount {
            amounts.insert(name.to_owned(), json!(amount));
        }
    }
    (!amounts.is_empty()).then(|| json!({"limits": amounts, "requests": amounts}))
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
        ProbeHandler::HttpGet { path, port, headers } => {
            let mut get = json!({"path": path, "port": port});
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
