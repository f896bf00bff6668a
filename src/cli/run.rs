//! Runs the operation of every command that changes something: handles signals, prints events and the final table. One
//! cluster is driven like several, but has no name.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use futures::future::join_all;

use crate::cli::clusters::{Cluster, ClusterRequests};
use crate::cli::commands::plan;
use crate::cli::connect::client::Access;
use crate::cli::connect::env::Env;
use crate::cli::exit;
use crate::cli::failure::{CommandError, Kind, Signal};
use crate::cli::flags::args::{GlobalArgs, RunArgs};
use crate::cli::flags::dry_run::DryRunPlan;
use crate::cli::flags::states::RunOutput;
use crate::cli::hints::cluster_reporter::{ClusterReporter, Reach};
use crate::cli::interrupt::signals;
use crate::cli::terminal::signals::Ended;
use crate::cli::terminal::ui::Ui;
use crate::ops::component::ComponentSelector;
use crate::ops::fleet::{self, ClusterOutcomes, ClusterRequest, FleetFailure, Wave};
use crate::ops::{self, Context, FailureKind, Limits, OnFailure, RolloutRequest, apply, status};
use crate::report::event::Reporter;
use crate::report::format::Format;
use crate::report::message::RESUME_HINT;
use crate::report::status::{self as table, ComponentStatus};

/// How long a sandbox may continue after a run, for its controllers to follow the last write. A cluster continues
/// anyway.
const SANDBOX_RESTS_WITHIN: Duration = Duration::from_millis(500);

/// How long to wait for what is printed after the outcome is known.
const AFTERWARDS: Duration = Duration::from_secs(10);

/// The deadlines and the output of a run.
#[derive(Debug, Clone, Copy)]
pub struct RunSettings {
    /// Its deadlines.
    pub limits: Limits,
    /// The form of its result.
    pub output: RunOutput,
}

impl From<&RunArgs> for RunSettings {
    fn from(args: &RunArgs) -> Self {
        Self { limits: args.deadlines.limits(), output: args.output }
    }
}

impl RunSettings {
    /// The same settings, with what to do after a failure.
    pub fn on_failure(self, on_failure: OnFailure) -> Self {
        Self { limits: Limits { on_failure, ..self.limits }, ..self }
    }
}

/// The access that a command needs to drive a run, or only to plan it.
pub fn access_of(dry_run: Option<DryRunPlan>) -> Access {
    if dry_run.is_some() { Access::Read } else { Access::Write }
}

/// Applies the request about a component, or plans it with `--dry-run`.
///
/// # Errors
///
/// Those of [`plan_or_run`].
pub async fn plan_or_apply(
    (args, component): (&RunArgs, Option<&str>),
    global: &GlobalArgs,
    ui: &mut Ui,
    request: impl AsyncFn(&Context, &ComponentSelector) -> Result<RolloutRequest, ops::Failure>,
) -> Result<u8, CommandError> {
    let operation = async |context: &Context, component: &ComponentSelector| {
        Ok(apply::apply(context, &[request(context, component).await?]).await)
    };
    let settings = (args.dry_run_plan()?, args.into(), component);
    plan_or_run(settings, global, ui, &request, operation).await
}

/// Runs an operation on a component, or plans its request with `--dry-run`.
///
/// # Errors
///
/// If the client cannot be built, the rollout would be rejected before its first write, or [`run_in`] fails.
pub async fn plan_or_run(
    (dry_run, settings, component): (Option<DryRunPlan>, RunSettings, Option<&str>),
    global: &GlobalArgs,
    ui: &mut Ui,
    request: impl AsyncFnOnce(&Context, &ComponentSelector) -> Result<RolloutRequest, ops::Failure>,
    operation: impl AsyncFnOnce(&Context, &ComponentSelector) -> Result<ClusterOutcomes, ops::Failure>,
) -> Result<u8, CommandError> {
    let cluster = Cluster::only(global, access_of(dry_run), ui).await?;
    let component = cluster.env.component(component);
    if let Some(dry_run) = dry_run {
        let request = request(&cluster.env.context, &component).await?;
        plan::show(&[(&cluster, &[request])], &[], dry_run, ui).await?;
        return Ok(exit::SUCCESS);
    }
    run_in((&cluster, &[]), settings, ui, async |context| operation(context, &component).await).await
}

