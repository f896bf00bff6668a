//! Traits that add containers, and hooks of containers.

use serde_json::{Map, Value, json};

use crate::oam::object::{copy, list, text};
use crate::oam::traits::context::TraitContext;
use crate::oam::traits::error::TraitError;
use crate::oam::traits::patch;
use crate::oam::traits::workload::{self, BY_NAME, container, merge_into_pod};

/// `sidecar`: a container beside the main one. Its volumes are those of the pod.
pub(super) fn sidecar(properties: &Value, workload: &mut Value) -> Result<(), TraitError> {
    let mut added = Map::new();
    copy(properties, &mut added, &["name", "image", "args", "env", "livenessProbe", "readinessProbe"]);
    if let Some(command) = properties.get("cmd") {
        added.insert("command".to_owned(), command.clone());
    }
    if let Some(volumes) = properties["volumes"].as_array() {
        let mounts = volumes.iter().map(|one| json!({"name": one["name"], "mountPath": one["path"]}));
        added.insert("volumeMounts".to_owned(), mounts.collect());
    }
    merge_into_pod(workload, &json!({"containers": [added]}), BY_NAME)
}

/// `init-container`: a container that runs before the others, and a directory that it shares with the main one.
pub(super) fn init_container(
    properties: &Value,
    workload: &mut Value,
    context: &TraitContext<'_>,
) -> Result<(), TraitError> {
    container(workload, "", context.component)?;
    let mount = |path: &str| json!({"name": properties["mountName"], "mountPath": properties[path]});
    let mut mounts = vec![mount("initMountPath")];
    mounts.extend(
        list(properties, "extraVolumeMounts")
            .iter()
            .map(|one| json!({"name": one["name"], "mountPath": one["mountPath"]})),
    );
    let mut added = Map::new();
    copy(properties, &mut added, &["name", "image", "imagePullPolicy", "args", "env"]);
    if let Some(command) = properties.get("cmd") {
        added.insert("command".to_owned(), command.clone());
    }
    added.insert("volumeMounts".to_owned(), Value::Array(mounts));
    let patch = json!({
        "containers": [{"name": context.component, "volumeMounts": [mount("appMountPath")]}],
        "initContainers": [added],
        "volumes": [{"name": properties["mountName"], "emptyDir": {}}],
    });
    merge_into_pod(workload, &patch, BY_NAME)
}

/// `lifecycle`: hooks of all containers.
pub(super) fn lifecycle(properties: &Value, workload: &mut Value) -> Result<(), TraitError> {
    let count = workload::containers(workload)?.len();
    let hooks = json!({"containers": vec![hooks(properties); count]});
    merge_into_pod(workload, &hooks, &[])
}

/// Adds the hooks to one container.
pub(super) fn add_hooks(properties: &Value, container: &mut Value) -> Result<(), TraitError> {
    Ok(patch::merge(container, &[], &hooks(properties), &[])?)
}

fn hooks(properties: &Value) -> Value {
    let mut hooks = Map::new();
    copy(properties, &mut hooks, &["postStart", "preStop"]);
    json!({"lifecycle": hooks})
}

/// `startup-probe` of one container.
pub(super) fn startup_probe(
    properties: &Value,
    workload: &mut Value,
    context: &TraitContext<'_>,
) -> Result<(), TraitError> {
    let name = container(workload, text(properties, "containerName"), context.component)?["name"].clone();
    let mut probe = properties.as_object().cloned().unwrap_or_default();
    probe.remove("containerName");
    merge_into_pod(workload, &json!({"containers": [{"name": name, "startupProbe": probe}]}), BY_NAME)
}
