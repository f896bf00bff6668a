//! In-place updates: a pod gets new images, labels and annotations and keeps its name, UID and node.
//!
//! The pod is unready from before the update until its containers run the new images. See
//! <https://openkruise.io/docs/core-concepts/inplace-update/>.

use serde_json::{Map, Value, json};
use std::sync::Arc;

use super::{IN_PLACE_READY, set_state, state};
use crate::sandbox::controllers::revisions::{REVISION_LABEL, short, template};
use crate::sandbox::object::key::Key;
use crate::sandbox::object::meta;
use crate::sandbox::store::objects::Store;
use crate::sandbox::store::part::Part;
use crate::sandbox::store::write;

/// The annotation that records a running in-place update.
const STATE_ANNOTATION: &str = "apps.kruise.io/inplace-update-state";

/// The state of the pod's condition, if it has it.
pub(super) fn condition(pod: &Value) -> Option<&str> {
    let conditions = meta::items(pod, "/status/conditions");
    conditions.iter().find(|c| c["type"] == IN_PLACE_READY).map(|c| meta::text(c, "/status"))
}

/// Whether two revisions differ only in images, labels and annotations: every other field of a pod is immutable.
pub(super) fn is_possible(old: &Value, new: &Value) -> bool {
    let (old, new) = (template(old), template(new));
    let (mut before, after) = (old["spec"].clone(), &new["spec"]);
    let count = meta::items(after, "/containers").len();
    if meta::items(&before, "/containers").len() != count {
        return false;
    }
    for at in 0..count {
        // Only a replaced image is allowed, neither an added nor a removed one.
        let image = after["containers"][at].get("image").cloned();
        if let (Some(own), Some(image)) = (before["containers"][at].get_mut("image"), image) {
            *own = image;
        }
    }
    before == *after
}

/// Changes a pod from one revision to another.
pub(super) fn update(store: &mut Store, key: &Key, old: &Value, new: &Value) {
    let now = meta::format_time(store.now);
    let closed = json!({
        "type": IN_PLACE_READY,
        "status": "False",
        "reason": "StartInPlaceUpdate",
        "lastTransitionTime": now,
    });
    write::modify(store, key, Part::Status, |pod| {
        set_condition(pod, closed);
        let message =
            format!("the status of pod readiness gate \"{IN_PLACE_READY}\" is not \"True\", but False");
        let unready = json!({
            "type": "Ready",
            "status": "False",
            "reason": "ReadinessGatesNotReady",
            "message": message,
            "lastTransitionTime": now,
        });
        set_condition(pod, unready);
    });
    let (old, revision, new) = (template(old), meta::name(new).to_owned(), template(new));
    write::modify(store, key, Part::Main, |pod| {
        for part in ["labels", "annotations"] {
            merge(meta::metadata(pod), part, &old["metadata"][part], &new["metadata"][part]);
        }
        meta::set_label(pod, REVISION_LABEL, &revision);
        meta::set_label(pod, "pod-template-hash", short(&revision));
        set_state(pod, "Updating", &now);
        let changed = change_images(pod, &new);
        let mut last = Map::new();
        for status in meta::items(pod, "/status/containerStatuses") {
            if changed.iter().any(|name| *name == meta::text(status, "/name")) {
                let known = json!({"imageID": meta::text(status, "/imageID")});
                last.insert(meta::text(status, "/name").to_owned(), known);
            }
        }
        let mut kept = json!({"revision": revision, "updateTimestamp": now});
        if !last.is_empty() {
            kept["lastContainerStatuses"] = Value::Object(last);
        }
        if !changed.is_empty() {
            kept["updateImages"] = json!(true);
        }
        kept["containerBatchesRecord"] = json!([{"timestamp": now, "containers": changed}]);
        meta::set_annotation(pod, STATE_ANNOTATION, &kept.to_string());
    });
}

/// Sets the containers' new images and returns the names of those that changed.
fn change_images(pod: &mut Value, new: &Value) -> Vec<String> {
    let mut changed = Vec::new();
    let containers = pod.pointer_mut("/spec/containers").and_then(Value::as_array_mut);
    for container in containers.into_iter().flatten() {
        let wanted = meta::items(new, "/spec/containers").iter().find(|c| c["name"] == container["name"]);
        let Some(image) = wanted.and_then(|wanted| wanted.get("image")) else { continue };
        if container["image"] != *image {
            container["image"] = image.clone();
            changed.push(meta::text(container, "/name").to_owned());
        }
    }
    changed
}

/// Applies the difference between two templates' labels or annotations; those that others set on the pod are kept.
fn merge(metadata: &mut Map<String, Value>, part: &str, old: &Value, new: &Value) {
    let own = metadata.entry(part.to_owned()).or_insert_with(|| json!({}));
    let Some(own) = own.as_object_mut() else { return };
    for name in old.as_object().into_iter().flatten().map(|(name, _)| name) {
        if new.get(name).is_none() {
            own.remove(name);
        }
    }
    for (name, value) in new.as_object().into_iter().flatten() {
        if old.get(name) != Some(value) {
            own.insert(name.clone(), value.clone());
        }
    }
}

/// Opens the readiness gate of a pod whose update is complete. Returns whether the lifecycle state changed.
pub(super) fn refresh(store: &mut Store, key: &Key, pod: &Arc<Value>) -> bool {
    let through = is_through(pod);
    let gated = meta::items(pod, "/spec/readinessGates").iter().any(|g| g["conditionType"] == IN_PLACE_READY);
    let now = meta::format_time(store.now);
    if through && gated && condition(pod) != Some("True") {
        let open = json!({"type": IN_PLACE_READY, "status": "True", "lastTransitionTime": now});
        write::modify(store, key, Part::Status, |pod| set_condition(pod, open));
    }
    let settled = state(pod) == "PreparingNormal" || (state(pod) == "Updating" && through);
    if settled {
        write::modify(store, key, Part::Main, |pod| set_state(pod, "Normal", &now));
    }
    settled
}

/// Whether the containers run the images of the last in-place update: the image ID differs from the previous one, or
/// the image is that of the pod.
fn is_through(pod: &Value) -> bool {
    let Some(kept) = meta::annotation(pod, STATE_ANNOTATION) else { return true };
    let kept: Value = serde_json::from_str(kept).unwrap_or_default();
    kept["lastContainerStatuses"].as_object().into_iter().flatten().all(|(name, last)| {
        let statuses = meta::items(pod, "/status/containerStatuses");
        let Some(status) = statuses.iter().find(|status| status["name"] == name.as_str()) else {
            return false;
        };
        last["imageID"] != status["imageID"] || image(pod, name) == meta::text(status, "/image")
    })
}

/// The image that a container should run, with its tag.
fn image(pod: &Value, name: &str) -> String {
    let container = meta::items(pod, "/spec/containers").iter().find(|c| c["name"] == name);
    let image = container.map_or("", |container| meta::text(container, "/image"));
    if image.contains(':') { image.to_owned() } else { format!("{image}:latest") }
}

fn set_condition(pod: &mut Value, condition: Value) {
    let conditions = meta::object_mut(pod, "status").entry("conditions").or_insert_with(|| json!([]));
    let Some(conditions) = conditions.as_array_mut() else { return };
    match conditions.iter_mut().find(|own| own["type"] == condition["type"]) {
        Some(own) if own["status"] == condition["status"] && own["type"] == "Ready" => (),
        Some(own) => *own = condition,
        None => conditions.push(condition),
    }
}
