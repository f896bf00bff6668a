//! A document as a tree of values with their places.
//!
//! Decides the limits of the parser and how scalars are interpreted; must not know the meaning of any field. Duplicate
//! keys stay in the tree, and the code that walks it reports them, so that they do not hide other problems.

use std::collections::{HashMap, HashSet};
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

    /// The mappings that a merge key refers to: one, or each item of a list. `None` if any of them is not a mapping.
    pub(super) fn merge_sources(&self) -> Option<Vec<&[(Self, Self)]>> {
        if let NodeValue::List(items) = &self.value {
            return items.iter().map(Self::entries).collect();
        }
        self.entries().map(|entries| vec![entries])
    }

    /// The entries of a mapping.
    fn entries(&self) -> Option<&[(Self, Self)]> {
        let NodeValue::Map(entries) = &self.value else { return None };
        Some(entries)
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
/// ones, and those of an earlier mapping over those of a later one. A merge key is kept if it refers to anything but
/// mappings, or if it has another value for a key before it, because kubectl's parser takes that value, contrary to
/// YAML.
fn merged(entries: Vec<(Node, Node)>) -> Vec<(Node, Node)> {
    let is_merge = |(key, _): &(Node, Node)| key.as_text() == Some(MERGE_KEY);
    if !entries.iter().any(is_merge) {
        return entries;
    }
    let name = |key: &Node| format!("{:?}", key.value);
    let own = entries.iter().filter(|entry| !is_merge(entry));
    let mut known: HashSet<String> = own.map(|(key, _)| name(key)).collect();
    let mut before: HashMap<String, NodeValue> = HashMap::new();
    let (mut all, mut added) = (Vec::new(), Vec::new());
    for (key, node) in entries {
        if key.as_text() != Some(MERGE_KEY) {
            before.insert(name(&key), node.value.clone());
            all.push((key, node));
            continue;
        }
        let overwrites = |(key, node): &(Node, Node)| {
            before.get(&name(key)).is_some_and(|value| !is_same(value, &node.value))
        };
        match node.merge_sources() {
            Some(sources) if !first_of_each(&sources).any(overwrites) => {
                for (key, node) in first_of_each(&sources) {
                    before.insert(name(key), node.value.clone());
                    if known.insert(name(key)) {
                        added.push((key.clone(), node.clone()));
                    }
                }
            }
            Some(_) | None => added.push((key, node)),
        }
    }
    all.append(&mut added);
    all
}

/// The entries of several mappings; of entries with the same key, only the first.
fn first_of_each<'n>(sources: &[&'n [(Node, Node)]]) -> impl Iterator<Item = &'n (Node, Node)> {
    let mut seen = HashSet::new();
    let entries: Vec<&(Node, Node)> = sources.iter().flat_map(|entries| entries.iter()).collect();
    entries.into_iter().filter(move |(key, _)| seen.insert(format!("{:?}", key.value)))
}

/// Whether two values are equal, ignoring their positions.
fn is_same(one: &NodeValue, other: &NodeValue) -> bool {
    match (one, other) {
        (NodeValue::List(one), NodeValue::List(other)) => {
            one.len() == other.len()
                && one.iter().zip(other).all(|(one, other)| is_same(&one.value, &other.value))
        }
        (NodeValue::Map(one), NodeValue::Map(other)) => {
            let is_same_entry = |((key, one), (other_key, other)): (&(Node, Node), &(Node, Node))| {
                is_same(&key.value, &other_key.value) && is_same(&one.value, &other.value)
            };
            one.len() == other.len() && one.iter().zip(other).all(is_same_entry)
        }
        (one, other) => one == other,
    }
}
