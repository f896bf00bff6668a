//! `rollout apply`: from a manifest to the target, or to the gate.

use std::collections::BTreeMap;

use crate::cli::commands::prune::{self, Consent};
use crate::cli::failure::CommandError;
use crate::cli::flags::args::{BatchArgs, GlobalArgs, ManifestArgs, RunArgs};
use crate::cli::flags::shard::Shard;
use crate::cli::input;
use crate::cli::run::{self, Settings};
use crate::cli::terminal::ui::Ui;
use crate::ops::{Adoption, Limits, OnFailure, Overrides, apply};

/// Roll out the applications in manifests, batch by batch
///
/// Plans, checks and records the run, drives it to the target size or to the gate set by `batchPartition`
/// or `--partition`, then prints the final table. If the run is interrupted for any reason, rerun the same
/// command to resume it. A manifest that is already rolled out changes nothing.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct ApplyArgs {
    /// What to roll out.
    #[command(flatten)]
    pub manifests: ManifestArgs,

    /// How it is cut.
    #[command(flatten)]
    pub batches: BatchArgs,

    /// Accept different content under an existing `externalRevision`
    ///
    /// Rolls out the revision as it was recorded, not the manifest. Without this flag such a manifest is
    /// rejected.
    #[arg(long)]
    pub reuse_revision: bool,

    /// Take over objects that exist and belong to no application
    ///
    /// Takes over all their fields and records each object as it was: `rollout undo` restores it.
    /// Without this flag such an object is rejected. Objects of another application are always rejected.
    #[arg(long)]
    pub take_over: bool,

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

    /// Apply only this share of the applications, such as `0/4`
    ///
    /// Of the applications in the manifests, in their order, every fourth from the first. Processes with the same
    /// manifests and different indexes share the work, as the pods of `rollout job --shards` do.
    #[arg(long, value_name = "INDEX/COUNT")]
    pub shard: Option<Shard>,

    /// Do not ask for confirmation before `--prune` deletes components
    #[arg(short, long)]
    pub yes: bool,

    /// How it is driven.
    #[command(flatten)]
    pub run: RunArgs,
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
pub async fn run(args: &ApplyArgs, global: &GlobalArgs, ui: &mut Ui) -> Result<u8, CommandError> {
    let dry_run = args.run.dry_run_plan()?;
    let applications = input::applications(&args.manifests.paths(), ui)?;
    input::warn_of(&applications, ui);
    let env = run::open(global, dry_run, ui).await?;
    let adoption = if args.take_over { Adoption::TakeOver } else { Adoption::Refuse };
    let overrides = Overrides { adoption, ..args.batches.overrides(args.reuse_revision) };
    // All of them, so that what contradicts the application of another shard is found as well.
    let requests = apply::requests(&applications, &overrides, |namespace| env.resolve(namespace))?;
    let requests = match args.shard {
        Some(shard) => shard.select(requests),
        None => requests,
    };
    if let Some(dry_run) = dry_run {
        let code = run::plan(&env, &requests, dry_run, ui).await?;
        prune::report_leftovers(&env, &requests, ui).await?;
        return Ok(code);
    }
    let limits = Limits { on_failure: args.on_failure, ..args.run.deadlines.limits() };
    let pruning = if args.prune {
        let consent = if args.yes { Consent::Given } else { Consent::Asked };
        Some(prune::decide(&env, &requests, consent, ui).await?)
    } else {
        None
    };
    // A manifest's namespace is in no variable.
    let flags = requests
        .iter()
        .filter(|request| request.namespace != env.namespace())
        .map(|request| (request.application.clone(), ui.flags().in_namespace(&request.namespace)));
    let flags: BTreeMap<_, _> = flags.collect();
    let settings = Settings { limits, output: args.run.output };
    let applied = async |context: &_| Ok(apply::apply(context, &requests).await);
    let code = run::run_with_flags(&env, settings, flags, ui, applied).await?;
    match &pruning {
        Some(pruning) => prune::prune(&env, &requests, pruning, limits, ui).await?,
        None => {
            let report = prune::report_leftovers(&env, &requests, ui);
            run::afterwards(&env, report).await?;
        }
    }
    Ok(code)
}
