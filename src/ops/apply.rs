//! Applies requests: the pipeline from a request to its outcome.
//!
//! Manifests, and all operations that drive runs, are turned into a [`RolloutRequest`] for this pipeline.

use std::collections::BTreeSet;

use futures::future::join_all;

use crate::driver::application_run::{Acquired, ApplicationRun, Outcomes};
use crate::driver::checks::collisions;
use crate::driver::checks::manifest::check_manifest;
use crate::driver::context::Context;
use crate::driver::namespace_watch::{self, NamespaceWatch};
use crate::driver::outcome::{ApplicationOutcome, Failure, FailureKind};
use crate::driver::prepare::PreparedComponent;
use crate::driver::rejected::Rejected;
use crate::driver::request::{Overrides, RolloutRequest};
use crate::oam::application::Application;
use crate::plan::run::Outcome;

/// The requests of applications, each in the namespace that `resolve_namespace` returns for the one in its manifest.
///
/// # Errors
/// [`FailureKind::Invalid`]: what [`check_manifest`] refuses, two components of one name in a namespace, two
/// applications of one name, or two components that would create one object.
pub fn requests<'a>(
    applications: &'a [Application],
    overrides: &Overrides,
    resolve_namespace: impl Fn(Option<&'a str>) -> &'a str,
) -> Result<Vec<RolloutRequest>, Failure> {
    let mut components = BTreeSet::new();
    let mut requests = Vec::new();
    for application in applications {
        let namespace = resolve_namespace(application.namespace.as_deref());
        for component in &application.components {
            if !components.insert((namespace, component.name.as_str())) {
                let reason =
                    format!("component `{}` appears twice in namespace `{namespace}`", component.name);
                return Err(Failure::new(FailureKind::Invalid, reason)
                    .hint("`--namespace` puts every application into one namespace; apply them one by one"));
            }
        }
        check_manifest(application, namespace)?;
        requests.push(RolloutRequest::of_manifest(application, namespace.to_owned(), overrides.clone()));
    }
    match collisions::find_collision(&requests) {
        None => Ok(requests),
        Some(collision) => {
            Err(Failure::new(FailureKind::Invalid, collision).hint("rename one of them; nothing was changed"))
        }
    }
}

/// Applies all requests concurrently, over one watch per kind and namespace. The outcomes are in the order of the
/// requests.
///
/// Nothing outlives this future: dropping it stops everything, and applying the same requests again resumes it.
pub async fn apply(context: &Context, requests: &[RolloutRequest]) -> Vec<ApplicationOutcome> {
    on_each(context, requests, async |run| {
        let components = roll_out(&run).await.unwrap_or_else(|rejected| run.report(rejected));
        outcome_of(run.request, components)
    })
    .await
}

/// Does the work for all requests concurrently, while the namespaces are watched.
async fn on_each<T>(
    context: &Context,
    requests: &[RolloutRequest],
    work: impl AsyncFn(ApplicationRun<'_>) -> T,
) -> Vec<T> {
    let Some(first) = requests.first() else { return Vec::new() };
    let context = &context.reporting_in(&first.namespace).reporting_retries(&first.application);
    let watches = NamespaceWatch::of_requests(requests);
    let runs = requests.iter().map(async |request| {
        let context = &context.reporting_in(&request.namespace);
        work(ApplicationRun { context, watch: &watches[request.namespace.as_str()], request }).await
    });
    tokio::select! {
        biased;
        done = join_all(runs) => done,
        () = namespace_watch::feed_all(context, &watches) => Vec::new(),
    }
}

fn outcome_of(request: &RolloutRequest, components: Outcomes) -> ApplicationOutcome {
    let (namespace, application) = (request.namespace.clone(), request.application.clone());
    ApplicationOutcome { namespace, application, components }
}

/// The run that a request would cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextRun {
    /// None: nothing would be written.
    None,
    /// An unfinished run would be resumed.
    Resumed,
    /// A run would start.
    New,
}

