//! Where the components of a namespace stand, in one list per kind.

use std::collections::{BTreeMap, BTreeSet};

use kube::api::ListParams;

use crate::cli::failure::{Failure, Kind};
use crate::cluster::error::ClusterError;
use crate::cluster::lease::{self, LeaseKey};
use crate::cluster::ownership::{ComponentOwner, LabelledWorkload};
use crate::cluster::record_store::{self, StoredRecord};
use crate::cluster::session::Session;
use crate::cluster::workload;
use crate::oam::kind::WorkloadKind;
use crate::oam::labels;
use crate::plan::observed::{Observed, Workload};
use crate::plan::record::{Outcome, Record, Run};
use crate::plan::sides::{Sides, source_names};
use crate::plan::standing::standing;
use crate::report::status::ComponentStatus;
use crate::report::text::list_literals;

/// Every component of a namespace that has a run record, by name.
///
/// # Errors
///
/// What the server answered at last.
pub async fn statuses(session: &Session, namespace: &str) -> Result<Vec<ComponentStatus>, ClusterError> {
    let records = record_store::load_records(session, namespace).await?;
    statuses_of(session, namespace, records).await
}

/// Like [`statuses`], with the process that drives each run that is under way, or a word that none does.
///
/// # Errors
///
/// What the server answered at last.
pub async fn statuses_with_drivers(
    session: &Session,
    namespace: &str,
) -> Result<Vec<ComponentStatus>, ClusterError> {
    let records = record_store::load_records(session, namespace).await?;
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
                // A user who may not see Leases learns nothing of who drives.
                Err(ClusterError::Forbidden(_)) => return Ok(items),
                Err(error) => return Err(error),
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

async fn statuses_of(
    session: &Session,
    namespace: &str,
    records: Vec<StoredRecord>,
) -> Result<Vec<ComponentStatus>, ClusterError> {
    if records.is_empty() {
        return Ok(Vec::new());
    }
    let kinds = records.iter().map(|stored| stored.record.run.spec.kind).collect();
    let mut workloads = workloads(session, namespace, &kinds).await?;
    let mut items: Vec<ComponentStatus> = records
        .into_iter()
        .map(|stored| {
            let record = &stored.record;
            let labelled = workloads.remove(&record.component).unwrap_or_default();
            let workloads = ComponentOwner::of_record(record).owned(&labelled);
            status(stored, workloads)
        })
        .collect();
    items.sort_by(|a, b| a.component.cmp(&b.component));
    Ok(items)
}

/// Every workload of a namespace that carries the label of a component and is of one of the kinds, by component.
///
/// # Errors
///
/// What the server answered at last.
pub async fn workloads(
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

/// The record of the component that a command means; its name may be left out where there is only one.
///
/// # Errors
///
/// No such component, or more than one to choose from.
pub fn pick<'a>(
    known: &'a [StoredRecord],
    name: Option<&str>,
    namespace: &str,
) -> Result<&'a Record, Failure> {
    let names: Vec<&str> = known.iter().map(|stored| stored.record.component.as_str()).collect();
    match (name.map(plain), known) {
        (Some(name), _) => {
            known.iter().map(|stored| &stored.record).find(|record| record.component == name).ok_or_else(
                || match of_application(known, name).as_slice() {
                    [] => unknown(name, &names, namespace),
                    components => Failure::message(
                        Kind::Refused,
                        format!("`{name}` is an application, and this command takes a component"),
                    )
                    .hint(format!("it has {}", list_literals(components))),
                },
            )
        }
        (None, [only]) => Ok(&only.record),
        (None, []) => Err(Failure::message(
            Kind::Refused,
            format!("nothing has been rolled out in namespace `{namespace}`"),
        )),
        (None, _) => Err(Failure::message(
            Kind::Usage,
            format!("namespace `{namespace}` has more than one component: {}", list_literals(&names)),
        )
        .hint("specify one of them")),
    }
}

/// A component's name, which may be typed as `-o name` prints it.
pub fn plain(name: &str) -> &str {
    name.strip_prefix("rollout/").unwrap_or(name)
}

/// The components of an application.
fn of_application<'a>(known: &'a [StoredRecord], application: &str) -> Vec<&'a str> {
    let records = known.iter().map(|stored| &stored.record);
    records
        .filter(|record| record.application == application)
        .map(|record| record.component.as_str())
        .collect()
}

/// A name that nothing goes by.
pub fn unknown(name: &str, names: &[&str], namespace: &str) -> Failure {
    let failure = Failure::message(
        Kind::Refused,
        format!("nothing named `{name}` has been rolled out in namespace `{namespace}`"),
    );
    match names {
        [] => failure.hint("choose another namespace with `--namespace`"),
        names => failure.hint(format!("the namespace has {}", list_literals(names))),
    }
}

/// Where a component stands.
pub fn status(stored: StoredRecord, workloads: Vec<Workload>) -> ComponentStatus {
    let StoredRecord { record, created, .. } = stored;
    let observed = Observed { workloads, record: Some(record.clone()), held: None };
    let Some(standing) = standing(&observed) else {
        return ComponentStatus::default();
    };
    let run = &record.run;
    let sides = Sides::of(&observed, run.spec.kind, &run.spec.target);
    let sources = if sides.has_sources {
        source_names(&observed, run.spec.kind, &run.spec.target, Some(run))
    } else {
        Vec::new()
    };
    ComponentStatus {
        revision: run.spec.target.clone(),
        rollout_target_size: i64::from(standing.target_size),
        upgraded_replicas: standing.upgraded,
        upgraded_ready_replicas: standing.ready,
        batch_rolling_state: standing.batch_state,
        rolling_state: standing.rolling_state,
        current_batch: standing.batch,
        batches: run.spec.batches.iter().map(|batch| batch.size).collect(),
        source_revisions: sources,
        source_replicas: standing.source,
        batch_partition: run.spec.partition,
        created,
        driver: None,
        is_whole: standing.adrift.is_none(),
        message: message(run, standing.batch).or(standing.adrift),
        component: record.component,
        application: record.application,
    }
}

fn message(run: &Run, batch: usize) -> Option<String> {
    if let Some(pause) = &run.paused {
        return Some(format!("paused by `{}`", pause.by));
    }
    match run.outcome {
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
