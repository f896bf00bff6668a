//! `override` policies: a deployment's changes to components.
//!
//! Changes are merged into the document before it is read, so that a problem is reported at the part that causes it.

use crate::oam::manifest::node::{Node, NodeValue};
use crate::oam::manifest::problem::quoted;
use crate::oam::manifest::walk::{At, Walk, joined};
use crate::oam::schema::Grammar;

/// An `override` policy.
pub(super) struct ComponentOverride<'n> {
    components: Vec<At<'n>>,
    /// The components that are deployed; `None` for all.
    selector: Option<Vec<String>>,
}

/// Reads the properties of an `override` policy.
pub(super) fn read_override<'n>(walk: &mut Walk<'_>, at: &At<'n>) -> Option<ComponentOverride<'n>> {
    let object = walk.object_of(at, &["components", "selector"], |_| None)?;
    let components = match object.get("components") {
        None => Vec::new(),
        Some(at) => walk.list(&at, "a list of components")?,
    };
    let mut good = true;
    for component in &components {
        good &= is_override(walk, component).is_some();
    }
    let selector = match object.get("selector") {
        None => None,
        Some(at) => Some(walk.list_of(&at, "a list of component names", |walk, item| {
            walk.text(item, "a name").map(str::to_owned)
        })?),
    };
    good.then_some(ComponentOverride { components, selector })
}

/// A pattern of names.
const PATTERN: Grammar = Grammar::new("a component's name, in which `*` stands for any text", |name| {
    let name = exact_name(name).unwrap_or(name);
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.*".contains(&byte))
});

pub(super) fn is_override(walk: &mut Walk<'_>, at: &At<'_>) -> Option<()> {
    let known = ["name", "type", "externalRevision", "properties", "traits"];
    let object = walk.object_of(at, &known, |_| None)?;
    if let Some(at) = object.get("name") {
        walk.checked(&at, PATTERN)?;
    }
    if let Some(at) = object.get("externalRevision") {
        walk.text(&at, "a revision's name")?;
    }
    let Some(at) = object.get("traits") else { return Some(()) };
    for item in walk.list(&at, "a list of traits")? {
        let entry = walk.object_of(&item, &["type", "properties", "disable"], |_| None)?;
        walk.required(&entry, "type", "a trait such as `scaler`")?;
        if let Some(at) = entry.get("disable") {
            walk.boolean(&at)?;
        }
    }
    Some(())
}

