//! Decodes built-in kinds: rejects values of wrong types and drops unknown fields.
//!
//! This corresponds to decoding and encoding in the API server. It must not know any rule beyond types.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::sandbox::object::kind::Decoded;
use crate::sandbox::object::quantity;
use crate::sandbox::validation::fields;

/// Accepts any object unchanged.
pub(crate) fn anything(object: Value) -> Result<Decoded, String> {
    Ok(Decoded { object, unknown: Vec::new() })
}

/// Decodes an object as `T` and encodes it again.
#[expect(clippy::needless_pass_by_value, reason = "all checks of the table have one form, and some consume")]
pub(crate) fn check<T: DeserializeOwned + Serialize>(object: Value) -> Result<Decoded, String> {
    let typed: T = T::deserialize(&object).map_err(|e| e.to_string())?;
    let mut plain = serde_json::to_value(typed).map_err(|e| e.to_string())?;
    let unknown = fields::unknown(&object, &plain);
    prune(&mut plain);
    Ok(Decoded { object: plain, unknown })
}

/// Like [`check`], for Leases: the server reads their times with exactly six fractional digits.
pub(crate) fn check_lease<T: DeserializeOwned + Serialize>(object: Value) -> Result<Decoded, String> {
    for field in ["acquireTime", "renewTime"] {
        let time = object.get("spec").and_then(|spec| spec.get(field)).and_then(Value::as_str);
        if let Some(time) = time.filter(|time| !has_six_digits(time)) {
            return Err(format!("parsing time \"{time}\" as \"2006-01-02T15:04:05.000000Z07:00\""));
        }
    }
    check::<T>(object)
}

fn has_six_digits(time: &str) -> bool {
    let fraction = time.split_once('.').map_or("", |(_, fraction)| fraction);
    let end = fraction.find(|c: char| !c.is_ascii_digit()).unwrap_or(fraction.len());
    end == 6
}

/// Like [`check`], for kinds with pods, whose quantities the server rewrites in canonical form.
pub(crate) fn check_workload<T: DeserializeOwned + Serialize>(mut object: Value) -> Result<Decoded, String> {
    quantity::canonicalise(&mut object)?;
    let is_selected = object.pointer("/spec/selector").is_some_and(|selector| !selector.is_null());
    let mut checked = check::<T>(object)?;
    // The type always has a selector. A missing one and an empty one have different errors.
    if let (false, Some(spec)) = (is_selected, checked.object.get_mut("spec").and_then(Value::as_object_mut))
    {
        spec.remove("selector");
    }
    Ok(checked)
}

/// Booleans that the API omits when they are false.
const OMITTED_SWITCHES: [&str; 8] = [
    "hostNetwork",
    "hostPID",
    "hostIPC",
    "readOnly",
    "stdin",
    "stdinOnce",
    "tty",
    "publishNotReadyAddresses",
];

/// Maps that the API omits when they are empty. Other empty objects have a meaning.
const OMITTED_MAPS: [&str; 9] = [
    "labels",
    "annotations",
    "matchLabels",
    "nodeSelector",
    "data",
    "binaryData",
    "limits",
    "requests",
    "stringData",
];

/// Fields with arbitrary content, in which nothing is omitted.
const RAW: [&str; 1] = ["fieldsV1"];

/// Drops nulls, empty lists and empty maps that the API omits.
fn prune(value: &mut Value) {
    match value {
        Value::Object(map) => {
            let raw_data = map.get("kind").is_some_and(|k| k == "ControllerRevision");
            map.retain(|name, inner| {
                if RAW.contains(&name.as_str()) || (raw_data && name == "data") {
                    return true;
                }
                prune(inner);
                keep(name, inner)
            });
        }
        Value::Array(items) => items.iter_mut().for_each(prune),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => (),
    }
}

fn keep(name: &str, value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !(map.is_empty() && OMITTED_MAPS.contains(&name)),
        Value::Bool(on) => *on || !OMITTED_SWITCHES.contains(&name),
        Value::Number(_) | Value::String(_) => true,
    }
}
