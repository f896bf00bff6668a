//! The language in which the parts of a manifest that follow KubeVela's definitions are declared.
//!
//! A table of [`Field`]s says what a mapping may contain; `manifest/schema.rs` reads a mapping by it. Nothing
//! here knows a document or a place in it.

/// What a value may be.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// Any string.
    Text,
    /// A string of some grammar.
    Checked(Grammar),
    /// A string of some grammar, which no message may quote.
    Secret(Grammar),
    /// One of a few strings.
    Choice(&'static [&'static str]),
    /// The name of an object that the manifest does not contain. Kubernetes accepts any text; in a component that is
    /// applied as a whole, one that no object can have is only warned of.
    ObjectName,
    /// A whole number from `least` to `most`.
    Integer {
        /// What it is, with its article.
        noun: &'static str,
        /// The smallest.
        least: i64,
        /// The largest.
        most: i64,
    },
    /// A port on every node, from 1 to 65535; one outside the range that clusters have by default is warned of, as a
    /// server's dry run accepts it.
    NodePort,
    /// `true` or `false`.
    Boolean,
    /// An amount of cpu, memory or storage; read as a string, also where the manifest has a number. The text is
    /// an example or two for messages.
    Quantity(&'static str),
    /// A value, or `null`, which is kept.
    Nullable(&'static Self),
    /// A sequence.
    List {
        /// What each item is.
        of: &'static Self,
        /// The list in words, with its article.
        expected: &'static str,
    },
    /// A mapping with free keys.
    Map {
        /// What each value is.
        of: &'static Self,
        /// What each key is.
        keys: Grammar,
        /// The mapping in words, with its article.
        expected: &'static str,
    },
    /// A text or a sequence that is not empty.
    Filled {
        /// What it is.
        of: &'static Self,
        /// What is expected of an empty one, in words.
        expected: &'static str,
    },
    /// A mapping with declared fields.
    Object(&'static Table),
    /// A mapping whose declared fields depend on its field `type`: each type and its table. Without the field, it is
    /// of the last type.
    Typed(&'static [(&'static str, Table)]),
    /// Any value, kept as it is.
    Any,
    /// A mapping whose values may be anything, kept as it is.
    AnyObject,
}

/// A set of strings: the check, and the set in words for messages, with its article.
#[derive(Debug, Clone, Copy)]
pub struct Grammar {
    /// What it is.
    pub expected: &'static str,
    /// Whether a string belongs to it.
    pub accepts: fn(&str) -> bool,
}

impl Grammar {
    /// The strings that a check accepts.
    #[must_use]
    pub const fn new(expected: &'static str, accepts: fn(&str) -> bool) -> Self {
        Self { expected, accepts }
    }
}

/// The fields of a mapping.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// The mapping in words, with its article, such as ``a mapping with `name` and `image` ``.
    pub expected: &'static str,
    /// The declared fields.
    pub fields: &'static [Field],
    /// What becomes of the others.
    pub undeclared: Undeclared,
    /// What the fields must satisfy together.
    pub rules: &'static [Rule],
    /// Names that people try, and what to write instead.
    pub advice: &'static [(&'static str, &'static str)],
    /// Names of fields that are not supported, and why.
    pub unsupported: &'static [(&'static str, &'static str)],
}

/// What becomes of a field that its table does not declare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undeclared {
    /// It is ignored, with a warning.
    Ignored,
    /// It is refused.
    Refused,
    /// It is refused in a component with the `rollout` trait, and ignored in others, with a warning.
    ByRelease,
    /// It is kept as it is: the mapping is copied whole.
    Kept,
}

/// One declared field.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// The name.
    pub name: &'static str,
    /// What it may be.
    pub shape: Shape,
    /// Whether it has to be there.
    pub presence: Presence,
    /// What to write instead of a field that still works.
    pub deprecated: Option<&'static str>,
    /// What is expected where it is missing, if that is shorter than the shape in words.
    pub missing: Option<&'static str>,
}

/// Whether a field has to be there.
#[derive(Debug, Clone, Copy)]
pub enum Presence {
    /// Its absence is a problem.
    Required,
    /// Its absence means nothing.
    Optional,
    /// Its absence means this value.
    Default(Literal),
}

