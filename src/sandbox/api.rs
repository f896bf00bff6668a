//! The API itself: one request, the store, one answer.
//!
//! It decides which write or read a request means and how its outcome is answered. It must not know how
//! requests arrive, nor where the store is kept.

use serde_json::{Value, json};
use std::sync::Arc;

use super::apply::{self, Applier, Force};
use super::deletion::{self, Deletion, Propagation};
use super::failure::{Failure, Problem};
use super::fault::Verb;
use super::kinds::{Keeping, Kind, Origin, Scope, StatusPart};
use super::route::{Place, Query, Request, Target};
use super::selector::{Fields, Selector};
use super::store::{Key, Store};
use super::write::{self, Part, Persist, Wrote};
use super::{discovery, kubelet, meta, patch, scale};

/// What a request is answered with.
#[derive(Debug)]
pub(super) enum Answer {
    Json(u16, Value),
    Text(u16, String),
}

/// Serves everything but watches.
pub(super) fn serve(store: &mut Store, request: &Request) -> Result<Answer, Failure> {
    let place = match &request.target {
        Target::Resource(place) => place,
        Target::Discovery(path) => return discovery::document(store, path, request.verb),
        Target::NoSuchResource => return Err(Failure::no_such_resource()),
        Target::NoSuchPath => return Ok(Answer::Text(404, "404 page not found\n".to_owned())),
    };
    let Some(name) = &place.name else { return serve_collection(store, request, place) };
    if place.kind.keeping == Keeping::Answered {
        return Err(Failure::method_not_allowed());
    }
    let key = Key::new(place.kind, place.namespace.as_deref().unwrap_or_default(), name);
    match place.subresource.as_deref() {
        None => serve_object(store, request, &key, Part::Main),
        Some("status") if place.kind.status == StatusPart::Subresource => {
            serve_object(store, request, &key, Part::Status)
        }
        Some("scale") if scale::has_scale(place.kind) => scale::serve(store, request, &key),
        Some("log") if place.kind.plural == "pods" && request.verb == Verb::Get => {
            let pod = find(store, &key)?;
            kubelet::log(store, &pod).map(|text| Answer::Text(200, text)).map_err(Failure::bad_request)
        }
        Some(_) => Err(Failure::no_such_resource()),
    }
}

