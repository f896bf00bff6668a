//! A document as a tree of values with their places.
//!
//! Decides the limits of the parser and how scalars are interpreted; must not know the meaning of any field. Duplicate
//! keys stay in the tree, and the code that walks it reports them, so that they do not hide other problems.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::{DuplicateKeyPolicy, Location, MergeKeyPolicy, NonFiniteFloatPolicy, Options, Spanned};

/// The maximum nesting of a document. A schema in a CustomResourceDefinition takes two levels for each level that it
/// describes, and may describe whole pods. Recursion to this depth in an unoptimised build still fits into a test
/// thread's stack.
pub(super) const MAX_DEPTH: usize = 48;

/// The maximum number of values in a document, with aliases expanded: far more than in any real manifest, but parsed in
/// well under a second.
pub(super) const MAX_NODES: usize = 100_000;

/// The key of a mapping whose entries are merged into the one that it is in.
pub(super) const MERGE_KEY: &str = "<<";

/// The maximum number of aliases in a document.
const MAX_ALIASES: usize = 1_000;

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    /// What was read.
    pub(super) value: NodeValue,
    /// One-based line within the text that was parsed.
    pub(super) line: usize,
    /// One-based column, in characters.
    pub(super) column: usize,
    /// The byte range of a plain value in the text: start and end. Empty if unknown.
    pub(super) span: (usize, usize),
    /// The text that line, column and bytes refer to.
    pub(super) text: Text,
}

/// The text that a value was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Text {
    /// The document itself.
    Document,
    /// The document of the overrides that have changed it.
    Overrides,
}

/// A YAML value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum NodeValue {
    /// Nothing, `null` or `~`.
    Null,
    /// `true`, `false` and the YAML 1.1 words that kubectl also takes for them.
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// A number with a fraction or an exponent.
    Float(f64),
    /// Text.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the text, duplicates included.
    Map(Vec<(Node, Node)>),
}

impl NodeValue {
    /// The value as a whole number. As in Kubernetes, `8080.0` is one.
    pub(super) fn whole(&self) -> Option<i64> {
        match self {
            Self::Int(number) => i64::try_from(*number).ok(),
            #[expect(clippy::cast_possible_truncation, reason = "a whole number this small is exact")]
            Self::Float(number) if number.fract() == 0.0 && number.abs() < 1e15 => Some(*number as i64),
            Self::Null | Self::Bool(_) | Self::Float(_) | Self::Text(_) | Self::List(_) | Self::Map(_) => {
                None
            }
        }
    }
}

impl Node {
    /// The value of the first field with this name; `None` also if the value is not a mapping.
    pub(super) fn field(&self, name: &str) -> Option<&Self> {
        let NodeValue::Map(entries) = &self.value else { return None };
        let named = |(key, _): &&(Self, Self)| matches!(&key.value, NodeValue::Text(text) if text == name);
        entries.iter().find(named).map(|(_, node)| node)
    }

    /// Like [`Self::field`], but mutable.
    pub(super) fn field_mut(&mut self, name: &str) -> Option<&mut Self> {
        let NodeValue::Map(entries) = &mut self.value else { return None };
        entries.iter_mut().find(|(key, _)| key.as_text() == Some(name)).map(|(_, node)| node)
    }

    /// The mappings that a merge key refers to: one, or each item of a list. Returns the node as an error if any of
    /// them is not a mapping.
    fn into_merge_sources(self) -> Result<Vec<Vec<(Self, Self)>>, Self> {
        let is_map = |node: &Self| matches!(node.value, NodeValue::Map(_));
        let is_list = matches!(&self.value, NodeValue::List(items) if items.iter().all(is_map));
        if !is_list && !is_map(&self) {
            return Err(self);
        }
        let mut maps = Vec::new();
        let mut add = |value| {
            if let NodeValue::Map(entries) = value {
                maps.push(entries);
            }
        };
        if let NodeValue::List(items) = self.value {
            items.into_iter().for_each(|item| add(item.value));
        } else {
            add(self.value);
        }
        Ok(maps)
    }

