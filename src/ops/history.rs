//! Lists the revisions and runs of a component, and the content of revisions.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::cluster::ownership::ComponentOwner;
use crate::cluster::{record_store, revision_store};
use crate::driver::context::Context;
use crate::driver::outcome::Failure;
use crate::oam::kind::WorkloadKind;
use crate::oam::revision::{self, StoredRevision};
use crate::ops::component::ComponentSelector;
use crate::ops::status::list_workloads;
use crate::plan::action::Shape;
use crate::plan::observed::Workload;
use crate::plan::readiness;
use crate::plan::record::Record;
use crate::report::diff;
use crate::report::history::{History, PastRun, Revision};

/// A revision's workload at the size that the component has.
#[derive(Debug, Clone)]
pub struct RevisionBody {
    /// The revision's full name.
    pub name: String,
    /// The kind of the workload.
    pub kind: WorkloadKind,
    /// The workload; for a revision that is applied as a whole, a list of its objects.
    pub workload: Value,
    /// Its single objects, without the workload of a revision that is rolled out in batches.
    pub objects: Vec<Value>,
    /// Whether it is applied as a whole.
    pub is_whole: bool,
}

impl RevisionBody {
    /// The difference from this revision to another.
    #[must_use]
    pub fn difference(&self, to: &Self) -> String {
        if !self.is_whole && !to.is_whole {
            let workloads = diff::diff_workloads(self.kind, Some(&self.workload), Some(&to.workload));
            return workloads + &diff::diff_object_lists(&self.objects, &to.objects);
        }
        diff::diff_object_lists(&self.all_objects(), &to.all_objects())
    }

    fn all_objects(&self) -> Vec<Value> {
        let workload = (!self.is_whole).then(|| self.workload.clone());
        workload.into_iter().chain(self.objects.iter().cloned()).collect()
    }
}

/// The history of a component.
///
/// # Errors
/// As [`ComponentSelector::load_record`].
pub async fn history(context: &Context, component: &ComponentSelector) -> Result<History, Failure> {
    let (record, stored) = load_revisions(context, component).await?;
    let kinds = BTreeSet::from([record.run.spec.kind]);
    let mut workloads = list_workloads(&context.session, &component.namespace, &kinds).await?;
    let labelled = workloads.remove(&record.component).unwrap_or_default();
    let live = ComponentOwner::of_record(&record).owned(&labelled);
    Ok(History {
        cluster: None,
        component: record.component.clone(),
        application: record.application.clone(),
        revisions: stored.iter().map(|revision| entry(revision, &stored, &live)).collect(),
        runs: std::iter::once(&record.run).chain(&record.past).map(PastRun::of).collect(),
    })
}

/// The workloads of revisions, each given by its full name, the part after the component's name, or its number.
///
/// # Errors
/// As [`ComponentSelector::load_record`]. [`FailureKind::Refused`](crate::ops::FailureKind::Refused): no such revision,
/// or one without a workload.
pub async fn revision_bodies<const COUNT: usize>(
    context: &Context,
    component: &ComponentSelector,
    references: [&str; COUNT],
) -> Result<[RevisionBody; COUNT], Failure> {
    let (record, stored) = load_revisions(context, component).await?;
    let mut bodies = Vec::new();
    for reference in references {
        bodies.push(body(reference, &record, &stored)?);
    }
    Ok(bodies.try_into().expect("there is a body for each reference"))
}

/// The names of the components and applications of a namespace.
///
/// # Errors
/// The server's last error.
pub async fn component_names(context: &Context, namespace: &str) -> Result<Vec<(String, String)>, Failure> {
    let records = record_store::load_records(&context.session, namespace).await?;
    Ok(records.into_iter().map(|stored| (stored.record.component, stored.record.application)).collect())
}

/// The names of a component's revisions, each with the part after the component's name if it has that prefix.
///
/// # Errors
/// As [`ComponentSelector::load_record`].
pub async fn revision_names(
    context: &Context,
    component: &ComponentSelector,
) -> Result<Vec<(String, Option<String>)>, Failure> {
    let (record, stored) = load_revisions(context, component).await?;
    let short = |name: &str| revision::short(name, &record.component).map(str::to_owned);
    Ok(stored.into_iter().map(|revision| (revision.name.clone(), short(&revision.name))).collect())
}

async fn load_revisions(
    context: &Context,
    component: &ComponentSelector,
) -> Result<(Record, Vec<StoredRevision>), Failure> {
    let record = component.load_record(context).await?;
    let names = [record.component.clone()];
    let stored = revision_store::list_revisions(&context.session, &component.namespace, &names).await?;
    Ok((record, stored))
}

fn body(reference: &str, record: &Record, stored: &[StoredRevision]) -> Result<RevisionBody, Failure> {
    let found = revision::resolve_revision(reference, &record.component, stored).map_err(|unknown| {
        let failure = Failure::refused(unknown.to_string());
        match unknown.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    })?;
    if let Some(objects) = found.objects() {
        let items: Vec<&Value> = objects.iter().collect();
        let workload =
            json!({"apiVersion": "v1", "kind": "List", "metadata": {"name": found.name}, "items": items});
        let (name, kind) = (found.name.clone(), record.run.spec.kind);
        return Ok(RevisionBody { name, kind, workload, objects: objects.to_vec(), is_whole: true });
    }
    let workload = revision::render_revision(found, record.run.spec.target_size, 0).ok_or_else(|| {
        Failure::refused(format!("revision `{}` contains no workload that can be rolled out", found.name))
    })?;
    let (name, kind) = (found.name.clone(), record.run.spec.kind);
    let noted = record.outputs.get(&name).cloned();
    let objects = noted.unwrap_or_else(|| found.outputs().to_vec());
    Ok(RevisionBody { name, kind, workload, objects, is_whole: false })
}

fn entry(revision: &StoredRevision, stored: &[StoredRevision], live: &[Workload]) -> Revision {
    let image = revision
        .workload()
        .and_then(|workload| workload.pointer("/spec/template/spec/containers/0/image"))
        .and_then(Value::as_str);
    let workload = live.iter().find(|workload| workload.revision() == Some(&revision.name));
    Revision {
        revision: revision.revision,
        number: revision::own_number(revision, stored),
        name: revision.name.clone(),
        image: image.unwrap_or_default().to_owned(),
        replicas: workload.map_or(0, |workload| Shape::of(workload).updated()),
        ready_replicas: workload.map_or(0, readiness::ready_replicas),
        created: revision.created.as_deref().and_then(|created| created.parse().ok()),
    }
}
