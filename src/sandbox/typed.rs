//! The typed view of an object: refuses what the kind's type cannot hold and drops what it does not know.
//!
//! This is what decoding and encoding an object does in the API server. It must not know any rule that
//! goes beyond types.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::quantity;

/// Sends `object` through the type `T` and back.
pub(super) fn check<T: DeserializeOwned + Serialize>(object: Value) -> Result<Value, String> {
    let typed: T = serde_json::from_value(object).map_err(|e| e.to_string())?;
    let mut plain = serde_json::to_value(typed).map_err(|e| e.to_string())?;
    prune(&mut plain);
    Ok(plain)
}

/// As [`check`], for kinds with pods in them, whose quantities the server rewrites.
pub(super) fn check_workload<T: DeserializeOwned + Serialize>(mut object: Value) -> Result<Value, String> {
    quantity::canonicalise(&mut object)?;
    check::<T>(object)
}

/// Switches that the API leaves out when they are off.
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

/// Maps that the API leaves out when they are empty, while other empty objects say something.
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

/// Fields of any content, which no rule about empty values may touch.
const RAW: [&str; 1] = ["fieldsV1"];

/// Drops nulls, empty lists and empty maps where the API leaves them out.
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
