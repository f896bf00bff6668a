//! Checks of volumes against each other.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::oam::manifest::walk::{At, Walk, joined};
use crate::oam::object::{list, text};
use crate::oam::properties::tables::VOLUME_TYPES;
use crate::oam::traits::volume_of;

/// Joins the lists of `volumeMounts` into one, and checks it.
pub(super) fn check_mounts(walk: &mut Walk<'_>, at: &At<'_>, mounts: &mut Value) -> bool {
    let (mut items, mut volumes) = (Vec::new(), Vec::new());
    for name in VOLUME_TYPES {
        let Some(node) = at.node.field(name) else { continue };
        items.extend(At { node, path: joined(&at.path, name) }.items());
        for volume in list(mounts, name) {
            let mut volume = volume.clone();
            volume["type"] = json!(name);
            if let Some(fields) = volume.as_object_mut() {
                fields.retain(|field, value| field != "subPath" || value != "");
            }
            volumes.push(volume);
        }
    }
    let good = are_unique(walk, &items, &volumes);
    *mounts = Value::Array(volumes);
    good
}

/// Checks that mounts of the same volume agree on its content, and that each path is mounted once.
pub(super) fn are_unique(walk: &mut Walk<'_>, items: &[At<'_>], volumes: &[Value]) -> bool {
    let mut names: HashMap<&str, (&At<'_>, Value)> = HashMap::new();
    let mut paths: HashMap<&str, &At<'_>> = HashMap::new();
    let place = |at: &At<'_>| at.path.rsplit("properties.").next().unwrap_or(&at.path).to_owned();
    let mut good = true;
    for (at, volume) in items.iter().zip(volumes) {
        let (name, path) = (text(volume, "name"), text(volume, "mountPath"));
        let (first, content) = names.entry(name).or_insert_with(|| (at, volume_of(volume)));
        if *content != volume_of(volume) {
            let first = place(first);
            let message = format!("volume `{name}` appears twice with different content, first in {first}");
            walk.refuse_with(at, message, "give each volume a `name` of its own");
            good = false;
        }
        if let Some(first) = paths.insert(path, at) {
            walk.refuse(at, format!("mount path `{path}` appears twice, first in {}", place(first)));
            good = false;
        }
    }
    good
}

/// Checks that no other volume has the names and directories of claims.
pub(super) fn check_claims(walk: &mut Walk<'_>, at: &At<'_>, claims: &[Value], volumes: &[Value]) -> bool {
    let mut good = true;
    for (index, (item, claim)) in at.items().iter().zip(claims).enumerate() {
        let is_taken =
            |other: &Value| ["name", "mountPath"].iter().any(|field| other[*field] == claim[*field]);
        if volumes.iter().chain(&claims[..index]).any(is_taken) {
            let message = format!("another volume has the name `{}` or its `mountPath`", text(claim, "name"));
            walk.refuse(item, message);
            good = false;
        }
    }
    good
}
