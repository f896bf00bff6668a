//! Kinds that clients define by a CustomResourceDefinition.
//!
//! A definition that is stored becomes a row of the registry, once for all sandboxes of the process; whether a sandbox
//! serves it depends on the definitions in its store. Objects are stored unchanged: schemas are not checked, nothing is
//! pruned, and versions differ only in `apiVersion`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};
use std::sync::{PoisonError, RwLock};

use super::{PLAIN, find_kind};
use crate::sandbox::object::kind::{
    Decoded, Definition, DeleteResponse, Generation, Kind, Origin, Scope, StatusSubresource,
    UnconditionalUpdate,
};
use crate::sandbox::object::meta;
use crate::sandbox::validation::typed;

/// The rows, the newest last. They are few, and are never freed.
static ROWS: RwLock<Vec<&'static Row>> = RwLock::new(Vec::new());

struct Row {
    definition: Definition,
    stored_version: &'static str,
}

/// Every kind that was ever defined, the latest definition first.
pub(crate) fn kinds() -> impl Iterator<Item = Kind> {
    let rows: Vec<&'static Row> = ROWS.read().unwrap_or_else(PoisonError::into_inner).clone();
    let mut latest: Vec<Kind> = Vec::new();
    for kind in rows.into_iter().rev().map(|row| Kind::of(&row.definition)) {
        if !latest.iter().any(|later| *later == kind && later.version == kind.version) {
            latest.push(kind);
        }
    }
    latest.into_iter()
}

/// Adds the kinds of a definition to the registry.
pub(crate) fn add(definition: &Value) {
    let spec = &definition["spec"];
    let versions = meta::items(spec, "/versions");
    let Some(stored) = versions.iter().find(|version| version["storage"] == true) else { return };
    for version in versions {
        add_version(spec, version, meta::text(stored, "/name"));
    }
}

fn add_version(spec: &Value, version: &Value, stored_version: &str) {
    let text = |path: &str| meta::text(spec, path);
    let (group, plural, kind) = (text("/group"), text("/names/plural"), text("/names/kind"));
    let api_version = format!("{group}/{}", meta::text(version, "/name"));
    let scope = if text("/scope") == "Cluster" { Scope::Cluster } else { Scope::Namespaced };
    let has_status = version.pointer("/subresources/status").is_some();
    let status = if has_status { StatusSubresource::Present } else { StatusSubresource::Absent };
    let short: Vec<&str> = meta::items(spec, "/names/shortNames").iter().filter_map(Value::as_str).collect();
    let known = find_kind(&api_version, kind);
    let is_same = |known: &Kind| {
        known.plural == plural && known.scope == scope && known.status == status && known.short_names == short
    };
    // A built-in kind cannot be redefined.
    if known.is_some_and(|known| known.origin != Origin::Defined || is_same(&known)) {
        return;
    }
    let short: Vec<&'static str> = short.into_iter().map(keep).collect();
    let row = Row {
        stored_version: keep(stored_version),
        definition: Definition {
            group: keep(group),
            version: keep(meta::text(version, "/name")),
            plural: keep(plural),
            kind: keep(kind),
            short_names: Vec::leak(short),
            origin: Origin::Defined,
            scope,
            generation: Generation::Spec,
            status,
            unconditional_update: UnconditionalUpdate::Refused,
            delete_response: DeleteResponse::Status,
            check,
            ..PLAIN
        },
    };
    ROWS.write().unwrap_or_else(PoisonError::into_inner).push(Box::leak(Box::new(row)));
}

fn keep(text: &str) -> &'static str {
    text.to_owned().leak()
}

/// Decodes the metadata, and converts the rest to the stored version.
fn check(mut object: Value) -> Result<Decoded, String> {
    let mut decoded = typed::check::<ObjectMeta>(object["metadata"].take())?;
    object["metadata"] = decoded.object;
    let (api_version, kind) = (meta::text(&object, "/apiVersion"), meta::text(&object, "/kind"));
    let rows = ROWS.read().unwrap_or_else(PoisonError::into_inner);
    let row = rows.iter().rev().find(|row| {
        let known = Kind::of(&row.definition);
        known.kind == kind && known.api_version() == api_version
    });
    if let Some(row) = row {
        object["apiVersion"] = json!(format!("{}/{}", row.definition.group, row.stored_version));
    }
    for field in &mut decoded.unknown {
        *field = field.replacen('"', "\"metadata.", 1);
    }
    Ok(Decoded { object, unknown: decoded.unknown })
}

/// Whether an established definition serves a kind.
pub(crate) fn serves(definition: &Value, kind: Kind) -> bool {
    is_established(definition)
        && meta::items(definition, "/spec/versions")
            .iter()
            .any(|version| version["name"] == kind.version && version["served"] == true)
}

fn is_established(definition: &Value) -> bool {
    let conditions = meta::items(definition, "/status/conditions");
    conditions.iter().any(|condition| condition["type"] == "Established" && condition["status"] == "True")
}
