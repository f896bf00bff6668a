//! Walks a document's tree, tracking paths and collecting problems.
//!
//! Decides the messages for wrong kinds of values and for unknown, duplicate or missing fields; must not know specific
//! fields. Every function that returns `None` has reported why, except [`Object::get`], since an absent field is no
//! problem.

mod scalars;

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::Arc;

use crate::oam::application::{ManifestWarning, Release};
use crate::oam::manifest::node::{MERGE_KEY, Node, NodeValue, Text};
use crate::oam::manifest::problem::{MAX_PROBLEMS, Problem, did_you_mean, quoted, shortened};
use crate::oam::origin::Origin;
use crate::oam::schema::Grammar;

/// A value and the path to it.
#[derive(Clone)]
pub(super) struct At<'n> {
    pub(super) node: &'n Node,
    pub(super) path: String,
}

/// A mapping whose keys have been checked.
pub(super) struct Object<'n> {
    pub(super) at: At<'n>,
    fields: Vec<(String, &'n Node, &'n Node)>,
}

/// The document of overrides from another file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct OverridesDocument {
    /// The file's name.
    pub(super) file: String,
    /// The document's text; spans count from its beginning.
    pub(super) text: Arc<str>,
    /// Lines of the file before the document.
    pub(super) lines_before: usize,
}

/// The problems found so far, and what is needed to place them.
pub(super) struct Walk<'t> {
    file: &'t str,
    /// The document's text; spans count from its beginning.
    text: &'t str,
    /// Lines of the source before the document.
    lines_before: usize,
    /// The document of the overrides, if there are any.
    overrides: Option<&'t OverridesDocument>,
    problems: Vec<Problem>,
    warnings: Vec<ManifestWarning>,
    release: Release,
    overflow: bool,
}

impl<'n> At<'n> {
    /// The items of a sequence; none of anything else.
    pub(super) fn items(&self) -> Vec<Self> {
        let NodeValue::List(items) = &self.node.value else { return Vec::new() };
        let item = |(index, node)| At { node, path: format!("{}[{index}]", self.path) };
        items.iter().enumerate().map(item).collect()
    }
}

impl<'n> Object<'n> {
    /// The field's value; `None` also if it is null, as in Kubernetes.
    pub(super) fn get(&self, name: &str) -> Option<At<'n>> {
        self.find(name).filter(|at| at.node.value != NodeValue::Null)
    }

    /// An optional field: `Some(None)` if it is absent, `None` if it is invalid.
    pub(super) fn optional<T>(
        &self,
        name: &str,
        read: impl FnOnce(&At<'n>) -> Option<T>,
    ) -> Option<Option<T>> {
        match self.get(name) {
            None => Some(None),
            Some(at) => read(&at).map(Some),
        }
    }

    /// Every field, for mappings with free keys: key, place of the key, value.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, At<'n>, At<'n>)> {
        self.fields.iter().map(|(name, key, node)| {
            let path = joined(&self.at.path, name);
            (name.as_str(), At { node: key, path: path.clone() }, At { node, path })
        })
    }

    /// The field's value, even if it is null.
    pub(super) fn find(&self, name: &str) -> Option<At<'n>> {
        let (name, _, node) = self.fields.iter().find(|(field, _, _)| field == name)?;
        Some(At { node, path: joined(&self.at.path, name) })
    }
}

impl<'t> Walk<'t> {
    pub(super) fn new(file: &'t str, text: &'t str, lines_before: usize) -> Self {
        Self {
            file,
            text,
            lines_before,
            overrides: None,
            problems: Vec::new(),
            warnings: Vec::new(),
            release: Release::InBatches,
            overflow: false,
        }
    }

    /// Sets the document of the overrides that have changed the document.
    pub(super) fn with_overrides(self, overrides: Option<&'t OverridesDocument>) -> Self {
        Self { overrides, ..self }
    }

    /// Sets how the next component is released. This determines how unknown properties are handled: KubeVela ignores
    /// them, and manifests in use have some; in a component with the `rollout` trait they are errors.
    pub(super) fn set_release(&mut self, release: Release) {
        self.release = release;
    }

    /// Records a warning about an accepted part that should be written differently or has no effect.
    pub(super) fn warn(&mut self, at: &At<'_>, message: String) {
        let warning = ManifestWarning { origin: self.origin(at), path: at.path.clone(), message };
        self.warnings.push(warning);
    }

    /// The warnings so far.
    pub(super) fn take_warnings(&mut self) -> Vec<ManifestWarning> {
        std::mem::take(&mut self.warnings)
    }

    /// How the component that is being read is released.
    pub(super) fn release(&self) -> Release {
        self.release
    }

