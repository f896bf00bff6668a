//! The arithmetic of a rolling update: how far each ReplicaSet may be scaled now.
//!
//! It uses only the sizes and counts of ReplicaSets. See
//! <https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#rolling-update-deployment> and, for a
//! Deployment that is resized in mid-rollout,
//! <https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#proportional-scaling>.

use serde_json::json;

use super::model::{DESIRED, MAXIMUM, OwnedReplicaSet, SyncContext};
use crate::sandbox::object::meta;
use crate::sandbox::store::objects::Store;
use crate::sandbox::store::part::Part;
use crate::sandbox::store::write;

/// How large the newest ReplicaSet may be now; one that does not exist yet is empty.
pub(super) fn newest_replicas(context: &SyncContext) -> i64 {
    let size = context.replicas();
    let now = context.newest.as_ref().map(OwnedReplicaSet::replicas).unwrap_or_default();
    if !context.bounds.rolling || now >= size {
        return size;
    }
    let room = (size + context.bounds.max_surge - context.total()).max(0);
    now + room.min(size - now)
}

/// Scales the old ReplicaSets down as far as availability allows. Returns whether it scaled any.
///
/// ```text
/// floor   = replicas - maxUnavailable          pods that have to stay available
/// most    = total - floor - starting           pods that may go even if none of the starting ones becomes ready
/// spare   = available - floor                  available pods that may go
/// ```
///
/// Unavailable old pods are deleted first, up to `most`: they serve no requests, and otherwise a broken old revision
/// would block the update for ever. Available ones follow up to `spare`. The oldest ReplicaSet shrinks first.
pub(super) fn shrink_others(store: &mut Store, context: &mut SyncContext) -> bool {
    let Some(newest) = context.newest.clone() else { return false };
    let floor = context.replicas() - context.bounds.max_unavailable;
    let starting = newest.replicas() - newest.status("availableReplicas");
    let most = context.total() - floor - starting;
    if most <= 0 || context.others.iter().all(|set| set.replicas() == 0) {
        return false;
    }
    let mut taken = 0;
    for at in 0..context.others.len() {
        let set = context.others[at].clone();
        let broken = set.replicas() - set.status("availableReplicas");
        let share = broken.min(most - taken);
        if share > 0 {
            scale(store, context, &set, set.replicas() - share);
            taken += share;
        }
    }
    let available: i64 = context.all().map(|set| set.status("availableReplicas")).sum();
    let mut spare = available - floor;
    for at in 0..context.others.len() {
        let set = context.others[at].clone();
        let share = set.replicas().min(spare);
        if share > 0 {
            scale(store, context, &set, set.replicas() - share);
            spare -= share;
            taken += share;
        }
    }
    taken > 0
}

/// Spreads a new size over the ReplicaSets in proportion to their sizes: a paused rollout keeps its ratio.
///
/// The largest ReplicaSet comes first and gets the rounding error. Of equal ones the newest grows first and the
/// oldest shrinks first, so that the error moves the rollout forwards.
pub(super) fn proportionally(store: &mut Store, context: &mut SyncContext) {
    let size = context.replicas();
    let mut active: Vec<OwnedReplicaSet> = context.all().filter(|set| set.replicas() > 0).cloned().collect();
    if active.len() <= 1 {
        let latest =
            active.pop().or_else(|| context.newest.clone()).or_else(|| context.others.last().cloned());
        if let Some(set) = latest {
            scale(store, context, &set, size);
        }
        return;
    }
    if is_saturated(context) {
        for set in context.others.clone().iter().filter(|set| set.replicas() > 0) {
            scale(store, context, set, 0);
        }
        return;
    }
    if !context.bounds.rolling {
        return;
    }
    let allowed = if size > 0 { size + context.bounds.max_surge } else { 0 };
    let change = allowed - active.iter().map(OwnedReplicaSet::replicas).sum::<i64>();
    active.sort_by_cached_key(|set| {
        let created = meta::time_at(&set.object, "/metadata/creationTimestamp");
        (std::cmp::Reverse(set.replicas()), std::cmp::Reverse(created))
    });
    if change < 0 {
        active.sort_by_cached_key(|set| {
            (std::cmp::Reverse(set.replicas()), meta::time_at(&set.object, "/metadata/creationTimestamp"))
        });
    }
    let mut added = 0;
    let mut sizes: Vec<i64> = Vec::new();
    for set in &active {
        let share = share(context, set, change, added);
        added += share;
        sizes.push(set.replicas() + share);
    }
    if let Some(first) = sizes.first_mut() {
        *first = (*first + change - added).max(0);
    }
    for (set, replicas) in active.iter().zip(sizes) {
        scale(store, context, set, replicas);
    }
}

fn is_saturated(context: &SyncContext) -> bool {
    let size = context.replicas();
    context.newest.as_ref().is_some_and(|newest| {
        let desired: Option<i64> = meta::annotation(&newest.object, DESIRED).and_then(|d| d.parse().ok());
        newest.replicas() == size && desired == Some(size) && newest.status("availableReplicas") == size
    })
}

/// A ReplicaSet's share of a change of size, of which `added` is already distributed.
fn share(context: &SyncContext, set: &OwnedReplicaSet, change: i64, added: i64) -> i64 {
    if set.replicas() == 0 || change == 0 || change == added {
        return 0;
    }
    let fraction = fraction(context, set);
    if change > 0 { fraction.min(change - added) } else { fraction.max(change - added) }
}

fn fraction(context: &SyncContext, set: &OwnedReplicaSet) -> i64 {
    let size = context.replicas();
    if size == 0 {
        return -set.replicas();
    }
    let before: i64 = meta::annotation(&set.object, MAXIMUM)
        .and_then(|most| most.parse().ok())
        .filter(|most| *most > 0)
        .unwrap_or_else(|| meta::number(&context.deployment, "/status/replicas"));
    if before == 0 {
        return 0;
    }
    let scaled = set.replicas() * (size + context.bounds.max_surge);
    // Rounded to the nearest, halves up.
    (2 * scaled + before).div_euclid(2 * before) - set.replicas()
}

/// Sets the size of a ReplicaSet, and records the Deployment's size and maximum that it was computed for: a later
/// difference shows that the Deployment was resized.
pub(super) fn scale(store: &mut Store, context: &mut SyncContext, set: &OwnedReplicaSet, replicas: i64) {
    let size = context.replicas();
    let most = size + context.bounds.max_surge;
    let edited = write::modify(store, &set.key, Part::Main, |object| {
        object["spec"]["replicas"] = json!(replicas);
        meta::set_annotation(object, DESIRED, &size.to_string());
        meta::set_annotation(object, MAXIMUM, &most.to_string());
    });
    let Some(object) = edited else { return };
    for own in context.others.iter_mut().chain(&mut context.newest) {
        if own.key == set.key {
            own.object = object.clone();
        }
    }
}
