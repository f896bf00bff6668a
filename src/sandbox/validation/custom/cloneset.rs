//! OpenKruise's CloneSet, `apps.kruise.io/v1alpha1`, as its definition of release 1.8 describes it.

use serde_json::{Value, json};

use super::Schema::{Array, Boolean, IntOrString, Integer, Object, StringMap, Text, Unstructured};
use super::{Field, check as checked, optional, required, schema_errors};
use crate::sandbox::object::field_error::FieldError;
use crate::sandbox::object::kind::Decoded;

/// The API group of OpenKruise.
pub(crate) const GROUP: &str = "apps.kruise.io";

/// Drops fields that the schema does not have.
pub(crate) fn check(object: Value) -> Result<Decoded, String> {
    checked(object, PARTS)
}

/// The errors against the definition's schema. Without Kruise's webhook, the template is not validated.
pub(crate) fn validate(object: &Value, _before: Option<&Value>) -> Vec<FieldError> {
    let mut errors = schema_errors("", PARTS, object);
    // The server parses the size again for `/scale`.
    if let Some(size) = object.pointer("/spec/replicas").filter(|size| !size.is_i64()) {
        let (text, kind) = match size {
            Value::String(text) => (text.clone(), "string"),
            other => (other.to_string(), "float64"),
        };
        let detail = format!(".spec.replicas accessor error: {text} is of the type {kind}, expected int64");
        errors.push(FieldError::invalid(".spec.replicas", &json!(0), &detail));
    }
    errors
}

const PARTS: &[Field] = &[optional("spec", Object(SPEC)), optional("status", Object(STATUS))];

const SPEC: &[Field] = &[
    optional("lifecycle", Object(LIFECYCLE)),
    optional("minReadySeconds", Integer),
    optional("replicas", Integer),
    optional("revisionHistoryLimit", Integer),
    optional("scaleStrategy", Object(SCALE_STRATEGY)),
    required("selector", Object(SELECTOR)),
    required("template", Unstructured),
    optional("updateStrategy", Object(UPDATE_STRATEGY)),
    optional("volumeClaimTemplates", Unstructured),
];

const LIFECYCLE: &[Field] = &[
    optional("inPlaceUpdate", Object(HOOK)),
    optional("preDelete", Object(HOOK)),
    optional("preNormal", Object(HOOK)),
];

const HOOK: &[Field] = &[
    optional("finalizersHandler", Array(&Text)),
    optional("labelsHandler", StringMap),
    optional("markPodNotReady", Boolean),
];

const SCALE_STRATEGY: &[Field] = &[
    optional("disablePVCReuse", Boolean),
    optional("maxUnavailable", IntOrString),
    optional("podsToDelete", Array(&Text)),
];

const SELECTOR: &[Field] =
    &[optional("matchExpressions", Array(&Object(EXPRESSION))), optional("matchLabels", StringMap)];

const EXPRESSION: &[Field] =
    &[required("key", Text), required("operator", Text), optional("values", Array(&Text))];

const UPDATE_STRATEGY: &[Field] = &[
    optional("inPlaceUpdateStrategy", Object(&[optional("gracePeriodSeconds", Integer)])),
    optional("maxSurge", IntOrString),
    optional("maxUnavailable", IntOrString),
    optional("partition", IntOrString),
    optional("paused", Boolean),
    optional("priorityStrategy", Object(PRIORITY)),
    optional("scatterStrategy", Array(&Object(&[required("key", Text), required("value", Text)]))),
    optional("type", Text),
];

const PRIORITY: &[Field] = &[
    optional("orderPriority", Array(&Object(&[required("orderedKey", Text)]))),
    optional(
        "weightPriority",
        Array(&Object(&[required("matchSelector", Object(SELECTOR)), required("weight", Integer)])),
    ),
];

const STATUS: &[Field] = &[
    required("availableReplicas", Integer),
    optional("collisionCount", Integer),
    optional("conditions", Array(&Object(CONDITION))),
    optional("currentRevision", Text),
    optional("expectedUpdatedReplicas", Integer),
    optional("labelSelector", Text),
    optional("observedGeneration", Integer),
    required("readyReplicas", Integer),
    required("replicas", Integer),
    optional("updateRevision", Text),
    optional("updatedAvailableReplicas", Integer),
    required("updatedReadyReplicas", Integer),
    required("updatedReplicas", Integer),
];

const CONDITION: &[Field] = &[
    optional("lastTransitionTime", Text),
    optional("message", Text),
    optional("reason", Text),
    required("status", Text),
    required("type", Text),
];