    /// The problems; a last one reports that some were omitted.
    pub(super) fn finish(mut self) -> Vec<Problem> {
        if self.overflow {
            let (line, column) = self.problems.last().map_or((1, 1), |last| (last.line, last.column));
            self.problems.push(Problem {
                file: self.file.to_owned(),
                line,
                column,
                path: String::new(),
                message: format!("more than {MAX_PROBLEMS} problems; the others are not listed"),
                hint: None,
            });
        }
        self.problems
    }

    /// The place of a value in its source.
    pub(super) fn origin(&self, at: &At<'_>) -> Origin {
        let (file, lines_before) = match self.overrides_of(at.node) {
            None => (self.file, self.lines_before),
            Some(overrides) => (overrides.file.as_str(), overrides.lines_before),
        };
        Origin {
            file: file.to_owned(),
            line: at.node.line.saturating_add(lines_before),
            column: at.node.column,
        }
    }

    /// The document of the overrides, if a value comes from it.
    fn overrides_of(&self, node: &Node) -> Option<&'t OverridesDocument> {
        match node.text {
            Text::Document => None,
            Text::Overrides => self.overrides,
        }
    }

    pub(super) fn refuse(&mut self, at: &At<'_>, message: impl Into<String>) {
        self.report(at, message.into(), None);
    }

    pub(super) fn refuse_with(&mut self, at: &At<'_>, message: impl Into<String>, hint: impl Into<String>) {
        self.report(at, message.into(), Some(hint.into()));
    }

    pub(super) fn report(&mut self, at: &At<'_>, message: String, hint: Option<String>) {
        if self.problems.len() >= MAX_PROBLEMS {
            self.overflow = true;
            return;
        }
        let Origin { file, line, column } = self.origin(at);
        self.problems.push(Problem { file, line, column, path: at.path.clone(), message, hint });
    }

    /// A required field's value.
    pub(super) fn required<'n>(&mut self, object: &Object<'n>, name: &str, expected: &str) -> Option<At<'n>> {
        match object.find(name) {
            None => {
                let at = At { node: object.at.node, path: joined(&object.at.path, name) };
                self.refuse(&at, format!("missing, expected {expected}"));
                None
            }
            Some(at) if at.node.value == NodeValue::Null => {
                self.refuse(&at, format!("found nothing, expected {expected}"));
                None
            }
            found => found,
        }
    }

    /// A required field whose text matches a grammar.
    pub(super) fn required_text(
        &mut self,
        object: &Object<'_>,
        name: &str,
        grammar: Grammar,
    ) -> Option<String> {
        let at = self.required(object, name, grammar.expected)?;
        self.checked(&at, grammar).map(str::to_owned)
    }

    /// An optional field whose text matches a grammar; see [`Object::optional`].
    pub(super) fn optional_text(
        &mut self,
        object: &Object<'_>,
        name: &str,
        grammar: Grammar,
    ) -> Option<Option<String>> {
        object.optional(name, |at| self.checked(at, grammar).map(str::to_owned))
    }

    /// A mapping with the fields `known`; `explain` may explain why another one is not among them.
    pub(super) fn object_of<'n>(
        &mut self,
        at: &At<'n>,
        known: &[&str],
        explain: impl Fn(&str) -> Option<&'static str>,
    ) -> Option<Object<'n>> {
        let object = self.object(at)?;
        for (name, key, _) in object.entries().filter(|(name, _, _)| !known.contains(name)) {
            match explain(name) {
                Some(reason) => self.refuse_with(&key, "not supported", reason),
                None => self.refuse_field(&key, name, known, None),
            }
        }
        Some(object)
    }

    /// [`Self::object_of`] for the properties of a component, whose unknown fields may be ignored.
    pub(super) fn open_object_of<'n>(
        &mut self,
        at: &At<'n>,
        known: &[&str],
        explain: impl Fn(&str) -> Option<&'static str>,
    ) -> Option<Object<'n>> {
        if self.release == Release::InBatches {
            return self.object_of(at, known, explain);
        }
        let object = self.object(at)?;
        for (name, key, _) in object.entries().filter(|(name, _, _)| !known.contains(name)) {
            self.ignore_field(&key, name, known, explain(name));
        }
        Some(object)
    }

    /// Rejects a field that is not among the known ones.
    pub(super) fn refuse_field(&mut self, key: &At<'_>, name: &str, known: &[&str], advice: Option<&str>) {
        self.report(key, "unknown field".to_owned(), Some(advice_on(name, known, advice)));
    }

    /// Warns about a field that is not among the known ones.
    pub(super) fn ignore_field(&mut self, key: &At<'_>, name: &str, known: &[&str], advice: Option<&str>) {
        self.warn(key, format!("unknown field, ignored; {}", advice_on(name, known, advice)));
    }

    /// A mapping with any keys, which must be unique.
    pub(super) fn object<'n>(&mut self, at: &At<'n>) -> Option<Object<'n>> {
        let NodeValue::Map(entries) = &at.node.value else {
            self.mismatch(at, "a mapping");
            return None;
        };
        let mut fields: Vec<(String, &Node, &Node)> = Vec::with_capacity(entries.len());
        let mut first_lines = HashMap::new();
        for (key, node) in entries {
            let name = match &key.value {
                NodeValue::List(_) | NodeValue::Map(_) => {
                    let place = At { node: key, path: at.path.clone() };
                    self.refuse(&place, format!("found {} as a key, expected a name", self.found(key)));
                    continue;
                }
                NodeValue::Text(name) => name.clone(),
                NodeValue::Null | NodeValue::Bool(_) | NodeValue::Int(_) | NodeValue::Float(_) => {
                    self.raw(key).to_owned()
                }
            };
            let place = At { node: key, path: joined(&at.path, &name) };
            if name == MERGE_KEY {
                match node.merge_sources() {
                    Some(_) => self.refuse_with(
                        &place,
                        "a key before the merge key has another value in the merged mapping",
                        "put `<<` first: YAML keeps the mapping's own values, and kubectl only those after `<<`",
                    ),
                    None => {
                        let found = self.found(node);
                        let expected = "expected a mapping, or a list of mappings";
                        self.refuse(&place, format!("found {found} behind a merge key, {expected}"));
                    }
                }
                continue;
            }
            let line = self.origin(&place).line;
            if let Some(first) = first_lines.insert(name.clone(), line) {
                self.refuse(&place, format!("appears twice, first in line {first}"));
                continue;
            }
            fields.push((name, key, node));
        }
        Some(Object { at: at.clone(), fields })
    }

    /// A sequence's items.
    pub(super) fn list<'n>(&mut self, at: &At<'n>, expected: &str) -> Option<Vec<At<'n>>> {
        if !matches!(at.node.value, NodeValue::List(_)) {
            self.mismatch(at, expected);
            return None;
        }
        Some(at.items())
    }

    /// A sequence's items, each read by `read`, so that the problems of all are reported.
    pub(super) fn list_of<'n, T>(
        &mut self,
        at: &At<'n>,
        expected: &str,
        mut read: impl FnMut(&mut Self, &At<'n>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let items: Vec<Option<T>> = self.list(at, expected)?.iter().map(|item| read(self, item)).collect();
        items.into_iter().collect()
    }

    /// Rejects a value of the wrong kind.
    pub(super) fn mismatch(&mut self, at: &At<'_>, expected: &str) {
        self.refuse(at, format!("found {}, expected {expected}", self.found(at.node)));
    }

    /// Describes a value in messages.
    pub(super) fn found(&self, node: &Node) -> String {
        match &node.value {
            NodeValue::Null => "nothing".to_owned(),
            NodeValue::Bool(_) => format!("the boolean {}", quoted(self.raw(node))),
            NodeValue::Int(number) => number.to_string(),
            NodeValue::Float(_) => format!("the number {}", shortened(self.raw(node))),
            NodeValue::Text(text) if text.is_empty() => "an empty string".to_owned(),
            NodeValue::Text(text) => format!("the string {}", quoted(text)),
            NodeValue::List(items) if items.is_empty() => "an empty list".to_owned(),
            NodeValue::List(_) => "a list".to_owned(),
            NodeValue::Map(_) => "a mapping".to_owned(),
        }
    }

    /// A plain value as written in the manifest.
    pub(super) fn raw(&self, node: &Node) -> &'t str {
        let (start, end) = node.span;
        let text = self.overrides_of(node).map_or(self.text, |overrides| &overrides.text);
        text.get(start..end).unwrap_or_default().trim()
    }
}

/// A hint for an unknown field.
fn advice_on(name: &str, known: &[&str], advice: Option<&str>) -> String {
    let advice = advice.map(str::to_owned).or_else(|| did_you_mean(name, known.iter().copied()));
    advice.unwrap_or_else(|| match known {
        [] => "it takes no fields".to_owned(),
        known => format!("known fields: {}", listed(known)),
    })
}

/// Describes a range of whole numbers.
pub(super) fn in_range(noun: &str, least: impl Display, most: impl Display) -> String {
    let (least, most) = (least.to_string(), most.to_string());
    if least == most { least } else { format!("{noun} from {least} to {most}") }
}

/// The words as a list.
pub(super) fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// The path of a field below `path`; keys that are not plain words are put in brackets.
pub(super) fn joined(path: &str, name: &str) -> String {
    let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match (path.is_empty(), plain) {
        (true, true) => name.to_owned(),
        (false, true) => format!("{path}.{}", shortened(name)),
        (_, false) => format!("{path}[{}]", shortened(name)),
    }
}
