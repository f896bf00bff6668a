//! One entry of `spec.components`, and the order among all of them.

use std::collections::{BTreeMap, HashSet};

use crate::oam::application::{Component, ComponentBody, ComponentKind, Release};
use crate::oam::manifest::node::{Node, NodeValue};
use crate::oam::manifest::problem::{did_you_mean, quoted};
use crate::oam::manifest::unique_names::{SharedName, SourceNames};
use crate::oam::manifest::walk::{At, Object, Walk};
use crate::oam::manifest::{kinds, names, objects, properties, traits};
use crate::oam::render::whole::job_name;

/// Reads a component; `None` if it is invalid.
pub(super) fn read_component(
    walk: &mut Walk<'_>,
    at: &At<'_>,
    namespace: Option<&str>,
    names: &mut SourceNames<'_>,
) -> Option<Component> {
    let known = [
        "name",
        "type",
        "externalRevision",
        "properties",
        "traits",
        "dependsOn",
        "inputs",
        "outputs",
        "scopes",
    ];
    let object = walk.object_of(at, &known, |name| match name {
        "replicas" | "targetSize" => Some("the number of replicas is `targetSize` of the `rollout` trait"),
        "image" => Some("the image belongs in `properties`"),
        _ => None,
    })?;
    for field in ["inputs", "outputs"] {
        refuse_filled(walk, &object, field, "omit it");
    }
    if let Some(at) = object.get("scopes") {
        walk.warn(&at, "deprecated, and ignored as in KubeVela since 1.9".to_owned());
    }
    let kind = walk
        .required(&object, "type", "a type such as `webservice`")
        .and_then(|at| kinds::read_kind(walk, &at));
    let name = walk.required(&object, "name", names::COMPONENT.expected).and_then(|at| {
        let name = read_name(walk, &at, kind)?;
        names.note(walk, &at, SharedName::Component, namespace, &name);
        Some(name)
    });
    let external_revision = object.optional("externalRevision", |at| {
        let revision = walk.checked(at, names::SHORT_SUBDOMAIN)?;
        names.note(walk, at, SharedName::ExternalRevision, namespace, revision);
        Some(revision.to_owned())
    });
    let depends_on = read_depends_on(walk, &object);
    walk.set_release(release(&object));
    // The properties of an unknown type cannot be checked.
    let body = kind.and_then(|kind| read_body(walk, &object, kind));
    check_service_name(walk, &object, kind, body.as_ref());
    let traits = traits::read_traits(walk, &object, kind);
    let traits = traits?;
    Some(Component {
        name: name?,
        kind: kind?,
        external_revision: external_revision?,
        depends_on: depends_on?,
        body: body?,
        rollout: traits.rollout,
        traits: traits.others,
        origin: walk.origin(at),
    })
}

fn read_body(walk: &mut Walk<'_>, object: &Object<'_>, kind: ComponentKind) -> Option<ComponentBody> {
    let name = object.get("name").and_then(|at| at.node.as_text()).unwrap_or_default();
    let mut required = |expected: &str| walk.required(object, "properties", expected);
    match kind {
        ComponentKind::Webservice
        | ComponentKind::Worker
        | ComponentKind::ClonesetService
        | ComponentKind::StatefulSet
        | ComponentKind::Daemon
        | ComponentKind::Task
        | ComponentKind::CronTask => {
            let at = required("a mapping with `image`")?;
            let properties = properties::read_properties(walk, &at, kind)?;
            Some(ComponentBody::Container(Box::new(properties)))
        }
        ComponentKind::K8sObjects => {
            let at = required("a mapping with `objects`")?;
            objects::read_objects(walk, &at, name).map(ComponentBody::Objects)
        }
        ComponentKind::Raw => {
            let at = required("an object with `apiVersion`, `kind` and `metadata`")?;
            objects::read_raw(walk, &at, name).map(ComponentBody::Objects)
        }
        ComponentKind::RefObjects => {
            let at = required("a mapping with `objects`")?;
            objects::read_references(walk, &at, name).map(ComponentBody::Objects)
        }
    }
}

/// How the component is released; its traits are read later.
fn release(object: &Object<'_>) -> Release {
    let traits = object.get("traits").map(|at| &at.node.value);
    let Some(NodeValue::List(traits)) = traits else { return Release::AsAWhole };
    let kinds = traits.iter().filter_map(|entry| entry.field("type")?.as_text());
    if kinds.into_iter().any(|kind| names::definition(kind).0 == "rollout") {
        Release::InBatches
    } else {
        Release::AsAWhole
    }
}

/// The component's name. The objects of a `k8s-objects` component do not use it, so KubeVela allows names such as
/// `web.Deployment.web`; revisions do use it, so the name is replaced by a valid one.
fn read_name(walk: &mut Walk<'_>, at: &At<'_>, kind: Option<ComponentKind>) -> Option<String> {
    let consists_of_objects =
        matches!(kind, Some(ComponentKind::K8sObjects | ComponentKind::Raw | ComponentKind::RefObjects));
    if let Some(text) = at.node.as_text().filter(|text| consists_of_objects && !names::is_component(text)) {
        let name = names::component_name(text);
        if names::is_component(&name) {
            walk.warn(
                at,
                format!("the component is called `{name}` here, which its revisions can be named like"),
            );
            return Some(name);
        }
    }
    walk.checked(at, names::COMPONENT).map(str::to_owned)
}

