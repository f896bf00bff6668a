//! `rollout abort`: back to where the run under way began.

use crate::cli::commands::component::Component;
use crate::cli::failure::Failure;
use crate::cli::flags::args::{BatchArgs, ComponentArg, DeadlineArgs, DryRunArg, GlobalArgs, RunOutput};
use crate::cli::terminal::ui::Ui;
use crate::cluster::lease::Acquisition;
use crate::driver::request::{Intent, RolloutRequest};

/// Abort the run in progress and roll it back
///
/// Takes over from the process that drives the run, and rolls back to the previous revision and size in one batch, or in
/// those of `--batches`. The previous revision scales up and becomes ready before any pod is removed. If the command is
/// interrupted, rerun it to resume.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
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
pub async fn run(args: &Args, global: &GlobalArgs, ui: &mut Ui) -> Result<u8, Failure> {
    let trial = args.dry.trial(args.output)?;
    let component = Component::find(args.component.component.as_deref(), trial, global, ui).await?;
    let intent = Intent::Abort { kind: component.kind() };
    let request = component.request(intent, args.batches.overrides(false));
    let request = RolloutRequest { turn: Acquisition::TakeOver, ..request };
    component.drive(request, trial, args.deadlines.limits(), args.output, ui).await
}
