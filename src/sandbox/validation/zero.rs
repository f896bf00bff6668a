//! Empty objects as the server encodes them: with the fields that it never omits.
//!
//! A writer of a new object does not own the existence of these fields, since they were there before.

use serde_json::{Value, json};

use crate::sandbox::object::kind::{Kind, Origin};

/// An empty object of a kind.
pub(crate) fn zero(kind: Kind) -> Value {
    if kind.origin != Origin::BuiltIn {
        return json!({});
    }
    let template = json!({"metadata": {}, "spec": {"containers": null}});
    match kind.plural {
        "pods" => json!({"spec": {"containers": null}}),
        "replicasets" => json!({"spec": {"template": template}}),
        "deployments" => json!({"spec": {"template": template, "strategy": {}}}),
        "daemonsets" => json!({"spec": {"template": template, "updateStrategy": {}}}),
        "statefulsets" => json!({"spec": {"template": template, "updateStrategy": {}, "serviceName": ""}}),
        "jobs" => json!({"spec": {"template": template}}),
        "cronjobs" => {
            json!({"spec": {"schedule": "", "jobTemplate": {"metadata": {}, "spec": {"template": template}}}})
        }
        "persistentvolumeclaims" => json!({"spec": {"resources": {}}}),
        "networkpolicies" => json!({"spec": {"podSelector": {}}}),
        "roles" | "clusterroles" => json!({"rules": null}),
        "rolebindings" | "clusterrolebindings" => {
            json!({"roleRef": {"apiGroup": "", "kind": "", "name": ""}})
        }
        "horizontalpodautoscalers" => {
            json!({"spec": {"scaleTargetRef": {"kind": "", "name": ""}, "maxReplicas": 0}})
        }
        "customresourcedefinitions" => json!({
            "spec": {"group": "", "names": {"plural": "", "kind": ""}, "scope": "", "versions": null},
        }),
        "limitranges" => json!({"spec": {"limits": null}}),
        "controllerrevisions" => json!({"revision": 0}),
        "events" => json!({
            "involvedObject": {},
            "source": {},
            "firstTimestamp": null,
            "lastTimestamp": null,
            "eventTime": null,
            "reportingComponent": "",
            "reportingInstance": "",
        }),
        "configmaps" | "secrets" | "serviceaccounts" => json!({}),
        _ => json!({"spec": {}}),
    }
}
