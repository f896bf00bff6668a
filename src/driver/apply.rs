//! One application: its queue, its components side by side, those with `dependsOn` after what they name.

use std::cell::Cell;
use std::collections::BTreeMap;

use futures::future::join_all;
use tokio::sync::watch;

use crate::cluster::lease::Turn;
use crate::cluster::permissions::{self, Purpose, Right};
use crate::cluster::preflight::Access;
use crate::cluster::record::{self, StoredRecord};
use crate::cluster::service::Change;
use crate::cluster::views::Views;
use crate::driver::acquire::{Claimant, Takeovers};
use crate::driver::checks::{Warning, check};
use crate::driver::context::{Context, Ground};
use crate::driver::drive::{Drive, Lead};
use crate::driver::foresee::Forecast;
use crate::driver::outcome::{End, Failure, FailureKind};
use crate::driver::prepare::{Job, Refused, prepare};
use crate::driver::publish::Publisher;
use crate::driver::rollback::{self, Failed};
use crate::driver::wish::Wish;
use crate::plan::record::LeaseScope;
use crate::plan::step::{Step, plan};
use crate::report::event::What;

/// How each component ended, in the wish's order.
pub type Ends = Vec<(String, End)>;

/// Drives an application to what is wished, or says why not.
pub async fn apply(context: &Context, ground: &Ground, wish: &Wish) -> Ends {
    let jobs = match look(context, ground, wish).await {
        Ok(jobs) => Some(jobs),
        // What cannot be followed beside a run may be followed after it.
        Err(_) if waits_for_a_run(context, wish).await => None,
        Err(refused) => return all_refused(context, wish, refused),
    };
    // Nothing is written where nothing changes, the Lease included.
    if let Some(jobs) = &jobs
        && jobs.iter().all(|job| !job.has_extras() && is_at_rest(job, ground))
    {
        return drive_all(context, ground, None, jobs).await;
    }
    let views = match preflight(context, ground, wish, jobs.as_deref().unwrap_or_default()).await {
        Ok(views) => views,
        Err(failure) => return all_fail(context, wish, &failure),
    };
    let has_waited = Cell::new(jobs.is_none());
    let announce = |holder: &str| {
        has_waited.set(true);
        context.emit(&wish.application, None, What::Queued { holder: holder.to_owned() });
    };
    let turn = turn(wish, jobs.as_deref().unwrap_or_default());
    let claimant = claimant(context, wish);
    let acquired = tokio::select! {
        acquired = claimant.acquire(turn, announce) => acquired,
        () = context.control.stopped() => {
            let failure = Failure::new(FailureKind::Interrupted, "stopped as asked, before anything was changed");
            return all_fail(context, wish, &failure);
        }
    };
    let lead = match acquired {
        Ok((lease, scope)) => Lead { lease, scope, publisher: Publisher::new(context, wish, views) },
        Err(error) => return all_fail(context, wish, &error.into()),
    };
    // Waiting in line may have taken long, and then everything may be otherwise. What changed in the moment
    // that taking a free Lease takes is found out by the claim.
    let jobs = jobs.filter(|_| !has_waited.get());
    let ends = under_lease(context, ground, &lead, wish, jobs).await;
    lead.lease.release().await;
    ends
}

fn claimant<'a>(context: &'a Context, wish: &'a Wish) -> Claimant<'a> {
    Claimant {
        session: &context.session,
        namespace: &wish.namespace,
        application: &wish.application,
        component: wish.single_component(),
        identity: &context.identity,
        patience: context.limits.lock,
    }
}

/// Whether a wish is refused only for as long as another process drives the component. A paused run may stay so.
async fn waits_for_a_run(context: &Context, wish: &Wish) -> bool {
    for component in wish.components.iter().filter(|component| component.intent.waits_for_a_run()) {
        let record = record::load(&context.session, &wish.namespace, &component.name).await;
        let is_paused = |stored: &StoredRecord| stored.record.run.paused.is_some();
        let is_open = record.is_ok_and(|record| record.is_some_and(|stored| !is_paused(&stored)));
        if is_open && claimant(context, wish).is_driven().await.unwrap_or(false) {
            return true;
        }
    }
    false
}

