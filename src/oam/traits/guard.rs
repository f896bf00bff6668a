//! What traits must leave as it is.

use serde_json::{Map, Value};

use crate::oam::application::Release;
use crate::oam::labels;
use crate::oam::traits::error::{TraitError, refused};
use crate::oam::traits::patch::shown;

/// What every object has to keep, or it would be another one or none.
const IDENTITY: [&str; 4] = ["/apiVersion", "/kind", "/metadata/name", "/metadata/namespace"];

/// What the driver of the batches writes, or finds the pods by.
const DRIVEN: [&str; 8] = [
    "/spec/selector",
    "/spec/replicas",
    "/spec/paused",
    "/spec/strategy",
    "/spec/updateStrategy",
    "/spec/serviceName",
    "/metadata/ownerReferences",
    "/status",
];

/// Refuses what a trait changed and must not.
pub(super) fn check_change(before: &Value, after: &Value, release: Release) -> Result<(), TraitError> {
    let changed = |path: &&&str| before.pointer(path) != after.pointer(path);
    if let Some(path) = IDENTITY.iter().find(changed) {
        return Err(refused(format!("changes `{}`", dotted(path)), "a trait cannot make it another object"));
    }
    check_shape(before, after)?;
    if release == Release::InBatches
        && let Some(path) = DRIVEN.iter().find(changed)
    {
        return Err(refused(
            format!("changes `{}`, which `rollout` sets", dotted(path)),
            "omit it, or the `rollout` trait",
        ));
    }
    if release == Release::InBatches {
        check_marks(before, after)?;
    }
    check_selector(after)
}

/// What is added to the object later has its place in mappings.
fn check_shape(before: &Value, after: &Value) -> Result<(), TraitError> {
    let is_filled = |value: &&Value| !value.is_null() && !value.is_object();
    let spec = |object| Value::get(object, "spec").filter(is_filled);
    if let (None, Some(spec)) = (spec(before), spec(after)) {
        return Err(refused(format!("changes `spec` to {}", shown(spec)), "`spec` has to be a mapping"));
    }
    for field in ["labels", "annotations"] {
        let Some(value) = after["metadata"].get(field).filter(|value| !value.is_null()) else { continue };
        let is_good = |map: &Map<String, Value>| map.values().all(|one| one.is_string() || one.is_null());
        if !value.as_object().is_some_and(is_good) {
            let message = format!("changes `metadata.{field}` to {}", shown(value));
            return Err(refused(message, format!("`{field}` have to be a mapping of strings")));
        }
    }
    Ok(())
}

/// Labels of pods that identify their revision.
const MARKS: [&str; 4] =
    [labels::COMPONENT, labels::REVISION, labels::APP_REVISION, labels::REVISION_COMPONENT];

fn check_marks(before: &Value, after: &Value) -> Result<(), TraitError> {
    let label = |workload: &Value, key: &str| {
        workload.pointer("/spec/template/metadata/labels").and_then(|labels| labels.get(key)).cloned()
    };
    match MARKS.iter().find(|key| label(before, key) != label(after, key)) {
        Some(key) => Err(refused(
            format!("changes the pods' label `{key}`, which `rollout` sets"),
            "use another label",
        )),
        None => Ok(()),
    }
}

/// The pods have to have the labels that their workload selects them by.
fn check_selector(workload: &Value) -> Result<(), TraitError> {
    let wanted = workload.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
    let Some(labels) = workload.pointer("/spec/template/metadata/labels") else { return Ok(()) };
    for (key, value) in wanted.into_iter().flatten() {
        if labels.get(key) != Some(value) {
            let found = labels.get(key).map_or_else(|| "nothing".to_owned(), shown);
            return Err(refused(
                format!(
                    "changes the pods' label `{key}` to {found}, but the selector needs {}",
                    shown(value)
                ),
                "use another label",
            ));
        }
    }
    Ok(())
}

/// A pointer as messages spell paths.
fn dotted(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".")
}
