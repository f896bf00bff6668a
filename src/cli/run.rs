//! Running an operation for every command that changes something: its signals, its events and its final table.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context as _;

use crate::cli::commands::plan;
use crate::cli::connect::client::Access;
use crate::cli::connect::env::Env;
use crate::cli::exit;
use crate::cli::failure::{CommandError, Kind, Signal};
use crate::cli::flags::args::{GlobalArgs, RunArgs, RunOutput};
use crate::cli::flags::dry_run::DryRunPlan;
use crate::cli::fleet::Cluster;
use crate::cli::hints::rewriter::{HintRewriter, Reach};
use crate::cli::terminal::signals::{Ended, Signals};
use crate::cli::terminal::ui::{EventFormat, Ui};
use crate::ops::component::ComponentSelector;
use crate::ops::{
    self, ApplicationOutcome, ComponentOutcome, Context, FailureKind, Limits, RolloutRequest, status,
};
use crate::report::event::Reporter;
use crate::report::format::Format;
use crate::report::message::RESUME_HINT;
use crate::report::status::{self as table, ComponentStatus};

/// How long a sandbox may continue after a run, for its controllers to follow the last write. A cluster continues
/// anyway.
pub(in crate::cli) const SANDBOX_RESTS_WITHIN: Duration = Duration::from_millis(500);

/// How long a pipeline waits for something that is printed after the outcome is known.
pub(in crate::cli) const AFTERWARDS: Duration = Duration::from_secs(10);

/// How a run is bounded and printed.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Its deadlines.
    pub limits: Limits,
    /// The form of its result.
    pub output: RunOutput,
}

impl From<&RunArgs> for Settings {
    fn from(args: &RunArgs) -> Self {
        Self { limits: args.deadlines.limits(), output: args.output }
    }
}

/// The environment of a command that drives a run, or only plans it.
///
/// # Errors
///
/// Whatever keeps a client from being built.
pub async fn open(
    global: &GlobalArgs,
    dry_run: Option<DryRunPlan>,
    ui: &mut Ui,
) -> Result<Cluster, CommandError> {
    Cluster::only(global, access_of(dry_run), ui).await
}

/// What a command does to the cluster that drives a run, or only plans it.
pub fn access_of(dry_run: Option<DryRunPlan>) -> Access {
    if dry_run.is_some() { Access::Read } else { Access::Write }
}

/// Plans a request instead of applying it.
///
/// # Errors
///
/// Whatever would stop the rollout before its first write.
pub async fn plan(
    cluster: &Cluster,
    requests: &[RolloutRequest],
    dry_run: DryRunPlan,
    ui: &mut Ui,
) -> Result<u8, CommandError> {
    plan::show(&[(cluster, requests)], dry_run, ui).await?;
    Ok(exit::SUCCESS)
}

/// Runs an operation on a component, or plans the request that it makes of the driver, as the flags ask.
///
/// # Errors
///
/// Those of [`plan`] and [`run`].
pub async fn plan_or_run(
    (args, component): (&RunArgs, Option<&str>),
    global: &GlobalArgs,
    ui: &mut Ui,
    request: impl AsyncFnOnce(&Context, &ComponentSelector) -> Result<RolloutRequest, ops::Failure>,
    operation: impl AsyncFnOnce(&Context, &ComponentSelector) -> Result<Vec<ApplicationOutcome>, ops::Failure>,
) -> Result<u8, CommandError> {
    let dry_run = args.dry_run_plan()?;
    let cluster = open(global, dry_run, ui).await?;
    let env = &cluster.env;
    let component = env.component(component);
    if let Some(dry_run) = dry_run {
        return plan(&cluster, &[request(&env.context, &component).await?], dry_run, ui).await;
    }
    run(env, args.into(), ui, async |context| operation(context, &component).await).await
}

/// Runs an operation about the namespace of the command line, and prints the final table.
///
/// # Errors
///
/// The failure of the operation, or of its first component, which the reporter has printed already.
pub async fn run(
    env: &Env,
    settings: Settings,
    ui: &mut Ui,
    operation: impl AsyncFnOnce(&Context) -> Result<Vec<ApplicationOutcome>, ops::Failure>,
) -> Result<u8, CommandError> {
    run_in_namespaces(env, settings, false, ui, operation).await
}

