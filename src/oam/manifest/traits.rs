//! The traits of a component.

use serde_json::Value;

use crate::oam::application::{Application, Component, ComponentKind, RolloutTrait};
use crate::oam::manifest::kinds::CUSTOM;
use crate::oam::manifest::names::definition;
use crate::oam::manifest::node::{Node, NodeValue};
use crate::oam::manifest::problem::{nearest, quoted};
use crate::oam::manifest::properties::unite_variables;
use crate::oam::manifest::rollout;
use crate::oam::manifest::schema::read_shape;
use crate::oam::manifest::walk::{At, Object, Walk, listed};
use crate::oam::render;
use crate::oam::schema::Shape;
use crate::oam::traits::{Trait, TraitKind, TraitProblem, advice_for_addon_trait, refused_beside_rollout};

const ROLLOUT: &str = "rollout";

/// The traits of a component.
#[derive(Default)]
pub(super) struct Traits {
    /// The `rollout` trait.
    pub(super) rollout: Option<RolloutTrait>,
    /// The others.
    pub(super) others: Vec<Trait>,
}

/// Reads the traits. The `rollout` trait requires a type whose workload can be rolled out in batches.
pub(super) fn read_traits(
    walk: &mut Walk<'_>,
    object: &Object<'_>,
    kind: Option<ComponentKind>,
) -> Option<Traits> {
    let Some(at) = object.get("traits") else { return Some(Traits::default()) };
    let items = walk.list(&at, "a list of traits")?;
    let mut traits = Traits::default();
    let mut is_good = true;
    let is_rolled_out = items.iter().any(|item| type_of(item.node) == Some(ROLLOUT));
    for item in &items {
        let Some((entry, at)) = read_entry(walk, item) else {
            is_good = false;
            continue;
        };
        let is_trait = |text: &str| text == ROLLOUT || TraitKind::of_name(text).is_some();
        let Some(text) = walk.text_for(&at, "a trait such as `rollout`", is_trait) else {
            is_good = false;
            continue;
        };
        let (name, _) = definition(text);
        if name == ROLLOUT {
            let read = read_rollout(walk, &entry, &at, kind, traits.rollout.is_some());
            is_good &= read.is_some();
            traits.rollout = traits.rollout.or(read);
            continue;
        }
        match read_other(walk, &entry, &at, name) {
            Some(mut other) => {
                if !is_rolled_out {
                    unite_trait_variables(walk, &entry, &mut other.properties);
                }
                is_good &= !is_rolled_out || goes_with_rollout(walk, item, &at, other.kind);
                traits.others.push(other);
            }
            None => is_good = false,
        }
    }
    warn_of_rivals(walk, &at, &traits.others);
    is_good.then_some(traits)
}

/// Warns about `scaler` beside an autoscaler, which would start again from that number after each apply.
fn warn_of_rivals(walk: &mut Walk<'_>, at: &At<'_>, traits: &[Trait]) {
    let is_autoscaler = |one: &&Trait| matches!(one.kind, TraitKind::Hpa | TraitKind::CpuScaler);
    let Some(autoscaler) = traits.iter().find(is_autoscaler) else { return };
    if traits.iter().any(|one| one.kind == TraitKind::Scaler) {
        let name = autoscaler.kind.as_str();
        let message =
            format!("each apply sets the replicas of `scaler`, which `{name}` then changes; omit `scaler`");
        walk.warn(at, message);
    }
}

fn type_of(node: &Node) -> Option<&str> {
    node.field("type").and_then(Node::as_text).map(|text| definition(text).0)
}

/// Reads a trait's entry and its type.
fn read_entry<'n>(walk: &mut Walk<'_>, item: &At<'n>) -> Option<(Object<'n>, At<'n>)> {
    let entry = walk.object_of(item, &["type", "properties"], |_| None)?;
    let at = walk.required(&entry, "type", "a trait such as `rollout`")?;
    Some((entry, at))
}

fn read_rollout(
    walk: &mut Walk<'_>,
    entry: &Object<'_>,
    at: &At<'_>,
    kind: Option<ComponentKind>,
    is_second: bool,
) -> Option<RolloutTrait> {
    if is_second {
        walk.refuse(at, "the `rollout` trait appears twice");
        return None;
    }
    let workload = kind.and_then(ComponentKind::workload);
    if let (Some(kind), None) = (kind, workload) {
        walk.refuse(at, format!("a `{}` cannot be rolled out in batches", kind.as_str()));
        return None;
    }
    let properties = walk.required(entry, "properties", "a mapping with `targetSize`")?;
    // The default is irrelevant: a component without such a workload is rejected.
    rollout::read_rollout(walk, &properties, workload.unwrap_or_default())
}

fn read_other(walk: &mut Walk<'_>, entry: &Object<'_>, at: &At<'_>, name: &str) -> Option<Trait> {
    let Some(kind) = TraitKind::of_name(name) else {
        refuse_unknown(walk, at, name);
        return None;
    };
    if let Some(replacement) = kind.replacement() {
        walk.warn(at, format!("trait `{name}` is deprecated, use {replacement}"));
    }
    let shape = kind.properties();
    let properties = match entry.get("properties") {
        Some(properties) => read_shape(walk, &properties, &shape)?,
        None if is_satisfied_by_nothing(&shape) => {
            // Reads the defaults from an empty mapping.
            let empty = Node { value: NodeValue::Map(Vec::new()), ..at.node.clone() };
            let path = format!("{}.properties", entry.at.path);
            read_shape(walk, &At { node: &empty, path }, &shape)?
        }
        None => {
            let expected = if let Shape::Object(table) = shape { table.expected } else { "a mapping" };
            walk.required(entry, "properties", expected)?;
            return None;
        }
    };
    warn_of_no_effect(walk, entry, kind, &properties);
    Some(Trait { kind, properties, origin: walk.origin(&entry.at) })
}

