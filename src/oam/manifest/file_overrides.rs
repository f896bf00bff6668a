//! Overrides of components from a file other than the manifest: those of one cluster of a fleet.
//!
//! They change the document before it is read, as an `override` policy does. A problem is reported at the part that
//! causes it, so values from the other file are marked.

use crate::oam::manifest::node::{Node, NodeValue, Text};
use crate::oam::manifest::overrides::{change_component, is_meant, is_override};
use crate::oam::manifest::problem::Problem;
use crate::oam::manifest::walk::{At, OverridesDocument, Walk};

/// Overrides of components, with their document.
#[derive(Debug, Clone, PartialEq)]
pub struct FileOverrides {
    components: Vec<Node>,
    paths: Vec<String>,
    document: OverridesDocument,
}

/// Reads a list of overrides of a document.
pub(super) fn read_overrides(
    walk: &mut Walk<'_>,
    at: &At<'_>,
    document: &OverridesDocument,
) -> Option<FileOverrides> {
    let items = walk.list(at, "a list of components")?;
    let mut good = true;
    for item in &items {
        good &= is_override(walk, item).is_some();
    }
    let components = items.iter().map(|item| of_overrides(item.node)).collect();
    let paths = items.iter().map(|item| item.path.clone()).collect();
    good.then(|| FileOverrides { components, paths, document: document.clone() })
}

impl FileOverrides {
    /// Changes the components of a document, or of the documents in a `List`. Sets `matched` for the overrides that
    /// match one.
    pub(super) fn apply(&self, root: &mut Node, matched: &mut [bool]) {
        if let Some(NodeValue::List(items)) = root.field_mut("items").map(|node| &mut node.value) {
            items.iter_mut().for_each(|item| self.apply(item, matched));
        }
        let components = root.field_mut("spec").and_then(|spec| spec.field_mut("components"));
        let Some(NodeValue::List(components)) = components.map(|node| &mut node.value) else { return };
        for (change, is_matched) in self.components.iter().zip(matched) {
            for component in components.iter_mut().filter(|component| is_meant(component, change)) {
                *is_matched = true;
                change_component(component, change);
            }
        }
    }

    /// The problem of an override that matches no component.
    pub(super) fn unmatched(&self, index: usize) -> Problem {
        let Node { line, column, .. } = self.components[index];
        Problem {
            file: self.document.file.clone(),
            line: line + self.document.lines_before,
            column,
            path: self.paths[index].clone(),
            message: "matches no component of the manifests".to_owned(),
            hint: Some("`name` and `type` select components".to_owned()),
        }
    }

    /// The number of overrides.
    pub(super) fn count(&self) -> usize {
        self.components.len()
    }

    /// The document of the overrides.
    pub(super) fn document(&self) -> &OverridesDocument {
        &self.document
    }
}

/// Marks a value as coming from the overrides.
fn of_overrides(node: &Node) -> Node {
    let value = match &node.value {
        NodeValue::List(items) => NodeValue::List(items.iter().map(of_overrides).collect()),
        NodeValue::Map(entries) => NodeValue::Map(
            entries.iter().map(|(key, value)| (of_overrides(key), of_overrides(value))).collect(),
        ),
        value @ (NodeValue::Null
        | NodeValue::Bool(_)
        | NodeValue::Int(_)
        | NodeValue::Float(_)
        | NodeValue::Text(_)) => value.clone(),
    };
    Node { value, text: Text::Overrides, ..*node }
}
