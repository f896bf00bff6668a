//! Dispatch: one request, the store, one response.
//!
//! It maps a request to a read or write, and its result to a response. It must not know how requests arrive, nor where
//! the store is saved.

use serde_json::{Value, json};
use std::sync::Arc;

use crate::sandbox::api::filter::Filter;
use crate::sandbox::api::options::{self, Options};
use crate::sandbox::api::response::Response;
use crate::sandbox::api::route::{Request, ResourcePath, Target};
use crate::sandbox::api::{discovery, list, patch, scale};
use crate::sandbox::fault::Verb;
use crate::sandbox::kubelet::{self, ContainerInstance};
use crate::sandbox::object::key::Key;
use crate::sandbox::object::kind::{Kind, Persistence, Scope, StatusSubresource};
use crate::sandbox::object::meta;
use crate::sandbox::object::status_error::StatusError;
use crate::sandbox::store::deletion;
use crate::sandbox::store::managed_fields::Writer;
use crate::sandbox::store::objects::Store;
use crate::sandbox::store::part::Part;
use crate::sandbox::store::watch_cache::WatchCache;
use crate::sandbox::store::write::{self, WriteOutcome};

/// Serves everything but watches.
pub(crate) fn serve(
    store: &mut Store,
    cache: &WatchCache,
    request: &Request,
) -> Result<Response, StatusError> {
    let resource = match &request.target {
        Target::Resource(resource) => resource,
        Target::Discovery(path) => return discovery::document(store, path, request.verb),
        Target::NoSuchResource => return Err(StatusError::no_such_resource()),
        Target::NoSuchPath => return Ok(Response::Text(404, "404 page not found\n".to_owned())),
    };
    store.writer = Some(Writer { manager: request.manager(), subresource: "" });
    let Some(name) = &resource.name else { return serve_collection(store, cache, request, resource) };
    if resource.kind.persistence == Persistence::Virtual {
        return Err(StatusError::no_such_resource());
    }
    let key = Key::new(resource.kind, resource.namespace.as_deref().unwrap_or_default(), name);
    match resource.subresource.as_deref() {
        None => serve_object(store, request, &key, Part::Main),
        Some("status") if resource.kind.status == StatusSubresource::Present => {
            serve_object(store, request, &key, Part::Status)
        }
        Some("scale") if scale::has_scale(resource.kind) => scale::serve(store, request, &key),
        Some("log") if resource.kind.is("pods") && request.verb == Verb::Get => {
            let pod = store.require(&key)?;
            let is_previous = request.query.value("previous") == Some("true");
            let life = if is_previous { ContainerInstance::Previous } else { ContainerInstance::Current };
            let log = kubelet::log(store, &pod, request.query.value("container"), life);
            log.map(|text| Response::Text(200, text)).map_err(StatusError::bad_request)
        }
        Some(_) => Err(StatusError::no_such_resource()),
    }
}

fn serve_collection(
    store: &mut Store,
    cache: &WatchCache,
    request: &Request,
    resource: &ResourcePath,
) -> Result<Response, StatusError> {
    let kind = resource.kind;
    match request.verb {
        Verb::Create if kind.scope == Scope::Namespaced && resource.namespace.is_none() => {
            Err(StatusError::method_not_allowed())
        }
        Verb::Create => {
            let namespace = resource.namespace.as_deref().unwrap_or_default();
            let (body, complaints) = request.object(kind)?;
            let options = Options::of(request)?;
            let object = decode_body(store, kind, body, complaints, &options)?;
            if kind.persistence == Persistence::Virtual {
                check_review(kind, &object)?;
            }
            let made = write::create_typed(store, kind, namespace, object, options.dry_run)?;
            Ok(Response::Json(201, kind.present(&made).into_owned()))
        }
        _ if kind.persistence == Persistence::Virtual => Err(StatusError::method_not_allowed()),
        Verb::List => {
            list::serve(store, cache, resource, &request.query).map(|list| Response::Json(200, list))
        }
        Verb::Delete => {
            let (options, dry_run) = options::delete_options(request)?;
            let listed = list::serve(store, cache, resource, &request.query)?;
            let filter = Filter::of(resource, &request.query)?;
            let keys: Vec<Key> = filter.select(store).map(|(key, _)| key.clone()).collect();
            for key in keys {
                // An object that cannot be deleted does not stop the others.
                deletion::delete(store, &key, &options, dry_run).ok();
            }
            Ok(Response::Json(200, listed))
        }
        Verb::Get | Verb::Watch | Verb::Update | Verb::Patch => Err(StatusError::method_not_allowed()),
    }
}

fn serve_object(
    store: &mut Store,
    request: &Request,
    key: &Key,
    part: Part,
) -> Result<Response, StatusError> {
    match request.verb {
        Verb::Get => {
            list::check_version_reached(store, &request.query)?;
            if key.kind.is("namespaces") && store.object(key).is_none() {
                return Ok(Response::Json(200, implied_namespace(&key.name)));
            }
            let object = store.require(key)?;
            Ok(Response::Json(200, key.kind.present(&object).into_owned()))
        }
        Verb::Update => {
            let (body, complaints) = request.object(key.kind)?;
            let options = Options::of(request)?;
            let object = decode_body(store, key.kind, body, complaints, &options)?;
            write::put(store, key, object, part, options.dry_run)
                .map(|outcome| object_response(key.kind, outcome))
        }
        Verb::Patch => {
            patch::serve(store, request, key, part).map(|outcome| object_response(key.kind, outcome))
        }
        Verb::Delete if part == Part::Main => {
            let (options, dry_run) = options::delete_options(request)?;
            let body = deletion::delete(store, key, &options, dry_run)?;
            let is_object = body["kind"] == key.kind.kind;
            Ok(Response::Json(200, if is_object { key.kind.present(&body).into_owned() } else { body }))
        }
        Verb::Delete | Verb::Create | Verb::List | Verb::Watch => Err(StatusError::method_not_allowed()),
    }
}

/// The namespace of that name: every namespace exists, stored or not.
fn implied_namespace(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    })
}

fn object_response(kind: Kind, (object, wrote): (Arc<Value>, WriteOutcome)) -> Response {
    let code = match wrote {
        WriteOutcome::Created => 201,
        WriteOutcome::Changed => 200,
    };
    Response::Json(code, kind.present(&object).into_owned())
}

/// Rejects an access review without a subject of review.
fn check_review(kind: Kind, object: &Value) -> Result<(), StatusError> {
    let asks = |field: &str| object["spec"].get(field).is_some();
    match kind.plural {
        "selfsubjectaccessreviews" if asks("resourceAttributes") == asks("nonResourceAttributes") => {
            Err(StatusError::nothing_to_review(kind.group))
        }
        "selfsubjectrulesreviews" if meta::text(object, "/spec/namespace").is_empty() => {
            Err(StatusError::bad_request("no namespace on request"))
        }
        _ => Ok(()),
    }
}

/// Decodes a body for its kind, and handles unknown fields.
fn decode_body(
    store: &mut Store,
    kind: Kind,
    body: Value,
    mut complaints: Vec<String>,
    options: &Options,
) -> Result<Value, StatusError> {
    let checked = write::decode(kind, body)?;
    complaints.extend(checked.unknown);
    options.handle_unknown_fields(store, complaints).map_err(|cause| write::undecodable(kind, &cause))?;
    Ok(checked.object)
}
