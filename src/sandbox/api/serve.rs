//! The API itself: one request, the store, one answer.
//!
//! It decides which write or read a request means and how its outcome is answered. It must not know how
//! requests arrive, nor where the store is kept.

use serde_json::{Value, json};
use std::sync::Arc;

use crate::sandbox::api::apply::{self, Applier, Force};
use crate::sandbox::api::discovery;
use crate::sandbox::api::json_patch;
use crate::sandbox::api::list;
use crate::sandbox::api::options::{self, Options};
use crate::sandbox::api::patch;
use crate::sandbox::api::route::{Place, Query, Request, Target};
use crate::sandbox::api::scale;
use crate::sandbox::api::watch::Log;
use crate::sandbox::fault::Verb;
use crate::sandbox::kubelet::{self, Life};
use crate::sandbox::object::failure::{Failure, Problem};
use crate::sandbox::object::kinds::{Keeping, Kind, Origin, Scope, StatusPart};
use crate::sandbox::object::meta;
use crate::sandbox::object::selector::{Fields, Selector};
use crate::sandbox::store::deletion;
use crate::sandbox::store::objects::{Key, Store};
use crate::sandbox::store::write::{self, Part, Wrote};

/// What a request is answered with.
#[derive(Debug)]
pub(crate) enum Answer {
    Json(u16, Value),
    Text(u16, String),
}

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
            let pod = find(store, &key)?;
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
        Verb::Get => {
            list::reached(store, &request.query)?;
            if key.kind.plural == "namespaces" && store.object(key).is_none() {
                return Ok(Answer::Json(200, implied_namespace(&key.name)));
            }
            find(store, key).map(|object| Answer::Json(200, (*object).clone()))
        }
        Verb::Update => {
            let (body, complaints) = request.object(key.kind)?;
            let options = Options::of(request)?;
            let object = decoded(store, key.kind, body, complaints, &options)?;
            write::put(store, key, object, part, options.persist).map(answered)
        }
        Verb::Patch => patched(store, request, key, part).map(answered),
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

/// The object at `key`.
pub(crate) fn find(store: &Store, key: &Key) -> Result<Arc<Value>, Failure> {
    store.object(key).cloned().ok_or_else(|| Failure::not_found(key.kind, &key.name))
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
    let accepted: Vec<&str> = match key.kind.origin {
        Origin::BuiltIn => PATCH_TYPES.to_vec(),
        // Without the type's own code nobody knows how its lists are merged.
        Origin::Custom => PATCH_TYPES.into_iter().filter(|kind| !kind.contains("strategic")).collect(),
    };
    if !PATCH_TYPES.contains(&request.content_type.as_str()) {
        return Err(Failure::unsupported_patch_type());
    }
    if !accepted.contains(&request.content_type.as_str()) {
        return Err(Failure::unsupported_media_type(&accepted));
    }
    let options = Options::of(request)?;
    let format = request.content_type.as_str();
    if format == PATCH_TYPES[3] {
        return applied(store, request, key, part, &options);
    }
    if request.query.is_on("force") {
        let problem = Problem::forbidden("force", "may not be specified for non-apply patch");
        return Err(Failure::invalid_options("PatchOptions", &[problem]));
    }
    let before = find(store, key)?;
    let (body, mut complaints) = request.read().map_err(|problem| match format {
        "application/strategic-merge-patch+json" => Failure::bad_request(problem),
        _ => Failure::bad_request(format!("error decoding patch: {problem}")),
    })?;
    let after = match format {
        "application/json-patch+json" => {
            complaints.extend(json_patch::unknown(&body));
            json_patch::apply(&before, &body)?
        }
        "application/merge-patch+json" => patch::merge_patch(&before, &body)?,
        _ => patch::strategic_patch(&before, &body)?,
    };
    let refused = |cause: &str| Failure::patched_object(&after, cause);
    for (field, own) in [("apiVersion", key.kind.api_version().as_str()), ("kind", key.kind.kind)] {
        if after[field] != own {
            return Err(refused(&format!("{field} {} is not {own}", after[field])));
        }
    }
    let checked = (key.kind.check)(after.clone()).map_err(|cause| refused(&cause))?;
    complaints.extend(checked.unknown);
    options.judge(store, complaints).map_err(|cause| refused(&cause))?;
    write::stays_in_place(key, &checked.object)?;
    write::change(store, key, &before, checked.object, part, options.persist).map(|o| (o, Wrote::Changed))
}

