//! Where a component stands that is applied as a whole, by the objects that its run names.

use std::collections::BTreeSet;

use kube::ResourceExt;
use kube::api::DynamicObject;

use crate::cluster::keys;
use crate::cluster::record_store::StoredRecord;
use crate::oam::object::ObjectRef;
use crate::ops::status::{is_held_in_workflow, message};
use crate::plan::object_readiness::{Readiness, object_pods, object_readiness};
use crate::plan::objects::{ObservedObject, count_progress};
use crate::plan::record::Record;
use crate::plan::run::{Mode, Outcome};
use crate::plan::states::{BatchState, RollingState};
use crate::report::status::ComponentStatus;

/// The objects of the components that are applied as a whole.
pub(in crate::ops) fn applied_objects<'a>(
    records: impl IntoIterator<Item = &'a StoredRecord>,
) -> BTreeSet<ObjectRef> {
    records.into_iter().flat_map(|stored| &stored.record.run.spec.objects).cloned().collect()
}

/// Where a component stands; `None` where it is rolled out in batches.
pub(in crate::ops) fn status_of_objects(
    stored: &StoredRecord,
    find: impl Fn(&ObjectRef) -> Option<DynamicObject>,
) -> Option<ComponentStatus> {
    let StoredRecord { record, created, .. } = stored;
    let run = &record.run;
    if run.spec.mode != Mode::Apply {
        return None;
    }
    let seen: Vec<ObservedObject> = run.spec.objects.iter().map(|one| observe(record, one, &find)).collect();
    let count = count_progress(&seen);
    let drift = seen.iter().find_map(|object| match &object.readiness {
        Readiness::Ready => None,
        Readiness::Unobserved => Some(format!("{}: not yet observed by its controller", object.reference)),
        Readiness::Unready(reason) | Readiness::Failed(reason) => {
            Some(format!("{}: {reason}", object.reference))
        }
    });
    let (rolling_state, batch_rolling_state) = match run.outcome {
        Outcome::Succeeded => (RollingState::RolloutSucceed, BatchState::Ready),
        Outcome::Failed => (RollingState::RolloutFailed, BatchState::VerifyFailed),
        Outcome::Superseded => (RollingState::RolloutAbandoning, BatchState::Initializing),
        Outcome::Held if is_held_in_workflow(run) => (RollingState::Initializing, BatchState::Initializing),
        Outcome::Running | Outcome::Held | Outcome::Paused | Outcome::Interrupted => {
            let is_applied = seen.iter().all(|object| object.is_applied);
            (
                RollingState::RollingInBatches,
                if is_applied { BatchState::Verifying } else { BatchState::InRolling },
            )
        }
    };
    Some(ComponentStatus {
        component: record.component.clone(),
        application: record.application.clone(),
        revision: run.spec.target.clone(),
        rollout_target_size: i64::from(count.wanted),
        upgraded_replicas: count.updated,
        upgraded_ready_replicas: count.ready,
        batch_rolling_state,
        rolling_state,
        created: *created,
        is_whole: drift.is_none(),
        is_held_in_workflow: is_held_in_workflow(run),
        message: message(run, 0, &record.application).or(drift),
        ..ComponentStatus::default()
    })
}

fn observe(
    record: &Record,
    reference: &ObjectRef,
    find: impl Fn(&ObjectRef) -> Option<DynamicObject>,
) -> ObservedObject {
    let live = find(reference);
    let stamp = live.as_ref().and_then(|live| live.annotations().get(keys::EPOCH)?.parse().ok());
    let is_applied =
        live.is_some() && (record.run.outcome == Outcome::Succeeded || stamp == Some(record.epoch.0));
    let live = live.and_then(|live| serde_json::to_value(live).ok());
    ObservedObject {
        reference: reference.clone(),
        stage: 0,
        is_applied,
        readiness: match &live {
            Some(live) => object_readiness(live),
            None => Readiness::Unready("does not exist".to_owned()),
        },
        pods: live.as_ref().and_then(object_pods),
    }
}
