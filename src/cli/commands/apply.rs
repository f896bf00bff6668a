//! `rollout apply`: from a manifest to the target, or to the gate.

use jiff::SignedDuration;

use crate::cli::clusters::{ClusterRequests, Clusters};
use crate::cli::commands::prune::{self, Leftovers};
use crate::cli::commands::{delete, plan};
use crate::cli::exit;
use crate::cli::failure::{CommandError, Kind};
use crate::cli::flags::args::{BatchArgs, FLEET, GlobalArgs, ManifestArgs, RunArgs};
use crate::cli::flags::shard::Shard;
use crate::cli::flags::values::{self, first_given};
use crate::cli::input::{self, Manifests};
use crate::cli::interrupt::stoppable;
use crate::cli::run::{self, RunSettings};
use crate::cli::selection::{Selection, refuse_for_several, select_clusters};
use crate::cli::terminal::ui::Ui;
use crate::ops::delete::{DeleteExtent, take_inventories};
use crate::ops::fleet::FleetFailure;
use crate::ops::prune::Pruning;
use crate::ops::{Adoption, Context, Overrides};

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
    /// Without this flag such an object is rejected. An object of another application can be taken over only if it was
    /// kept when its component was deleted.
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
    #[arg(long)]
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
    let selection = select_clusters(global)?;
    refuse_misplaced(args, &selection)?;
    let manifests = Manifests::read(&args.manifests.paths(), ui)?;
    input::print_warnings(&manifests.applications, ui);
    let clusters = Clusters::connect(selection, run::access_of(dry_run), ui).await?;
    let adoption = if args.take_over { Adoption::TakeOver } else { Adoption::Refuse };
    let overrides = Overrides { adoption, reuse_revision: args.reuse_revision, ..args.batches.overrides() };
    // Built before sharding, so that contradictions between applications of different shards are found as well.
    let mut requests = clusters.requests(&manifests, &overrides, ui)?;
    if let Some(shard) = args.shard {
        requests = requests.into_iter().map(|requests| shard.select(requests)).collect();
    }
    let requests: Vec<_> = clusters.all.iter().zip(requests.iter().map(Vec::as_slice)).collect();
    if let Some(dry_run) = dry_run {
        let leftovers = if args.prune { Leftovers::Prune } else { Leftovers::Keep };
        plan::show_with_leftovers(&requests, leftovers, dry_run, ui).await?;
        return Ok(exit::SUCCESS);
    }
    let settings = RunSettings::from(&args.run);
    let gate = args.wave_gate.unsigned_abs();
    let soaks: Vec<_> = clusters.soaks.iter().map(|soak| soak.unwrap_or(gate)).collect();
    let pruning = if args.prune { Some(decide_pruning(args, requests[0], ui).await?) } else { None };
    let code = run::run_waves(&requests, &soaks, args.on_failure, settings, ui).await?;
    for (cluster, requests) in requests {
        let Some(pruning) = &pruning else {
            run::afterwards(&cluster.env, prune::report_leftovers(cluster, requests, ui)).await?;
            continue;
        };
        let context = Context { limits: settings.limits, ..cluster.env.context.clone() };
        stoppable(&context, async |context| prune::prune(context, requests, pruning, ui).await).await?;
    }
    Ok(code)
}

/// Finds the components to prune, and asks for confirmation unless `--yes` is set.
async fn decide_pruning(
    args: &ApplyArgs,
    (cluster, requests): ClusterRequests<'_>,
    ui: &mut Ui,
) -> Result<Pruning, CommandError> {
    let leftovers = prune::find(cluster, requests, ui).await?;
    let inventories = take_inventories(&cluster.env.context, &leftovers).await?;
    let extent = if args.yes { DeleteExtent::Scope } else { delete::ask(&inventories, ui)? };
    Ok(Pruning { inventories, extent })
}

/// Rejects flags that apply to one cluster only, or to several only.
fn refuse_misplaced(args: &ApplyArgs, selection: &Selection) -> Result<(), CommandError> {
    let wrong = |message: String, hint: &str| Err(CommandError::message(Kind::Usage, message).hint(hint));
    if selection.clusters.len() > 1 {
        let of_one = first_given([("--prune", args.prune), ("--shard", args.shard.is_some())]);
        return refuse_for_several(selection, of_one);
    }
    let is_alone = selection.clusters.iter().all(|cluster| cluster.name.is_none());
    let of_several = first_given([
        ("--wave-gate", !args.wave_gate.is_zero()),
        ("--on-failure undo-all", args.on_failure == FleetFailure::UndoAll),
        ("--on-failure undo-wave", args.on_failure == FleetFailure::UndoWave),
    ]);
    of_several.filter(|_| is_alone).map_or(Ok(()), |flag| {
        let message = format!("`{flag}` applies to the waves of a fleet, but the flags select one cluster");
        wrong(message, "name several with `--context`, or with `--fleet`")
    })
}
