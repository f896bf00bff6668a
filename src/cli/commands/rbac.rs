//! `rollout rbac`: the rights that a run needs, as manifests.

use crate::cli::exit;
use crate::cli::failure::CommandError;
use crate::cli::flags::args::GlobalArgs;
use crate::cli::flags::values;
use crate::cli::terminal::ui::Ui;
use crate::ops::rbac::{Rights, Views, binding, role};

/// Print the Role that a run needs in its namespace
///
/// Contains no cluster-wide permissions. You can remove the rules for kinds that you do not use.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct RbacArgs {
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

/// Runs the command.
///
/// # Errors
///
/// None.
pub fn run(args: &RbacArgs, global: &GlobalArgs, ui: &mut Ui) -> Result<u8, CommandError> {
    let namespace = global.namespace.as_deref();
    let rights = if args.with_delete { Rights::Removing } else { Rights::Rolling };
    let views = if args.with_views { Views::Shown } else { Views::None };
    let mut text = role(namespace, rights, views);
    if let (Some(account), Some(namespace)) = (&args.service_account, namespace) {
        text.push_str(&binding(account, namespace));
    }
    ui.data(&text);
    Ok(exit::SUCCESS)
}
