//! A claim, as the server accepted it: who made it, and what it allows.

use rollout::plan::record::Record;
use rollout::plan::run::{FrozenStrategy, Mode, Outcome, RunSpec};

use super::runs;
use super::world::World;

/// What a run may do.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    pub(super) epoch: u64,
    /// What the requests of its process call themselves.
    pub(super) by: String,
    pub(super) spec: RunSpec,
    /// The fewest ready pods that its writes leave.
    pub(super) floor: u32,
    /// The most pods that it asks for.
    pub(super) ceiling: u32,
    /// Whether it deletes the component.
    pub(super) removes: bool,
    /// When a pause was accepted that has not ended.
    pub(super) paused: Option<jiff::Timestamp>,
    /// Whether it has written long after that.
    pub(super) has_written_late: bool,
}

impl Claim {
    pub(super) fn new(record: &Record, by: &str, world: &World) -> Self {
        let component = &record.component;
        let spec = record.run.spec.clone();
        let (wanted, ready) = (world.wanted(component), world.kept_ready(component));
        let largest = spec.batches.iter().map(|batch| batch.size).max().unwrap_or_default();
        let tolerated = spec.batches.iter().map(|batch| batch.max_unavailable).max().unwrap_or_default();
        // Where a pod makes way for another one in its place, a batch is down before it is up.
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
            ceiling: wanted.max(spec.target_size) + surge,
            // A removal claims what it removes, and starts no run.
            removes: !by.is_empty()
                && runs(by, &["delete", "prune"])
                && record.run.outcome != Outcome::Running,
            paused: None,
            has_written_late: false,
            spec,
        }
    }
}
