//! `rollout rbac`: the rights that operations need, as manifests.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::ValueEnum;

use crate::cli::exit;
use crate::cli::failure::CommandError;
use crate::cli::flags::args::{GlobalArgs, RecursiveArg};
use crate::cli::flags::values;
use crate::cli::input::Manifests;
use crate::cli::selection;
use crate::cli::terminal::ui::Ui;
use crate::ops::rbac::{Operation, RoleRequest, Views, roles};

/// Print the Role that a command needs in its namespace
///
/// Without manifests, the Role has the rules for every kind of workload, and none for the objects of components without
/// the `rollout` trait and of traits. With manifests, it has exactly the rules that they need; objects in other
/// namespaces get a Role there, and objects without a namespace a ClusterRole.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct RbacArgs {
    /// Print the rules that these manifests need: files, directories, or `-` for stdin
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Read this manifest, as with kubectl; can be repeated
    #[arg(short = 'f', long, value_name = "FILE")]
    pub filename: Vec<PathBuf>,

    /// How directories are read.
    #[command(flatten)]
    pub recursive: RecursiveArg,

    /// Print the rules that these commands need
    #[arg(long = "for", value_name = "COMMAND", value_delimiter = ',', default_value = "apply")]
    pub commands: Vec<PermittedCommand>,

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
  $ rollout rbac app.yaml -n shop | kubectl apply -f -
  $ rollout rbac --for read-only -n shop | kubectl apply -f -
  $ rollout rbac --with-views -n shop | kubectl apply -f -
  $ rollout rbac --for ci --with-delete --service-account deployer --namespace shop | kubectl apply -f -";

/// The commands that a Role can permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum PermittedCommand {
    /// Apply manifests
    Apply,
    /// Apply manifests, and delete what they no longer contain
    Prune,
    /// Roll back
    Undo,
    /// Roll back the run in progress
    Abort,
    /// Continue past the gate
    Promote,
    /// Continue a paused run
    Resume,
    /// Scale
    Scale,
    /// Pause a run
    Pause,
    /// Delete components and applications
    Delete,
    /// Print what a run would do
    Plan,
    /// Try a run in a sandbox
    Rehearse,
    /// Print the state of components
    Status,
    /// List revisions and runs
    History,
    /// Everything that changes nothing: plan, rehearse, status and history
    ReadOnly,
    /// What a pipeline runs: apply, undo, plan, rehearse, status and history
    Ci,
}

impl PermittedCommand {
    fn operations(self) -> &'static [Operation] {
        use Operation::{Apply, Delete, History, Pause, Plan, Rerun, Status};
        match self {
            Self::Apply => &[Apply],
            Self::Prune => &[Apply, Delete],
            Self::Undo | Self::Abort | Self::Promote | Self::Resume | Self::Scale => &[Rerun],
            Self::Pause => &[Pause],
            Self::Delete => &[Delete],
            // A rehearsal only reads the cluster.
            Self::Plan | Self::Rehearse => &[Plan],
            Self::Status => &[Status],
            Self::History => &[History],
            Self::ReadOnly => &[Plan, Status, History],
            Self::Ci => &[Apply, Rerun, Plan, Status, History],
        }
    }
}

/// Runs the command.
///
/// # Errors
///
/// If a manifest is invalid.
pub fn run(args: &RbacArgs, global: &GlobalArgs, ui: &mut Ui) -> Result<u8, CommandError> {
    selection::refuse_overrides(global)?;
    let paths = args.recursive.paths(args.filename.iter().chain(&args.files));
    let applications = match paths.as_slice() {
        [] => Vec::new(),
        paths => Manifests::read(paths, ui)?.applications,
    };
    let mut operations: BTreeSet<Operation> =
        args.commands.iter().flat_map(|command| command.operations()).copied().collect();
    if args.with_delete {
        operations.insert(Operation::Delete);
    }
    let operations: Vec<Operation> = operations.into_iter().collect();
    let request = RoleRequest {
        name: &role_name(&args.commands),
        namespace: global.namespace.as_deref(),
        operations: &operations,
        views: if args.with_views { Views::Shown } else { Views::None },
        applications: &applications,
    };
    ui.data(&roles(request, args.service_account.as_deref()));
    Ok(exit::SUCCESS)
}

/// A distinct name for the Role of each list of commands, so that several can be in one namespace.
fn role_name(commands: &[PermittedCommand]) -> String {
    if commands == [PermittedCommand::Apply] {
        return "rollout".to_owned();
    }
    let names = commands.iter().filter_map(ValueEnum::to_possible_value);
    names.fold("rollout".to_owned(), |name, command| format!("{name}-{}", command.get_name()))
}
