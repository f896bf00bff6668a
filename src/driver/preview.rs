//! Previews what a run would do, without writing anything.

use std::collections::BTreeSet;

use k8s_openapi::api::apps::v1::ControllerRevision;
use kube::api::{ApiResource, DynamicObject, ListParams, PostParams};
use serde_json::Value;

use crate::cluster::error::ClusterError;
use crate::cluster::session::Session;
use crate::cluster::workload_cache::WorkloadCache;
use crate::cluster::{keys, workload};
use crate::driver::checks::object_dry_run::{NewObjects, dry_run_objects};
use crate::driver::checks::refusal::refusal;
use crate::driver::checks::{Warning, check_cluster, objects};
use crate::driver::outcome::Failure;
use crate::driver::prepare::{PreparedComponent, Rejection, prepare};
use crate::driver::request::RolloutRequest;
use crate::driver::snapshot::Snapshot;
use crate::driver::workflow::held_components;
use crate::oam::revision::{self, StoredRevision};
use crate::plan::action::{Action, Side};
use crate::plan::observed::{Observed, Workload};
use crate::plan::preview::{PreviewStep, preview_steps};
use crate::plan::run::Run;
use crate::plan::step::Step;

/// The preview of a component's run.
#[derive(Debug, Clone)]
pub struct PlannedComponent {
    /// The component that would be driven.
    pub prepared: PreparedComponent,
    /// The observed state.
    pub observed: Observed,
    /// All steps.
    pub steps: Vec<PreviewStep>,
    /// Warnings from checks against the cluster.
    pub warnings: Vec<String>,
    /// Whether it is already held at a gate of the workflow, or waits for a component that is.
    pub is_held: bool,
}

/// Previews a request.
///
/// # Errors
/// All rejections of its components at once.
pub async fn preview_request(
    session: &Session,
    request: &RolloutRequest,
) -> Result<Vec<PlannedComponent>, Vec<Rejection>> {
    let all = |failure| vec![Rejection { component: request.components[0].name.clone(), failure }];
    let cache = look(session, request).await.map_err(all)?;
    let components = {
        // Drop the snapshot early: it is as large as what is prepared from it.
        let snapshot = Snapshot::read(session, &cache, request).await.map_err(all)?;
        prepare(&snapshot, request)?
    };
    let held: BTreeSet<String> =
        held_components(&components, &cache).into_iter().map(str::to_owned).collect();
    let planned = components.into_iter().map(|prepared| {
        let is_held = held.contains(&prepared.component);
        PlannedComponent { is_held, ..PlannedComponent::of(prepared, &cache) }
    });
    let mut planned: Vec<PlannedComponent> = planned.collect();
    let warnings = check_cluster(session, &request.namespace, &planned).await.map_err(all)?;
    for Warning { component, message } in warnings {
        // A warning about all components is reported once, with the first.
        let is_about = |one: &&mut PlannedComponent| {
            component.as_ref().is_none_or(|name| *name == one.prepared.component)
        };
        if let Some(planned) = planned.iter_mut().find(is_about)
            && session.warnings().is_first(&message)
        {
            planned.warnings.push(message);
        }
    }
    Ok(planned)
}

/// Validates everything that a preview would create with a server-side dry run.
///
/// # Errors
/// The server's rejection.
pub async fn dry_run_on_server(
    session: &Session,
    planned: &PlannedComponent,
    created: &NewObjects,
) -> Result<(), Failure> {
    let prepared = &planned.prepared;
    dry_run_objects(session, prepared, &planned.observed, created).await?;
    if prepared.objects.is_some() {
        return Ok(());
    }
    let refused = |error| refusal(error, None);
    if let Some(new) = &prepared.new_revision {
        let object = new.object();
        check_size(&new.name, &object)?;
        let resource = ApiResource::erase::<ControllerRevision>(&());
        try_create(session, &prepared.namespace, &resource, &object).await.map_err(refused)?;
    }
    let creates = planned.steps.iter().any(|step| step.step == Step::Act(Action::Create));
    let body = revision::render_revision(&prepared.target, prepared.desired.target_size, 0);
    if let Some(body) = body.filter(|_| creates) {
        let resource = workload::workload_resource(prepared.desired.kind);
        try_create(session, &prepared.namespace, &resource, &body).await.map_err(refused)?;
    }
    Ok(())
}

/// The default size limit of requests to etcd, which a dry run does not reach.
const MAX_BYTES: usize = 3 * 512 * 1024;

fn check_size(name: &str, object: &Value) -> Result<(), Failure> {
    let bytes = object.to_string().len();
    if bytes <= MAX_BYTES {
        return Ok(());
    }
    let reason =
        format!("revision `{name}` is too large: it has {bytes} bytes, and etcd accepts at most {MAX_BYTES}");
    Err(Failure::refused(reason).hint("keep large values in ConfigMaps, which components can reference"))
}

