//! Numbers that may be given as a share of the replicas.

use serde_json::Value;

/// What a share of so many percent of `size` pods is, in hundredths: up or down to whole pods.
pub(super) fn resolve(value: &Value, size: i64, round: impl Fn(i64) -> i64) -> i64 {
    match value {
        Value::String(text) => {
            let percent: i64 = text.trim_end_matches('%').parse().unwrap_or_default();
            round(percent.saturating_mul(size))
        }
        number => number.as_i64().unwrap_or_default(),
    }
}
