//! The parts of a workload that traits change.

use serde_json::{Value, json};

use crate::oam::traits::error::{TraitError, refused};
use crate::oam::traits::patch::{self, Marks, shown};

/// The path of the pod template in most workloads.
pub(super) const TEMPLATE: &[&str] = &["spec", "template"];
/// The path of the pod spec in most workloads.
pub(super) const POD: &[&str] = &["spec", "template", "spec"];
/// The path of the pod spec in a CronJob.
pub(super) const CRON_POD: &[&str] = &["spec", "jobTemplate", "spec", "template", "spec"];

/// Lists of a pod whose entries have names.
pub(super) const BY_NAME: Marks = &[
    ("containers", patch::Mark::Key("name")),
    ("initContainers", patch::Mark::Key("name")),
    ("volumes", patch::Mark::Key("name")),
];

/// Whether there is a value at a path.
pub(super) fn has(workload: &Value, path: &[&str]) -> bool {
    path.iter().try_fold(workload, |value, field| value.get(field)).is_some()
}

/// The workload's kind, for messages.
pub(super) fn kind(workload: &Value) -> &str {
    workload["kind"].as_str().unwrap_or("object")
}

/// Rejects a workload without a pod template.
pub(super) fn require_pod(workload: &Value) -> Result<(), TraitError> {
    if has(workload, TEMPLATE) {
        return Ok(());
    }
    let kind = kind(workload);
    let hint = match kind {
        "CronJob" => {
            "set it in the component's properties, or with the trait `json-merge-patch` in \
             `spec.jobTemplate.spec.template`"
        }
        _ => "use it in a component with pods",
    };
    Err(refused(format!("cannot apply to a {kind}, which has no pod template in `spec.template`"), hint))
}

/// Merges a patch into the pod spec.
pub(super) fn merge_into_pod(workload: &mut Value, document: &Value, marks: Marks) -> Result<(), TraitError> {
    require_pod(workload)?;
    Ok(patch::merge(workload, POD, document, marks)?)
}

/// The containers of the pods.
pub(super) fn containers(workload: &mut Value) -> Result<&mut Vec<Value>, TraitError> {
    require_pod(workload)?;
    let containers = patch::descend(workload, &["spec", "template", "spec", "containers"])?;
    if containers.is_null() {
        *containers = json!([]);
    }
    containers.as_array_mut().ok_or_else(|| {
        refused("cannot apply, because `spec.template.spec.containers` is not a list", "correct the object")
    })
}

/// The container with a name; an empty name means the component's own.
pub(super) fn container<'w>(
    workload: &'w mut Value,
    name: &str,
    component: &str,
) -> Result<&'w mut Value, TraitError> {
    let wanted = if name.is_empty() { component } else { name };
    let all = containers(workload)?;
    match all.iter().position(|container| container["name"] == wanted) {
        Some(position) => Ok(&mut all[position]),
        None => {
            let names: Vec<String> = all.iter().map(|container| shown(&container["name"])).collect();
            let hint = match (names.is_empty(), name.is_empty()) {
                (true, _) => "use it in a component with pods".to_owned(),
                (false, true) => format!("set `containerName` to one of: {}", names.join(", ")),
                (false, false) => format!("the containers before this trait are: {}", names.join(", ")),
            };
            Err(refused(format!("finds no container `{wanted}`"), hint))
        }
    }
}
