//! An Application document's outer parts: kind, metadata, the list of components.

use std::collections::BTreeMap;

use crate::oam::application::{Application, Component};
use crate::oam::manifest::fields::{read_annotations, read_labels, refuse_filled};
use crate::oam::manifest::node::{Node, NodeValue};
use crate::oam::manifest::problem::{did_you_mean, nearest, quoted};
use crate::oam::manifest::together::{OfSource, SharedName};
use crate::oam::manifest::walk::{At, Walk};
use crate::oam::manifest::{component, names};

const API_VERSION: &str = "core.oam.dev/v1beta1";
const KIND: &str = "Application";

/// Fields of metadata that the API server fills in, and that exported manifests therefore carry.
const EXPORTED: [&str; 7] = [
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "managedFields",
    "selfLink",
    "ownerReferences",
];

/// ManifestMetadata that was found good.
struct ManifestMetadata {
    name: String,
    namespace: Option<String>,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

/// Reads a document; `None` where something is wrong with it.
pub(super) fn read_application(
    walk: &mut Walk<'_>,
    root: &At<'_>,
    together: &mut OfSource<'_>,
) -> Option<Application> {
    if !matches!(root.node.value, NodeValue::Map(_)) {
        walk.mismatch(root, "an Application manifest");
        return None;
    }
    if !is_application(walk, root) {
        return None;
    }
    let document = walk.object_of(root, &["apiVersion", "kind", "metadata", "spec", "status"], |_| None)?;
    let metadata = walk
        .required(&document, "metadata", "a mapping with `name`")
        .and_then(|at| read_metadata(walk, &at, together));
    // Names of components clash within a namespace, even where the rest of the metadata is wrong.
    let text = |name: &str| root.node.field("metadata").and_then(|at| at.field(name)?.as_text());
    let (application, namespace) = (text("name").unwrap_or_default(), text("namespace"));
    let components = walk
        .required(&document, "spec", "a mapping with `components`")
        .and_then(|at| read_spec(walk, &at, application, namespace, together));
    let ManifestMetadata { name, namespace, labels, annotations } = metadata?;
    let origin = walk.origin(root);
    let components = components?;
    Some(Application {
        name,
        namespace,
        labels,
        annotations,
        components,
        origin,
        warnings: walk.take_warnings(),
    })
}

/// Whether the document is an Application at all; the fields of anything else mean nothing to us.
fn is_application(walk: &mut Walk<'_>, root: &At<'_>) -> bool {
    let kind = root.node.field("kind").and_then(Node::as_text);
    if let (Some(kind), Some(node)) = (kind, root.node.field("kind"))
        && nearest(kind, [KIND]).is_none()
    {
        let at = At { node, path: "kind".to_owned() };
        let hint = "`rollout` reads only Applications; apply other objects with kubectl".to_owned();
        walk.report(&at, format!("found {}, expected `{KIND}`", quoted(kind)), Some(hint));
        return false;
    }
    let good = [("apiVersion", API_VERSION), ("kind", KIND)]
        .map(|(field, wanted)| is_exactly(walk, root, field, wanted))
        .iter()
        .all(|good| *good);
    // With a misspelt version it still is an Application, and worth checking.
    good || root.node.field("spec").is_some_and(|spec| spec.field("components").is_some())
}

fn is_exactly(walk: &mut Walk<'_>, root: &At<'_>, field: &str, wanted: &str) -> bool {
    let node = root.node.field(field);
    let at = At { node: node.unwrap_or(root.node), path: field.to_owned() };
    match node.map(|node| node.as_text()) {
        Some(Some(text)) if text == wanted => return true,
        Some(Some(text)) => {
            let hint = did_you_mean(text, [wanted]);
            walk.report(&at, format!("found {}, expected `{wanted}`", quoted(text)), hint);
        }
        Some(None) => walk.mismatch(&at, &format!("`{wanted}`")),
        None => walk.refuse(&at, format!("missing, expected `{wanted}`")),
    }
    false
}

fn read_metadata(walk: &mut Walk<'_>, at: &At<'_>, together: &mut OfSource<'_>) -> Option<ManifestMetadata> {
    let known = ["name", "namespace", "labels", "annotations"];
    let all: Vec<&str> = known.into_iter().chain(EXPORTED).chain(["finalizers"]).collect();
    let metadata = walk.object_of(at, &all, |name| match name {
        "generateName" => Some("an application is identified by its `name`"),
        _ => None,
    })?;
    let namespace = match metadata.get("namespace") {
        None => Some(None),
        Some(at) => walk.checked(&at, names::LABEL, names::is_label).map(|name| Some(name.to_owned())),
    };
    let name = walk.required(&metadata, "name", names::SHORT_SUBDOMAIN).and_then(|at| {
        let name = walk.checked(&at, names::SHORT_SUBDOMAIN, names::is_short_subdomain)?;
        together.note(
            walk,
            &at,
            SharedName::Application,
            namespace.as_ref().and_then(Option::as_deref),
            name,
        );
        Some(name.to_owned())
    });
    let labels = read_labels(walk, &metadata, "labels");
    let annotations = read_annotations(walk, &metadata, "annotations");
    Some(ManifestMetadata { name: name?, namespace: namespace?, labels: labels?, annotations: annotations? })
}

fn read_spec(
    walk: &mut Walk<'_>,
    at: &At<'_>,
    application: &str,
    namespace: Option<&str>,
    together: &mut OfSource<'_>,
) -> Option<Vec<Component>> {
    let spec = walk.object_of(at, &["components", "policies", "workflow"], |_| None)?;
    for (field, advice) in [
        ("policies", "omit it: policies are not supported"),
        ("workflow", "omit it: components are ordered by `dependsOn`"),
    ] {
        refuse_filled(walk, &spec, field, advice);
    }
    let expected = "a list of components";
    let components = walk.required(&spec, "components", expected)?;
    let items = walk.list(&components, expected)?;
    if items.is_empty() {
        walk.refuse(&components, "found an empty list, expected at least one component");
        return None;
    }
    let read: Vec<Option<Component>> =
        items.iter().map(|item| component::read_component(walk, item, namespace, together)).collect();
    component::check_order(walk, &items);
    component::check_job_names(walk, &items, application);
    read.into_iter().collect()
}
