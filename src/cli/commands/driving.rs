//! Driving requests to their end, for every command that changes something.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context as _;
use jiff::{SignedDuration, Unit};

use crate::cli::commands::apply::OnFailure;
use crate::cli::commands::gather;
use crate::cli::connect::setting::Setting;
use crate::cli::exit;
use crate::cli::failure::{Failure, Kind, Signal};
use crate::cli::flags::args::{BatchArgs, DeadlineArgs, RunOutput};
use crate::cli::hints::repeat::Flags;
use crate::cli::terminal::signals::{self, Ended};
use crate::cli::terminal::ui::{Narration, Ui};
use crate::driver::apply::Outcomes;
use crate::driver::context::{self, Context, FailFast, Limits};
use crate::driver::control;
use crate::driver::outcome::{self, ComponentOutcome, FailureKind};
use crate::driver::request::{Overrides, RolloutRequest};
use crate::driver::run;
use crate::oam::application::{Amount, Batch};
use crate::report::event::{Event, EventKind, Reporter};
use crate::report::status::{self, ComponentStatus, Format};

/// How long a sandbox may go on after a run, for its controllers to follow the last write. A cluster goes on anyway.
const SANDBOX_RESTS_WITHIN: Duration = Duration::from_millis(500);

/// How long something may take that is told after the verdict, for which a pipeline waits.
pub const AFTERWARDS: Duration = Duration::from_secs(10);

/// Drives, tells, and prints the final table.
///
/// # Errors
///
/// The first component's failure, which the reporter has told already: rolling it back does not make it a success.
pub async fn drive(
    setting: &Setting,
    requests: &[RolloutRequest],
    limits: Limits,
    output: RunOutput,
    ui: &mut Ui,
) -> Result<u8, Failure> {
    let (ends, signal) = once(setting, requests, limits, output, ui).await?;
    conclude(setting, requests, &ends, signal, output, ui).await
}

/// Drives and tells, once.
async fn once(
    setting: &Setting,
    requests: &[RolloutRequest],
    limits: Limits,
    output: RunOutput,
    ui: &Ui,
) -> Result<(Vec<Outcomes>, Option<Signal>), Failure> {
    let narration = if output == RunOutput::Ndjson { Narration::Events } else { Narration::Words };
    let inner = ui.reporter(narration, setting.session.clock().now());
    let later = match &setting.connection.sandbox {
        None => Later::Everything,
        Some(sandbox) if sandbox.is_persistent() => Later::OurCommands,
        Some(_) => Later::Nothing,
    };
    let flags =
        requests.iter().map(|request| (request.application.clone(), flags(setting, request, ui))).collect();
    let reporter: Rc<RefCell<dyn Reporter>> = Rc::new(RefCell::new(Repeating { inner, later, flags }));
    let (stopper, control) = control::control();
    setting.session.stop_when(control.receiver());
    let context = Context {
        next_check: Rc::default(),
        session: setting.session.clone(),
        reporter: reporter.clone(),
        control,
        identity: setting.identity.clone(),
        limits,
    };
    let told = context.clone();
    let application = requests.first().map(|request| request.application.clone()).unwrap_or_default();
    setting.session.on_retry(Rc::new(move |error, delay| {
        told.emit(
            &application,
            None,
            EventKind::Retrying { error: error.to_owned(), delay: in_words(delay) },
        );
    }));
    let ended = signals::heed(&stopper, run::run(&context, requests)).await;
    if let Some(sandbox) = &setting.connection.sandbox {
        sandbox.settle(SANDBOX_RESTS_WITHIN).await;
    }
    setting.session.on_retry(Rc::new(|_, _| {}));
    // The display gives the terminal back before anything else is said.
    drop((context, reporter));
    match ended.context("signals cannot be heard")? {
        Ended::Dropped(signal) => Err(Failure::message(Kind::Interrupted(signal), "interrupted immediately")
            .hint("the run is recorded: rerun the same command to resume it")),
        Ended::Done(ends, signal) => Ok((ends, signal)),
    }
}

/// A delay as it is told: of more than a second nobody wants to know the milliseconds.
fn in_words(delay: Duration) -> SignedDuration {
    let delay = SignedDuration::try_from(delay).unwrap_or_default();
    if delay < SignedDuration::from_secs(1) { delay } else { delay.round(Unit::Second).unwrap_or(delay) }
}

