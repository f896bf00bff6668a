//! `rollout apply`: from a manifest to the target, or to the gate.

use std::collections::BTreeSet;

use clap::ValueEnum;

use crate::cli::commands::driving;
use crate::cli::commands::leftover;
use crate::cli::commands::leftover::Consent;
use crate::cli::commands::plan;
use crate::cli::connect::client::Access;
use crate::cli::connect::setting::{self, Setting};
use crate::cli::exit;
use crate::cli::failure::{Failure, Kind};
use crate::cli::flags::args::{BatchArgs, DeadlineArgs, DryRunArg, GlobalArgs, ManifestArgs, RunOutput};
use crate::cli::flags::trial::Trial;
use crate::cli::input;
use crate::cli::terminal::ui::Ui;
use crate::driver::collisions;
use crate::driver::context::Limits;
use crate::driver::request::{Overrides, RolloutRequest};
use crate::oam::application::Application;

/// Roll out the applications in manifests, batch by batch
///
/// Plans, checks and records the run, drives it to the target size or to the gate set by `batchPartition`
/// or `--partition`, then prints the final table. If the run is interrupted for any reason, rerun the same
/// command to resume it. A manifest that is already rolled out changes nothing.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// What to roll out.
    #[command(flatten)]
    pub manifests: ManifestArgs,

    /// How it is cut.
    #[command(flatten)]
    pub batches: BatchArgs,

    /// How long it may take.
    #[command(flatten)]
    pub deadlines: DeadlineArgs,

    /// Accept different content under an existing `externalRevision`
    ///
    /// Rolls out the revision as it was recorded, not the manifest. Without this flag such a manifest is
    /// rejected.
    #[arg(long)]
    pub reuse_revision: bool,

    /// What to do when a component's pods do not become ready
    #[arg(long, env = "ROLLOUT_ON_FAILURE", hide_env_values = true, value_name = "WHAT")]
    #[arg(default_value = "hold")]
    pub on_failure: OnFailure,

    /// Delete components that are no longer in the manifest
    ///
    /// They are deleted once everything else is completely rolled out. On a terminal, lists them first and asks
    /// for confirmation. Without this flag they are reported and kept.
    #[arg(long, conflicts_with = "dry_run")]
    pub prune: bool,

    /// Do not ask for confirmation before `--prune` deletes components
    #[arg(short, long)]
    pub yes: bool,

    /// Where it is only tried.
    #[command(flatten)]
    pub dry: DryRunArg,

    /// Print the result in this format
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: RunOutput,
}

/// What becomes of a component whose pods do not become ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum OnFailure {
    /// Keep it as it is, to inspect and resume
    #[default]
    Hold,
    /// Roll back to the previous revision and size, as `rollout abort` does; the exit code is still 3
    Undo,
}

const EXAMPLES: &str = "\
Examples:
  $ rollout apply app.yaml
  $ rollout apply app.yaml --partition 0      stop after the first batch
  $ rollout apply app.yaml --fail-fast --on-failure undo
  $ rollout apply app.yaml --prune            also delete removed components
  $ rollout apply app.yaml --batches 20%,80%  override the manifest's batches
  $ envsubst < app.yaml | rollout apply -
  $ rollout apply examples/express-server-v1.yaml --sandbox";

/// Runs the command.
///
/// # Errors
///
/// Whatever stops the rollout.
pub async fn run(args: &Args, global: &GlobalArgs, ui: &mut Ui) -> Result<u8, Failure> {
    let trial = args.dry.trial(args.output)?;
    let applications = input::applications(&args.manifests.paths(), ui)?;
    let overrides = args.batches.overrides(args.reuse_revision);
    if let Some(Trial { place, form }) = trial {
        let setting = setting::open(global, Access::Read, ui).await?;
        let requests = requests(&setting, &applications, &overrides)?;
        plan::show(&setting, &requests, Some(place), form, ui).await?;
        leftover::tell(&leftover::find(&setting, &requests).await?, ui);
        return Ok(exit::SUCCESS);
    }
    let setting = setting::open(global, Access::Write, ui).await?;
    let requests = requests(&setting, &applications, &overrides)?;
    let limits = Limits { on_failure: args.on_failure.into(), ..args.deadlines.limits() };
    let pruning = if args.prune {
        let consent = if args.yes { Consent::Given } else { Consent::Asked };
        Some(leftover::decide(&setting, &requests, consent, ui).await?)
    } else {
        None
    };
    let code = driving::drive(&setting, &requests, limits, args.output, ui).await?;
    if let Some(pruning) = &pruning {
        leftover::prune(&setting, &requests, pruning, limits.lock, ui).await?;
    } else {
        // The verdict is known: what cannot be read in time need not be told.
        let found = leftover::find(&setting, &requests);
        let found = setting.session.clock().within(driving::AFTERWARDS, found).await;
        leftover::tell(&found.and_then(Result::ok).unwrap_or_default(), ui);
    }
    Ok(code)
}

/// What the manifests ask for, each in its namespace.
///
/// # Errors
///
/// Components or applications that meet in one namespace under one name, as `--namespace` can make them, and objects that
/// two of them would make.
pub fn requests(
    setting: &Setting,
    applications: &[Application],
    overrides: &Overrides,
) -> Result<Vec<RolloutRequest>, Failure> {
    let mut components = BTreeSet::new();
    let mut requests = Vec::new();
    for application in applications {
        let namespace = setting.connection.namespaces.resolve(application.namespace.as_deref());
        for component in &application.components {
            if !components.insert((namespace.to_owned(), component.name.clone())) {
                return Err(Failure::message(
                    Kind::Manifest,
                    format!("component `{}` appears twice in namespace `{namespace}`", component.name),
                )
                .hint("`--namespace` puts every application into one namespace; apply them one by one"));
            }
        }
        requests.push(RolloutRequest::of_manifest(application, namespace.to_owned(), overrides.clone()));
    }
    match collisions::find(&requests) {
        None => Ok(requests),
        Some(collision) => {
            Err(Failure::message(Kind::Manifest, collision).hint("rename one of them; nothing was changed"))
        }
    }
}
