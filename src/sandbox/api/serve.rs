//! The API itself: one request, the store, one answer.
//!
//! It decides which write or read a request means and how its outcome is answered. It must not know how
//! requests arrive, nor where the store is kept.

use serde_json::{Value, json};
use std::sync::Arc;

use crate::sandbox::api::filter::Filter;
use crate::sandbox::api::options::{self, Options};
use crate::sandbox::api::response::Answer;
use crate::sandbox::api::route::{Place, Request, Target};
use crate::sandbox::api::{discovery, list, patch, scale};
use crate::sandbox::fault::Verb;
use crate::sandbox::kubelet::{self, Life};
use crate::sandbox::object::failure::Failure;
use crate::sandbox::object::key::Key;
use crate::sandbox::object::kind::{Keeping, Kind, Scope, StatusPart};
use crate::sandbox::object::meta;
use crate::sandbox::store::deletion;
use crate::sandbox::store::objects::Store;
use crate::sandbox::store::watch_cache::Log;
use crate::sandbox::store::write::{self, Part, Wrote};

/// Serves everything but watches.
pub(crate) fn serve(store: &mut Store, log: &Log, request: &Request) -> Result<Answer, Failure> {
    let place = match &request.target {
        Target::Resource(place) => place,
        Target::Discovery(path) => return discovery::document(store, path, request.verb),
        Target::NoSuchResource => return Err(Failure::no_such_resource()),
        Target::NoSuchPath => return Ok(Answer::Text(404, "404 page not found\n".to_owned())),
    };
    let Some(name) = &place.name else { return serve_collection(store, log, request, place) };
    if place.kind.keeping == Keeping::Answered {
        return Err(Failure::no_such_resource());
    }
    let key = Key::new(place.kind, place.namespace.as_deref().unwrap_or_default(), name);
    match place.subresource.as_deref() {
        None => serve_object(store, request, &key, Part::Main),
        Some("status") if place.kind.status == StatusPart::Subresource => {
            serve_object(store, request, &key, Part::Status)
        }
        Some("scale") if scale::has_scale(place.kind) => scale::serve(store, request, &key),
        Some("log") if place.kind.plural == "pods" && request.verb == Verb::Get => {
            let pod = store.require(&key)?;
            let is_previous = request.query.value("previous") == Some("true");
            let life = if is_previous { Life::Previous } else { Life::Current };
            let log = kubelet::log(store, &pod, request.query.value("container"), life);
            log.map(|text| Answer::Text(200, text)).map_err(Failure::bad_request)
        }
        Some(_) => Err(Failure::no_such_resource()),
    }
}

fn serve_collection(
    store: &mut Store,
    log: &Log,
    request: &Request,
    place: &Place,
) -> Result<Answer, Failure> {
    let kind = place.kind;
    match request.verb {
        Verb::Create if kind.scope == Scope::Namespaced && place.namespace.is_none() => {
            Err(Failure::method_not_allowed())
        }
        Verb::Create => {
            let namespace = place.namespace.as_deref().unwrap_or_default();
            let (body, complaints) = request.object(kind)?;
            let options = Options::of(request)?;
            let object = decoded(store, kind, body, complaints, &options)?;
            if kind.keeping == Keeping::Answered {
                reviewed(kind, &object)?;
            }
            let made = write::create_typed(store, kind, namespace, object, options.persist)?;
            Ok(Answer::Json(201, (*made).clone()))
        }
        _ if kind.keeping == Keeping::Answered => Err(Failure::method_not_allowed()),
        Verb::List => list::answer(store, log, place, &request.query).map(|list| Answer::Json(200, list)),
        Verb::Delete => {
            let (options, persist) = options::of_deletion(request)?;
            let listed = list::answer(store, log, place, &request.query)?;
            let filter = Filter::of(place, &request.query)?;
            let keys: Vec<Key> = filter.choose(store).map(|(key, _)| key.clone()).collect();
            for key in keys {
                // An object that is already on its way out is no reason to stop.
                deletion::delete(store, &key, &options, persist).ok();
            }
            Ok(Answer::Json(200, listed))
        }
        Verb::Get | Verb::Watch | Verb::Update | Verb::Patch => Err(Failure::method_not_allowed()),
    }
}

fn serve_object(store: &mut Store, request: &Request, key: &Key, part: Part) -> Result<Answer, Failure> {
    match request.verb {
        Verb::Get => {
            list::reached(store, &request.query)?;
            if key.kind.plural == "namespaces" && store.object(key).is_none() {
                return Ok(Answer::Json(200, implied_namespace(&key.name)));
            }
            store.require(key).map(|object| Answer::Json(200, (*object).clone()))
        }
        Verb::Update => {
            let (body, complaints) = request.object(key.kind)?;
            let options = Options::of(request)?;
            let object = decoded(store, key.kind, body, complaints, &options)?;
            write::put(store, key, object, part, options.persist).map(answered)
        }
        Verb::Patch => patch::serve(store, request, key, part).map(answered),
        Verb::Delete if part == Part::Main => {
            let (options, persist) = options::of_deletion(request)?;
            deletion::delete(store, key, &options, persist).map(|body| Answer::Json(200, body))
        }
        Verb::Delete | Verb::Create | Verb::List | Verb::Watch => Err(Failure::method_not_allowed()),
    }
}

/// A namespace that nobody made. Every namespace is there.
fn implied_namespace(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    })
}

fn answered((object, wrote): (Arc<Value>, Wrote)) -> Answer {
    let code = match wrote {
        Wrote::Created => 201,
        Wrote::Changed => 200,
    };
    Answer::Json(code, (*object).clone())
}

/// Refuses reviews of nothing.
fn reviewed(kind: Kind, object: &Value) -> Result<(), Failure> {
    let asks = |field: &str| object["spec"].get(field).is_some();
    match kind.plural {
        "selfsubjectaccessreviews" if asks("resourceAttributes") == asks("nonResourceAttributes") => {
            Err(Failure::nothing_to_review(kind.group))
        }
        "selfsubjectrulesreviews" if meta::text(object, "/spec/namespace").is_empty() => {
            Err(Failure::bad_request("no namespace on request"))
        }
        _ => Ok(()),
    }
}

/// A body as its kind has it; fields that the kind does not have are judged.
fn decoded(
    store: &mut Store,
    kind: Kind,
    body: Value,
    mut complaints: Vec<String>,
    options: &Options,
) -> Result<Value, Failure> {
    let checked = write::decode(kind, body)?;
    complaints.extend(checked.unknown);
    options.judge(store, complaints).map_err(|cause| write::unreadable(kind, &cause))?;
    Ok(checked.object)
}
