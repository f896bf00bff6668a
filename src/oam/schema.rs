//! A schema language for the parts of a manifest that follow KubeVela's definitions.
//!
//! A table of [`Field`]s declares what a mapping may contain; `manifest/schema.rs` reads a mapping by it. Nothing here
//! refers to documents or places in them.

/// The shape of a value.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// Any string.
    Text,
    /// A string that matches a grammar.
    Checked(Grammar),
    /// A string that matches a grammar, and that messages must not quote.
    Secret(Grammar),
    /// One of a few strings.
    Choice(&'static [&'static str]),
    /// The name of an object that the manifest does not contain. Kubernetes accepts any text; in a component that is
    /// applied as a whole, an invalid name is only a warning.
    ObjectName,
    /// A whole number from `least` to `most`.
    Integer {
        /// Its description, with an article.
        noun: &'static str,
        /// The minimum.
        least: i64,
        /// The maximum.
        most: i64,
    },
    /// A port on every node, from 1 to 65535; one outside clusters' default range is a warning, because a server-side
    /// dry run accepts it.
    NodePort,
    /// `true` or `false`.
    Boolean,
    /// A quantity of cpu, memory or storage; read as a string, even if the manifest has a number. The text contains
    /// examples for messages.
    Quantity(&'static str),
    /// A value, or `null`, which is kept.
    Nullable(&'static Self),
    /// A sequence.
    List {
        /// What each item is.
        of: &'static Self,
        /// The list's description, with an article.
        expected: &'static str,
    },
    /// A mapping with free keys.
    Map {
        /// What each value is.
        of: &'static Self,
        /// What each key is.
        keys: Grammar,
        /// The mapping's description, with an article.
        expected: &'static str,
    },
    /// A string or a sequence that is not empty.
    Filled {
        /// Its shape.
        of: &'static Self,
        /// What is expected instead of an empty one.
        expected: &'static str,
    },
    /// A mapping with declared fields.
    Object(&'static Table),
    /// A mapping whose declared fields depend on its field `type`: each type and its table. Without the field, it is
    /// of the last type.
    Typed(&'static [(&'static str, Table)]),
    /// Any value, kept unchanged.
    Any,
    /// A mapping with any values, kept unchanged.
    AnyObject,
}

/// A set of strings: the check, and a description for messages, with an article.
#[derive(Debug, Clone, Copy)]
pub struct Grammar {
    /// The description.
    pub expected: &'static str,
    /// Whether a string is in the set.
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
    /// The mapping's description, with an article, such as ``a mapping with `name` and `image` ``.
    pub expected: &'static str,
    /// The declared fields.
    pub fields: &'static [Field],
    /// How other fields are handled.
    pub undeclared: Undeclared,
    /// Rules about the fields.
    pub rules: &'static [Rule],
    /// Names that people try, and what to write instead.
    pub advice: &'static [(&'static str, &'static str)],
    /// Names of fields that are not supported, and why.
    pub unsupported: &'static [(&'static str, &'static str)],
}

/// How a field that its table does not declare is handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undeclared {
    /// It is ignored, with a warning.
    Ignored,
    /// It is rejected.
    Refused,
    /// It is rejected in a component with the `rollout` trait, and ignored in others, with a warning.
    ByRelease,
    /// It is kept: the mapping is copied whole.
    Kept,
}

/// One declared field.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// The name.
    pub name: &'static str,
    /// The shape of its value.
    pub shape: Shape,
    /// Whether it is required.
    pub presence: Presence,
    /// What to write instead of a field that still works.
    pub deprecated: Option<&'static str>,
    /// What is expected if it is missing, if shorter than the shape's description.
    pub missing: Option<&'static str>,
}

/// Whether a field is required.
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
    /// A boolean.
    Boolean(bool),
    /// A list of strings.
    Texts(&'static [&'static str]),
    /// A mapping without fields.
    EmptyMap,
    /// The defaults of the field's own table, as for an empty mapping.
    Filled,
}

/// A rule about the fields of a mapping. A field is set if the manifest has a value for it.
#[derive(Debug, Clone, Copy)]
pub enum Rule {
    /// Exactly one of these is set.
    ExactlyOne(&'static [&'static str]),
    /// Exactly one of these is set, with other messages.
    OneOf {
        /// The fields.
        names: &'static [&'static str],
        /// What is found if none is set.
        none: &'static str,
        /// What is expected.
        expected: &'static str,
    },
    /// At most one of these is set.
    AtMostOne(&'static [&'static str]),
    /// At least one of these is set.
    AtLeastOne(&'static [&'static str]),
    /// If this is set, nothing else is.
    Alone(&'static str),
    /// If the field has this value, these are set.
    Needs {
        /// The field.
        field: &'static str,
        /// Its value, as set or by default.
        is: &'static str,
        /// The fields that must be set then.
        needed: &'static [&'static str],
    },
}

/// A required field.
#[must_use]
pub const fn required(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, presence: Presence::Required, deprecated: None, missing: None }
}

/// An optional field.
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

    /// The same field, with another text for what is expected if it is missing.
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

    /// A mapping in which undeclared fields are rejected.
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