/// A Service's name must start with a letter, unlike a Deployment's.
fn check_service_name(
    walk: &mut Walk<'_>,
    object: &Object<'_>,
    kind: Option<ComponentKind>,
    body: Option<&ComponentBody>,
) {
    let ports = match body {
        Some(ComponentBody::Container(properties)) => properties.ports.as_slice(),
        Some(ComponentBody::Objects(_)) | None => &[],
    };
    let is_exposed = ports.iter().any(|port| port.expose);
    let has_headless_service =
        kind == Some(ComponentKind::StatefulSet) && release(object) == Release::InBatches;
    let expected = match (is_exposed, has_headless_service) {
        (true, _) => "a name that starts with a letter, because its Service has the same name",
        (false, true) => "a name that starts with a letter, because its headless Service begins with it",
        (false, false) => return,
    };
    let Some(at) = object.get("name") else { return };
    if at.node.as_text().is_some_and(|name| name.starts_with(|first: char| first.is_ascii_digit())) {
        walk.refuse(&at, format!("found {}, expected {expected}", walk.found(at.node)));
    }
}

fn read_depends_on(walk: &mut Walk<'_>, object: &Object<'_>) -> Option<Vec<String>> {
    let Some(at) = object.get("dependsOn") else { return Some(Vec::new()) };
    let items = walk.list(&at, "a list of component names")?;
    let mut needed: Vec<String> = Vec::new();
    let mut good = true;
    for item in &items {
        match walk.text(item, "a component's name").map(names::component_name) {
            Some(name) if needed.contains(&name) => {
                walk.refuse(item, format!("`{name}` appears twice"));
                good = false;
            }
            Some(name) => needed.push(name),
            None => good = false,
        }
    }
    good.then_some(needed)
}

/// Rejects an unsupported field, unless it is empty.
pub(super) fn refuse_filled(walk: &mut Walk<'_>, object: &Object<'_>, field: &str, advice: &str) {
    let Some(at) = object.get(field) else { return };
    let is_empty = match &at.node.value {
        NodeValue::List(items) => items.is_empty(),
        NodeValue::Map(entries) => entries.is_empty(),
        NodeValue::Null
        | NodeValue::Bool(_)
        | NodeValue::Int(_)
        | NodeValue::Float(_)
        | NodeValue::Text(_) => false,
    };
    if !is_empty {
        walk.refuse_with(&at, "not supported", advice);
    }
}

/// Checks the lengths of Jobs' names, which consist of the application's and the component's, and are a label of their
/// pods.
pub(super) fn check_job_names(walk: &mut Walk<'_>, items: &[At<'_>], application: &str) {
    const MAX_CHARACTERS: usize = 63;
    for item in items {
        let kind = item.node.field("type").and_then(Node::as_text);
        let is_task = kind.is_some_and(|kind| names::definition(kind).0 == "task");
        let Some(node) = item.node.field("name").filter(|_| is_task) else { continue };
        let name = job_name(application, node.as_text().unwrap_or_default());
        if name.len() > MAX_CHARACTERS {
            let at = At { node, path: format!("{}.name", item.path) };
            let message =
                format!("the Job's name {} is longer than {MAX_CHARACTERS} characters", quoted(&name));
            walk.refuse_with(&at, message, "shorten the name of the component or of the application");
        }
    }
}

/// Checks that all dependencies exist and form no cycles.
pub(super) fn check_order(walk: &mut Walk<'_>, items: &[At<'_>]) {
    let mut edges: BTreeMap<&str, Vec<(&str, At<'_>)>> = BTreeMap::new();
    for item in items {
        let Some(name) = item.node.field("name").and_then(Node::as_text) else { continue };
        let mut needs = Vec::new();
        if let Some(NodeValue::List(names)) = item.node.field("dependsOn").map(|node| &node.value) {
            for (index, node) in names.iter().enumerate() {
                let Some(needed) = node.as_text() else { continue };
                needs.push((needed, At { node, path: format!("{}.dependsOn[{index}]", item.path) }));
            }
        }
        edges.entry(name).or_insert(needs);
    }
    for (name, needs) in &edges {
        for (needed, at) in needs {
            if needed == name {
                walk.refuse(at, format!("component `{name}` depends on itself"));
            } else if !edges.contains_key(needed) {
                let hint = did_you_mean(needed, edges.keys().copied().filter(|other| other != name));
                walk.report(at, format!("no component {} in this application", quoted(needed)), hint);
            }
        }
    }
    check_cycles(walk, &edges);
}

/// Reports each cycle once, at the edge that closes it.
fn check_cycles(walk: &mut Walk<'_>, edges: &BTreeMap<&str, Vec<(&str, At<'_>)>>) {
    let mut done: HashSet<&str> = HashSet::new();
    for start in edges.keys() {
        // An iterative search with an explicit stack: a chain may be as long as the manifest.
        let mut chain: Vec<(&str, usize)> = vec![(start, 0)];
        let mut on_chain: HashSet<&str> = HashSet::from([*start]);
        while let Some((name, next)) = chain.last_mut() {
            let name = *name;
            let edge = edges.get(name).and_then(|needs| needs.get(*next));
            *next += 1;
            let Some((needed, at)) = edge else {
                done.insert(name);
                on_chain.remove(name);
                chain.pop();
                continue;
            };
            if needed == &name || !edges.contains_key(needed) || done.contains(needed) {
                continue;
            }
            if on_chain.contains(needed) {
                let cycle: Vec<&str> = chain
                    .iter()
                    .map(|(name, _)| *name)
                    .skip_while(|name| name != needed)
                    .chain([*needed])
                    .collect();
                walk.refuse(at, format!("components depend on each other: {}", cycle.join(" → ")));
                continue;
            }
            on_chain.insert(needed);
            chain.push((needed, 0));
        }
    }
}
