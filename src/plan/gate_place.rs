//! The progress of a run through its gates, as its record keeps it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The progress of a run through its gates.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GatePlace {
    /// How many points it has passed, including those without gates.
    pub passed: u32,
    /// How many gates of the next point a user has passed with a promotion.
    #[serde(skip_serializing_if = "is_zero")]
    pub promoted: u32,
    /// The gate that holds it until a user promotes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_at: Option<HeldGate>,
    /// The last results of metrics, the newest last, at most [`MAX_RESULTS`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<MetricResult>,
}

impl GatePlace {
    /// Whether a run has not passed any gates.
    #[must_use]
    pub fn is_new(&self) -> bool {
        *self == Self::default()
    }
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A gate that holds a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldGate {
    /// The ordinal of its point.
    pub point: u32,
    /// How many gates of the point a promotion passes, including this one.
    pub gates: u32,
}

/// How many results a record keeps.
pub const MAX_RESULTS: usize = 10;

/// The result of measuring a metric after a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MetricResult {
    /// The metric.
    pub name: String,
    /// The batch, zero-based.
    pub batch: u32,
    /// The result.
    pub phase: Phase,
    /// The last values, the newest last.
    pub values: Vec<String>,
    /// The time.
    pub at: Timestamp,
}

/// The result of one measurement, or of a whole metric, with the names of Argo Rollouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Phase {
    /// The value is good.
    Successful,
    /// Neither good nor bad.
    Inconclusive,
    /// There is no value.
    Error,
    /// The value is bad.
    Failed,
}

impl Phase {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Successful => "Successful",
            Self::Inconclusive => "Inconclusive",
            Self::Error => "Error",
            Self::Failed => "Failed",
        }
    }
}
