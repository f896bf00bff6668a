//! Traits that give pods volumes.

pub(super) mod deprecated;

use serde_json::{Map, Value, json};

use crate::oam::manifest::names;
use crate::oam::object::{copy, list, text};
use crate::oam::render::Rendered;
use crate::oam::traits::TraitKind;
use crate::oam::traits::context::TraitContext;
use crate::oam::traits::error::{TraitError, refused};
use crate::oam::traits::outputs::{TraitOutput, add_output};
use crate::oam::traits::patch::{self, Mark};
use crate::oam::traits::workload::{containers, merge_into_pod};

/// The changes of a trait's volumes to the pods.
#[derive(Default)]
struct TraitVolumes {
    volumes: Vec<Value>,
    mounts: Vec<Value>,
    devices: Vec<Value>,
    env: Vec<Value>,
}

impl TraitVolumes {
    /// Adds a volume unless it was added before.
    fn add_volume(&mut self, name: &str, field: &str, source: &Value) -> Result<(), TraitError> {
        if !names::is_label(name) {
            let message = format!("names a volume `{name}`, expected {}", names::LABEL.expected);
            return Err(refused(message, "choose a shorter name, without dots"));
        }
        if !self.volumes.iter().any(|volume| volume["name"] == name) {
            self.volumes.push(json!({"name": name, field: source}));
        }
        Ok(())
    }

    fn add_mount(&mut self, name: &str, from: &Value) {
        let mut mount = Map::new();
        mount.insert("name".to_owned(), json!(name));
        copy(from, &mut mount, &["mountPath", "subPath"]);
        self.mounts.push(Value::Object(mount));
    }

    fn add_variable(&mut self, from: &Value, reference: &str, object: &str, key: &str) {
        let value = json!({reference: {"name": object, "key": from[key]}});
        self.env.push(json!({"name": from["envName"], "valueFrom": value}));
    }

    /// Merges the volumes into the pods, and mounts, devices and variables into the first container.
    fn merge(self, workload: &mut Value) -> Result<(), TraitError> {
        let mut first = Map::new();
        for (field, list) in
            [("volumeMounts", self.mounts), ("volumeDevices", self.devices), ("env", self.env)]
        {
            if !list.is_empty() {
                first.insert(field.to_owned(), Value::Array(list));
            }
        }
        if containers(workload)?.is_empty() {
            return Err(refused("finds no container", "use it in a component with pods"));
        }
        if !self.volumes.is_empty() {
            add_volumes(workload, &self.volumes)?;
        }
        let marks = &[
            ("containers", Mark::Open),
            ("containers.volumeMounts", Mark::Key("name")),
            ("containers.volumeDevices", Mark::Key("name")),
            ("containers.env", Mark::Key("name")),
        ];
        merge_into_pod(workload, &json!({"containers": [first]}), marks)
    }
}

/// `storage`: volumes of five types, variables from keys, and the objects with the data.
pub(super) fn storage(
    properties: &Value,
    rendered: &mut Rendered,
    context: &TraitContext<'_>,
) -> Result<(), TraitError> {
    let mut mounted = TraitVolumes::default();
    for claim in list(properties, "pvc") {
        let name = format!("pvc-{}", text(claim, "name"));
        mounted.add_volume(&name, "persistentVolumeClaim", &json!({"claimName": claim["name"]}))?;
        if text(claim, "volumeMode") == "Block" {
            mounted.devices.push(json!({"name": name, "devicePath": claim["mountPath"]}));
        } else {
            mounted.add_mount(&name, claim);
        }
    }
    let files = [
        ("configMap", "configmap", "name", "configMapKeyRef", "configMapKey"),
        ("secret", "secret", "secretName", "secretKeyRef", "secretKey"),
    ];
    for (kind, prefix, name_field, reference, key) in files {
        for one in list(properties, kind) {
            let object = text(one, "name");
            if one.get("mountPath").is_some() {
                let name = format!("{prefix}-{object}");
                mounted.add_volume(&name, kind, &files_of(one, name_field, &one["name"]))?;
                mounted.add_mount(&name, one);
            }
            if let Some(variable) = one.get("mountToEnv") {
                mounted.add_variable(variable, reference, object, key);
            }
        }
        // Variables in lists follow the single ones.
        for one in list(properties, kind) {
            for variable in list(one, "mountToEnvs") {
                mounted.add_variable(variable, reference, text(one, "name"), key);
            }
        }
    }
    for one in list(properties, "emptyDir") {
        let name = format!("emptydir-{}", text(one, "name"));
        mounted.add_volume(&name, "emptyDir", &json!({"medium": one["medium"]}))?;
        mounted.add_mount(&name, one);
    }
    for one in list(properties, "hostPath") {
        let name = format!("hostpath-{}", text(one, "name"));
        mounted.add_volume(&name, "hostPath", &json!({"path": one["path"], "type": one["type"]}))?;
        mounted.add_mount(&name, one);
    }
    mounted.merge(&mut rendered.workload)?;
    add_objects(properties, rendered, context)
}