/// A paused run has stopped already; whoever may end its pause need not wait for the process that sits it out.
fn turn(wish: &Wish, jobs: &[Job]) -> Turn {
    let is_paused = |job: &Job| job.record.as_ref().is_some_and(|stored| stored.record.run.paused.is_some());
    if jobs.iter().any(is_paused) { Turn::AtOnce } else { wish.turn }
}

/// Prepares every component and asks the planner, so that a refusal of one stops all before the first write.
async fn look(context: &Context, ground: &Ground, wish: &Wish) -> Result<Vec<Job>, Vec<Refused>> {
    let jobs = prepare(&context.session, &ground.view, wish).await?;
    let misfits: Vec<Refused> = jobs.iter().filter_map(|job| misfit(job, ground)).collect();
    if misfits.is_empty() { Ok(jobs) } else { Err(misfits) }
}

fn all_refused(context: &Context, wish: &Wish, refused: Vec<Refused>) -> Ends {
    let ends = refused.into_iter().map(|refused| {
        let failure = refused.failure;
        tell_failure(context, &wish.application, Some(&refused.component), &failure);
        (refused.component, End::Failed(failure))
    });
    ends.collect()
}

/// Makes sure of every right that the run needs, so that it does not end half-way for want of one, and that nothing that
/// can be known beforehand stops it.
///
/// Returns the views in which the run is shown.
async fn preflight(context: &Context, ground: &Ground, wish: &Wish, jobs: &[Job]) -> Result<Views, Failure> {
    let namespace = &wish.namespace;
    let is_touched = jobs.iter().any(|job| job.exposing.touches_services());
    let exposes = is_touched.then_some(Purpose::Services);
    let session = &context.session;
    let (access, views) = tokio::join!(Access::review(session, namespace), Views::find(session));
    let access = access?;
    let removes = jobs.iter().flat_map(|job| &job.services).any(|change| matches!(change, Change::Remove(_)));
    let removal = removes.then_some(Right { verb: "delete", group: "", resource: "services" });
    if let Some(reason) = access.lack(permissions::of_run(&wish.kinds(), exposes).chain(removal)).await? {
        return Err(Failure::refused(reason)
            .hint("ask for the Role that `rollout rbac` prints, or use another `--context` or `--user`"));
    }
    check_ahead(context, ground, wish, jobs).await?;
    let lack = access.lack(views.rights()).await?;
    let Some(lack) = lack else { return Ok(views) };
    let message =
        format!("runs are not shown to kubectl: {lack}; `rollout rbac --with-views` prints the rights");
    warn_once(context, wish, Warning { component: None, message });
    Ok(Views::none(session))
}

/// Asks the cluster what would stop the runs, and says what may.
async fn check_ahead(context: &Context, ground: &Ground, wish: &Wish, jobs: &[Job]) -> Result<(), Failure> {
    let (session, namespace) = (&context.session, &wish.namespace);
    let forecasts: Vec<Forecast> = jobs.iter().map(|job| Forecast::of(job.clone(), &ground.view)).collect();
    let warnings = check(session, namespace, &forecasts).await?;
    warnings.into_iter().for_each(|warning| warn_once(context, wish, warning));
    Ok(())
}

fn warn_once(context: &Context, wish: &Wish, Warning { component, message }: Warning) {
    if context.session.warnings().is_first(&message) {
        context.emit(&wish.application, component.as_deref(), What::Warned { message });
    }
}

fn misfit(job: &Job, ground: &Ground) -> Option<Refused> {
    let Step::Refuse(crate::plan::step::Refusal::Misfit(misfit)) =
        plan(&job.observed(&ground.view), &job.desired)
    else {
        return None;
    };
    Some(Refused { component: job.component.clone(), failure: Failure::from(&misfit) })
}

