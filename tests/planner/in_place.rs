//! One workload for all revisions: its writes and their order, and properties of all histories.

use proptest::prelude::*;
use rollout::oam::application::{Amount, Batch};
use rollout::oam::kind::WorkloadKind;
use rollout::plan::action::{Action, RollExtent, Waiting};
use rollout::plan::desired::Desired;
use rollout::plan::preview::preview_steps;
use rollout::plan::run::{Mode, Outcome, RunSpec};
use rollout::plan::run_status::run_status;
use rollout::plan::step::Step;

use crate::in_place_model::{Pod, Replica, desired};

const KINDS: [WorkloadKind; 2] = [WorkloadKind::CloneSet, WorkloadKind::StatefulSet];

/// TARGET/UPGRADED/READY.
fn numbers(replica: &Replica) -> (u32, u32, u32) {
    let status = run_status(&replica.observed).unwrap();
    (status.target_size, status.upgraded, status.ready)
}

fn gated(replica: &Replica, target: &str, partition: u32) -> Desired {
    Desired { partition: Some(partition), ..replica.desired(target, 5, &[2, 3]) }
}

fn released(kind: WorkloadKind) -> Replica {
    let mut replica = Replica::new(kind);
    let (writes, end) = replica.run(&desired(kind, "v1", 5, &[2, 3]));
    assert_eq!(writes, [(0, 0), (2, 0), (5, 0)]);
    assert_eq!(end, Step::Act(Action::Finish));
    replica
}

#[test]
fn a_first_release_grows_by_its_size() {
    for kind in KINDS {
        let replica = released(kind);
        assert_eq!(numbers(&replica), (5, 5, 5));
        assert_eq!(replica.spec().mode, Mode::Release);
    }
}

#[test]
fn an_upgrade_lowers_the_partition_batch_by_batch() {
    for kind in KINDS {
        let mut replica = released(kind);
        let (writes, end) = replica.run(&replica.desired("v2", 5, &[2, 3]));
        assert_eq!(writes, [(5, 3), (5, 0)]);
        assert_eq!(end, Step::Act(Action::Finish));
        assert_eq!(numbers(&replica), (5, 5, 5));
        assert_eq!(replica.spec().sources, ["v1"]);
        assert_eq!(replica.plan(&replica.desired("v2", 5, &[2, 3])), Step::Nothing);
    }
}

/// An upgrade to a smaller size finds even fewer pods, because its object was deleted.
#[test]
fn an_upgrade_completes_after_its_object_was_deleted() {
    for kind in KINDS {
        let mut replica = released(kind);
        replica.run(&Desired { partition: Some(0), ..replica.desired("v2", 2, &[1, 1]) });
        let request = replica.desired("v2", 2, &[1, 1]);
        // The run that holds the claim recreates it, or the next run does.
        for is_claimed in [true, false] {
            let mut replica = replica.clone();
            if is_claimed {
                let claim = replica.plan(&request);
                assert!(matches!(claim, Step::Claim { resumes: true, .. }), "{claim:?}");
                replica.perform(&request, &claim);
            }
            replica.observed.workloads.clear();
            replica.pods.clear();
            assert_eq!(replica.run(&request).1, Step::Act(Action::Finish), "{kind:?}");
            assert_eq!(numbers(&replica), (2, 2, 2));
        }
    }
}

#[test]
fn the_first_batch_writes_template_size_and_partition_together() {
    for kind in KINDS {
        let mut replica = released(kind);
        let request = replica.desired("v2", 8, &[3, 5]);
        let claim = replica.plan(&request);
        replica.perform(&request, &claim);
        let stamp = replica.plan(&request);
        replica.perform(&request, &stamp);
        let Step::Act(Action::Roll { rolling, batch: 0 }) = replica.plan(&request) else {
            panic!("no batch begins")
        };
        assert_eq!(rolling.extent, RollExtent::Template);
        assert_eq!((rolling.to.replicas, rolling.to.partition), (8, 5));
    }
}

