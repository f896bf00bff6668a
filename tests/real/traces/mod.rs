//! Compares the sandbox's controllers of CloneSets and StatefulSets with the real ones, step by step.
//!
//! A trace is the sequence of a workload's statuses that a watch sees between two writes. The same writes are made on
//! the control plane and in a sandbox, each after the previous one has had the expected effect, and both traces must
//! agree in all aspects that do not depend on time. See `normal` for these.

mod answers;
mod backend;
mod clone_sets;
mod normal;
mod play;
mod shapes;
mod stateful_sets;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::build::say;
use crate::control_plane::ControlPlane;
use crate::real_env::RealEnv;

pub(crate) type TestFn = fn(&RealEnv);

/// The number of comparisons before a difference counts.
const ATTEMPTS: usize = 3;

/// Compares the two backends, repeatedly if they differ. A real difference occurs every time; one due to a busy
/// machine, such as a pod that is ready before its controller has retried, does not.
pub(crate) fn compare(name: &str, story: TestFn, plane: &ControlPlane) {
    for attempt in 1..=ATTEMPTS {
        let env = plane.env(&format!("{name}_{attempt}"));
        match catch_unwind(AssertUnwindSafe(|| story(&env))) {
            Ok(()) => return,
            Err(difference) if attempt == ATTEMPTS => resume_unwind(difference),
            Err(_) => say(&format!("{name} differed; it is compared again")),
        }
    }
}

pub(crate) const TESTS: [(&str, TestFn); 29] = [
    ("trace_cloneset_answers", answers::of_clone_sets),
    ("trace_statefulset_answers", answers::of_stateful_sets),
    ("trace_cloneset_sizes", clone_sets::sizes),
    ("trace_cloneset_replacing_all_at_once", clone_sets::replacing_all_at_once),
    ("trace_cloneset_replacing_as_usual", clone_sets::replacing_as_usual),
    ("trace_cloneset_in_place_all_at_once", clone_sets::in_place_all_at_once),
    ("trace_cloneset_in_place_as_usual", clone_sets::in_place_as_usual),
    ("trace_cloneset_reverted_midway", clone_sets::reverted_midway),
    ("trace_cloneset_superseded_midway", clone_sets::superseded_midway),
    ("trace_cloneset_broken_replacements", clone_sets::broken_replacements),
    ("trace_cloneset_broken_in_place", clone_sets::broken_in_place),
    ("trace_cloneset_all_in_one_write", clone_sets::all_in_one_write),
    ("trace_cloneset_paused", clone_sets::paused),
    ("trace_cloneset_surging", clone_sets::surging),
    ("trace_cloneset_ready_for_a_while", clone_sets::ready_for_a_while),
    ("trace_cloneset_not_in_place", clone_sets::not_in_place),
    ("trace_cloneset_shares", clone_sets::shares),
    ("trace_cloneset_without_image", clone_sets::without_image),
    ("trace_statefulset_sizes", stateful_sets::sizes),
    ("trace_statefulset_sizes_in_parallel", stateful_sets::sizes_in_parallel),
    ("trace_statefulset_upgrades", stateful_sets::upgrades),
    ("trace_statefulset_upgrades_in_parallel", stateful_sets::upgrades_in_parallel),
    ("trace_statefulset_broken_and_stuck", stateful_sets::broken_and_stuck),
    ("trace_statefulset_broken_in_parallel", stateful_sets::broken_in_parallel),
    ("trace_statefulset_all_in_one_write", stateful_sets::all_in_one_write),
    ("trace_statefulset_replaced_by_hand", stateful_sets::replaced_by_hand),
    ("trace_statefulset_ready_for_a_while", stateful_sets::ready_for_a_while),
    ("trace_statefulset_counted_from_elsewhere", stateful_sets::counted_from_elsewhere),
    ("trace_statefulset_broken_from_the_start", stateful_sets::broken_from_the_start),
];
