//! One application: its queue, its components side by side, those with `dependsOn` after what they name.

use std::cell::Cell;
use std::collections::BTreeMap;

use futures::future::join_all;
use tokio::sync::watch;

use crate::cluster::access_review::AccessReview;
use crate::cluster::lease::Acquisition;
use crate::cluster::permissions::{self, Right, RightPurpose};
use crate::cluster::record_store::{self, StoredRecord};
use crate::cluster::service::Change;
use crate::cluster::status_mirror::StatusMirror;
use crate::driver::acquire::{Claimant, Takeovers};
use crate::driver::checks::{Warning, check};
use crate::driver::component_run::{ComponentRun, Leadership};
use crate::driver::context::{Context, NamespaceWatch};
use crate::driver::foresee::Forecast;
use crate::driver::outcome::{ComponentOutcome, Failure, FailureKind};
use crate::driver::prepare::{PreparedComponent, Rejection, prepare};
use crate::driver::publish::Publisher;
use crate::driver::request::RolloutRequest;
use crate::driver::rollback::{self, Failed};
use crate::plan::record::LeaseScope;
use crate::plan::step::{Step, plan};
use crate::report::event::EventKind;

/// How each component ended, in the request's order.
pub type Outcomes = Vec<(String, ComponentOutcome)>;

/// Drives an application to what is requested, or reports why not.
pub async fn apply(context: &Context, watched: &NamespaceWatch, request: &RolloutRequest) -> Outcomes {
    let components = match look(context, watched, request).await {
        Ok(components) => Some(components),
        // What cannot be followed beside a run may be followed after it.
        Err(_) if waits_for_a_run(context, request).await => None,
        Err(refused) => return all_refused(context, request, refused),
    };
    // Nothing is written where nothing changes, the Lease included.
    if let Some(components) = &components
        && components.iter().all(|prepared| !prepared.has_prerequisites() && is_at_rest(prepared, watched))
    {
        return run_components(context, watched, None, components).await;
    }
    let mirror = match preflight(context, watched, request, components.as_deref().unwrap_or_default()).await {
        Ok(mirror) => mirror,
        Err(failure) => return all_fail(context, request, &failure),
    };
    let has_waited = Cell::new(components.is_none());
    let announce = |holder: &str| {
        has_waited.set(true);
        context.emit(&request.application, None, EventKind::Queued { holder: holder.to_owned() });
    };
    let turn = turn(request, components.as_deref().unwrap_or_default());
    let claimant = claimant(context, request);
    let acquired = tokio::select! {
        acquired = claimant.acquire(turn, announce) => acquired,
        () = context.control.stopped() => {
            let failure = Failure::new(FailureKind::Interrupted, "interrupted before anything was changed");
            return all_fail(context, request, &failure);
        }
    };
    let lead = match acquired {
        Ok((lease, scope)) => {
            Leadership { lease, scope, publisher: Publisher::new(context, request, mirror) }
        }
        Err(error) => return all_fail(context, request, &error.into()),
    };
    // Waiting in line may have taken long, and then everything may be otherwise. What changed in the moment
    // that taking a free Lease takes is found out by the claim.
    let components = components.filter(|_| !has_waited.get());
    let ends = under_lease(context, watched, &lead, request, components).await;
    lead.lease.release().await;
    ends
}

fn claimant<'a>(context: &'a Context, request: &'a RolloutRequest) -> Claimant<'a> {
    Claimant {
        session: &context.session,
        namespace: &request.namespace,
        application: &request.application,
        component: request.single_component(),
        identity: &context.identity,
        patience: context.limits.lock,
    }
}

/// Whether a request is refused only for as long as another process drives the component. A paused run may stay so.
async fn waits_for_a_run(context: &Context, request: &RolloutRequest) -> bool {
    for component in request.components.iter().filter(|component| component.intent.waits_for_a_run()) {
        let record = record_store::load_record(&context.session, &request.namespace, &component.name).await;
        let is_paused = |stored: &StoredRecord| stored.record.run.paused.is_some();
        let is_open = record.is_ok_and(|record| record.is_some_and(|stored| !is_paused(&stored)));
        if is_open && claimant(context, request).is_driven().await.unwrap_or(false) {
            return true;
        }
    }
    false
}

/// A paused run has stopped already; whoever may end its pause need not wait for the process that sits it out.
fn turn(request: &RolloutRequest, components: &[PreparedComponent]) -> Acquisition {
    let is_paused = |prepared: &PreparedComponent| {
        prepared.record.as_ref().is_some_and(|stored| stored.record.run.paused.is_some())
    };
    if components.iter().any(is_paused) { Acquisition::TakeOver } else { request.turn }
}

