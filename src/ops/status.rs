//! Reads the status of the components of a namespace, from one list per kind.

pub(in crate::ops) mod objects;

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
use kube::api::ListParams;

use crate::cluster::error::ClusterError;
use crate::cluster::lease::{self, LeaseKey};
use crate::cluster::ownership::{ComponentOwner, LabelledWorkload};
use crate::cluster::record_store::{self, StoredRecord, UnusableRecord};
use crate::cluster::session::Session;
use crate::cluster::workload;
use crate::driver::context::Context;
use crate::driver::live_objects::LiveObjects;
use crate::driver::outcome::Failure;
use crate::oam::kind::WorkloadKind;
use crate::oam::labels;
use crate::oam::workflow::{GateCondition, StepGate};
use crate::ops::component::{
    is_done, list_records_of, open_place, stuck_predecessor, unknown_name, without_prefix,
};
use crate::ops::status::objects::{applied_objects, status_of_objects};
use crate::plan::observed::{Observed, Workload};
use crate::plan::phrase;
use crate::plan::record::Record;
use crate::plan::replica_split::{ReplicaSplit, source_names};
use crate::plan::run::{Outcome, Run, WorkflowPlace};
use crate::plan::run_status::run_status;
use crate::report::status::ComponentStatus;
use crate::report::text::list_literals;

/// The status of every component of a namespace that has a run record, sorted by name, with the process that drives
/// each running run, or a message that none does.
///
/// # Errors
///
/// The server's last error, or that of a record that cannot be read.
pub async fn statuses(context: &Context, namespace: &str) -> Result<Vec<ComponentStatus>, Failure> {
    let session = &context.session;
    let records = record_store::load_records(session, namespace).await?;
    items_with_drivers(session, namespace, records).await
}

/// The status of the components of a namespace, or of all namespaces.
#[derive(Debug, Clone, Default)]
pub struct NamespaceStatus {
    /// The components whose records can be read, sorted by name.
    pub items: Vec<ComponentStatus>,
    /// The records that cannot be read.
    pub unusable: Vec<UnusableRecord>,
}

impl NamespaceStatus {
    /// A failure for each unreadable record that the name selects.
    pub fn failures(&self, name: Option<&str>) -> impl Iterator<Item = Failure> {
        let name = name.map(without_prefix);
        let selected = self.unusable.iter().filter(move |record| record.is_selected(name));
        selected.map(|record| record.error.clone().into())
    }
}

/// Like [`statuses`], with the records that cannot be read. If no record has the name, of a component or an
/// application, also with those that are missing.
///
/// # Errors
///
/// The server's last error.
pub async fn statuses_with_drivers(
    context: &Context,
    namespace: &str,
    name: Option<&str>,
) -> Result<NamespaceStatus, Failure> {
    let listed = list_records_of(&context.session, namespace, name).await?;
    let items = items_with_drivers(&context.session, namespace, listed.records).await?;
    Ok(NamespaceStatus { items, unusable: listed.unusable })
}

async fn items_with_drivers(
    session: &Session,
    namespace: &str,
    records: Vec<StoredRecord>,
) -> Result<Vec<ComponentStatus>, Failure> {
    let mut keys = BTreeMap::new();
    for StoredRecord { record, .. } in &records {
        if record.run.outcome == Outcome::Running {
            keys.insert(record.component.clone(), LeaseKey::of_run(record));
        }
    }
    let mut items = statuses_of(session, namespace, records).await?;
    let mut holders: BTreeMap<String, Option<String>> = BTreeMap::new();
    for item in &mut items {
        let Some(key) = keys.get(&item.component) else { continue };
        let holder = match holders.get(&key.name()) {
            Some(holder) => holder.clone(),
            None => match lease::lease_holder(session, namespace, key).await {
                Ok(holder) => holder.map(|(identity, _)| identity),
                // Without the right to read Leases, there are no such messages.
                Err(ClusterError::Forbidden(_)) => return Ok(items),
                Err(error) => return Err(error.into()),
            },
        };
        holders.insert(key.name(), holder.clone());
        let component = &item.component;
        item.message = Some(match &holder {
            Some(identity) => format!("`{identity}` drives the run"),
            None => format!("no process drives the run; resume it with `rollout resume {component}`"),
        });
        item.driver = holder;
    }
    Ok(items)
}

