//! Inspects a workload that does not progress, and its pods, for the evidence of a failure.

pub mod baseline;
pub mod diagnosis;
pub mod owner;

use std::collections::BTreeSet;
use std::time::Duration;

use diagnosis::{ContainerLog, Instance, PodProblem, with_message};
use k8s_openapi::api::core::v1::{Event, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::ResourceExt;
use kube::api::{DynamicObject, ListParams, LogParams};
use kube::core::Selector;
use serde_json::Value;

use crate::cluster::error::ClusterError;
use crate::cluster::session::Session;
use crate::oam::kind::WorkloadKind;

use baseline::{Age, Baseline, Complaint};
use owner::{PodOwner, PodOwnerKind};

/// How many pods are requested at a time.
const PAGE: u32 = 500;
/// The maximum number of events about one workload that are read.
const MAX_EVENTS: u32 = 500;

/// How many lines of a log are printed by default: enough for the end of a stack trace, and few enough for any
/// terminal.
pub const LOG_LINES: u32 = 8;
/// How many bytes are requested per line, and how many characters of each are printed.
const LINE_BYTES: i64 = 512;
const LOG_WIDTH: usize = 200;
/// The time limit for a log: a node that does not answer must not delay the report.
const LOG_WITHIN: Duration = Duration::from_secs(3);

/// The result of inspecting a workload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// The workload's resource version, read before its pods.
    pub resource_version: String,
    /// The number of its ready pods; for an in-place workload, only those of the newest revision.
    pub ready: u32,
    /// The names of all its pods.
    pub pods: BTreeSet<String>,
    /// Complaints of its controller, such as a quota that allows no more pods.
    pub complaints: Vec<Complaint>,
    /// Its pods that are not ready, by reason and name; for an in-place workload, only those of the newest revision.
    pub problems: Vec<PodProblem>,
    /// Pods of earlier revisions that are not ready, for which a StatefulSet waits before it replaces any.
    pub blockers: Vec<String>,
}

impl Findings {
    /// Why waiting is unlikely to help, for `--fail-fast`; `None` if there is no such sign.
    #[must_use]
    pub fn permanent_problem(&self) -> Option<String> {
        let mut permanent = self.problems.iter().filter(|problem| problem.is_permanent());
        // The evidence has the details.
        let of_a_pod = || permanent.next().map(|problem| problem.phase.clone());
        self.complaints.first().map(|complaint| complaint.text.clone()).or_else(of_a_pod)
    }
}

/// Inspects a workload and the pods that it selects. Leaves out complaints of its controller that are part of the
/// baseline.
///
/// # Errors
/// See [`Session::request_untracked`].
pub async fn inspect_workload(
    session: &Session,
    owner: PodOwner<'_>,
    baseline: &Baseline,
) -> Result<Findings, ClusterError> {
    let PodOwner { namespace, kind, name } = owner;
    let workload = session.request_untracked(session.dynamic(namespace, &kind.resource()).get(name)).await?;
    let pods = match selector(&workload) {
        Some(selector) => list_pods(session, namespace, &selector).await?,
        None => Vec::new(),
    };
    let newest = workload.data.pointer("/status/updateRevision").and_then(Value::as_str).unwrap_or_default();
    let stays = |pod: &&Pod| {
        belongs_to(pod, kind, name) && pod.metadata.deletion_timestamp.is_none() && !has_succeeded(pod)
    };
    let has_revisions = match kind {
        PodOwnerKind::Workload(kind) => kind.is_in_place(),
        // The status of a DaemonSet names no revision.
        PodOwnerKind::DaemonSet | PodOwnerKind::Job => false,
    };
    let is_newest = |pod: &&Pod| !has_revisions || is_of(pod, newest);
    let (newest, mut earlier): (Vec<&Pod>, Vec<&Pod>) = pods.iter().filter(stays).partition(is_newest);
    let (ready, unready): (Vec<&Pod>, Vec<&Pod>) = newest.into_iter().partition(|pod| is_pod_ready(pod));
    earlier.retain(|pod| !is_pod_ready(pod));
    let mut problems: Vec<PodProblem> = unready.into_iter().map(PodProblem::of).collect();
    problems.sort_by(|a, b| (&a.reason, &a.pod).cmp(&(&b.reason, &b.pod)));
    let is_stateful_set = kind == PodOwnerKind::Workload(WorkloadKind::StatefulSet);
    let is_ordered = is_stateful_set
        && workload.data.pointer("/spec/podManagementPolicy").is_none_or(|policy| policy != "Parallel");
    let blockers = if is_ordered { earlier.iter().map(|pod| pod.name_any()).collect() } else { Vec::new() };
    let mut complaints = baseline.complaints(&workload);
    if workload.data.pointer("/spec/paused") == Some(&Value::Bool(true)) {
        let text =
            format!("it is paused: resume it with `kubectl rollout resume deployment/{name} -n {namespace}`");
        complaints.insert(0, Complaint { text, age: Age::New });
    }
    if is_stateful_set && pods.iter().filter(stays).count() < wanted(&workload) {
        complaints.extend(last_warning(session, owner, baseline).await);
    }
    Ok(Findings {
        resource_version: workload.resource_version().unwrap_or_default(),
        ready: u32::try_from(ready.len()).unwrap_or(u32::MAX),
        pods: pods.iter().filter(|pod| belongs_to(pod, kind, name)).map(ResourceExt::name_any).collect(),
        complaints,
        problems,
        blockers,
    })
}