/// The source of files from a ConfigMap or Secret.
fn files_of(from: &Value, name_field: &str, name: &Value) -> Value {
    let mut source = Map::new();
    source.insert(name_field.to_owned(), name.clone());
    copy(from, &mut source, &["defaultMode", "items"]);
    Value::Object(source)
}

/// Adds the objects that do not exist yet.
fn add_objects(
    properties: &Value,
    rendered: &mut Rendered,
    context: &TraitContext<'_>,
) -> Result<(), TraitError> {
    let created = |kind: &str| {
        list(properties, kind).iter().filter(|one| one["mountOnly"] != true).cloned().collect::<Vec<Value>>()
    };
    for claim in created("pvc") {
        let name = text(&claim, "name");
        let object = TraitOutput::new("v1", "PersistentVolumeClaim", name).with("spec", claim_spec(&claim));
        add_output(rendered, context, TraitKind::Storage, &format!("pvc-{name}"), object)?;
    }
    for (kind, object_kind, fields) in
        [("configMap", "ConfigMap", &["data"][..]), ("secret", "Secret", &["data", "stringData"][..])]
    {
        for one in created(kind) {
            let name = text(&one, "name");
            let mut object = TraitOutput::new("v1", object_kind, name);
            for field in fields {
                if let Some(data) = one.get(*field) {
                    object = object.with(field, data.clone());
                }
            }
            let output = format!("{}-{name}", kind.to_lowercase());
            add_output(rendered, context, TraitKind::Storage, &output, object)?;
        }
    }
    Ok(())
}

/// The specification of a claim. Its default size is 8Gi.
fn claim_spec(claim: &Value) -> Value {
    let mut spec = Map::new();
    let copied =
        ["accessModes", "volumeMode", "volumeName", "storageClassName", "dataSource", "dataSourceRef"];
    copy(claim, &mut spec, &copied);
    let default = json!({"requests": {"storage": "8Gi"}});
    spec.insert("resources".to_owned(), claim.get("resources").cloned().unwrap_or(default));
    // KubeVela writes the selector into `dataSource`, which the API server rejects.
    if let Some(selector) = claim.get("selector") {
        let mut selector = selector.clone();
        if let Some(expression) = selector.get_mut("matchExpressions") {
            *expression = json!([expression.take()]);
        }
        spec.insert("selector".to_owned(), selector);
    }
    Value::Object(spec)
}

/// Merges volumes into the pods.
fn add_volumes(workload: &mut Value, volumes: &[Value]) -> Result<(), TraitError> {
    let patch = json!({"volumes": volumes});
    merge_into_pod(workload, &patch, &[("volumes", Mark::Key("name"))])
}

/// Merges mounts or devices into the first container.
fn add_to_first(workload: &mut Value, field: &str, entries: &[Value]) -> Result<(), TraitError> {
    let Some(first) = containers(workload)?.first_mut() else {
        return Err(refused("finds no container", "use it in a component with pods"));
    };
    let patch = json!({field: entries});
    let marks = &[("volumeMounts", Mark::Key("name")), ("volumeDevices", Mark::Key("name"))];
    Ok(patch::merge(first, &[], &patch, marks)?)
}
