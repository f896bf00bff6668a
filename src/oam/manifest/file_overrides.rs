//! Overrides of components that stand in another file than the manifest: those of one cluster of a fleet.
//!
//! They change the document before it is read, as an `override` policy does. Problems are reported where the part
//! stands that causes them, so what comes from the other file is marked.

use std::sync::Arc;

use crate::oam::manifest::node::{Node, NodeValue, Text};
use crate::oam::manifest::overrides::{change_component, is_meant, is_override};
use crate::oam::manifest::problem::Problem;
use crate::oam::manifest::walk::{At, Walk};

/// Overrides of components, and the document that has them.
#[derive(Debug, Clone, PartialEq)]
pub struct FileOverrides {
    components: Vec<Node>,
    paths: Vec<String>,
    document: OverridesDocument,
}

/// The document of the overrides.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct OverridesDocument {
    /// The file's name.
    pub(super) file: String,
    /// The document's text; spans count from its beginning.
    pub(super) text: Arc<str>,
    /// Lines of the file before the document.
    pub(super) lines_before: usize,
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
    /// Changes the components of a document, or of the documents in a `List`. Notes which of the overrides have matched
    /// one.
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

    /// What is wrong if an override matches no component.
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

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.components.len()
    }

    /// The document that has them.
    pub(super) fn document(&self) -> &OverridesDocument {
        &self.document
    }
}

/// A value, marked as one of the overrides.
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
