//! One application: its Lease, its components side by side, those with `dependsOn` after what they name.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use futures::future::join_all;
use tokio::sync::watch;

use crate::cluster::access_review::AccessReview;
use crate::cluster::lease::Acquisition;
use crate::cluster::permissions::{self, Right, RightPurpose};
use crate::cluster::record_store::{self, StoredRecord};
use crate::cluster::service::Change;
use crate::cluster::status_mirror::StatusMirror;
use crate::driver::acquire::{Claimant, Takeovers};
use crate::driver::checks::local_gates::refuse_untrusted_gates;
use crate::driver::checks::object_dry_run::{NewNamespaces, dry_run_objects};
use crate::driver::checks::queries::check_queries;
use crate::driver::checks::{Warning, check_cluster};
use crate::driver::component_run::{ComponentRun, Leadership, Predecessors, RunEnd};
use crate::driver::context::Context;
use crate::driver::namespace_watch::NamespaceWatch;
use crate::driver::other_application::missing_reads;
use crate::driver::outcome::{ComponentOutcome, Failure, FailureKind, HoldPoint};
use crate::driver::prepare::{PreparedComponent, Rejection, prepare};
use crate::driver::prepared_objects::PreparedObjects;
use crate::driver::preview::PlannedComponent;
use crate::driver::publish::Publisher;
use crate::driver::rejected::Rejected;
use crate::driver::request::RolloutRequest;
use crate::driver::rollback::{self, Failed};
use crate::driver::snapshot::Snapshot;
use crate::driver::workflow::held_components;
use crate::plan::run::LeaseScope;
use crate::plan::step::{Refusal, Step, plan};
use crate::report::event::EventKind;

/// The outcome of each component of an application by name, in the request's order.
pub type Outcomes = Vec<(String, ComponentOutcome)>;

/// How often a component is prepared at most: again for each run that has claimed it in the meantime.
const MOST_PREPARATIONS: u32 = 5;

/// A request under way.
#[derive(Clone, Copy)]
pub struct ApplicationRun<'a> {
    /// What all runs of the process share.
    pub context: &'a Context,
    /// The namespace as it is watched.
    pub watch: &'a NamespaceWatch,
    /// The request.
    pub request: &'a RolloutRequest,
}

/// Where a component stands in the workflow when its turn comes.
struct WorkflowTurn {
    predecessors: Predecessors,
    /// The steps that this process has passed.
    passed: Rc<RefCell<BTreeSet<String>>>,
}

/// The Lease that was taken.
pub struct Acquired<'a> {
    /// What is held.
    pub leadership: Leadership<'a>,
    /// Whether another process was waited for.
    pub has_waited: bool,
}

