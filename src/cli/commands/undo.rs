//! `rollout undo`: back to an earlier revision, in batches.

use crate::cli::failure::CommandError;
use crate::cli::flags::args::{BatchArgs, GlobalArgs, RunArgs};
use crate::cli::run::plan_or_run;
use crate::cli::terminal::ui::Ui;
use crate::ops::undo::{self, UndoPace, UndoRequest};

/// Roll back to an earlier revision, in batches
///
/// Needs no manifest: the workload is rendered from the recorded revision.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct UndoArgs {
    /// Roll back this component; optional if the namespace has only one
    pub component: Option<String>,

    /// Roll back to this revision: its name, the part after the component's name, or its number
    ///
    /// Default: the last revision that succeeded before the current one.
    #[arg(long, value_name = "REVISION")]
    pub to_revision: Option<String>,

    /// Roll back in one batch, and take over from a run in progress
    ///
    /// Without this flag, uses the batches of the last run if they fit, and waits for a run in progress.
    #[arg(long, conflicts_with_all = ["batches", "partition"])]
    pub now: bool,

    /// How it is cut.
    #[command(flatten)]
    pub batches: BatchArgs,

    /// How it is driven.
    #[command(flatten)]
    pub run: RunArgs,
}

const EXAMPLES: &str = "\
Examples:
  $ rollout undo
  $ rollout undo express-server --to-revision v1
  $ rollout undo express-server --now
  $ rollout undo express-server --to-revision express-server-v1 --batches 2,3";

/// Runs the command.
///
/// # Errors
///
/// Whatever stops the rollout.
pub async fn run(args: &UndoArgs, global: &GlobalArgs, ui: &mut Ui) -> Result<u8, CommandError> {
    let pace = if args.now { UndoPace::Now } else { UndoPace::InBatches(args.batches.overrides(false)) };
    let request = UndoRequest { to_revision: args.to_revision.clone(), pace };
    plan_or_run(
        (&args.run, args.component.as_deref()),
        global,
        ui,
        async |context, component| undo::undo_request(context, component, &request).await,
        async |context, component| undo::undo(context, component, &request).await,
    )
    .await
}
