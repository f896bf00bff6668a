//! Secrets: decoding, defaults and rules.
//!
//! See <https://kubernetes.io/docs/concepts/configuration/secret/#secret-types>.

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};

use super::{IMMUTABLE, names, typed};
use crate::sandbox::object::field_error::FieldError;
use crate::sandbox::object::kind::Decoded;
use crate::sandbox::object::meta;

/// Decodes a Secret. `stringData` is moved into `data`, and never returned.
pub(crate) fn check(object: Value) -> Result<Decoded, String> {
    let mut decoded = typed::check::<Secret>(object)?;
    let texts = decoded.object.as_object_mut().and_then(|object| object.remove("stringData"));
    for (key, text) in texts.iter().filter_map(Value::as_object).flatten() {
        let bytes = ByteString(text.as_str().unwrap_or_default().as_bytes().to_vec());
        let encoded = serde_json::to_value(bytes).map_err(|error| error.to_string())?;
        meta::object_mut(&mut decoded.object, "data").insert(key.clone(), encoded);
    }
    Ok(decoded)
}

pub(crate) fn default(object: &mut Value) {
    if meta::text(object, "/type").is_empty() {
        object["type"] = json!("Opaque");
    }
}

pub(crate) fn validate(object: &Value, before: Option<&Value>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if let Some(before) = before {
        if before["type"] != object["type"] {
            errors.push(FieldError::invalid("type", &object["type"], IMMUTABLE));
        }
        for field in ["immutable", "data"] {
            if before["immutable"] == true && before.get(field) != object.get(field) {
                errors.push(FieldError::forbidden(field, "field is immutable when `immutable` is set"));
            }
        }
    }
    let data = object.get("data").and_then(Value::as_object);
    for key in data.into_iter().flatten().map(|(key, _)| key) {
        if let Some(rule) = names::config_key(key) {
            errors.push(FieldError::invalid(format!("data[{key}]"), &json!(key), rule));
        }
    }
    let has = |key: &str| data.is_some_and(|data| data.contains_key(key));
    let missing = |key: &&&str| !has(key);
    let required = |key: &&str| FieldError::required(format!("data[{key}]"), "");
    match meta::text(object, "/type") {
        "kubernetes.io/tls" => {
            errors.extend(["tls.crt", "tls.key"].iter().filter(missing).map(required));
        }
        "kubernetes.io/dockerconfigjson" => errors.extend(json_text(object, ".dockerconfigjson")),
        "kubernetes.io/dockercfg" => errors.extend(json_text(object, ".dockercfg")),
        "kubernetes.io/basic-auth" if !has("username") && !has("password") => {
            errors.extend(["username", "password"].iter().map(required));
        }
        "kubernetes.io/ssh-auth" => errors.extend(["ssh-privatekey"].iter().filter(missing).map(required)),
        "kubernetes.io/service-account-token" => {
            const ACCOUNT: &str = "kubernetes.io/service-account.name";
            if meta::annotation(object, ACCOUNT).unwrap_or_default().is_empty() {
                errors.push(FieldError::required(format!("metadata.annotations[{ACCOUNT}]"), ""));
            }
        }
        _ => (),
    }
    errors
}

/// The error in a value that must be JSON.
fn json_text(object: &Value, key: &str) -> Option<FieldError> {
    let field = format!("data[{key}]");
    let Some(encoded) = object["data"].get(key) else { return Some(FieldError::required(field, "")) };
    let bytes =
        serde_json::from_value::<ByteString>(encoded.clone()).map(|bytes| bytes.0).unwrap_or_default();
    let error = serde_json::from_slice::<Value>(&bytes).err()?;
    Some(FieldError::invalid(field, &json!("<secret contents redacted>"), &error.to_string()))
}