    /// The text, if the value is one.
    pub(super) fn as_text(&self) -> Option<&str> {
        if let NodeValue::Text(text) = &self.value { Some(text) } else { None }
    }
}

/// Reads one document.
pub(super) fn parse(text: &str) -> Result<Node, serde_yaml::Error> {
    serde_yaml::from_str_with_options::<Node>(text, options())
}

fn options() -> Options {
    serde_yaml::options! {
        budget: serde_yaml::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_events: 4 * MAX_NODES,
            max_aliases: MAX_ALIASES,
            max_anchors: MAX_ALIASES,
            max_recorded_anchor_events: MAX_NODES,
            enforce_alias_anchor_ratio: false,
        },
        emit_comments: false,
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::AsOrdinary,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        alias_limits: serde_yaml::alias_limits! {
            max_total_replayed_events: MAX_NODES,
            max_replay_stack_depth: 16,
        },
        legacy_octal_numbers: true,
        ignore_binary_tag_for_string: true,
        with_snippet: false,
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<NodeValue>::deserialize(deserializer)?;
        let place: Location = spanned.referenced;
        let span = spanned.defined.span();
        let span = match (span.byte_offset(), span.byte_len()) {
            (Some(start), Some(len)) => (small(start), small(start.saturating_add(len))),
            _ => (0, 0),
        };
        let (line, column) = (small(place.line()), small(place.column()));
        Ok(Self { value: spanned.value, line, column, span, text: Text::Document })
    }
}

fn small(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl<'de> Deserialize<'de> for NodeValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = NodeValue;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<NodeValue, E> {
        Ok(NodeValue::Null)
    }

    fn visit_none<E>(self) -> Result<NodeValue, E> {
        Ok(NodeValue::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<NodeValue, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<NodeValue, E> {
        Ok(NodeValue::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<NodeValue, E> {
        Ok(NodeValue::Int(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<NodeValue, E> {
        Ok(NodeValue::Int(value.into()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<NodeValue, E> {
        Ok(NodeValue::Int(value))
    }

    fn visit_u128<E>(self, value: u128) -> Result<NodeValue, E> {
        Ok(NodeValue::Int(i128::try_from(value).unwrap_or(i128::MAX)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<NodeValue, E> {
        Ok(NodeValue::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<NodeValue, E> {
        Ok(NodeValue::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<NodeValue, E> {
        Ok(NodeValue::Text(value))
    }

    fn visit_bytes<E>(self, value: &[u8]) -> Result<NodeValue, E> {
        Ok(NodeValue::Text(String::from_utf8_lossy(value).into_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<NodeValue, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<Node>()? {
            list.push(item);
        }
        Ok(NodeValue::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<NodeValue, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry::<Node, Node>()? {
            map.push(entry);
        }
        Ok(NodeValue::Map(merged(map)))
    }
}

/// Resolves the merge keys (`<<`) of a mapping, according to YAML 1.1: its own entries take precedence over merged
/// ones, and those of an earlier mapping over those of a later one. Merge keys with other values are kept.
fn merged(entries: Vec<(Node, Node)>) -> Vec<(Node, Node)> {
    let is_merge = |(key, _): &(Node, Node)| key.as_text() == Some(MERGE_KEY);
    if !entries.iter().any(is_merge) {
        return entries;
    }
    let (merges, mut entries): (Vec<_>, Vec<_>) = entries.into_iter().partition(is_merge);
    let name = |key: &Node| format!("{:?}", key.value);
    let mut known: HashSet<String> = entries.iter().map(|(key, _)| name(key)).collect();
    for (merge, node) in merges {
        match node.into_merge_sources() {
            Ok(sources) => {
                let new = sources.into_iter().flatten().filter(|(key, _)| known.insert(name(key)));
                entries.extend(new);
            }
            Err(node) => entries.push((merge, node)),
        }
    }
    entries
}
