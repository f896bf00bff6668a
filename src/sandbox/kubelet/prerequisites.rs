//! What a pod must have for a failure to be possible, and the messages of the scheduler and the kubelet.

use serde_json::Value;

use crate::sandbox::object::meta;
use crate::sandbox::rules::pod_failure::Prerequisite;

/// The scheduler's message for a pod that fits on no node.
pub(super) const UNSCHEDULABLE_MESSAGE: &str = "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: \
     1 No preemption victims found for incoming pod.";

/// Whether a pod has what a failure needs. A pod that has run has mounted its volumes and finished its init
/// containers.
pub(super) fn has(pod: &Value, prerequisite: Prerequisite) -> bool {
    let has_run = || meta::text(pod, "/status/phase") == "Running";
    match prerequisite {
        Prerequisite::Environment => missing(&pod["spec"]["containers"][0]).is_some(),
        Prerequisite::Volume => !has_run() && unmounted(pod).is_some(),
        Prerequisite::InitContainer => !has_run() && failing_init(pod).is_some(),
    }
}

/// The init container that fails: the first that is not a sidecar.
pub(super) fn failing_init(pod: &Value) -> Option<&str> {
    let all = meta::items(pod, "/spec/initContainers");
    all.iter().find(|container| !is_sidecar(container)).map(|container| meta::text(container, "/name"))
}

/// Whether an init container is a sidecar, which keeps running beside the others.
pub(super) fn is_sidecar(container: &Value) -> bool {
    meta::text(container, "/restartPolicy") == "Always"
}

/// The kubelet's message about the first missing object that a container's environment needs.
pub(super) fn missing(container: &Value) -> Option<String> {
    let whole = meta::items(container, "/envFrom").iter().flat_map(|from| {
        [("configmap", &from["configMapRef"]), ("secret", &from["secretRef"])].map(not_found)
    });
    let single = meta::items(container, "/env").iter().flat_map(|variable| {
        let from = &variable["valueFrom"];
        [("configmap", &from["configMapKeyRef"]), ("secret", &from["secretKeyRef"])].map(not_found)
    });
    whole.chain(single).flatten().next()
}

/// The kubelet's message about the first volume that needs a missing ConfigMap or Secret.
pub(super) fn unmounted(pod: &Value) -> Option<String> {
    meta::items(pod, "/spec/volumes").iter().find_map(|volume| {
        let missing = if volume["secret"].is_null() {
            not_found(("configmap", &volume["configMap"]))
        } else {
            let secret = &volume["secret"];
            let is_needed = secret["optional"] != true;
            let name = meta::text(secret, "/secretName");
            is_needed.then(|| format!("secret \"{name}\" not found"))
        };
        let name = meta::text(volume, "/name");
        missing.map(|missing| format!("MountVolume.SetUp failed for volume \"{name}\" : {missing}"))
    })
}

/// The message that a referenced object does not exist; `None` without a reference or if it is optional.
fn not_found((kind, reference): (&str, &Value)) -> Option<String> {
    let is_needed = !reference.is_null() && reference["optional"] != true;
    is_needed.then(|| format!("{kind} \"{}\" not found", meta::text(reference, "/name")))
}

/// Why an image cannot be pulled.
pub(super) fn pull_error(image: &str) -> String {
    format!(
        "failed to pull and unpack image \"{image}\": failed to resolve reference \"{image}\": {image}: not found"
    )
}

/// Why an image name is invalid.
pub(super) fn name_error(image: &str) -> String {
    format!(
        "Failed to apply default image tag \"{image}\": couldn't parse image name \"{image}\": invalid reference format"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_missing_object_is_reported() {
        let optional = json!({"valueFrom": {"configMapKeyRef": {"name": "maybe", "optional": true}}});
        let secret = json!({"valueFrom": {"secretKeyRef": {"name": "keys", "key": "api"}}});
        for (container, found) in [
            (json!({}), None),
            (json!({"env": [{"name": "A", "value": "b"}, optional]}), None),
            (json!({"env": [optional, secret]}), Some("secret \"keys\" not found")),
            (
                json!({"env": [secret], "envFrom": [{"configMapRef": {"name": "all"}}]}),
                Some("configmap \"all\" not found"),
            ),
        ] {
            assert_eq!(missing(&container).as_deref(), found, "{container}");
        }
    }

    #[test]
    fn volumes_of_other_sources_are_never_missing() {
        let config = json!({"name": "config", "configMap": {"name": "app"}});
        let secret = json!({"name": "keys", "secret": {"secretName": "api"}});
        let failed = |volume: &str, missing: &str| {
            Some(format!("MountVolume.SetUp failed for volume \"{volume}\" : {missing} not found"))
        };
        for (volumes, found) in [
            (json!([{"name": "cache", "emptyDir": {}}]), None),
            (json!([{"name": "keys", "secret": {"secretName": "api", "optional": true}}]), None),
            (json!([{"name": "cache", "emptyDir": {}}, config]), failed("config", "configmap \"app\"")),
            (json!([secret, config]), failed("keys", "secret \"api\"")),
        ] {
            assert_eq!(unmounted(&json!({"spec": {"volumes": volumes}})), found, "{volumes}");
        }
    }

    #[test]
    fn a_pod_that_has_run_fails_over_no_mount_and_no_init_container() {
        let spec = json!({
            "containers": [{"name": "main", "env": [{"valueFrom": {"secretKeyRef": {"name": "keys"}}}]}],
            "initContainers": [{"name": "proxy", "restartPolicy": "Always"}, {"name": "setup"}],
            "volumes": [{"name": "config", "configMap": {"name": "app"}}],
        });
        for (phase, expected) in [("Pending", [true; 3]), ("Running", [true, false, false])] {
            let pod = json!({"spec": spec, "status": {"phase": phase}});
            let found = [Prerequisite::Environment, Prerequisite::Volume, Prerequisite::InitContainer]
                .map(|prerequisite| has(&pod, prerequisite));
            assert_eq!(found, expected, "{phase}");
        }
        assert_eq!(failing_init(&json!({"spec": spec})), Some("setup"));
    }
}