/// Prepares every component and asks the planner, so that a refusal of one stops all before the first write.
async fn look(
    context: &Context,
    watched: &NamespaceWatch,
    request: &RolloutRequest,
) -> Result<Vec<PreparedComponent>, Vec<Rejection>> {
    let components = prepare(&context.session, &watched.cache, request).await?;
    let misfits: Vec<Rejection> =
        components.iter().filter_map(|prepared| misfit(prepared, watched)).collect();
    if misfits.is_empty() { Ok(components) } else { Err(misfits) }
}

fn all_refused(context: &Context, request: &RolloutRequest, refused: Vec<Rejection>) -> Outcomes {
    let ends = refused.into_iter().map(|refused| {
        let failure = refused.failure;
        tell_failure(context, &request.application, Some(&refused.component), &failure);
        (refused.component, ComponentOutcome::Failed(failure))
    });
    ends.collect()
}

/// Makes sure of every right that the run needs, so that it does not end half-way for want of one, and that nothing that
/// can be known beforehand stops it.
///
/// Returns the views in which the run is shown.
async fn preflight(
    context: &Context,
    watched: &NamespaceWatch,
    request: &RolloutRequest,
    components: &[PreparedComponent],
) -> Result<StatusMirror, Failure> {
    let namespace = &request.namespace;
    let is_touched = components.iter().any(|prepared| prepared.exposing.touches_services());
    let exposes = is_touched.then_some(RightPurpose::Services);
    let session = &context.session;
    let (access, mirror) =
        tokio::join!(AccessReview::load(session, namespace), StatusMirror::discover(session));
    let access = access?;
    let removes = components
        .iter()
        .flat_map(|prepared| &prepared.services)
        .any(|change| matches!(change, Change::Remove(_)));
    let removal = removes.then_some(Right { verb: "delete", group: "", resource: "services" });
    if let Some(reason) = access
        .missing_permissions(permissions::rights_of_run(&request.kinds(), exposes).chain(removal))
        .await?
    {
        return Err(Failure::refused(reason)
            .hint("ask for the Role that `rollout rbac` prints, or use another `--context` or `--user`"));
    }
    check_ahead(context, watched, request, components).await?;
    let lack = access.missing_permissions(mirror.rights()).await?;
    let Some(lack) = lack else { return Ok(mirror) };
    let message = format!(
        "the views for kubectl are not updated: {lack}; `rollout rbac --with-views` prints the permissions"
    );
    warn_once(context, request, Warning { component: None, message });
    Ok(StatusMirror::disabled(session))
}

/// Asks the cluster what would stop the runs, and says what may.
async fn check_ahead(
    context: &Context,
    watched: &NamespaceWatch,
    request: &RolloutRequest,
    components: &[PreparedComponent],
) -> Result<(), Failure> {
    let (session, namespace) = (&context.session, &request.namespace);
    let forecasts: Vec<Forecast> =
        components.iter().map(|prepared| Forecast::of(prepared.clone(), &watched.cache)).collect();
    let warnings = check(session, namespace, &forecasts).await?;
    warnings.into_iter().for_each(|warning| warn_once(context, request, warning));
    Ok(())
}

fn warn_once(context: &Context, request: &RolloutRequest, Warning { component, message }: Warning) {
    if context.session.warnings().is_first(&message) {
        context.emit(&request.application, component.as_deref(), EventKind::Warned { message });
    }
}

fn misfit(prepared: &PreparedComponent, watched: &NamespaceWatch) -> Option<Rejection> {
    let Step::Refuse(crate::plan::step::Refusal::BatchSumError(misfit)) =
        plan(&prepared.observed(&watched.cache), &prepared.desired)
    else {
        return None;
    };
    Some(Rejection { component: prepared.component.clone(), failure: Failure::from(&misfit) })
}

fn is_at_rest(prepared: &PreparedComponent, watched: &NamespaceWatch) -> bool {
    match plan(&prepared.observed(&watched.cache), &prepared.desired) {
        Step::Nothing | Step::Hold { .. } => true,
        Step::Wait { .. }
        | Step::Claim { .. }
        | Step::Stamp { .. }
        | Step::Create
        | Step::Scale { .. }
        | Step::Roll { .. }
        | Step::Delete { .. }
        | Step::Finish
        | Step::Superseded { .. }
        | Step::Disturbed { .. }
        | Step::Refuse(_) => false,
    }
}

