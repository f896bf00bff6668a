//! `rollout undo`: back to an earlier revision, in batches.

use crate::cli::commands::component::Component;
use crate::cli::failure::Failure;
use crate::cli::flags::args::{BatchArgs, DeadlineArgs, DryRunArg, GlobalArgs, RunOutput};
use crate::cli::terminal::ui::Ui;
use crate::cluster::lease::Acquisition;
use crate::driver::request::{Intent, Overrides, RolloutRequest};
use crate::oam::application::{Amount, Batch};

/// Roll back to an earlier revision, in batches
///
/// Needs no manifest: the workload is rendered from the recorded revision.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
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
  $ rollout undo
  $ rollout undo express-server --to-revision v1
  $ rollout undo express-server --now
  $ rollout undo express-server --to-revision express-server-v1 --batches 2,3";

/// Runs the command.
///
/// # Errors
///
/// Whatever stops the rollout.
pub async fn run(args: &Args, global: &GlobalArgs, ui: &mut Ui) -> Result<u8, Failure> {
    let trial = args.dry.trial(args.output)?;
    let component = Component::find(args.component.as_deref(), trial, global, ui).await?;
    let intent = Intent::Revision { reference: args.to_revision.clone(), kind: component.kind() };
    let request = component.request(intent, args.batches.overrides(false));
    let request = if args.now { at_once(request) } else { request };
    component.drive(request, trial, args.deadlines.limits(), args.output, ui).await
}

/// In one batch, and before whoever drives.
fn at_once(request: RolloutRequest) -> RolloutRequest {
    let everything = Batch { replicas: Amount::Percent(100), max_unavailable: Amount::Count(0) };
    let overrides = Overrides { batches: Some(vec![everything]), ..request.overrides };
    RolloutRequest { turn: Acquisition::TakeOver, overrides, ..request }
}
