//! Making and deleting pods of a CloneSet until there are as many as asked for.

use serde_json::{Value, json};

use super::difference::Difference;
use super::{DOOMED_LABEL, Failed, IN_PLACE_READY, Look, Member, set_state};
use crate::sandbox::controllers::events;
use crate::sandbox::controllers::replicaset::rank;
use crate::sandbox::controllers::revisions::{self, REVISION_LABEL, short};
use crate::sandbox::object::meta;
use crate::sandbox::store::deletion::{self, Deletion};
use crate::sandbox::store::objects::Store;
use crate::sandbox::store::write::{self, Persist};
use crate::sandbox::validation::registry;

/// Whether pods were made or deleted. If so, nothing is updated in the same look.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scaled {
    Something,
    Nothing,
}

/// Makes or deletes what this look may.
pub(super) fn step(store: &mut Store, look: &Look) -> Result<Scaled, Failed> {
    let difference = Difference::of(&look.strategy, &look.members);
    if difference.missing > 0 {
        return make(store, look, &difference);
    }
    let mut ready_limit = difference.delete_ready_limit;
    let doomed: Vec<&Member> = look.members.iter().filter(|member| member.doomed).collect();
    if !doomed.is_empty() && delete(store, &doomed, &mut ready_limit) == Scaled::Something {
        return Ok(Scaled::Something);
    }
    // What is going to be deleted anyway is waited for.
    if difference.surplus == 0 || !doomed.is_empty() {
        return Ok(Scaled::Nothing);
    }
    let old = difference.surplus_old.min(difference.surplus);
    let mut leaving = choose(look, old, |member| !member.updated);
    leaving.extend(choose(look, difference.surplus - old, |member| member.updated));
    Ok(delete(store, &leaving, &mut ready_limit))
}

fn make(store: &mut Store, look: &Look, difference: &Difference) -> Result<Scaled, Failed> {
    let mut made = Scaled::Nothing;
    for at in 0..difference.make_limit {
        let history = &look.history;
        let revision = if at < difference.missing_old { &history.current } else { &history.update };
        let pod = pod(store, look, revision);
        if let Err(failure) =
            write::create(store, registry::kind("pods"), &look.key.namespace, pod, Persist::Keep)
        {
            let message = failure.message().to_owned();
            events::warn(store, &look.set, "FailedCreate", &format!("failed to create pod: {message}"));
            // What was made is seen first; the next look fails again.
            let failed = Failed { condition: "FailedScale", message };
            return if made == Scaled::Something { Ok(made) } else { Err(failed) };
        }
        made = Scaled::Something;
    }
    Ok(made)
}

fn pod(store: &mut Store, look: &Look, revision: &Value) -> Value {
    let template = revisions::template(revision);
    let (id, name) = (store.issue_suffix(), meta::name(revision));
    let mut pod = json!({"metadata": template["metadata"], "spec": template["spec"]});
    let labels = meta::metadata(&mut pod).entry("labels").or_insert_with(|| json!({}));
    labels[REVISION_LABEL] = json!(name);
    labels["pod-template-hash"] = json!(short(name));
    labels["apps.kruise.io/cloneset-instance-id"] = json!(id);
    set_state(&mut pod, "PreparingNormal", &meta::seconds(store.now));
    let metadata = meta::metadata(&mut pod);
    metadata.insert("generateName".to_owned(), json!(format!("{}-", look.key.name)));
    metadata.insert("name".to_owned(), json!(format!("{}-{id}", look.key.name)));
    metadata.insert("ownerReferences".to_owned(), json!([meta::controller_reference(&look.set)]));
    let gates = meta::section(&mut pod, "spec").entry("readinessGates").or_insert_with(|| json!([]));
    let gate = json!({"conditionType": IN_PLACE_READY});
    if let Some(gates) = gates.as_array_mut().filter(|gates| !gates.contains(&gate)) {
        gates.push(gate);
    }
    pod
}

/// Pods of one kind that go first: unbound, pending, unavailable, then as a ReplicaSet's.
fn choose(look: &Look, number: i64, of: impl Fn(&Member) -> bool) -> Vec<&Member> {
    let mut members: Vec<&Member> = look.members.iter().filter(|member| of(member)).collect();
    members.sort_by_cached_key(|member| {
        let bound = !meta::text(&member.pod, "/spec/nodeName").is_empty();
        let running = meta::text(&member.pod, "/status/phase") == "Running";
        (bound, running, member.available, rank(&member.pod, &member.key))
    });
    members.truncate(usize::try_from(number).unwrap_or_default());
    members
}

/// Deletes pods, ready ones only as far as the limit goes.
fn delete(store: &mut Store, members: &[&Member], ready_limit: &mut i64) -> Scaled {
    let mut deleted = Scaled::Nothing;
    for member in members {
        if member.steady {
            if *ready_limit == 0 {
                continue;
            }
            *ready_limit -= 1;
        }
        // A refusal cannot happen: the pod is there and nothing was demanded of it.
        deletion::delete(store, &member.key, &Deletion::default(), Persist::Keep).ok();
        deleted = Scaled::Something;
    }
    deleted
}

/// Marks a pod as one to be deleted, so that another takes its place.
pub(super) fn doom(pod: &mut Value) {
    meta::metadata(pod).entry("labels").or_insert_with(|| json!({}))[DOOMED_LABEL] = json!("true");
}
