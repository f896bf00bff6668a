//! Creating and changing one object: preconditions, generation, defaults, validation and finalizers.
//!
//! Requests and controllers write through the same functions, so the same rules apply to both. It must not know about
//! transports. See <https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions> for the
//! precondition.

use serde_json::{Value, json};
use std::sync::Arc;

use crate::sandbox::object::key::Key;
use crate::sandbox::object::kind::Decoded;
use crate::sandbox::object::kind::{
    CreateOnUpdate, Generation, Kind, Origin, Persistence, Scope, StatusSubresource, UnconditionalUpdate,
};
use crate::sandbox::object::meta;
use crate::sandbox::object::status_error::StatusError;
use crate::sandbox::store::change::Actor;
use crate::sandbox::store::managed_fields::{self, Change};
use crate::sandbox::store::objects::Store;
use crate::sandbox::store::part::Part;
use crate::sandbox::validation::{metadata, zero};

/// `dryRun=All`: an accepted write is returned but not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DryRun {
    Off,
    On,
}

/// Whether a write created an object or changed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WriteOutcome {
    Created,
    Changed,
}

pub(crate) fn create(
    store: &mut Store,
    kind: Kind,
    namespace: &str,
    body: Value,
    dry_run: DryRun,
) -> Result<Arc<Value>, StatusError> {
    create_typed(store, kind, namespace, decode(kind, body)?.object, dry_run)
}

/// Creates an object that has been decoded.
pub(crate) fn create_typed(
    store: &mut Store,
    kind: Kind,
    namespace: &str,
    object: Value,
    dry_run: DryRun,
) -> Result<Arc<Value>, StatusError> {
    match dry_run {
        DryRun::Off => create_object(store, kind, namespace, object, dry_run),
        DryRun::On => store.in_dry_run(|store| create_object(store, kind, namespace, object, dry_run)),
    }
}

fn create_object(
    store: &mut Store,
    kind: Kind,
    namespace: &str,
    mut object: Value,
    dry_run: DryRun,
) -> Result<Arc<Value>, StatusError> {
    set_namespace(kind, namespace, &mut object)?;
    match expected_version(&object)? {
        Some(_) => return Err(StatusError::version_on_create()),
        None => drop(meta::metadata(&mut object).remove("resourceVersion")),
    }
    if meta::name(&object).is_empty() {
        let prefix = meta::text(&object, "/metadata/generateName").to_owned();
        if !prefix.is_empty() {
            let name = format!("{prefix}{}", store.issue_suffix());
            meta::metadata(&mut object).insert("name".to_owned(), json!(name));
        }
    }
    let (uid, created) = (store.issue_uid(), meta::format_time(store.now));
    let metadata = meta::metadata(&mut object);
    for field in ["deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"] {
        metadata.remove(field);
    }
    metadata.insert("uid".to_owned(), json!(uid));
    metadata.insert("creationTimestamp".to_owned(), json!(created));
    if kind.generation != Generation::None {
        metadata.insert("generation".to_owned(), json!(1));
    }
    if kind.status == StatusSubresource::Present
        && let Some(object) = object.as_object_mut()
    {
        object.remove("status");
    }
    let given = managed_fields::allocates(kind).then(|| object.clone());
    (kind.default)(&mut object);
    (kind.derive)(&mut object, None);
    // Controllers create too many objects to record the owners of all fields.
    if store.actor == Actor::Client && kind.persistence == Persistence::Stored {
        record(store, kind, Part::Main, given.as_ref(), &zero::zero(kind), &mut object);
    }
    (kind.allocate)(&mut object, None);
    if kind.persistence == Persistence::Virtual {
        meta::metadata(&mut object).clear();
        return Ok(Arc::new(object));
    }
    let mut errors = metadata::on_create(kind, &object);
    errors.extend((kind.validate)(&object, None));
    let name = meta::name(&object).to_owned();
    if !errors.is_empty() {
        return Err(StatusError::invalid(kind, &name, &errors));
    }
    let key = Key::new(kind, meta::namespace(&object), &name);
    if let Some(found) = store.object(&key) {
        return Err(match meta::is_terminating(found) {
            true => StatusError::still_exists(kind, &name),
            false => StatusError::already_exists(kind, &name),
        });
    }
    if dry_run == DryRun::On {
        return Ok(Arc::new(object));
    }
    if kind.is("pods") {
        store.pod_starts.insert(uid, store.now);
    }
    Ok(store.put(key, object))
}

