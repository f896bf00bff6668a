//! `rollout abort`: back to where the run under way began.

use crate::cli::failure::CommandError;
use crate::cli::flags::args::{BatchArgs, ComponentArg, DeadlineArgs, DryRunArg, GlobalArgs, RunOutput};
use crate::cli::run::{self, Settings};
use crate::cli::terminal::ui::Ui;
use crate::ops::abort;

/// Abort the run in progress and roll it back
///
/// Takes over from the process that drives the run, and rolls back to the previous revision and size in one batch, or in
/// those of `--batches`. The previous revision scales up and becomes ready before any pod is removed. If the command is
/// interrupted, rerun it to resume.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct AbortArgs {
    /// What returns.
    #[command(flatten)]
    pub component: ComponentArg,

    /// How it is cut.
    #[command(flatten)]
    pub batches: BatchArgs,

    /// How long it may take.
    #[command(flatten)]
    pub deadlines: DeadlineArgs,

    /// Where it is only tried.
    #[command(flatten)]
    pub dry: DryRunArg,

    /// Print the result in this format
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: RunOutput,
}

const EXAMPLES: &str = "\
Examples:
  $ rollout abort
  $ rollout abort express-server --batches 2,3";

/// Runs the command.
///
/// # Errors
///
/// Whatever stops the rollout.
pub async fn run(args: &AbortArgs, global: &GlobalArgs, ui: &mut Ui) -> Result<u8, CommandError> {
    let dry_run = args.dry.plan(args.output)?;
    let env = run::open(global, dry_run, ui).await?;
    let component = env.component(args.component.component.as_deref());
    let overrides = args.batches.overrides(false);
    if let Some(dry_run) = dry_run {
        return run::plan(&env, &[abort::request(&env.context, &component, &overrides).await?], dry_run, ui)
            .await;
    }
    let settings = Settings { limits: args.deadlines.limits(), output: args.output };
    run::run(&env, settings, ui, async |context| abort::abort(context, &component, &overrides).await).await
}