/// Whether a trait can omit its properties.
fn is_satisfied_by_nothing(shape: &Shape) -> bool {
    use crate::oam::schema::{Presence, Rule};
    let Shape::Object(table) = shape else { return false };
    let has_required = table.fields.iter().any(|field| matches!(field.presence, Presence::Required));
    let needs_one = |rule: &Rule| matches!(rule, Rule::ExactlyOne(_) | Rule::AtLeastOne(_));
    !has_required && !table.rules.iter().any(needs_one)
}

/// Keeps the last variable of each name in a container that a trait adds.
fn unite_trait_variables(walk: &mut Walk<'_>, entry: &Object<'_>, properties: &mut Value) {
    let Some(variables) = properties.get_mut("env").and_then(Value::as_array_mut) else { return };
    let Some(at) = entry.get("properties") else { return };
    if let Some(node) = at.node.field("env") {
        unite_variables(walk, &At { node, path: format!("{}.env", at.path) }, variables);
    }
}

/// Warns about `cpu` without `memory` or the reverse, which KubeVela ignores.
fn warn_of_no_effect(walk: &mut Walk<'_>, entry: &Object<'_>, kind: TraitKind, properties: &Value) {
    let has = |field: &str| properties.get(field).is_some();
    if kind != TraitKind::Resource || has("requests") || has("limits") || (has("cpu") && has("memory")) {
        return;
    }
    let at = entry.get("properties").unwrap_or_else(|| entry.at.clone());
    walk.warn(&at, "has no effect; set both `cpu` and `memory`, or `requests` or `limits`".to_owned());
}

fn refuse_unknown(walk: &mut Walk<'_>, at: &At<'_>, name: &str) {
    if let Some(advice) = advice_for_addon_trait(name) {
        walk.refuse_with(at, format!("trait `{name}` is not supported"), advice);
        return;
    }
    let names: Vec<&str> =
        std::iter::once(ROLLOUT).chain(TraitKind::ALL.iter().map(|kind| kind.as_str())).collect();
    let near = nearest(name, names.iter().copied());
    let hint = near.map(|near| format!("did you mean `{near}`? if not, {CUSTOM}")).unwrap_or_else(|| {
        let current = TraitKind::ALL.iter().filter(|kind| kind.replacement().is_none());
        let current: Vec<&str> = std::iter::once(ROLLOUT).chain(current.map(|kind| kind.as_str())).collect();
        format!("{CUSTOM}; known traits: {}", listed(&current))
    });
    walk.refuse_with(at, format!("unknown trait {}", quoted(name)), hint);
}

/// Rejects a trait that sets the same as the `rollout` trait.
fn goes_with_rollout(walk: &mut Walk<'_>, item: &At<'_>, at: &At<'_>, kind: TraitKind) -> bool {
    let Some(pair) = refused_beside_rollout(kind) else { return true };
    let first = walk.origin(item).line;
    let last = first + last_line(item.node).saturating_sub(item.node.line);
    let lines = if first == last { format!("line {first}") } else { format!("lines {first} to {last}") };
    walk.refuse_with(
        at,
        format!("`{}` and `rollout` both set {}", kind.as_str(), pair.both),
        format!("remove {lines}: {}", pair.instead),
    );
    false
}

fn last_line(node: &Node) -> usize {
    let below = match &node.value {
        NodeValue::List(items) => items.iter().map(last_line).max(),
        NodeValue::Map(entries) => entries.iter().map(|(_, value)| last_line(value)).max(),
        NodeValue::Null
        | NodeValue::Bool(_)
        | NodeValue::Int(_)
        | NodeValue::Float(_)
        | NodeValue::Text(_) => None,
    };
    below.unwrap_or(0).max(node.line)
}

/// Rejects traits that contradict their component or each other.
pub(super) fn check_all_traits(
    walk: &mut Walk<'_>,
    items: &[At<'_>],
    components: &[Option<Component>],
    application: &str,
    namespace: Option<&str>,
) {
    let application = Application { name: application.to_owned(), ..Application::default() };
    for (at, component) in items.iter().zip(components) {
        let Some(component) = component else { continue };
        let checked =
            render::check_traits(&application, component, namespace.unwrap_or(render::CHECKED_NAMESPACE));
        if let Err(problem) = checked {
            report_problem(walk, at, problem);
        }
    }
}

/// Reports a problem at its trait.
fn report_problem(walk: &mut Walk<'_>, component: &At<'_>, problem: TraitProblem) {
    let Some(NodeValue::List(items)) = component.node.field("traits").map(|node| &node.value) else { return };
    let mut others = items.iter().enumerate().filter(|(_, item)| type_of(item) != Some(ROLLOUT));
    let Some((index, node)) = others.nth(problem.index) else { return };
    let at = At { node, path: format!("{}.traits[{index}]", component.path) };
    walk.report(&at, problem.message, problem.hint);
}
