//! What only a `cloneset-service` or a `statefulset` says.

use crate::oam::manifest::names;
use crate::oam::manifest::properties::{optional, ports, read_command, read_quantity};
use crate::oam::manifest::walk::{At, Object, Walk};
use crate::oam::properties::volumes::{AccessMode, ClaimTemplate, Volume};
use crate::oam::properties::{PodManagement, Port, UpdateStrategy};

pub(super) const UPDATE_STRATEGIES: [(&str, UpdateStrategy); 3] = [
    ("ReCreate", UpdateStrategy::ReCreate),
    ("InPlaceIfPossible", UpdateStrategy::InPlaceIfPossible),
    ("InPlaceOnly", UpdateStrategy::InPlaceOnly),
];

pub(super) const POD_MANAGEMENTS: [(&str, PodManagement); 2] =
    [("OrderedReady", PodManagement::OrderedReady), ("Parallel", PodManagement::Parallel)];

const ACCESS_MODES: [(&str, AccessMode); 4] = [
    ("ReadWriteOnce", AccessMode::ReadWriteOnce),
    ("ReadOnlyMany", AccessMode::ReadOnlyMany),
    ("ReadWriteMany", AccessMode::ReadWriteMany),
    ("ReadWriteOncePod", AccessMode::ReadWriteOncePod),
];

/// The port that a `cloneset-service` has where it names none.
const DEFAULT_PORT: u16 = 80;

/// Reads the one `port` of a `cloneset-service`.
pub(super) fn read_port(walk: &mut Walk<'_>, object: &Object<'_>) -> Option<Vec<Port>> {
    let port = optional(object, "port", |at| ports::read_port_number(walk, &at))?.unwrap_or(DEFAULT_PORT);
    Some(vec![ports::single_port(port)])
}

/// Reads `postStart` and `preStop`.
#[expect(clippy::type_complexity, reason = "two optional commands, or something was wrong")]
pub(super) fn read_hooks(
    walk: &mut Walk<'_>,
    object: &Object<'_>,
) -> Option<(Option<Vec<String>>, Option<Vec<String>>)> {
    let post_start = optional(object, "postStart", |at| read_command(walk, &at));
    let pre_stop = optional(object, "preStop", |at| read_command(walk, &at));
    Some((post_start?, pre_stop?))
}

/// Reads `volumeClaimTemplates`, whose names and directories must not be those of other volumes.
pub(super) fn read_claims(
    walk: &mut Walk<'_>,
    object: &Object<'_>,
    volumes: &[Volume],
) -> Option<Vec<ClaimTemplate>> {
    let Some(at) = object.get("volumeClaimTemplates") else { return Some(Vec::new()) };
    let items = walk.list(&at, "a list of volumes, each with `name`, `mountPath` and `storage`")?;
    let mut claims: Vec<ClaimTemplate> = Vec::new();
    let mut is_good = true;
    for item in &items {
        let Some(claim) = read_claim(walk, item) else {
            is_good = false;
            continue;
        };
        let taken = |name: &str, path: &str| name == claim.name || path == claim.mount_path;
        if volumes.iter().any(|volume| taken(&volume.name, &volume.mount_path))
            || claims.iter().any(|other| taken(&other.name, &other.mount_path))
        {
            let message = format!("another volume has the name `{}` or its `mountPath`", claim.name);
            walk.refuse(item, message);
            is_good = false;
        }
        claims.push(claim);
    }
    is_good.then_some(claims)
}

fn read_claim(walk: &mut Walk<'_>, at: &At<'_>) -> Option<ClaimTemplate> {
    let known = ["name", "mountPath", "storage", "storageClassName", "accessModes"];
    let object = walk.object_of(at, &known, |name| match name {
        "size" | "capacity" => Some("the storage requested is `storage`"),
        "storageClass" => Some("the storage class is `storageClassName`"),
        _ => None,
    })?;
    let name = walk
        .required(&object, "name", names::LABEL)
        .and_then(|at| walk.checked(&at, names::LABEL, names::is_label).map(str::to_owned));
    let expected = "an absolute path";
    let mount_path = walk.required(&object, "mountPath", expected).and_then(|at| {
        walk.checked(&at, expected, |path| path.starts_with('/') && !path.contains(':')).map(str::to_owned)
    });
    let storage = walk
        .required(&object, "storage", "a quantity such as `10Gi`")
        .and_then(|at| read_quantity(walk, &at, "`10Gi` or `500Mi`"));
    let storage_class = optional(&object, "storageClassName", |at| {
        walk.checked(&at, names::SUBDOMAIN, names::is_subdomain).map(str::to_owned)
    });
    let access_modes = match object.get("accessModes") {
        None => Some(vec![AccessMode::ReadWriteOnce]),
        Some(at) => {
            let items = walk.list(&at, "a list of access modes")?;
            if items.is_empty() {
                walk.refuse(&at, "found an empty list, expected at least one access mode");
                return None;
            }
            items.iter().map(|item| walk.choice(item, &ACCESS_MODES)).collect()
        }
    };
    Some(ClaimTemplate {
        name: name?,
        mount_path: mount_path?,
        storage: storage?,
        storage_class: storage_class?,
        access_modes: access_modes?,
    })
}
