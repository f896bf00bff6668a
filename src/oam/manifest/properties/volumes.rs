//! Volumes and their mounts: `volumeMounts`, and the deprecated `volumes`.

use std::collections::HashMap;

use crate::oam::manifest::names;
use crate::oam::manifest::walk::{At, Object, Release, Walk};
use crate::oam::properties::volumes::{FileItem, Files, Medium, Volume, VolumeSource};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum VolumeKind {
    Claim,
    ConfigMap,
    Secret,
    EmptyDir,
    HostPath,
}

/// The lists of `volumeMounts`, in the order in which they are rendered.
const LISTS: [(&str, VolumeKind); 5] = [
    ("pvc", VolumeKind::Claim),
    ("configMap", VolumeKind::ConfigMap),
    ("secret", VolumeKind::Secret),
    ("emptyDir", VolumeKind::EmptyDir),
    ("hostPath", VolumeKind::HostPath),
];

/// The types of the deprecated `volumes`.
const TYPES: [(&str, VolumeKind); 4] = [
    ("pvc", VolumeKind::Claim),
    ("configMap", VolumeKind::ConfigMap),
    ("secret", VolumeKind::Secret),
    ("emptyDir", VolumeKind::EmptyDir),
];

const MEDIA: [(&str, Medium); 2] = [("", Medium::Disk), ("Memory", Medium::Memory)];

/// Whether a type has `volumeMounts` in place of `volumes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum VolumeForm {
    /// `volumes` is deprecated.
    Mounts,
    /// `volumes` is all there is.
    VolumesOnly,
}

/// Reads both; `volumes` counts only where `volumeMounts` is absent, but is checked in any case.
pub(super) fn read_volumes(
    walk: &mut Walk<'_>,
    object: &Object<'_>,
    form: VolumeForm,
) -> Option<Vec<Volume>> {
    let deprecated = match object.get("volumes") {
        None => Some(Vec::new()),
        Some(at) => {
            match form {
                VolumeForm::Mounts => walk.warn(&at, "deprecated, use `volumeMounts`".to_owned()),
                VolumeForm::VolumesOnly => {}
            }
            read_deprecated(walk, &at)
        }
    };
    let mounts = match form {
        VolumeForm::Mounts => object.get("volumeMounts"),
        VolumeForm::VolumesOnly => None,
    };
    let Some(at) = mounts else { return deprecated };
    let names = LISTS.map(|(name, _)| name);
    let mounts = walk.open_object_of(&at, &names, |_| None)?;
    let mut volumes = Vec::new();
    let mut good = deprecated.is_some();
    for (name, kind) in LISTS {
        let Some(at) = mounts.get(name) else { continue };
        let Some(items) = walk.list(&at, "a list of volumes") else {
            good = false;
            continue;
        };
        for item in items {
            let volume = read_volume(walk, &item, kind, &["name", "mountPath", "subPath"]);
            good &= volume.is_some();
            volumes.extend(volume.map(|volume| (item, volume)));
        }
    }
    good &= are_unique(walk, &volumes);
    good.then(|| volumes.into_iter().map(|(_, volume)| volume).collect())
}

fn read_deprecated(walk: &mut Walk<'_>, at: &At<'_>) -> Option<Vec<Volume>> {
    let items = walk.list(at, "a list of volumes")?;
    let mut volumes = Vec::new();
    let mut good = true;
    for item in items {
        let kind = match item.node.field("type") {
            Some(node) => walk.choice(&At { node, path: format!("{}.type", item.path) }, &TYPES),
            None => Some(VolumeKind::EmptyDir),
        };
        let volume = kind.and_then(|kind| read_volume(walk, &item, kind, &["name", "mountPath", "type"]));
        good &= volume.is_some();
        volumes.extend(volume.map(|volume| (item, volume)));
    }
    good &= are_unique(walk, &volumes);
    good.then(|| volumes.into_iter().map(|(_, volume)| volume).collect())
}

