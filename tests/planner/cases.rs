//! A case for each rule of ARCHITECTURE.md, "How a rollout is planned", for one Deployment per revision.
//!
//! They are complete if each bullet of that section has a case (both strategies, the scale, the gate, the end), and so
//! has each pair of a kind of run (first release, upgrade, scale; the size kept, grown, shrunk) and an initial state: a
//! finished run, a run held at its gate, killed or failed, another target, another size, other batches. Properties of
//! all histories are in `histories`; one workload for all revisions is in `in_place`.

use rollout::oam::application::{Amount, Batch, Strategy};
use rollout::plan::desired::Desired;
use rollout::plan::gate_place::HeldGate;
use rollout::plan::run::{Mode, Outcome};
use rollout::plan::run_status::run_status;
use rollout::plan::step::{Refusal, Step};

use crate::model::{World, desired, outcome};
use rollout::plan::action::Action;

/// Sizes as `v1=3 v2=2`, one entry per write.
pub(crate) fn trace(writes: &[Vec<(String, u32)>]) -> Vec<String> {
    let line = |sizes: &Vec<(String, u32)>| {
        sizes.iter().map(|(name, size)| format!("{name}={size}")).collect::<Vec<_>>().join(" ")
    };
    writes.iter().map(line).collect()
}

/// TARGET/UPGRADED/READY.
pub(crate) fn numbers(world: &World) -> (u32, u32, u32) {
    let status = run_status(&world.observed).unwrap();
    (status.target_size, status.upgraded, status.ready)
}

fn states(world: &World) -> (&'static str, &'static str) {
    let status = run_status(&world.observed).unwrap();
    (status.batch_state.as_str(), status.rolling_state.as_str())
}

/// A world in which `v1` was released with 5 replicas, in 2 + 3.
pub(crate) fn released() -> World {
    let mut world = World::default();
    world.run(&desired("v1", 5, &[2, 3]));
    world
}

/// A world held after the first batch of v1 → v2.
pub(crate) fn held() -> World {
    let mut world = released();
    world.run(&gated("v2", 5, &[2, 3], 0));
    world
}

pub(crate) fn gated(target: &str, size: u32, batches: &[u32], partition: u32) -> Desired {
    Desired { partition: Some(partition), ..desired(target, size, batches) }
}

#[test]
fn first_release_grows_from_nothing() {
    let mut world = World::default();
    let (writes, end) = world.run(&desired("v1", 5, &[2, 3]));
    assert_eq!(trace(&writes), ["v1=0", "v1=2", "v1=5"]);
    assert_eq!(end, Step::Act(Action::Finish));
    assert_eq!(numbers(&world), (5, 5, 5));
    assert_eq!(states(&world), ("batchReady", "rolloutSucceed"));
    assert_eq!(world.spec().unwrap().mode, Mode::Release);
}

/// Without a record, a target that is not too large is an unfinished release.
#[test]
fn a_release_continues_without_its_record_and_restarts_without_its_target() {
    let mode = |world: &World| match world.plan(&desired("v1", 5, &[])) {
        Step::Claim { spec, resumes: false } => spec.mode,
        other => panic!("{other:?}"),
    };
    let modes = [2, 5, 6].map(|size| mode(&World::with(&[("v1", size)])));
    assert_eq!(modes, [Mode::Release, Mode::Release, Mode::Scale]);
    let mut world = released();
    world.observed.workloads.clear();
    world.kill();
    assert_eq!(mode(&world), Mode::Release);
}

#[test]
fn an_upgrade_proceeds_batch_by_batch() {
    let mut world = released();
    let (writes, end) = world.run(&desired("v2", 5, &[2, 3]));
    assert_eq!(
        trace(&writes),
        ["v1=5 v2=0", "v1=5 v2=2", "v1=3 v2=2", "v1=3 v2=5", "v1=0 v2=5", "v2=5"],
        "four replica writes and no more"
    );
    assert_eq!(end, Step::Act(Action::Finish));
    assert_eq!(numbers(&world), (5, 5, 5));
}

