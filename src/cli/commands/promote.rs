//! `rollout promote`: past the gate.

use crate::cli::commands::component::Component;
use crate::cli::failure::Failure;
use crate::cli::flags::args::{ComponentArg, DeadlineArgs, DryRunArg, GlobalArgs, RunOutput};
use crate::cli::terminal::ui::Ui;
use crate::driver::pause;
use crate::driver::request::{Gate, Intent, Overrides};

/// Continue a held run past its gate, for one batch or to the end
///
/// Rolls out one more batch and holds the run again; with `--full`, runs to completion. If the run has not reached
/// its gate yet, waits for it first, or drives it there if no other process does. Resumes a paused run.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// What goes on.
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
pub async fn run(args: &Args, global: &GlobalArgs, ui: &mut Ui) -> Result<u8, Failure> {
    let trial = args.dry.trial(args.output)?;
    let component = Component::find(args.component.component.as_deref(), trial, global, ui).await?;
    if trial.is_none() {
        pause::unpause(&component.setting.session, component.place()).await?;
    }
    let gate = if args.full { Gate::Open } else { Gate::Next };
    let intent = Intent::Recorded { gate, kind: component.kind() };
    let request = component.request(intent, Overrides::default());
    component.drive(request, trial, args.deadlines.limits(), args.output, ui).await
}
