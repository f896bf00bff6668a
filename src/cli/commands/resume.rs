//! `rollout resume`: resumes a run that is paused, interrupted or without a process.

use crate::cli::failure::CommandError;
use crate::cli::flags::args::{ComponentArg, DeadlineArgs, GlobalArgs, RunOutput};
use crate::cli::flags::states;
use crate::cli::run::{self, Settings};
use crate::cli::terminal::ui::Ui;
use crate::ops::resume;

/// Resume a run that was paused or interrupted, or whose process died
///
/// If the paused process is still waiting, it continues and this command waits for it; otherwise this command takes
/// over. Does not open a gate: use `rollout promote` for that.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct ResumeArgs {
    /// The component.
    #[command(flatten)]
    pub component: ComponentArg,

    /// How long it may take.
    #[command(flatten)]
    pub deadlines: DeadlineArgs,

    /// Print the result in this format
    #[arg(short, long, value_name = "FORMAT", default_value = "table", value_parser = states::run_output())]
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
/// The failure that stopped the rollout.
pub async fn run(args: &ResumeArgs, global: &GlobalArgs, ui: &mut Ui) -> Result<u8, CommandError> {
    let env = run::open(global, None, ui).await?.env;
    let component = env.component(args.component.component.as_deref());
    let settings = Settings { limits: args.deadlines.limits(), output: args.output };
    run::run(&env, settings, ui, async |context| resume::resume(context, &component).await).await
}
