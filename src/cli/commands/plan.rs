//! `rollout plan`: what `apply` would do, without a write.

use crate::cli::commands::prune;
use crate::cli::connect::client::Access;
use crate::cli::connect::env::Env;
use crate::cli::exit;
use crate::cli::failure::{CommandError, Kind};
use crate::cli::flags::args::{BatchArgs, GlobalArgs, ManifestArgs};
use crate::cli::input;
use crate::cli::terminal::ui::Ui;
use crate::ops::plan::{self, DryRun};
use crate::ops::{Adoption, FailureKind, Overrides, RolloutRequest, apply};
use crate::report::format::Format;
use crate::report::plan::render_plan;

/// Show what `rollout apply` would do, without changing anything
///
/// Prints the revision that would be created or reused, the diff against the running workload, and the steps
/// of each batch with their sizes and the peak: exactly the steps that `apply` takes. Names derived from
/// revisions appear only in the header of the diff.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct PlanArgs {
    /// What to plan.
    #[command(flatten)]
    pub manifests: ManifestArgs,

    /// How it is cut.
    #[command(flatten)]
    pub batches: BatchArgs,

    /// Accept different content under an existing `externalRevision`
    #[arg(long)]
    pub reuse_revision: bool,

    /// Take over objects that exist and belong to no application
    #[arg(long)]
    pub take_over: bool,

    /// Exit with 8 if there are changes to make, with 0 if there are none
    #[arg(long)]
    pub detailed_exitcode: bool,

    /// Print in this format; `name` prints the components with changes
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: Format,
}

const EXAMPLES: &str = "\
Examples:
  $ rollout plan app.yaml
  $ rollout plan app.yaml --batches 1,4
  $ rollout plan deploy/ --detailed-exitcode
  $ rollout plan app.yaml -o json | jq '.items[].run.batches'";

/// Runs the command.
///
/// # Errors
///
/// Whatever would stop the rollout before its first write.
pub async fn run(args: &PlanArgs, global: &GlobalArgs, ui: &mut Ui) -> Result<u8, CommandError> {
    let applications = input::applications(&args.manifests.paths(), ui)?;
    input::warn_of(&applications, ui);
    let env = Env::open(global, Access::Read, ui).await?;
    let adoption = if args.take_over { Adoption::TakeOver } else { Adoption::Refuse };
    let overrides = Overrides { adoption, ..args.batches.overrides(args.reuse_revision) };
    let requests = apply::requests(&applications, &overrides, |namespace| env.resolve(namespace))?;
    let pending = show(&env, &requests, DryRun::Client, args.output, ui).await?;
    prune::report_leftovers(&env, &requests, ui).await?;
    Ok(match (args.detailed_exitcode, pending) {
        (true, Pending::Changes) => exit::CHANGES,
        (true, Pending::Nothing) | (false, _) => exit::SUCCESS,
    })
}

/// Whether a plan changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pending {
    /// It does not.
    Nothing,
    /// It does.
    Changes,
}

/// Plans requests and prints the plans of all components that can be applied, before a rejection ends the command.
///
/// # Errors
///
/// Every rejection at once.
pub async fn show(
    env: &Env,
    requests: &[RolloutRequest],
    dry_run: DryRun,
    output: Format,
    ui: &mut Ui,
) -> Result<Pending, CommandError> {
    let plan = plan::plan(&env.context, requests, dry_run).await;
    plan.warnings.iter().for_each(|warning| ui.warn(warning));
    ui.data(&render_plan(&plan.components, output));
    let Some(first) = plan.rejections.first() else {
        return Ok(if plan.is_pending() { Pending::Changes } else { Pending::Nothing });
    };
    let kind = if first.kind == FailureKind::Refused { Kind::Refused } else { Kind::Cluster };
    let reasons: Vec<&str> = plan.rejections.iter().map(|failure| failure.reason.as_str()).collect();
    let hints = plan.rejections.iter().flat_map(|failure| &failure.hints);
    Err(hints.fold(CommandError::message(kind, reasons.join("\n")), |failure, hint| failure.hint(hint)))
}
