//! The states of a run and of its batch, as KubeVela's rollout trait spells them in its status.

use std::fmt;

use serde::{Serialize, Serializer};

/// `rollingState`: the state of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RollingState {
    /// The target does not exist yet.
    #[default]
    Initializing,
    /// A batch is in progress, or its gate is closed.
    RollingInBatches,
    /// Every batch is done; sources are still to be deleted.
    Finalising,
    /// The target was reached.
    RolloutSucceed,
    /// The run failed and can be resumed.
    RolloutFailed,
    /// Another run has taken its place.
    RolloutAbandoning,
}

/// `batchRollingState`: the state of the current batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BatchState {
    /// Nothing has been written for it.
    #[default]
    Initializing,
    /// The target's size is still to be written.
    InRolling,
    /// The run waits for pods.
    Verifying,
    /// The sources' sizes are still to be written.
    Finalizing,
    /// Its pods are ready.
    Ready,
    /// Its pods did not become ready.
    VerifyFailed,
}

impl RollingState {
    /// The state as the trait spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Initializing => "initializing",
            Self::RollingInBatches => "rollingInBatches",
            Self::Finalising => "finalising",
            Self::RolloutSucceed => "rolloutSucceed",
            Self::RolloutFailed => "rolloutFailed",
            Self::RolloutAbandoning => "rolloutAbandoning",
        }
    }
}

impl BatchState {
    /// The state as the trait spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Initializing => "batchInitializing",
            Self::InRolling => "batchInRolling",
            Self::Verifying => "batchVerifying",
            Self::Finalizing => "batchFinalizing",
            Self::Ready => "batchReady",
            Self::VerifyFailed => "batchVerifyFailed",
        }
    }
}

impl fmt::Display for RollingState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for BatchState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for RollingState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl Serialize for BatchState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
