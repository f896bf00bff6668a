//! Rules of Deployments.
//!
//! See <https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#writing-a-deployment-spec>.

use serde_json::{Value, json};

use super::NOT_NEGATIVE;
use super::workload::{not_negative, workload};
use crate::sandbox::object::field_error::{FieldError, GoSyntax};
use crate::sandbox::object::meta;

pub(crate) fn deployment(object: &Value, before: Option<&Value>) -> Vec<FieldError> {
    let spec = &object["spec"];
    let mut errors = workload("deployment", spec, before.map(|b| &b["spec"]));
    errors.extend(strategy(&spec["strategy"]));
    for field in ["minReadySeconds", "revisionHistoryLimit"] {
        errors.extend(not_negative(field, &spec[field]));
    }
    errors.extend(not_negative("progressDeadlineSeconds", &spec["progressDeadlineSeconds"]));
    let deadline = &spec["progressDeadlineSeconds"];
    if deadline.as_i64().is_some_and(|d| d <= meta::number(spec, "/minReadySeconds")) {
        let detail = "must be greater than minReadySeconds";
        errors.push(FieldError::invalid("spec.progressDeadlineSeconds", deadline, detail));
    }
    if before.is_some() {
        errors.extend(status(&object["status"]));
    }
    errors
}

fn status(status: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let count = |field: &str| meta::number(status, &format!("/{field}"));
    for field in [
        "observedGeneration",
        "replicas",
        "updatedReplicas",
        "readyReplicas",
        "availableReplicas",
        "unavailableReplicas",
        "terminatingReplicas",
        "collisionCount",
    ] {
        if count(field) < 0 {
            errors.push(FieldError::invalid(format!("status.{field}"), &status[field], NOT_NEGATIVE));
        }
    }
    for (field, most, detail) in [
        ("updatedReplicas", "replicas", "cannot be greater than status.replicas"),
        ("readyReplicas", "replicas", "cannot be greater than status.replicas"),
        ("availableReplicas", "replicas", "cannot be greater than status.replicas"),
        ("availableReplicas", "readyReplicas", "cannot be greater than readyReplicas"),
    ] {
        if count(field) > count(most) {
            errors.push(FieldError::invalid(format!("status.{field}"), &count(field), detail));
        }
    }
    errors
}

fn strategy(strategy: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let kind = meta::text(strategy, "/type");
    let rolling = strategy.get("rollingUpdate");
    match (kind, rolling) {
        ("Recreate", Some(_)) => {
            let detail = "may not be specified when strategy `type` is 'Recreate'";
            errors.push(FieldError::forbidden("spec.strategy.rollingUpdate", detail));
        }
        ("Recreate", None) => (),
        ("RollingUpdate", rolling) => {
            let rolling = rolling.unwrap_or(&Value::Null);
            let mut zeros = 0;
            for field in ["maxUnavailable", "maxSurge"] {
                let path = format!("spec.strategy.rollingUpdate.{field}");
                match &rolling[field] {
                    Value::String(text) => match text.strip_suffix('%').map(str::parse::<u32>) {
                        Some(Ok(percent)) if percent > 100 && field == "maxUnavailable" => {
                            errors.push(FieldError::invalid(
                                path,
                                &rolling[field],
                                "must not be greater than 100%",
                            ));
                        }
                        Some(Ok(percent)) => zeros += u32::from(percent == 0),
                        Some(Err(_)) | None => {
                            let detail = "a valid percent string must be a numeric string followed by an ending '%' \
                                          (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";
                            errors.push(FieldError::invalid(path, &rolling[field], detail));
                        }
                    },
                    number => {
                        let value = number.as_i64().unwrap_or_default();
                        zeros += u32::from(value == 0);
                        if value < 0 {
                            errors.push(FieldError::invalid(path, number, NOT_NEGATIVE));
                        }
                    }
                }
            }
            if zeros == 2 {
                let detail = "may not be 0 when `maxSurge` is 0";
                let field = "spec.strategy.rollingUpdate.maxUnavailable";
                errors.push(FieldError::invalid(field, &rolling["maxUnavailable"], detail));
            }
        }
        (other, _) => {
            let known = ["Recreate", "RollingUpdate"];
            let shown = GoSyntax(format!("{{\"Type\":{},\"RollingUpdate\":null}}", json!(other)));
            errors.push(FieldError::unsupported("spec.strategy", &shown, &known));
        }
    }
    errors
}