fn applied(
    store: &mut Store,
    request: &Request,
    key: &Key,
    part: Part,
    options: &Options,
) -> Result<(Arc<Value>, Wrote), Failure> {
    let kind = key.kind;
    let Some(manager) = request.query.value("fieldManager") else {
        let problem = Problem::required("fieldManager", "is required for apply patch");
        return Err(Failure::invalid_options("PatchOptions", &[problem]));
    };
    let undecodable = |problem: &str| Failure::bad_request(format!("error decoding YAML: {problem}"));
    let (body, _) = request.read().map_err(|problem| undecodable(&problem))?;
    if !body.is_object() {
        return Err(undecodable("it is not an object"));
    }
    if !meta::items(&body, "/metadata/managedFields").is_empty() {
        return Err(Failure::bad_request("metadata.managedFields must be nil"));
    }
    let (version, named) = (meta::text(&body, "/apiVersion"), meta::text(&body, "/kind"));
    if version != kind.api_version() || named != kind.kind {
        let group = if version.contains('/') { version.to_owned() } else { format!("/{version}") };
        let message = format!("invalid object type: {group}, Kind={named}");
        return Err(Failure::bad_request(message));
    }
    let checked = write::decode(kind, body.clone())?;
    if let Some(complaint) = checked.unknown.first() {
        let field = complaint.trim_start_matches("unknown field ").trim_matches('"');
        let (namespace, name) = (meta::namespace(&body), meta::name(&body));
        return Err(Failure::unreasoned(format!(
            "failed to create typed patch object ({namespace}/{name}; {}, Kind={named}): .{field}: field not declared in schema",
            if kind.group.is_empty() { format!("/{version}") } else { version.to_owned() },
        )));
    }
    let configuration = checked.object;
    let force = if request.query.is_on("force") { Force::TakeOver } else { Force::Refuse };
    let applier = Applier { manager, force, time: meta::seconds(store.now) };
    if let Some(before) = store.object(key).cloned() {
        let mut after = apply::apply(&before, &configuration, &body, &applier)?;
        for field in ["uid", "resourceVersion", "name", "namespace"] {
            if let Some(value) = configuration["metadata"].get(field) {
                meta::metadata(&mut after).insert(field.to_owned(), value.clone());
            }
        }
        let refused = |cause: &str| Failure::patched_object(&after, cause);
        let checked = (kind.check)(after.clone()).map_err(|cause| refused(&cause))?;
        write::names_itself(key, &configuration)?;
        write::stays_in_place(key, &checked.object)?;
        return write::change(store, key, &before, checked.object, part, options.persist)
            .map(|o| (o, Wrote::Changed));
    }
    write::names_itself(key, &configuration)?;
    if part == Part::Status {
        return Err(Failure::not_found(kind, &key.name));
    }
    let uid = meta::uid(&configuration);
    if !uid.is_empty() {
        return Err(Failure::uid_of_nothing(kind, &key.name, uid));
    }
    let live = json!({"apiVersion": configuration["apiVersion"], "kind": configuration["kind"], "metadata": {"name": key.name}});
    let mut object = apply::apply(&live, &configuration, &body, &applier)?;
    // An object that is not there has no version that could differ.
    meta::metadata(&mut object).remove("resourceVersion");
    write::create(store, kind, &key.namespace, object, options.persist).map(|o| (o, Wrote::Created))
}

/// What a query chooses of a collection.
pub(crate) struct Filter {
    pub(crate) kind: Kind,
    pub(crate) namespace: Option<String>,
    selector: Selector,
    fields: Fields,
}

impl Filter {
    pub(crate) fn of(place: &Place, query: &Query) -> Result<Self, Failure> {
        let selector = Selector::parse(query.value("labelSelector").unwrap_or_default())?;
        let fields = Fields::parse(query.value("fieldSelector").unwrap_or_default(), place.kind)?;
        Ok(Self { kind: place.kind, namespace: place.namespace.clone(), selector, fields })
    }

    pub(crate) fn chooses(&self, object: &Value) -> bool {
        self.selector.matches(meta::labels(object)) && self.fields.matches(object)
    }

    /// Whether it chooses everything there is.
    pub(crate) fn is_plain(&self) -> bool {
        self.selector == Selector::default() && self.fields.is_empty()
    }

    /// Whether it chooses this object at this place.
    pub(crate) fn holds(&self, key: &Key, object: &Value) -> bool {
        self.namespace.as_ref().is_none_or(|namespace| *namespace == key.namespace) && self.chooses(object)
    }

    pub(crate) fn choose<'a>(&'a self, store: &'a Store) -> impl Iterator<Item = (&'a Key, &'a Arc<Value>)> {
        store.of_kind(self.kind, self.namespace.as_deref()).filter(|(_, object)| self.chooses(object))
    }
}

fn chosen(store: &Store, place: &Place, query: &Query) -> Result<Vec<Key>, Failure> {
    let filter = Filter::of(place, query)?;
    Ok(filter.choose(store).map(|(key, _)| key.clone()).collect())
}
