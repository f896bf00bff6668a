//! Secrets in revisions: their keys, with a fingerprint of each value instead of the value.
//!
//! Users who may read revisions need not be allowed to read Secrets. A fingerprint shows that a value has changed, and
//! is slow enough to compute that values cannot be found by trial.

use std::num::NonZeroU32;

use ring::pbkdf2;
use serde_json::{Value, json};

use crate::oam::labels;

/// The number of iterations of the hash: a few milliseconds for each value.
const ROUNDS: NonZeroU32 = NonZeroU32::new(4096).expect("it is not zero");

/// The fields of a Secret that contain values.
const FIELDS: [&str; 2] = ["data", "stringData"];

/// An object as stored in a revision: the values of a Secret are replaced by fingerprints.
#[must_use]
pub fn concealed(object: &Value) -> Value {
    let mut object = object.clone();
    if object["kind"] != "Secret" {
        return object;
    }
    remove_last_applied(&mut object);
    if is_concealed(&object) {
        return object;
    }
    let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    for field in FIELDS {
        for (key, value) in object.get_mut(field).and_then(Value::as_object_mut).into_iter().flatten() {
            *value = json!(fingerprint(&format!("{name}/{key}"), value));
        }
    }
    if !object["metadata"]["annotations"].is_object() {
        object["metadata"]["annotations"] = json!({});
    }
    object["metadata"]["annotations"][labels::CONCEALED] = json!("true");
    object
}

/// Removes the annotation in which kubectl stores the whole object, including the values of a Secret; returns whether
/// there was one.
pub fn remove_last_applied(object: &mut Value) -> bool {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return false };
    let annotations = metadata.get_mut("annotations").and_then(Value::as_object_mut);
    let Some(annotations) = annotations else { return false };
    let is_removed = annotations.remove(labels::KUBECTL_LAST_APPLIED).is_some();
    if is_removed && annotations.is_empty() {
        metadata.remove("annotations");
    }
    is_removed
}

/// Whether the values of an object are fingerprints.
#[must_use]
pub fn is_concealed(object: &Value) -> bool {
    object["metadata"]["annotations"][labels::CONCEALED] == "true"
}

fn fingerprint(salt: &str, value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut bytes = [0; 32];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ROUNDS, salt.as_bytes(), text.as_bytes(), &mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(value: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "stringData": {"token": value}})
    }

    #[test]
    fn values_are_replaced_by_fingerprints() {
        let (one, other) = (concealed(&secret("hunter2")), concealed(&secret("hunter3")));
        assert!(!one.to_string().contains("hunter2"));
        assert_ne!(one["stringData"]["token"], other["stringData"]["token"]);
        assert_eq!(one, concealed(&secret("hunter2")), "the same value has the same fingerprint");
        assert_eq!(one, concealed(&one), "a fingerprint is not hidden again");
        assert!(is_concealed(&one) && !is_concealed(&secret("hunter2")));
    }

    #[test]
    fn kubectls_annotation_is_removed() {
        let mut noted = secret("hunter2");
        noted["metadata"]["annotations"] = json!({labels::KUBECTL_LAST_APPLIED: noted.to_string()});
        assert_eq!(concealed(&noted), concealed(&secret("hunter2")));
        let mut recorded = concealed(&secret("hunter2"));
        recorded["metadata"]["annotations"][labels::KUBECTL_LAST_APPLIED] = json!("hunter2");
        assert_eq!(concealed(&recorded), concealed(&secret("hunter2")));
    }

    #[test]
    fn other_objects_are_unchanged() {
        let config = json!({"kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"a": "b"}});
        assert_eq!(concealed(&config), config);
    }
}