/// Drives while the Lease is held. Looks once more where no components are given.
async fn under_lease(
    context: &Context,
    watched: &NamespaceWatch,
    lead: &Leadership<'_>,
    request: &RolloutRequest,
    components: Option<Vec<PreparedComponent>>,
) -> Outcomes {
    let work = async {
        let mut is_checked = components.is_some();
        let mut components = match components {
            Some(components) => components,
            None => match look(context, watched, request).await {
                Ok(components) => components,
                Err(refused) => return all_refused(context, request, refused),
            },
        };
        if lead.scope == LeaseScope::Application {
            let records = components
                .iter()
                .filter_map(|prepared| prepared.record.as_ref())
                .map(|stored| &stored.record);
            let announce = |component: &str, holder: &str| {
                let event = EventKind::Queued { holder: holder.to_owned() };
                context.emit(&request.application, Some(component), event);
            };
            match claimant(context, request).await_takeovers(records, announce).await {
                Ok(Takeovers::None) => {}
                Ok(Takeovers::Ended) => match look(context, watched, request).await {
                    Ok(again) => (components, is_checked) = (again, false),
                    Err(refused) => return all_refused(context, request, refused),
                },
                Err(error) => return all_fail(context, request, &error.into()),
            }
        }
        if !is_checked && let Err(failure) = check_ahead(context, watched, request, &components).await {
            return all_fail(context, request, &failure);
        }
        let owner = lead.publisher.begin().await;
        components.iter_mut().for_each(|prepared| prepared.owner.clone_from(&owner));
        let ends = run_components(context, watched, Some(lead), &components).await;
        lead.publisher.end(&ends).await;
        ends
    };
    tokio::select! {
        ends = work => ends,
        holder = lead.lease.keep() => {
            let reason = format!("{} was taken over by `{holder}`", lead.lease.key());
            let failure = Failure::new(FailureKind::Superseded, reason);
            all_fail(context, request, &failure.hint("see `rollout status`"))
        }
    }
}

async fn run_components(
    context: &Context,
    watched: &NamespaceWatch,
    lead: Option<&Leadership<'_>>,
    components: &[PreparedComponent],
) -> Outcomes {
    // Each component tells the others how it ended.
    let ended: BTreeMap<&str, watch::Sender<Option<ComponentOutcome>>> =
        components.iter().map(|prepared| (prepared.component.as_str(), watch::Sender::new(None))).collect();
    let ended = &ended;
    join_all(components.iter().map(|prepared| async move {
        let end = match await_dependencies(context, prepared, ended).await {
            Some(end) => end,
            None => run_component(context, watched, lead, prepared).await,
        };
        ended[prepared.component.as_str()].send_replace(Some(end.clone()));
        (prepared.component.clone(), end)
    }))
    .await
}

/// Waits for what a component depends on; how it ends without having begun, if one of them is not done.
async fn await_dependencies(
    context: &Context,
    prepared: &PreparedComponent,
    ended: &BTreeMap<&str, watch::Sender<Option<ComponentOutcome>>>,
) -> Option<ComponentOutcome> {
    let pending: Vec<String> = prepared
        .depends_on
        .iter()
        .filter(|name| ended.get(name.as_str()).is_some_and(|end| end.borrow().is_none()))
        .cloned()
        .collect();
    if !pending.is_empty() {
        context.emit(
            &prepared.application,
            Some(&prepared.component),
            EventKind::DependencyAwaited { on: pending },
        );
    }
    for name in &prepared.depends_on {
        let Some(sender) = ended.get(name.as_str()) else { continue };
        let mut receiver = sender.subscribe();
        let end = receiver.wait_for(Option::is_some).await.ok().and_then(|end| end.clone());
        if !matches!(end, Some(ComponentOutcome::Succeeded { .. })) {
            let message = format!("`{}` skipped: dependency `{name}` did not complete", prepared.component);
            context.emit(&prepared.application, Some(&prepared.component), EventKind::Warned { message });
            return Some(ComponentOutcome::Skipped { waiting_for: name.clone() });
        }
    }
    None
}

async fn run_component(
    context: &Context,
    watched: &NamespaceWatch,
    lead: Option<&Leadership<'_>>,
    prepared: &PreparedComponent,
) -> ComponentOutcome {
    for message in &prepared.warnings {
        context.emit(
            &prepared.application,
            Some(&prepared.component),
            EventKind::Warned { message: message.clone() },
        );
    }
    // Its retries have a budget of their own.
    let context = &Context { session: context.session.with_separate_budget(), ..context.clone() };
    let (end, claimed) = ComponentRun::new(context, watched, lead, prepared).run().await;
    if let (Some(lead), Some(epoch)) = (lead, claimed) {
        rollback::after_failure(context, watched, lead, prepared, Failed { end: &end, epoch }).await;
    }
    end
}

fn all_fail(context: &Context, request: &RolloutRequest, failure: &Failure) -> Outcomes {
    tell_failure(context, &request.application, None, failure);
    request
        .components
        .iter()
        .map(|component| (component.name.clone(), ComponentOutcome::Failed(failure.clone())))
        .collect()
}

fn tell_failure(context: &Context, application: &str, component: Option<&str>, failure: &Failure) {
    context.emit(application, component, failure.event(None));
}
