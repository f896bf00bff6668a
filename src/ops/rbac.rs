//! The Role that an operation needs, and its binding to a service account, as YAML documents.

use serde_json::{Value, json};

use crate::cluster::permissions::{self, RightPurpose};
use crate::report::structured;

/// The Role's name.
const NAME: &str = "rollout";

/// Which operations the Role permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rights {
    /// Those that roll out.
    Rolling,
    /// Deletion as well, for `rollout delete` and `apply --prune`.
    Removing,
}

/// Whether the Role permits to write the optional views.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Views {
    /// It does not.
    None,
    /// It does.
    Shown,
}

/// The Role, in a namespace or without one.
#[must_use]
pub fn role(namespace: Option<&str>, rights: Rights, views: Views) -> String {
    let mut metadata = json!({"name": NAME});
    if let Some(namespace) = namespace {
        metadata["namespace"] = json!(namespace);
    }
    let head = structured::to_yaml(&json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": metadata,
    }));
    let (removes, shows) = (rights == Rights::Removing, views == Views::Shown);
    let is_wanted = |purpose: RightPurpose| match purpose {
        RightPurpose::Runs
        | RightPurpose::Workloads(_)
        | RightPurpose::Services
        | RightPurpose::Diagnosis
        | RightPurpose::Checks => true,
        RightPurpose::Removal => removes,
        RightPurpose::Views => shows,
        RightPurpose::RemovalOfViews => removes && shows,
    };
    head + &permissions::role_rules(is_wanted)
}

/// A service account and the binding of the Role to it, as further documents.
#[must_use]
pub fn binding(account: &str, namespace: &str) -> String {
    let documents: [Value; 2] = [
        json!({
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": account, "namespace": namespace},
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": account, "namespace": namespace},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": NAME},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
        }),
    ];
    documents.iter().map(|document| format!("---\n{}", structured::to_yaml(document))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readme_has_the_same_role() {
        let role = role(None, Rights::Rolling, Views::None);
        assert!(include_str!("../../README.md").contains(&role), "{role}");
    }
}
