//! DaemonSets: defaults and rules.
//!
//! See <https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/>.

use serde_json::{Value, json};

use super::defaulting::{default as set, default_status, omit_zero, template};
use super::workload::{not_negative, workload};
use crate::sandbox::object::field_error::{FieldError, GoSyntax};
use crate::sandbox::object::meta;

/// Counts the templates that a DaemonSet has had.
const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

pub(crate) fn default(object: &mut Value) {
    let spec = meta::object_mut(object, "spec");
    set(spec, "revisionHistoryLimit", json!(10));
    omit_zero(spec, "minReadySeconds");
    let strategy = spec.entry("updateStrategy").or_insert_with(|| json!({}));
    if let Some(strategy) = strategy.as_object_mut() {
        set(strategy, "type", json!("RollingUpdate"));
        if strategy["type"] == "RollingUpdate" {
            let rolling = strategy.entry("rollingUpdate").or_insert_with(|| json!({}));
            if let Some(rolling) = rolling.as_object_mut() {
                set(rolling, "maxUnavailable", json!(1));
                set(rolling, "maxSurge", json!(0));
            }
        }
    }
    template(spec);
    let counts = ["currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady"];
    let counts = counts.into_iter().map(|field| (field.to_owned(), json!(0)));
    default_status(object, Value::Object(counts.collect()));
}

pub(crate) fn derive(object: &mut Value, before: Option<&Value>) {
    let generation = before.map_or(1, |before| {
        let last = meta::annotation(before, TEMPLATE_GENERATION).and_then(|last| last.parse().ok());
        let changed = before.pointer("/spec/template") != object.pointer("/spec/template");
        last.unwrap_or(1_i64) + i64::from(changed)
    });
    meta::set_annotation(object, TEMPLATE_GENERATION, &generation.to_string());
}

pub(crate) fn validate(object: &Value, before: Option<&Value>) -> Vec<FieldError> {
    let spec = &object["spec"];
    let mut errors = workload("daemonset", spec, before.map(|before| &before["spec"]));
    errors.extend(not_negative("minReadySeconds", &spec["minReadySeconds"]));
    errors.extend(strategy(&spec["updateStrategy"]));
    errors.extend(not_negative("revisionHistoryLimit", &spec["revisionHistoryLimit"]));
    errors
}

fn strategy(strategy: &Value) -> Option<FieldError> {
    let is_zero = |field: &str| {
        let value = &strategy["rollingUpdate"][field];
        *value == json!(0) || *value == json!("0%")
    };
    match meta::text(strategy, "/type") {
        "OnDelete" => None,
        "RollingUpdate" if is_zero("maxUnavailable") && is_zero("maxSurge") => {
            let field = "spec.updateStrategy.rollingUpdate.maxUnavailable";
            Some(FieldError::required(field, "cannot be 0 when maxSurge is 0"))
        }
        "RollingUpdate" => None,
        other => {
            let shown = GoSyntax(format!("{{\"Type\":{},\"RollingUpdate\":null}}", json!(other)));
            Some(FieldError::unsupported("spec.updateStrategy", &shown, &["RollingUpdate", "OnDelete"]))
        }
    }
}