/// Like [`statuses_with_drivers`], for all namespaces of the cluster, sorted by namespace and name.
///
/// # Errors
///
/// The server's last error.
pub async fn statuses_in_all_namespaces(context: &Context) -> Result<NamespaceStatus, Failure> {
    let namespaces = record_store::namespaces_with_records(&context.session).await?;
    let read = namespaces.iter().map(|namespace| statuses_with_drivers(context, namespace, None));
    let mut all = NamespaceStatus::default();
    for (namespace, status) in namespaces.iter().zip(try_join_all(read).await?) {
        let named = |item| ComponentStatus { namespace: Some(namespace.clone()), ..item };
        all.items.extend(status.items.into_iter().map(named));
        all.unusable.extend(status.unusable);
    }
    Ok(all)
}

async fn statuses_of(
    session: &Session,
    namespace: &str,
    records: Vec<StoredRecord>,
) -> Result<Vec<ComponentStatus>, ClusterError> {
    if records.is_empty() {
        return Ok(Vec::new());
    }
    let kinds = records.iter().map(|stored| stored.record.run.spec.kind).collect();
    let objects = LiveObjects::read(session, namespace, &applied_objects(&records)).await?;
    let messages = explained_by_others(records.iter());
    let mut workloads = list_workloads(session, namespace, &kinds).await?;
    let mut items: Vec<ComponentStatus> = records
        .into_iter()
        .map(|stored| {
            if let Some(status) = status_of_objects(&stored, |one| objects.get(one).cloned()) {
                return status;
            }
            let record = &stored.record;
            let labelled = workloads.remove(&record.component).unwrap_or_default();
            let workloads = ComponentOwner::of_record(record).owned(&labelled);
            component_status(stored, workloads)
        })
        .collect();
    explain(&mut items, &messages);
    items.sort_by(|a, b| a.component.cmp(&b.component));
    Ok(items)
}

/// The workloads of these kinds in a namespace that have the label of a component, by component.
///
/// # Errors
///
/// The server's last error.
pub(super) async fn list_workloads(
    session: &Session,
    namespace: &str,
    kinds: &BTreeSet<WorkloadKind>,
) -> Result<BTreeMap<String, Vec<LabelledWorkload>>, ClusterError> {
    let params = ListParams::default().labels(labels::COMPONENT);
    let mut workloads: BTreeMap<String, Vec<LabelledWorkload>> = BTreeMap::new();
    for kind in kinds {
        let api = session.dynamic(namespace, &workload::workload_resource(*kind));
        let list = session.read(|| api.list(&params)).await?;
        for object in &list.items {
            if let Some(component) = workload::component_label(object) {
                workloads.entry(component).or_default().push(LabelledWorkload::of(*kind, object));
            }
        }
    }
    Ok(workloads)
}

/// The components that a name selects: the one of that name, or those of the application. Without a name, all of them.
///
/// # Errors
/// [`FailureKind::Refused`](crate::ops::FailureKind::Refused) if the name is unknown.
pub fn select(
    items: Vec<ComponentStatus>,
    name: Option<&str>,
    namespace: &str,
) -> Result<Vec<ComponentStatus>, Failure> {
    let Some(name) = name.map(without_prefix) else { return Ok(items) };
    let is_component = items.iter().any(|item| item.component == name);
    let is_selected = |item: &&ComponentStatus| match is_component {
        true => item.component == name,
        false => item.application == name,
    };
    let selected: Vec<ComponentStatus> = items.iter().filter(is_selected).cloned().collect();
    if selected.is_empty() {
        let names: Vec<&str> = items.iter().map(|item| item.component.as_str()).collect();
        return Err(unknown_name(name, &names, namespace));
    }
    Ok(selected)
}

