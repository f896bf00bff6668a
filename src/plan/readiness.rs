//! When a workload has done what its last write asked. Pure.
//!
//! No count is believed before the controller has seen the generation that it should be a count of.

use crate::plan::observed::Workload;

/// Whether the status is about the spec as it is now.
#[must_use]
pub fn is_fresh(workload: &Workload) -> bool {
    workload.observed_generation >= workload.generation
}

/// Ready pods of the workload's own template, at least; none while the status is stale.
#[must_use]
pub fn ready_replicas(workload: &Workload) -> u32 {
    match &workload.in_place {
        _ if !is_fresh(workload) => 0,
        Some(in_place) => in_place.updated_ready,
        None => ready_in_status(workload),
    }
}

/// The same by the status as it is: some of the ready pods may be of another template, though no more than there are
/// such pods.
#[must_use]
pub fn ready_in_status(workload: &Workload) -> u32 {
    let others = workload.status_replicas.saturating_sub(workload.updated_replicas);
    workload.ready_replicas.saturating_sub(others)
}

/// Whether at least `goal` pods, less those tolerated, are ready.
#[must_use]
pub fn has_ready(workload: &Workload, goal: u32, tolerated: u32) -> bool {
    is_fresh(workload) && ready_replicas(workload).saturating_add(tolerated) >= goal
}

/// Whether no more pods exist than the spec asks for.
#[must_use]
pub fn is_drained(workload: &Workload) -> bool {
    is_fresh(workload) && workload.status_replicas <= workload.replicas
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::observed::Uid;

    fn workload(
        generation: i64,
        observed: i64,
        replicas: u32,
        existing: u32,
        ready: u32,
        updated: u32,
    ) -> Workload {
        Workload {
            name: "web-v1".into(),
            uid: Uid("u".into()),
            resource_version: "1".into(),
            replicas,
            generation,
            observed_generation: observed,
            status_replicas: existing,
            ready_replicas: ready,
            updated_replicas: updated,
            epoch: None,
            annotated: false,
            created: None,
            deleting: false,
            paused: false,
            images: std::collections::BTreeMap::new(),
            in_place: None,
        }
    }

    #[test]
    fn a_stale_status_counts_for_nothing() {
        let stale = workload(2, 1, 5, 5, 5, 5);
        assert!(!has_ready(&stale, 0, 0));
        assert_eq!(ready_replicas(&stale), 0);
        assert!(!is_drained(&stale));
    }

    #[test]
    fn an_absent_observed_generation_never_equals() {
        assert!(!is_fresh(&workload(0, -1, 1, 1, 1, 1)));
    }

    #[test]
    fn readiness_counts_pods_of_the_present_template() {
        assert!(has_ready(&workload(1, 1, 3, 3, 3, 3), 3, 0));
        assert!(!has_ready(&workload(1, 1, 3, 3, 3, 2), 3, 0));
        assert!(has_ready(&workload(1, 1, 3, 3, 2, 3), 3, 1));
    }

    #[test]
    fn draining_waits_for_pods_to_go() {
        assert!(!is_drained(&workload(1, 1, 3, 5, 5, 5)));
        assert!(is_drained(&workload(1, 1, 3, 3, 0, 3)));
    }
}
