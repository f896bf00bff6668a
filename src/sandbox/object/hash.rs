//! Hashes for the names and addresses that a cluster would choose: the same on each run.

use serde_json::Value;

/// The 32-bit FNV-1a hash.
pub(crate) fn fnv(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// Letters of generated names: none that could make a word.
pub(crate) const NAME_ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// A short word for a template, from the letters of generated names.
pub(crate) fn template_hash(template: &Value, collisions: i64) -> String {
    let digits = fnv(&format!(
        "{}{}",
        canonical(template),
        if collisions > 0 { collisions.to_string() } else { String::new() }
    ));
    digits
        .to_string()
        .bytes()
        .map(|digit| NAME_ALPHABET[usize::from(digit) % NAME_ALPHABET.len()] as char)
        .collect()
}

/// The text of a value with its fields in order, so that equal values have equal texts.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut fields: Vec<String> = map.iter().map(|(k, v)| format!("{k}:{}", canonical(v))).collect();
            fields.sort();
            format!("{{{}}}", fields.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}