fn serve_collection(store: &mut Store, request: &Request, place: &Place) -> Result<Answer, Failure> {
    let kind = place.kind;
    match request.verb {
        Verb::Create if kind.scope == Scope::Namespaced && place.namespace.is_none() => {
            Err(Failure::method_not_allowed())
        }
        Verb::Create => {
            let namespace = place.namespace.as_deref().unwrap_or_default();
            let made = write::create(store, kind, namespace, request.json()?, persist(&request.query)?)?;
            Ok(Answer::Json(201, (*made).clone()))
        }
        _ if kind.keeping == Keeping::Answered => Err(Failure::method_not_allowed()),
        Verb::List => list(store, place, &request.query).map(|list| Answer::Json(200, list)),
        Verb::Delete => {
            let (options, persist) = deletion_options(request)?;
            let listed = list(store, place, &request.query)?;
            let chosen = chosen(store, place, &request.query)?;
            for key in chosen {
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
        Verb::Get => find(store, key).map(|object| Answer::Json(200, (*object).clone())),
        Verb::Update => {
            let persist = persist(&request.query)?;
            write::put(store, key, request.json()?, part, persist).map(answered)
        }
        Verb::Patch => patched(store, request, key, part).map(answered),
        Verb::Delete if part == Part::Main => {
            let (options, persist) = deletion_options(request)?;
            deletion::delete(store, key, &options, persist).map(|body| Answer::Json(200, body))
        }
        Verb::Delete | Verb::Create | Verb::List | Verb::Watch => Err(Failure::method_not_allowed()),
    }
}

fn answered((object, wrote): (Arc<Value>, Wrote)) -> Answer {
    let code = match wrote {
        Wrote::Created => 201,
        Wrote::Changed => 200,
    };
    Answer::Json(code, (*object).clone())
}

/// The object at `key`.
pub(super) fn find(store: &Store, key: &Key) -> Result<Arc<Value>, Failure> {
    store.object(key).cloned().ok_or_else(|| Failure::not_found(key.kind, &key.name))
}

/// Whether the write of a request is kept.
pub(super) fn persist(query: &Query) -> Result<Persist, Failure> {
    match query.value("dryRun") {
        None => Ok(Persist::Keep),
        Some("All") => Ok(Persist::Discard),
        Some(other) => {
            let problem = Problem::unsupported("dryRun", &json!([other]), &["All"]);
            Err(Failure::invalid_options("CreateOptions", problem))
        }
    }
}

const PATCH_TYPES: [&str; 4] = [
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
];

fn patched(
    store: &mut Store,
    request: &Request,
    key: &Key,
    part: Part,
) -> Result<(Arc<Value>, Wrote), Failure> {
    let persist = persist(&request.query)?;
    let applies = request.content_type == PATCH_TYPES[3];
    let accepted: Vec<&str> = match key.kind.origin {
        Origin::BuiltIn => PATCH_TYPES.to_vec(),
        // Without the type's own code nobody knows how its lists are merged.
        Origin::Custom => PATCH_TYPES.into_iter().filter(|kind| !kind.contains("strategic")).collect(),
    };
    if !accepted.contains(&request.content_type.as_str()) {
        return Err(Failure::unsupported_media_type(&accepted));
    }
    if request.query.is_on("force") && !applies {
        let problem = Problem::forbidden("force", "may not be specified for non-apply patch");
        return Err(Failure::invalid_options("PatchOptions", problem));
    }
    let body = request.json()?;
    if applies {
        return applied(store, request, key, part, &body, persist);
    }
    let before = find(store, key)?;
    let after = match request.content_type.as_str() {
        "application/json-patch+json" => patch::json_patch(&before, &body)?,
        "application/merge-patch+json" => patch::merge_patch(&before, &body)?,
        _ => patch::strategic_patch(&before, &body)?,
    };
    let typed = (key.kind.check)(after.clone()).map_err(|cause| Failure::patched_object(&after, &cause))?;
    write::change(store, key, &before, typed, part, persist).map(|o| (o, Wrote::Changed))
}

fn applied(
    store: &mut Store,
    request: &Request,
    key: &Key,
    part: Part,
    body: &Value,
    persist: Persist,
) -> Result<(Arc<Value>, Wrote), Failure> {
    let Some(manager) = request.query.value("fieldManager") else {
        let problem = Problem::required("fieldManager", "is required for apply patch");
        return Err(Failure::invalid_options("PatchOptions", problem));
    };
    if !body.is_object() {
        return Err(Failure::bad_request("error decoding YAML: the body is not an object"));
    }
    if !meta::items(body, "/metadata/managedFields").is_empty() {
        return Err(Failure::bad_request("metadata.managedFields must be nil"));
    }
    for field in ["apiVersion", "kind"] {
        if meta::text(body, &format!("/{field}")).is_empty() {
            return Err(Failure::bad_request(format!("invalid object type: {field} is missing")));
        }
    }
    let configuration = write::decode(key.kind, body.clone())?;
    let given = meta::name(&configuration);
    if !given.is_empty() && given != key.name {
        let message =
            format!("the name of the object ({given}) does not match the name on the URL ({})", key.name);
        return Err(Failure::bad_request(message));
    }
    let force = if request.query.is_on("force") { Force::TakeOver } else { Force::Refuse };
    let applier = Applier { manager, force, time: meta::seconds(store.now) };
    if let Some(before) = store.object(key).cloned() {
        let mut after = apply::apply(&before, &configuration, &applier)?;
        for field in ["uid", "resourceVersion"] {
            if let Some(value) = configuration["metadata"].get(field) {
                meta::metadata(&mut after).insert(field.to_owned(), value.clone());
            }
        }
        let typed =
            (key.kind.check)(after.clone()).map_err(|cause| Failure::patched_object(&after, &cause))?;
        return write::change(store, key, &before, typed, part, persist).map(|o| (o, Wrote::Changed));
    }
    if part == Part::Status {
        return Err(Failure::not_found(key.kind, &key.name));
    }
    let (uid, version) = (meta::uid(&configuration), meta::text(&configuration, "/metadata/resourceVersion"));
    if !uid.is_empty() {
        return Err(Failure::uid_of_nothing(key.kind, &key.name, uid));
    }
    if !version.is_empty() {
        return Err(Failure::modified(key.kind, &key.name));
    }
    let live = json!({"apiVersion": configuration["apiVersion"], "kind": configuration["kind"], "metadata": {"name": key.name}});
    let object = apply::apply(&live, &configuration, &applier)?;
    write::create(store, key.kind, &key.namespace, object, persist).map(|o| (o, Wrote::Created))
}

/// The options of a deletion, from the body and, where that has none, the URL.
fn deletion_options(request: &Request) -> Result<(Deletion, Persist), Failure> {
    let body = if request.body.is_empty() { json!({}) } else { request.json()? };
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let wanted =
        text("/propagationPolicy").or_else(|| request.query.value("propagationPolicy").map(str::to_owned));
    let propagation = match wanted.as_deref() {
        None => None,
        Some("Background") => Some(Propagation::Background),
        Some("Foreground") => Some(Propagation::Foreground),
        Some("Orphan") => Some(Propagation::Orphan),
        Some(other) => {
            let known = ["Foreground", "Background", "Orphan", "nil"];
            let problem = Problem::unsupported("propagationPolicy", &json!(other), &known);
            return Err(Failure::invalid_options("DeleteOptions", problem));
        }
    };
    let in_query = request.query.value("gracePeriodSeconds").and_then(|g| g.parse().ok());
    let options = Deletion {
        uid: text("/preconditions/uid"),
        version: text("/preconditions/resourceVersion"),
        propagation,
        grace: body["gracePeriodSeconds"].as_i64().or(in_query),
    };
    let dry = meta::items(&body, "/dryRun").iter().any(|d| d == "All");
    Ok((options, if dry { Persist::Discard } else { persist(&request.query)? }))
}

/// What a query chooses of a collection.
pub(super) struct Filter {
    pub(super) kind: Kind,
    pub(super) namespace: Option<String>,
    selector: Selector,
    fields: Fields,
}

impl Filter {
    pub(super) fn of(place: &Place, query: &Query) -> Result<Self, Failure> {
        let selector = Selector::parse(query.value("labelSelector").unwrap_or_default())?;
        let fields = Fields::parse(query.value("fieldSelector").unwrap_or_default(), place.kind)?;
        Ok(Self { kind: place.kind, namespace: place.namespace.clone(), selector, fields })
    }

    pub(super) fn chooses(&self, object: &Value) -> bool {
        self.selector.matches(meta::labels(object)) && self.fields.matches(object)
    }

    pub(super) fn choose<'a>(&'a self, store: &'a Store) -> impl Iterator<Item = (&'a Key, &'a Arc<Value>)> {
        store.of_kind(self.kind, self.namespace.as_deref()).filter(|(_, object)| self.chooses(object))
    }
}

fn chosen(store: &Store, place: &Place, query: &Query) -> Result<Vec<Key>, Failure> {
    let filter = Filter::of(place, query)?;
    Ok(filter.choose(store).map(|(key, _)| key.clone()).collect())
}

fn list(store: &Store, place: &Place, query: &Query) -> Result<Value, Failure> {
    let filter = Filter::of(place, query)?;
    let items: Vec<Value> = filter
        .choose(store)
        .map(|(_, object)| {
            if place.kind.origin == Origin::Custom {
                return (**object).clone();
            }
            // In lists, the items leave out what the list says of all of them.
            let fields = object.as_object().into_iter().flatten();
            let fields = fields.filter(|(name, _)| *name != "apiVersion" && *name != "kind");
            Value::Object(fields.map(|(name, value)| (name.clone(), value.clone())).collect())
        })
        .collect();
    Ok(json!({
        "kind": format!("{}List", place.kind.kind),
        "apiVersion": place.kind.api_version(),
        "metadata": {"resourceVersion": store.version.to_string()},
        "items": items,
    }))
}
