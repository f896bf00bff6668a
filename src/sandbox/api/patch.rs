//! The verb PATCH in its four formats: applying patches to objects, and their errors.
//!
//! See <https://kubernetes.io/docs/reference/using-api/api-concepts/#patch-and-apply>.

use serde_json::{Value, json};
use std::sync::Arc;

use crate::sandbox::api::apply::{Applier, Configuration, Force};
use crate::sandbox::api::options::Options;
use crate::sandbox::api::route::Request;
use crate::sandbox::api::{json_patch, merge_patch};
use crate::sandbox::object::field_error::FieldError;
use crate::sandbox::object::key::Key;
use crate::sandbox::object::kind::Origin;
use crate::sandbox::object::meta;
use crate::sandbox::object::status_error::StatusError;
use crate::sandbox::store::objects::Store;
use crate::sandbox::store::part::Part;
use crate::sandbox::store::write::{self, WriteOutcome};

const PATCH_TYPES: [&str; 4] = [
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
];

/// Serves a PATCH by its format.
pub(super) fn serve(
    store: &mut Store,
    request: &Request,
    key: &Key,
    part: Part,
) -> Result<(Arc<Value>, WriteOutcome), StatusError> {
    let accepted: Vec<&str> = match key.kind.origin {
        Origin::BuiltIn => PATCH_TYPES.to_vec(),
        // Merge keys of lists are part of a built-in type's code; a definition has none.
        Origin::Custom | Origin::Defined => {
            PATCH_TYPES.into_iter().filter(|kind| !kind.contains("strategic")).collect()
        }
    };
    if !PATCH_TYPES.contains(&request.content_type.as_str()) {
        return Err(StatusError::unsupported_patch_type());
    }
    if !accepted.contains(&request.content_type.as_str()) {
        return Err(StatusError::unsupported_media_type(&accepted));
    }
    let options = Options::of(request)?;
    let format = request.content_type.as_str();
    if format == PATCH_TYPES[3] {
        return serve_apply(store, request, key, part, &options);
    }
    if request.query.is_on("force") {
        let problem = FieldError::forbidden("force", "may not be specified for non-apply patch");
        return Err(StatusError::invalid_options("PatchOptions", &[problem]));
    }
    let stored = store.require(key)?;
    let before = key.kind.present(&stored);
    let (body, mut complaints) = request.read().map_err(|problem| match format {
        "application/strategic-merge-patch+json" => StatusError::bad_request(problem),
        _ => StatusError::bad_request(format!("error decoding patch: {problem}")),
    })?;
    let after = match format {
        "application/json-patch+json" => {
            complaints.extend(json_patch::unknown(&body));
            json_patch::apply(&before, &body)?
        }
        "application/merge-patch+json" => merge_patch::merge_patch(&before, &body)?,
        _ => merge_patch::strategic_patch(&before, &body)?,
    };
    let refused = |cause: &str| StatusError::patched_object(&after, cause);
    for (field, own) in [("apiVersion", key.kind.api_version().as_str()), ("kind", key.kind.kind)] {
        if after[field] != own {
            return Err(refused(&format!("{field} {} is not {own}", after[field])));
        }
    }
    let checked = (key.kind.check)(after.clone()).map_err(|cause| refused(&cause))?;
    complaints.extend(checked.unknown);
    options.handle_unknown_fields(store, complaints).map_err(|cause| refused(&cause))?;
    write::check_name_and_namespace(key, &checked.object)?;
    write::change(store, key, &stored, checked.object, part, options.dry_run)
        .map(|o| (o, WriteOutcome::Changed))
}

fn serve_apply(
    store: &mut Store,
    request: &Request,
    key: &Key,
    part: Part,
    options: &Options,
) -> Result<(Arc<Value>, WriteOutcome), StatusError> {
    let kind = key.kind;
    let Some(manager) = request.query.value("fieldManager") else {
        let problem = FieldError::required("fieldManager", "is required for apply patch");
        return Err(StatusError::invalid_options("PatchOptions", &[problem]));
    };
    let undecodable = |problem: &str| StatusError::bad_request(format!("error decoding YAML: {problem}"));
    let (body, _) = request.read().map_err(|problem| undecodable(&problem))?;
    if !body.is_object() {
        return Err(undecodable("it is not an object"));
    }
    if !meta::items(&body, "/metadata/managedFields").is_empty() {
        return Err(StatusError::bad_request("metadata.managedFields must be nil"));
    }
    let (version, named) = (meta::text(&body, "/apiVersion"), meta::text(&body, "/kind"));
    if version != kind.api_version() || named != kind.kind {
        let group = if version.contains('/') { version.to_owned() } else { format!("/{version}") };
        let message = format!("invalid object type: {group}, Kind={named}");
        return Err(StatusError::bad_request(message));
    }
    let checked = write::decode(kind, body.clone())?;
    if let Some(complaint) = checked.unknown.first() {
        let field = complaint.trim_start_matches("unknown field ").trim_matches('"');
        let (namespace, name) = (meta::namespace(&body), meta::name(&body));
        return Err(StatusError::unreasoned(format!(
            "failed to create typed patch object ({namespace}/{name}; {}, Kind={named}): .{field}: field not declared in schema",
            if kind.group.is_empty() { format!("/{version}") } else { version.to_owned() },
        )));
    }
    let decoded = kind.present(&checked.object);
    let configuration = Configuration { written: &body, decoded: &decoded };
    let force = if request.query.is_on("force") { Force::TakeOver } else { Force::Refuse };
    let applier = Applier { kind, part, manager, force, time: meta::format_time(store.now) };
    // The entries of the result are complete.
    store.writer = None;
    if let Some(before) = store.object(key).cloned() {
        let live = kind.present(&before);
        let mut after = applier.update(&live, &configuration)?;
        for field in ["uid", "resourceVersion", "name", "namespace"] {
            if let Some(value) = decoded["metadata"].get(field) {
                meta::metadata(&mut after).insert(field.to_owned(), value.clone());
            }
        }
        let refused = |cause: &str| StatusError::patched_object(&after, cause);
        let checked = (kind.check)(after.clone()).map_err(|cause| refused(&cause))?;
        write::check_name(key, &decoded)?;
        write::check_name_and_namespace(key, &checked.object)?;
        return write::change(store, key, &before, checked.object, part, options.dry_run)
            .map(|o| (o, WriteOutcome::Changed));
    }
    write::check_name(key, &decoded)?;
    if part == Part::Status {
        return Err(StatusError::not_found(kind, &key.name));
    }
    let uid = meta::uid(&decoded);
    if !uid.is_empty() {
        return Err(StatusError::uid_of_nothing(kind, &key.name, uid));
    }
    let live =
        json!({"apiVersion": decoded["apiVersion"], "kind": decoded["kind"], "metadata": {"name": key.name}});
    let mut object = applier.create(&live, &configuration)?;
    // A new object has no version to compare.
    meta::metadata(&mut object).remove("resourceVersion");
    write::create(store, kind, &key.namespace, object, options.dry_run).map(|o| (o, WriteOutcome::Created))
}