#[test]
fn a_gate_holds_until_it_is_lifted() {
    for kind in KINDS {
        let mut replica = released(kind);
        let (writes, end) = replica.run(&gated(&replica, "v2", 0));
        assert_eq!((writes, end), (vec![(5, 3)], Step::Act(Action::Hold { batch: 0 })));
        assert_eq!(numbers(&replica), (5, 2, 2));
        assert_eq!(replica.plan(&gated(&replica, "v2", 0)), Step::Act(Action::Hold { batch: 0 }));
        let (writes, _) = replica.run(&replica.desired("v2", 5, &[2, 3]));
        assert_eq!(writes, [(5, 0)]);
        assert_eq!(numbers(&replica), (5, 5, 5));
    }
}

#[test]
fn a_revert_counts_remaining_pods_of_its_target() {
    for kind in KINDS {
        let mut replica = released(kind);
        replica.run(&gated(&replica, "v2", 0));
        let (writes, end) = replica.run(&replica.desired("v1", 5, &[2, 3]));
        assert_eq!((writes, end), (vec![(5, 3), (5, 0)], Step::Act(Action::Finish)));
        assert_eq!(replica.of("v1"), (5, 5));
    }
}

#[test]
fn a_third_revision_in_mid_rollout_replaces_both() {
    for kind in KINDS {
        let mut replica = released(kind);
        replica.run(&gated(&replica, "v2", 0));
        let (writes, end) = replica.run(&replica.desired("v3", 5, &[2, 3]));
        assert_eq!((writes, end), (vec![(5, 3), (5, 0)], Step::Act(Action::Finish)));
        assert_eq!(replica.of("v3"), (5, 5));
        assert_eq!(replica.spec().sources, ["v1", "v2"]);
    }
}

#[test]
fn upgrades_grow_and_shrink() {
    for kind in KINDS {
        let mut replica = released(kind);
        let (writes, _) = replica.run(&replica.desired("v2", 8, &[2, 2, 4]));
        assert_eq!(writes, [(7, 5), (8, 4), (8, 0)]);
        let (writes, _) = replica.run(&replica.desired("v3", 3, &[1, 2]));
        match kind {
            // Its surplus is deleted at the end, when it can choose the pods.
            WorkloadKind::CloneSet => assert_eq!(writes, [(8, 7), (8, 5), (3, 0)]),
            WorkloadKind::StatefulSet | WorkloadKind::Deployment => assert_eq!(writes, [(3, 2), (3, 0)]),
        }
        assert_eq!(replica.of("v3"), (3, 3));
    }
}

#[test]
fn a_resize_during_a_rollout_resumes_from_the_updated_pods() {
    for kind in KINDS {
        let mut replica = released(kind);
        replica.run(&gated(&replica, "v2", 0));
        let (writes, end) = replica.run(&replica.desired("v2", 7, &[3, 4]));
        assert_eq!((writes, end), (vec![(6, 3), (7, 0)], Step::Act(Action::Finish)));
    }
}

#[test]
fn broken_updated_pods_stop_the_removal_of_others() {
    for kind in KINDS {
        let mut replica = released(kind);
        replica.broken = ["v2".to_owned()].into();
        let request = replica.desired("v2", 5, &[4, 1]);
        while !matches!(replica.plan(&request), Step::Act(Action::Wait { .. })) {
            let step = replica.plan(&request);
            replica.perform(&request, &step);
        }
        replica.settle();
        replica.end(Outcome::Failed);
        // Four broken pods and a ready one; three are requested.
        let request = replica.desired("v2", 3, &[1, 2]);
        while !matches!(replica.plan(&request), Step::Act(Action::Wait { .. })) {
            let step = replica.plan(&request);
            replica.perform(&request, &step);
        }
        assert_eq!((replica.workload().replicas, replica.partition()), (5, 1));
    }
}

