//! How far the pods of a CloneSet are from its spec, and how far one sync may go. Arithmetic only.
//!
//! It is `calculateDiffsWithExpectation` of OpenKruise; the documented part is under [partition], [maxUnavailable]
//! and
//! [maxSurge] of the CloneSet page.
//!
//! [partition]: https://openkruise.io/docs/user-manuals/cloneset/#partition
//! [maxUnavailable]: https://openkruise.io/docs/user-manuals/cloneset/#maxunavailable
//! [maxSurge]: https://openkruise.io/docs/user-manuals/cloneset/#maxsurge

use serde_json::{Value, json};

use super::Member;
use crate::sandbox::controllers::int_or_percent::{Rounding, resolve};

/// The numbers in the spec of a CloneSet, resolved to pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Strategy {
    pub(super) replicas: i64,
    /// How many pods stay on old revisions.
    pub(super) partition: i64,
    surge: i64,
    unavailable: i64,
    /// How many pods may be unavailable while more are created.
    unavailable_while_scaling: i64,
    pub(super) paused: bool,
}

impl Strategy {
    /// Resolves the numbers; `None` without `spec.replicas`.
    pub(super) fn of(set: &Value) -> Option<Self> {
        let replicas = set.pointer("/spec/replicas").and_then(Value::as_i64)?;
        let strategy = &set["spec"]["updateStrategy"];
        let paused = strategy["paused"] == true;
        let surge = if paused { 0 } else { resolve(&strategy["maxSurge"], replicas, Rounding::Up) };
        let usual = json!("20%");
        let unavailable = strategy.get("maxUnavailable").unwrap_or(&usual);
        // Without surge, an update that may delete no pod would never begin.
        let rounding = if surge == 0 { Rounding::Up } else { Rounding::Down };
        let while_scaling = set.pointer("/spec/scaleStrategy/maxUnavailable");
        Some(Self {
            replicas,
            partition: partition(&strategy["partition"], replicas),
            surge,
            unavailable: resolve(unavailable, replicas, rounding),
            unavailable_while_scaling: while_scaling
                .map_or(i64::from(i32::MAX), |value| resolve(value, replicas, Rounding::Up)),
            paused,
        })
    }
}

/// A percentage below 100 that rounds up to all pods leaves one to be updated; otherwise the update would never
/// begin.
fn partition(value: &Value, replicas: i64) -> i64 {
    let mut partition = resolve(value, replicas, Rounding::Up);
    let is_share = value.as_str().is_some_and(|text| text != "100%");
    if is_share && partition == replicas && replicas > 1 {
        partition = replicas - 1;
    }
    partition.clamp(0, replicas.max(0))
}

/// How many pods to create, delete and update, and the limits of one sync.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ExpectationDiffs {
    /// Pods to create; how many of them run the old revision, and how many one sync may create.
    pub(super) scale_up: i64,
    pub(super) scale_up_old: i64,
    pub(super) scale_up_limit: i64,
    /// Pods to delete; how many of them run old revisions.
    pub(super) scale_down: i64,
    pub(super) scale_down_old: i64,
    /// How many ready pods may be deleted now.
    pub(super) delete_ready_limit: i64,
    /// Pods to update, and how many pods may be unavailable meanwhile.
    pub(super) update: i64,
    pub(super) update_max_unavailable: i64,
}

impl ExpectationDiffs {
    pub(super) fn of(strategy: &Strategy, members: &[Member]) -> Self {
        let count = |of: &dyn Fn(&Member) -> bool| {
            i64::try_from(members.iter().filter(|member| of(member)).count()).unwrap_or(i64::MAX)
        };
        let (all, new) = (count(&|_| true), count(&|m| m.updated));
        let old = all - new;
        let (marked_for_deletion, marked_old) =
            (count(&|m| m.marked_for_deletion), count(&|m| m.marked_for_deletion && !m.updated));
        let unavailable = count(&|m| !m.marked_for_deletion && !m.available);
        // An update never moves a pod back to an old revision, so both sides limit it.
        let surplus_of_old = (old - strategy.partition).max(0);
        let lack_of_new = (strategy.replicas - strategy.partition - new).max(0);
        let (surge, surge_old) =
            surge(strategy, unavailable, marked_for_deletion, marked_old, surplus_of_old.min(lack_of_new));
        let (wanted, wanted_old) = (strategy.replicas + surge, strategy.partition + surge_old);
        let mut diffs = Self::default();
        if all < wanted {
            diffs.scale_up = wanted - all;
            diffs.scale_up_old = (wanted_old - old).max(0);
            let room = (strategy.unavailable_while_scaling - unavailable).max(0);
            diffs.scale_up_limit = diffs.scale_up.min(room);
        }
        if all - marked_for_deletion > wanted {
            diffs.scale_down = all - marked_for_deletion - wanted;
            diffs.scale_down_old = (old - marked_old - wanted_old).max(0);
        }
        let spare = strategy.unavailable + all - strategy.replicas;
        if marked_for_deletion > 0 || diffs.scale_down > 0 {
            diffs.delete_ready_limit = (spare - unavailable).max(0);
        }
        diffs.update = surplus_of_old.min(lack_of_new);
        if diffs.update > 0 {
            diffs.update_max_unavailable = spare;
        }
        diffs
    }
}

