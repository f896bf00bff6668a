//! `rollout status`: prints the state of components.

use std::borrow::Cow;
use std::collections::BTreeSet;

use futures::future::{join_all, select_all};
use jiff::SignedDuration;

use crate::cli::clusters::{Cluster, Clusters, all_or_failure};
use crate::cli::connect::client::Access;
use crate::cli::exit;
use crate::cli::failure::{CommandError, Kind};
use crate::cli::flags::args::GlobalArgs;
use crate::cli::flags::values;
use crate::cli::terminal::ui::Ui;
use crate::ops::status::{
    NamespaceStatus, select, statuses, statuses_in_all_namespaces, statuses_with_drivers,
};
use crate::ops::status_watch::StatusWatch;
use crate::ops::wait_for::{self, Until, WaitState};
use crate::report::format::Format;
use crate::report::message;
use crate::report::status::{self, ComponentStatus};
use crate::report::text::{format_duration, list_literals};

/// Show the status of components
///
/// Observes the workloads, so the status is correct while another process drives a run and after one was killed.
/// TARGET, UPGRADED and READY count replicas: the target size, those submitted so far, and those ready.
///
/// Prints the current state and exits with 0. With `--until`, waits as `kubectl rollout status` does, and the exit code
/// reports whether the state was reached.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct StatusArgs {
    /// Show this component or application; default: all in the namespace
    pub name: Option<String>,

    /// Show the components of all namespaces, even if `--namespace` is given
    ///
    /// Reads ConfigMaps, Leases and workloads in every namespace, which a Role of one namespace does not grant.
    #[arg(short = 'A', long, conflicts_with_all = ["name", "watch", "until"])]
    pub all_namespaces: bool,

    /// Print every change, until interrupted
    #[arg(short, long)]
    pub watch: bool,

    /// Wait until every component shown has reached STATE; exit with 3 if a run fails first
    ///
    /// Only observes: another process has to drive the run.
    #[arg(long, value_name = "STATE")]
    pub until: Option<Until>,

    /// Give up on `--until` after this time, with exit code 3
    ///
    /// `0` disables the limit.
    #[arg(long, value_name = "DURATION", requires = "until", default_value = "30m")]
    #[arg(value_parser = values::duration, allow_hyphen_values = true)]
    pub timeout: SignedDuration,

    /// Print in this format
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: Format,
}

const EXAMPLES: &str = "\
Examples:
  $ rollout status
  $ rollout status express-server --watch
  $ rollout status express-server --until done --timeout 20m
  $ rollout status --context eu --context us
  $ rollout status --all-namespaces
  $ rollout status -o json | jq -r '.items[].rollingState'";

/// Runs the command.
///
/// # Errors
///
/// If a cluster cannot be read, or the name matches nothing.
pub async fn run(args: &StatusArgs, global: &GlobalArgs, ui: &mut Ui) -> Result<u8, CommandError> {
    let clusters = Clusters::open(global, Access::Read, ui).await?;
    if args.watch || args.until.is_some() {
        follow(&clusters.all, args, ui).await?;
        return Ok(exit::SUCCESS);
    }
    let read = join_all(clusters.all.iter().map(|cluster| async {
        let context = &cluster.env.context;
        let items = match args.all_namespaces {
            true => statuses_in_all_namespaces(context).await,
            false => statuses_with_drivers(context, cluster.env.namespace(), args.name.as_deref()).await,
        };
        items.map_err(|failure| cluster.attributed(failure))
    }));
    let name = args.name.as_deref();
    let (mut found, mut failures, mut unusable) = (Vec::new(), Vec::new(), Vec::new());
    for (cluster, read) in clusters.all.iter().zip(read.await) {
        match read {
            Ok(status) => {
                unusable.extend(status.failures(name).map(|failure| cluster.attributed(failure)));
                found.push((cluster, status));
            }
            Err(failure) => failures.push(failure),
        }
    }
    let items = found.iter().map(|(cluster, status)| (*cluster, status.items.clone())).collect();
    let items = match selected(items, name, ui) {
        Err(_) if !unusable.is_empty() => Vec::new(),
        selected => selected?,
    };
    failures.extend(unusable);
    let is_table = matches!(args.output, Format::Table | Format::Wide);
    let is_empty = |status: &NamespaceStatus| status.items.is_empty() && status.unusable.is_empty();
    for (cluster, _) in found.iter().filter(|(_, status)| is_empty(status)) {
        let place = match args.all_namespaces {
            true => "any namespace".to_owned(),
            false => format!("namespace `{}`", cluster.env.namespace()),
        };
        ui.status(&cluster.sentence(&format!("nothing has been rolled out in {place}")));
    }
    // Formats for programs print an empty list, but not if no cluster could be read.
    if !(found.is_empty() || items.is_empty() && is_table) {
        let now = clusters.all[0].env.context.session.clock().now();
        ui.data(&status::render_status(&items, args.output, now));
        explain(&items, args.output, &clusters.all, ui);
    }
    all_or_failure(failures, ui)?;
    Ok(exit::SUCCESS)
}

