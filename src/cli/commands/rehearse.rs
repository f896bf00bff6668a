//! `rollout rehearse`: a run in a sandbox that begins with a copy of the cluster's state.

use std::time::Duration;

use crate::cli::clusters::{Cluster, Clusters};
use crate::cli::connect::client::{Access, Connection};
use crate::cli::connect::env::Env;
use crate::cli::failure::CommandError;
use crate::cli::flags::args::{BatchArgs, GlobalArgs, ManifestArgs};
use crate::cli::flags::states::{self, RunOutput};
use crate::cli::flags::values;
use crate::cli::input::{self, Manifests};
use crate::cli::run::{self, RunSettings};
use crate::cli::selection::select_clusters;
use crate::cli::terminal::ui::Ui;
use crate::ops::{Adoption, FailFast, GateTrust, LOG_LINES, Limits, OnFailure, Overrides, apply, rehearse};
use crate::report::text::plural;

/// Roll out manifests in a sandbox with a copy of the current state
///
/// Only reads the cluster: copies its workloads, revisions, Services, other objects and run records to a sandbox inside
/// this process, where pods become ready at once, and drives the run there to its end. With `--inject`, pods fail as
/// they would in the cluster: this shows the messages, how the run ends, and what runs afterwards. Quotas, admission
/// webhooks and policies, and the scheduler are not copied: what they would reject succeeds here.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct RehearseArgs {
    /// What to rehearse.
    #[command(flatten)]
    pub manifests: ManifestArgs,

    /// Make pods fail, or script the answers of a gate; can be repeated
    ///
    /// `FAILURE` and `IMAGE=FAILURE` make pods fail: with any failure that `--sandbox-rules` supports, such as
    /// `ImagePullBackOff` or `NeverReady`. IMAGE is a pattern with `*` and `?`; without it, the new pods of the target
    /// revisions fail.
    ///
    /// `metric/NAME=VALUE,...` is what a metric measures, one value after the other, and then the last one again:
    /// numbers, JSON, `NaN`, or `error` for no value. `hook/NAME=STATUS,...` is what a hook answers. These gates are
    /// passed without their delays; others are left out.
    #[arg(long, value_name = "WHAT")]
    pub inject: Vec<String>,

    /// The batches.
    #[command(flatten)]
    pub batches: BatchArgs,

    /// Give up on a batch after this time; `0` disables the limit
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = values::duration)]
    #[arg(allow_hyphen_values = true)]
    pub batch_timeout: jiff::SignedDuration,

    /// What to do when a component's pods do not become ready
    #[arg(long, value_name = "WHAT", default_value = "hold")]
    pub on_failure: OnFailure,

    /// Accept different content under an existing `externalRevision`
    #[arg(long)]
    pub reuse_revision: bool,

    /// Take over objects that exist and belong to no application
    #[arg(long)]
    pub take_over: bool,

    /// Print the result in this format
    #[arg(short, long, value_name = "FORMAT", default_value = "table", value_parser = states::run_output())]
    pub output: RunOutput,
}

const EXAMPLES: &str = "\
Examples:
  $ rollout rehearse app.yaml
  $ rollout rehearse app.yaml --inject ImagePullBackOff
  $ rollout rehearse app.yaml --inject 'web:5*=NeverReady' --on-failure undo
  $ rollout rehearse app.yaml --inject metric/errors=0.01,0.2 --on-failure undo";

/// Runs the command.
///
/// # Errors
///
/// If the rollout would fail, or the cluster cannot be read.
pub async fn run(args: &RehearseArgs, global: &GlobalArgs, ui: &mut Ui) -> Result<u8, CommandError> {
    let manifests = Manifests::read(&args.manifests.paths(), ui)?;
    input::print_warnings(&manifests.applications, ui);
    let selection = select_clusters(global)?;
    selection.refuse_several()?;
    let mut clusters = Clusters::connect(selection, Access::Read, ui).await?;
    let adoption = if args.take_over { Adoption::TakeOver } else { Adoption::Refuse };
    let overrides = Overrides { adoption, reuse_revision: args.reuse_revision, ..args.batches.overrides() };
    // The cluster may be one of a fleet, with overrides.
    let requests: Vec<_> = clusters.requests(&manifests, &overrides, ui)?.into_iter().flatten().collect();
    let cluster = clusters.all.remove(0);
    let injections = rehearse::parse_injections(&args.inject)?;
    let rehearsal = rehearse::rehearse(&cluster.env.context, &requests, &injections).await?;
    rehearsal.warnings.iter().for_each(|warning| ui.warn(warning));
    let copied = plural(rehearsal.copied, "object", "objects");
    ui.status(&format!("rehearsal: a sandbox with a copy of {copied}; nothing is sent to the cluster"));
    let connection = Connection { sandbox: Some(rehearsal.sandbox), ..cluster.env.connection };
    let env = Env { connection, context: rehearsal.context };
    let copy = Cluster { name: None, env, ..cluster };
    let limits = Limits {
        run: Duration::ZERO,
        batch: args.batch_timeout.unsigned_abs(),
        lock: Duration::ZERO,
        fail_fast: FailFast::Off,
        on_failure: args.on_failure,
        logs: LOG_LINES,
        // Gates are never called; the injected answers replace them.
        gates: GateTrust::Trusted,
    };
    let settings = RunSettings { limits, output: args.output };
    let applied = async |context: &_| Ok(apply::apply(context, &rehearsal.requests).await);
    run::run_in((&copy, &rehearsal.requests), settings, ui, applied).await
}