#[test]
fn a_gate_holds_and_a_resume_does_not_repeat_the_batch() {
    let mut world = released();
    let (writes, end) = world.run(&gated("v2", 5, &[2, 3], 0));
    assert_eq!(trace(&writes), ["v1=5 v2=0", "v1=5 v2=2", "v1=3 v2=2"]);
    assert_eq!(end, Step::Act(Action::Hold { batch: 0 }));
    assert_eq!(numbers(&world), (5, 2, 2));
    assert_eq!(states(&world), ("batchReady", "rollingInBatches"));

    let (writes, _) = world.run(&desired("v2", 5, &[2, 3]));
    assert_eq!(trace(&writes), ["v1=3 v2=5", "v1=0 v2=5", "v2=5"]);
    assert_eq!(numbers(&world), (5, 5, 5));
}

#[test]
fn a_held_run_applied_again_writes_nothing() {
    let world = held();
    assert_eq!(world.plan(&gated("v2", 5, &[2, 3], 0)), Step::Act(Action::Hold { batch: 0 }));
}

#[test]
fn a_revert_of_a_held_run_does_not_need_batches_that_fit() {
    let mut world = held();
    world.observed.workloads.retain(|workload| workload.name != "v2");
    assert_eq!(world.sizes(), [("v1", 3)]);
    let (_, end) = world.run(&desired("v1", 5, &[2, 3]));
    assert_eq!((world.sizes(), end), (vec![("v1", 5)], Step::Act(Action::Finish)));
    // With another size, it is a scale.
    let mut world = held();
    world.observed.workloads.retain(|workload| workload.name != "v2");
    assert!(matches!(world.plan(&desired("v1", 6, &[2, 3])), Step::Refuse(_)));
}

#[test]
fn a_gate_at_or_after_the_last_batch_is_open() {
    for partition in [1, 2, 99] {
        let mut world = released();
        assert_eq!(
            world.run(&gated("v2", 5, &[2, 3], partition)).1,
            Step::Act(Action::Finish),
            "{partition}"
        );
    }
}

#[test]
fn a_gate_also_holds_a_first_release_and_a_scale() {
    let mut world = World::default();
    assert_eq!(world.run(&gated("v1", 5, &[2, 3], 0)).1, Step::Act(Action::Hold { batch: 0 }));
    assert_eq!(world.sizes(), [("v1", 2)]);
    assert_eq!(world.run(&desired("v1", 5, &[2, 3])).1, Step::Act(Action::Finish));
    assert_eq!(world.run(&gated("v1", 7, &[1, 1], 0)).1, Step::Act(Action::Hold { batch: 0 }));
    assert_eq!(world.sizes(), [("v1", 6)]);
}

#[test]
fn rollback_recreates_the_old_workload() {
    let mut world = released();
    world.run(&desired("v2", 5, &[2, 3]));
    let (writes, end) = world.run(&desired("v1", 5, &[2, 3]));
    assert_eq!(trace(&writes)[0], "v1=0 v2=5");
    assert_eq!(end, Step::Act(Action::Finish));
    assert_eq!(world.sizes(), [("v1", 5)]);
}

#[test]
fn scale_out_and_in_move_the_difference() {
    let mut world = released();
    let (writes, _) = world.run(&desired("v1", 7, &[1, 1]));
    assert_eq!(trace(&writes), ["v1=6", "v1=7"]);
    assert_eq!(numbers(&world), (7, 7, 7), "UPGRADED is the full size, not the difference");
    let (writes, _) = world.run(&desired("v1", 3, &[1, 3]));
    assert_eq!(trace(&writes), ["v1=6", "v1=3"]);
    assert_eq!(numbers(&world), (3, 3, 3));
}

#[test]
fn upgrade_with_growth_does_not_jump_before_the_first_batch() {
    let mut world = released();
    let (writes, _) = world.run(&desired("v2", 8, &[3, 5]));
    assert_eq!(trace(&writes), ["v1=5 v2=0", "v1=5 v2=3", "v1=5 v2=8", "v1=0 v2=8", "v2=8"]);
    let mut world = released();
    let (writes, _) = world.run(&desired("v2", 8, &[2, 2, 4]));
    assert_eq!(
        trace(&writes),
        ["v1=5 v2=0", "v1=5 v2=2", "v1=5 v2=4", "v1=4 v2=4", "v1=4 v2=8", "v1=0 v2=8", "v2=8"]
    );
}

