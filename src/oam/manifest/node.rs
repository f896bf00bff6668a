//! A document as a tree in which every value knows its place.
//!
//! Decides what the parser may spend on a document and how its scalars read; must not know what any
//! field means. Duplicate keys stay in the tree: the code that walks it reports them, so that one of them does
//! not hide the next problem.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::{DuplicateKeyPolicy, Location, MergeKeyPolicy, NonFiniteFloatPolicy, Options, Spanned};

/// Levels of nesting that a document may have. A schema in a CustomResourceDefinition takes two levels for each of its
/// own and describes whole pods. The recursive descent of an unoptimised build still fits into a test thread's stack.
pub(super) const MAX_DEPTH: usize = 48;

/// Values that one document may hold, aliases expanded. Far above any real manifest, and little enough
/// to read in well under a second.
pub(super) const MAX_NODES: usize = 100_000;

/// The key of a mapping whose entries are merged into the one that it is in.
pub(super) const MERGE_KEY: &str = "<<";

/// Aliases that one document may use.
const MAX_ALIASES: usize = 1_000;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    /// What was read.
    pub(super) value: NodeValue,
    /// One-based line within the text that was parsed.
    pub(super) line: usize,
    /// One-based column, in characters.
    pub(super) column: usize,
    /// Bytes of the text that a plain value takes up: start and end. Empty where that is unknown.
    pub(super) span: (usize, usize),
    /// The text that line, column and bytes count in.
    pub(super) text: Text,
}

/// Where a value was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Text {
    /// In the document itself.
    Document,
    /// In the document of the overrides that have changed it.
    Overrides,
}

/// What YAML knows.
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
    /// The whole number that it is. As in YAML that is read for Kubernetes, `8080.0` is one.
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
    /// The value of a mapping's field, the first one of that name; `None` also for what is no mapping.
    pub(super) fn field(&self, name: &str) -> Option<&Self> {
        let NodeValue::Map(entries) = &self.value else { return None };
        let named = |(key, _): &&(Self, Self)| matches!(&key.value, NodeValue::Text(text) if text == name);
        entries.iter().find(named).map(|(_, node)| node)
    }

    /// The same, to be changed.
    pub(super) fn field_mut(&mut self, name: &str) -> Option<&mut Self> {
        let NodeValue::Map(entries) = &mut self.value else { return None };
        entries.iter_mut().find(|(key, _)| key.as_text() == Some(name)).map(|(_, node)| node)
    }

    /// The mappings that a merge key refers to: one, or each item of a list. The node itself where one of them is none.
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

/// A mapping with what its merge keys (`<<`) refer to in their place, as YAML 1.1 says: its own entries come before
/// merged ones, and those of an earlier mapping before those of a later one. A merge key of something else stays.
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
