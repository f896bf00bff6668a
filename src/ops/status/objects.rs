//! Computes the status of a component that is applied as a whole, from the objects that its run names.

use std::collections::BTreeSet;

use kube::ResourceExt;
use kube::api::DynamicObject;

use crate::cluster::keys;
use crate::cluster::record_store::StoredRecord;
use crate::oam::object::ObjectRef;
use crate::ops::status::message;
use crate::plan::object_readiness::{Readiness, object_pods, object_readiness};
use crate::plan::objects::ObservedObject;
use crate::plan::record::Record;
use crate::plan::run::{Mode, Outcome};
use crate::plan::run_status::object_run_status;
use crate::report::status::ComponentStatus;

/// The objects of the components that are applied as a whole.
pub(in crate::ops) fn applied_objects<'a>(
    records: impl IntoIterator<Item = &'a StoredRecord>,
) -> BTreeSet<ObjectRef> {
    records.into_iter().flat_map(|stored| &stored.record.run.spec.objects).cloned().collect()
}

/// The status of a component; `None` if it is rolled out in batches.
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
    let status = object_run_status(run, &seen);
    Some(ComponentStatus {
        component: record.component.clone(),
        application: record.application.clone(),
        revision: run.spec.target.clone(),
        rollout_target_size: i64::from(status.target_size),
        upgraded_replicas: status.upgraded,
        upgraded_ready_replicas: status.ready,
        batch_rolling_state: status.batch_state,
        rolling_state: status.rolling_state,
        created: *created,
        is_whole: status.drift.is_none(),
        is_held_in_workflow: run.is_held_in_workflow(),
        message: message(run, 0, &record.application).or(status.drift),
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
