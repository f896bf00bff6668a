//! Fields that traits must not change.

use serde_json::{Map, Value};

use crate::oam::application::Release;
use crate::oam::labels;
use crate::oam::traits::error::{TraitError, refused};
use crate::oam::traits::patch::shown;

/// Fields that identify an object.
const IDENTITY: [&str; 4] = ["/apiVersion", "/kind", "/metadata/name", "/metadata/namespace"];

/// Fields that rollouts in batches write, or that select the pods.
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

/// Rejects changes of a trait to these fields.
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

/// Checks that the fields to which rendering adds later are mappings.
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

/// Checks that the pods have the labels that the workload's selector requires.
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

/// Formats a pointer as a path for messages.
fn dotted(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".")
}