/// The remaining pods may be unready, as in KubeVela's rollout trait.
#[test]
fn a_scale_in_ends_when_the_pods_are_gone() {
    let mut world = released();
    world.broken.insert("v1".into());
    world.observed.workloads[0].ready_replicas = 0;
    let (writes, end) = world.run(&desired("v1", 3, &[2]));
    assert_eq!((trace(&writes), end), (vec!["v1=3".to_owned()], Step::Act(Action::Finish)));
}

#[test]
fn upgrade_with_shrink_is_allowed() {
    let mut world = released();
    let (writes, _) = world.run(&desired("v2", 3, &[1, 2]));
    assert_eq!(trace(&writes), ["v1=5 v2=0", "v1=5 v2=1", "v1=2 v2=1", "v1=2 v2=3", "v1=0 v2=3", "v2=3"]);
}

#[test]
fn decrease_first_makes_room_before_it_grows() {
    let mut world = released();
    let request = Desired { strategy: Strategy::DecreaseFirst, ..desired("v2", 5, &[2, 3]) };
    let (writes, _) = world.run(&request);
    assert_eq!(trace(&writes), ["v1=5 v2=0", "v1=3 v2=0", "v1=3 v2=2", "v1=0 v2=2", "v1=0 v2=5", "v2=5"]);
}

#[test]
fn percentages_divide_five_as_one_three_one() {
    let mut world = released();
    let percent = |size| Batch { replicas: Amount::Percent(size), max_unavailable: Amount::Count(0) };
    let request =
        Desired { batches: Some(vec![percent(20), percent(50), percent(30)]), ..desired("v2", 5, &[]) };
    world.run(&request);
    assert_eq!(world.spec().unwrap().goals(), [1, 4, 5]);
}

#[test]
fn empty_batches_of_percentages_hold_and_pass() {
    let percent = |size| Batch { replicas: Amount::Percent(size), max_unavailable: Amount::Count(0) };
    let batches = Some(vec![percent(20), percent(30), percent(50)]);
    let wanted = Desired { batches, ..desired("v2", 1, &[]) };
    let mut world = World::default();
    world.run(&desired("v1", 1, &[1]));
    for partition in [0, 1] {
        let held = Desired { partition: Some(partition), ..wanted.clone() };
        let (_, end) = world.run(&held);
        assert_eq!(end, Step::Act(Action::Hold { batch: partition as usize }));
        assert_eq!(world.sizes(), [("v1", 0), ("v2", 1)]);
    }
    let (_, end) = world.run(&wanted);
    assert_eq!(end, Step::Act(Action::Finish));
    assert_eq!(world.spec().unwrap().goals(), [1, 1, 1]);
}

#[test]
fn a_third_revision_in_mid_rollout_replaces_both() {
    let mut world = held();
    let (writes, _) = world.run(&desired("v3", 5, &[2, 3]));
    assert_eq!(
        trace(&writes),
        [
            "v1=3 v2=2 v3=0",
            "v1=3 v2=2 v3=2",
            "v1=1 v2=2 v3=2",
            "v1=1 v2=2 v3=5",
            "v1=0 v2=2 v3=5",
            "v1=0 v2=0 v3=5",
            "v2=0 v3=5",
            "v3=5"
        ]
    );
}

#[test]
fn correcting_a_failed_run_drains_the_broken_revision_first() {
    let mut world = released();
    world.broken.insert("v2".into());
    let broken = desired("v2", 5, &[2, 3]);
    while !matches!(world.plan(&broken), Step::Act(Action::Wait { .. })) {
        let step = world.plan(&broken);
        world.perform(&broken, &step);
    }
    world.settle();
    assert!(matches!(world.plan(&broken), Step::Act(Action::Wait { .. })), "a broken batch never passes");
    assert_eq!(world.sizes(), [("v1", 5), ("v2", 2)]);
    world.end(Outcome::Failed);
    let (writes, end) = world.run(&desired("v3", 5, &[2, 3]));
    assert_eq!(trace(&writes)[..4], ["v1=5 v2=2 v3=0", "v1=5 v2=2 v3=2", "v1=5 v2=0 v3=2", "v1=3 v2=0 v3=2"]);
    assert_eq!(end, Step::Act(Action::Finish));
    assert_eq!(world.sizes(), [("v3", 5)]);
}

