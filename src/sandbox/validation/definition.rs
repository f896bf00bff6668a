//! CustomResourceDefinitions: defaults and rules. Schemas are stored but not checked.
//!
//! See
//! <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/>.

use serde_json::{Value, json};

use super::defaulting::{default as set, default_status};
use crate::sandbox::object::field_error::FieldError;
use crate::sandbox::object::meta;

pub(crate) fn default(object: &mut Value) {
    let spec = meta::object_mut(object, "spec");
    set(spec, "conversion", json!({"strategy": "None"}));
    let names = spec.entry("names").or_insert_with(|| json!({}));
    let kind = meta::text(names, "/kind").to_owned();
    if let Some(names) = names.as_object_mut().filter(|_| !kind.is_empty()) {
        set(names, "singular", json!(kind.to_lowercase()));
        set(names, "listKind", json!(format!("{kind}List")));
    }
    let versions = meta::items(object, "/spec/versions").iter();
    let stored: Vec<Value> = versions.filter(|v| v["storage"] == true).map(|v| v["name"].clone()).collect();
    let names = json!({"plural": "", "kind": ""});
    default_status(object, json!({"conditions": null, "acceptedNames": names, "storedVersions": stored}));
}

pub(crate) fn validate(object: &Value, before: Option<&Value>) -> Vec<FieldError> {
    let text = |path: &str| meta::text(object, path);
    let mut errors = Vec::new();
    let name = format!("{}.{}", text("/spec/names/plural"), text("/spec/group"));
    if meta::name(object) != name {
        let detail = "must be spec.names.plural+\".\"+spec.group";
        errors.push(FieldError::invalid("metadata.name", &json!(meta::name(object)), detail));
    }
    if text("/spec/group").is_empty() {
        errors.push(FieldError::required("spec.group", ""));
    }
    match text("/spec/scope") {
        "Cluster" | "Namespaced" => (),
        "" => errors.push(FieldError::required("spec.scope", "")),
        other => {
            errors.push(FieldError::unsupported("spec.scope", &json!(other), &["Cluster", "Namespaced"]));
        }
    }
    let versions = meta::items(object, "/spec/versions");
    if versions.iter().filter(|version| version["storage"] == true).count() != 1 {
        let detail = "must have exactly one version marked as storage version";
        errors.push(FieldError::invalid("spec.versions", &object["spec"]["versions"], detail));
    }
    for (at, version) in versions.iter().enumerate() {
        if version.pointer("/schema/openAPIV3Schema").is_none() {
            let field = format!("spec.versions[{at}].schema.openAPIV3Schema");
            errors.push(FieldError::required(field, "schemas are required"));
        }
    }
    for field in ["plural", "singular", "kind", "listKind"] {
        if text(&format!("/spec/names/{field}")).is_empty() {
            errors.push(FieldError::required(format!("spec.names.{field}"), ""));
        }
    }
    if let Some(before) = before {
        for field in ["group", "scope"] {
            if before["spec"][field] != object["spec"][field] {
                let path = format!("spec.{field}");
                errors.push(FieldError::invalid(path, &object["spec"][field], super::IMMUTABLE));
            }
        }
    }
    errors
}
