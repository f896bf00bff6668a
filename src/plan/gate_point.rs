//! The gates of a run: their points in the run, which of them are due, and the run's progress through them.
//!
//! | point | gates, in order |
//! |---|---|
//! | start | hooks of type `initialize-rollout` |
//! | before a batch | the window, smoke tests of that side, hooks of type `pre-batch-rollout` |
//! | after a batch | the soak time, smoke tests of that side, all metrics at once, hooks of type `post-batch-rollout` |
//! | end | hooks of type `finalize-rollout` |
//!
//! Points are passed in order. The record only contains how many a run has passed: a process that resumes the run
//! starts over at the current point.

use jiff::SignedDuration;

use crate::oam::batch_gates::{BatchGates, Hook, HookType, Metric, Window};
use crate::oam::smoke_test::{BatchSide, SmokeTest};
use crate::plan::action::Action;
use crate::plan::gate_place::{GatePlace, HeldGate};
use crate::plan::phrase;
use crate::plan::run::RunSpec;

/// A point of a run at which there may be gates. Batches count from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GatePoint {
    /// Before anything changes.
    Start,
    /// Before the first write of a batch.
    Before(usize),
    /// When a batch is ready, before anything else changes.
    After(usize),
    /// When everything is as desired, before the success is recorded.
    End,
}

