//! Traits for scheduling, and for the hosts file of pods.

use serde_json::{Map, Value, json};

use crate::oam::object::list;
use crate::oam::traits::error::{TraitError, refused};
use crate::oam::traits::patch::Mark;
use crate::oam::traits::workload::merge_into_pod;

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

/// `affinity`: to pods and nodes, and tolerations.
pub(super) fn affinity(properties: &Value, workload: &mut Value) -> Result<(), TraitError> {
    let mut affinity = Map::new();
    for field in ["podAffinity", "podAntiAffinity", "nodeAffinity"] {
        let Some(from) = properties.get(field) else { continue };
        let mut to = Map::new();
        for (from_name, to_name) in [("required", REQUIRED), ("preferred", PREFERRED)] {
            if let Some(terms) = from.get(from_name) {
                to.insert(to_name.to_owned(), terms.clone());
            }
        }
        affinity.insert(field.to_owned(), Value::Object(to));
    }
    let mut patch = Map::new();
    if !affinity.is_empty() {
        patch.insert("affinity".to_owned(), Value::Object(affinity));
    }
    if let Some(tolerations) = properties.get("tolerations") {
        patch.insert("tolerations".to_owned(), tolerations.clone());
    }
    merge_into_pod(workload, &Value::Object(patch), &[])
}

/// `node-affinity`: nodes with one of the values for each label.
pub(super) fn node_affinity(properties: &Value, workload: &mut Value) -> Result<(), TraitError> {
    let mut patch = Map::new();
    if let Some(labels) = properties["affinity"].as_object() {
        let expressions: Vec<Value> = labels
            .iter()
            .map(|(key, values)| json!({"key": key, "operator": "In", "values": values}))
            .collect();
        let terms = json!({"nodeSelectorTerms": [{"matchExpressions": expressions}]});
        patch.insert("affinity".to_owned(), json!({"nodeAffinity": {REQUIRED: terms}}));
    }
    if let Some(taints) = properties["tolerations"].as_object() {
        let tolerations: Vec<Value> = taints
            .iter()
            .map(|(key, value)| {
                json!({"key": key, "operator": "Equal", "value": value, "effect": "NoSchedule"})
            })
            .collect();
        patch.insert("tolerations".to_owned(), Value::Array(tolerations));
    }
    merge_into_pod(workload, &Value::Object(patch), &[])
}

/// `topologyspreadconstraints`.
pub(super) fn topology_spread(properties: &Value, workload: &mut Value) -> Result<(), TraitError> {
    let constraints = list(properties, "constraints");
    let is_lenient = |one: &&Value| one["whenUnsatisfiable"] == "ScheduleAnyway";
    if constraints.iter().filter(is_lenient).any(|one| one.get("minDomains").is_some()) {
        return Err(refused(
            "has `minDomains` beside `whenUnsatisfiable: ScheduleAnyway`, which Kubernetes does not support",
            "remove `minDomains`, or set `whenUnsatisfiable: DoNotSchedule`",
        ));
    }
    let patch = json!({"topologySpreadConstraints": constraints});
    merge_into_pod(workload, &patch, &[])
}

/// `hostalias`: entries are merged by address.
pub(super) fn host_aliases(properties: &Value, workload: &mut Value) -> Result<(), TraitError> {
    let patch = json!({"hostAliases": list(properties, "hostAliases")});
    merge_into_pod(workload, &patch, &[("hostAliases", Mark::Key("ip"))])
}
