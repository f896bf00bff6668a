//! Bringing the pods of a CloneSet to its revision, as far as partition and availability let it.

use super::difference::Difference;
use super::{Failed, Look, Member, in_place, scale};
use crate::sandbox::controllers::replicaset::rank;
use crate::sandbox::object::meta;
use crate::sandbox::store::objects::Store;
use crate::sandbox::store::write::{self, Part};

/// Updates what this look may. States of pods that have changed come first, and then nothing else.
pub(super) fn step(store: &mut Store, look: &Look) -> Result<(), Failed> {
    let mut refreshed = false;
    for member in &look.members {
        refreshed |= in_place::refresh(store, &member.key, &member.pod);
    }
    if refreshed || look.strategy.paused {
        return Ok(());
    }
    let difference = Difference::of(&look.strategy, &look.members);
    let mut waiting: Vec<&Member> = look.members.iter().filter(|member| !member.updated).collect();
    waiting.sort_by_cached_key(|member| rank(&member.pod, &member.key));
    waiting.truncate(usize::try_from(difference.update).unwrap_or_default());
    let allowed = allowed(&waiting, &look.members, difference.update_unavailable);
    for member in &waiting[..allowed] {
        update(store, look, member)?;
    }
    Ok(())
}

/// How many of those that wait, in their order, may become unavailable now.
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

fn update(store: &mut Store, look: &Look, member: &Member) -> Result<(), Failed> {
    let kind = meta::text(&look.set, "/spec/updateStrategy/type");
    if ["InPlaceIfPossible", "InPlaceOnly"].contains(&kind) {
        let old = look.history.of_pod(&member.pod);
        if let Some(old) = old.filter(|old| in_place::is_possible(old, &look.history.update)) {
            in_place::update(store, &member.key, old, &look.history.update);
            return Ok(());
        }
        if kind == "InPlaceOnly" {
            let message = format!(
                "find Pod {} update strategy is InPlaceOnly but can not update in-place",
                member.key.name
            );
            return Err(Failed { condition: "FailedUpdate", message });
        }
    }
    write::modify(store, &member.key, Part::Main, scale::doom);
    Ok(())
}
