//! `rollout scale`: another size, in batches.

use crate::cli::failure::CommandError;
use crate::cli::flags::args::{BatchArgs, DeadlineArgs, DryRunArg, GlobalArgs, RunOutput};
use crate::cli::flags::values;
use crate::cli::run::{self, Settings};
use crate::cli::terminal::ui::Ui;
use crate::ops::scale;

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
  $ rollout scale express-server --replicas 7
  $ rollout scale express-server --replicas 3 --batches 1,3";

/// Runs the command.
///
/// # Errors
///
/// Whatever stops the rollout.
pub async fn run(args: &ScaleArgs, global: &GlobalArgs, ui: &mut Ui) -> Result<u8, CommandError> {
    let dry_run = args.dry.plan(args.output)?;
    let env = run::open(global, dry_run, ui).await?;
    let component = env.component(args.component.as_deref());
    let overrides = args.batches.overrides(false);
    if let Some(dry_run) = dry_run {
        return run::plan(
            &env,
            &[scale::request(&env.context, &component, args.replicas, &overrides).await?],
            dry_run,
            ui,
        )
        .await;
    }
    let settings = Settings { limits: args.deadlines.limits(), output: args.output };
    run::run(&env, settings, ui, async |context| {
        scale::scale(context, &component, args.replicas, &overrides).await
    })
    .await
}