impl<'a> ApplicationRun<'a> {
    /// Reads what a decision needs.
    pub async fn read(&self) -> Result<Snapshot<'a>, Rejected> {
        Snapshot::read(&self.context.session, &self.watch.cache, self.request)
            .await
            .map_err(|failure| Rejected::of_first(self.request, failure))
    }

    /// Resolves every component's target and asks the planner about it, so that the rejection of one stops all before
    /// the first write.
    pub fn resolve(&self, snapshot: &Snapshot<'_>) -> Result<Vec<PreparedComponent>, Rejected> {
        let components = prepare(snapshot, self.request)?;
        let misfits: Vec<Rejection> =
            components.iter().filter_map(|prepared| self.batch_sum_rejection(prepared)).collect();
        if misfits.is_empty() { Ok(components) } else { Err(misfits.into()) }
    }

    /// Reads and resolves.
    pub async fn read_and_resolve(&self) -> Result<Vec<PreparedComponent>, Rejected> {
        self.resolve(&self.read().await?)
    }

    fn batch_sum_rejection(&self, prepared: &PreparedComponent) -> Option<Rejection> {
        if prepared.objects.is_some() {
            return None;
        }
        let observed = prepared.observed(&self.watch.cache);
        let Step::Refuse(Refusal::BatchSumError(misfit)) = plan(&observed, &prepared.desired) else {
            return None;
        };
        Some(Rejection { component: prepared.component.clone(), failure: Failure::from(&misfit) })
    }

    /// Whether a request that is rejected may be accepted later: another run has claimed a component since the snapshot
    /// was taken, or drives it. A paused run may stay paused for ever, so it is not waited for.
    pub async fn may_be_accepted_later(&self, snapshot: Option<&Snapshot<'_>>) -> bool {
        let Self { context, request, .. } = self;
        let names = request.component_names();
        let found = record_store::find_records(&context.session, &request.namespace, &names).await;
        let records = found.into_iter().flatten().filter_map(|(name, record)| Some((name, record.ok()?)));
        let records: BTreeMap<String, StoredRecord> = records.collect();
        let is_news = |(name, stored): (&String, &StoredRecord)| {
            let seen = snapshot.and_then(|snapshot| snapshot.record(name).ok());
            seen.is_some_and(|seen| seen.is_none_or(|seen| seen.record.epoch < stored.record.epoch))
        };
        if records.iter().any(is_news) {
            return true;
        }
        for component in request.components.iter().filter(|component| component.intent.waits_for_a_run()) {
            let record = records.get(&component.name).map(|stored| &stored.record);
            let is_open = record.is_some_and(|record| record.run.paused.is_none());
            if is_open && self.claimant().is_driven().await.unwrap_or(false) {
                return true;
            }
        }
        false
    }

    /// Whether nothing would be written.
    pub fn is_at_rest(&self, components: &[PreparedComponent]) -> bool {
        let held = held_components(components, &self.watch.cache);
        components.iter().all(|prepared| {
            if held.contains(prepared.component.as_str()) {
                return true;
            }
            if let Some(is_at_rest) = prepared.are_objects_at_rest() {
                return is_at_rest && prepared.objects.as_ref().is_some_and(PreparedObjects::were_ready);
            }
            !prepared.has_prerequisites()
                && plan(&prepared.observed(&self.watch.cache), &prepared.desired).is_rest()
        })
    }

    /// Whether a run of one of the components would be resumed.
    pub fn resumes(&self, components: &[PreparedComponent]) -> bool {
        components.iter().filter(|prepared| prepared.objects.is_none()).any(|prepared| {
            let step = plan(&prepared.observed(&self.watch.cache), &prepared.desired);
            matches!(step, Step::Claim { resumes: true, .. })
        })
    }

    /// Makes sure of every permission that the run needs, so that it does not end half-way for want of one.
    pub async fn check_rights(&self, components: &[PreparedComponent]) -> Result<AccessReview<'a>, Rejected> {
        let (request, kinds) = (self.request, self.request.kinds());
        let is_touched = components.iter().any(|prepared| prepared.component_services.touches_services());
        let has_smoke_tests =
            components.iter().any(|prepared| prepared.desired.gates.all_smoke_tests().next().is_some());
        let exposes = is_touched.then_some(RightPurpose::Services);
        let besides = exposes.into_iter().chain(has_smoke_tests.then_some(RightPurpose::SmokeTests));
        let access = AccessReview::load(&self.context.session, &request.namespace).await?;
        let removes = components
            .iter()
            .flat_map(|prepared| &prepared.service_changes)
            .any(|change| matches!(change, Change::Remove(_)));
        let removal = removes.then_some(Right { verb: "delete", group: "", resource: "services" });
        let mut rights: Vec<Right<'_>> =
            permissions::rights_of_run(request.operation(), &kinds, besides).chain(removal).collect();
        for right in components.iter().flat_map(PreparedComponent::rights_on_objects) {
            if !rights.contains(&right) {
                rights.push(right);
            }
        }
        let missing = match access.missing_permissions(rights.into_iter()).await? {
            None => missing_reads(&self.context.session, &request.namespace, components).await?,
            Some(missing) => Some(missing),
        };
        if let Some(reason) = missing {
            let hint = "ask for the Role that `rollout rbac` prints, or use another `--context` or `--user`";
            return Err(Failure::refused(reason).hint(hint).into());
        }
        Ok(access)
    }

    /// Makes sure of every permission that the run needs, and that nothing that can be known beforehand stops it.
    /// Returns the views that the run may update.
    pub async fn check(&self, components: &[PreparedComponent]) -> Result<StatusMirror, Rejected> {
        refuse_untrusted_gates(self.context, components)?;
        let session = &self.context.session;
        let (access, mirror) = tokio::join!(self.check_rights(components), StatusMirror::discover(session));
        let access = access?;
        self.check_cluster(components).await?;
        let created = NewNamespaces::of(components);
        let judged = components.iter().map(|prepared| async {
            let observed = prepared.observed(&self.watch.cache);
            let judged = dry_run_objects(session, prepared, &observed, &created).await;
            judged.map_err(|failure| Rejection { component: prepared.component.clone(), failure })
        });
        let parsed = components.iter().map(|prepared| async {
            let parsed = check_queries(self.context, prepared).await;
            parsed.map_err(|failure| Rejection { component: prepared.component.clone(), failure })
        });
        let (judged, parsed) = tokio::join!(join_all(judged), join_all(parsed));
        let refused = judged.into_iter().filter_map(Result::err);
        let refused: Vec<Rejection> = refused.chain(parsed.into_iter().filter_map(Result::err)).collect();
        if !refused.is_empty() {
            return Err(refused.into());
        }
        let Some(lack) = access.missing_permissions(mirror.rights()).await? else { return Ok(mirror) };
        let message = format!(
            "the views for kubectl are not updated: {lack}; `rollout rbac --with-views` prints the permissions"
        );
        self.warn_once(Warning { component: None, message });
        Ok(StatusMirror::disabled(session))
    }

    /// Asks the cluster what would stop the runs, and reports what may.
    async fn check_cluster(&self, components: &[PreparedComponent]) -> Result<(), Failure> {
        let planned: Vec<PlannedComponent> = components
            .iter()
            .map(|prepared| PlannedComponent::of(prepared.clone(), &self.watch.cache))
            .collect();
        let warnings = check_cluster(&self.context.session, &self.request.namespace, &planned).await?;
        warnings.into_iter().for_each(|warning| self.warn_once(warning));
        Ok(())
    }

    fn warn_once(&self, Warning { component, message }: Warning) {
        if self.context.session.warnings().is_first(&message) {
            self.emit(component.as_deref(), EventKind::Warned { message });
        }
    }

    /// Takes the Lease, after the runs before in line.
    pub async fn acquire(
        &self,
        components: &[PreparedComponent],
        mirror: StatusMirror,
    ) -> Result<Acquired<'a>, Failure> {
        let has_waited = Cell::new(false);
        let announce = |holder: &str| {
            has_waited.set(true);
            self.emit(None, EventKind::Queued { holder: holder.to_owned() });
        };
        let claimant = self.claimant();
        let (lease, scope) = tokio::select! {
            biased;
            acquired = claimant.acquire(self.acquisition(components), announce) => acquired?,
            () = self.context.control.stopped() => {
                let reason = "interrupted before anything was changed";
                return Err(Failure::new(FailureKind::Interrupted, reason));
            }
        };
        let publisher = Publisher::new(self.context, self.request, mirror);
        Ok(Acquired { leadership: Leadership { lease, scope, publisher }, has_waited: has_waited.get() })
    }

    /// A paused run has stopped already: a request that may end its pause does not wait for the process that drives it.
    fn acquisition(&self, components: &[PreparedComponent]) -> Acquisition {
        let is_paused = |prepared: &PreparedComponent| {
            prepared.record.as_ref().is_some_and(|stored| stored.record.run.paused.is_some())
        };
        if components.iter().any(is_paused) { Acquisition::TakeOver } else { self.request.turn }
    }

    fn claimant(&self) -> Claimant<'a> {
        Claimant {
            session: &self.context.session,
            namespace: &self.request.namespace,
            application: &self.request.application,
            component: self.request.single_component(),
            identity: &self.context.identity,
            lock_timeout: self.context.limits.lock,
        }
    }

    /// Confirms under the Lease what was decided before it: reads and resolves again if another process was waited for,
    /// and waits for the runs that have taken single components over.
    pub async fn confirm(
        &self,
        leadership: &Leadership<'_>,
        components: Option<Vec<PreparedComponent>>,
    ) -> Result<Vec<PreparedComponent>, Rejected> {
        let mut is_checked = components.is_some();
        let mut components = match components {
            Some(components) => components,
            None => self.read_and_resolve().await?,
        };
        if leadership.scope == LeaseScope::Application {
            let records = components.iter().filter_map(|prepared| prepared.record.as_ref());
            let announce = |component: &str, holder: &str| {
                self.emit(Some(component), EventKind::Queued { holder: holder.to_owned() });
            };
            let records = records.map(|stored| &stored.record);
            let takeovers =
                self.claimant().await_takeovers(records, announce).await.map_err(Failure::from)?;
            if takeovers == Takeovers::Ended {
                (components, is_checked) = (self.read_and_resolve().await?, false);
            }
        }
        if !is_checked {
            self.check_cluster(&components).await?;
        }
        let owner = leadership.publisher.begin().await;
        components.iter_mut().for_each(|prepared| prepared.owner.clone_from(&owner));
        Ok(components)
    }

    /// Drives every component to its outcome, side by side.
    pub async fn drive(
        &self,
        leadership: Option<&Leadership<'_>>,
        components: &[PreparedComponent],
    ) -> Outcomes {
        // Each component learns from this how those that it depends on ended.
        let ended: BTreeMap<&str, watch::Sender<Option<ComponentOutcome>>> = components
            .iter()
            .map(|prepared| (prepared.component.as_str(), watch::Sender::new(None)))
            .collect();
        let ended = &ended;
        let passed = components.iter().filter_map(|prepared| prepared.workflow.as_ref());
        let passed: BTreeSet<String> = passed.flat_map(|place| &place.passed).cloned().collect();
        let passed = &Rc::new(RefCell::new(passed));
        join_all(components.iter().map(|prepared| async move {
            let end = match self.await_dependencies(prepared, ended).await {
                Err(end) => end,
                Ok(predecessors) => {
                    let turn = WorkflowTurn { predecessors, passed: Rc::clone(passed) };
                    self.drive_component(leadership, prepared, turn).await
                }
            };
            ended[prepared.component.as_str()].send_replace(Some(end.clone()));
            (prepared.component.clone(), end)
        }))
        .await
    }

    /// Waits for what a component depends on. Its outcome is the error if one of them did not complete.
    async fn await_dependencies(
        &self,
        prepared: &PreparedComponent,
        ended: &BTreeMap<&str, watch::Sender<Option<ComponentOutcome>>>,
    ) -> Result<Predecessors, ComponentOutcome> {
        let component = Some(prepared.component.as_str());
        let pending: Vec<String> = prepared
            .depends_on
            .iter()
            .filter(|name| ended.get(name.as_str()).is_some_and(|end| end.borrow().is_none()))
            .cloned()
            .collect();
        if !pending.is_empty() {
            self.emit(component, EventKind::DependencyAwaited { on: pending });
        }
        let mut predecessors = Predecessors::Done;
        for name in &prepared.depends_on {
            let Some(sender) = ended.get(name.as_str()) else { continue };
            let mut receiver = sender.subscribe();
            let end = receiver.wait_for(Option::is_some).await.ok().and_then(|end| end.clone());
            match end {
                Some(ComponentOutcome::Succeeded { .. }) => continue,
                Some(
                    ComponentOutcome::Held { at: HoldPoint::Step { step, .. } }
                    | ComponentOutcome::Skipped { held_at: Some(step), .. },
                ) if prepared.workflow.is_some() => {
                    predecessors = Predecessors::HeldAt { step, component: name.clone() };
                    continue;
                }
                Some(
                    ComponentOutcome::Held { .. }
                    | ComponentOutcome::Skipped { .. }
                    | ComponentOutcome::Failed(_),
                )
                | None => {}
            }
            let message = format!("`{}` skipped: dependency `{name}` did not complete", prepared.component);
            self.emit(component, EventKind::Warned { message });
            return Err(ComponentOutcome::Skipped { waiting_for: name.clone(), held_at: None });
        }
        Ok(predecessors)
    }

    async fn drive_component(
        &self,
        leadership: Option<&Leadership<'_>>,
        prepared: &PreparedComponent,
        WorkflowTurn { predecessors, passed }: WorkflowTurn,
    ) -> ComponentOutcome {
        for message in &prepared.warnings {
            self.emit(Some(&prepared.component), EventKind::Warned { message: message.clone() });
        }
        // Its retries have a budget of their own.
        let session = self.context.session.with_separate_budget();
        let session = match leadership {
            Some(Leadership { lease, .. }) => session.with_condition_of_writes(lease.validity()),
            None => session,
        };
        let context = &Context { session, ..self.context.clone() };
        let mut prepared_again: Option<PreparedComponent> = None;
        for _ in 0..MOST_PREPARATIONS {
            let prepared = prepared_again.as_ref().unwrap_or(prepared);
            let run = ComponentRun::new(context, self.watch, leadership, prepared);
            match run.in_workflow(predecessors.clone(), Rc::clone(&passed)).run().await {
                RunEnd::Ended(end, claimed) => {
                    if let (Some(leadership), Some(epoch)) = (leadership, claimed) {
                        let failed = Failed { end: &end, epoch };
                        rollback::after_failure(context, self.watch, leadership, prepared, failed).await;
                    }
                    return end;
                }
                RunEnd::Outdated => match self.prepare_again(prepared).await {
                    Ok(again) => prepared_again = Some(again),
                    Err(failure) => return self.rejected(&prepared.component, failure),
                },
            }
        }
        let reason = format!("component `{}` was modified concurrently", prepared.component);
        let failure = Failure::new(FailureKind::Superseded, reason).hint("rerun the same command");
        self.rejected(&prepared.component, failure)
    }

    /// Reads and resolves a component that another run has claimed since it was prepared.
    async fn prepare_again(&self, outdated: &PreparedComponent) -> Result<PreparedComponent, Failure> {
        let components = match self.read_and_resolve().await {
            Ok(components) => components,
            Err(rejected) => return Err(rejected.into_failure_of(&outdated.component)),
        };
        let is_it = |prepared: &PreparedComponent| prepared.component == outdated.component;
        let Some(mut prepared) = components.into_iter().find(is_it) else {
            let reason = format!("component `{}` was not prepared", outdated.component);
            return Err(Failure::new(FailureKind::Internal, reason));
        };
        prepared.owner.clone_from(&outdated.owner);
        self.check_cluster(std::slice::from_ref(&prepared)).await?;
        let is_news = |message: &&String| !outdated.warnings.contains(message);
        for message in prepared.warnings.iter().filter(is_news) {
            self.emit(Some(&prepared.component), EventKind::Warned { message: message.clone() });
        }
        Ok(prepared)
    }

    /// Reports why a component is not driven.
    fn rejected(&self, component: &str, failure: Failure) -> ComponentOutcome {
        self.emit(Some(component), failure.event(None));
        ComponentOutcome::Failed(failure)
    }

    /// Shows the outcomes in the views, and gives the Lease back.
    pub async fn conclude(&self, leadership: Leadership<'_>, outcomes: Result<&Outcomes, &Rejected>) {
        if let Ok(outcomes) = outcomes {
            leadership.publisher.end(outcomes).await;
        }
        leadership.lease.release().await;
    }

    /// Reports why nothing is driven. Returns that as the components' outcomes.
    pub fn report(&self, rejected: Rejected) -> Outcomes {
        match rejected {
            Rejected::Components(rejections) => rejections
                .into_iter()
                .map(|Rejection { component, failure }| {
                    let outcome = self.rejected(&component, failure);
                    (component, outcome)
                })
                .collect(),
            Rejected::Application(failure) => {
                self.emit(None, failure.event(None));
                let components = self.request.components.iter();
                components
                    .map(|component| (component.name.clone(), ComponentOutcome::Failed(failure.clone())))
                    .collect()
            }
        }
    }

    fn emit(&self, component: Option<&str>, what: EventKind) {
        self.context.emit(&self.request.application, component, what);
    }
}

impl Leadership<'_> {
    /// Does work for as long as the Lease is held.
    pub async fn while_held<T>(
        &self,
        work: impl Future<Output = Result<T, Rejected>>,
    ) -> Result<T, Rejected> {
        tokio::select! {
            biased;
            done = work => done,
            holder = self.lease.keep() => Err(Failure::taken_over(self.lease.key(), &holder).into()),
        }
    }
}