/// A gate at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchGate<'a> {
    /// A window that has to be open.
    Window(&'a Window),
    /// A hook that has to accept.
    Hook(&'a Hook),
    /// Seconds for which the batch has to stay ready.
    Soak(u64),
    /// A Job that has to succeed.
    SmokeTest(&'a SmokeTest),
    /// A metric that has to succeed.
    Metric(&'a Metric),
}

impl BatchGate<'_> {
    /// Describes what happens at the gate: "measure `errors`, 3 times, every 10s".
    #[must_use]
    pub fn phrase(&self) -> String {
        let time = |seconds: u64| {
            let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
            phrase::format_duration(SignedDuration::from_secs(seconds))
        };
        match self {
            Self::Window(window) => format!("wait for the window {}", phrase::window(window)),
            Self::Hook(hook) => format!("call hook `{}`", hook.name),
            Self::Soak(seconds) => format!("stay ready for {}", time(*seconds)),
            Self::SmokeTest(test) => format!("run smoke test `{}`", test.name),
            Self::Metric(Metric { name, count: 1, .. }) => format!("measure `{name}`"),
            Self::Metric(Metric { name, count, interval_seconds, .. }) => {
                format!("measure `{name}`, {count} times, every {}", time(*interval_seconds))
            }
        }
    }
}

impl GatePoint {
    /// Its position in the order of points.
    #[must_use]
    pub fn ordinal(self, spec: &RunSpec) -> u32 {
        let ordinal = match self {
            Self::Start => 0,
            Self::Before(batch) => 2 * batch + 1,
            Self::After(batch) => 2 * batch + 2,
            Self::End => 2 * spec.batches.len() + 1,
        };
        u32::try_from(ordinal).unwrap_or(u32::MAX)
    }

    fn at(ordinal: u32, spec: &RunSpec) -> Self {
        let (ordinal, batches) = (ordinal as usize, spec.batches.len());
        match ordinal {
            0 => Self::Start,
            _ if ordinal > 2 * batches => Self::End,
            _ if ordinal % 2 == 1 => Self::Before(ordinal / 2),
            _ => Self::After(ordinal / 2 - 1),
        }
    }

    /// The batch that it belongs to, if any.
    #[must_use]
    pub fn batch(self) -> Option<usize> {
        match self {
            Self::Before(batch) | Self::After(batch) => Some(batch),
            Self::Start | Self::End => None,
        }
    }

    /// Formats it: "after batch 2 of 3".
    #[must_use]
    pub fn phrase(self, batches: usize) -> String {
        match self {
            Self::Start => "before the first batch".to_owned(),
            Self::Before(batch) => format!("before {}", phrase::batch(batch, batches)),
            Self::After(batch) => format!("after {}", phrase::batch(batch, batches)),
            Self::End => "at the end of the run".to_owned(),
        }
    }
}

/// The gates at a point, in order.
#[must_use]
pub fn gates_at(gates: &BatchGates, point: GatePoint) -> Vec<BatchGate<'_>> {
    let of_batch = |batch: usize| u32::try_from(batch).ok().and_then(|batch| gates.batches.get(&batch));
    let hooks = |of_type: HookType, batch: Option<usize>| {
        let single = batch.and_then(of_batch).into_iter().flat_map(|batch| &batch.hooks);
        let all = gates.hooks.iter().chain(single);
        all.filter(move |hook| hook.hook_type == of_type).map(BatchGate::Hook)
    };
    let smoke_tests = |side: BatchSide, batch: usize| {
        let single = of_batch(batch).into_iter().flat_map(|batch| &batch.smoke_tests);
        let all = gates.smoke_tests.iter().chain(single);
        all.filter(move |test| test.when == side).map(BatchGate::SmokeTest)
    };
    match point {
        GatePoint::Start => hooks(HookType::InitializeRollout, None).collect(),
        GatePoint::End => hooks(HookType::FinalizeRollout, None).collect(),
        GatePoint::Before(batch) => {
            let window = gates.window.iter().map(BatchGate::Window);
            window
                .chain(smoke_tests(BatchSide::Before, batch))
                .chain(hooks(HookType::PreBatchRollout, Some(batch)))
                .collect()
        }
        GatePoint::After(batch) => {
            let single = of_batch(batch);
            let soak = single.and_then(|single| single.soak_seconds).unwrap_or(gates.soak_seconds);
            let metrics = gates.metrics.iter().chain(single.into_iter().flat_map(|single| &single.metrics));
            (soak > 0)
                .then_some(BatchGate::Soak(soak))
                .into_iter()
                .chain(smoke_tests(BatchSide::After, batch))
                .chain(metrics.map(BatchGate::Metric))
                .chain(hooks(HookType::PostBatchRollout, Some(batch)))
                .collect()
        }
    }
}

/// The point whose gates have to be passed before this action, if any.
#[must_use]
pub fn due_point(spec: &RunSpec, passed: u32, action: &Action) -> Option<GatePoint> {
    let last = match action {
        Action::Create => GatePoint::Start,
        Action::Scale { batch, .. } | Action::Roll { batch, .. } => GatePoint::Before(*batch),
        Action::Hold { batch } => GatePoint::After(*batch),
        Action::Delete { .. } => GatePoint::After(spec.last_batch()),
        Action::Finish => GatePoint::End,
        Action::Wait { .. } => return None,
    };
    points_from(spec, passed)
        .take_while(|point| point.ordinal(spec) <= last.ordinal(spec))
        .find(|point| !gates_at(&spec.gates, *point).is_empty())
}

/// The points of a run from this ordinal on, in order.
pub fn points_from(spec: &RunSpec, ordinal: u32) -> impl Iterator<Item = GatePoint> {
    (ordinal..=GatePoint::End.ordinal(spec)).map(|ordinal| GatePoint::at(ordinal, spec))
}

/// The progress through its gates with which a run resumes another that has the same end. `next` contains the next
/// actions of the previous run and of the new one.
///
/// If the batches have changed, the points before the current batch count as passed, except that gates after a batch
/// that are still due remain due, after the batch before the current one.
#[must_use]
pub fn resumed_place(before: &RunSpec, place: &GatePlace, spec: &RunSpec, next: [&Action; 2]) -> GatePlace {
    if before.batches == spec.batches {
        return GatePlace { held_at: None, ..place.clone() };
    }
    let [next_before, next] = next;
    let batch = next.batch(spec);
    // The gates after a batch remain due even if its pods have become unready since.
    let due = if let Action::Wait { batch, .. } = next_before {
        due_point(before, place.passed, &Action::Hold { batch: *batch })
    } else {
        due_point(before, place.passed, next_before)
    };
    let passed = match due {
        Some(GatePoint::After(_)) if batch > 0 => GatePoint::After(batch - 1).ordinal(spec),
        _ if place.passed == 0 => 0,
        Some(_) | None => GatePoint::Before(batch).ordinal(spec),
    };
    GatePlace { passed, promoted: 0, held_at: None, results: place.results.clone() }
}

/// The progress of a run once a user has promoted it past a gate.
#[must_use]
pub fn promoted_place(place: GatePlace, gate: HeldGate) -> GatePlace {
    if place.passed > gate.point {
        return place;
    }
    GatePlace { passed: gate.point, promoted: gate.gates, ..place }
}

/// How many gates of a point are already passed when the run reaches it.
#[must_use]
pub fn promoted_gates(place: &GatePlace, point: GatePoint, spec: &RunSpec) -> usize {
    if point.ordinal(spec) == place.passed { place.promoted as usize } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oam::batch_gates::OneBatchGates;
    use crate::oam::kind::WorkloadKind;
    use crate::plan::action::Waiting;
    use crate::plan::run::{FrozenBatch, FrozenStrategy, Mode};

    fn hook(hook_type: HookType) -> Hook {
        Hook {
            hook_type,
            name: hook_type.as_str().to_owned(),
            url: "http://hooks".to_owned(),
            method: "POST".to_owned(),
            expected_status: Vec::new(),
            metadata: std::collections::BTreeMap::new(),
            headers: Vec::new(),
        }
    }

    /// An upgrade in three batches.
    fn spec(gates: BatchGates) -> RunSpec {
        RunSpec {
            mode: Mode::Upgrade,
            kind: WorkloadKind::Deployment,
            target: "web-v2".to_owned(),
            sources: vec!["web-v1".to_owned()],
            original_size: 6,
            target_start: 0,
            target_size: 6,
            batches: vec![FrozenBatch { size: 2, max_unavailable: 0 }; 3],
            partition: None,
            strategy: FrozenStrategy::IncreaseFirst,
            is_return: false,
            gates,
            objects: Vec::new(),
        }
    }

    #[test]
    fn ordinals_follow_the_order_of_the_run() {
        let spec = spec(BatchGates::default());
        let ordinals = |point: GatePoint| point.ordinal(&spec);
        let points = [
            GatePoint::Start,
            GatePoint::Before(0),
            GatePoint::After(0),
            GatePoint::Before(1),
            GatePoint::After(1),
            GatePoint::Before(2),
            GatePoint::After(2),
            GatePoint::End,
        ];
        assert_eq!(points.map(ordinals), [0, 1, 2, 3, 4, 5, 6, 7]);
        for point in points {
            assert_eq!(GatePoint::at(point.ordinal(&spec), &spec), point);
        }
    }

    #[test]
    fn the_first_point_that_is_not_passed_is_due() {
        let hooks = vec![hook(HookType::PreBatchRollout), hook(HookType::FinalizeRollout)];
        let gated = spec(BatchGates { hooks, soak_seconds: 5, ..BatchGates::default() });
        let due = |passed, action: &Action| due_point(&gated, passed, action);
        let hold = Action::Hold { batch: 1 };
        // The target is created before the first batch, and there are no gates at the start here.
        assert_eq!(due(0, &Action::Create), None);
        assert_eq!(due(0, &hold), Some(GatePoint::Before(0)));
        assert_eq!(due(2, &hold), Some(GatePoint::After(0)));
        assert_eq!(due(4, &hold), Some(GatePoint::After(1)));
        assert_eq!(due(5, &hold), None);
        assert_eq!(due(6, &Action::Finish), Some(GatePoint::After(2)));
        assert_eq!(due(7, &Action::Finish), Some(GatePoint::End));
        assert_eq!(due(8, &Action::Finish), None);
        assert_eq!(due_point(&spec(BatchGates::default()), 0, &Action::Finish), None);
    }

    #[test]
    fn gates_of_one_batch_are_added_to_those_of_all_batches() {
        let single = OneBatchGates {
            hooks: vec![hook(HookType::PostBatchRollout)],
            soak_seconds: Some(0),
            ..OneBatchGates::default()
        };
        let gates = BatchGates {
            hooks: vec![hook(HookType::PostBatchRollout)],
            soak_seconds: 30,
            batches: [(1, single)].into(),
            ..BatchGates::default()
        };
        let post = gates.hooks[0].clone();
        assert_eq!(gates_at(&gates, GatePoint::After(0)), [BatchGate::Soak(30), BatchGate::Hook(&post)]);
        assert_eq!(gates_at(&gates, GatePoint::After(1)), [BatchGate::Hook(&post), BatchGate::Hook(&post)]);
        assert!(gates_at(&gates, GatePoint::Before(1)).is_empty());
    }

    #[test]
    fn resuming_with_different_batches_passes_the_points_before_the_current_one() {
        let before = spec(BatchGates::default());
        let mut other = before.clone();
        other.batches.pop();
        let held = HeldGate { point: 4, gates: 1 };
        let place = GatePlace { passed: 5, promoted: 0, held_at: Some(held), results: Vec::new() };
        let hold = |batch| Action::Hold { batch };
        let resumed =
            |place: &GatePlace, spec: &RunSpec| resumed_place(&before, place, spec, [&hold(2), &hold(1)]);
        assert_eq!(resumed(&place, &before).passed, 5);
        assert_eq!(resumed(&place, &other).passed, 3);
        assert_eq!(resumed(&GatePlace::default(), &other).passed, 0);
        assert_eq!(resumed(&place, &before).held_at, None);
    }

    #[test]
    fn a_gate_that_is_due_remains_due_with_different_batches() {
        let before = spec(BatchGates { soak_seconds: 60, ..BatchGates::default() });
        let mut other = before.clone();
        other.batches.push(FrozenBatch { size: 0, max_unavailable: 0 });
        // All points up to the one before the second batch are passed; its pods are ready.
        let place = GatePlace { passed: 4, ..GatePlace::default() };
        let resumed =
            |next: Action| resumed_place(&before, &place, &other, [&Action::Hold { batch: 1 }, &next]);
        assert_eq!(resumed(Action::Hold { batch: 2 }).passed, GatePoint::After(1).ordinal(&other));
        let unready = Action::Wait { waiting: Waiting::Deletion { workload: "web-v2".to_owned() }, batch: 1 };
        let resumed = |next: Action| resumed_place(&before, &place, &other, [&unready, &next]);
        assert_eq!(resumed(Action::Hold { batch: 2 }).passed, GatePoint::After(1).ordinal(&other));
        // Its pods are in the first batch now, which has the gate after it as well.
        assert_eq!(resumed(Action::Hold { batch: 0 }).passed, GatePoint::Before(0).ordinal(&other));
    }

    #[test]
    fn a_promotion_passes_the_gates_up_to_the_one_that_holds_the_run() {
        let spec = spec(BatchGates::default());
        let place = GatePlace { passed: 1, ..GatePlace::default() };
        let promoted = promoted_place(place.clone(), HeldGate { point: 2, gates: 3 });
        assert_eq!((promoted.passed, promoted.promoted), (2, 3));
        assert_eq!(promoted_gates(&promoted, GatePoint::After(0), &spec), 3);
        assert_eq!(promoted_gates(&promoted, GatePoint::Before(1), &spec), 0);
        // A gate that it has passed since does not count.
        assert_eq!(promoted_place(place.clone(), HeldGate { point: 0, gates: 1 }), place);
    }
}
