//! The batch loop as a pure function, which finds the first condition of a run that the workloads do not meet yet.
//!
//! It keeps no state. Progress is derived from the workloads, so a run that was killed at any point is simply evaluated
//! again, and a batch that has reached its size is still gated on its readiness.

use crate::plan::action::{Action, Waiting};
use crate::plan::observed::Workload;
use crate::plan::run::RunSpec;
use crate::plan::{in_place, per_revision};

/// The next action of a run. `workloads` are all workloads of the component, of any revision.
#[must_use]
pub fn next_action(spec: &RunSpec, workloads: &[Workload]) -> Action {
    decide(spec, workloads).0
}

/// How many of the first batches of a run are done: their pods are ready, and surplus pods are gone. The next action
/// may be about a later batch, if others have changed a size or a pod has become unready again.
#[must_use]
pub fn done_batches(spec: &RunSpec, workloads: &[Workload]) -> usize {
    decide(spec, workloads).1
}

fn decide(spec: &RunSpec, workloads: &[Workload]) -> (Action, usize) {
    let is_in_place = spec.kind.is_in_place();
    let is_target = |workload: &&Workload| is_in_place || workload.name == spec.target;
    let Some(target) = workloads.iter().find(is_target) else {
        return (Action::Create, 0);
    };
    if target.deleting {
        let waiting = Waiting::Deletion { workload: target.name.clone() };
        return (Action::Wait { waiting, batch: 0 }, 0);
    }
    if is_in_place {
        in_place::next_action(spec, target)
    } else {
        per_revision::next_action(spec, target, workloads)
    }
}