/// Checks that mounts of one volume have one content, and that each path is mounted once.
fn are_unique(walk: &mut Walk<'_>, volumes: &[(At<'_>, Volume)]) -> bool {
    let mut names: HashMap<&str, &(At<'_>, Volume)> = HashMap::new();
    let mut paths: HashMap<&str, &At<'_>> = HashMap::new();
    let place = |at: &At<'_>| at.path.rsplit("properties.").next().unwrap_or(&at.path).to_owned();
    let mut good = true;
    for entry in volumes {
        let (at, volume) = entry;
        if let Some((first, other)) = names.get(volume.name.as_str()) {
            if other.source != volume.source {
                let message = format!(
                    "volume `{}` appears twice with different content, first in {}",
                    volume.name,
                    place(first)
                );
                walk.refuse_with(at, message, "give each volume a `name` of its own");
                good = false;
            }
        } else {
            names.insert(&volume.name, entry);
        }
        if let Some(first) = paths.insert(&volume.mount_path, at) {
            let path = &volume.mount_path;
            walk.refuse(at, format!("mount path `{path}` appears twice, first in {}", place(first)));
            good = false;
        }
    }
    good
}

fn read_volume(walk: &mut Walk<'_>, at: &At<'_>, kind: VolumeKind, common: &[&str]) -> Option<Volume> {
    let own: &[&str] = match kind {
        VolumeKind::Claim => &["claimName"],
        VolumeKind::ConfigMap => &["cmName", "defaultMode", "items"],
        VolumeKind::Secret => &["secretName", "defaultMode", "items"],
        VolumeKind::EmptyDir => &["medium"],
        VolumeKind::HostPath => &["path"],
    };
    let object = walk.open_object_of(at, &[common, own].concat(), |name| match (kind, name) {
        (VolumeKind::HostPath, "readOnly" | "mountPropagation") => Some("KubeVela does not render it"),
        _ => None,
    })?;
    let name = walk
        .required(&object, "name", names::LABEL)
        .and_then(|at| walk.checked(&at, names::LABEL, names::is_label).map(str::to_owned));
    let expected = "a directory such as `/data`, without `:`";
    let mount_path = walk.required(&object, "mountPath", expected).and_then(|at| {
        walk.checked(&at, expected, |path| !path.is_empty() && !path.contains(':')).map(str::to_owned)
    });
    let sub_path = if common.contains(&"subPath") { read_sub_path(walk, &object) } else { Some(None) };
    let source = match kind {
        VolumeKind::Claim => object_name(walk, &object, "claimName").map(|name| VolumeSource::Claim { name }),
        VolumeKind::ConfigMap => read_files(walk, &object, "cmName").map(VolumeSource::ConfigMap),
        VolumeKind::Secret => read_files(walk, &object, "secretName").map(VolumeSource::Secret),
        VolumeKind::EmptyDir => match object.get("medium") {
            None => Some(Medium::default()),
            Some(at) => walk.choice(&at, &MEDIA),
        }
        .map(|medium| VolumeSource::EmptyDir { medium }),
        VolumeKind::HostPath => read_host_path(walk, &object),
    };
    Some(Volume { name: name?, mount_path: mount_path?, sub_path: sub_path?, source: source? })
}

fn read_sub_path(walk: &mut Walk<'_>, object: &Object<'_>) -> Option<Option<String>> {
    // As for Kubernetes, an empty path is the whole volume.
    let at = object.get("subPath").filter(|at| at.node.as_text() != Some(""));
    let Some(at) = at else { return Some(None) };
    let expected = "a path within the volume, without `..`";
    walk.checked(&at, expected, is_within).map(|path| Some(path.to_owned()))
}

fn is_within(path: &str) -> bool {
    !path.is_empty() && !path.starts_with('/') && path.split('/').all(|part| part != "..")
}

/// The name of an object that the volume is of. Kubernetes accepts any, also one that no object can have.
fn object_name(walk: &mut Walk<'_>, object: &Object<'_>, field: &str) -> Option<String> {
    let at = walk.required(object, field, names::SUBDOMAIN)?;
    if let (Release::AsAWhole, Some(name)) = (walk.release(), at.node.as_text())
        && !name.is_empty()
        && !names::is_subdomain(name)
        && field != "claimName"
    {
        walk.warn(&at, format!("no object can be named `{name}`: pods will wait for it"));
        return Some(name.to_owned());
    }
    walk.checked(&at, names::SUBDOMAIN, names::is_subdomain).map(str::to_owned)
}

fn read_host_path(walk: &mut Walk<'_>, object: &Object<'_>) -> Option<VolumeSource> {
    let expected = "a path on the node, without `..`";
    let at = walk.required(object, "path", expected)?;
    let path =
        walk.checked(&at, expected, |path| !path.is_empty() && path.split('/').all(|part| part != ".."))?;
    Some(VolumeSource::HostPath { path: path.to_owned() })
}

fn read_files(walk: &mut Walk<'_>, object: &Object<'_>, field: &str) -> Option<Files> {
    let name = object_name(walk, object, field);
    let default_mode = read_mode(walk, object, "defaultMode", 0o644);
    let items = match object.get("items") {
        None => Some(None),
        Some(at) => walk.list(&at, "a list of entries").and_then(|items| {
            let read: Vec<Option<FileItem>> = items.iter().map(|item| read_item(walk, item)).collect();
            read.into_iter().collect::<Option<Vec<_>>>().map(Some)
        }),
    };
    Some(Files { name: name?, default_mode: default_mode?, items: items? })
}

fn read_item(walk: &mut Walk<'_>, at: &At<'_>) -> Option<FileItem> {
    let object = walk.open_object_of(at, &["key", "path", "mode"], |_| None)?;
    let key = walk
        .required(&object, "key", names::DATA_KEY)
        .and_then(|at| walk.checked(&at, names::DATA_KEY, names::is_data_key).map(str::to_owned));
    let expected = "a path within the volume, without `..`";
    let path = walk
        .required(&object, "path", expected)
        .and_then(|at| walk.checked(&at, expected, is_within).map(str::to_owned));
    let mode = read_mode(walk, &object, "mode", 0o777);
    Some(FileItem { key: key?, path: path?, mode: mode? })
}

fn read_mode(walk: &mut Walk<'_>, object: &Object<'_>, field: &str, default: u32) -> Option<u32> {
    match object.get(field) {
        None => Some(default),
        Some(at) => walk.integer(&at, 0..=0o777, "permission bits"),
    }
}