/// The components that a name selects; prints which clusters do not have it.
fn selected(
    found: Vec<(&Cluster, Vec<ComponentStatus>)>,
    name: Option<&str>,
    ui: &mut Ui,
) -> Result<Vec<ComponentStatus>, CommandError> {
    let (items, lacking) = select_in(found, name)?;
    lacking.iter().for_each(|sentence| ui.status(sentence));
    Ok(items)
}

/// The components that a name selects, each with its cluster, and sentences about the clusters that do not have it. At
/// least one cluster must have it.
fn select_in(
    found: Vec<(&Cluster, Vec<ComponentStatus>)>,
    name: Option<&str>,
) -> Result<(Vec<ComponentStatus>, Vec<String>), CommandError> {
    let (mut shown, mut unknown) = (Vec::new(), Vec::new());
    for (cluster, items) in found {
        match select(items, name, cluster.env.namespace()) {
            Ok(items) => {
                let named = |item| ComponentStatus { cluster: cluster.name.clone(), ..item };
                shown.extend(items.into_iter().map(named));
            }
            Err(failure) => unknown.push((cluster, failure)),
        }
    }
    let mut lacking = Vec::new();
    for (cluster, failure) in unknown {
        if shown.is_empty() {
            return Err(cluster.attributed(failure));
        }
        lacking.push(cluster.sentence(&failure.reason));
    }
    Ok((shown, lacking))
}

fn name(until: Until) -> &'static str {
    match until {
        Until::Ready => "ready",
        Until::Gate => "at the gate",
        Until::Done => "done",
    }
}

/// Whether the awaited state has been reached in every cluster.
fn reached(args: &StatusArgs, items: &[ComponentStatus], clusters: &[Cluster]) -> Result<bool, CommandError> {
    let is_empty = |cluster: &Cluster| !items.iter().any(|item| item.cluster == cluster.name);
    match args.until.map(|until| until.judge_all(items)) {
        Some(WaitState::Reached) if clusters.iter().any(is_empty) => Ok(false),
        None | Some(WaitState::Awaited) => Ok(false),
        Some(WaitState::Reached) => Ok(true),
        Some(WaitState::Failed) => {
            let failed = items.iter().filter(|item| wait_for::has_run_failed(item));
            let name = |item: &ComponentStatus| message::in_cluster(item.cluster.as_deref(), &item.component);
            let names: Vec<String> = failed.clone().map(name).collect();
            let error = format!("the rollout of {} failed", list_literals(&names));
            let resume = "the run is recorded: rerun the command that drove it to resume it";
            let abort = failed.map(|item| {
                let cluster = clusters.iter().find(|cluster| cluster.name == item.cluster);
                let command = format!("`rollout abort {}`", item.component);
                let command =
                    cluster.map_or_else(|| command.clone(), |cluster| cluster.flags.add_to(&command));
                format!("or roll it back with {command}")
            });
            Err(abort.fold(CommandError::message(Kind::Timeout, error).hint(resume), CommandError::hint))
        }
    }
}

/// Prints why components do not progress, if the format is for people.
fn explain(items: &[ComponentStatus], output: Format, clusters: &[Cluster], ui: &mut Ui) {
    if !matches!(output, Format::Table | Format::Wide) {
        return;
    }
    for item in items {
        let cluster = clusters.iter().find(|cluster| cluster.name == item.cluster);
        if let (Some(message), Some(cluster)) = (&item.message, cluster) {
            let (name, flags) = match &item.namespace {
                Some(namespace) => {
                    (format!("{namespace}/{}", item.component), cluster.flags.with_namespace(namespace))
                }
                None => (item.component.clone(), cluster.flags.clone()),
            };
            ui.status(&format!("{}: {}", cluster.qualified(&name), flags.add_to(message)));
        }
    }
}

