//! `rollout rbac`: the rights that a run needs, as manifests.

use serde_json::{Value, json};

use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::flags::args::GlobalArgs;
use crate::cli::flags::values;
use crate::cli::terminal::ui::Ui;
use crate::cluster::permissions::{self, RightPurpose};
use crate::report::document;

/// Print the Role that a run needs in its namespace
///
/// Contains no cluster-wide permissions. You can remove the rules for kinds that you do not use.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Add the permissions that `rollout delete` and `apply --prune` need
    #[arg(long)]
    pub with_delete: bool,

    /// Add the permissions on the kinds of `rollout crds`
    #[arg(long)]
    pub with_views: bool,

    /// Add this service account and bind the Role to it
    #[arg(long, value_name = "NAME", requires = "namespace", value_parser = values::account)]
    pub service_account: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  $ rollout rbac | kubectl apply -n shop -f -
  $ rollout rbac --with-views -n shop | kubectl apply -f -
  $ rollout rbac --with-delete --service-account deployer --namespace shop | kubectl apply -f -";

/// The Role's name.
pub(crate) const NAME: &str = "rollout";

/// Runs the command.
///
/// # Errors
///
/// None.
pub fn run(args: &Args, global: &GlobalArgs, ui: &mut Ui) -> Result<u8, Failure> {
    let namespace = global.namespace.as_deref();
    let rights = if args.with_delete { Rights::Removing } else { Rights::Rolling };
    let views = if args.with_views { Views::Shown } else { Views::None };
    let mut text = role(namespace, rights, views);
    if let (Some(account), Some(namespace)) = (&args.service_account, namespace) {
        text.push_str(&bound(account, namespace));
    }
    ui.data(&text);
    Ok(exit::SUCCESS)
}

/// What the holder of the Role does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rights {
    /// It rolls out.
    Rolling,
    /// It also removes, as `rollout delete` and `apply --prune` do.
    Removing,
}

/// Whether the holder of the Role shows runs in the optional views.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Views {
    /// There are none.
    None,
    /// It does.
    Shown,
}

/// The Role, in a namespace or in whichever it is applied to.
pub(crate) fn role(namespace: Option<&str>, rights: Rights, views: Views) -> String {
    let mut metadata = json!({"name": NAME});
    if let Some(namespace) = namespace {
        metadata["namespace"] = json!(namespace);
    }
    let head = document::yaml(&json!({
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
pub(crate) fn bound(account: &str, namespace: &str) -> String {
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
    documents.iter().map(|document| format!("---\n{}", document::yaml(document))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readme_has_the_same_role() {
        let role = role(None, Rights::Rolling, Views::None);
        assert!(include_str!("../../../README.md").contains(&role), "{role}");
    }
}