/// A default.
#[derive(Debug, Clone, Copy)]
pub enum Literal {
    /// A string.
    Text(&'static str),
    /// A number.
    Integer(i64),
    /// A truth value.
    Boolean(bool),
    /// A list of strings.
    Texts(&'static [&'static str]),
    /// A mapping without fields.
    EmptyMap,
    /// What an empty mapping reads as: the defaults of the field's own table.
    Filled,
}

/// What the fields of one mapping must satisfy together. A field counts as given if the manifest has a value
/// for it.
#[derive(Debug, Clone, Copy)]
pub enum Rule {
    /// Exactly one of these is given.
    ExactlyOne(&'static [&'static str]),
    /// The same, in other words.
    OneOf {
        /// The fields.
        names: &'static [&'static str],
        /// What is found where none is given.
        none: &'static str,
        /// How many are expected.
        expected: &'static str,
    },
    /// At most one of these is given.
    AtMostOne(&'static [&'static str]),
    /// At least one of these is given.
    AtLeastOne(&'static [&'static str]),
    /// If this is given, nothing else is.
    Alone(&'static str),
    /// If the field has this value, these are given.
    Needs {
        /// The field.
        field: &'static str,
        /// Its value, as given or by default.
        is: &'static str,
        /// What has to be given then.
        needed: &'static [&'static str],
    },
}

/// A field that has to be there.
#[must_use]
pub const fn required(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, presence: Presence::Required, deprecated: None, missing: None }
}

/// A field that may be absent.
#[must_use]
pub const fn optional(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, presence: Presence::Optional, deprecated: None, missing: None }
}

/// A field with a default.
#[must_use]
pub const fn defaulted(name: &'static str, shape: Shape, default: Literal) -> Field {
    Field { name, shape, presence: Presence::Default(default), deprecated: None, missing: None }
}

impl Field {
    /// The same field, deprecated in favour of another.
    #[must_use]
    pub const fn deprecated(self, instead: &'static str) -> Self {
        Self { deprecated: Some(instead), ..self }
    }

    /// The same field, with other words for what is expected where it is missing.
    #[must_use]
    pub const fn missing(self, expected: &'static str) -> Self {
        Self { missing: Some(expected), ..self }
    }
}

impl Table {
    /// A mapping in which undeclared fields are ignored.
    #[must_use]
    pub const fn open(expected: &'static str, fields: &'static [Field]) -> Self {
        Self { expected, fields, undeclared: Undeclared::Ignored, rules: &[], advice: &[], unsupported: &[] }
    }

    /// A mapping in which undeclared fields are refused.
    #[must_use]
    pub const fn closed(expected: &'static str, fields: &'static [Field]) -> Self {
        Self { undeclared: Undeclared::Refused, ..Self::open(expected, fields) }
    }

    /// A mapping that is copied whole.
    #[must_use]
    pub const fn copied(expected: &'static str, fields: &'static [Field]) -> Self {
        Self { undeclared: Undeclared::Kept, ..Self::open(expected, fields) }
    }

    /// A mapping in the properties of a component.
    #[must_use]
    pub const fn of_component(fields: &'static [Field]) -> Self {
        Self { undeclared: Undeclared::ByRelease, ..Self::open("a mapping", fields) }
    }

    /// The same table with rules.
    #[must_use]
    pub const fn with_rules(self, rules: &'static [Rule]) -> Self {
        Self { rules, ..self }
    }

    /// The same table with advice on names that it does not declare.
    #[must_use]
    pub const fn with_advice(self, advice: &'static [(&'static str, &'static str)]) -> Self {
        Self { advice, ..self }
    }

    /// The same table with fields that it does not support.
    #[must_use]
    pub const fn with_unsupported(self, unsupported: &'static [(&'static str, &'static str)]) -> Self {
        Self { unsupported, ..self }
    }
}

/// Any string, as a key.
pub const ANY_KEY: Grammar = Grammar::new("a string", |_| true);

/// A list of strings.
pub const TEXTS: Shape = Shape::List { of: &Shape::Text, expected: "a list of strings" };

/// A 32-bit number of 0 or more.
pub const COUNT: Shape = integer(0, i32::MAX as i64);

/// A 32-bit number of 1 or more.
pub const POSITIVE: Shape = integer(1, i32::MAX as i64);

/// The number of a port.
pub const PORT: Shape = integer(1, u16::MAX as i64);

/// A number that identifies a user or group.
pub const ID: Shape = COUNT;

/// A whole number.
#[must_use]
pub const fn integer(least: i64, most: i64) -> Shape {
    Shape::Integer { noun: "an integer", least, most }
}
