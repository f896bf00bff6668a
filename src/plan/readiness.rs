//! Decides when a workload has reached the state of its last write. Pure.
//!
//! No count is trusted before the controller has observed the latest generation.

use crate::plan::observed::Workload;

/// Whether the status is about the newest spec.
#[must_use]
pub fn is_fresh(workload: &Workload) -> bool {
    workload.observed_generation >= workload.generation
}

/// A lower bound of the ready pods of the workload's own template; zero while the status is stale.
#[must_use]
pub fn ready_replicas(workload: &Workload) -> u32 {
    match &workload.in_place {
        _ if !is_fresh(workload) => 0,
        Some(in_place) => in_place.updated_ready,
        None => ready_in_status(workload),
    }
}

/// The same bound from a status that may be stale: all pods of other templates may be among the ready ones.
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

/// Whether no more pods exist than the spec requests.
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
    fn a_stale_status_is_ignored() {
        let stale = workload(2, 1, 5, 5, 5, 5);
        assert!(!has_ready(&stale, 0, 0));
        assert_eq!(ready_replicas(&stale), 0);
        assert!(!is_drained(&stale));
    }

    #[test]
    fn a_status_without_observed_generation_is_stale() {
        assert!(!is_fresh(&workload(0, -1, 1, 1, 1, 1)));
    }

    #[test]
    fn readiness_counts_pods_of_the_present_template() {
        assert!(has_ready(&workload(1, 1, 3, 3, 3, 3), 3, 0));
        assert!(!has_ready(&workload(1, 1, 3, 3, 3, 2), 3, 0));
        assert!(has_ready(&workload(1, 1, 3, 3, 2, 3), 3, 1));
    }

    #[test]
    fn draining_waits_until_surplus_pods_are_gone() {
        assert!(!is_drained(&workload(1, 1, 3, 5, 5, 5)));
        assert!(is_drained(&workload(1, 1, 3, 3, 0, 3)));
    }
}