#[test]
fn a_preview_waits_for_each_batch_in_turn() {
    for kind in KINDS {
        let replica = released(kind);
        let steps = preview_steps(&replica.observed, &replica.desired("v2", 5, &[2, 3]));
        let goals = steps.iter().filter_map(|foreseen| match &foreseen.step {
            Step::Act(Action::Wait { waiting: Waiting::Ready { goal, .. }, batch }) => Some((*batch, *goal)),
            _ => None,
        });
        assert_eq!(goals.collect::<Vec<_>>(), [(0, 2), (1, 5)]);
    }
}

#[test]
fn scales_change_only_the_size() {
    for kind in KINDS {
        let mut replica = released(kind);
        let (writes, _) = replica.run(&replica.desired("v1", 7, &[1, 1]));
        assert_eq!(writes, [(6, 0), (7, 0)]);
        let (writes, _) = replica.run(&replica.desired("v1", 3, &[1, 3]));
        assert_eq!(writes, [(6, 0), (3, 0)]);
        assert_eq!(numbers(&replica), (3, 3, 3));
    }
}

#[test]
fn an_external_change_stops_the_run_and_the_next_run_reverts_it() {
    for kind in KINDS {
        let mut replica = released(kind);
        let request = replica.desired("v2", 5, &[2, 3]);
        while !matches!(replica.plan(&request), Step::Act(Action::Wait { .. })) {
            let step = replica.plan(&request);
            replica.perform(&request, &step);
        }
        let workload = &mut replica.observed.workloads[0];
        workload.generation += 1;
        workload.replicas = 9;
        assert_eq!(replica.plan(&request), Step::ExternalChange { workload: "web".to_owned() });
        replica.end(Outcome::Failed);
        let (_, end) = replica.run(&request);
        assert_eq!(end, Step::Act(Action::Finish));
        assert_eq!((replica.of("v2"), replica.pods.len()), ((5, 5), 5));
    }
}

#[test]
fn an_upgrade_in_mid_rollout_names_both_sources() {
    for kind in KINDS {
        let mut replica = released(kind);
        replica.run(&gated(&replica, "v2", 0));
        let sources = |replica: &Replica, target| match replica.plan(&replica.desired(target, 5, &[])) {
            Step::Claim { spec, .. } => spec.sources,
            other => panic!("{other:?}"),
        };
        assert_eq!(sources(&replica, "v3"), ["v1", "v2"]);
        assert_eq!(sources(&replica, "v1"), ["v2"]);
        replica.run(&replica.desired("v2", 5, &[2, 3]));
        assert_eq!(sources(&replica, "v3"), ["v2"]);
    }
}

#[test]
fn a_stale_status_passes_no_batch() {
    for kind in KINDS {
        let mut replica = released(kind);
        let request = replica.desired("v2", 5, &[2, 3]);
        let steps = std::iter::from_fn(|| {
            let step = replica.plan(&request);
            let is_wait = matches!(step, Step::Act(Action::Wait { .. }));
            if !is_wait {
                replica.perform(&request, &step);
            }
            (!is_wait).then_some(step)
        });
        let rolls = steps.filter(|step| matches!(step, Step::Act(Action::Roll { .. }))).count();
        // The status still counts five ready pods, which are those of the previous template.
        assert_eq!(rolls, 1);
    }
}

/// One command and the fate of its process.
#[derive(Debug, Clone)]
struct Command {
    target: &'static str,
    size: u32,
    batches: Option<Vec<Batch>>,
    partition: Option<u32>,
    lifetime: usize,
    events: Vec<bool>,
}

fn command() -> impl Strategy<Value = Command> {
    let target = prop_oneof![Just("v1"), Just("v2"), Just("v3")];
    let batch = (1_u32..60)
        .prop_map(|percent| Batch { replicas: Amount::Percent(percent), max_unavailable: Amount::Count(0) });
    let batches = prop::option::of(prop::collection::vec(batch, 1..4));
    let events = prop::collection::vec(any::<bool>(), 1..60);
    (target, 0_u32..9, batches, prop::option::of(0_u32..3), 0_usize..60, events).prop_map(
        |(target, size, batches, partition, lifetime, events)| Command {
            target,
            size,
            batches,
            partition,
            lifetime,
            events,
        },
    )
}

