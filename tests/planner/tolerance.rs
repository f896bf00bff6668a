//! `maxUnavailable`: how many pods of a batch may be unready for it to pass, including the last batch.

use rollout::oam::application::{Amount, Batch};
use rollout::oam::kind::WorkloadKind;
use rollout::plan::action::Action;
use rollout::plan::desired::Desired;
use rollout::plan::run::FrozenBatch;
use rollout::plan::run_status::run_status;
use rollout::plan::step::Step;

use crate::in_place_model::Replica;
use crate::model::{World, desired};

fn batch(replicas: u32, unready: u32) -> Batch {
    Batch { replicas: Amount::Count(replicas), max_unavailable: Amount::Count(unready) }
}

/// Enough steps for any of these runs.
const MAX_STEPS: usize = 100;

#[test]
fn max_unavailable_lets_a_batch_pass_early() {
    let mut world = World::default();
    world.run(&desired("v1", 5, &[2, 3]));
    let request = Desired { batches: Some(vec![batch(2, 1), batch(3, 0)]), ..desired("v2", 5, &[]) };
    loop {
        match world.plan(&request) {
            Step::Act(Action::Wait { .. }) => break,
            step => world.perform(&request, &step),
        }
    }
    world.sync(1);
    assert!(matches!(world.plan(&request), Step::Act(Action::Wait { .. })));
    world.progress(1);
    let Step::Act(Action::Scale { scaling, .. }) = world.plan(&request) else { panic!() };
    assert_eq!((scaling.workload.as_str(), scaling.to), ("v1", 3));
}

/// The first batch lacks pods as well, but a finished run reports the pods of all batches.
#[test]
fn unready_pods_of_a_finished_run_are_counted_among_all_of_them() {
    for (unready, cases) in [(0, &[0, 1, 4][..]), (2, &[0, 2])] {
        let mut world = World::default();
        world.run(&Desired { batches: Some(vec![batch(2, 0), batch(3, unready)]), ..desired("v1", 5, &[]) });
        for ready in cases {
            world.observed.workloads[0].ready_replicas = *ready;
            let tolerance = if unready == 0 { "" } else { ", 2 may be unready" };
            let drift = run_status(&world.observed).unwrap().drift;
            assert_eq!(drift, Some(format!("`v1`: {ready} of 5 ready{tolerance}")));
        }
    }
}

/// One pod never becomes ready, which the last batch tolerates: the run completes, and the next plan has nothing to do.
#[test]
fn the_last_batch_passes_with_a_pod_that_never_becomes_ready() {
    for (name, size) in [("v2", 5), ("v1", 7)] {
        let mut world = World::default();
        world.run(&desired("v1", 5, &[]));
        let batches = if size == 5 { vec![batch(2, 0), batch(3, 1)] } else { vec![batch(1, 0), batch(1, 1)] };
        let request = Desired { batches: Some(batches), ..desired(name, size, &[]) };
        let mut ended = false;
        for _ in 0..MAX_STEPS {
            match world.plan(&request) {
                Step::Act(Action::Wait { .. }) => {
                    world.settle();
                    let target = world.observed.workloads.iter_mut().find(|one| one.name == name).unwrap();
                    target.ready_replicas = target.ready_replicas.min(size - 1);
                }
                step @ Step::Act(Action::Finish) => {
                    world.perform(&request, &step);
                    ended = true;
                    break;
                }
                step => world.perform(&request, &step),
            }
        }
        assert!(ended, "the run does not end: {:?}", world.plan(&request));
        assert_eq!(world.ready(), size - 1);
        world.observed.claimed_epoch = None;
        assert_eq!(world.plan(&request), Step::Nothing, "what it may do without is not waited for later");
    }
}

#[test]
fn the_last_batch_in_place_passes_with_a_pod_that_never_becomes_ready() {
    for kind in [WorkloadKind::CloneSet, WorkloadKind::StatefulSet] {
        let mut replica = Replica::new(kind);
        replica.run(&replica.desired("v1", 5, &[]));
        let request =
            Desired { batches: Some(vec![batch(2, 0), batch(3, 1)]), ..replica.desired("v2", 5, &[]) };
        let mut ended = false;
        for _ in 0..MAX_STEPS {
            match replica.plan(&request) {
                Step::Act(Action::Wait { .. }) => {
                    replica.settle();
                    if replica.of("v2").0 == 5 {
                        // The last pod to be replaced, which a StatefulSet would start with.
                        replica.pods[0].is_ready = false;
                        replica.reconcile();
                    }
                }
                step @ Step::Act(Action::Finish) => {
                    replica.perform(&request, &step);
                    ended = true;
                    break;
                }
                step => replica.perform(&request, &step),
            }
        }
        assert!(ended, "the run does not end: {:?}", replica.plan(&request));
        assert_eq!(replica.ready(), 4);
        replica.observed.claimed_epoch = None;
        assert_eq!(replica.plan(&request), Step::Nothing);
    }
}

/// The batches of the manifest do not fit the change that the repair needs.
#[test]
fn a_repair_has_the_tolerance_of_the_last_batch() {
    let request = Desired { batches: Some(vec![batch(2, 0), batch(3, 1)]), ..desired("v1", 5, &[]) };
    let mut world = World::default();
    world.run(&request);
    world.observed.claimed_epoch = None;
    world.observed.workloads[0].replicas = 4;
    let Step::Claim { spec, .. } = world.plan(&request) else { panic!("{:?}", world.plan(&request)) };
    assert_eq!(spec.batches, [FrozenBatch { size: 1, max_unavailable: 1 }]);
}
