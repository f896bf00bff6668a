//! Reads workloads from objects.

use std::collections::BTreeMap;

use kube::ResourceExt;
use kube::api::{ApiResource, DynamicObject};
use kube::core::{GroupVersionKind, Selector};
use serde_json::{Value, json};

use crate::cluster::keys;
use crate::cluster::lookup::label_selector;
use crate::cluster::managed_fields::{is_only_resized, owns_image};
use crate::oam::kind::WorkloadKind;
use crate::oam::labels;
use crate::oam::revision::container_images;
use crate::plan::epoch::Epoch;
use crate::plan::observed::{InPlace, SpecStamp, Uid, Workload};

/// The API resource of a kind of workload.
#[must_use]
pub fn workload_resource(kind: WorkloadKind) -> ApiResource {
    let named = GroupVersionKind::gvk(kind.group(), kind.version(), kind.as_str());
    ApiResource::from_gvk_with_plural(&named, kind.plural())
}

/// The label selector of some components' workloads, see [`label_selector`].
#[must_use]
pub fn component_selector<'a>(components: impl IntoIterator<Item = &'a String>) -> Selector {
    label_selector(labels::COMPONENT, components)
}

/// A workload as the planner observes it.
#[must_use]
pub fn observe_workload(kind: WorkloadKind, object: &DynamicObject) -> Workload {
    let count = |pointer: &str| read_count(object, pointer);
    Workload {
        name: object.name_any(),
        uid: Uid(object.uid().unwrap_or_default()),
        resource_version: object.resource_version().unwrap_or_default(),
        // The API server defaults an absent size to one.
        replicas: if object.data.pointer("/spec/replicas").is_some() { count("/spec/replicas") } else { 1 },
        generation: object.metadata.generation.unwrap_or(0),
        observed_generation: object
            .data
            .pointer("/status/observedGeneration")
            .and_then(Value::as_i64)
            .unwrap_or(-1),
        status_replicas: count("/status/replicas"),
        ready_replicas: count(ready_pointer(object)),
        updated_replicas: count("/status/updatedReplicas"),
        epoch: object.annotations().get(keys::EPOCH).and_then(|epoch| epoch.parse().ok()).map(Epoch),
        annotated: !object.annotations().is_empty(),
        created: object.metadata.creation_timestamp.as_ref().map(|time| time.0),
        deleting: object.metadata.deletion_timestamp.is_some(),
        paused: object.data.pointer("/spec/paused") == Some(&Value::Bool(true)),
        images: foreign_images(object),
        in_place: kind.is_in_place().then(|| in_place(kind, object)),
    }
}

/// The images that are not as `rollout` wrote them. If it still owns the field, the server changed the image in that
/// write, such as to that of a registry mirror.
fn foreign_images(object: &DynamicObject) -> BTreeMap<String, String> {
    let mut images = container_images(&object.data);
    images.retain(|container, _| !owns_image(object, keys::FIELD_MANAGER, container));
    images
}

/// The field of a status that counts the pods that have been ready for as long as the spec requires.
fn ready_pointer(object: &DynamicObject) -> &'static str {
    match read_count(object, "/spec/minReadySeconds") {
        0 => "/status/readyReplicas",
        _ => "/status/availableReplicas",
    }
}

fn read_count(object: &DynamicObject, pointer: &str) -> u32 {
    object.data.pointer(pointer).and_then(Value::as_i64).map_or(0, |n| u32::try_from(n).unwrap_or(0))
}

/// The in-place state of a workload. `rollout` never writes a partition as a percentage, so one shows an external
/// change, and counts as zero.
fn in_place(kind: WorkloadKind, object: &DynamicObject) -> InPlace {
    let count = |pointer: &str| read_count(object, pointer);
    let waits_for_availability = count("/spec/minReadySeconds") > 0;
    let (partition, updated_ready) = match kind {
        WorkloadKind::CloneSet => {
            // Kruise counts the available pods of a revision since version 1.5.
            let available = object.data.pointer("/status/updatedAvailableReplicas");
            let ready = match available.filter(|_| waits_for_availability) {
                Some(_) => "/status/updatedAvailableReplicas",
                None => "/status/updatedReadyReplicas",
            };
            (count("/spec/updateStrategy/partition"), count(ready))
        }
        WorkloadKind::StatefulSet | WorkloadKind::Deployment => {
            // The status does not count the ready pods of a revision. All pods of other revisions may be among the
            // ready ones, so only the rest is certain.
            let others = count("/status/replicas").saturating_sub(count("/status/updatedReplicas"));
            let partition = count("/spec/updateStrategy/rollingUpdate/partition");
            (partition, count(ready_pointer(object)).saturating_sub(others))
        }
    };
    let written = object.annotations().get(keys::SPEC_STAMP);
    let spec_stamp: Option<SpecStamp> = written.and_then(|text| serde_json::from_str(text).ok());
    let is_newer = |stamp: &SpecStamp| object.metadata.generation.unwrap_or(0) > stamp.generation;
    let is_written_since = spec_stamp.as_ref().is_some_and(is_newer);
    InPlace {
        spec_stamp,
        partition,
        strategy: object.data.pointer("/spec/updateStrategy").cloned().unwrap_or_default(),
        is_only_resized: is_written_since && is_only_resized(object, keys::FIELD_MANAGER),
        updated_ready,
    }
}

/// The update strategy to write: the desired one merged into the live one, without a pause, which would block the
/// batch.
#[must_use]
pub fn merge_update_strategy(seen: &Value, wanted: &Value) -> Value {
    let mut merged = if seen.is_object() { seen.clone() } else { json!({}) };
    json_patch::merge(&mut merged, wanted);
    if let Some(fields) = merged.as_object_mut() {
        fields.remove("paused");
    }
    merged
}

/// The component in an object's label.
#[must_use]
pub fn component_label(object: &DynamicObject) -> Option<String> {
    object.labels().get(labels::COMPONENT).cloned()
}
