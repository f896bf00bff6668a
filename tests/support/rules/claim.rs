//! A claim as accepted by the server: its process, and its limits.

use rollout::plan::record::Record;
use rollout::plan::run::{FrozenStrategy, Mode, Outcome, RunSpec};

use super::runs;
use super::world::World;

/// The limits of a run.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    pub(super) epoch: u64,
    /// The user agent of its process.
    pub(super) by: String,
    pub(super) spec: RunSpec,
    /// The fewest ready pods that its writes may leave.
    pub(super) floor: u32,
    /// The most pods that it may request.
    pub(super) ceiling: u32,
    /// Whether it deletes the component.
    pub(super) removes: bool,
    /// When the current pause was accepted.
    pub(super) paused: Option<jiff::Timestamp>,
    /// Whether it has written long after the pause.
    pub(super) has_written_late: bool,
}

impl Claim {
    pub(super) fn new(record: &Record, by: &str, world: &World) -> Self {
        let component = &record.component;
        let spec = record.run.spec.clone();
        let (wanted, ready) = (world.wanted(component), world.kept_ready(component));
        let largest = spec.batches.iter().map(|batch| batch.size).max().unwrap_or_default();
        let tolerated = spec.batches.iter().map(|batch| batch.max_unavailable).max().unwrap_or_default();
        // If pods are replaced in place, a batch goes down before it comes up.
        let is_down_first = spec.strategy == FrozenStrategy::DecreaseFirst || spec.kind.is_in_place();
        let (out, surge) = match (spec.mode, is_down_first) {
            (Mode::Upgrade, true) => (largest, 0),
            (Mode::Upgrade, false) => (0, largest),
            (Mode::Release | Mode::Scale | Mode::Apply, _) => (0, 0),
        };
        Self {
            epoch: record.epoch.0,
            by: by.to_owned(),
            floor: ready.min(spec.target_size).saturating_sub(tolerated + out),
            ceiling: match spec.mode {
                // Workloads that other types have left run beside it until it is complete.
                Mode::Release => wanted + spec.target_size,
                Mode::Upgrade | Mode::Scale | Mode::Apply => wanted.max(spec.target_size) + surge,
            },
            // A removal claims the component but starts no run.
            removes: !by.is_empty()
                && runs(by, &["delete", "prune"])
                && record.run.outcome != Outcome::Running,
            paused: None,
            has_written_late: false,
            spec,
        }
    }
}
