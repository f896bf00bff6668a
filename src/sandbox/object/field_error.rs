//! Errors of single fields, worded as by the API server (`k8s.io/apimachinery/pkg/util/validation/field`).

use serde_json::Value;
use std::fmt::{self, Display};

/// A value in Go's notation, for messages in which the server prints a struct.
#[derive(Debug, Clone)]
pub(crate) struct GoSyntax(pub(crate) String);

impl Display for GoSyntax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An error of one field.
#[derive(Debug, Clone)]
pub(crate) struct FieldError {
    pub(super) field: String,
    pub(super) reason: &'static str,
    pub(super) body: String,
}

impl FieldError {
    pub(crate) fn required(field: impl Into<String>, detail: &str) -> Self {
        Self {
            field: field.into(),
            reason: "FieldValueRequired",
            body: with_detail("Required value", detail),
        }
    }

    /// The field's value is not acceptable.
    pub(crate) fn invalid(field: impl Into<String>, value: &impl Display, detail: &str) -> Self {
        let body = with_detail(&format!("Invalid value: {value}"), detail);
        Self { field: field.into(), reason: "FieldValueInvalid", body }
    }

    /// The field's value has another type than the definition's schema.
    pub(crate) fn mistyped(field: impl Into<String>, value: &Value, detail: &str) -> Self {
        Self { reason: "FieldValueTypeInvalid", ..Self::invalid(field, value, detail) }
    }

    /// The field's value is not a known one.
    pub(crate) fn unsupported(field: impl Into<String>, value: &impl Display, supported: &[&str]) -> Self {
        let quoted: Vec<String> = supported.iter().map(|s| format!("\"{s}\"")).collect();
        let body = format!("Unsupported value: {value}: supported values: {}", quoted.join(", "));
        Self { field: field.into(), reason: "FieldValueNotSupported", body }
    }

    /// The field's value must be unique, and is not.
    pub(crate) fn duplicate(field: impl Into<String>, value: &impl Display) -> Self {
        Self { field: field.into(), reason: "FieldValueDuplicate", body: format!("Duplicate value: {value}") }
    }

    /// The field names something that does not exist.
    pub(crate) fn not_found(field: impl Into<String>, value: &Value) -> Self {
        Self { field: field.into(), reason: "FieldValueNotFound", body: format!("Not found: {value}") }
    }

    /// The field's value is too long. The limit is in bytes.
    pub(crate) fn too_long(field: impl Into<String>, limit: usize) -> Self {
        let body = format!("Too long: may not be more than {limit} bytes");
        Self { field: field.into(), reason: "FieldValueTooLong", body }
    }

    /// The field must not be set here.
    pub(crate) fn forbidden(field: impl Into<String>, detail: &str) -> Self {
        Self { field: field.into(), reason: "FieldValueForbidden", body: with_detail("Forbidden", detail) }
    }

    pub(super) fn text(&self) -> String {
        format!("{}: {}", self.field, self.body)
    }
}

fn with_detail(body: &str, detail: &str) -> String {
    match detail {
        "" => body.to_owned(),
        detail => format!("{body}: {detail}"),
    }
}
