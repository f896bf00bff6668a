//! The objects that traits add to a component.
//!
//! Decides what happens if two traits, or a trait and the component, create the same object.

use serde_json::{Map, Value, json};

use crate::oam::application::Release;
use crate::oam::manifest::names::is_label;
use crate::oam::object::ObjectRef;
use crate::oam::object::{list, text};
use crate::oam::render::{AUXILIARY, Output, Rendered};
use crate::oam::traits::TraitKind;
use crate::oam::traits::context::TraitContext;
use crate::oam::traits::error::{TraitError, refused};
use crate::oam::traits::patch::shown;

/// An object of a trait.
pub(super) struct TraitOutput {
    object: Map<String, Value>,
    scope: Scope,
}

/// Where an object is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Namespace,
    Cluster,
}

impl TraitOutput {
    /// An object in the application's namespace.
    pub(super) fn new(api_version: &str, kind: &str, name: &str) -> Self {
        Self::scoped(api_version, kind, name, Scope::Namespace)
    }

    /// An object without a namespace.
    pub(super) fn in_cluster(api_version: &str, kind: &str, name: &str) -> Self {
        Self::scoped(api_version, kind, name, Scope::Cluster)
    }

    fn scoped(api_version: &str, kind: &str, name: &str, scope: Scope) -> Self {
        let object = [
            ("apiVersion".to_owned(), json!(api_version)),
            ("kind".to_owned(), json!(kind)),
            ("metadata".to_owned(), json!({"name": name})),
        ];
        Self { object: object.into_iter().collect(), scope }
    }

    /// The same object with a field.
    pub(super) fn with(mut self, field: &str, value: Value) -> Self {
        self.object.insert(field.to_owned(), value);
        self
    }

    /// The same object with labels or annotations, if there are any.
    pub(super) fn with_metadata(mut self, field: &str, value: &Map<String, Value>) -> Self {
        if !value.is_empty() {
            self.object["metadata"][field] = json!(value);
        }
        self
    }
}

/// Adds an object to the outputs. If it already exists, it must do the same; otherwise the trait is rejected.
pub(super) fn add_output(
    rendered: &mut Rendered,
    context: &TraitContext<'_>,
    kind: TraitKind,
    name: &str,
    created: TraitOutput,
) -> Result<(), TraitError> {
    let TraitOutput { mut object, scope } = created;
    if scope == Scope::Namespace {
        object["metadata"]["namespace"] = json!(context.namespace);
    }
    let object = Value::Object(object);
    let trait_type = kind.as_str().to_owned();
    let Some(wanted) = ObjectRef::of(&object) else { return Ok(()) };
    if wanted.kind == "Service" && !is_service_name(&wanted.name) {
        return Err(refused(
            format!(
                "creates Service {}, which is not a valid name for a Service",
                shown(&json!(wanted.name))
            ),
            "use a name of at most 63 characters that starts with a letter",
        ));
    }
    let is_same = |other: &Value| {
        ObjectRef::of(other).is_some_and(|mut other| {
            if scope == Scope::Namespace && other.namespace.is_none() {
                other.namespace = Some(context.namespace.to_owned());
            }
            other.is_same(&wanted)
        })
    };
    if is_same(&rendered.workload) {
        let message = format!("creates {wanted}, which is the component's workload");
        return Err(refused(message, "rename one of them"));
    }
    let Some(existing) = rendered.outputs.iter_mut().find(|output| is_same(&output.object)) else {
        rendered.outputs.push(Output { name: name.to_owned(), trait_type, object });
        return Ok(());
    };
    if existing.object == object {
        return Ok(());
    }
    if wanted.kind == "Service" {
        return merge_service(existing, context.release, kind, name, object);
    }
    let hint = if kind == TraitKind::Gateway && existing.trait_type == kind.as_str() {
        "give one of them a `name`"
    } else if kind == TraitKind::Storage {
        "keep one of them, and set `mountOnly: true` in the other"
    } else {
        "keep one of them"
    };
    Err(refused(format!("creates {wanted}, which {} creates as well", creator(existing, kind)), hint))
}