/// The status of a component.
#[must_use]
pub fn component_status(stored: StoredRecord, workloads: Vec<Workload>) -> ComponentStatus {
    let StoredRecord { record, created, .. } = stored;
    let observed = Observed { workloads, record: Some(record.clone()), claimed_epoch: None };
    let Some(status) = run_status(&observed) else {
        return ComponentStatus::default();
    };
    let run = &record.run;
    let sides = ReplicaSplit::of(&observed, run.spec.kind, &run.spec.target);
    let sources = if sides.has_sources {
        source_names(&observed, run.spec.kind, &run.spec.target, Some(run))
    } else {
        Vec::new()
    };
    let message = match (message(run, status.batch, &record.application), &status.drift) {
        (Some(message), Some(drift)) => Some(format!("{message}; {drift}")),
        (message, drift) => message.or_else(|| drift.clone()),
    };
    ComponentStatus {
        cluster: None,
        namespace: None,
        revision: run.spec.target.clone(),
        rollout_target_size: i64::from(status.target_size),
        upgraded_replicas: status.upgraded,
        upgraded_ready_replicas: status.ready,
        batch_rolling_state: status.batch_state,
        rolling_state: status.rolling_state,
        current_batch: status.batch,
        batches: run.spec.batches.iter().map(|batch| batch.size).collect(),
        source_revisions: sources,
        source_replicas: status.source,
        batch_partition: run.spec.partition,
        created,
        driver: None,
        metrics: run.gates.results.clone(),
        is_whole: status.drift.is_none(),
        is_held_in_workflow: run.is_held_in_workflow(),
        message,
        component: record.component,
        application: record.application,
    }
}

/// Messages for the components that have not started and that wait for others, or that no promotion continues, by name.
pub(super) fn explained_by_others<'a>(
    records: impl Iterator<Item = &'a StoredRecord>,
) -> BTreeMap<String, String> {
    let records: Vec<&Record> = records.map(|stored| &stored.record).collect();
    let find = |name: &str| records.iter().copied().find(|record| record.component == name);
    let explained = records.iter().filter(|record| record.run.paused.is_none()).filter_map(|record| {
        let place = open_place(record).filter(|place| place.is_waiting)?;
        let message = match (place.held_at(), stuck_predecessor(record, find)) {
            (Some(gate), Some(before)) => {
                let held = phrase::held_at_step(&gate.step, None);
                format!("{held}, before which component `{before}` has to be done: apply the manifest again")
            }
            (None, Some(before)) => {
                format!("waits for `{before}`, which no promotion continues: apply the manifest again")
            }
            (None, None) if record.run.outcome == Outcome::Held => {
                let is_open = |name: &&String| !find(name).is_some_and(|before| is_done(before, record));
                let open: Vec<&String> = place.depends_on.iter().filter(is_open).collect();
                if open.is_empty() {
                    return None;
                }
                waits_for(&open, &record.application)
            }
            (_, None) => return None,
        };
        Some((record.component.clone(), message))
    });
    explained.collect()
}

/// Sets the messages of [`explained_by_others`].
pub(super) fn explain(items: &mut [ComponentStatus], messages: &BTreeMap<String, String>) {
    for item in items {
        if let Some(message) = messages.get(&item.component) {
            item.message = Some(message.clone());
        }
    }
}

fn waits_for<S: AsRef<str>>(components: &[S], application: &str) -> String {
    format!("waits for {}; continue with `rollout promote {application}`", list_literals(components))
}

/// Describes what a run that is held before it starts waits for.
fn waiting_message(place: &WorkflowPlace, application: &str) -> String {
    match place.held_at() {
        Some(StepGate { step, condition: GateCondition::Promotion { message, after_seconds } }) => {
            let held = phrase::held_at_step(step, message.as_deref());
            match after_seconds {
                None => format!("{held}; continue with `rollout promote {application}`"),
                Some(_) => held,
            }
        }
        Some(StepGate { step, .. }) => phrase::held_at_step(step, None),
        None => format!(
            "waits for {}; continue with `rollout promote {application}`",
            list_literals(&place.depends_on)
        ),
    }
}

fn message(run: &Run, batch: usize, application: &str) -> Option<String> {
    if let Some(pause) = &run.paused {
        return Some(format!("paused by `{}`", pause.by));
    }
    if let Some(place) =
        run.workflow.as_ref().filter(|place| place.is_waiting && run.outcome == Outcome::Held)
    {
        return Some(waiting_message(place, application));
    }
    match run.outcome {
        Outcome::Held if run.gates.held_at.is_some() => {
            let reason = run.message.as_deref().unwrap_or("at a gate between its batches");
            Some(format!("held: {reason}"))
        }
        Outcome::Held => {
            Some(format!("held after batch {} of {} as requested", batch + 1, run.spec.batches.len()))
        }
        Outcome::Running
        | Outcome::Paused
        | Outcome::Succeeded
        | Outcome::Failed
        | Outcome::Interrupted
        | Outcome::Superseded => run.message.clone(),
    }
}
