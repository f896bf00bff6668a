//! Kinds, and how they differ from each other.
//!
//! It must not know the kinds themselves, which are in `validation::registry`.

use serde_json::Value;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use crate::sandbox::object::field_error::FieldError;

/// The properties of a kind: one row of the registry.
pub(crate) struct Definition {
    pub(crate) group: &'static str,
    pub(crate) version: &'static str,
    pub(crate) plural: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) short_names: &'static [&'static str],
    pub(crate) origin: Origin,
    pub(crate) scope: Scope,
    pub(crate) persistence: Persistence,
    /// Which parts of a change raise `metadata.generation`.
    pub(crate) generation: Generation,
    /// Whether `status` is a subresource, written separately.
    pub(crate) status: StatusSubresource,
    /// The rule for names.
    pub(crate) names: NameRule,
    /// Whether a PUT may omit the resource version.
    pub(crate) unconditional_update: UnconditionalUpdate,
    /// Whether a PUT may create a missing object.
    pub(crate) create_on_update: CreateOnUpdate,
    /// What a completed deletion returns.
    pub(crate) delete_response: DeleteResponse,
    /// Decodes a body: rejects wrong types and drops unknown fields.
    pub(crate) check: fn(Value) -> Result<Decoded, String>,
    /// Sets defaults.
    pub(crate) default: fn(&mut Value),
    /// Sets, after the defaults, the fields that the server derives from the object and the one that it replaces.
    pub(crate) derive: fn(&mut Value, Option<&Value>),
    /// Like `derive`, for fields that no field manager owns.
    pub(crate) allocate: fn(&mut Value, Option<&Value>),
    /// The errors of an object, given the one that it replaces.
    pub(crate) validate: fn(&Value, Option<&Value>) -> Vec<FieldError>,
    /// Converts an object from the stored version to this one, except for `apiVersion`.
    pub(crate) convert: fn(Value) -> Value,
}

/// Whether a kind is built into the API server or described by a CustomResourceDefinition.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    BuiltIn,
    /// Described by a definition that is installed from the start.
    Custom,
    /// Described by a definition that a client created.
    Defined,
}

/// Whether objects of a kind have a namespace.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Namespaced,
    Cluster,
}

/// Whether objects of a kind are stored, or only returned, like reviews.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Persistence {
    Stored,
    Virtual,
}

/// Which changes raise `metadata.generation`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Generation {
    None,
    Spec,
    /// Deployments: the controller copies their annotations to ReplicaSets, so it must observe them.
    SpecAndAnnotations,
}

/// Whether a kind has `/status`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum StatusSubresource {
    Absent,
    Present,
}

/// The rule that names of a kind follow.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameRule {
    Subdomain,
    /// Any text that can be one segment of a path.
    PathSegment,
    Label,
    /// A label, with a separate message about dots.
    UndottedLabel,
}

/// Whether a PUT may omit `metadata.resourceVersion`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnconditionalUpdate {
    Allowed,
    Refused,
}

/// Whether a PUT may create a missing object.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum CreateOnUpdate {
    Refused,
    Allowed,
}

/// What a DELETE that removes the object returns.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeleteResponse {
    Status,
    Object,
}

/// A kind: a row of the registry, comparable and cheap to copy.
#[derive(Clone, Copy)]
pub(crate) struct Kind(&'static Definition);

impl Kind {
    /// The kind that a definition describes.
    pub(crate) const fn of(definition: &'static Definition) -> Self {
        Self(definition)
    }

    /// `apps/v1`, or `v1` for the core group.
    pub(crate) fn api_version(self) -> String {
        match self.group {
            "" => self.version.to_owned(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// Whether it is the kind with this plural that the sandbox knows. Definitions may use the same plural in other
    /// groups.
    pub(crate) fn is(self, plural: &str) -> bool {
        self.origin != Origin::Defined && self.plural == plural
    }

    /// A stored object in this version.
    pub(crate) fn present(self, object: &Value) -> Cow<'_, Value> {
        let version = self.api_version();
        if object["apiVersion"] == version.as_str() {
            return Cow::Borrowed(object);
        }
        let mut object = (self.convert)(object.clone());
        object["apiVersion"] = Value::String(version);
        Cow::Owned(object)
    }

    /// `deployment`: the kind in lower case, for all kinds here.
    pub(crate) fn singular(self) -> String {
        self.kind.to_lowercase()
    }

    /// `deployments.apps`, the resource in messages.
    pub(crate) fn resource(self) -> String {
        qualified(self.plural, self.group)
    }

    /// `Deployment.apps`, the kind in messages.
    pub(crate) fn qualified_kind(self) -> String {
        qualified(self.kind, self.group)
    }
}

fn qualified(name: &str, group: &str) -> String {
    match group {
        "" => name.to_owned(),
        group => format!("{name}.{group}"),
    }
}

impl std::ops::Deref for Kind {
    type Target = Definition;

    fn deref(&self) -> &Definition {
        self.0
    }
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Kind {}

impl PartialOrd for Kind {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Kind {
    fn cmp(&self, other: &Self) -> Ordering {
        // Nearly all comparisons are of one row with itself.
        if std::ptr::eq(self.0, other.0) {
            return Ordering::Equal;
        }
        (self.group, self.plural).cmp(&(other.group, other.plural))
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.resource())
    }
}

/// A decoded object.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) object: Value,
    /// Warnings about unknown fields.
    pub(crate) unknown: Vec<String>,
}
