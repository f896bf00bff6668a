//! Which objects were not created from a user's manifest, and do not belong in an application.

use serde_json::{Value, json};

use crate::oam::convert::reference;

/// Whether an object belongs in the application; adds the reason to `comments` if it does not.
pub(super) fn is_wanted(object: &Value, comments: &mut Vec<String>) -> bool {
    let metadata = &object["metadata"];
    let mut owners = metadata["ownerReferences"].as_array().into_iter().flatten();
    let reason = if let Some(owner) = owners.find(|owner| owner["controller"] == true) {
        let owner = reference(&json!({"kind": owner["kind"], "metadata": {"name": owner["name"]}}));
        format!("{owner} controls it")
    } else if metadata["annotations"]["helm.sh/hook"].is_string() {
        "it is a hook of Helm".to_owned()
    } else if object["kind"] == "Secret" && object["type"] == "helm.sh/release.v1" {
        "it is a release of Helm".to_owned()
    } else if is_of_cluster(object) {
        "it belongs to the cluster".to_owned()
    } else {
        return true;
    };
    comments.push(format!("{}: left out, as {reason}", reference(object)));
    false
}

/// Whether Kubernetes itself creates the object.
fn is_of_cluster(object: &Value) -> bool {
    let metadata = &object["metadata"];
    // Users write such objects as well, but once in the cluster, they cannot be distinguished from those of
    // controllers.
    let is_live = metadata["uid"].is_string();
    match object["kind"].as_str().unwrap_or_default() {
        "ConfigMap" => metadata["name"] == "kube-root-ca.crt",
        "ServiceAccount" => metadata["name"] == "default",
        "Service" => metadata["name"] == "kubernetes" && metadata["namespace"] == "default",
        "Secret" => is_live && object["type"] == "kubernetes.io/service-account-token",
        "Endpoints" | "EndpointSlice" => is_live,
        "Event" | "Lease" => true,
        _ => false,
    }
}