/// Replaces an object by the decoded body of a PUT, or creates it if the kind allows that.
pub(crate) fn put(
    store: &mut Store,
    key: &Key,
    mut object: Value,
    part: Part,
    dry_run: DryRun,
) -> Result<(Arc<Value>, WriteOutcome), StatusError> {
    let kind = key.kind;
    set_namespace(kind, &key.namespace, &mut object)?;
    check_name(key, &object)?;
    let Some(before) = store.object(key).cloned() else {
        if part == Part::Status || kind.create_on_update == CreateOnUpdate::Refused {
            return Err(StatusError::not_found(kind, &key.name));
        }
        meta::metadata(&mut object).remove("resourceVersion");
        return create_typed(store, kind, &key.namespace, object, dry_run)
            .map(|o| (o, WriteOutcome::Created));
    };
    let (given, found) = (meta::uid(&object), meta::uid(&before));
    if !given.is_empty() && given != found {
        return Err(StatusError::other_uid(kind, &key.namespace, &key.name, given, found));
    }
    if kind.unconditional_update == UnconditionalUpdate::Refused
        && meta::text(&object, "/metadata/resourceVersion").is_empty()
    {
        return Err(StatusError::version_required(kind, &key.name));
    }
    change(store, key, &before, object, part, dry_run).map(|o| (o, WriteOutcome::Changed))
}

/// Replaces `before` by `object`, which has been decoded.
pub(crate) fn change(
    store: &mut Store,
    key: &Key,
    before: &Arc<Value>,
    mut object: Value,
    part: Part,
    dry_run: DryRun,
) -> Result<Arc<Value>, StatusError> {
    let kind = key.kind;
    if expected_version(&object)?.is_some_and(|expected| expected != meta::version(before)) {
        return Err(StatusError::modified(kind, &key.name));
    }
    keep_system_fields(before, &mut object);
    match part {
        Part::Main if kind.status == StatusSubresource::Present => copy(before, &mut object, "status"),
        Part::Main => (),
        Part::Status => {
            copy(before, &mut object, "spec");
            if kind.origin != Origin::BuiltIn {
                copy(before, &mut object, "metadata");
            }
            if kind.is("deployments") {
                let labels = before.pointer("/metadata/labels").cloned();
                set_or_remove(meta::metadata(&mut object), "labels", labels);
            }
        }
    }
    keep_allocated_fields(before, &mut object);
    let given = managed_fields::allocates(kind).then(|| object.clone());
    (kind.default)(&mut object);
    (kind.derive)(&mut object, Some(before));
    if before["metadata"].get("managedFields").is_some() {
        record(store, kind, part, given.as_ref(), before, &mut object);
    }
    (kind.allocate)(&mut object, Some(before));
    let mut errors = metadata::on_update(&object, before);
    errors.extend((kind.validate)(&object, Some(before)));
    if !errors.is_empty() {
        return Err(StatusError::invalid(kind, &key.name, &errors));
    }
    if part == Part::Main && raises_generation(kind, before, &object) {
        let generation = meta::number(before, "/metadata/generation") + 1;
        meta::metadata(&mut object).insert("generation".to_owned(), json!(generation));
    }
    if object == **before {
        return Ok(Arc::clone(before));
    }
    if dry_run == DryRun::On {
        return Ok(Arc::new(object));
    }
    let finished = !kind.is("namespaces")
        && meta::is_terminating(&object)
        && meta::items(&object, "/metadata/finalizers").is_empty()
        && meta::number(&object, "/metadata/deletionGracePeriodSeconds") == 0;
    if finished {
        store.remove(key);
        return Ok(Arc::new(object));
    }
    Ok(store.put(key.clone(), object))
}

/// Records the owner of the fields that a write changes. `given` is the object before defaults and allocation.
fn record(store: &Store, kind: Kind, part: Part, given: Option<&Value>, before: &Value, object: &mut Value) {
    let Some(writer) = &store.writer else { return };
    let seen = managed_fields::without_allocated(kind, object, given, before);
    let now = meta::format_time(store.now);
    let change = Change { kind, before, after: seen.as_ref().unwrap_or(object), part };
    let entries = meta::items(object, "/metadata/managedFields");
    if let Some(entries) = managed_fields::record(&change, entries, writer, &now) {
        managed_fields::set(object, entries);
    }
}

/// The resource version that a body requires; zero and the empty text require none.
fn expected_version(object: &Value) -> Result<Option<u64>, StatusError> {
    match meta::text(object, "/metadata/resourceVersion") {
        "" => Ok(None),
        text => text
            .parse()
            .map(|version| Some(version).filter(|v| *v > 0))
            .map_err(|_| StatusError::no_version(text)),
    }
}

/// Rejects a body whose name differs from the URL's.
pub(crate) fn check_name(key: &Key, object: &Value) -> Result<(), StatusError> {
    let (given, name) = (meta::name(object), &key.name);
    if given.is_empty() {
        let message =
            format!("the name of the object ({name} based on URL) was undeterminable: name must be provided");
        return Err(StatusError::bad_request(message));
    }
    if given != name {
        let message = format!("the name of the object ({given}) does not match the name on the URL ({name})");
        return Err(StatusError::bad_request(message));
    }
    Ok(())
}