/// The pods that a selector selects, read page by page.
///
/// # Errors
/// See [`Session::request_untracked`].
pub async fn list_pods(
    session: &Session,
    namespace: &str,
    selector: &Selector,
) -> Result<Vec<Pod>, ClusterError> {
    let api = session.api::<Pod>(namespace);
    let first = ListParams::default().labels_from(selector).limit(PAGE);
    let mut params = first.clone();
    let mut pods = Vec::new();
    loop {
        let page = session.request_untracked(api.list(&params)).await?;
        pods.extend(page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = first.clone().continue_token(&token),
            None => return Ok(pods),
        }
    }
}

/// The last lines, at most `lines`, that the faulty container printed. Best effort: none if the log cannot be read.
pub async fn tail_log(session: &Session, namespace: &str, problem: &PodProblem, lines: u32) -> Vec<String> {
    let Some(ContainerLog { container, instance }) = problem.log.as_ref().filter(|_| lines > 0) else {
        return Vec::new();
    };
    let params = LogParams {
        container: Some(container.clone()),
        previous: *instance == Instance::Previous,
        tail_lines: Some(lines.into()),
        limit_bytes: Some(i64::from(lines) * LINE_BYTES),
        ..LogParams::default()
    };
    let api = session.api::<Pod>(namespace);
    let text =
        session.clock().within(LOG_WITHIN, session.request_untracked(api.logs(&problem.pod, &params))).await;
    let Some(Ok(text)) = text else {
        return Vec::new();
    };
    let short = |line: &str| line.chars().take(LOG_WIDTH).collect::<String>();
    let printed = text.lines().map(str::trim_end).filter(|line| !line.is_empty());
    printed.take(usize::try_from(lines).unwrap_or(usize::MAX)).map(short).collect()
}

fn wanted(workload: &DynamicObject) -> usize {
    let replicas = workload.data.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1);
    usize::try_from(replicas).unwrap_or(usize::MAX)
}

/// Why pods cannot be created, which a StatefulSet's controller reports only in events. Best effort: `None` if the
/// events cannot be read.
async fn last_warning(session: &Session, owner: PodOwner<'_>, baseline: &Baseline) -> Option<Complaint> {
    let mut events = list_warning_events(session, owner).await;
    events.retain(|event| baseline.is_new(event));
    let time = |event: &Event| {
        let last = event.last_timestamp.as_ref().map(|time| time.0);
        last.or(event.metadata.creation_timestamp.as_ref().map(|time| time.0))
    };
    let last = events.iter().max_by_key(|event| time(event))?;
    let text = with_message(last.reason.as_deref().unwrap_or("warning"), last.message.as_deref());
    Some(Complaint { text, age: Age::New })
}

/// The warnings about a workload itself; none if they cannot be read.
pub async fn list_warning_events(session: &Session, owner: PodOwner<'_>) -> Vec<Event> {
    let PodOwner { namespace, kind, name } = owner;
    let api = session.api::<Event>(namespace);
    let about = format!("involvedObject.kind={},involvedObject.name={name},type=Warning", kind.as_str());
    let params = ListParams::default().fields(&about).limit(MAX_EVENTS);
    session.request_untracked(api.list(&params)).await.map(|list| list.items).unwrap_or_default()
}

/// Whether a pod belongs to a workload. A Deployment's pods are owned by its ReplicaSets, `<deployment>-<hash>`; those
/// of other kinds by the workload itself.
fn belongs_to(pod: &Pod, kind: PodOwnerKind, workload: &str) -> bool {
    pod.owner_references().iter().filter(|owner| owner.controller == Some(true)).any(|owner| match kind {
        PodOwnerKind::Workload(WorkloadKind::Deployment) => {
            owner.name.rsplit_once('-').is_some_and(|(deployment, _)| deployment == workload)
        }
        PodOwnerKind::Workload(WorkloadKind::CloneSet | WorkloadKind::StatefulSet)
        | PodOwnerKind::DaemonSet
        | PodOwnerKind::Job => owner.kind == kind.as_str() && owner.name == workload,
    })
}

/// The selector of a workload's pods; `None` if it has none.
fn selector(workload: &DynamicObject) -> Option<Selector> {
    let selector: LabelSelector =
        serde_json::from_value(workload.data.pointer("/spec/selector")?.clone()).ok()?;
    selector.try_into().ok().filter(|selector: &Selector| !selector.selects_all())
}

/// Whether a pod has completed, as those of a Job do.
fn has_succeeded(pod: &Pod) -> bool {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Succeeded")
}

/// Whether an in-place workload's pod is of a revision. Kruise may write only the hash, without the name.
fn is_of(pod: &Pod, revision: &str) -> bool {
    let hash = |name: &str| name.rsplit('-').next().unwrap_or_default().to_owned();
    pod.labels().get("controller-revision-hash").is_some_and(|label| hash(label) == hash(revision))
}

/// Whether a pod is ready, according to its condition.
#[must_use]
pub fn is_pod_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}
