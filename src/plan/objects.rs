//! Decides what to do next for a component that is applied as a whole, and counts its progress. Pure.
//!
//! | observed | next |
//! |---|---|
//! | an object that is not as rendered | apply those of its stage, unless a stage before has one that others need and that is not ready |
//! | all as rendered, one not ready | wait |
//! | all ready, an object or a workload of another revision | delete it |
//! | nothing else | finish |

use serde_json::Value;

use crate::oam::object::ObjectRef;
use crate::plan::object_readiness::{PodCount, Readiness, object_pods};

/// An object of the target as last observed.
#[derive(Debug, Clone, PartialEq)]
pub struct ObservedObject {
    /// Which object it is.
    pub reference: ObjectRef,
    /// The stage in which it is applied: objects of a stage are applied concurrently, after those of smaller ones.
    pub stage: usize,
    /// Whether this run has applied it as rendered.
    pub is_applied: bool,
    /// Whether it is ready.
    pub readiness: Readiness,
    /// Its pods; `None` if it has none.
    pub pods: Option<PodCount>,
}

/// What a run does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectAction {
    /// Apply these objects (zero-based) concurrently.
    Apply(Vec<usize>),
    /// Wait for an object (zero-based) for this reason.
    Wait {
        /// The first that is not ready.
        object: usize,
        /// What it waits for, such as `1 of 3 ready`.
        reason: String,
    },
    /// End the run at an object (zero-based) that will not become ready, for this reason.
    Fail {
        /// The first that has failed.
        object: usize,
        /// Why, such as `BackoffLimitExceeded: Job has reached the specified backoff limit`.
        reason: String,
    },
    /// Delete what other revisions left behind.
    DeleteLeftovers,
    /// Record the success.
    Finish,
}

/// Decides the next action of a run.
#[must_use]
pub fn next_object_action(objects: &[ObservedObject], has_leftovers: bool) -> ObjectAction {
    let unready = |index: usize, object: &ObservedObject| match &object.readiness {
        Readiness::Ready => None,
        Readiness::Unobserved => Some(ObjectAction::Wait {
            object: index,
            reason: "not yet observed by its controller".to_owned(),
        }),
        Readiness::Unready(reason) => Some(ObjectAction::Wait { object: index, reason: reason.clone() }),
        Readiness::Failed(reason) => Some(ObjectAction::Fail { object: index, reason: reason.clone() }),
    };
    let stage = objects.iter().filter(|object| !object.is_applied).map(|object| object.stage).min();
    if let Some(stage) = stage {
        let before = objects.iter().enumerate().filter(|(_, object)| object.stage < stage);
        let awaited =
            before.filter(|(_, object)| is_needed_by_others(object)).find_map(|(i, one)| unready(i, one));
        if let Some(wait) = awaited {
            return wait;
        }
        let due = objects.iter().enumerate().filter(|(_, one)| one.stage == stage && !one.is_applied);
        return ObjectAction::Apply(due.map(|(index, _)| index).collect());
    }
    let unready = objects.iter().enumerate().filter_map(|(index, object)| unready(index, object));
    // A failed object ends the run, even if others are still waiting.
    let is_failure = |action: &ObjectAction| matches!(action, ObjectAction::Fail { .. });
    if let Some(next) = unready.min_by_key(|action| !is_failure(action)) {
        return next;
    }
    if has_leftovers { ObjectAction::DeleteLeftovers } else { ObjectAction::Finish }
}

/// Whether objects of later stages cannot even be created before this one is ready.
fn is_needed_by_others(object: &ObservedObject) -> bool {
    matches!(object.reference.kind.as_str(), "CustomResourceDefinition" | "Namespace")
}

