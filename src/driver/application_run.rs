//! Runs one application: acquires its Lease and drives its components concurrently, each after those that its
//! `dependsOn` names.

mod preflight;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use futures::future::join_all;
use tokio::sync::watch;

use crate::cluster::lease::Acquisition;
use crate::cluster::status_mirror::StatusMirror;
use crate::driver::acquire::{Claimant, Takeovers};
use crate::driver::component_run::{ComponentRun, Leadership, Predecessors, RunEnd};
use crate::driver::context::Context;
use crate::driver::namespace_watch::NamespaceWatch;
use crate::driver::outcome::{ComponentOutcome, Failure, FailureKind, Hold, HoldPoint};
use crate::driver::prepare::{PreparedComponent, Rejection, prepare};
use crate::driver::publish::Publisher;
use crate::driver::rejected::Rejected;
use crate::driver::request::RolloutRequest;
use crate::driver::rollback::{self, Failed};
use crate::driver::snapshot::Snapshot;
use crate::plan::run::LeaseScope;
use crate::plan::step::{Refusal, Step, plan};
use crate::report::event::EventKind;

/// The outcome of each component of an application by name, in the request's order.
pub type Outcomes = Vec<(String, ComponentOutcome)>;

/// How often a component is prepared at most: once more for each run that has claimed it in the meantime.
const MAX_PREPARATIONS: u32 = 5;

/// A request in progress.
#[derive(Clone, Copy)]
pub struct ApplicationRun<'a> {
    /// What all runs of the process share.
    pub context: &'a Context,
    /// The watches of the namespace.
    pub watch: &'a NamespaceWatch,
    /// The request.
    pub request: &'a RolloutRequest,
}

/// The state of the workflow when a component's turn comes.
struct WorkflowTurn {
    predecessors: Predecessors,
    /// The steps that this process has passed.
    passed: Rc<RefCell<BTreeSet<String>>>,
}

/// The result of acquiring the Lease.
pub struct Acquired<'a> {
    /// The Lease and what the runs under it share.
    pub leadership: Leadership<'a>,
    /// Whether it had to wait for another process.
    pub has_waited: bool,
}

impl<'a> ApplicationRun<'a> {
    /// Reads everything that the decisions need.
    pub async fn read(&self) -> Result<Snapshot<'a>, Rejected> {
        Snapshot::read(&self.context.session, &self.watch.cache, self.request)
            .await
            .map_err(|failure| Rejected::of_first(self.request, failure))
    }

    /// Resolves every component's target and plans it, so that one rejection stops all components before the first
    /// write.
    pub fn resolve(&self, snapshot: &Snapshot<'_>) -> Result<Vec<PreparedComponent>, Rejected> {
        let components = prepare(snapshot, self.request)?;
        let sum_errors: Vec<Rejection> =
            components.iter().filter_map(|prepared| self.batch_sum_rejection(prepared)).collect();
        if sum_errors.is_empty() { Ok(components) } else { Err(sum_errors.into()) }
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
        let Step::Refuse(Refusal::BatchSumError(sum_error)) = plan(&observed, &prepared.desired) else {
            return None;
        };
        Some(Rejection { component: prepared.component.clone(), failure: Failure::from(&sum_error) })
    }

    /// Acquires the Lease, after the runs that are ahead in the queue.
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

    /// A paused run writes nothing, so a request that may end its pause does not wait for the process that drives it.
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

    /// Drives all components to their outcomes, concurrently.
    pub async fn drive(
        &self,
        leadership: Option<&Leadership<'_>>,
        components: &[PreparedComponent],
    ) -> Outcomes {
        // Publishes each component's outcome to the components that depend on it.
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

    /// Waits for the components that a component depends on. If one of them did not complete, the error is the outcome
    /// of the dependent component.
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
            let cause = match end {
                Some(ComponentOutcome::Succeeded { .. }) => continue,
                Some(ComponentOutcome::Held { at }) if prepared.can_be_promoted() => {
                    let hold = match at {
                        HoldPoint::Step { step, .. } => Hold::Step(step),
                        HoldPoint::Batch(_) | HoldPoint::Gate { .. } => Hold::Component(name.clone()),
                        HoldPoint::Dependency { component } => Hold::Component(component),
                    };
                    predecessors = Predecessors::Held { hold, component: name.clone() };
                    continue;
                }
                Some(ComponentOutcome::Skipped { hold: Some(hold), .. }) if prepared.can_be_promoted() => {
                    predecessors = Predecessors::Held { hold, component: name.clone() };
                    continue;
                }
                Some(ComponentOutcome::Held { .. }) => "is held; rerun the same command when it is done",
                Some(ComponentOutcome::Skipped { .. }) => "was skipped",
                Some(ComponentOutcome::Failed(failure)) if failure.kind == FailureKind::Interrupted => {
                    "was interrupted"
                }
                Some(ComponentOutcome::Failed(failure)) if failure.kind == FailureKind::Superseded => {
                    "was taken over"
                }
                Some(ComponentOutcome::Failed(_)) => "failed",
                None => "did not complete",
            };
            let message = format!("`{}` skipped: dependency `{name}` {cause}", prepared.component);
            self.emit(component, EventKind::Warned { message });
            return Err(ComponentOutcome::Skipped { waiting_for: name.clone(), hold: None });
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
        // Each component has its own retry budget.
        let session = self.context.session.with_separate_budget();
        let session = match leadership {
            Some(Leadership { lease, .. }) => session.with_condition_of_writes(lease.validity()),
            None => session,
        };
        let context = &Context { session, ..self.context.clone() };
        let mut prepared_again: Option<PreparedComponent> = None;
        for _ in 0..MAX_PREPARATIONS {
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

    /// Shows the outcomes in the views, and releases the Lease.
    pub async fn conclude(&self, leadership: Leadership<'_>, outcomes: Result<&Outcomes, &Rejected>) {
        if let Ok(outcomes) = outcomes {
            leadership.publisher.end(outcomes).await;
        }
        leadership.lease.release().await;
    }

    /// Reports why no component is driven. Returns the failures as the components' outcomes.
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
    /// Does the work for as long as the Lease is held.
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
