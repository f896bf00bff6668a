//! PodDisruptionBudgets: defaults and rules.
//!
//! See <https://kubernetes.io/docs/tasks/run-application/configure-pdb/>.

use serde_json::{Value, json};

use super::NOT_NEGATIVE;
use super::defaulting::default_status;
use crate::sandbox::object::field_error::{FieldError, GoSyntax};
use crate::sandbox::object::meta;

pub(crate) fn default(object: &mut Value) {
    meta::object_mut(object, "spec");
    let counts = ["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"];
    let counts = counts.into_iter().map(|field| (field.to_owned(), json!(0)));
    default_status(object, Value::Object(counts.collect()));
}

pub(crate) fn validate(object: &Value, _before: Option<&Value>) -> Vec<FieldError> {
    const PERCENT: &str = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  \
                           or '93%', regex used for validation is '[0-9]+%')";
    let spec = &object["spec"];
    let mut errors = Vec::new();
    let (least, most) = (&spec["minAvailable"], &spec["maxUnavailable"]);
    if !least.is_null() && !most.is_null() {
        let shown = format!(
            "{{\"MinAvailable\":{least},\"Selector\":{},\"MaxUnavailable\":{most},\"UnhealthyPodEvictionPolicy\":null}}",
            spec["selector"]
        );
        let detail = "minAvailable and maxUnavailable cannot be both set";
        errors.push(FieldError::invalid("spec", &GoSyntax(shown), detail));
    }
    for (field, value) in [("minAvailable", least), ("maxUnavailable", most)] {
        let rule = match value {
            Value::String(text) => {
                let percent = text.strip_suffix('%').and_then(|number| number.parse::<u32>().ok());
                percent.is_none().then_some(PERCENT)
            }
            value => value.as_i64().is_some_and(|number| number < 0).then_some(NOT_NEGATIVE),
        };
        errors.extend(rule.map(|rule| FieldError::invalid(format!("spec.{field}"), value, rule)));
    }
    errors
}
