//! `rollout promote`: resumes a run that is held at a gate.

use crate::cli::failure::CommandError;
use crate::cli::flags::args::{ComponentArg, GlobalArgs, OnFailureArg, RunArgs};
use crate::cli::run::{RunSettings, plan_or_run};
use crate::cli::terminal::ui::Ui;
use crate::ops::promote::{self, Promotion};

/// Continue a held run past its gate, for one batch or to the end
///
/// Rolls out one more batch and holds the run again; with `--full`, runs to completion. If the run has not reached
/// its gate yet, waits for it first, or drives it there if no other process does. Resumes a paused run.
///
/// An application that is held at a step of its workflow continues to the next step that holds it. Components that wait
/// for a held one continue with it.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct PromoteArgs {
    /// The component.
    #[command(flatten)]
    pub component: ComponentArg,

    /// Run to completion, without another gate
    #[arg(long)]
    pub full: bool,

    /// What to do after a failure.
    #[command(flatten)]
    pub on_failure: OnFailureArg,

    /// The run's options.
    #[command(flatten)]
    pub run: RunArgs,
}

const EXAMPLES: &str = "\
Examples:
  $ rollout promote
  $ rollout promote express-server --full
  $ rollout promote --full --on-failure undo  roll back if the pods do not become ready
  $ rollout promote shop                      past a step of the workflow of `shop`";

/// Runs the command.
///
/// # Errors
///
/// The failure that stopped the rollout.
pub async fn run(args: &PromoteArgs, global: &GlobalArgs, ui: &mut Ui) -> Result<u8, CommandError> {
    let promotion = if args.full { Promotion::Full } else { Promotion::NextBatch };
    let settings = RunSettings::from(&args.run).on_failure(args.on_failure.on_failure);
    plan_or_run(
        (args.run.dry_run_plan()?, settings, args.component.component.as_deref()),
        global,
        ui,
        async |context, component| promote::promote_request(context, component, promotion).await,
        async |context, component| promote::promote(context, component, promotion).await,
    )
    .await
}
