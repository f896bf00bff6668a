//! Creates and deletes pods of a CloneSet until there are as many as `spec.replicas`.

use serde_json::{Value, json};

use super::expectation_diffs::ExpectationDiffs;
use super::{IN_PLACE_READY, Member, SPECIFIED_DELETE_LABEL, SyncContext, SyncError, set_state};
use crate::sandbox::controllers::revisions::{self, REVISION_LABEL, short};
use crate::sandbox::event_recorder::{self, Aggregate, EventText};
use crate::sandbox::object::{meta, pod};
use crate::sandbox::store::deletion::{self, DeleteOptions};
use crate::sandbox::store::objects::Store;
use crate::sandbox::store::write::{self, DryRun};
use crate::sandbox::validation::registry;

/// Whether pods were created or deleted. If so, the same sync updates none.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scaled {
    Changed,
    Unchanged,
}

/// Creates or deletes as many pods as this sync may.
pub(super) fn step(store: &mut Store, context: &SyncContext) -> Result<Scaled, SyncError> {
    let diffs = ExpectationDiffs::of(&context.strategy, &context.members);
    if diffs.scale_up > 0 {
        return create_pods(store, context, &diffs);
    }
    let mut ready_limit = diffs.delete_ready_limit;
    let marked_for_deletion: Vec<&Member> =
        context.members.iter().filter(|member| member.marked_for_deletion).collect();
    if !marked_for_deletion.is_empty()
        && delete(store, &marked_for_deletion, &mut ready_limit) == Scaled::Changed
    {
        return Ok(Scaled::Changed);
    }
    // Marked pods that may not be deleted yet come first.
    if diffs.scale_down == 0 || !marked_for_deletion.is_empty() {
        return Ok(Scaled::Unchanged);
    }
    let old = diffs.scale_down_old.min(diffs.scale_down);
    let mut leaving = choose(context, old, |member| !member.updated);
    leaving.extend(choose(context, diffs.scale_down - old, |member| member.updated));
    Ok(delete(store, &leaving, &mut ready_limit))
}

fn create_pods(
    store: &mut Store,
    context: &SyncContext,
    diffs: &ExpectationDiffs,
) -> Result<Scaled, SyncError> {
    let mut made = Scaled::Unchanged;
    for at in 0..diffs.scale_up_limit {
        let history = &context.history;
        let revision = if at < diffs.scale_up_old { &history.current } else { &history.update };
        let pod = new_pod(store, context, revision);
        if let Err(failure) =
            write::create(store, registry::kind("pods"), &context.key.namespace, pod, DryRun::Off)
        {
            let message = failure.message().to_owned();
            let event = EventText {
                component: "cloneset-controller",
                reason: "FailedCreate",
                message: format!("failed to create pod: {message}"),
                count: 1,
            };
            event_recorder::warn(store, &context.set, &event, Aggregate::ByReason);
            // The pods that were created are reported first; the next sync fails again.
            let failed = SyncError { condition: "FailedScale", message };
            return if made == Scaled::Changed { Ok(made) } else { Err(failed) };
        }
        made = Scaled::Changed;
    }
    Ok(made)
}

fn new_pod(store: &mut Store, context: &SyncContext, revision: &Value) -> Value {
    let template = revisions::template(revision);
    let (id, name) = (store.issue_suffix(), meta::name(revision));
    let mut pod = json!({"metadata": template["metadata"], "spec": template["spec"]});
    meta::set_label(&mut pod, REVISION_LABEL, name);
    meta::set_label(&mut pod, "pod-template-hash", short(name));
    meta::set_label(&mut pod, "apps.kruise.io/cloneset-instance-id", &id);
    set_state(&mut pod, "PreparingNormal", &meta::format_time(store.now));
    let metadata = meta::metadata(&mut pod);
    metadata.insert("generateName".to_owned(), json!(format!("{}-", context.key.name)));
    metadata.insert("name".to_owned(), json!(format!("{}-{id}", context.key.name)));
    metadata.insert("ownerReferences".to_owned(), json!([meta::controller_reference(&context.set)]));
    let gates = meta::object_mut(&mut pod, "spec").entry("readinessGates").or_insert_with(|| json!([]));
    let gate = json!({"conditionType": IN_PLACE_READY});
    if let Some(gates) = gates.as_array_mut().filter(|gates| !gates.contains(&gate)) {
        gates.push(gate);
    }
    pod
}

/// The pods to delete: those without a node, pending or unavailable first, then in a ReplicaSet's order.
fn choose(context: &SyncContext, number: i64, of: impl Fn(&Member) -> bool) -> Vec<&Member> {
    let mut members: Vec<&Member> = context.members.iter().filter(|member| of(member)).collect();
    members.sort_by_cached_key(|member| {
        let bound = pod::is_bound(&member.pod);
        let running = meta::text(&member.pod, "/status/phase") == "Running";
        (bound, running, member.available, pod::deletion_rank(&member.pod, &member.key))
    });
    members.truncate(usize::try_from(number).unwrap_or_default());
    members
}

/// Deletes pods, at most `ready_limit` ready ones.
fn delete(store: &mut Store, members: &[&Member], ready_limit: &mut i64) -> Scaled {
    let mut deleted = Scaled::Unchanged;
    for member in members {
        if member.steady {
            if *ready_limit == 0 {
                continue;
            }
            *ready_limit -= 1;
        }
        deletion::delete_for_controller(store, &member.key, &DeleteOptions::default());
        deleted = Scaled::Changed;
    }
    deleted
}

/// Marks a pod so that the controller deletes and replaces it.
pub(super) fn mark_for_deletion(pod: &mut Value) {
    meta::set_label(pod, SPECIFIED_DELETE_LABEL, "true");
}
