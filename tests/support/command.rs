//! The commands that control a run.

use rollout::oam::application::{Amount, Batch};
use rollout::ops::abort::abort_request;
use rollout::ops::component::ComponentSelector;
use rollout::ops::delete::{self, DeleteExtent, Removed, Scope};
use rollout::ops::promote::Promotion;
use rollout::ops::scale::scale_request;
use rollout::ops::undo::{UndoPace, UndoRequest, undo_request};
use rollout::ops::{
    ApplicationOutcome, ComponentOutcome, Context, Failure, Overrides, RolloutRequest, apply, pause, promote,
    resume,
};

use super::manifest::NAMESPACE;
use super::process::{Process, Run, components};
use super::test_cluster::TestCluster;

const COMPONENT: &str = "web";

/// A command, with the flags under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    Pause,
    Resume,
    Promote,
    PromoteFull,
    /// Promotes the application, which is held at a step of its workflow.
    PromoteWorkflow,
    Abort,
    /// Scales to this many pods, in batches of one.
    Scale(u32),
    Undo,
    UndoNow,
    UndoTo(&'static str),
    /// Deletes the whole application.
    Delete,
    DeleteComponent,
}

impl Command {
    /// Whether a rerun does more, because it cannot be distinguished from a second command.
    pub(crate) fn goes_further(self) -> bool {
        match self {
            Self::Promote | Self::Undo | Self::UndoNow => true,
            Self::Pause
            | Self::Resume
            | Self::PromoteFull
            | Self::PromoteWorkflow
            | Self::Abort
            | Self::Scale(_)
            | Self::UndoTo(_)
            | Self::Delete
            | Self::DeleteComponent => false,
        }
    }

    /// Runs to its end, or to the process's death.
    pub(crate) async fn run(self, cluster: &TestCluster, process: &Process) -> Run {
        let work = async |context: &Context| self.perform_all(context).await;
        cluster.perform(process, work).await
    }

    /// Performs the command. A failure before its run counts as one of the component.
    pub(crate) async fn perform_all(self, context: &Context) -> Vec<(String, ComponentOutcome)> {
        match self.perform(context).await {
            Ok(ends) => ends,
            Err(failure) => vec![(COMPONENT.to_owned(), ComponentOutcome::Failed(failure))],
        }
    }

    async fn perform(self, context: &Context) -> Result<Vec<(String, ComponentOutcome)>, Failure> {
        let web = ComponentSelector { namespace: NAMESPACE.to_owned(), name: Some(COMPONENT.to_owned()) };
        let apply =
            async |request: Result<RolloutRequest, Failure>| Ok(apply::apply(context, &[request?]).await);
        let undo = async |to_revision: Option<&str>, pace| {
            let request = UndoRequest { to_revision: to_revision.map(str::to_owned), pace };
            apply(undo_request(context, &web, &request).await).await
        };
        let outcomes: Vec<ApplicationOutcome> = match self {
            Self::Pause => pause::pause(context, &web).await.map(|_| Vec::new()),
            Self::Resume => resume::resume(context, &web).await,
            Self::Promote => promote::promote(context, &web, Promotion::NextBatch).await,
            Self::PromoteFull => promote::promote(context, &web, Promotion::Full).await,
            Self::PromoteWorkflow => {
                let shop = ComponentSelector { name: Some("shop".to_owned()), ..web.clone() };
                promote::promote(context, &shop, Promotion::NextBatch).await
            }
            Self::Abort => apply(abort_request(context, &web, &Overrides::default()).await).await,
            Self::Scale(replicas) => apply(scale_request(context, &web, replicas, &one_by_one()).await).await,
            Self::Undo => undo(None, UndoPace::InBatches(Overrides::default())).await,
            Self::UndoNow => undo(None, UndoPace::Now).await,
            Self::UndoTo(name) => undo(Some(name), UndoPace::Now).await,
            Self::Delete => delete_all(context, None).await,
            Self::DeleteComponent => delete_all(context, web.name.clone()).await,
        }?;
        Ok(components(outcomes))
    }
}

fn one_by_one() -> Overrides {
    let one = Batch { replicas: Amount::Count(1), max_unavailable: Amount::Count(0) };
    Overrides { batches: Some(vec![one, one]), ..Overrides::default() }
}

async fn delete_all(
    context: &Context,
    component: Option<String>,
) -> Result<Vec<ApplicationOutcome>, Failure> {
    let scope = Scope { namespace: NAMESPACE.to_owned(), application: "shop".to_owned(), component };
    for inventory in &delete::take_inventories(context, &[scope]).await? {
        if let Removed::Overtaken(failure) =
            delete::delete(context, inventory, DeleteExtent::Scope, |_| {}).await?
        {
            return Err(failure);
        }
    }
    Ok(Vec::new())
}
