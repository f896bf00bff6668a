//! `rollout scale`: changes the size, in batches.

use crate::cli::failure::CommandError;
use crate::cli::flags::args::{BatchArgs, GlobalArgs, RunArgs};
use crate::cli::flags::values;
use crate::cli::run::plan_or_apply;
use crate::cli::terminal::ui::Ui;
use crate::ops::scale::scale_request;

/// Scale a component, in batches
///
/// Keeps the revision. The next `rollout apply` returns to the `targetSize` of its manifest, and is rejected if its
/// `rolloutBatches` do not add up to the difference. Rejected during an upgrade; otherwise ends a pause.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct ScaleArgs {
    /// Scale this component; optional if the namespace has only one
    pub component: Option<String>,

    /// The new number of replicas
    #[arg(long, value_name = "COUNT", value_parser = values::count, allow_negative_numbers = true)]
    pub replicas: u32,

    /// The batches.
    #[command(flatten)]
    pub batches: BatchArgs,

    /// The run's options.
    #[command(flatten)]
    pub run: RunArgs,
}

const EXAMPLES: &str = "\
Examples:
  $ rollout scale express-server --replicas 7
  $ rollout scale express-server --replicas 3 --batches 1,3";

/// Runs the command.
///
/// # Errors
///
/// The failure that stopped the rollout.
pub async fn run(args: &ScaleArgs, global: &GlobalArgs, ui: &mut Ui) -> Result<u8, CommandError> {
    let overrides = args.batches.overrides();
    let request =
        async |context: &_, component: &_| scale_request(context, component, args.replicas, &overrides).await;
    plan_or_apply((&args.run, args.component.as_deref()), global, ui, request).await
}
