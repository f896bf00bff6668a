//! `rollout promote`: past the gate.

use crate::cli::failure::CommandError;
use crate::cli::flags::args::{ComponentArg, DeadlineArgs, DryRunArg, GlobalArgs, RunOutput};
use crate::cli::run::{self, Settings};
use crate::cli::terminal::ui::Ui;
use crate::ops::promote::{self, Promotion};

/// Continue a held run past its gate, for one batch or to the end
///
/// Rolls out one more batch and holds the run again; with `--full`, runs to completion. If the run has not reached
/// its gate yet, waits for it first, or drives it there if no other process does. Resumes a paused run.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct PromoteArgs {
    /// The component.
    #[command(flatten)]
    pub component: ComponentArg,

    /// Run to completion, without another gate
    #[arg(long)]
    pub full: bool,

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
  $ rollout promote
  $ rollout promote express-server --full";

/// Runs the command.
///
/// # Errors
///
/// Whatever stops the rollout.
pub async fn run(args: &PromoteArgs, global: &GlobalArgs, ui: &mut Ui) -> Result<u8, CommandError> {
    let dry_run = args.dry.plan(args.output)?;
    let env = run::open(global, dry_run, ui).await?;
    let component = env.component(args.component.component.as_deref());
    let promotion = if args.full { Promotion::Full } else { Promotion::NextBatch };
    if let Some(dry_run) = dry_run {
        return run::plan(&env, &[promote::request(&env.context, &component, promotion).await?], dry_run, ui)
            .await;
    }
    let settings = Settings { limits: args.deadlines.limits(), output: args.output };
    run::run(&env, settings, ui, async |context| promote::promote(context, &component, promotion).await).await
}
