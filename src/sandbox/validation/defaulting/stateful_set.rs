//! Defaults of StatefulSets.

use serde_json::{Value, json};

use super::{default, default_status, omit_zero, template};
use crate::sandbox::object::meta;

pub(crate) fn stateful_set(object: &mut Value) {
    let spec = meta::object_mut(object, "spec");
    default(spec, "replicas", json!(1));
    default(spec, "revisionHistoryLimit", json!(10));
    default(spec, "podManagementPolicy", json!("OrderedReady"));
    default(
        spec,
        "persistentVolumeClaimRetentionPolicy",
        json!({"whenDeleted": "Retain", "whenScaled": "Retain"}),
    );
    default(spec, "serviceName", json!(""));
    omit_zero(spec, "minReadySeconds");
    let strategy = spec.entry("updateStrategy").or_insert_with(|| json!({}));
    if let Some(strategy) = strategy.as_object_mut() {
        default(strategy, "type", json!("RollingUpdate"));
        if strategy["type"] == "RollingUpdate" {
            let rolling = strategy.entry("rollingUpdate").or_insert_with(|| json!({}));
            if let Some(rolling) = rolling.as_object_mut() {
                default(rolling, "partition", json!(0));
                // The feature gate is off in the release that the sandbox implements.
                rolling.remove("maxUnavailable");
            }
        }
    }
    template(spec);
    default_status(object, json!({"replicas": 0, "availableReplicas": 0}));
}