/// Like [`run`], where an operation may be about several namespaces, which the output then names.
///
/// # Errors
///
/// Those of [`run`].
pub async fn run_in_namespaces(
    env: &Env,
    settings: Settings,
    names_namespaces: bool,
    ui: &mut Ui,
    operation: impl AsyncFnOnce(&Context) -> Result<Vec<ApplicationOutcome>, ops::Failure>,
) -> Result<u8, CommandError> {
    let (outcomes, signal) = drive(env, settings, names_namespaces, ui, operation).await?;
    conclude(env, &outcomes, signal, settings.output, ui).await
}

/// Whether requests are about several namespaces.
pub fn is_about_several_namespaces(requests: &[RolloutRequest]) -> bool {
    requests.windows(2).any(|two| two[0].namespace != two[1].namespace)
}

/// Runs the operation, reporting its events.
async fn drive(
    env: &Env,
    Settings { limits, output }: Settings,
    names_namespaces: bool,
    ui: &Ui,
    operation: impl AsyncFnOnce(&Context) -> Result<Vec<ApplicationOutcome>, ops::Failure>,
) -> Result<(Vec<ApplicationOutcome>, Option<Signal>), CommandError> {
    let event_format = if output.is_some() { EventFormat::Words } else { EventFormat::Events };
    let inner = ui.reporter(event_format, env.context.session.clock().now());
    let (flags, namespace) = (ui.flags().clone(), env.namespace().to_owned());
    let rewriter = HintRewriter { inner, reach: reach(env), flags, namespace, names_namespaces };
    let reporter: Rc<RefCell<dyn Reporter>> = Rc::new(RefCell::new(rewriter));
    let (stopper, control) = ops::control();
    let session = env.context.session.with_stop(control.receiver());
    let context = Context { session, reporter, control, limits, ..env.context.clone() };
    let ended = signals()?.stop(&stopper, operation(&context)).await;
    if let Some(sandbox) = &env.connection.sandbox {
        sandbox.settle(SANDBOX_RESTS_WITHIN).await;
    }
    // The display gives the terminal back before anything else is printed.
    drop(context);
    match ended {
        Ended::Dropped(signal) => {
            Err(CommandError::message(Kind::Interrupted(signal), "interrupted immediately").hint(RESUME_HINT))
        }
        Ended::Done(outcomes, signal) => Ok((outcomes?, signal)),
    }
}

/// Which commands reach a cluster once the process has ended.
pub(in crate::cli) fn reach(env: &Env) -> Reach {
    match &env.connection.sandbox {
        None => Reach::Everything,
        Some(sandbox) if sandbox.is_persistent() => Reach::OwnCommands,
        Some(_) => Reach::Nothing,
    }
}

/// The failure that decides the exit code: that of the first component that has one.
pub(in crate::cli) fn first_failure(outcomes: &[ApplicationOutcome]) -> Option<FailureKind> {
    outcomes.iter().flat_map(|outcome| &outcome.components).find_map(|(_, end)| match end {
        ComponentOutcome::Failed(failure) => Some(failure.kind),
        ComponentOutcome::Succeeded { .. }
        | ComponentOutcome::Held { .. }
        | ComponentOutcome::Skipped { .. } => None,
    })
}

/// The failure of a command that a signal ended before the final state was printed.
pub(in crate::cli) fn interrupted_afterwards(signal: Signal, kind: Option<Kind>) -> CommandError {
    let message = "interrupted before the final state was reported";
    let interrupted = CommandError::message(Kind::Interrupted(signal), message);
    kind.map_or(interrupted, CommandError::reported)
}

