//! `rollout plan`: prints what `apply` would do.

use futures::future::join_all;

use crate::cli::clusters::{ClusterRequests, Clusters, all_or_failure};
use crate::cli::commands::prune::{self, Leftovers};
use crate::cli::connect::client::Access;
use crate::cli::exit;
use crate::cli::failure::{CommandError, Kind};
use crate::cli::flags::args::{BatchArgs, GateArg, GlobalArgs, ManifestArgs};
use crate::cli::flags::dry_run::DryRunPlan;
use crate::cli::input::{self, Manifests};
use crate::cli::selection::{refuse_for_several, select_clusters};
use crate::cli::terminal::ui::Ui;
use crate::ops::plan::{self, DryRun, Plan};
use crate::ops::{Adoption, Context, Failure, FailureKind, Limits, Overrides};
use crate::report::format::Format;
use crate::report::plan::{ComponentPlan, PrunedComponent, render_plan};

/// Show what `rollout apply` would do, without changing anything
///
/// Prints the revision that would be created or reused, the diff against the running workload, and the steps
/// of each batch with their sizes and the peak: exactly the steps that `apply` takes. For a component that is
/// rolled out in batches, names derived from revisions appear only in the header of the diff.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct PlanArgs {
    /// What to plan.
    #[command(flatten)]
    pub manifests: ManifestArgs,

    /// The batches.
    #[command(flatten)]
    pub batches: BatchArgs,

    /// Accept different content under an existing `externalRevision`
    #[arg(long)]
    pub reuse_revision: bool,

    /// Take over objects that exist and belong to no application
    #[arg(long)]
    pub take_over: bool,

    /// Also show the components that are no longer in the manifest and that `apply --prune` deletes
    ///
    /// With `--detailed-exitcode`, they are changes to make. Without this flag they are reported as kept.
    #[arg(long)]
    pub prune: bool,

    /// What gates may do.
    #[command(flatten)]
    pub gates: GateArg,

    /// Exit with 8 if there are changes to make, with 0 if there are none
    #[arg(long)]
    pub detailed_exitcode: bool,

    /// Print in this format; `name` prints the components with changes
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: Format,
}

const EXAMPLES: &str = "\
Examples:
  $ rollout plan app.yaml
  $ rollout plan app.yaml --batches 1,4
  $ rollout plan deploy/ --detailed-exitcode
  $ rollout plan app.yaml --context eu --context us
  $ rollout plan app.yaml -o json | jq '.items[].run.batches'";

/// Runs the command.
///
/// # Errors
///
/// If the rollout would be rejected before its first write.
pub async fn run(args: &PlanArgs, global: &GlobalArgs, ui: &mut Ui) -> Result<u8, CommandError> {
    let selection = select_clusters(global)?;
    refuse_for_several(&selection, args.prune.then_some("--prune"))?;
    let manifests = Manifests::read(&args.manifests.paths(), ui)?;
    input::print_warnings(&manifests.applications, ui);
    let clusters = Clusters::connect(selection, Access::Read, ui).await?;
    let adoption = if args.take_over { Adoption::TakeOver } else { Adoption::Refuse };
    let overrides = Overrides { adoption, reuse_revision: args.reuse_revision, ..args.batches.overrides() };
    let requests = clusters.requests(&manifests, &overrides, ui)?;
    let planned: Vec<_> = clusters.all.iter().zip(requests.iter().map(Vec::as_slice)).collect();
    let dry_run = DryRunPlan { dry_run: DryRun::Client, output: args.output, gates: args.gates.trust() };
    let leftovers = if args.prune { Leftovers::Prune } else { Leftovers::Keep };
    let is_pending = show_with_leftovers(&planned, leftovers, dry_run, ui).await?;
    Ok(if is_pending && args.detailed_exitcode { exit::CHANGES } else { exit::SUCCESS })
}

/// Like [`show`], and also prints what pruning deletes, or warns about components that are no longer in the manifests.
///
/// # Errors
///
/// All rejections together, or if a cluster cannot be read.
pub async fn show_with_leftovers(
    planned: &[ClusterRequests<'_>],
    leftovers: Leftovers,
    dry_run: DryRunPlan,
    ui: &mut Ui,
) -> Result<bool, CommandError> {
    let mut pruned = Vec::new();
    match leftovers {
        Leftovers::Prune => {
            for (cluster, requests) in planned {
                pruned.extend(prune::preview(cluster, requests, ui).await?);
            }
        }
        Leftovers::Keep => {}
    }
    let is_pending = show(planned, &pruned, dry_run, ui).await?;
    match leftovers {
        Leftovers::Prune => {}
        Leftovers::Keep => {
            for (cluster, requests) in planned {
                prune::report_leftovers(cluster, requests, ui).await?;
            }
        }
    }
    Ok(is_pending)
}

/// Plans requests and prints the plans of all components that can be applied and what is pruned, then fails if any were
/// rejected. Returns whether anything would change.
///
/// # Errors
///
/// All rejections together.
pub async fn show(
    planned: &[ClusterRequests<'_>],
    pruned: &[PrunedComponent],
    DryRunPlan { dry_run, output, gates }: DryRunPlan,
    ui: &mut Ui,
) -> Result<bool, CommandError> {
    let plans = planned.iter().map(|(cluster, requests)| async {
        let context = &cluster.env.context;
        let limits = Limits { gates, ..context.limits };
        plan::plan(&Context { limits, ..context.clone() }, requests, dry_run).await
    });
    let mut plans = join_all(plans).await;
    let mut failures = Vec::new();
    for (plan, (cluster, _)) in plans.iter_mut().zip(planned) {
        plan.warnings.iter().for_each(|warning| ui.warn(&cluster.sentence(warning)));
        for component in &mut plan.components {
            component.cluster.clone_from(&cluster.name);
            component.promotion = cluster.hint(&component.namespace, &component.promotion);
        }
        failures.extend(rejection(&plan.rejections).map(|failure| cluster.attributed(failure)));
    }
    // Nothing is pruned if anything is rejected.
    let pruned = if failures.is_empty() { pruned } else { &[] };
    let is_pending = plans.iter().any(Plan::is_pending) || !pruned.is_empty();
    let components: Vec<ComponentPlan> = plans.into_iter().flat_map(|plan| plan.components).collect();
    if failures.is_empty() || !components.is_empty() {
        let text = render_plan(&components, pruned, output);
        match output {
            Format::Table | Format::Wide => ui.words(&text),
            Format::Json | Format::Yaml | Format::Name => ui.data(&text),
        }
    }
    all_or_failure(failures, ui)?;
    Ok(is_pending)
}

/// The rejections of a cluster as one failure.
fn rejection(rejections: &[Failure]) -> Option<CommandError> {
    let first = rejections.first()?;
    let kind = if first.kind == FailureKind::Refused { Kind::Refused } else { Kind::Cluster };
    let reasons: Vec<&str> = rejections.iter().map(|failure| failure.reason.as_str()).collect();
    let hints = rejections.iter().flat_map(|failure| &failure.hints);
    Some(hints.fold(CommandError::message(kind, reasons.join("\n")), |failure, hint| failure.hint(hint)))
}
