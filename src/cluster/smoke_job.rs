//! Creates the Jobs of smoke tests, reads how they ended, and deletes them.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, PostParams, Preconditions};
use kube::core::{Expression, Selector};
use serde_json::{Value, json};

use crate::cluster::error::ClusterError;
use crate::cluster::keys;
use crate::cluster::pods::diagnosis::PodProblem;
use crate::cluster::pods::{is_pod_ready, list_pods, tail_log};
use crate::cluster::record_store::{StoredRecord, record_name};
use crate::cluster::session::Session;
use crate::cluster::workload_writer::create_params;
use crate::oam::labels;

/// The label that the Job controller gives the pods of a Job.
const JOB_NAME: &str = "batch.kubernetes.io/job-name";

/// The Job of a smoke test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmokeJob {
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: JobState,
    uid: Option<String>,
    resource_version: Option<String>,
}

/// The state of a Job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobState {
    /// It has not ended.
    Running,
    /// It has succeeded.
    Succeeded,
    /// It has failed, for this reason.
    Failed(String),
    /// It does not belong to the component.
    Foreign,
}

/// The owner of a smoke test's Job.
#[derive(Debug, Clone, Copy)]
pub struct SmokeJobOwner<'a> {
    /// The application.
    pub application: &'a str,
    /// The component.
    pub component: &'a str,
    /// The component's run record, if there is one; the Job is deleted with it.
    pub record: Option<&'a StoredRecord>,
}

/// The body of a smoke test's Job. Its pods only have the labels of the spec: those of the component would add them to
/// its Services.
#[must_use]
pub fn smoke_job_body(name: &str, owner: SmokeJobOwner<'_>, spec: &Value) -> Value {
    let SmokeJobOwner { application, component, record } = owner;
    let owner = record.map(|record| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "name": record_name(component), "uid": record.uid()})
    });
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "labels": {labels::NAME: application, keys::SMOKE_TEST: component},
            "ownerReferences": owner.into_iter().collect::<Vec<Value>>(),
        },
        "spec": spec,
    })
}

/// Validates a Job with a server-side dry run.
///
/// # Errors
/// See [`Session::read`].
pub async fn dry_run_smoke_job(session: &Session, namespace: &str, job: &Value) -> Result<(), ClusterError> {
    let job = parse(job)?;
    let api = session.api::<Job>(namespace);
    let params = PostParams { dry_run: true, ..create_params() };
    match session.read(|| api.create(&params, &job)).await {
        Ok(_) | Err(ClusterError::AlreadyExists(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Creates a Job.
///
/// # Errors
/// See [`Session::request_once`].
pub async fn create_smoke_job(session: &Session, namespace: &str, job: &Value) -> Result<(), ClusterError> {
    let job = parse(job)?;
    session.request_once(session.api::<Job>(namespace).create(&create_params(), &job)).await.map(drop)
}

fn parse(job: &Value) -> Result<Job, ClusterError> {
    serde_json::from_value(job.clone()).map_err(|error| {
        ClusterError::Invalid(format!("the spec of the smoke test is not that of a Job: {error}"))
    })
}

/// A component's Job of that name; `None` if there is none.
///
/// # Errors
/// See [`Session::read`].
pub async fn find_smoke_job(
    session: &Session,
    namespace: &str,
    component: &str,
    name: &str,
) -> Result<Option<SmokeJob>, ClusterError> {
    let api = session.api::<Job>(namespace);
    let found = session.read(|| api.get_opt(name)).await?;
    Ok(found.map(|job| SmokeJob::of(&job, component)))
}

impl SmokeJob {
    fn of(job: &Job, component: &str) -> Self {
        let is_own = job.labels().get(keys::SMOKE_TEST).is_some_and(|of| of == component);
        Self {
            name: job.name_any(),
            state: if is_own { state(job) } else { JobState::Foreign },
            uid: job.uid(),
            resource_version: job.resource_version(),
        }
    }
}

/// The state of a Job from its `batch/v1` conditions: one that has ended is `Complete` or `Failed`.
fn state(job: &Job) -> JobState {
    let conditions = job.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let mut held = conditions.filter(|condition| condition.status == "True");
    let ended = held.find(|condition| matches!(condition.type_.as_str(), "Complete" | "Failed"));
    match ended {
        None => JobState::Running,
        Some(condition) if condition.type_ == "Complete" => JobState::Succeeded,
        Some(condition) => {
            let text = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
            let parts = [text(&condition.reason), text(&condition.message)];
            let parts: Vec<String> = parts.into_iter().flatten().collect();
            JobState::Failed(parts.join(": "))
        }
    }
}

/// Deletes a Job with its pods, unless it has changed since it was read. A Job that is already gone is not an error.
///
/// # Errors
/// See [`Session::request_once`].
pub async fn delete_smoke_job(
    session: &Session,
    namespace: &str,
    job: &SmokeJob,
) -> Result<(), ClusterError> {
    let params = DeleteParams {
        preconditions: Some(Preconditions {
            uid: job.uid.clone(),
            resource_version: job.resource_version.clone(),
        }),
        ..DeleteParams::background()
    };
    match session.request_once(session.api::<Job>(namespace).delete(&job.name, &params)).await {
        Ok(_) | Err(ClusterError::NotFound(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// All Jobs of a component's smoke tests.
///
/// # Errors
/// See [`Session::read`].
pub async fn list_smoke_jobs(
    session: &Session,
    namespace: &str,
    component: &str,
) -> Result<Vec<SmokeJob>, ClusterError> {
    let api = session.api::<Job>(namespace);
    let params = ListParams::default().labels_from(&equals(keys::SMOKE_TEST, component));
    let list = session.read(|| api.list(&params)).await?;
    Ok(list.items.iter().map(|job| SmokeJob::of(job, component)).collect())
}

fn equals(label: &str, value: &str) -> Selector {
    Expression::Equal(label.to_owned(), value.to_owned()).into()
}

/// Why a Job does not succeed, from its pods, with the last lines of a log. Best effort: empty if the pods cannot be
/// read.
pub async fn explain_smoke_job(session: &Session, namespace: &str, name: &str, lines: u32) -> Vec<String> {
    let Ok(pods) = list_pods(session, namespace, &equals(JOB_NAME, name)).await else { return Vec::new() };
    let newest = pods.iter().max_by_key(|pod| (pod.metadata.creation_timestamp.clone(), pod.name_any()));
    let Some(problem) = newest.map(PodProblem::of) else { return Vec::new() };
    let printed = tail_log(session, namespace, &problem, lines).await;
    let first = format!("pod `{}`: {}", problem.pod, problem.reason);
    let log = printed.iter().map(|line| format!("log of pod `{}`: {line}", problem.pod));
    std::iter::once(first).chain(log).collect()
}

/// The addresses of a revision's ready pods, in order; empty if the pods cannot be read.
pub async fn revision_addresses(
    session: &Session,
    namespace: &str,
    component: &str,
    revision: &str,
) -> Vec<String> {
    let labels = [(labels::COMPONENT, component), (labels::REVISION, revision)];
    let selector = Selector::from_iter(labels.map(|(label, value)| (label.to_owned(), value.to_owned())));
    let pods = list_pods(session, namespace, &selector).await.unwrap_or_default();
    let is_ready = |pod: &&Pod| pod.metadata.deletion_timestamp.is_none() && is_pod_ready(pod);
    let ready = pods.iter().filter(is_ready);
    let mut addresses: Vec<String> = ready.filter_map(|pod| pod.status.as_ref()?.pod_ip.clone()).collect();
    addresses.sort();
    addresses
}
