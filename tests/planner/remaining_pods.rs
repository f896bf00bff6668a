//! Runs that begin in the middle of another one: with pods of their target, and more or fewer of others.

use rollout::oam::application::Strategy;
use rollout::plan::action::Action;
use rollout::plan::desired::Desired;
use rollout::plan::step::Step;

use crate::cases::{gated, held, numbers, released, trace};
use crate::model::{World, desired};

#[test]
fn revert_in_mid_rollout_starts_from_the_observed_sizes() {
    let mut world = held();
    assert_eq!(world.plan(&desired("v1", 5, &[2, 3])), world.plan(&desired("v1", 5, &[2, 3])));
    let (writes, _) = world.run(&desired("v1", 5, &[2, 3]));
    assert_eq!(trace(&writes), ["v1=5 v2=2", "v1=5 v2=0", "v1=5"]);
}

#[test]
fn revert_shows_the_goal_reached_and_the_pods_ready() {
    let mut world = held();
    world.run(&gated("v1", 5, &[2, 3], 0));
    assert_eq!(numbers(&world), (5, 2, 3));
    assert_eq!(world.sizes(), [("v1", 3), ("v2", 2)]);
}

#[test]
fn revert_between_the_halves_removes_no_healthy_pod() {
    let mut world = World::with(&[("v1", 5), ("v2", 2)]);
    let (writes, _) = world.run(&desired("v1", 5, &[2, 3]));
    assert_eq!(trace(&writes), ["v1=5 v2=0", "v1=5"]);
}

/// An upgrade whose target has pods of an earlier attempt: its first batch is complete, and replaces no more pods of
/// the source than its size.
#[test]
fn an_upgrade_counts_existing_pods_of_its_target() {
    let mut world = World::with(&[("v1", 10), ("v2", 5)]);
    let (writes, _) = world.run(&gated("v2", 10, &[3, 3, 4], 0));
    assert_eq!(trace(&writes), ["v1=7 v2=5"]);
    let (writes, _) = world.run(&desired("v2", 10, &[3, 3, 4]));
    assert_eq!(trace(&writes), ["v1=7 v2=6", "v1=4 v2=6", "v1=4 v2=10", "v1=0 v2=10", "v2=10"]);

    // These pods may never be ready; the source shrinks first.
    let mut world = World::with(&[("v1", 10), ("v2", 5)]);
    let gated = gated("v2", 10, &[3, 3, 4], 0);
    let (writes, _) = world.run(&Desired { strategy: Strategy::DecreaseFirst, ..gated });
    assert_eq!(trace(&writes), ["v1=7 v2=5"]);
}

/// The canary is larger than the new size: it stays, and so do the pods of the source that no batch replaces yet.
#[test]
fn a_smaller_size_in_mid_rollout_drains_the_source_by_batches() {
    let ten = || {
        let mut world = World::default();
        world.run(&desired("v1", 10, &[]));
        world.run(&gated("v2", 10, &[2, 3, 5], 1));
        assert_eq!(world.sizes(), [("v1", 5), ("v2", 5)]);
        world
    };
    for (size, batches, kept) in [(5, [2, 3], 3), (4, [2, 2], 2)] {
        let mut world = ten();
        let (_, end) = world.run(&gated("v2", size, &batches, 0));
        assert_eq!(
            (world.sizes(), end),
            (vec![("v1", kept), ("v2", 5)], Step::Act(Action::Hold { batch: 0 }))
        );
        world.run(&desired("v2", size, &batches));
        assert_eq!(world.sizes(), [("v2", size)]);
    }
    // The steps of a batch belong to it, so the gates before the next batch are not passed early.
    let mut world = ten();
    let request = desired("v2", 4, &[2, 2]);
    let mut batches = Vec::new();
    loop {
        match world.plan(&request) {
            Step::Act(Action::Scale { scaling, batch }) => {
                batches.push((scaling.from, scaling.to, batch));
                world.perform(&request, &Step::Act(Action::Scale { scaling, batch }));
            }
            Step::Act(Action::Wait { .. }) => world.settle(),
            Step::Act(Action::Delete { .. }) => break,
            step => world.perform(&request, &step),
        }
    }
    assert_eq!(batches, [(5, 2, 0), (2, 0, 1), (5, 4, 1)]);
}

/// The pods of a revision that is reverted are not kept until the last batch, nor beyond a gate.
#[test]
fn a_revert_drains_what_it_reverts_at_once() {
    let mut world = released();
    let broken = Desired { partition: None, ..gated("v2", 5, &[2, 3], 0) };
    let claim = world.plan(&broken);
    world.perform(&broken, &claim);
    while world.size("v2") != Some(2) {
        match world.plan(&broken) {
            Step::Act(Action::Wait { .. }) => world.settle(),
            step => world.perform(&broken, &step),
        }
    }
    world.kill();
    assert_eq!(world.sizes(), [("v1", 5), ("v2", 2)]);
    let (_, end) = world.run(&gated("v1", 5, &[2, 3], 0));
    assert_eq!((world.sizes(), end), (vec![("v1", 5), ("v2", 0)], Step::Act(Action::Hold { batch: 0 })));
}
