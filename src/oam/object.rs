//! References to objects, and access to their fields.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// An object by its kind and its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    /// Group and version, such as `apps/v1`; `v1` for the core group.
    pub api_version: String,
    /// The kind, such as `Deployment`.
    pub kind: String,
    /// The namespace; `None` if the manifest has none, and for kinds without namespaces.
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

impl ObjectRef {
    /// The reference of an object; `None` if it lacks a kind or a name.
    #[must_use]
    pub fn of(object: &Value) -> Option<Self> {
        let text = |pointer: &str| object.pointer(pointer)?.as_str().map(str::to_owned);
        Some(Self {
            api_version: text("/apiVersion")?,
            kind: text("/kind")?,
            namespace: text("/metadata/namespace"),
            name: text("/metadata/name")?,
        })
    }

    /// The API group; empty for the core group.
    #[must_use]
    pub fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// The version of the group.
    #[must_use]
    pub fn version(&self) -> &str {
        self.api_version.split_once('/').map_or(&self.api_version, |(_, version)| version)
    }

    /// The object as arguments of kubectl, such as `deployment.apps/web -n shop`.
    #[must_use]
    pub fn kubectl_arguments(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{self} -n {namespace}"),
            None => self.to_string(),
        }
    }

    /// Whether two references mean one object: the versions of a group serve the same objects.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        (self.group(), &self.kind, &self.namespace, &self.name)
            == (other.group(), &other.kind, &other.namespace, &other.name)
    }
}

/// `deployment.apps/web`, as kubectl names objects.
impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let group = self.group();
        let dot = if group.is_empty() { "" } else { "." };
        write!(f, "{}{dot}{group}/{}", self.kind.to_lowercase(), self.name)
    }
}

/// A string; empty if there is none.
pub(in crate::oam) fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap_or_default()
}

/// A list; empty if there is none.
pub(in crate::oam) fn list<'v>(value: &'v Value, field: &str) -> &'v [Value] {
    value[field].as_array().map_or(&[], Vec::as_slice)
}

/// Copies the fields that exist.
pub(in crate::oam) fn copy(from: &Value, to: &mut Map<String, Value>, fields: &[&str]) {
    for field in fields {
        if let Some(value) = from.get(*field) {
            to.insert((*field).to_owned(), value.clone());
        }
    }
}