/// Makes all checks that precede the first write, and writes nothing.
///
/// # Errors
/// The outcomes of the rejected requests, which have been reported.
pub async fn check(
    context: &Context,
    requests: &[RolloutRequest],
) -> Result<Vec<NextRun>, Vec<ApplicationOutcome>> {
    let checked = on_each(context, requests, async |run| {
        check_one(&run).await.map_err(|rejected| outcome_of(run.request, run.report(rejected)))
    })
    .await;
    let (next_runs, rejected): (Vec<_>, Vec<_>) = checked.into_iter().partition(Result::is_ok);
    if rejected.is_empty() {
        return Ok(next_runs.into_iter().flatten().collect());
    }
    Err(rejected.into_iter().filter_map(Result::err).collect())
}

async fn check_one(run: &ApplicationRun<'_>) -> Result<NextRun, Rejected> {
    let Some(components) = resolve(run).await? else { return Ok(NextRun::New) };
    if run.is_at_rest(&components) {
        return Ok(NextRun::None);
    }
    run.check(&components).await?;
    Ok(if run.resumes(&components) { NextRun::Resumed } else { NextRun::New })
}

/// Checks that a request will not be rejected, because of missing rights, untrusted gates or any other reason that is
/// known beforehand.
///
/// # Errors
/// The first rejection, and the server's last error.
pub(super) async fn check_request(context: &Context, request: &RolloutRequest) -> Result<(), Failure> {
    let checked: Vec<Result<(), Rejected>> = on_each(context, std::slice::from_ref(request), async |run| {
        let components = run.read_and_resolve().await?;
        run.refuse_gates(&components)?;
        run.check_rights(&components).await.map(drop)
    })
    .await;
    checked.into_iter().try_for_each(|checked| checked.map_err(Rejected::into_failure))
}

/// Reads and resolves the components of a request; `None` if it is rejected but may be accepted after the run in
/// progress.
async fn resolve(run: &ApplicationRun<'_>) -> Result<Option<Vec<PreparedComponent>>, Rejected> {
    let snapshot = run.read().await;
    let resolved = match &snapshot {
        Ok(snapshot) => run.resolve(snapshot),
        Err(rejected) => Err(rejected.clone()),
    };
    match resolved {
        Ok(components) => Ok(Some(components)),
        Err(_) if run.may_be_accepted_later(snapshot.as_ref().ok()).await => Ok(None),
        Err(rejected) => Err(rejected),
    }
}

/// Rolls out one application: the pipeline.
///
/// Each component's run starts with its claim, the first step of its plan: from then on, no earlier run can write to
/// the component.
async fn roll_out(run: &ApplicationRun<'_>) -> Result<Outcomes, Rejected> {
    let components = resolve(run).await?;
    // If nothing changes, nothing is written, not even the Lease.
    if let Some(components) = components.as_ref().filter(|components| run.is_at_rest(components)) {
        return Ok(run.drive(None, components).await);
    }
    let views = run.check(components.as_deref().unwrap_or_default()).await?;
    let Acquired { leadership, has_waited } =
        run.acquire(components.as_deref().unwrap_or_default(), views).await?;
    // Read everything again after queueing, which may have taken long, or if a run was in progress, whose later writes
    // are unknown. The claim detects other changes while a free Lease was acquired.
    let is_under_way = |prepared: &PreparedComponent| {
        prepared.record.as_ref().is_some_and(|stored| stored.record.run.outcome == Outcome::Running)
    };
    let is_checked = components.is_some();
    let components = components.filter(|components| !has_waited && !components.iter().any(is_under_way));
    let work = async {
        let components = run.confirm(&leadership, components).await?;
        // A request that was rejected before the wait has not been checked yet.
        if !is_checked {
            run.check(&components).await?;
        }
        Ok(run.drive(Some(&leadership), &components).await)
    };
    let outcomes = leadership.while_held(work).await;
    run.conclude(leadership, outcomes.as_ref()).await;
    outcomes
}
