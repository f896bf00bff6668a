//! Errors worded as by the API server: a `Status` with a code, a reason, a message and details.
//!
//! This module decides only the wording, not when a request is rejected. See
//! <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/>.

use serde_json::{Value, json};

use crate::sandbox::object::field_error::FieldError;
use crate::sandbox::object::kind::Kind;

/// The error of a rejected request.
#[derive(Debug, Clone)]
pub(crate) struct StatusError {
    pub(crate) code: u16,
    reason: &'static str,
    message: String,
    details: Option<Value>,
}

impl StatusError {
    /// The `Status` object that a client receives.
    pub(crate) fn to_status(&self) -> Value {
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "code": self.code,
        });
        if !self.reason.is_empty() {
            status["reason"] = json!(self.reason);
        }
        if let Some(details) = &self.details {
            status["details"] = details.clone();
        }
        status
    }

    /// The message.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// 404: the object does not exist.
    pub(crate) fn not_found(kind: Kind, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", kind.resource());
        Self { code: 404, reason: "NotFound", message, details: Some(details(name, kind.group, kind.plural)) }
    }

    /// 404: the resource or subresource does not exist.
    pub(crate) fn no_such_resource() -> Self {
        let message = "the server could not find the requested resource".to_owned();
        Self { code: 404, reason: "NotFound", message, details: Some(json!({})) }
    }

    /// 405: the resource does not support the verb.
    pub(crate) fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource".to_owned();
        Self { code: 405, reason: "MethodNotAllowed", message, details: Some(json!({})) }
    }

    /// 409: an object of that name exists.
    pub(crate) fn already_exists(kind: Kind, name: &str) -> Self {
        let message = format!("{} \"{name}\" already exists", kind.resource());
        Self {
            code: 409,
            reason: "AlreadyExists",
            message,
            details: Some(details(name, kind.group, kind.plural)),
        }
    }

    /// 409: an object of that name exists and is being deleted.
    pub(crate) fn still_exists(kind: Kind, name: &str) -> Self {
        let failure = Self::already_exists(kind, name);
        Self { message: format!("object is being deleted: {}", failure.message), ..failure }
    }

    /// 409: the object changed since the writer read it.
    pub(crate) fn modified(kind: Kind, name: &str) -> Self {
        let cause =
            "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(kind, name, kind.plural, cause)
    }

    /// 409: the UID in the body of a PUT is not that of the object.
    pub(crate) fn other_uid(kind: Kind, namespace: &str, name: &str, given: &str, found: &str) -> Self {
        let key = match namespace {
            "" => format!("/registry/{}/{name}", kind.plural),
            namespace => format!("/registry/{}/{namespace}/{name}", kind.plural),
        };
        let cause = format!(
            "StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: \
             Precondition failed: UID in precondition: {given}, UID in object meta: {found}"
        );
        Self::conflict(kind, name, kind.plural, &cause)
    }

    /// 409: a deletion's UID precondition does not hold.
    pub(crate) fn delete_uid(kind: Kind, name: &str, given: &str, found: &str) -> Self {
        let cause = format!(
            "the UID in the precondition ({given}) does not match the UID in record ({found}). The object \
             might have been deleted and then recreated"
        );
        Self::conflict(kind, name, kind.kind, &cause)
    }

    /// 409: a deletion's resourceVersion precondition does not hold.
    pub(crate) fn delete_version(kind: Kind, name: &str, given: &str, found: &str) -> Self {
        let cause = format!(
            "the ResourceVersion in the precondition ({given}) does not match the ResourceVersion in record \
             ({found}). The object might have been modified"
        );
        Self::conflict(kind, name, kind.kind, &cause)
    }

    /// 409: an applied object has a UID but does not exist.
    pub(crate) fn uid_of_nothing(kind: Kind, name: &str, given: &str) -> Self {
        let cause = format!(
            "uid mismatch: the provided object specified uid {given}, and no existing object was found"
        );
        Self::conflict(kind, name, kind.plural, &cause)
    }

    fn conflict(kind: Kind, name: &str, resource: &str, cause: &str) -> Self {
        let qualified =
            if kind.group.is_empty() { resource.to_owned() } else { format!("{resource}.{}", kind.group) };
        let message = format!("Operation cannot be fulfilled on {qualified} \"{name}\": {cause}");
        Self { code: 409, reason: "Conflict", message, details: Some(details(name, kind.group, resource)) }
    }

    /// 409: applied fields belong to other managers. The conflicts, each a manager and a field, are in order.
    pub(crate) fn apply_conflict(conflicts: &[(String, String)]) -> Self {
        let message = match conflicts {
            [(manager, field)] => format!("Apply failed with 1 conflict: conflict with {manager}: {field}"),
            many => {
                let mut lines: Vec<String> = Vec::new();
                let mut last = None;
                for (manager, field) in many {
                    if last != Some(manager) {
                        lines.push(format!("conflicts with {manager}:"));
                        last = Some(manager);
                    }
                    lines.push(format!("- {field}"));
                }
                format!("Apply failed with {} conflicts: {}", many.len(), lines.join("\n"))
            }
        };
        let causes: Vec<Value> = conflicts
            .iter()
            .map(|(manager, field)| {
                json!({"reason": "FieldManagerConflict", "message": format!("conflict with {manager}"), "field": field})
            })
            .collect();
        Self { code: 409, reason: "Conflict", message, details: Some(json!({"causes": causes})) }
    }

    /// 422: the object of this kind breaks rules.
    pub(crate) fn invalid(kind: Kind, name: &str, errors: &[FieldError]) -> Self {
        Self::invalid_of(&kind.qualified_kind(), kind.group, kind.kind, name, errors)
    }

    /// 422: a PUT needs the resource version. As with the server, the resource takes the place of the kind.
    pub(crate) fn version_required(kind: Kind, name: &str) -> Self {
        let problem = FieldError {
            field: "metadata.resourceVersion".to_owned(),
            reason: "FieldValueInvalid",
            body: "Invalid value: 0: must be specified for an update".to_owned(),
        };
        Self::invalid_of(&kind.resource(), kind.group, kind.plural, name, &[problem])
    }

    /// 422: the size is negative.
    pub(crate) fn negative_scale(name: &str, replicas: i64) -> Self {
        let problem = FieldError::invalid("spec.replicas", &replicas, "must be greater than or equal to 0");
        Self::invalid_of("Scale.autoscaling", "autoscaling", "Scale", name, &[problem])
    }

    /// 422: an access review has no attributes, or two kinds of them.
    pub(crate) fn nothing_to_review(group: &str) -> Self {
        let detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
        let problem = FieldError::invalid("spec.resourceAttributes", &Value::Null, detail);
        Self::invalid_of(&format!(".{group}"), group, "", "", &[problem])
    }

    /// Rejects options with errors.
    pub(crate) fn check_options(kind: &str, errors: &[FieldError]) -> Result<(), Self> {
        if errors.is_empty() { Ok(()) } else { Err(Self::invalid_options(kind, errors)) }
    }

    /// 422: the options of a request break rules.
    pub(crate) fn invalid_options(kind: &str, errors: &[FieldError]) -> Self {
        Self::invalid_of(&format!("{kind}.meta.k8s.io"), "meta.k8s.io", kind, "", errors)
    }

    /// 422: the patched object cannot be decoded as its kind.
    pub(crate) fn patched_object(object: &Value, cause: &str) -> Self {
        let shown = Value::String(object.to_string());
        Self::invalid_of("", "", "", "", &[FieldError::invalid("patch", &shown, cause)])
    }

    fn invalid_of(qualified: &str, group: &str, kind: &str, name: &str, errors: &[FieldError]) -> Self {
        let mut texts: Vec<String> = Vec::new();
        for text in errors.iter().map(FieldError::text) {
            // The message contains each text once; `causes` contains all.
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        let said = match texts.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let causes: Vec<Value> =
            errors.iter().map(|p| json!({"reason": p.reason, "message": p.body, "field": p.field})).collect();
        let mut about = details(name, group, kind);
        about["causes"] = Value::Array(causes);
        let message = format!("{qualified} \"{name}\" is invalid: {said}");
        Self { code: 422, reason: "Invalid", message, details: Some(about) }
    }

    /// 422: a JSON patch cannot be applied; the server gives no reason.
    pub(crate) fn patch_refused() -> Self {
        let message = "the server rejected our request due to an error in our request".to_owned();
        Self { code: 422, reason: "Invalid", message, details: Some(json!({})) }
    }

    /// 413: a JSON patch has too many operations.
    pub(crate) fn too_many_operations(most: usize, given: usize) -> Self {
        let message = format!("The allowed maximum operations in a JSON patch is {most}, got {given}");
        Self { code: 413, reason: "RequestEntityTooLarge", message, details: None }
    }

    /// 500: a resource version is not a number. The API server gives no reason.
    pub(crate) fn no_version(text: &str) -> Self {
        Self::unreasoned(format!("strconv.ParseUint: parsing {}: invalid syntax", Value::from(text)))
    }

    /// 500: an error for which the API server gives no reason.
    pub(crate) fn unreasoned(message: String) -> Self {
        Self { code: 500, reason: "", message, details: None }
    }

    /// 400: the request is malformed.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self { code: 400, reason: "BadRequest", message: message.into(), details: None }
    }

    /// 400: the body names another namespace.
    pub(crate) fn elsewhere() -> Self {
        Self::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        )
    }

    /// 504: the resource version is in the future.
    pub(crate) fn too_large_version(asked: u64, current: u64) -> Self {
        let cause = json!({"reason": "ResourceVersionTooLarge", "message": "Too large resource version"});
        Self {
            code: 504,
            reason: "Timeout",
            message: format!("Timeout: Too large resource version: {asked}, current: {current}"),
            details: Some(json!({"causes": [cause], "retryAfterSeconds": 1})),
        }
    }

    /// 410: a watch requests a version that is too old.
    pub(crate) fn expired(asked: u64, oldest: u64) -> Self {
        let message = format!("too old resource version: {asked} ({oldest})");
        Self { code: 410, reason: "Expired", message, details: None }
    }

    /// 410: a list requests a version that is too old.
    pub(crate) fn expired_list(message: &str) -> Self {
        Self { code: 410, reason: "Expired", message: message.to_owned(), details: None }
    }

    /// 415: the content type is not accepted.
    pub(crate) fn unsupported_media_type(accepted: &[&str]) -> Self {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {}",
            accepted.join(", ")
        );
        Self { code: 415, reason: "UnsupportedMediaType", message, details: None }
    }

    /// 415: the patch format is unknown.
    pub(crate) fn unsupported_patch_type() -> Self {
        let message = "415: Unsupported Media Type".to_owned();
        Self { code: 415, reason: "UnsupportedMediaType", message, details: Some(json!({})) }
    }

    /// 500: an object to create names a resource version. The API server gives no reason.
    pub(crate) fn version_on_create() -> Self {
        Self::unreasoned("resourceVersion should not be set on objects to be created".to_owned())
    }

    /// 507: the sandbox's file cannot be read or written. Clients retry a 500, which an API server returns for
    /// temporary errors; this code means that a retry is useless.
    pub(crate) fn storage(message: String) -> Self {
        Self { code: 507, reason: "InsufficientStorage", message, details: None }
    }
}

fn details(name: &str, group: &str, kind: &str) -> Value {
    let mut details = serde_json::Map::new();
    for (field, value) in [("name", name), ("group", group), ("kind", kind)] {
        if !value.is_empty() {
            details.insert(field.to_owned(), value.into());
        }
    }
    Value::Object(details)
}
