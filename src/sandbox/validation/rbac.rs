//! Roles and bindings: defaults and rules.
//!
//! See <https://kubernetes.io/docs/reference/access-authn-authz/rbac/#api-overview>.

use serde_json::{Value, json};

use super::names;
use crate::sandbox::object::field_error::{FieldError, GoSyntax};
use crate::sandbox::object::kind::NameRule;
use crate::sandbox::object::meta;

const GROUP: &str = "rbac.authorization.k8s.io";

/// The server always writes the rules, even if there are none.
pub(crate) fn default_role(object: &mut Value) {
    if object.get("rules").is_none() {
        object["rules"] = Value::Null;
    }
}

pub(crate) fn default_binding(object: &mut Value) {
    if meta::text(object, "/roleRef/apiGroup").is_empty() {
        meta::object_mut(object, "roleRef").insert("apiGroup".to_owned(), json!(GROUP));
    }
    for subject in object.get_mut("subjects").and_then(Value::as_array_mut).into_iter().flatten() {
        if ["User", "Group"].contains(&meta::text(subject, "/kind")) && subject.get("apiGroup").is_none() {
            subject["apiGroup"] = json!(GROUP);
        }
    }
}

pub(crate) fn role(object: &Value, _before: Option<&Value>) -> Vec<FieldError> {
    rules(object, |path, rule| {
        let detail = "namespaced rules cannot apply to non-resource URLs";
        FieldError::invalid(format!("{path}.nonResourceURLs"), &rule["nonResourceURLs"], detail)
    })
}

pub(crate) fn cluster_role(object: &Value, _before: Option<&Value>) -> Vec<FieldError> {
    rules(object, |path, rule| {
        let detail = "rules cannot apply to both regular resources and non-resource URLs";
        FieldError::invalid(format!("{path}.nonResourceURLs"), &rule["nonResourceURLs"], detail)
    })
}

/// The errors in the rules of a role. `misplaced` is the error for URLs where they are not allowed.
fn rules(object: &Value, misplaced: fn(&str, &Value) -> FieldError) -> Vec<FieldError> {
    let is_namespaced = object["kind"] == "Role";
    let mut errors = Vec::new();
    for (at, rule) in meta::items(object, "/rules").iter().enumerate() {
        let path = format!("rules[{at}]");
        let has = |field: &str| !meta::items(rule, &format!("/{field}")).is_empty();
        if !has("verbs") {
            let detail = "verbs must contain at least one value";
            errors.push(FieldError::required(format!("{path}.verbs"), detail));
        }
        if has("nonResourceURLs") {
            let is_mixed = ["apiGroups", "resources", "resourceNames"].iter().any(|field| has(field));
            if is_namespaced || is_mixed {
                errors.push(misplaced(&path, rule));
            }
            continue;
        }
        for (field, detail) in [
            ("apiGroups", "resource rules must supply at least one api group"),
            ("resources", "resource rules must supply at least one resource"),
        ] {
            if !has(field) {
                errors.push(FieldError::required(format!("{path}.{field}"), detail));
            }
        }
    }
    errors
}

pub(crate) fn binding(object: &Value, before: Option<&Value>) -> Vec<FieldError> {
    let mut errors = role_reference(object, &["Role", "ClusterRole"]);
    errors.extend(subjects(object));
    errors.extend(before.and_then(|before| changed_reference(object, before)));
    errors
}

pub(crate) fn cluster_binding(object: &Value, before: Option<&Value>) -> Vec<FieldError> {
    let mut errors = role_reference(object, &["ClusterRole"]);
    errors.extend(subjects(object));
    for (at, subject) in meta::items(object, "/subjects").iter().enumerate() {
        if subject["kind"] == "ServiceAccount" && meta::text(subject, "/namespace").is_empty() {
            errors.push(FieldError::required(format!("subjects[{at}].namespace"), ""));
        }
    }
    errors.extend(before.and_then(|before| changed_reference(object, before)));
    errors
}

fn role_reference(object: &Value, kinds: &[&str]) -> Vec<FieldError> {
    let reference = &object["roleRef"];
    let text = |field: &str| meta::text(reference, &format!("/{field}"));
    let mut errors = Vec::new();
    if text("apiGroup") != GROUP {
        errors.push(FieldError::unsupported("roleRef.apiGroup", &json!(text("apiGroup")), &[GROUP]));
    }
    if !kinds.contains(&text("kind")) {
        errors.push(FieldError::unsupported("roleRef.kind", &json!(text("kind")), kinds));
    }
    if text("name").is_empty() {
        errors.push(FieldError::required("roleRef.name", ""));
    } else if let Some(rule) = names::name(NameRule::PathSegment, text("name")) {
        errors.push(FieldError::invalid("roleRef.name", &json!(text("name")), rule));
    }
    errors
}

fn subjects(object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (at, subject) in meta::items(object, "/subjects").iter().enumerate() {
        let path = format!("subjects[{at}]");
        let text = |field: &str| meta::text(subject, &format!("/{field}"));
        let name = text("name");
        if name.is_empty() {
            errors.push(FieldError::required(format!("{path}.name"), ""));
        }
        let group = match text("kind") {
            "ServiceAccount" => {
                if let Some(rule) = names::name(NameRule::Subdomain, name).filter(|_| !name.is_empty()) {
                    errors.push(FieldError::invalid(format!("{path}.name"), &json!(name), rule));
                }
                ""
            }
            "User" | "Group" => GROUP,
            other => {
                let known = ["ServiceAccount", "User", "Group"];
                errors.push(FieldError::unsupported(format!("{path}.kind"), &json!(other), &known));
                continue;
            }
        };
        if text("apiGroup") != group {
            let given = json!(text("apiGroup"));
            errors.push(FieldError::unsupported(format!("{path}.apiGroup"), &given, &[group]));
        }
    }
    errors
}

fn changed_reference(object: &Value, before: &Value) -> Option<FieldError> {
    let reference = &object["roleRef"];
    let shown = format!(
        "{{\"APIGroup\":{},\"Kind\":{},\"Name\":{}}}",
        reference["apiGroup"], reference["kind"], reference["name"]
    );
    (before["roleRef"] != *reference)
        .then(|| FieldError::invalid("roleRef", &GoSyntax(shown), "cannot change roleRef"))
}