/// Applies requests to clusters, wave by wave, and prints the final table.
///
/// # Errors
///
/// Those of [`run`].
pub async fn run_waves(
    requests: &[ClusterRequests<'_>],
    soaks: &[Duration],
    on_failure: FleetFailure,
    settings: RunSettings,
    ui: &mut Ui,
) -> Result<u8, CommandError> {
    let operation = async |contexts: &[Context]| {
        let wave = |soak: &Duration| Wave { clusters: Vec::new(), soak: *soak };
        let mut waves: Vec<Wave> = soaks.iter().map(wave).collect();
        for ((cluster, requests), context) in requests.iter().zip(contexts) {
            let request = ClusterRequest { context: context.clone(), requests: requests.to_vec() };
            waves[cluster.wave.min(soaks.len() - 1)].clusters.push(request);
        }
        Ok(fleet::apply(&waves, on_failure).await.into_iter().flatten().collect())
    };
    run(requests, settings, ui, operation).await
}

/// Runs an operation on one cluster, and prints the final table.
///
/// # Errors
///
/// Those of [`run`].
pub async fn run_in(
    request: ClusterRequests<'_>,
    settings: RunSettings,
    ui: &mut Ui,
    operation: impl AsyncFnOnce(&Context) -> Result<ClusterOutcomes, ops::Failure>,
) -> Result<u8, CommandError> {
    run(&[request], settings, ui, async |contexts| Ok(vec![operation(&contexts[0]).await?])).await
}

/// Runs an operation on clusters, with a context for each, and prints the final table. The requests of a cluster may be
/// empty, if only the operation determines them.
///
/// # Errors
///
/// The failure of the operation, or the one with the highest exit code of its clusters, which the reporter has printed.
async fn run(
    requests: &[ClusterRequests<'_>],
    settings: RunSettings,
    ui: &mut Ui,
    operation: impl AsyncFnOnce(&[Context]) -> Result<Vec<ClusterOutcomes>, ops::Failure>,
) -> Result<u8, CommandError> {
    let (outcomes, signal) = drive(requests, settings, ui, operation).await?;
    conclude(requests, &outcomes, signal, settings.output, ui).await
}

/// Runs the operation, reporting its events.
async fn drive(
    requests: &[ClusterRequests<'_>],
    RunSettings { limits, output }: RunSettings,
    ui: &Ui,
    operation: impl AsyncFnOnce(&[Context]) -> Result<Vec<ClusterOutcomes>, ops::Failure>,
) -> Result<(Vec<ClusterOutcomes>, Option<Signal>), CommandError> {
    let started = requests[0].0.env.context.session.clock().now();
    let display = Rc::new(RefCell::new(ui.reporter(output, started)));
    let (stopper, control) = ops::control();
    let context = |(cluster, requests): &ClusterRequests<'_>| {
        let reporter = ClusterReporter {
            inner: Rc::clone(&display),
            cluster: cluster.name.clone(),
            reach: reach(&cluster.env),
            flags: cluster.flags.clone(),
            namespace: cluster.env.namespace().to_owned(),
            names_namespaces: requests.windows(2).any(|two| two[0].namespace != two[1].namespace),
        };
        let reporter: Rc<RefCell<dyn Reporter>> = Rc::new(RefCell::new(reporter));
        let context = &cluster.env.context;
        let session = context.session.with_stop(control.receiver());
        Context { session, reporter, control: control.clone(), limits, ..context.clone() }
    };
    let contexts: Vec<Context> = requests.iter().map(context).collect();
    let ended = signals()?.stop(&stopper, operation(&contexts)).await;
    for (cluster, _) in requests {
        if let Some(sandbox) = &cluster.env.connection.sandbox {
            sandbox.settle(SANDBOX_RESTS_WITHIN).await;
        }
    }
    // Dropping the display restores the terminal before anything else is printed.
    drop((contexts, display));
    match ended {
        Ended::Dropped(signal) => {
            Err(CommandError::message(Kind::Interrupted(signal), "interrupted immediately").hint(RESUME_HINT))
        }
        Ended::Done(outcomes, signal) => Ok((outcomes?, signal)),
    }
}

/// Which commands reach a cluster once the process has ended.
fn reach(env: &Env) -> Reach {
    match &env.connection.sandbox {
        None => Reach::Everything,
        Some(sandbox) if sandbox.is_persistent() => Reach::OwnCommands,
        Some(_) => Reach::Nothing,
    }
}

async fn conclude(
    requests: &[ClusterRequests<'_>],
    outcomes: &[ClusterOutcomes],
    signal: Option<Signal>,
    output: RunOutput,
    ui: &mut Ui,
) -> Result<u8, CommandError> {
    // The failure of a cluster is that of its first failed component.
    let failures = outcomes.iter().filter_map(|cluster| fleet::failures(cluster).next());
    let kinds = failures.map(|failure| match (Kind::from(failure.kind), signal) {
        (Kind::Interrupted(_), Some(signal)) => Kind::Interrupted(signal),
        (kind, _) => kind,
    });
    let worst = kinds.max_by_key(|kind| kind.exit_code());
    let is_interrupted = matches!(worst, Some(Kind::Interrupted(_)));
    let components: Vec<_> = requests
        .iter()
        .zip(outcomes)
        .map(|((_, requests), outcomes)| components_of(requests, outcomes))
        .collect();
    // An empty shard has no state that could be unknown.
    let is_known = components.iter().all(Vec::is_empty) || outcomes.iter().any(has_known_end);
    if let Some(format) = output.filter(|_| !is_interrupted && is_known) {
        let clusters = || requests.iter().map(|(cluster, _)| cluster);
        let read = join_all(clusters().zip(&components).map(|(cluster, components)| async {
            let clock = cluster.env.context.session.clock();
            clock.within(AFTERWARDS, statuses(cluster, components)).await
        }));
        let read = signals()?.interrupt(read).await.map_err(|signal| unreported_state(signal, worst))?;
        let mut known = Vec::new();
        for (cluster, read) in clusters().zip(read) {
            match known_state(read) {
                Ok(items) => known.push(items),
                Err(warning) => ui.warn(&cluster.sentence(&warning)),
            }
        }
        if !known.is_empty() {
            let (items, now) = (known.concat(), requests[0].0.env.context.session.clock().now());
            ui.data(&table::render_status(&items, format, now));
            ui.summary(&table::render_status(&items, Format::Wide, now));
        }
    }
    match worst {
        Some(kind) => Err(CommandError::reported(kind)),
        None => Ok(exit::SUCCESS),
    }
}

/// Whether to print the state after a run: not if all components were rejected, interrupted, or lost with the cluster.
fn has_known_end(outcomes: &ClusterOutcomes) -> bool {
    let unknown = fleet::failures(outcomes).filter(|failure| {
        matches!(failure.kind, FailureKind::Refused | FailureKind::Cluster | FailureKind::Interrupted)
    });
    unknown.count() < outcomes.iter().map(|outcome| outcome.components.len()).sum()
}

/// Awaits a read after the outcome is known; `None` if it takes longer than [`AFTERWARDS`].
///
/// # Errors
///
/// A signal.
pub async fn afterwards<T>(env: &Env, read: impl Future<Output = T>) -> Result<Option<T>, CommandError> {
    let read = env.context.session.clock().within(AFTERWARDS, read);
    signals()?.interrupt(read).await.map_err(|signal| unreported_state(signal, None))
}

/// The failure of a command that a signal ended before the final state was printed.
fn unreported_state(signal: Signal, kind: Option<Kind>) -> CommandError {
    let message = "interrupted before the final state was reported";
    let interrupted = CommandError::message(Kind::Interrupted(signal), message);
    kind.map_or(interrupted, CommandError::reported)
}

/// The components of a cluster, each with its namespace, by application and name: those that were driven, or else those
/// that were requested.
fn components_of<'a>(
    requests: &'a [RolloutRequest],
    outcomes: &'a ClusterOutcomes,
) -> Vec<(&'a str, &'a str)> {
    let driven = outcomes.iter().map(|outcome| {
        let names: BTreeSet<&str> = outcome.components.iter().map(|(name, _)| name.as_str()).collect();
        (outcome.namespace.as_str(), names)
    });
    let requested = requests.iter().filter(|_| outcomes.is_empty()).map(|request| {
        let names = request.components.iter().map(|component| component.name.as_str()).collect();
        (request.namespace.as_str(), names)
    });
    let applications = driven.chain(requested);
    applications.flat_map(|(namespace, names)| names.into_iter().map(move |name| (namespace, name))).collect()
}

/// The final state, or a warning that it is unknown, if the read failed or timed out.
fn known_state(
    read: Option<Result<Vec<ComponentStatus>, ops::Failure>>,
) -> Result<Vec<ComponentStatus>, String> {
    let unknown = |why: &str| format!("the final state is unknown: {why}");
    match read {
        Some(read) => read.map_err(|failure| unknown(&failure.reason)),
        None => Err(unknown("the API server no longer answers")),
    }
}

/// The states of a cluster's components, each identified by its namespace and name. Each namespace is read once.
async fn statuses(
    cluster: &Cluster,
    components: &[(&str, &str)],
) -> Result<Vec<ComponentStatus>, ops::Failure> {
    let mut found = BTreeMap::new();
    let namespaces: BTreeSet<&str> = components.iter().map(|(namespace, _)| *namespace).collect();
    let names_namespaces = namespaces.len() > 1;
    for namespace in namespaces {
        for item in status::statuses(&cluster.env.context, namespace).await? {
            let (key, cluster) = ((namespace, item.component.clone()), cluster.name.clone());
            let namespace = names_namespaces.then(|| namespace.to_owned());
            found.insert(key, ComponentStatus { cluster, namespace, ..item });
        }
    }
    let place = |(namespace, name): &(&str, &str)| found.get(&(*namespace, (*name).to_owned())).cloned();
    Ok(components.iter().filter_map(place).collect())
}