#[test]
fn resize_in_mid_rollout_keeps_no_orphan() {
    let mut world = held();
    let (_, end) = world.run(&desired("v2", 8, &[3, 5]));
    assert_eq!(end, Step::Act(Action::Finish));
    assert_eq!(world.sizes(), [("v2", 8)]);
    let mut world = held();
    world.run(&desired("v2", 1, &[]));
    assert_eq!(world.sizes(), [("v2", 1)], "a target that is too large already is trimmed at the end");
}

#[test]
fn without_batches_there_is_one_batch_which_is_not_recorded() {
    let mut world = World::default();
    let (writes, _) = world.run(&desired("v1", 5, &[]));
    assert_eq!(trace(&writes), ["v1=0", "v1=5"]);
    let (writes, _) = world.run(&desired("v1", 7, &[]));
    assert_eq!(trace(&writes), ["v1=7"]);
    let (writes, _) = world.run(&desired("v1", 4, &[]));
    assert_eq!(trace(&writes), ["v1=4"], "a second scale without batches works");
    let (writes, _) = world.run(&desired("v2", 4, &[]));
    assert_eq!(trace(&writes), ["v1=4 v2=0", "v1=4 v2=4", "v1=0 v2=4", "v2=4"]);
}

#[test]
fn size_zero_is_a_size() {
    let mut world = World::default();
    assert_eq!(world.run(&desired("v1", 0, &[])).1, Step::Act(Action::Finish));
    assert_eq!(world.sizes(), [("v1", 0)]);
    assert_eq!(world.run(&desired("v1", 3, &[1, 2])).1, Step::Act(Action::Finish));
    assert_eq!(world.run(&desired("v1", 0, &[1, 2])).1, Step::Act(Action::Finish));
    assert_eq!(world.run(&desired("v2", 0, &[])).1, Step::Act(Action::Finish));
    assert_eq!(world.sizes(), [("v2", 0)]);
    assert_eq!(world.run(&desired("v3", 2, &[1, 1])).1, Step::Act(Action::Finish));
    assert_eq!(world.sizes(), [("v3", 2)]);
}

#[test]
fn a_finished_target_is_not_written_again() {
    let world = released();
    assert_eq!(world.plan(&desired("v1", 5, &[2, 3])), Step::Nothing);
    assert_eq!(world.plan(&desired("v1", 5, &[4, 1])), Step::Nothing, "other batches change nothing");
    assert_eq!(world.plan(&desired("v1", 5, &[7])), Step::Nothing, "not even if they do not fit");
}

#[test]
fn a_drifted_size_is_repaired_by_the_same_manifest() {
    let mut world = released();
    world.observed.workloads[0].replicas = 3;
    world.settle();
    let (writes, end) = world.run(&desired("v1", 5, &[2, 3]));
    assert_eq!(trace(&writes), ["v1=5"]);
    assert_eq!(end, Step::Act(Action::Finish));
    world.observed.workloads[0].replicas = 9;
    world.settle();
    let (writes, _) = world.run(&desired("v1", 5, &[2, 3]));
    assert_eq!(trace(&writes), ["v1=5"]);
}

#[test]
fn unready_pods_are_awaited_without_a_write() {
    let mut world = released();
    world.observed.workloads[0].ready_replicas = 4;
    assert!(matches!(world.plan(&desired("v1", 5, &[2, 3])), Step::Act(Action::Wait { .. })));
}

#[test]
fn batches_that_do_not_fit_are_rejected_with_their_sums() {
    let world = World::default();
    let Step::Refuse(Refusal::BatchSumError(sum_error)) = world.plan(&desired("v1", 5, &[2, 2])) else {
        panic!()
    };
    assert_eq!((sum_error.sum, sum_error.change), (4, 5));
    let world = released();
    let Step::Refuse(Refusal::BatchSumError(sum_error)) = world.plan(&desired("v1", 7, &[2, 3])) else {
        panic!()
    };
    assert_eq!((sum_error.sum, sum_error.change), (5, 2));
    assert!(matches!(world.plan(&desired("v2", 5, &[1, 1])), Step::Refuse(_)));
}

/// The partition of a held run has no meaning without its batches.
#[test]
fn batches_that_do_not_fit_a_held_run_are_rejected() {
    let world = held();
    for batches in [&[1, 1][..], &[2, 4], &[9]] {
        let step = world.plan(&gated("v2", 5, batches, 0));
        assert!(matches!(step, Step::Refuse(_)), "{step:?}");
    }
}

