//! Moves the pods of a CloneSet to its update revision, as far as partition and availability allow.

use super::expectation_diffs::ExpectationDiffs;
use super::{Member, SyncContext, SyncError, in_place, scale};
use crate::sandbox::object::{meta, pod};
use crate::sandbox::store::objects::Store;
use crate::sandbox::store::part::Part;
use crate::sandbox::store::write;

/// Updates as many pods as this sync may. If a lifecycle state changed, that is all this sync does.
pub(super) fn step(store: &mut Store, context: &SyncContext) -> Result<(), SyncError> {
    let mut refreshed = false;
    for member in &context.members {
        refreshed |= in_place::refresh(store, &member.key, &member.pod);
    }
    if refreshed || context.strategy.paused {
        return Ok(());
    }
    let diffs = ExpectationDiffs::of(&context.strategy, &context.members);
    let mut waiting: Vec<&Member> = context.members.iter().filter(|member| !member.updated).collect();
    waiting.sort_by_cached_key(|member| pod::deletion_rank(&member.pod, &member.key));
    waiting.truncate(usize::try_from(diffs.update).unwrap_or_default());
    let allowed = allowed(&waiting, &context.members, diffs.update_max_unavailable);
    for member in &waiting[..allowed] {
        update(store, context, member)?;
    }
    Ok(())
}

/// How many of the waiting pods, in their order, may be updated now. A pod that is unavailable anyway costs nothing.
fn allowed(waiting: &[&Member], all: &[Member], most: i64) -> usize {
    let count = |of: &dyn Fn(&Member) -> bool| {
        i64::try_from(all.iter().filter(|member| of(member)).count()).unwrap_or(i64::MAX)
    };
    let mut unavailable = count(&|member| !member.available);
    let broken_updates = count(&|member| member.updated && !member.available);
    let room = usize::try_from(most - broken_updates).unwrap_or_default();
    let mut allowed = 0;
    for member in waiting.iter().take(room) {
        if member.available && unavailable >= most {
            break;
        }
        unavailable += i64::from(member.available);
        allowed += 1;
    }
    allowed
}

fn update(store: &mut Store, context: &SyncContext, member: &Member) -> Result<(), SyncError> {
    let kind = meta::text(&context.set, "/spec/updateStrategy/type");
    if ["InPlaceIfPossible", "InPlaceOnly"].contains(&kind) {
        let old = context.history.of_pod(&member.pod);
        if let Some(old) = old.filter(|old| in_place::is_possible(old, &context.history.update)) {
            in_place::update(store, &member.key, old, &context.history.update);
            return Ok(());
        }
        if kind == "InPlaceOnly" {
            let message = format!(
                "find Pod {} update strategy is InPlaceOnly but can not update in-place",
                member.key.name
            );
            return Err(SyncError { condition: "FailedUpdate", message });
        }
    }
    write::modify(store, &member.key, Part::Main, scale::mark_for_deletion);
    Ok(())
}