/// Rejects patterns with `*` that match no component. Other regular expressions of KubeVela are not supported.
pub(super) fn check_patterns(
    walk: &mut Walk<'_>,
    base: &[Node],
    overrides: &[&ComponentOverride<'_>],
) -> Option<()> {
    let changes = || overrides.iter().flat_map(|policy| &policy.components);
    let all: Vec<&Node> = base.iter().chain(changes().map(|change| change.node)).collect();
    let mut good = true;
    for change in changes().filter(|change| wanted_name(change.node).is_some_and(|name| name.contains('*'))) {
        let Some(name) = change.node.field("name") else { continue };
        if all.iter().all(|other| std::ptr::eq(*other, change.node) || !is_meant(other, change.node)) {
            let at = At { node: name, path: joined(&change.path, "name") };
            let message = format!("{} matches no component", quoted(name.as_text().unwrap_or_default()));
            walk.refuse_with(&at, message, "`*` stands for any text, and `.` for itself");
            good = false;
        }
    }
    good.then_some(())
}

/// The components, changed by the policies in order.
pub(super) fn overridden(base: &[Node], overrides: &[&ComponentOverride<'_>]) -> Vec<Node> {
    let mut components: Vec<Node> = base.to_vec();
    for policy in overrides {
        for change in &policy.components {
            change_components(&mut components, change.node);
        }
        if let Some(names) = &policy.selector {
            components.retain(|component| {
                text(component, "name").is_some_and(|name| names.iter().any(|wanted| wanted == name))
            });
        }
    }
    components
}

fn change_components(components: &mut Vec<Node>, change: &Node) {
    let mut is_found = false;
    for component in components.iter_mut().filter(|component| is_meant(component, change)) {
        is_found = true;
        change_component(component, change);
    }
    if !is_found && wanted_name(change).is_some() {
        let mut added = change.clone();
        if let Some(name) = wanted_name(change).and_then(exact_name)
            && let Some(node) = added.field_mut("name")
        {
            node.value = NodeValue::Text(name.to_owned());
        }
        components.push(added);
    }
}

/// The name in a pattern such as `^web$`, which matches only that name.
fn exact_name(pattern: &str) -> Option<&str> {
    let name = pattern.strip_prefix('^')?.strip_suffix('$')?;
    (!name.is_empty() && !name.contains('*')).then_some(name)
}

fn wanted_name(change: &Node) -> Option<&str> {
    text(change, "name").filter(|name| !name.is_empty())
}

/// Whether a change applies to a component.
pub(super) fn is_meant(component: &Node, change: &Node) -> bool {
    let kind = text(change, "type");
    match wanted_name(change) {
        Some(name) => text(component, "name").is_some_and(|found| is_match(name, found)),
        None => kind.is_none() || text(component, "type") == kind,
    }
}

/// Whether a name contains a pattern, in which `*` stands for any text. As in KubeVela, the pattern is not anchored.
fn is_match(pattern: &str, name: &str) -> bool {
    if let Some(exact) = exact_name(pattern) {
        return exact == name;
    }
    let mut rest = name;
    pattern.split('*').all(|part| match rest.find(part) {
        Some(place) => {
            rest = &rest[place + part.len()..];
            true
        }
        None => false,
    })
}

pub(super) fn change_component(component: &mut Node, change: &Node) {
    let is_other_type = text(change, "type").is_some_and(|kind| text(component, "type") != Some(kind));
    if let (Some(kind), NodeValue::Map(entries), true) =
        (change.field("type"), &mut component.value, is_other_type)
    {
        // As in KubeVela, a change of the type discards everything but the name.
        entries.retain(|(key, _)| key.as_text() == Some("name"));
        set(component, "type", kind.clone());
    }
    if let Some(revision) = change.field("externalRevision").filter(|node| node.as_text() != Some("")) {
        set(component, "externalRevision", revision.clone());
    }
    if let Some(properties) = change.field("properties") {
        let merged =
            component.field("properties").map_or(properties.clone(), |base| merged(base, properties));
        set(component, "properties", merged);
    }
    let Some(NodeValue::List(changes)) = change.field("traits").map(|node| &node.value) else { return };
    let mut traits = match component.field("traits").map(|node| &node.value) {
        Some(NodeValue::List(traits)) => traits.clone(),
        _ => Vec::new(),
    };
    for change in changes {
        change_traits(&mut traits, change);
    }
    let place = component.field("traits").or_else(|| change.field("traits")).unwrap_or(change);
    set(component, "traits", Node { value: NodeValue::List(traits), ..place.clone() });
}

fn change_traits(traits: &mut Vec<Node>, change: &Node) {
    let kind = text(change, "type");
    let is_same = |one: &Node| text(one, "type") == kind;
    if matches!(change.field("disable").map(|node| &node.value), Some(NodeValue::Bool(true))) {
        traits.retain(|one| !is_same(one));
        return;
    }
    let Some(found) = traits.iter_mut().find(|one| is_same(one)) else {
        let mut added = change.clone();
        remove(&mut added, "disable");
        traits.push(added);
        return;
    };
    if let Some(properties) = change.field("properties") {
        let merged = found.field("properties").map_or(properties.clone(), |base| merged(base, properties));
        set(found, "properties", merged);
    }
}

/// Mappings are merged; everything else is replaced.
fn merged(base: &Node, change: &Node) -> Node {
    let (NodeValue::Map(old), NodeValue::Map(new)) = (&base.value, &change.value) else {
        return change.clone();
    };
    let mut entries = old.clone();
    for (key, value) in new {
        match entries.iter_mut().find(|(other, _)| other.value == key.value) {
            Some((_, old)) => *old = merged(old, value),
            None => entries.push((key.clone(), value.clone())),
        }
    }
    Node { value: NodeValue::Map(entries), ..base.clone() }
}

fn text<'n>(node: &'n Node, field: &str) -> Option<&'n str> {
    node.field(field).and_then(Node::as_text)
}

fn set(node: &mut Node, field: &str, value: Node) {
    let key = Node { value: NodeValue::Text(field.to_owned()), ..value.clone() };
    remove(node, field);
    if let NodeValue::Map(entries) = &mut node.value {
        entries.push((key, value));
    }
}

fn remove(node: &mut Node, field: &str) {
    if let NodeValue::Map(entries) = &mut node.value {
        entries.retain(|(key, _)| key.as_text() != Some(field));
    }
}