/// How many pods may exist beyond `spec.replicas` now, and how many of them run the old revision. The surge serves
/// the larger need: replacing marked pods, with their own revision, or updating.
fn surge(
    strategy: &Strategy,
    unavailable: i64,
    marked_for_deletion: i64,
    marked_old: i64,
    updating: i64,
) -> (i64, i64) {
    if strategy.surge == 0 {
        return (0, 0);
    }
    let replacing =
        (unavailable + marked_for_deletion - strategy.unavailable).max(0).min(marked_for_deletion);
    let replacing_old = (replacing - (marked_for_deletion - marked_old)).max(0);
    if replacing >= updating {
        let surge = strategy.surge.min(replacing);
        (surge, surge.min(replacing_old))
    } else {
        (strategy.surge.min(updating), 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::object::key::Key;
    use crate::sandbox::validation::registry;

    use std::sync::Arc;

    fn strategy(replicas: i64, update: &Value) -> Strategy {
        Strategy::of(&json!({"spec": {"replicas": replicas, "updateStrategy": update}})).unwrap()
    }

    fn members(old: usize, new: usize, unready_new: usize) -> Vec<Member> {
        let member = |updated, available| Member {
            key: Key::new(registry::kind("pods"), "default", "pod"),
            pod: Arc::new(json!({})),
            updated,
            ready: available,
            available,
            steady: available,
            marked_for_deletion: false,
        };
        let mut members: Vec<Member> = (0..old).map(|_| member(false, true)).collect();
        members.extend((0..new).map(|at| member(true, at >= unready_new)));
        members
    }

    #[test]
    fn percentages_round_as_documented() {
        let numbers = |replicas, update: &Value| {
            let strategy = strategy(replicas, update);
            (strategy.partition, strategy.unavailable)
        };
        assert_eq!(numbers(5, &json!({})), (0, 1));
        assert_eq!(numbers(6, &json!({"partition": 9})), (6, 2));
        assert_eq!(numbers(5, &json!({"partition": "99%", "maxUnavailable": "100%"})), (4, 5));
        assert_eq!(numbers(5, &json!({"partition": "100%", "maxUnavailable": "30%", "maxSurge": 1})), (5, 1));
        assert_eq!(numbers(0, &json!({"partition": 2})), (0, 0));
    }

    #[test]
    fn an_update_stops_at_the_partition_and_never_goes_back() {
        let update = |partition: i64, old, new| {
            ExpectationDiffs::of(&strategy(5, &json!({"partition": partition})), &members(old, new, 0)).update
        };
        assert_eq!([update(3, 5, 0), update(3, 3, 2), update(5, 3, 2), update(0, 3, 2)], [2, 0, 0, 3]);
    }

    #[test]
    fn missing_pods_are_old_up_to_the_partition() {
        let diffs = |replicas, partition: i64, old, new| {
            let strategy = strategy(replicas, &json!({"partition": partition}));
            let diffs = ExpectationDiffs::of(&strategy, &members(old, new, 0));
            (diffs.scale_up, diffs.scale_up_old)
        };
        assert_eq!(diffs(7, 3, 3, 2), (2, 0));
        assert_eq!(diffs(7, 5, 3, 2), (2, 2));
        assert_eq!(diffs(3, 0, 0, 0), (3, 0));
    }

    #[test]
    fn surplus_pods_are_old_down_to_the_partition() {
        let diffs = |replicas, partition: i64, old, new| {
            let strategy = strategy(replicas, &json!({"partition": partition}));
            let diffs = ExpectationDiffs::of(&strategy, &members(old, new, 0));
            (diffs.scale_down, diffs.scale_down_old, diffs.delete_ready_limit)
        };
        assert_eq!(diffs(3, 1, 3, 2), (2, 2, 3));
        assert_eq!(diffs(3, 3, 3, 2), (2, 0, 3));
    }

    #[test]
    fn a_surge_creates_new_pods_first() {
        let surging = strategy(5, &json!({"partition": 3, "maxSurge": 1, "maxUnavailable": 0}));
        let diffs = ExpectationDiffs::of(&surging, &members(5, 0, 0));
        assert_eq!((diffs.scale_up, diffs.scale_up_old, diffs.update), (1, 0, 2));
        let next = ExpectationDiffs::of(&surging, &members(5, 1, 0));
        assert_eq!((next.scale_up, next.scale_down, next.update, next.update_max_unavailable), (0, 0, 1, 1));
    }
}
