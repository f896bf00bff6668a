//! A command as a process runs it.

use rollout::oam::application::{Amount, Batch};
use rollout::ops::abort::abort_request;
use rollout::ops::component::ComponentSelector;
use rollout::ops::delete::{self, DeleteExtent, Removed, Scope};
use rollout::ops::plan::{self, DryRun};
use rollout::ops::promote::Promotion;
use rollout::ops::prune::{self, Pruning};
use rollout::ops::scale::scale_request;
use rollout::ops::undo::{UndoPace, UndoRequest, undo_request};
use rollout::ops::{
    ApplicationOutcome, ComponentOutcome, Context, Failure, Overrides, RolloutRequest, apply, pause, promote,
    resume, status,
};

use crate::script::{Command, OTHER};
use crate::support::manifest::{Component, NAMESPACE, request_for, request_for_application};
use crate::support::process::components;

const APPLICATION: &str = "shop";

impl Command {
    /// Runs the command as the program does.
    pub(crate) async fn perform(&self, context: &Context) -> Vec<(String, ComponentOutcome)> {
        match self.outcomes(context).await {
            Ok(outcomes) => components(outcomes),
            Err(failure) => vec![(String::new(), ComponentOutcome::Failed(failure))],
        }
    }

    async fn outcomes(&self, context: &Context) -> Result<Vec<ApplicationOutcome>, Failure> {
        let apply =
            async |request: Result<RolloutRequest, Failure>| Ok(apply::apply(context, &[request?]).await);
        match self {
            Self::Apply { manifest, prune: false, .. } => {
                Ok(apply::apply(context, &[request_for(manifest)]).await)
            }
            Self::Apply { manifest, prune: true, .. } => apply_and_prune(context, manifest).await,
            Self::Undo { component, to_revision, now } => {
                let overrides = Overrides::default();
                let pace = if *now { UndoPace::Now } else { UndoPace::InBatches(overrides) };
                let request = UndoRequest { to_revision: to_revision.clone(), pace };
                apply(undo_request(context, &selector(component), &request).await).await
            }
            Self::Abort(component) => {
                apply(abort_request(context, &selector(component), &Overrides::default()).await).await
            }
            Self::Promote { component, full } => {
                let promotion = if *full { Promotion::Full } else { Promotion::NextBatch };
                promote::promote(context, &selector(component), promotion).await
            }
            Self::Pause(component) => pause::pause(context, &selector(component)).await.map(|_| Vec::new()),
            Self::Resume(component) => resume::resume(context, &selector(component)).await,
            Self::Scale { component, replicas } => {
                apply(scale_request(context, &selector(component), *replicas, &half_and_half()).await).await
            }
            Self::DeleteComponent(component) => remove(context, component).await,
            Self::DeleteApplication => remove(context, APPLICATION).await,
            Self::ApplyOther(manifest) => {
                Ok(apply::apply(context, &[request_for_application(OTHER, manifest)]).await)
            }
            Self::DeleteOther => remove(context, OTHER).await,
            Self::Plan(manifest) => Ok(vec![planned(context, manifest).await]),
            Self::Status => status::statuses(context, NAMESPACE).await.map(|_| Vec::new()),
        }
    }
}

/// The plan of a manifest as an outcome: each component that would change counts as changed.
async fn planned(context: &Context, manifest: &[Component]) -> ApplicationOutcome {
    let planned = plan::plan(context, &[request_for(manifest)], DryRun::Server).await;
    let rejected =
        planned.rejections.into_iter().map(|failure| (String::new(), ComponentOutcome::Failed(failure)));
    let components = planned.components.into_iter().map(|component| {
        (component.component, ComponentOutcome::Succeeded { changed: component.is_pending })
    });
    let (namespace, application) = (NAMESPACE.to_owned(), APPLICATION.to_owned());
    ApplicationOutcome { namespace, application, components: components.chain(rejected).collect() }
}

fn selector(component: &str) -> ComponentSelector {
    ComponentSelector { namespace: NAMESPACE.to_owned(), name: Some(component.to_owned()) }
}

fn half_and_half() -> Overrides {
    let batch = |replicas| Batch { replicas, max_unavailable: Amount::Count(0) };
    let batches = vec![batch(Amount::Percent(50)), batch(Amount::Percent(50))];
    Overrides { batches: Some(batches), ..Overrides::default() }
}

async fn apply_and_prune(
    context: &Context,
    manifest: &[Component],
) -> Result<Vec<ApplicationOutcome>, Failure> {
    let requests = [request_for(manifest)];
    let scopes = prune::find_leftovers(context, &requests).await?.scopes;
    let inventories = delete::take_inventories(context, &scopes).await?;
    let outcomes = apply::apply(context, &requests).await;
    let pruning = Pruning { inventories, extent: DeleteExtent::Scope };
    prune::prune(context, &requests, &pruning, |_| {}).await?;
    Ok(outcomes)
}

async fn remove(context: &Context, name: &str) -> Result<Vec<ApplicationOutcome>, Failure> {
    let scope = delete::find_scope(context, NAMESPACE, name).await?;
    let scopes: [Scope; 1] = [scope];
    for inventory in &delete::take_inventories(context, &scopes).await? {
        if let Removed::Overtaken(failure) =
            delete::delete(context, inventory, DeleteExtent::Scope, |_| {}).await?
        {
            return Err(failure);
        }
    }
    Ok(Vec::new())
}