fn is_service_name(name: &str) -> bool {
    is_label(name) && name.starts_with(|first: char| first.is_ascii_lowercase())
}

/// Who created an output.
fn creator(output: &Output, kind: TraitKind) -> String {
    match output.trait_type.as_str() {
        AUXILIARY => "the component".to_owned(),
        other if other == kind.as_str() => format!("another trait `{other}`"),
        other => format!("trait `{other}`"),
    }
}

/// Merges two definitions of one Service. A Service for an Ingress only needs its ports, and leaves the rest to the
/// other.
fn merge_service(
    existing: &mut Output,
    release: Release,
    kind: TraitKind,
    name: &str,
    mut wanted: Value,
) -> Result<(), TraitError> {
    let exposes = [AUXILIARY, TraitKind::Expose.as_str(), TraitKind::Nocalhost.as_str()];
    let is_for_ingress = |trait_type: &str| !exposes.contains(&trait_type);
    let (from, service) = (creator(existing, kind), text(&wanted["metadata"], "name").to_owned());
    if is_for_ingress(kind.as_str()) {
        if let Some(port) = missing_port(&existing.object, &wanted, Need::Number) {
            return Err(refused(
                format!("needs port {port} of Service `{service}`, which {from} creates without it"),
                format!(
                    "expose port {port} there; or set `name`, for a Service of its own, or `existingServiceName`"
                ),
            ));
        }
        return Ok(());
    }
    if is_for_ingress(&existing.trait_type) {
        if let Some(port) = missing_port(&wanted, &existing.object, Need::Number) {
            return Err(refused(
                format!("creates Service `{service}` without port {port}, which {from} needs"),
                format!("add port {port}, or set `existingServiceName` of {from}"),
            ));
        }
        *existing = Output { name: name.to_owned(), trait_type: kind.as_str().to_owned(), object: wanted };
        return Ok(());
    }
    let service_type = |object: &Value| object["spec"]["type"].as_str().unwrap_or("ClusterIP").to_owned();
    let agrees = existing.object["spec"]["selector"] == wanted["spec"]["selector"]
        && service_type(&existing.object) == service_type(&wanted)
        && missing_port(&existing.object, &wanted, Need::Target).is_none();
    let annotations = wanted["metadata"]["annotations"].take();
    let conflicts = |(key, value): (&String, &Value)| {
        existing.object["metadata"]["annotations"].get(key).is_some_and(|other| other != value)
    };
    let annotations = annotations.as_object().cloned().unwrap_or_default();
    // In a rollout in batches, the component's Service follows its pods, and traits cannot change it.
    let is_driven = release == Release::InBatches && existing.trait_type == AUXILIARY;
    if agrees && is_driven && !annotations.is_empty() {
        return Err(refused(
            format!("has annotations for Service `{service}`, which {from} creates without them"),
            "remove `expose: true` from the component's ports, or the annotations",
        ));
    }
    if !agrees || annotations.iter().any(conflicts) {
        return Err(refused(
            format!(
                "creates Service `{service}`, which {from} creates with other ports, type or annotations"
            ),
            "keep one of them, with all ports",
        ));
    }
    for (key, value) in annotations {
        existing.object["metadata"]["annotations"][key] = value;
    }
    Ok(())
}

/// What must be equal in two ports.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    /// The number.
    Number,
    /// The number, and the port of the pods that it leads to.
    Target,
}

/// The first port of `wanted` that `service` lacks.
fn missing_port(service: &Value, wanted: &Value, need: Need) -> Option<String> {
    let ports = list(&service["spec"], "ports");
    let protocol = |port: &Value| port["protocol"].as_str().unwrap_or("TCP").to_owned();
    let target = |port: &Value| port.get("targetPort").unwrap_or(&port["port"]).clone();
    let has = |one: &&Value| {
        ports.iter().any(|port| {
            port["port"] == one["port"]
                && protocol(port) == protocol(one)
                && (need == Need::Number || target(port) == target(one) || port["targetPort"] == port["name"])
        })
    };
    let missing = list(&wanted["spec"], "ports").iter().find(|one| !has(one))?;
    Some(shown(&missing["port"]).trim_matches('`').to_owned())
}
