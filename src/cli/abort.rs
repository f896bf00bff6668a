//! `rollout abort`: back to where the run under way began.

use crate::cli::args::{BatchArgs, ComponentArg, DeadlineArgs, GlobalArgs, RunOutput};
use crate::cli::connect::Purpose;
use crate::cli::failure::Failure;
use crate::cli::setting;
use crate::cli::ui::Ui;
use crate::cli::{driving, gather};
use crate::cluster::lease::Turn;
use crate::driver::wish::{Intent, Wish};

/// Return from the run under way to where it began, at once
///
/// Takes over from the process that drives, and returns to the revision and the size from before in one batch, or in
/// those of `--batches`: the revision from before grows and is ready before anything is taken away. Given again, an
/// abort that was stopped goes on.
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

    /// Print the result in this form
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
    let setting = setting::open(global, Purpose::Change, ui).await?;
    let namespace = setting.connection.namespaces.resolve(None).to_owned();
    let record = gather::record_of(&setting, args.component.component.as_deref(), &namespace).await?;
    let intent = Intent::Abort { kind: record.run.spec.kind };
    let wish = Wish::of_record(&record, namespace, intent, args.batches.overrides(false));
    let wish = Wish { turn: Turn::AtOnce, ..wish };
    driving::drive(&setting, &[wish], args.deadlines.limits(), args.output, ui).await
}
