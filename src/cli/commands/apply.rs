//! `rollout apply`: from a manifest to the target, or to the gate.

use jiff::SignedDuration;

use crate::cli::commands::plan;
use crate::cli::commands::prune::{self, Consent};
use crate::cli::exit;
use crate::cli::failure::{CommandError, Kind};
use crate::cli::flags::args::{BatchArgs, FLEET, GlobalArgs, ManifestArgs, RunArgs};
use crate::cli::flags::shard::Shard;
use crate::cli::flags::values;
use crate::cli::fleet::run::FleetRun;
use crate::cli::fleet::{self, Cluster, Clusters, choice};
use crate::cli::input::{self, Manifests};
use crate::cli::run::{self, Settings};
use crate::cli::terminal::ui::Ui;
use crate::ops::fleet::FleetFailure;
use crate::ops::{Adoption, Limits, Overrides, RolloutRequest, apply};

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

    /// The batches.
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
    pub on_failure: FleetFailure,

    /// Start the next wave of a fleet only after all components of this one have stayed ready for this long
    ///
    /// Counts from the end of the wave's last run. `soak` of the fleet's file overrides it for a wave.
    #[arg(long, value_name = "DURATION", default_value = "0", help_heading = FLEET)]
    #[arg(value_parser = values::duration, allow_hyphen_values = true)]
    pub wave_gate: SignedDuration,

    /// Delete components that are no longer in the manifest
    ///
    /// They are deleted once everything else is completely rolled out. On a terminal, lists them first and asks
    /// for confirmation. Without this flag they are reported and kept.
    #[arg(long, conflicts_with = "dry_run")]
    pub prune: bool,

    /// Apply only this share of the applications, such as `0/4`
    ///
    /// `0/4` applies the first application of the manifests, the fifth, the ninth and so on. Processes with the same
    /// manifests and different indexes share the work, as the pods of `rollout job --shards` do.
    #[arg(long, value_name = "INDEX/COUNT")]
    pub shard: Option<Shard>,

    /// Do not ask for confirmation before `--prune` deletes components
    #[arg(short, long)]
    pub yes: bool,

    /// The run's options.
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
  $ rollout apply app.yaml --context eu --context us --wave-gate 10m
  $ envsubst < app.yaml | rollout apply -
  $ rollout apply examples/express-server-v1.yaml --sandbox";

/// Runs the command.
///
/// # Errors
///
/// The failure that stopped the rollout.
pub async fn run(args: &ApplyArgs, global: &GlobalArgs, ui: &mut Ui) -> Result<u8, CommandError> {
    let dry_run = args.run.dry_run_plan()?;
    refuse_misplaced(args, global)?;
    let manifests = Manifests::read(&args.manifests.paths(), ui)?;
    input::print_warnings(&manifests.applications, ui);
    let clusters = Clusters::open(global, run::access_of(dry_run), ui).await?;
    let adoption = if args.take_over { Adoption::TakeOver } else { Adoption::Refuse };
    let overrides = Overrides { adoption, ..args.batches.overrides(args.reuse_revision) };
    // All of them, so that what contradicts the application of another shard is found as well.
    let mut requests = clusters.requests(&manifests, &overrides, ui)?;
    if let Some(shard) = args.shard {
        requests = requests.into_iter().map(|requests| shard.select(requests)).collect();
    }
    if let Some(dry_run) = dry_run {
        let planned: Vec<_> = clusters.all.iter().zip(requests.iter().map(Vec::as_slice)).collect();
        plan::show(&planned, dry_run, ui).await?;
        for (cluster, requests) in planned {
            prune::report_leftovers(cluster, requests, ui).await?;
        }
        return Ok(exit::SUCCESS);
    }
    if clusters.is_fleet() {
        return apply_to_fleet(args, &clusters, requests, ui).await;
    }
    let (Some(cluster), Some(requests)) = (clusters.all.first(), requests.pop()) else {
        return Ok(exit::SUCCESS);
    };
    apply_to_one(args, cluster, &requests, ui).await
}

/// Refuses what makes sense for one cluster alone, or for several.
fn refuse_misplaced(args: &ApplyArgs, global: &GlobalArgs) -> Result<(), CommandError> {
    let wrong = |message: String, hint: &str| Err(CommandError::message(Kind::Usage, message).hint(hint));
    if choice::is_fleet(global) {
        let of_one = [("--prune", args.prune), ("--shard", args.shard.is_some())];
        return match of_one.into_iter().find(|(_, is_given)| *is_given) {
            None => Ok(()),
            Some((flag, _)) => wrong(
                format!("`{flag}` acts on one cluster, but the flags select a fleet"),
                "run it for each cluster, with one `--context`",
            ),
        };
    }
    let of_waves = match args.on_failure {
        FleetFailure::UndoAll => "--on-failure undo-all",
        FleetFailure::UndoWave | FleetFailure::UndoComponent | FleetFailure::Hold => "--on-failure undo-wave",
    };
    let of_several =
        [("--wave-gate", !args.wave_gate.is_zero()), (of_waves, args.on_failure.is_of_a_fleet())];
    match of_several.into_iter().find(|(_, is_given)| *is_given) {
        None => Ok(()),
        Some((flag, _)) => wrong(
            format!("`{flag}` applies to the waves of a fleet, but the flags select one cluster"),
            "name several with `--context`, or with `--fleet`",
        ),
    }
}

async fn apply_to_fleet(
    args: &ApplyArgs,
    clusters: &Clusters,
    requests: Vec<Vec<RolloutRequest>>,
    ui: &mut Ui,
) -> Result<u8, CommandError> {
    let gate = args.wave_gate.unsigned_abs();
    let soaks = clusters.waves.soaks.iter().map(|soak| soak.unwrap_or(gate)).collect();
    let settings = Settings { limits: args.run.deadlines.limits(), output: args.run.output };
    let fleet = FleetRun { requests, soaks, on_failure: args.on_failure };
    let code = fleet::run::run(clusters, &fleet, settings, ui).await?;
    for (cluster, requests) in clusters.all.iter().zip(&fleet.requests) {
        let report = prune::report_leftovers(cluster, requests, ui);
        run::afterwards(&cluster.env, report).await?;
    }
    Ok(code)
}

async fn apply_to_one(
    args: &ApplyArgs,
    cluster: &Cluster,
    requests: &[RolloutRequest],
    ui: &mut Ui,
) -> Result<u8, CommandError> {
    let env = &cluster.env;
    let limits = Limits { on_failure: args.on_failure.in_cluster(), ..args.run.deadlines.limits() };
    let pruning = if args.prune {
        let consent = if args.yes { Consent::Given } else { Consent::Asked };
        Some(prune::decide(env, requests, consent, ui).await?)
    } else {
        None
    };
    let settings = Settings { limits, output: args.run.output };
    let applied = async |context: &_| Ok(apply::apply(context, requests).await);
    let several = run::is_about_several_namespaces(requests);
    let code = run::run_in_namespaces(env, settings, several, ui, applied).await?;
    match &pruning {
        Some(pruning) => {
            let pruned = run::signals()?.interrupt(prune::prune(env, requests, pruning, limits, ui)).await;
            let message = "interrupted before everything was pruned";
            pruned.map_err(|signal| {
                CommandError::message(Kind::Interrupted(signal), message)
                    .hint("rerun the same command to prune the rest")
            })??;
        }
        None => {
            let report = prune::report_leftovers(cluster, requests, ui);
            run::afterwards(env, report).await?;
        }
    }
    Ok(code)
}
