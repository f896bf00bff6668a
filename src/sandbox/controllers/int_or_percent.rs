//! Numbers of pods that a spec may specify as a percentage of its replicas.

use serde_json::Value;

/// How a percentage is rounded to whole pods. Surge and partition round up and unavailability down, so that an update
/// neither stalls nor deletes more pods than it may:
/// <https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#max-unavailable>.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rounding {
    Up,
    Down,
}

/// The number of pods for a value; a missing one is zero.
pub(super) fn resolve(value: &Value, replicas: i64, rounding: Rounding) -> i64 {
    let Some(text) = value.as_str() else { return value.as_i64().unwrap_or_default() };
    let percent: i64 = text.trim_end_matches('%').parse().unwrap_or_default();
    let hundredths = percent.saturating_mul(replicas);
    match rounding {
        Rounding::Up => hundredths.saturating_add(99) / 100,
        Rounding::Down => hundredths / 100,
    }
}