fn is_at_rest(job: &Job, ground: &Ground) -> bool {
    match plan(&job.observed(&ground.view), &job.desired) {
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

/// Drives while the Lease is held. Looks once more where no jobs are given.
async fn under_lease(
    context: &Context,
    ground: &Ground,
    lead: &Lead<'_>,
    wish: &Wish,
    jobs: Option<Vec<Job>>,
) -> Ends {
    let work = async {
        let mut is_checked = jobs.is_some();
        let mut jobs = match jobs {
            Some(jobs) => jobs,
            None => match look(context, ground, wish).await {
                Ok(jobs) => jobs,
                Err(refused) => return all_refused(context, wish, refused),
            },
        };
        if lead.scope == LeaseScope::Application {
            let records = jobs.iter().filter_map(|job| job.record.as_ref()).map(|stored| &stored.record);
            let announce = |component: &str, holder: &str| {
                let event = What::Queued { holder: holder.to_owned() };
                context.emit(&wish.application, Some(component), event);
            };
            match claimant(context, wish).await_takeovers(records, announce).await {
                Ok(Takeovers::None) => {}
                Ok(Takeovers::Ended) => match look(context, ground, wish).await {
                    Ok(again) => (jobs, is_checked) = (again, false),
                    Err(refused) => return all_refused(context, wish, refused),
                },
                Err(error) => return all_fail(context, wish, &error.into()),
            }
        }
        if !is_checked && let Err(failure) = check_ahead(context, ground, wish, &jobs).await {
            return all_fail(context, wish, &failure);
        }
        let owner = lead.publisher.begin().await;
        jobs.iter_mut().for_each(|job| job.owner.clone_from(&owner));
        let ends = drive_all(context, ground, Some(lead), &jobs).await;
        lead.publisher.end(&ends).await;
        ends
    };
    tokio::select! {
        ends = work => ends,
        holder = lead.lease.keep() => {
            let reason = format!("{} was taken over by `{holder}`", lead.lease.key());
            let failure = Failure::new(FailureKind::Superseded, reason);
            all_fail(context, wish, &failure.hint("see `rollout status`"))
        }
    }
}

async fn drive_all(context: &Context, ground: &Ground, lead: Option<&Lead<'_>>, jobs: &[Job]) -> Ends {
    // Each component tells the others how it ended.
    let ended: BTreeMap<&str, watch::Sender<Option<End>>> =
        jobs.iter().map(|job| (job.component.as_str(), watch::Sender::new(None))).collect();
    let ended = &ended;
    join_all(jobs.iter().map(|job| async move {
        let end = match await_dependencies(context, job, ended).await {
            Some(end) => end,
            None => drive_one(context, ground, lead, job).await,
        };
        ended[job.component.as_str()].send_replace(Some(end.clone()));
        (job.component.clone(), end)
    }))
    .await
}

/// Waits for what a component depends on; how it ends without having begun, if one of them is not done.
async fn await_dependencies(
    context: &Context,
    job: &Job,
    ended: &BTreeMap<&str, watch::Sender<Option<End>>>,
) -> Option<End> {
    let pending: Vec<String> = job
        .depends_on
        .iter()
        .filter(|name| ended.get(name.as_str()).is_some_and(|end| end.borrow().is_none()))
        .cloned()
        .collect();
    if !pending.is_empty() {
        context.emit(&job.application, Some(&job.component), What::DependencyAwaited { on: pending });
    }
    for name in &job.depends_on {
        let Some(sender) = ended.get(name.as_str()) else { continue };
        let mut receiver = sender.subscribe();
        let end = receiver.wait_for(Option::is_some).await.ok().and_then(|end| end.clone());
        if !matches!(end, Some(End::Succeeded { .. })) {
            let message =
                format!("`{}` was not begun: it depends on `{name}`, which is not done", job.component);
            context.emit(&job.application, Some(&job.component), What::Warned { message });
            return Some(End::Skipped { waiting_for: name.clone() });
        }
    }
    None
}

async fn drive_one(context: &Context, ground: &Ground, lead: Option<&Lead<'_>>, job: &Job) -> End {
    for message in &job.warnings {
        context.emit(&job.application, Some(&job.component), What::Warned { message: message.clone() });
    }
    // Its retries have a budget of their own.
    let context = &Context { session: context.session.apart(), ..context.clone() };
    let (end, claimed) = Drive::new(context, ground, lead, job).run().await;
    if let (Some(lead), Some(epoch)) = (lead, claimed) {
        rollback::after_failure(context, ground, lead, job, Failed { end: &end, epoch }).await;
    }
    end
}

fn all_fail(context: &Context, wish: &Wish, failure: &Failure) -> Ends {
    tell_failure(context, &wish.application, None, failure);
    wish.components.iter().map(|component| (component.name.clone(), End::Failed(failure.clone()))).collect()
}

fn tell_failure(context: &Context, application: &str, component: Option<&str>, failure: &Failure) {
    context.emit(application, component, failure.event(None));
}