async fn conclude(
    setting: &Setting,
    requests: &[RolloutRequest],
    ends: &[Outcomes],
    signal: Option<Signal>,
    output: RunOutput,
    ui: &mut Ui,
) -> Result<u8, Failure> {
    let failed = ends.iter().flatten().find_map(|(_, end)| match end {
        ComponentOutcome::Failed(failure) => Some(failure.kind),
        ComponentOutcome::Succeeded { .. }
        | ComponentOutcome::Held { .. }
        | ComponentOutcome::Skipped { .. } => None,
    });
    let kind = failed.map(|failed| match (Kind::from(failed), signal) {
        (Kind::Interrupted(_), Some(signal)) => Kind::Interrupted(signal),
        (kind, _) => kind,
    });
    // What is there is shown where something may have been done: not after a refusal, not after losing
    // the cluster.
    let is_known =
        !matches!(failed, Some(FailureKind::Refused | FailureKind::Cluster | FailureKind::Interrupted));
    if let Some(format) = output.final_format().filter(|_| is_known) {
        let clock = setting.session.clock();
        match clock.within(AFTERWARDS, statuses(setting, requests)).await {
            Some(items) => {
                ui.data(&status::render(&items, format, clock.now()));
                ui.summary(&status::render(&items, Format::Wide, clock.now()));
            }
            None => ui.warn("the final state is unknown: the API server no longer answers"),
        }
    }
    match kind {
        Some(kind) => Err(Failure::reported(kind)),
        None => Ok(exit::SUCCESS),
    }
}

/// Where the components of the requests stand.
async fn statuses(setting: &Setting, requests: &[RolloutRequest]) -> Vec<ComponentStatus> {
    let mut items = Vec::new();
    for request in requests {
        let gathered = gather::statuses(&setting.session, &request.namespace).await;
        let names = request.component_names();
        items.extend(gathered.unwrap_or_default().into_iter().filter(|item| names.contains(&item.component)));
    }
    items
}

impl From<FailureKind> for Kind {
    fn from(kind: FailureKind) -> Self {
        match kind {
            FailureKind::Refused => Self::Refused,
            FailureKind::NotReady => Self::Timeout,
            FailureKind::Superseded | FailureKind::Disturbed => Self::Conflict,
            FailureKind::Cluster | FailureKind::Denied => Self::Cluster,
            FailureKind::Interrupted => Self::Interrupted(Signal::Interrupt),
            FailureKind::Internal => Self::Internal,
        }
    }
}

impl From<OnFailure> for context::OnFailure {
    fn from(wanted: OnFailure) -> Self {
        match wanted {
            OnFailure::Hold => Self::Hold,
            OnFailure::Undo => Self::Undo,
        }
    }
}

/// A failure of the driver that no event has told.
impl From<outcome::Failure> for Failure {
    fn from(failure: outcome::Failure) -> Self {
        let told = Self::message(failure.kind.into(), failure.reason);
        failure.hints.into_iter().fold(told, Self::hint)
    }
}

/// What a command has to be given so that it is about a request: a manifest's namespace is not in the environment.
fn flags(setting: &Setting, request: &RolloutRequest, ui: &Ui) -> Flags {
    if request.namespace == setting.connection.namespaces.resolve(None) {
        ui.flags().clone()
    } else {
        ui.flags().in_namespace(&request.namespace)
    }
}

/// What there will be to act on a hint with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Later {
    Everything,
    /// No kubectl finds its way into a sandbox.
    OurCommands,
    /// A sandbox without a file ends with its process.
    Nothing,
}

/// Lets the commands of hints have the flags of their application, and leaves out hints that lead nowhere.
struct Repeating {
    inner: Box<dyn Reporter + Send>,
    later: Later,
    flags: BTreeMap<String, Flags>,
}

impl Reporter for Repeating {
    fn event(&mut self, event: &Event) {
        let mut event = event.clone();
        if let (
            EventKind::Failed { hints, .. }
            | EventKind::Held { hints, .. }
            | EventKind::Interrupted { hints, .. },
            Some(flags),
        ) = (&mut event.what, self.flags.get(&event.application))
        {
            match self.later {
                Later::Everything => {}
                Later::OurCommands => hints.retain(|hint| !hint.contains("`kubectl ")),
                Later::Nothing => hints.clear(),
            }
            hints.iter_mut().for_each(|hint| *hint = flags.repeated(hint));
        }
        self.inner.event(&event);
    }
}

impl DeadlineArgs {
    /// The limits that the flags ask for.
    pub fn limits(&self) -> Limits {
        Limits {
            run: self.timeout.unsigned_abs(),
            batch: self.batch_timeout.unsigned_abs(),
            lock: self.lock.lock_timeout.unsigned_abs(),
            fail_fast: if self.fail_fast { FailFast::On } else { FailFast::Off },
            on_failure: context::OnFailure::Hold,
            logs: self.logs,
        }
    }
}

impl BatchArgs {
    /// What the flags say over the manifest.
    pub fn overrides(&self, reuse_revision: bool) -> Overrides {
        let batch = |replicas: &Amount| Batch { replicas: *replicas, max_unavailable: Amount::Count(0) };
        Overrides {
            batches: self.batches.as_ref().map(|batches| batches.0.iter().map(batch).collect()),
            partition: self.partition,
            reuse_revision,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_told_in_whole_seconds() {
        let cases = [(100, 100), (800, 800), (1_600, 2_000), (3_200, 3_000), (5_000, 5_000)];
        for (delay, told) in cases {
            assert_eq!(in_words(Duration::from_millis(delay)), SignedDuration::from_millis(told), "{delay}");
        }
    }
}
