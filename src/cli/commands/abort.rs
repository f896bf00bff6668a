//! `rollout abort`: rolls back the run in progress.

use crate::cli::failure::CommandError;
use crate::cli::flags::args::{BatchArgs, ComponentArg, GlobalArgs, RunArgs};
use crate::cli::run::plan_or_apply;
use crate::cli::terminal::ui::Ui;
use crate::ops::abort::abort_request;

/// Abort the run in progress and roll it back
///
/// Takes over from the process that drives the run, and rolls back to the previous revision and size in one batch, or
/// in those of `--batches`. The previous revision scales up and becomes ready before any pod is removed. If the command
/// is interrupted, rerun it to resume.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct AbortArgs {
    /// What returns.
    #[command(flatten)]
    pub component: ComponentArg,

    /// The batches.
    #[command(flatten)]
    pub batches: BatchArgs,

    /// The run's options.
    #[command(flatten)]
    pub run: RunArgs,
}

const EXAMPLES: &str = "\
Examples:
  $ rollout abort
  $ rollout abort express-server --batches 2,3";

/// Runs the command.
///
/// # Errors
///
/// The failure that stopped the rollout.
pub async fn run(args: &AbortArgs, global: &GlobalArgs, ui: &mut Ui) -> Result<u8, CommandError> {
    let overrides = args.batches.overrides();
    let request = async |context: &_, component: &_| abort_request(context, component, &overrides).await;
    plan_or_apply((&args.run, args.component.component.as_deref()), global, ui, request).await
}