/// The minimum of ready pods during a run: it removes at most a batch before it is replaced.
fn floor(replica: &Replica, spec: &RunSpec) -> u32 {
    let largest = spec.batches.iter().map(|batch| batch.size).max().unwrap_or(0);
    // Changes that an earlier run has requested do not count for this one.
    let mut settled = replica.clone();
    settled.reconcile();
    if spec.kind == WorkloadKind::StatefulSet {
        // Ordinals determine which pods stay, whether they are ready or not.
        settled.pods.truncate(spec.target_size as usize);
    }
    settled.ready().min(spec.target_size).saturating_sub(largest)
}

/// Runs one command until it ends, dies or waits in vain. No batch starts before the previous one is ready.
fn live(replica: &mut Replica, command: &Command) {
    let request = Desired {
        batches: command.batches.clone(),
        partition: command.partition,
        ..replica.desired(command.target, command.size, &[])
    };
    let mut events = command.events.iter();
    let mut least = 0;
    for _ in 0..command.lifetime {
        let step = replica.plan(&request);
        match &step {
            Step::Act(Action::Wait { .. }) => match events.next() {
                Some(true) => replica.reconcile(),
                Some(false) => replica.progress(),
                None => return replica.end(Outcome::Failed),
            },
            Step::Nothing | Step::Refuse(_) => return,
            Step::Act(Action::Roll { batch, .. }) => {
                let spec = replica.spec();
                if spec.mode == Mode::Upgrade && *batch > 0 {
                    let before = spec.goals()[batch - 1];
                    let (_, ready) = replica.of(command.target);
                    assert!(ready >= before, "{ready} of {before} were ready before {step:?}");
                }
                replica.perform(&request, &step);
                let mut prompt = replica.clone();
                prompt.reconcile();
                assert!(prompt.ready() >= least, "{} ready, at least {least}: {step:?}", prompt.ready());
            }
            Step::Claim { spec, .. } => {
                least = floor(replica, spec);
                replica.perform(&request, &step);
            }
            Step::Act(Action::Hold { .. } | Action::Finish) => {
                replica.perform(&request, &step);
                replica.observed.claimed_epoch = None;
                return;
            }
            Step::Stamp { .. } | Step::Act(Action::Create) => replica.perform(&request, &step),
            Step::Superseded { .. } | Step::ExternalChange { .. } => panic!("nobody else is there"),
            Step::Act(Action::Scale { .. } | Action::Delete { .. }) => {
                panic!("not for such a workload: {step:?}")
            }
        }
    }
    replica.observed.claimed_epoch = None;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6_000, ..ProptestConfig::default() })]

    #[test]
    fn any_history_gates_its_batches_and_ends_as_the_last_manifest_requests(
        kind in prop_oneof![Just(WorkloadKind::CloneSet), Just(WorkloadKind::StatefulSet)],
        commands in prop::collection::vec(command(), 1..6),
        broken in prop::collection::btree_set(prop_oneof![Just("v2"), Just("v3")], 0..2),
        last_size in 0_u32..9,
    ) {
        let mut replica = Replica::new(kind);
        replica.broken = broken.into_iter().map(str::to_owned).collect();
        for command in &commands {
            live(&mut replica, command);
        }
        let last = replica.desired("v4", last_size, &[]);
        let (_, end) = replica.run(&last);
        prop_assert!(matches!(end, Step::Act(Action::Finish) | Step::Nothing), "{end:?}");
        let all = vec![Pod { revision: "v4".to_owned(), is_ready: true }; last_size as usize];
        prop_assert_eq!(&replica.pods, &all);
        prop_assert_eq!(replica.plan(&last), Step::Nothing);
    }
}
