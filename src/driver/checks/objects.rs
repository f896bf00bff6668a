//! Obstacles to a component's workload: foreign objects, immutable fields, an API that is not served. Only reads.

use kube::api::{DynamicObject, ListParams};
use serde_json::{Value, json};

use crate::cluster::error::ClusterError;
use crate::cluster::ownership::{ComponentOwner, ForeignWorkload, LabelledWorkload};
use crate::cluster::session::Session;
use crate::cluster::workload;
use crate::cluster::workload_writer::IMMUTABLE_FIELDS;
use crate::driver::outcome::Failure;
use crate::driver::request::RolloutRequest;
use crate::oam::kind::WorkloadKind;
use crate::oam::labels;
use crate::oam::revision::StoredRevision;
use crate::plan::desired::Desired;

/// The default that the cluster fills in for StatefulSets.
const DEFAULT_POD_MANAGEMENT: &str = "OrderedReady";

/// Checks that the kind is served. Kruise's kinds may be missing, or their conversion webhook may be down.
pub async fn check_served(session: &Session, namespace: &str, kind: WorkloadKind) -> Result<(), Failure> {
    match kind {
        WorkloadKind::Deployment | WorkloadKind::StatefulSet => return Ok(()),
        WorkloadKind::CloneSet => {}
    }
    let api = session.dynamic(namespace, &workload::workload_resource(kind));
    match session.request_once(api.list(&ListParams::default().limit(1))).await {
        Err(ClusterError::NotFound(_)) => Err(Failure::refused(
            "the cluster has no `clonesets.apps.kruise.io`: OpenKruise is not installed".to_owned(),
        )
        .hint("install it: `helm install kruise kruise --repo https://openkruise.github.io/charts/`")),
        Err(error) if error.to_string().contains("conversion webhook") => Err(Failure::refused(format!(
            "`clonesets.apps.kruise.io` cannot be read, because Kruise's conversion webhook fails: {error}"
        ))
        .hint("check that Kruise's manager is running: `kubectl get pods -n kruise-system`")),
        // The requests that follow find and handle any other error.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Workloads with the label of a component that does not run as their kind, of the built-in kinds and those of other
/// components. A kind that the user may not list is skipped.
pub async fn unwatched_workloads(session: &Session, request: &RolloutRequest) -> Vec<LabelledWorkload> {
    let mut kinds = request.kinds();
    kinds.extend([WorkloadKind::Deployment, WorkloadKind::StatefulSet]);
    let mut found = Vec::new();
    for kind in kinds {
        let others = request.components.iter().filter(|component| component.kind() != kind);
        let others: Vec<String> = others.map(|component| component.name.clone()).collect();
        if others.is_empty() {
            continue;
        }
        let params = ListParams::default().labels_from(&workload::component_selector(&others));
        let api = session.dynamic(&request.namespace, &workload::workload_resource(kind));
        if let Ok(list) = session.read(|| api.list(&params)).await {
            found.extend(list.items.iter().map(|object| LabelledWorkload::of(kind, object)));
        }
    }
    found
}

/// Refuses foreign objects with the component's label that conflict with the run: they have the target's name, or their
/// pods would be taken for the component's. Returns warnings about the others.
pub(in crate::driver) fn check_foreign(
    component: &str,
    foreign: &[ForeignWorkload],
    target: &StoredRevision,
    Desired { kind, workload, .. }: &Desired,
) -> Result<Vec<String>, Failure> {
    let of_workload = target.workload().map(|body| &body["spec"]["selector"]["matchLabels"]);
    let of_services = json!({labels::COMPONENT: component});
    let selectors: Vec<&Value> = of_workload.into_iter().chain([&of_services]).collect();
    for one in foreign {
        let noun = one.kind.noun();
        if one.kind == *kind && one.name == *workload {
            return Err(Failure::refused(one.reason.clone()).hint(another_name(*kind, &one.name)));
        }
        if selectors.iter().any(|selector| one.is_selected_by(selector)) {
            let failure =
                Failure::refused(format!("{}, but its pods have the labels of the component", one.reason));
            let (name, label) = (&one.name, labels::COMPONENT);
            // The advice to delete a workload that may serve traffic comes last.
            let failure = match one.is_stamped && one.kind == *kind && !kind.is_in_place() {
                true => failure.hint(format!(
                    "if revision `{name}` was deleted, apply the manifest that {noun} `{name}` runs, with \
                     `externalRevision: {name}`: the revision is recorded again"
                )),
                false => failure,
            };
            return Err(
                failure.hint(format!("remove the label `{label}` from its pods, or delete {noun} `{name}`"))
            );
        }
    }
    Ok(foreign.iter().map(|one| format!("{}; `rollout` ignores it", one.reason)).collect())
}

/// The hint for returning a workload whose label was removed to its component.
pub(in crate::driver) fn restore_label(kind: WorkloadKind, name: &str, component: &str) -> String {
    let (noun, label) = (kind.noun(), labels::COMPONENT);
    format!(
        "if it is the component's, restore its label: `kubectl label {noun} {name} {label}={component} --overwrite`"
    )
}

fn another_name(kind: WorkloadKind, name: &str) -> String {
    let rename = if kind.is_in_place() {
        "give the component another name"
    } else {
        "choose another `externalRevision`"
    };
    format!("{rename}, or delete {} `{name}`", kind.noun())
}

/// Refuses a foreign object that has the workload's name without the component's label, and one whose fields prevent it
/// from becoming the target.
pub(in crate::driver) fn check_object(
    namespace: &str,
    ownership: &ComponentOwner,
    desired: &Desired,
    target: &StoredRevision,
    found: Option<&DynamicObject>,
) -> Result<(), Failure> {
    let Desired { kind, workload: name, .. } = desired;
    let Some(found) = found else { return Ok(()) };
    let noun = kind.noun();
    let labelled = [LabelledWorkload::of(*kind, found)];
    if let Some(foreign) = ownership.foreign(&labelled).pop() {
        let failure = Failure::refused(foreign.reason);
        let failure = match foreign.is_stamped && !labelled[0].is_labelled(ownership.component()) {
            true => failure.hint(restore_label(*kind, name, ownership.component())),
            false => failure,
        };
        return Err(failure.hint(another_name(*kind, name)));
    }
    if !kind.is_in_place() {
        return Ok(());
    }
    let strategy = found.data.pointer("/spec/updateStrategy/type").and_then(Value::as_str);
    if strategy == Some("OnDelete") {
        return Err(Failure::refused(format!(
            "{noun} `{name}` uses update strategy `OnDelete`: its pods are only replaced when you delete them"
        ))
        .hint(format!(
            "change it: `kubectl patch {noun} {name} -n {namespace} --type merge -p '{{\"spec\":{{\"updateStrategy\":{{\"type\":\"{}\"}}}}}}'`",
            match kind {
                WorkloadKind::CloneSet => "ReCreate",
                WorkloadKind::StatefulSet | WorkloadKind::Deployment => "RollingUpdate",
            }
        )));
    }
    let wanted = target.workload().map(|body| &body["spec"]).unwrap_or(&Value::Null);
    match changed_field(*kind, &found.data["spec"], wanted) {
        None => Ok(()),
        Some(field) => Err(Failure::refused(format!(
            "revision `{}` changes the immutable field `{field}` of {noun} `{name}`",
            target.name
        ))
        .hint(format!(
            "give the component another name; or delete {noun} `{name}` and reapply, which stops all its pods first"
        ))),
    }
}

/// The first immutable field that would have to change.
fn changed_field(kind: WorkloadKind, live: &Value, wanted: &Value) -> Option<&'static str> {
    let is_same = |field: &&str| match (*field, &wanted[*field]) {
        ("selector", wanted) => live["selector"] == *wanted,
        ("serviceName", _) if lacks_service_name(live) => true,
        (_, _) if kind == WorkloadKind::CloneSet => true,
        ("podManagementPolicy", Value::Null) => {
            matches!(live["podManagementPolicy"].as_str(), None | Some(DEFAULT_POD_MANAGEMENT))
        }
        (field, Value::Null) => live[field].as_array().is_none_or(Vec::is_empty),
        (field, wanted) => contains(&live[field], wanted),
    };
    IMMUTABLE_FIELDS.into_iter().find(|field| !is_same(field))
}

/// Whether a StatefulSet names no Service, as one that was first applied as a whole, and cannot be given one.
fn lacks_service_name(live: &Value) -> bool {
    live["serviceName"].as_str().is_none_or(str::is_empty)
}

/// Warns about a StatefulSet that names no Service: its pods get no DNS names.
pub(in crate::driver) fn service_name_warning(
    desired: &Desired,
    found: Option<&DynamicObject>,
) -> Option<String> {
    let Desired { kind, workload: name, .. } = desired;
    let is_without = match kind {
        WorkloadKind::Deployment | WorkloadKind::CloneSet => false,
        WorkloadKind::StatefulSet => found.is_some_and(|found| lacks_service_name(&found.data["spec"])),
    };
    is_without.then(|| {
        format!(
            "statefulset `{name}` has no `serviceName`, which is immutable: its pods get no names in DNS; for those, give \
             the component another name, or delete the statefulset and reapply, which stops all its pods first"
        )
    })
}

/// Whether a live value contains a wanted one; the cluster may have added defaults.
pub(in crate::driver) fn contains(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => {
            wanted.iter().all(|(field, value)| live.get(field).is_some_and(|live| contains(live, value)))
        }
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len() && live.iter().zip(wanted).all(|(live, wanted)| contains(live, wanted))
        }
        (live, wanted) => live == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_added_by_the_cluster_do_not_count_as_changes() {
        let wanted = json!({
            "selector": {"matchLabels": {"a": "b"}},
            "serviceName": "db-headless",
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {"resources": {"requests": {"storage": "1Gi"}}}}],
        });
        let mut live = wanted.clone();
        live["podManagementPolicy"] = json!("OrderedReady");
        live["volumeClaimTemplates"][0]["spec"]["volumeMode"] = json!("Filesystem");
        assert_eq!(changed_field(WorkloadKind::StatefulSet, &live, &wanted), None);
        live["podManagementPolicy"] = json!("Parallel");
        assert_eq!(changed_field(WorkloadKind::StatefulSet, &live, &wanted), Some("podManagementPolicy"));
        live["podManagementPolicy"] = json!("OrderedReady");
        live["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"] = json!("2Gi");
        assert_eq!(changed_field(WorkloadKind::StatefulSet, &live, &wanted), Some("volumeClaimTemplates"));
    }

    #[test]
    fn removed_volumes_count_as_a_change() {
        let wanted = json!({"selector": {}, "serviceName": "db-headless"});
        let live = json!({"selector": {}, "serviceName": "db-headless", "volumeClaimTemplates": [{}]});
        assert_eq!(changed_field(WorkloadKind::StatefulSet, &live, &wanted), Some("volumeClaimTemplates"));
    }
}
