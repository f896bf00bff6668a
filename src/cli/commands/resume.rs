//! `rollout resume`: resumes a run that is paused, interrupted or without a process.

use crate::cli::clusters::Cluster;
use crate::cli::connect::client::Access;
use crate::cli::failure::CommandError;
use crate::cli::flags::args::{ComponentArg, DeadlineArgs, GlobalArgs, OnFailureArg};
use crate::cli::flags::states::{self, RunOutput};
use crate::cli::run::{self, RunSettings};
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

    /// What to do after a failure.
    #[command(flatten)]
    pub on_failure: OnFailureArg,

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
    let cluster = Cluster::only(global, Access::Write, ui).await?;
    let component = cluster.env.component(args.component.component.as_deref());
    let settings = RunSettings { limits: args.deadlines.limits(), output: args.output }
        .on_failure(args.on_failure.on_failure);
    let resumed = async |context: &_| resume::resume(context, &component).await;
    run::run_in((&cluster, &[]), settings, ui, resumed).await
}
