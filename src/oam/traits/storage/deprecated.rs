//! The deprecated traits that `storage` replaces.

use serde_json::{Map, Value, json};

use crate::oam::object::{copy, list, text};
use crate::oam::render::Rendered;
use crate::oam::traits::TraitKind;
use crate::oam::traits::context::TraitContext;
use crate::oam::traits::error::{TraitError, refused};
use crate::oam::traits::outputs::{TraitOutput, add_output};
use crate::oam::traits::storage::{add_to_first, add_volumes, claim_spec, files_of};

/// `volumes`: volumes that the component may mount by name.
pub(in crate::oam::traits) fn volumes(properties: &Value, workload: &mut Value) -> Result<(), TraitError> {
    let volumes: Vec<Value> = list(properties, "volumes").iter().map(volume_of).collect();
    give_way(workload, &volumes);
    add_volumes(workload, &volumes)
}

/// Converts a volume of a component or of the trait `volumes` to that of a pod.
#[must_use]
pub(in crate::oam) fn volume_of(volume: &Value) -> Value {
    let (field, source) = match text(volume, "type") {
        "pvc" => ("persistentVolumeClaim", json!({"claimName": volume["claimName"]})),
        "configMap" => ("configMap", files_of(volume, "name", &volume["cmName"])),
        "secret" => ("secret", files_of(volume, "secretName", &volume["secretName"])),
        "hostPath" => ("hostPath", json!({"path": volume["path"]})),
        _ => ("emptyDir", json!({"medium": volume["medium"]})),
    };
    json!({"name": volume["name"], field: source})
}

/// Removes the `emptyDir` that a component by default renders for a volume that this trait declares: a volume with two
/// sources would be rejected.
fn give_way(workload: &mut Value, volumes: &[Value]) {
    let Some(existing) = workload.pointer_mut("/spec/template/spec/volumes").and_then(Value::as_array_mut)
    else {
        return;
    };
    let by_default = json!({"medium": ""});
    existing.retain(|one| {
        let is_declared = volumes.iter().any(|other| other["name"] == one["name"]);
        one["emptyDir"] != by_default || !is_declared
    });
}

/// `configmap`: ConfigMaps mounted in the first container, and created if they have data.
pub(in crate::oam::traits) fn config_map(
    properties: &Value,
    rendered: &mut Rendered,
    context: &TraitContext<'_>,
) -> Result<(), TraitError> {
    let all = list(properties, "volumes");
    let name = |one: &Value| format!("volume-{}", text(one, "name"));
    let volumes: Vec<Value> =
        all.iter().map(|one| json!({"name": name(one), "configMap": {"name": one["name"]}})).collect();
    let mounts = all
        .iter()
        .map(|one| json!({"name": name(one), "mountPath": one["mountPath"], "readOnly": one["readOnly"]}));
    add_volumes(&mut rendered.workload, &volumes)?;
    add_to_first(&mut rendered.workload, "volumeMounts", &mounts.collect::<Vec<Value>>())?;
    for one in all {
        let Some(data) = one.get("data") else { continue };
        let name = text(one, "name");
        let object = TraitOutput::new("v1", "ConfigMap", name).with("data", data.clone());
        add_output(rendered, context, TraitKind::ConfigMap, name, object)?;
    }
    Ok(())
}

/// `pvc`: a claim, and its mounts in the first container.
pub(in crate::oam::traits) fn claim(
    properties: &Value,
    rendered: &mut Rendered,
    context: &TraitContext<'_>,
) -> Result<(), TraitError> {
    let claim = &properties["claimName"];
    let (list_field, path) = match text(properties, "volumeMode") {
        "Block" => ("volumeDevices", "devicePath"),
        _ => ("volumeMounts", "mountPath"),
    };
    let mut entries = Vec::new();
    let mut volumes = Vec::new();
    for one in list(properties, "volumesToMount") {
        if one.get(path).is_none() {
            let mode = text(properties, "volumeMode");
            return Err(refused(
                format!("has volume `{}` without `{path}`", text(one, "name")),
                format!("with `volumeMode: {mode}`, set `{path}`"),
            ));
        }
        let mut entry = Map::new();
        copy(one, &mut entry, &["name", path]);
        entries.push(Value::Object(entry));
        volumes.push(json!({"name": one["name"], "persistentVolumeClaim": {"claimName": claim}}));
    }
    add_volumes(&mut rendered.workload, &volumes)?;
    add_to_first(&mut rendered.workload, list_field, &entries)?;
    let name = text(properties, "claimName");
    let object = TraitOutput::new("v1", "PersistentVolumeClaim", name).with("spec", claim_spec(properties));
    add_output(rendered, context, TraitKind::Claim, "claim", object)
}
