//! Sets of fields, as `managedFields` records them in the format FieldsV1.
//!
//! A set is a tree. Each node may be a member itself: a field that is owned as a whole, an item of a list, or the
//! existence of a map. See
//! <https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management>.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// A set of fields of an object or of a part of one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FieldSet {
    /// Whether the node itself is in the set.
    pub(crate) is_member: bool,
    /// The nodes below it, by step: `f:spec`, `k:{"name":"web"}`, `v:"text"`.
    pub(crate) children: BTreeMap<String, Self>,
}

impl FieldSet {
    /// The set of one node.
    pub(crate) fn leaf() -> Self {
        Self { is_member: true, children: BTreeMap::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.is_member && self.children.is_empty()
    }

    /// Adds the nodes below a step.
    pub(crate) fn add(&mut self, step: String, below: Self) {
        if !below.is_empty() {
            self.children.entry(step).and_modify(|there| there.extend(&below)).or_insert(below);
        }
    }

    /// Adds every member of another set.
    pub(crate) fn extend(&mut self, other: &Self) {
        self.is_member |= other.is_member;
        for (step, below) in &other.children {
            self.children.entry(step.clone()).or_default().extend(below);
        }
    }

    /// The members that another set does not have.
    pub(crate) fn without(&self, other: &Self) -> Self {
        let below = |(step, below): (&String, &Self)| {
            let left = other.children.get(step).map_or_else(|| below.clone(), |other| below.without(other));
            (!left.is_empty()).then(|| (step.clone(), left))
        };
        Self {
            is_member: self.is_member && !other.is_member,
            children: self.children.iter().filter_map(below).collect(),
        }
    }

    /// The members that another set has as well.
    pub(crate) fn common(&self, other: &Self) -> Self {
        let below = |(step, below): (&String, &Self)| {
            let shared = below.common(other.children.get(step)?);
            (!shared.is_empty()).then(|| (step.clone(), shared))
        };
        Self {
            is_member: self.is_member && other.is_member,
            children: self.children.iter().filter_map(below).collect(),
        }
    }

    /// Whether a member is in FieldsV1 as well.
    pub(crate) fn meets(&self, fields: &Value) -> bool {
        let Some(map) = fields.as_object() else { return false };
        let is_other = map.is_empty() || map.contains_key(".");
        (self.is_member && is_other)
            || self
                .children
                .iter()
                .any(|(step, below)| map.get(step).is_some_and(|fields| below.meets(fields)))
    }

    /// Every member in the form of messages: `.spec.containers[name="web"].image`.
    pub(crate) fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect_paths("", &mut paths);
        paths
    }

    fn collect_paths(&self, path: &str, paths: &mut Vec<String>) {
        if self.is_member {
            paths.push(path.to_owned());
        }
        for (step, below) in &self.children {
            below.collect_paths(&format!("{path}{}", shown(step)), paths);
        }
    }

    /// Parses FieldsV1.
    pub(crate) fn read(fields: &Value) -> Self {
        let mut set = Self::default();
        for (step, below) in fields.as_object().into_iter().flatten() {
            if step == "." {
                set.is_member = true;
                continue;
            }
            let mut below = Self::read(below);
            below.is_member |= below.children.is_empty();
            set.children.insert(step.clone(), below);
        }
        set
    }

    /// The set as FieldsV1.
    pub(crate) fn written(&self) -> Value {
        let mut fields = Map::new();
        if self.is_member && !self.children.is_empty() {
            fields.insert(".".to_owned(), json!({}));
        }
        for (step, below) in &self.children {
            fields.insert(step.clone(), below.written());
        }
        Value::Object(fields)
    }
}

/// The step to a field.
pub(crate) fn field(name: &str) -> String {
    format!("f:{name}")
}

fn shown(step: &str) -> String {
    match (step.split_once(':'), step) {
        (Some(("f", name)), _) => format!(".{name}"),
        (Some(("k", key)), _) => {
            let key: Map<String, Value> = serde_json::from_str(key).unwrap_or_default();
            let parts: Vec<String> = key.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("[{}]", parts.join(","))
        }
        (Some(("v", value)), _) => format!("[={value}]"),
        (_, step) => format!("[{step}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_sets_round_trip() {
        let fields = json!({
            "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
            "f:spec": {"f:replicas": {}, "f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}}}},
        });
        assert_eq!(FieldSet::read(&fields).written(), fields);
        assert_eq!(
            FieldSet::read(&fields).paths(),
            [
                ".metadata.labels",
                ".metadata.labels.app",
                ".spec.ports[port=80,protocol=\"TCP\"]",
                ".spec.ports[port=80,protocol=\"TCP\"].port",
                ".spec.replicas",
            ]
        );
    }

    #[test]
    fn sets_are_compared_member_by_member() {
        let one = FieldSet::read(&json!({"f:a": {".": {}, "f:b": {}, "f:c": {}}}));
        let other = FieldSet::read(&json!({"f:a": {"f:b": {}}, "f:d": {}}));
        assert_eq!(one.without(&other).written(), json!({"f:a": {".": {}, "f:c": {}}}));
        assert_eq!(one.common(&other).written(), json!({"f:a": {"f:b": {}}}));
        assert!(one.without(&one).is_empty());
    }
}
