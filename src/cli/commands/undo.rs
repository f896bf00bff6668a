//! `rollout undo`: rolls back to an earlier revision, in batches.

use std::time::Duration;

use futures::future::join_all;

use crate::cli::clusters::{Clusters, all_or_failure};
use crate::cli::commands::plan;
use crate::cli::exit;
use crate::cli::failure::{CommandError, Kind};
use crate::cli::flags::args::{BatchArgs, GlobalArgs, RunArgs};
use crate::cli::run::{self, plan_or_apply};
use crate::cli::selection;
use crate::cli::terminal::ui::Ui;
use crate::ops::fleet::FleetFailure;
use crate::ops::undo::{UndoPace, UndoRequest, undo_request};

/// Roll back to an earlier revision, in batches
///
/// Needs no manifest: the workload is rendered from the recorded revision. In several clusters, all roll back at once.
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

    /// The batches.
    #[command(flatten)]
    pub batches: BatchArgs,

    /// The run's options.
    #[command(flatten)]
    pub run: RunArgs,
}

const EXAMPLES: &str = "\
Examples:
  $ rollout undo
  $ rollout undo express-server --to-revision v1
  $ rollout undo express-server --now
  $ rollout undo express-server --context eu --context us
  $ rollout undo express-server --to-revision express-server-v1 --batches 2,3";

/// Runs the command.
///
/// # Errors
///
/// The failure that stopped the rollout.
pub async fn run(args: &UndoArgs, global: &GlobalArgs, ui: &mut Ui) -> Result<u8, CommandError> {
    let pace = if args.now { UndoPace::Now } else { UndoPace::InBatches(args.batches.overrides()) };
    let request = UndoRequest { to_revision: args.to_revision.clone(), pace };
    if selection::is_fleet(global) {
        return undo_fleet(args, &request, global, ui).await;
    }
    let request = async |context: &_, component: &_| undo_request(context, component, &request).await;
    plan_or_apply((&args.run, args.component.as_deref()), global, ui, request).await
}

/// Rolls back in all clusters at once: a rollback must not wait for its wave.
async fn undo_fleet(
    args: &UndoArgs,
    request: &UndoRequest,
    global: &GlobalArgs,
    ui: &mut Ui,
) -> Result<u8, CommandError> {
    // In a cluster that the last rollout has not reached, the previous one would be rolled back.
    if global.context.is_empty() && request.to_revision.is_none() {
        let message = "`undo` with `--fleet` requires `--context` or `--to-revision`";
        return Err(CommandError::message(Kind::Usage, message)
            .hint("see `rollout status`, and name each cluster to roll back with `--context`"));
    }
    let dry_run = args.run.dry_run_plan()?;
    let clusters = Clusters::open(global, run::access_of(dry_run), ui).await?;
    let found = join_all(clusters.all.iter().map(|cluster| async {
        let component = cluster.env.component(args.component.as_deref());
        let found = undo_request(&cluster.env.context, &component, request).await;
        found.map_err(|failure| cluster.attributed(failure))
    }));
    let (found, failures): (Vec<_>, Vec<_>) = found.await.into_iter().partition(Result::is_ok);
    all_or_failure(failures.into_iter().filter_map(Result::err).collect(), ui)?;
    let found: Vec<_> = found.into_iter().flatten().collect();
    let requests: Vec<_> = clusters.all.iter().zip(found.iter().map(std::slice::from_ref)).collect();
    if let Some(dry_run) = dry_run {
        plan::show(&requests, &[], dry_run, ui).await?;
        return Ok(exit::SUCCESS);
    }
    run::run_waves(&requests, &[Duration::ZERO], FleetFailure::Hold, (&args.run).into(), ui).await
}
