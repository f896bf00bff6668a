//! The arithmetic of a rolling update: how far each ReplicaSet may go now.
//!
//! It works on the sizes and counts of ReplicaSets alone.

use serde_json::json;

use super::model::{DESIRED, MAXIMUM, Rollout, Set};
use crate::sandbox::object::meta;
use crate::sandbox::store::objects::Store;
use crate::sandbox::store::write::{self, Part};

/// How large the newest ReplicaSet may be now, counting it as empty while it is not there.
pub(super) fn newest_replicas(rollout: &Rollout) -> i64 {
    let size = rollout.replicas();
    let now = rollout.newest.as_ref().map(Set::replicas).unwrap_or_default();
    if !rollout.fence.rolling || now >= size {
        return size;
    }
    let room = (size + rollout.fence.surge - rollout.total()).max(0);
    now + room.min(size - now)
}

/// Takes from the other ReplicaSets what availability allows, broken pods first. Whether it took any.
pub(super) fn shrink_others(store: &mut Store, rollout: &mut Rollout) -> bool {
    let Some(newest) = rollout.newest.clone() else { return false };
    let floor = rollout.replicas() - rollout.fence.unavailable;
    let starting = newest.replicas() - newest.status("availableReplicas");
    let most = rollout.total() - floor - starting;
    if most <= 0 || rollout.others.iter().all(|set| set.replicas() == 0) {
        return false;
    }
    let mut taken = 0;
    for at in 0..rollout.others.len() {
        let set = rollout.others[at].clone();
        let broken = set.replicas() - set.status("availableReplicas");
        let share = broken.min(most - taken);
        if share > 0 {
            scale(store, rollout, &set, set.replicas() - share);
            taken += share;
        }
    }
    let available: i64 = rollout.all().map(|set| set.status("availableReplicas")).sum();
    let mut spare = available - floor;
    for at in 0..rollout.others.len() {
        let set = rollout.others[at].clone();
        let share = set.replicas().min(spare);
        if share > 0 {
            scale(store, rollout, &set, set.replicas() - share);
            spare -= share;
            taken += share;
        }
    }
    taken > 0
}

/// Spreads a new size over the ReplicaSets in proportion to theirs, as for a paused Deployment.
pub(super) fn proportionally(store: &mut Store, rollout: &mut Rollout) {
    let size = rollout.replicas();
    let mut active: Vec<Set> = rollout.all().filter(|set| set.replicas() > 0).cloned().collect();
    if active.len() <= 1 {
        let latest =
            active.pop().or_else(|| rollout.newest.clone()).or_else(|| rollout.others.last().cloned());
        if let Some(set) = latest {
            scale(store, rollout, &set, size);
        }
        return;
    }
    if is_saturated(rollout) {
        for set in rollout.others.clone().iter().filter(|set| set.replicas() > 0) {
            scale(store, rollout, set, 0);
        }
        return;
    }
    if !rollout.fence.rolling {
        return;
    }
    let allowed = if size > 0 { size + rollout.fence.surge } else { 0 };
    let change = allowed - active.iter().map(Set::replicas).sum::<i64>();
    active.sort_by_cached_key(|set| {
        let created = meta::moment(&set.object, "/metadata/creationTimestamp");
        (std::cmp::Reverse(set.replicas()), std::cmp::Reverse(created))
    });
    if change < 0 {
        active.sort_by_cached_key(|set| {
            (std::cmp::Reverse(set.replicas()), meta::moment(&set.object, "/metadata/creationTimestamp"))
        });
    }
    let mut added = 0;
    let mut sizes: Vec<i64> = Vec::new();
    for set in &active {
        let share = share(rollout, set, change, added);
        added += share;
        sizes.push(set.replicas() + share);
    }
    if let Some(first) = sizes.first_mut() {
        *first = (*first + change - added).max(0);
    }
    for (set, replicas) in active.iter().zip(sizes) {
        scale(store, rollout, set, replicas);
    }
}

fn is_saturated(rollout: &Rollout) -> bool {
    let size = rollout.replicas();
    rollout.newest.as_ref().is_some_and(|newest| {
        let desired: Option<i64> = meta::annotation(&newest.object, DESIRED).and_then(|d| d.parse().ok());
        newest.replicas() == size && desired == Some(size) && newest.status("availableReplicas") == size
    })
}

/// A ReplicaSet's part of a change of size, of which `added` is already given out.
fn share(rollout: &Rollout, set: &Set, change: i64, added: i64) -> i64 {
    if set.replicas() == 0 || change == 0 || change == added {
        return 0;
    }
    let fraction = fraction(rollout, set);
    if change > 0 { fraction.min(change - added) } else { fraction.max(change - added) }
}

fn fraction(rollout: &Rollout, set: &Set) -> i64 {
    let size = rollout.replicas();
    if size == 0 {
        return -set.replicas();
    }
    let before: i64 = meta::annotation(&set.object, MAXIMUM)
        .and_then(|most| most.parse().ok())
        .filter(|most| *most > 0)
        .unwrap_or_else(|| meta::number(&rollout.deployment, "/status/replicas"));
    if before == 0 {
        return 0;
    }
    let scaled = set.replicas() * (size + rollout.fence.surge);
    // Rounded to the nearest, halves up.
    (2 * scaled + before).div_euclid(2 * before) - set.replicas()
}

/// Gives a ReplicaSet its size and notes on it what that size was made for.
pub(super) fn scale(store: &mut Store, rollout: &mut Rollout, set: &Set, replicas: i64) {
    let size = rollout.replicas();
    let most = size + rollout.fence.surge;
    let edited = write::modify(store, &set.key, Part::Main, |object| {
        object["spec"]["replicas"] = json!(replicas);
        let annotations = meta::metadata(object).entry("annotations").or_insert_with(|| json!({}));
        annotations[DESIRED] = json!(size.to_string());
        annotations[MAXIMUM] = json!(most.to_string());
    });
    let Some(object) = edited else { return };
    for own in rollout.others.iter_mut().chain(&mut rollout.newest) {
        if own.key == set.key {
            own.object = object.clone();
        }
    }
}
