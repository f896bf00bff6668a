//! Traits for the security context and the account of pods.

use serde_json::{Map, Value, json};

use crate::oam::object::{copy, list, text};
use crate::oam::render::Rendered;
use crate::oam::traits::TraitKind;
use crate::oam::traits::containers::each_container;
use crate::oam::traits::context::TraitContext;
use crate::oam::traits::error::{TraitError, refused};
use crate::oam::traits::outputs::{TraitOutput, add_output};
use crate::oam::traits::patch::Mark;
use crate::oam::traits::workload::{BY_NAME, container, merge_into_pod};

const RBAC: &str = "rbac.authorization.k8s.io/v1";
const RBAC_GROUP: &str = "rbac.authorization.k8s.io";

/// `securitycontext` of containers.
pub(super) fn security_context(
    properties: &Value,
    workload: &mut Value,
    context: &TraitContext<'_>,
) -> Result<(), TraitError> {
    for parameters in each_container(properties)? {
        let name = container(workload, text(parameters, "containerName"), context.component)?["name"].clone();
        if parameters["privileged"] == true && parameters["allowPrivilegeEscalation"] == false {
            return Err(refused(
                "has `privileged: true` without `allowPrivilegeEscalation: true`, which Kubernetes does not support",
                "set both, or neither",
            ));
        }
        let mut capabilities = Map::new();
        for (from, to) in [("addCapabilities", "add"), ("dropCapabilities", "drop")] {
            if let Some(list) = parameters.get(from) {
                capabilities.insert(to.to_owned(), list.clone());
            }
        }
        let mut security = Map::new();
        security.insert("capabilities".to_owned(), Value::Object(capabilities));
        let copied = [
            "allowPrivilegeEscalation",
            "privileged",
            "readOnlyRootFilesystem",
            "runAsNonRoot",
            "runAsUser",
            "runAsGroup",
        ];
        copy(parameters, &mut security, &copied);
        let patch = json!({"containers": [{"name": name, "securityContext": security}]});
        merge_into_pod(workload, &patch, BY_NAME)?;
    }
    Ok(())
}

/// `podsecuritycontext`.
pub(super) fn pod_security_context(properties: &Value, workload: &mut Value) -> Result<(), TraitError> {
    merge_into_pod(workload, &json!({"securityContext": properties}), &[])
}

/// `service-account`: the account that pods run as, and on request the account and its rights.
pub(super) fn service_account(
    properties: &Value,
    rendered: &mut Rendered,
    context: &TraitContext<'_>,
) -> Result<(), TraitError> {
    let name = text(properties, "name");
    let patch = json!({"serviceAccountName": name});
    merge_into_pod(&mut rendered.workload, &patch, &[("serviceAccountName", Mark::Replace)])?;
    let mut add = |output: &str, object: TraitOutput| {
        add_output(rendered, context, TraitKind::ServiceAccount, output, object)
    };
    if properties["create"] == true {
        add("service-account", TraitOutput::new("v1", "ServiceAccount", name))?;
    }
    let rules = |scope: &str| -> Vec<Value> {
        let privileges = list(properties, "privileges").iter();
        privileges.filter(|privilege| text(privilege, "scope") == scope).map(rule).collect()
    };
    let in_cluster = rules("cluster");
    if !in_cluster.is_empty() {
        let role = format!("{}:{name}", context.namespace);
        let subject = json!({"kind": "ServiceAccount", "name": name, "namespace": context.namespace});
        add(
            "cluster-role",
            TraitOutput::in_cluster(RBAC, "ClusterRole", &role).with("rules", Value::Array(in_cluster)),
        )?;
        add(
            "cluster-role-binding",
            TraitOutput::in_cluster(RBAC, "ClusterRoleBinding", &role)
                .with("roleRef", json!({"apiGroup": RBAC_GROUP, "kind": "ClusterRole", "name": role}))
                .with("subjects", json!([subject])),
        )?;
    }
    let in_namespace = rules("namespace");
    if !in_namespace.is_empty() {
        add("role", TraitOutput::new(RBAC, "Role", name).with("rules", Value::Array(in_namespace)))?;
        add(
            "role-binding",
            TraitOutput::new(RBAC, "RoleBinding", name)
                .with("roleRef", json!({"apiGroup": RBAC_GROUP, "kind": "Role", "name": name}))
                .with("subjects", json!([{"kind": "ServiceAccount", "name": name}])),
        )?;
    }
    Ok(())
}

fn rule(privilege: &Value) -> Value {
    let mut rule = Map::new();
    let fields = ["verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs"];
    copy(privilege, &mut rule, &fields);
    Value::Object(rule)
}