async fn conclude(
    env: &Env,
    outcomes: &[ApplicationOutcome],
    signal: Option<Signal>,
    output: RunOutput,
    ui: &mut Ui,
) -> Result<u8, CommandError> {
    let failed = first_failure(outcomes);
    let kind = failed.map(|failed| match (Kind::from(failed), signal) {
        (Kind::Interrupted(_), Some(signal)) => Kind::Interrupted(signal),
        (kind, _) => kind,
    });
    let is_interrupted = matches!(kind, Some(Kind::Interrupted(_)));
    let components = components_of(outcomes);
    // Of an empty share of the applications, nothing is unknown.
    let is_known = components.is_empty() || has_known_end(outcomes);
    if let Some(format) = output.filter(|_| !is_interrupted && is_known) {
        match afterwards(env, statuses(&env.context, &components)).await {
            Ok(read) => match known_state(read) {
                Ok(items) => {
                    let now = env.context.session.clock().now();
                    ui.data(&table::render_status(&items, format, now));
                    ui.summary(&table::render_status(&items, Format::Wide, now));
                }
                Err(warning) => ui.warn(&warning),
            },
            Err(interrupted) => return Err(kind.map_or(interrupted, CommandError::reported)),
        }
    }
    match kind {
        Some(kind) => Err(CommandError::reported(kind)),
        None => Ok(exit::SUCCESS),
    }
}

/// What is read once the outcome is known: a slow server delays the command no longer than [`AFTERWARDS`], for which it
/// is `None`.
///
/// # Errors
///
/// A signal.
pub async fn afterwards<T>(env: &Env, read: impl Future<Output = T>) -> Result<Option<T>, CommandError> {
    let read = env.context.session.clock().within(AFTERWARDS, read);
    signals()?.interrupt(read).await.map_err(|signal| interrupted_afterwards(signal, None))
}

pub(in crate::cli) fn signals() -> Result<Signals, CommandError> {
    Ok(Signals::listen().context("signal handlers cannot be installed")?)
}

/// Whether the state after a run is worth printing: something may have been done to a component, which is not so after
/// a rejection, nor after losing the cluster.
pub(in crate::cli) fn has_known_end(outcomes: &[ApplicationOutcome]) -> bool {
    let mut ends = outcomes.iter().flat_map(|outcome| &outcome.components);
    ends.any(|(_, end)| match end {
        ComponentOutcome::Failed(failure) => {
            !matches!(failure.kind, FailureKind::Refused | FailureKind::Cluster | FailureKind::Interrupted)
        }
        ComponentOutcome::Succeeded { .. }
        | ComponentOutcome::Held { .. }
        | ComponentOutcome::Skipped { .. } => true,
    })
}

/// The components of applications, each with its namespace: application by application, by name.
fn components_of(outcomes: &[ApplicationOutcome]) -> Vec<(&str, &str)> {
    let components = outcomes.iter().flat_map(|outcome| {
        by_name(&outcome.namespace, outcome.components.iter().map(|(name, _)| name.as_str()))
    });
    components.collect()
}

/// Components of an application, by name, each with its namespace.
pub(in crate::cli) fn by_name<'a>(
    namespace: &'a str,
    names: impl Iterator<Item = &'a str>,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    names.collect::<BTreeSet<_>>().into_iter().map(move |name| (namespace, name))
}

/// The final state, as it was read in time or not; or a warning that it is unknown.
pub(in crate::cli) fn known_state(
    read: Option<Result<Vec<ComponentStatus>, ops::Failure>>,
) -> Result<Vec<ComponentStatus>, String> {
    let unknown = |why: &str| format!("the final state is unknown: {why}");
    match read {
        Some(read) => read.map_err(|failure| unknown(&failure.reason)),
        None => Err(unknown("the API server no longer answers")),
    }
}

/// Where components stand, each given by its namespace and name. Each namespace is read once.
pub(in crate::cli) async fn statuses(
    context: &Context,
    components: &[(&str, &str)],
) -> Result<Vec<ComponentStatus>, ops::Failure> {
    let mut found = BTreeMap::new();
    let namespaces: BTreeSet<&str> = components.iter().map(|(namespace, _)| *namespace).collect();
    let names_namespaces = namespaces.len() > 1;
    for namespace in namespaces {
        for item in status::statuses(context, namespace).await? {
            let shown = names_namespaces.then(|| namespace.to_owned());
            found.insert((namespace, item.component.clone()), ComponentStatus { namespace: shown, ..item });
        }
    }
    let place = |(namespace, name): &(&str, &str)| found.get(&(*namespace, (*name).to_owned())).cloned();
    Ok(components.iter().filter_map(place).collect())
}
