//! Changes of immutable fields, as far as they can be detected without the server.

use crate::driver::object_owner::{Handling, pointer};
use crate::driver::outcome::Failure;
use crate::driver::prepared_objects::PreparedObject;

/// The immutable fields of a kind that manifests are likely to change.
fn immutable_fields(group: &str, kind: &str) -> &'static [&'static str] {
    match (group, kind) {
        ("apps", "Deployment" | "DaemonSet") => &["spec.selector"],
        ("apps", "StatefulSet") => {
            &["spec.selector", "spec.podManagementPolicy", "spec.volumeClaimTemplates"]
        }
        ("batch", "Job") => &["spec.template"],
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => &["roleRef"],
        _ => &[],
    }
}

/// Warns about an object that changes an immutable field since it was last applied: the server will reject it.
pub(in crate::driver) fn immutable_change(object: &PreparedObject) -> Option<String> {
    let live = object.before.as_ref().filter(|_| object.handling == Handling::Apply)?;
    let before = object.applied_before(live)?;
    let (group, kind) = (object.reference.group(), object.reference.kind.as_str());
    let changes = |field: &&&str| before.pointer(&pointer(field)) != object.body.pointer(&pointer(field));
    let field = immutable_fields(group, kind).iter().find(changes)?;
    Some(format!(
        "{}: `{field}` changes, which the API server refuses: delete the object first with `kubectl delete {}`, or \
         let a `resource-update` policy recreate it",
        object.reference,
        object.reference.kubectl_arguments()
    ))
}

/// Refuses a headless Service that would get a cluster IP: the API server would silently keep it headless.
pub(in crate::driver) fn headless_service(object: &PreparedObject) -> Option<Failure> {
    let live = object.before.as_ref().filter(|_| object.handling == Handling::Apply)?;
    let (reference, spec) = (&object.reference, &object.body["spec"]);
    let is_service = reference.group().is_empty() && reference.kind == "Service";
    let was_headless = object.applied_before(live)?["spec"]["clusterIP"] == "None";
    let is_kept = spec["clusterIP"].is_null() && spec["type"] != "ExternalName";
    if !(is_service && was_headless && is_kept && live.data["spec"]["clusterIP"] == "None") {
        return None;
    }
    let reason = format!("{reference}: `spec.clusterIP` is immutable, and the Service is headless");
    Some(
        Failure::refused(reason)
            .hint("let a `resource-update` policy with `recreateFields: [spec.clusterIP]` recreate it")
            .hint(format!("or delete the Service: `kubectl delete {}`", reference.kubectl_arguments())),
    )
}