/// Rejects a patched object with another name or namespace.
pub(crate) fn check_name_and_namespace(key: &Key, object: &Value) -> Result<(), StatusError> {
    check_name(key, object)?;
    let namespace = meta::namespace(object);
    if namespace.is_empty() || namespace == key.namespace { Ok(()) } else { Err(StatusError::elsewhere()) }
}

/// Changes an object for a controller. If the change is rejected, the object is unchanged, and a later sync retries.
pub(crate) fn modify(
    store: &mut Store,
    key: &Key,
    part: Part,
    edit: impl FnOnce(&mut Value),
) -> Option<Arc<Value>> {
    let before = store.object(key)?.clone();
    let mut object = (*before).clone();
    edit(&mut object);
    change(store, key, &before, object, part, DryRun::Off).ok()
}

/// Decodes a body for its kind.
pub(crate) fn decode(kind: Kind, mut body: Value) -> Result<Decoded, StatusError> {
    let Some(members) = body.as_object_mut() else {
        return Err(undecodable(kind, "json: cannot unmarshal a body that is not an object"));
    };
    let own = kind.api_version();
    let mut given = |field: &str, own: &str| {
        let given = members.get(field).and_then(Value::as_str).filter(|given| !given.is_empty());
        let given = given.unwrap_or(own).to_owned();
        members.insert(field.to_owned(), json!(own));
        given
    };
    let (version, named) = (given("apiVersion", &own), given("kind", kind.kind));
    if version != own || named != kind.kind {
        let bare = version.rsplit('/').next().unwrap_or_default();
        let message = format!(
            "{named} in version \"{bare}\" cannot be handled as a {}: it is not {} of {own}",
            kind.kind, kind.kind
        );
        return Err(StatusError::bad_request(message));
    }
    members.entry("metadata").or_insert_with(|| json!({}));
    (kind.check)(body).map_err(|cause| undecodable(kind, &cause))
}

/// The error of a body that cannot be decoded for its kind.
pub(crate) fn undecodable(kind: Kind, cause: &str) -> StatusError {
    let message = format!(
        "{} in version \"{}\" cannot be handled as a {}: {cause}",
        kind.kind, kind.version, kind.kind
    );
    StatusError::bad_request(message)
}

/// Sets the namespace of the URL, or rejects a body with another one.
fn set_namespace(kind: Kind, namespace: &str, object: &mut Value) -> Result<(), StatusError> {
    let given = meta::namespace(object).to_owned();
    let metadata = meta::metadata(object);
    match kind.scope {
        Scope::Cluster => {
            metadata.remove("namespace");
        }
        Scope::Namespaced if given.is_empty() || given == namespace => {
            metadata.insert("namespace".to_owned(), json!(namespace));
        }
        Scope::Namespaced => {
            return Err(StatusError::elsewhere());
        }
    }
    Ok(())
}

/// Restores metadata that clients cannot change or may omit.
fn keep_system_fields(before: &Value, object: &mut Value) {
    let metadata = meta::metadata(object);
    let always = ["creationTimestamp", "generation", "resourceVersion"];
    let once_set = ["deletionTimestamp", "deletionGracePeriodSeconds"];
    for field in always.into_iter().chain(once_set) {
        set_or_remove(metadata, field, before["metadata"].get(field).cloned());
    }
    for field in ["uid", "managedFields", "generateName"] {
        if !metadata.contains_key(field)
            && let Some(value) = before["metadata"].get(field)
        {
            metadata.insert(field.to_owned(), value.clone());
        }
    }
}

/// Keeps the fields that the server allocated for a Service and that a client may omit.
fn keep_allocated_fields(before: &Value, object: &mut Value) {
    if object["kind"] != "Service" {
        return;
    }
    for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
        if object["spec"].get(field).is_none_or(|v| v == "")
            && let Some(value) = before["spec"].get(field).cloned()
        {
            meta::object_mut(object, "spec").insert(field.to_owned(), value);
        }
    }
}

/// Whether a change raises `metadata.generation`, which marks the status as stale until the controller observes it.
fn raises_generation(kind: Kind, before: &Value, object: &Value) -> bool {
    let spec = before.get("spec") != object.get("spec");
    match kind.generation {
        Generation::None => false,
        Generation::Spec => spec,
        Generation::SpecAndAnnotations => {
            spec || before.pointer("/metadata/annotations") != object.pointer("/metadata/annotations")
        }
    }
}

fn copy(from: &Value, to: &mut Value, field: &str) {
    let value = from.get(field).cloned();
    if let Some(to) = to.as_object_mut() {
        set_or_remove(to, field, value);
    }
}

pub(crate) fn set_or_remove(map: &mut serde_json::Map<String, Value>, field: &str, value: Option<Value>) {
    match value {
        Some(value) => map.insert(field.to_owned(), value),
        None => map.remove(field),
    };
}
