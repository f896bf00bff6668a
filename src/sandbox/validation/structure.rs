//! The structure of a kind for field ownership: which values are owned as a whole, and which in parts.
//!
//! It stands for the markers `x-kubernetes-list-type`, `x-kubernetes-list-map-keys` and `x-kubernetes-map-type` of the
//! server's OpenAPI document. For built-in kinds, this nearly always depends only on the name of a field. In custom
//! resources, maps are owned in parts and lists as a whole, as without a schema. See
//! <https://kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy>.

use serde_json::{Map, Value};

use crate::sandbox::object::kind::{Kind, Origin};

/// A place in an object of some kind: a map, or an item of a list.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    kind: Kind,
    /// The field whose value it is, or whose list it is in. Empty for the object itself.
    name: &'a str,
    naming: Naming,
}

/// Whether a place is a record with known fields, a map with arbitrary keys, or something without a schema.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Naming {
    Record,
    Map,
    Unknown,
}

/// How a value is owned.
#[derive(Clone, Copy)]
pub(crate) enum Structure<'a> {
    /// As a whole.
    Whole,
    /// Field by field.
    Fields(Place<'a>),
    /// Item by item; these fields identify an item.
    Items(&'static [&'static str], Place<'a>),
    /// Item by item, each as a whole. Without identifying fields, the items are strings.
    WholeItems(&'static [&'static str]),
}

/// Maps with arbitrary keys.
const MAPS: [&str; 20] = [
    "allocatedResources",
    "annotations",
    "binaryData",
    "capacity",
    "data",
    "default",
    "defaultRequest",
    "disruptedPods",
    "hard",
    "labels",
    "limits",
    "matchLabels",
    "max",
    "min",
    "options",
    "overhead",
    "requests",
    "stringData",
    "used",
    "volumeAttributes",
];

/// Maps that are owned as a whole.
const WHOLE: [&str; 21] = [
    "configMapKeyRef",
    "controllerExpandSecretRef",
    "controllerPublishSecretRef",
    "dataSource",
    "fieldRef",
    "fileKeyRef",
    "involvedObject",
    "labelSelector",
    "namespaceSelector",
    "nodePublishSecretRef",
    "nodeSelector",
    "nodeStageSecretRef",
    "podSelector",
    "port",
    "preference",
    "related",
    "resourceFieldRef",
    "roleRef",
    "secretKeyRef",
    "secretRef",
    "selector",
];

/// Lists whose items are owned as a whole.
const WHOLE_ITEMS: [&str; 3] = ["imagePullSecrets", "ownerReferences", "secrets"];

impl Place<'_> {
    /// An object of a kind.
    pub(crate) fn root(kind: Kind) -> Self {
        Self { kind, name: "", naming: Naming::Record }
    }

    /// Whether a field of this place is declared. The key of a map is not.
    pub(crate) fn declares(self, field: &str) -> bool {
        match self.naming {
            Naming::Record => {
                self.kind.origin != Origin::Defined || !self.name.is_empty() || field == "metadata"
            }
            Naming::Map | Naming::Unknown => false,
        }
    }

    /// The place of a field, if its value is structured.
    pub(crate) fn field(self, name: &str) -> Place<'_> {
        let is_custom = self.kind.origin != Origin::BuiltIn;
        let is_schemaless = match self.kind.origin {
            Origin::BuiltIn => false,
            // Their template is a pod template without a schema.
            Origin::Custom => name == "template",
            Origin::Defined => self.name.is_empty() && name != "metadata",
        };
        let naming = match self.naming {
            Naming::Unknown => Naming::Unknown,
            Naming::Record | Naming::Map if is_custom && is_schemaless => Naming::Unknown,
            Naming::Record | Naming::Map if MAPS.contains(&name) => Naming::Map,
            Naming::Record | Naming::Map => Naming::Record,
        };
        Place { kind: self.kind, name, naming }
    }

    /// How the value of a field is owned.
    pub(crate) fn structure<'a>(self, name: &'a str, value: &Value) -> Structure<'a> {
        match value {
            Value::Object(_) if self.is_whole(name) => Structure::Whole,
            Value::Object(_) => Structure::Fields(self.field(name)),
            Value::Array(_) => match self.list(name) {
                Some(keys) if keys.is_empty() || WHOLE_ITEMS.contains(&name) => Structure::WholeItems(keys),
                Some(keys) => Structure::Items(keys, self.field(name)),
                None => Structure::Whole,
            },
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Structure::Whole,
        }
    }

    fn is_whole(self, name: &str) -> bool {
        match self.naming {
            Naming::Unknown | Naming::Map => false,
            Naming::Record => match name {
                // The terms of a node affinity, and the scopes of a quota.
                "required" | "requiredDuringSchedulingIgnoredDuringExecution" | "scopeSelector" => true,
                "scaleTargetRef" => self.kind.version == "v1",
                // The backend of an Ingress.
                "resource" => self.kind.is("ingresses"),
                "data" => self.kind.is("controllerrevisions"),
                name => WHOLE.contains(&name),
            },
        }
    }

    /// The fields that identify the items of a list, none for a set of strings; `None` if it is owned as a whole.
    fn list(self, name: &str) -> Option<&'static [&'static str]> {
        let is_metadata = self.name == "metadata";
        match name {
            "finalizers" if is_metadata => return Some(&[]),
            "ownerReferences" if is_metadata => return Some(&["uid"]),
            _ => (),
        }
        if self.naming == Naming::Unknown || self.kind.origin != Origin::BuiltIn {
            return None;
        }
        let is_container = ["containers", "initContainers", "ephemeralContainers"].contains(&self.name);
        match name {
            "conditions" if !self.kind.is("jobs") => Some(&["type"]),
            "imagePullSecrets" if !self.kind.is("serviceaccounts") => Some(&["name"]),
            "secrets" if self.kind.is("serviceaccounts") => Some(&["name"]),
            "ports" if is_container => Some(&["containerPort", "protocol"]),
            "ports" if self.kind.is("services") && self.name == "spec" => Some(&["port", "protocol"]),
            "containers"
            | "initContainers"
            | "ephemeralContainers"
            | "env"
            | "volumes"
            | "resourceClaims"
            | "schedulingGates"
            | "claims" => Some(&["name"]),
            "hostAliases" | "podIPs" => Some(&["ip"]),
            "topologySpreadConstraints" => Some(&["topologyKey", "whenUnsatisfiable"]),
            "volumeDevices" => Some(&["devicePath"]),
            "volumeMounts" => Some(&["mountPath"]),
            _ => None,
        }
    }
}

/// The step to an item of a list.
pub(crate) fn item_step(keys: &[&str], item: &Value) -> String {
    if keys.is_empty() {
        return format!("v:{item}");
    }
    let mut key = Map::new();
    for field in keys {
        // The default protocol of ports is TCP.
        let missing = if *field == "protocol" { Value::from("TCP") } else { Value::Null };
        key.insert((*field).to_owned(), item.get(*field).cloned().unwrap_or(missing));
    }
    format!("k:{}", Value::Object(key))
}
