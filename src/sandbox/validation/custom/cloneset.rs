//! OpenKruise's CloneSet, `apps.kruise.io/v1alpha1`, as its definition of release 1.8 describes it.

use serde_json::{Value, json};

use super::Schema::{Anything, Fields, List, Number, NumberOrText, Switch, Text, Texts};
use super::{Field, check as checked, complaints, may, must};
use crate::sandbox::object::field_error::Problem;
use crate::sandbox::object::kind::Checked;

/// The group, which a cluster without OpenKruise does not have.
pub(crate) const GROUP: &str = "apps.kruise.io";

/// Drops what the definition does not know.
pub(crate) fn check(object: Value) -> Result<Checked, String> {
    checked(object, PARTS)
}

/// What the definition refuses. There is no webhook, so nobody looks into the template.
pub(crate) fn validate(object: &Value, _before: Option<&Value>) -> Vec<Problem> {
    let mut problems = complaints("", PARTS, object);
    // The size is read once more for its subresource.
    if let Some(size) = object.pointer("/spec/replicas").filter(|size| !size.is_i64()) {
        let (text, kind) = match size {
            Value::String(text) => (text.clone(), "string"),
            other => (other.to_string(), "float64"),
        };
        let detail = format!(".spec.replicas accessor error: {text} is of the type {kind}, expected int64");
        problems.push(Problem::invalid(".spec.replicas", &json!(0), &detail));
    }
    problems
}

const PARTS: &[Field] = &[may("spec", Fields(SPEC)), may("status", Fields(STATUS))];

const SPEC: &[Field] = &[
    may("lifecycle", Fields(LIFECYCLE)),
    may("minReadySeconds", Number),
    may("replicas", Number),
    may("revisionHistoryLimit", Number),
    may("scaleStrategy", Fields(SCALE_STRATEGY)),
    must("selector", Fields(SELECTOR)),
    must("template", Anything),
    may("updateStrategy", Fields(UPDATE_STRATEGY)),
    may("volumeClaimTemplates", Anything),
];

const LIFECYCLE: &[Field] =
    &[may("inPlaceUpdate", Fields(HOOK)), may("preDelete", Fields(HOOK)), may("preNormal", Fields(HOOK))];

const HOOK: &[Field] =
    &[may("finalizersHandler", List(&Text)), may("labelsHandler", Texts), may("markPodNotReady", Switch)];

const SCALE_STRATEGY: &[Field] =
    &[may("disablePVCReuse", Switch), may("maxUnavailable", NumberOrText), may("podsToDelete", List(&Text))];

const SELECTOR: &[Field] = &[may("matchExpressions", List(&Fields(EXPRESSION))), may("matchLabels", Texts)];

const EXPRESSION: &[Field] = &[must("key", Text), must("operator", Text), may("values", List(&Text))];

const UPDATE_STRATEGY: &[Field] = &[
    may("inPlaceUpdateStrategy", Fields(&[may("gracePeriodSeconds", Number)])),
    may("maxSurge", NumberOrText),
    may("maxUnavailable", NumberOrText),
    may("partition", NumberOrText),
    may("paused", Switch),
    may("priorityStrategy", Fields(PRIORITY)),
    may("scatterStrategy", List(&Fields(&[must("key", Text), must("value", Text)]))),
    may("type", Text),
];

const PRIORITY: &[Field] = &[
    may("orderPriority", List(&Fields(&[must("orderedKey", Text)]))),
    may("weightPriority", List(&Fields(&[must("matchSelector", Fields(SELECTOR)), must("weight", Number)]))),
];

const STATUS: &[Field] = &[
    must("availableReplicas", Number),
    may("collisionCount", Number),
    may("conditions", List(&Fields(CONDITION))),
    may("currentRevision", Text),
    may("expectedUpdatedReplicas", Number),
    may("labelSelector", Text),
    may("observedGeneration", Number),
    must("readyReplicas", Number),
    must("replicas", Number),
    may("updateRevision", Text),
    may("updatedAvailableReplicas", Number),
    must("updatedReadyReplicas", Number),
    must("updatedReplicas", Number),
];

const CONDITION: &[Field] = &[
    may("lastTransitionTime", Text),
    may("message", Text),
    may("reason", Text),
    must("status", Text),
    must("type", Text),
];
