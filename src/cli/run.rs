//! Running an operation for every command that changes something: its signals, its events and its final table.

use std::cell::RefCell;
use std::collections::BTreeMap;
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
use crate::cli::hints::repeat::Flags;
use crate::cli::hints::rewriter::{HintRewriter, Reach};
use crate::cli::terminal::signals::{Ended, Signals};
use crate::cli::terminal::ui::{Narration, Ui};
use crate::ops::component::ComponentSelector;
use crate::ops::{
    self, ApplicationOutcome, ComponentOutcome, Context, FailureKind, Limits, RolloutRequest, status,
};
use crate::report::event::Reporter;
use crate::report::format::Format;
use crate::report::message::RESUME_HINT;
use crate::report::status::{self as table, ComponentStatus};

/// How long a sandbox may continue after a run, for its controllers to follow the last write. A cluster continues anyway.
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
    plan::show(&[(cluster, requests)], dry_run.dry_run, dry_run.output, ui).await?;
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
    run_with_flags(env, settings, BTreeMap::new(), ui, operation).await
}

/// Like [`run`], where the commands of hints need other flags for some applications, by name.
///
/// # Errors
///
/// Those of [`run`].
pub async fn run_with_flags(
    env: &Env,
    settings: Settings,
    flags: BTreeMap<String, Flags>,
    ui: &mut Ui,
    operation: impl AsyncFnOnce(&Context) -> Result<Vec<ApplicationOutcome>, ops::Failure>,
) -> Result<u8, CommandError> {
    let (outcomes, signal) = drive(env, settings, flags, ui, operation).await?;
    conclude(env, &outcomes, signal, settings.output, ui).await
}

/// Runs the operation, reporting its events.
async fn drive(
    env: &Env,
    Settings { limits, output }: Settings,
    flags: BTreeMap<String, Flags>,
    ui: &Ui,
    operation: impl AsyncFnOnce(&Context) -> Result<Vec<ApplicationOutcome>, ops::Failure>,
) -> Result<(Vec<ApplicationOutcome>, Option<Signal>), CommandError> {
    let narration = if output.is_some() { Narration::Words } else { Narration::Events };
    let inner = ui.reporter(narration, env.context.session.clock().now());
    let rewriter = HintRewriter { inner, reach: reach(env), flags, default_flags: ui.flags().clone() };
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
    // The state is printed where something may have been done: not after a rejection, nor after losing the cluster.
    let is_known =
        !matches!(failed, Some(FailureKind::Refused | FailureKind::Cluster | FailureKind::Interrupted));
    if let Some(format) = output.filter(|_| is_known) {
        match afterwards(env, statuses(env, outcomes)).await {
            Ok(Some(items)) => {
                let now = env.context.session.clock().now();
                ui.data(&table::render_status(&items, format, now));
                ui.summary(&table::render_status(&items, Format::Wide, now));
            }
            Ok(None) => ui.warn("the final state is unknown: the API server no longer answers"),
            Err(interrupted) => return Err(kind.map_or(interrupted, CommandError::reported)),
        }
    }
    match kind {
        Some(kind) => Err(CommandError::reported(kind)),
        None => Ok(exit::SUCCESS),
    }
}

/// What is read once the outcome is known: a slow server delays the command no longer than [`AFTERWARDS`], for which it is
/// `None`.
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

/// Where the components stand.
async fn statuses(env: &Env, outcomes: &[ApplicationOutcome]) -> Vec<ComponentStatus> {
    let mut items = Vec::new();
    for outcome in outcomes {
        let statuses = status::statuses(&env.context, &outcome.namespace).await.unwrap_or_default();
        let is_driven = |name: &str| outcome.components.iter().any(|(component, _)| component == name);
        items.extend(statuses.into_iter().filter(|item| is_driven(&item.component)));
    }
    items
}