async fn try_create(
    session: &Session,
    namespace: &str,
    resource: &ApiResource,
    body: &Value,
) -> Result<(), ClusterError> {
    let api = session.dynamic(namespace, resource);
    let object: DynamicObject =
        serde_json::from_value(body.clone()).map_err(|error| ClusterError::Invalid(error.to_string()))?;
    let params = PostParams { dry_run: true, field_manager: Some(keys::FIELD_MANAGER.into()) };
    session.read(|| api.create(&params, &object)).await.map(|_| ())
}

async fn look(session: &Session, request: &RolloutRequest) -> Result<WorkloadCache, Failure> {
    let kinds = request.kinds();
    let cache = WorkloadCache::of(kinds.iter().copied()).of_components(request.component_names());
    for kind in kinds {
        let names = request.components.iter().filter(|component| component.kind() == kind);
        let names: Vec<String> = names.map(|component| component.name.clone()).collect();
        let params = ListParams::default().labels_from(&workload::component_selector(&names));
        objects::check_served(session, &request.namespace, kind).await?;
        let api = session.dynamic(&request.namespace, &workload::workload_resource(kind));
        let mark = cache.mark();
        let list = session.read(|| api.list(&params)).await?;
        cache.replace(kind, &list.items, mark, None);
    }
    Ok(cache)
}

impl PlannedComponent {
    /// Previews the run of a component from the known state.
    #[must_use]
    pub fn of(prepared: PreparedComponent, cache: &WorkloadCache) -> Self {
        let observed = prepared.observed(cache);
        let mut steps = match prepared.objects {
            None => preview_steps(&observed, &prepared.desired),
            Some(_) => Vec::new(),
        };
        if prepared.is_at_end
            && let Some(first) = steps.first_mut()
        {
            first.step = prepared.next_step(&observed);
            if first.step.is_rest() {
                steps.truncate(1);
            }
        }
        Self { prepared, observed, steps, warnings: Vec::new(), is_held: false }
    }

    /// Whether anything would be written. Every write to a workload is preceded by a claim.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        if self.is_held {
            return false;
        }
        if let Some(is_at_rest) = self.prepared.are_objects_at_rest() {
            return !is_at_rest;
        }
        let is_claim = |step: &PreviewStep| matches!(step.step, Step::Claim { .. });
        self.prepared.has_prerequisites() || self.steps.iter().any(is_claim)
    }

    /// Whether the run creates pods of the target.
    #[must_use]
    pub fn makes_pods(&self) -> bool {
        self.steps.iter().any(|step| match &step.step {
            Step::Act(Action::Scale { scaling, .. }) => {
                scaling.side == Side::Target && scaling.to > scaling.from
            }
            Step::Act(Action::Roll { .. }) => true,
            Step::Nothing
            | Step::Claim { .. }
            | Step::Stamp { .. }
            | Step::Act(
                Action::Create
                | Action::Wait { .. }
                | Action::Hold { .. }
                | Action::Delete { .. }
                | Action::Finish,
            )
            | Step::Superseded { .. }
            | Step::ExternalChange { .. }
            | Step::Refuse(_) => false,
        })
    }

    /// The largest sum of replicas that the component has at any time.
    #[must_use]
    pub fn peak(&self) -> u32 {
        let now: u32 = self.observed.workloads.iter().map(|workload| workload.replicas).sum();
        self.steps.iter().map(|step| step.target.saturating_add(step.sources)).fold(now, u32::max)
    }

    /// The component's present size, without the surplus pods of an unfinished run.
    fn size(&self) -> u32 {
        let present = self.observed.workloads.iter().map(|workload| workload.replicas).sum();
        let run = self.observed.record.as_ref().map(|record| &record.run);
        match run.filter(|run| run.outcome.is_resumable()) {
            Some(Run { spec, .. }) => spec.size_before().max(spec.target_size).min(present),
            None => present,
        }
    }

    /// The rendered workloads before and after the run: that of the newest source (or the live target), and that of the
    /// target, each with the component's size at that time.
    #[must_use]
    pub fn workloads(&self) -> (Option<Value>, Option<Value>) {
        let live = self.observed.workloads.iter();
        let names: BTreeSet<&str> = live.filter_map(Workload::revision).collect();
        let size = self.size();
        let render = |stored: &StoredRevision, size: u32| revision::render_revision(stored, size, 0);
        let target = &self.prepared.target;
        let newest_source = self
            .prepared
            .stored
            .iter()
            .filter(|one| one.name != target.name && names.contains(one.name.as_str()))
            .max_by_key(|one| one.revision);
        let before = match newest_source {
            Some(source) => render(source, size),
            None => names.get(target.name.as_str()).and_then(|_| render(target, size)),
        };
        (before, render(target, self.prepared.desired.target_size))
    }
}
