//! The commands that control a run, as the command line puts them to the driver.

use rollout::cluster::lease::Acquisition;
use rollout::cluster::record_store;
use rollout::driver::context::Context;
use rollout::driver::delete::{self, Extent, Removed, Remover};
use rollout::driver::inventory::{self, Scope};
use rollout::driver::outcome::{ComponentOutcome, Failure, FailureKind};
use rollout::driver::pause::{self, Place};
use rollout::driver::request::{Gate, Intent, Overrides, RolloutRequest};
use rollout::driver::run;
use rollout::oam::application::{Amount, Batch};
use rollout::plan::record::{Pause, Record};

use super::manifest::NAMESPACE;
use super::process::{Process, Run};
use super::test_cluster::TestCluster;

const COMPONENT: &str = "web";

/// What a user types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    Pause,
    Resume,
    /// To the next gate.
    Promote,
    PromoteFull,
    Abort,
    /// To so many pods, one at a time.
    Scale(u32),
    Undo,
    UndoNow,
    /// To the revision that is named.
    UndoTo(&'static str),
    /// Of the application.
    Delete,
    DeleteComponent,
}

impl Command {
    /// Whether one that comes after asks for more: nobody could tell that it is the same, given again.
    pub(crate) fn goes_further(self) -> bool {
        match self {
            Self::Promote | Self::Undo | Self::UndoNow => true,
            Self::Pause
            | Self::Resume
            | Self::PromoteFull
            | Self::Abort
            | Self::Scale(_)
            | Self::UndoTo(_)
            | Self::Delete
            | Self::DeleteComponent => false,
        }
    }

    /// Runs to its end, or to the process's death.
    pub(crate) async fn run(self, cluster: &TestCluster, process: &Process) -> Run {
        let work = async |context: &Context| match self.perform(context).await {
            Ok(ends) => ends,
            Err(failure) => vec![(COMPONENT.to_owned(), ComponentOutcome::Failed(failure))],
        };
        cluster.perform(process, work).await
    }

    async fn perform(self, context: &Context) -> Result<Vec<(String, ComponentOutcome)>, Failure> {
        let intent = match self {
            Self::Pause => return pause(context).await,
            Self::Delete => return remove(context, None).await,
            Self::DeleteComponent => return remove(context, Some(COMPONENT.to_owned())).await,
            Self::Resume => Put::Recorded(Gate::Stay),
            Self::Promote => Put::Recorded(Gate::Next),
            Self::PromoteFull => Put::Recorded(Gate::Open),
            Self::Abort => Put::Abort,
            Self::Scale(replicas) => Put::Scale(replicas),
            Self::Undo => Put::Undo(Acquisition::Wait),
            Self::UndoNow => Put::Undo(Acquisition::TakeOver),
            Self::UndoTo(name) => Put::UndoTo(name),
        };
        intent.drive(context).await
    }
}

/// What is put to the driver as a request.
enum Put {
    Recorded(Gate),
    Abort,
    Scale(u32),
    Undo(Acquisition),
    UndoTo(&'static str),
}

impl Put {
    async fn drive(self, context: &Context) -> Result<Vec<(String, ComponentOutcome)>, Failure> {
        let record = recorded(context).await?;
        let kind = record.run.spec.kind;
        let batches = |batches: &[Amount]| {
            let batch = |replicas: &Amount| Batch { replicas: *replicas, max_unavailable: Amount::Count(0) };
            let batches = Some(batches.iter().map(batch).collect());
            Overrides { batches, ..Overrides::default() }
        };
        let at_once = batches(&[Amount::Percent(100)]);
        let (intent, overrides, turn) = match self {
            Self::Recorded(gate) => {
                pause::unpause(&context.session, place()).await?;
                (Intent::Recorded { gate, kind }, Overrides::default(), Acquisition::Wait)
            }
            Self::Abort => (Intent::Abort { kind }, Overrides::default(), Acquisition::TakeOver),
            Self::Scale(replicas) => {
                let one_by_one = batches(&[Amount::Count(1), Amount::Count(1)]);
                (Intent::Scale { replicas, kind }, one_by_one, Acquisition::Wait)
            }
            Self::Undo(turn @ Acquisition::TakeOver) => {
                (Intent::Revision { reference: None, kind }, at_once, turn)
            }
            Self::UndoTo(name) => {
                let intent = Intent::Revision { reference: Some(name.to_owned()), kind };
                (intent, at_once, Acquisition::TakeOver)
            }
            Self::Undo(turn @ Acquisition::Wait) => {
                (Intent::Revision { reference: None, kind }, Overrides::default(), turn)
            }
        };
        let request = RolloutRequest::of_record(&record, NAMESPACE.to_owned(), intent, overrides);
        let ends = run::run(context, &[RolloutRequest { turn, ..request }]).await;
        Ok(ends.into_iter().flatten().collect())
    }
}

fn place() -> Place<'static> {
    Place { namespace: NAMESPACE, component: COMPONENT }
}

async fn pause(context: &Context) -> Result<Vec<(String, ComponentOutcome)>, Failure> {
    let record = recorded(context).await?;
    let by = Pause { by: context.identity.clone(), at: context.session.clock().now() };
    pause::pause(&context.session, Place { component: &record.component, ..place() }, by).await?;
    Ok(Vec::new())
}

async fn remove(
    context: &Context,
    component: Option<String>,
) -> Result<Vec<(String, ComponentOutcome)>, Failure> {
    let scope = Scope { namespace: NAMESPACE.to_owned(), application: "shop".to_owned(), component };
    let inventory = inventory::take(&context.session, &scope).await?;
    let remover = Remover { identity: &context.identity, patience: context.limits.lock };
    match delete::delete(&context.session, &inventory, Extent::Scope, remover, |_| {}).await? {
        Removed::Everything => Ok(Vec::new()),
        Removed::Overtaken(failure) => Err(failure),
    }
}

/// The component's record, found as the command line finds it.
async fn recorded(context: &Context) -> Result<Record, Failure> {
    let known = record_store::load_records(&context.session, NAMESPACE).await?;
    let found = known.into_iter().map(|stored| stored.record).find(|record| record.component == COMPONENT);
    found.ok_or_else(|| Failure::new(FailureKind::Refused, "nothing has been rolled out"))
}
