//! `rollout resume`: on with a run that stands still.

use crate::cli::commands::component::Component;
use crate::cli::failure::Failure;
use crate::cli::flags::args::{ComponentArg, DeadlineArgs, GlobalArgs, RunOutput};
use crate::cli::terminal::ui::Ui;
use crate::driver::pause;
use crate::driver::request::{Gate, Intent, Overrides};

/// Resume a run that was paused or interrupted, or whose process died
///
/// If the paused process is still waiting, it continues and this command waits for it; otherwise this command takes
/// over. Does not open a gate: use `rollout promote` for that.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// What goes on.
    #[command(flatten)]
    pub component: ComponentArg,

    /// How long it may take.
    #[command(flatten)]
    pub deadlines: DeadlineArgs,

    /// Print the result in this format
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: RunOutput,
}

const EXAMPLES: &str = "\
Examples:
  $ rollout resume
  $ rollout resume express-server --timeout 30m";

/// Runs the command.
///
/// # Errors
///
/// Whatever stops the rollout.
pub async fn run(args: &Args, global: &GlobalArgs, ui: &mut Ui) -> Result<u8, Failure> {
    let component = Component::find(args.component.component.as_deref(), None, global, ui).await?;
    pause::unpause(&component.setting.session, component.place()).await?;
    let intent = Intent::Recorded { gate: Gate::Stay, kind: component.kind() };
    let request = component.request(intent, Overrides::default());
    component.drive(request, None, args.deadlines.limits(), args.output, ui).await
}