/// The progress of the objects: in pods if there are any, otherwise in objects.
#[must_use]
pub fn count_progress(objects: &[ObservedObject]) -> PodCount {
    let is_ready = |object: &&ObservedObject| object.is_applied && object.readiness == Readiness::Ready;
    let pods: Vec<(bool, PodCount)> =
        objects.iter().filter_map(|object| Some((object.is_applied, object.pods?))).collect();
    if pods.is_empty() {
        let count = |many: usize| u32::try_from(many).unwrap_or(u32::MAX);
        return PodCount {
            wanted: count(objects.len()),
            updated: count(objects.iter().filter(|object| object.is_applied).count()),
            ready: count(objects.iter().filter(is_ready).count()),
        };
    }
    // Pods of an object that is still to be written are of another revision.
    let of_target = |(is_applied, pods): (bool, PodCount)| match is_applied {
        true => pods,
        false => PodCount { updated: 0, ready: 0, ..pods },
    };
    pods.into_iter().map(of_target).fold(PodCount::default(), PodCount::plus)
}

/// The number of pods that these objects request or, without any pods, of objects.
#[must_use]
pub fn wanted_size(objects: &[Value]) -> u32 {
    let pods: Vec<u32> = objects.iter().filter_map(|object| Some(object_pods(object)?.wanted)).collect();
    if pods.is_empty() {
        return u32::try_from(objects.len()).unwrap_or(u32::MAX);
    }
    pods.into_iter().fold(0, u32::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(kind: &str, stage: usize, is_applied: bool, readiness: Readiness) -> ObservedObject {
        let reference = ObjectRef {
            api_version: "v1".to_owned(),
            kind: kind.to_owned(),
            namespace: None,
            name: "web".to_owned(),
        };
        ObservedObject { reference, stage, is_applied, readiness, pods: None }
    }

    fn waiting() -> Readiness {
        Readiness::Unready("0 of 1 ready".to_owned())
    }

    #[test]
    fn stages_are_applied_in_order_before_waiting_for_readiness() {
        use ObjectAction::{Apply, DeleteLeftovers, Fail, Finish, Wait};
        let wait = |object| Wait { object, reason: "0 of 1 ready".to_owned() };
        let ready = || Readiness::Ready;
        let failed = || Readiness::Failed("deadline".to_owned());
        let cases = [
            (
                vec![object("ConfigMap", 1, false, waiting()), object("Deployment", 2, false, waiting())],
                Apply(vec![0]),
            ),
            (
                vec![object("ConfigMap", 1, true, ready()), object("Deployment", 2, false, waiting())],
                Apply(vec![1]),
            ),
            // Later stages do not wait for pods.
            (
                vec![object("Deployment", 2, true, waiting()), object("Ingress", 3, false, waiting())],
                Apply(vec![1]),
            ),
            (
                vec![object("Namespace", 0, true, waiting()), object("Deployment", 2, false, waiting())],
                wait(0),
            ),
            (
                vec![object("Secret", 1, false, waiting()), object("ConfigMap", 1, false, waiting())],
                Apply(vec![0, 1]),
            ),
            (vec![object("ConfigMap", 1, true, ready()), object("Deployment", 2, true, waiting())], wait(1)),
            (
                vec![object("Deployment", 2, true, waiting()), object("Job", 2, true, failed())],
                Fail { object: 1, reason: "deadline".to_owned() },
            ),
            (vec![object("Deployment", 2, true, ready())], Finish),
        ];
        for (objects, expected) in cases {
            assert_eq!(next_object_action(&objects, false), expected, "{objects:?}");
        }
        assert_eq!(next_object_action(&[object("Deployment", 2, true, ready())], true), DeleteLeftovers);
        assert_eq!(next_object_action(&[object("Deployment", 2, true, waiting())], true), wait(0));
    }

    #[test]
    fn progress_counts_pods_or_without_pods_objects() {
        let mut web = object("Deployment", 2, true, waiting());
        web.pods = Some(PodCount { wanted: 3, updated: 2, ready: 1 });
        let config = object("ConfigMap", 1, true, Readiness::Ready);
        let count = |wanted, updated, ready| PodCount { wanted, updated, ready };
        assert_eq!(count_progress(&[config.clone(), web.clone()]), count(3, 2, 1));
        assert_eq!(
            count_progress(&[config.clone(), object("Secret", 1, false, Readiness::Ready)]),
            count(2, 1, 1)
        );
        web.is_applied = false;
        assert_eq!(count_progress(&[web]), count(3, 0, 0));
    }
}