#[test]
fn a_run_held_between_batches_is_checked_again() {
    let mut world = held();
    let request = gated("v2", 5, &[2, 3], 0);
    assert_eq!(world.plan(&request), Step::Act(Action::Hold { batch: 0 }));
    let run = &mut world.observed.record.as_mut().unwrap().run;
    run.gates.held_at = Some(HeldGate { point: 2, gates: 1 });
    assert!(matches!(world.plan(&request), Step::Claim { resumes: true, .. }));
}

#[test]
fn a_killed_run_resumes_where_it_stopped() {
    let mut world = released();
    world.run(&desired("v1", 7, &[1, 1]));
    let scale_in = desired("v1", 3, &[1, 3]);
    for _ in 0..3 {
        let step = world.plan(&scale_in);
        world.perform(&scale_in, &step);
    }
    assert_eq!(world.sizes(), [("v1", 6)]);
    world.kill();
    assert!(matches!(world.plan(&scale_in), Step::Claim { resumes: true, .. }));
    assert_eq!(
        world.run(&scale_in).1,
        Step::Act(Action::Finish),
        "the batches are of the recorded size, not of what is left"
    );
    assert_eq!(world.sizes(), [("v1", 3)]);
}

#[test]
fn killed_between_deleting_the_source_and_recording_the_end() {
    let mut world = released();
    let request = desired("v2", 5, &[2, 3]);
    loop {
        match world.plan(&request) {
            Step::Act(Action::Wait { .. }) => world.settle(),
            Step::Act(Action::Finish) => break,
            step => world.perform(&request, &step),
        }
    }
    world.kill();
    assert_eq!(outcome(world.observed.record.as_ref()), Some(Outcome::Running));
    let (writes, end) = world.run(&request);
    assert!(writes.is_empty());
    assert_eq!(end, Step::Act(Action::Finish));
    assert_eq!(world.plan(&request), Step::Nothing);
}

#[test]
fn a_stale_status_passes_no_batch() {
    let mut world = released();
    let request = desired("v2", 5, &[2, 3]);
    loop {
        match world.plan(&request) {
            Step::Act(Action::Wait { .. }) => break,
            step => world.perform(&request, &step),
        }
    }
    let target = world.observed.workloads.iter_mut().find(|one| one.name == "v2").unwrap();
    (target.ready_replicas, target.updated_replicas, target.status_replicas) = (9, 9, 9);
    assert!(
        matches!(world.plan(&request), Step::Act(Action::Wait { .. })),
        "counts of an older generation are no counts"
    );
}

#[test]
fn a_higher_epoch_stops_everything() {
    let mut world = held();
    let request = desired("v2", 5, &[2, 3]);
    let step = world.plan(&request);
    world.perform(&request, &step);
    world.observed.workloads[0].epoch = world.observed.claimed_epoch.map(|held| held.next());
    assert!(matches!(world.plan(&request), Step::Superseded { .. }));
}

#[test]
fn nothing_changes_before_every_workload_is_stamped() {
    let mut world = held();
    let request = desired("v3", 5, &[2, 3]);
    let step = world.plan(&request);
    assert!(matches!(step, Step::Claim { resumes: false, .. }));
    world.perform(&request, &step);
    for _ in 0..2 {
        let step = world.plan(&request);
        assert!(matches!(step, Step::Stamp { .. }), "{step:?}");
        world.perform(&request, &step);
    }
    assert_eq!(world.plan(&request), Step::Act(Action::Create));
}

#[test]
fn a_changed_batch_list_resumes_from_the_recorded_size() {
    let mut world = released();
    world.run(&gated("v1", 9, &[1, 3], 0));
    assert_eq!(world.sizes(), [("v1", 6)]);
    let (writes, _) = world.run(&desired("v1", 9, &[1, 1, 2]));
    assert_eq!(trace(&writes), ["v1=7", "v1=9"]);
    let mut world = released();
    world.run(&gated("v1", 9, &[1, 3], 0));
    let (writes, _) = world.run(&desired("v1", 9, &[2, 1]));
    assert_eq!(trace(&writes), ["v1=8", "v1=9"], "or from what is there, where only that fits");
}

#[test]
fn a_revert_needs_batches_that_fit_while_both_revisions_have_pods() {
    let world = held();
    assert!(matches!(world.plan(&desired("v1", 5, &[1, 1])), Step::Refuse(_)));
}