/// Prints the current state and then changes, until the awaited state is reached, the reader goes away, or a signal
/// arrives.
async fn follow(clusters: &[Cluster], args: &StatusArgs, ui: &mut Ui) -> Result<(), CommandError> {
    let mut followed = Vec::new();
    for cluster in clusters {
        let watch = StatusWatch::open(&cluster.env.context, cluster.env.namespace()).await;
        followed.push((cluster, watch.map_err(|failure| cluster.attributed(failure))?));
    }
    let clock = clusters[0].env.context.session.clock();
    let name = args.name.as_deref();
    let print = async {
        let mut warned = BTreeSet::new();
        let mut changes: Vec<_> = followed.iter().map(|(_, watch)| watch.changes()).collect();
        let mut found = Vec::new();
        for (cluster, watch) in &followed {
            let status = watch.first().await.map_err(|failure| cluster.attributed(failure))?;
            check_records(cluster, &status, args, &mut warned, ui)?;
            found.push((*cluster, status.items));
        }
        let mut shown = selected(found, name, ui)?;
        ui.data(&status::render_status(&shown, args.output, clock.now()));
        explain(&shown, args.output, clusters, ui);
        if ui.reader_is_gone() || reached(args, &shown, clusters)? {
            return Ok(());
        }
        let deadline = args.until.and_then(|_| clock.moment().after(args.timeout.unsigned_abs()));
        if let Some(until) = args.until.filter(|_| !args.timeout.is_zero()) {
            ui.status(&format!(
                "waiting until {}, for at most {}",
                self::name(until),
                format_duration(args.timeout)
            ));
        }
        loop {
            let changed = select_all(changes.iter_mut().map(|changes| Box::pin(changes.next())));
            tokio::select! {
                _ = changed => {}
                () = clock.until(deadline) => return Err(late(args)),
            }
            let mut found = Vec::new();
            for (cluster, watch) in &followed {
                let status = watch.status().map_err(|failure| cluster.attributed(failure))?;
                check_records(cluster, &status, args, &mut warned, ui)?;
                found.push((*cluster, status.items));
            }
            let mut items = select_in(found, name)?.0;
            // Records and workloads come from different watches, so an end is confirmed with a consistent read.
            if !matches!(reached(args, &items, clusters), Ok(false)) {
                let mut found = Vec::new();
                for cluster in clusters {
                    let current = statuses(&cluster.env.context, cluster.env.namespace()).await;
                    found.push((cluster, current.map_err(|failure| cluster.attributed(failure))?));
                }
                items = select_in(found, name)?.0;
            }
            let changed: Vec<ComponentStatus> =
                items.iter().filter(|item| !shown.contains(item)).cloned().collect();
            if !changed.is_empty() {
                let text = status::render_status(&changed, args.output, clock.now());
                ui.data(&following(&text, args.output));
                explain(&changed, args.output, clusters, ui);
            }
            shown = items;
            if ui.reader_is_gone() || reached(args, &shown, clusters)? {
                return Ok(());
            }
        }
    };
    let feed = async {
        join_all(followed.iter().map(|(_, watch)| watch.feed())).await;
        // A watch that has failed for good has stored its failure, which `print` returns.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        ended = print => ended,
        () = feed => Ok(()),
    }
}

/// Warns once about each record that cannot be read. Fails instead if the command waits for its component, or if no
/// other component is shown.
fn check_records(
    cluster: &Cluster,
    status: &NamespaceStatus,
    args: &StatusArgs,
    warned: &mut BTreeSet<String>,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    let name = args.name.as_deref();
    let is_alone = || select(status.items.clone(), name, cluster.env.namespace()).is_err();
    for failure in status.failures(name) {
        if args.until.is_some() || is_alone() {
            return Err(cluster.attributed(failure));
        }
        if warned.insert(failure.reason.clone()) {
            ui.warn(&cluster.sentence(&failure.reason));
        }
    }
    Ok(())
}

fn late(args: &StatusArgs) -> CommandError {
    let until = args.until.map_or("there", name);
    CommandError::message(
        Kind::Timeout,
        format!("not {until} after {} (`--timeout`)", format_duration(args.timeout)),
    )
    .hint("see `rollout status` and `rollout history`")
}

/// Formats later output as kubectl does: rows without a header, and documents with a separator.
fn following(text: &str, output: Format) -> Cow<'_, str> {
    match output {
        Format::Table | Format::Wide => Cow::Borrowed(text.split_once('\n').map_or(text, |(_, rows)| rows)),
        Format::Yaml => Cow::Owned(format!("---\n{text}")),
        Format::Json | Format::Name => Cow::Borrowed(text),
    }
}
