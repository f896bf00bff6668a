//! Properties of all histories: manifests in any order, kills at any point, pods that never become ready.

use proptest::prelude::*;
use rollout::oam::application::{Amount, Batch, Strategy as Order};
use rollout::plan::desired::Desired;
use rollout::plan::run::{FrozenStrategy, Mode, Outcome, RunSpec};
use rollout::plan::step::Step;

use crate::model::{World, desired};
use rollout::plan::action::Action;

/// One command and the fate of its process.
#[derive(Debug, Clone)]
struct Command {
    desired: Desired,
    /// The number of steps after which it is killed.
    lifetime: usize,
    /// What the cluster does at each wait.
    events: Vec<(usize, bool)>,
}

fn command() -> impl Strategy<Value = Command> {
    let target = prop_oneof![Just("v1"), Just("v2"), Just("v3"), Just("v4")];
    let events = prop::collection::vec((0_usize..4, any::<bool>()), 1..60);
    (target, 0_u32..9, batches(), prop::option::of(0_u32..3), any::<bool>(), 0_usize..80, events).prop_map(
        |(target, size, batches, partition, is_decrease, lifetime, events)| Command {
            desired: Desired {
                batches,
                partition,
                strategy: if is_decrease { Order::DecreaseFirst } else { Order::IncreaseFirst },
                ..desired(target, size, &[])
            },
            lifetime,
            events,
        },
    )
}

/// Lists that mostly fit: percentages, or none.
fn batches() -> impl Strategy<Value = Option<Vec<Batch>>> {
    let batch = (1_u32..60, 0_u32..3).prop_map(|(percent, unready)| Batch {
        replicas: Amount::Percent(percent),
        max_unavailable: Amount::Count(unready.saturating_sub(1)),
    });
    prop::option::of(prop::collection::vec(batch, 1..4))
}

/// The limits of one run, taken when it is claimed.
struct Limits {
    ceiling: u32,
    floor: u32,
}

impl Limits {
    fn of(spec: &RunSpec, world: &World) -> Self {
        let largest = spec.batches.iter().map(|batch| batch.size).max().unwrap_or(0);
        let tolerated = spec.batches.iter().map(|batch| batch.max_unavailable).max().unwrap_or(0);
        let below = match spec.strategy {
            FrozenStrategy::IncreaseFirst => tolerated,
            // A batch goes down before its replacement comes up.
            FrozenStrategy::DecreaseFirst => tolerated + largest,
        };
        Self {
            ceiling: world.total().max(spec.target_size)
                + if spec.mode == Mode::Upgrade { largest } else { 0 },
            floor: world.ready().min(spec.target_size).saturating_sub(below),
        }
    }
}

/// Runs one command until it ends, dies or waits in vain, checking every write.
fn live(world: &mut World, command: &Command) {
    let request = &command.desired;
    let mut events = command.events.iter();
    let mut limits = None;
    for _ in 0..command.lifetime {
        let step = world.plan(request);
        match &step {
            Step::Act(Action::Wait { .. }) => match events.next() {
                Some((index, true)) => world.sync(*index),
                Some((index, false)) => world.progress(*index),
                None => return world.end(Outcome::Failed),
            },
            Step::Nothing | Step::Refuse(_) => return,
            Step::Act(Action::Hold { .. } | Action::Finish) => {
                world.perform(request, &step);
                return world.kill();
            }
            Step::Superseded { .. } | Step::ExternalChange { .. } => panic!("nobody else is there"),
            Step::Act(Action::Roll { .. }) => panic!("a deployment is not rolled"),
            Step::Claim { spec, .. } => {
                limits = Some(Limits::of(spec, world));
                world.perform(request, &step);
            }
            Step::Stamp { .. } | Step::Act(Action::Create | Action::Scale { .. } | Action::Delete { .. }) => {
                let before = world.clone();
                world.perform(request, &step);
                check(&before, world, &step, limits.as_ref().expect("a claim comes first"));
            }
        }
    }
    world.kill();
}

fn check(before: &World, after: &World, step: &Step, limits: &Limits) {
    let spec = after.spec().unwrap();
    if after.total() > before.total() {
        assert!(
            after.total() <= limits.ceiling,
            "{} pods, at most {}: {step:?}",
            after.total(),
            limits.ceiling
        );
    }
    if after.ready() < before.ready() {
        assert!(
            after.ready() >= limits.floor,
            "{} ready, at least {}: {step:?}",
            after.ready(),
            limits.floor
        );
    }
    for workload in &after.observed.workloads {
        let Some(size) = before.size(&workload.name) else { continue };
        let is_target = workload.name == spec.target;
        if workload.replicas > size {
            assert!(is_target, "a source grows: {step:?}");
        }
        if workload.replicas < size && is_target {
            assert!(spec.is_shrink() || size > spec.target_size, "the target shrinks: {step:?}");
        }
    }
    if let Step::Act(Action::Delete { workload, .. }) = step {
        assert_eq!(before.size(workload), Some(0), "only what is drained is deleted");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12_000, ..ProptestConfig::default() })]

    #[test]
    fn any_history_keeps_the_limits_and_ends_as_the_last_manifest_requests(
        commands in prop::collection::vec(command(), 1..6),
        broken in prop::collection::btree_set(prop_oneof![Just("v2"), Just("v3")], 0..2),
        last_size in 0_u32..9,
    ) {
        let mut world = World::default();
        world.broken = broken.into_iter().map(str::to_owned).collect();
        for command in &commands {
            live(&mut world, command);
        }
        // The path is irrelevant: only the last manifest determines the end.
        let last = desired("v4", last_size, &[]);
        let (_, end) = world.run(&last);
        prop_assert!(matches!(end, Step::Act(Action::Finish) | Step::Nothing), "{end:?}");
        prop_assert_eq!(world.sizes(), vec![("v4", last_size)]);
        prop_assert_eq!(world.plan(&last), Step::Nothing);
    }
}
