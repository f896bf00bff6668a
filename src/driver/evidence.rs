//! Why it is stuck and what to do: gathered once, at failure.

use std::collections::BTreeMap;

use crate::cluster::pods::{self, Trouble};
use crate::driver::drive::Drive;
use crate::driver::outcome::FailureKind;
use crate::plan::observed::Workload;
use crate::plan::readiness;

/// How many reasons are told, worst first.
const MOST_REASONS: usize = 3;

/// Facts about a component that did not become ready: its pods' reasons and what runs now.
pub async fn gather(drive: &Drive<'_>) -> Vec<String> {
    let job = drive.job;
    let target = &job.desired.target;
    let mut lines = Vec::new();
    let session = &drive.context.session;
    match pods::troubled(session, &job.namespace, &job.component, target).await {
        Ok(troubles) => lines.extend(worst(&troubles)),
        Err(error) => lines.push(format!("the pods could not be looked at: {error}")),
    }
    if let Ok(complaints) = pods::complaints(session, &job.namespace, target).await {
        lines.extend(complaints.into_iter().map(|complaint| format!("deployment `{target}`: {complaint}")));
    }
    let mut workloads = drive.ground.view.workloads(&job.component);
    workloads.sort_by(|a, b| a.name.cmp(&b.name));
    let sizes: Vec<String> = workloads.iter().map(size).collect();
    if !sizes.is_empty() {
        lines.push(format!("running now: {}", sizes.join(", ")));
    }
    lines
}

fn size(workload: &Workload) -> String {
    format!("`{}` {}/{} ready", workload.name, readiness::ready(workload), workload.replicas)
}

/// The most frequent reasons, each with the pods that it holds for.
fn worst(troubles: &[Trouble]) -> Vec<String> {
    let mut by_reason: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for trouble in troubles {
        by_reason.entry(&trouble.reason).or_default().push(&trouble.pod);
    }
    let mut reasons: Vec<(&str, Vec<&str>)> = by_reason.into_iter().collect();
    reasons.sort_by_key(|(_, pods)| std::cmp::Reverse(pods.len()));
    reasons.truncate(MOST_REASONS);
    reasons
        .into_iter()
        .map(|(reason, pods)| match pods.as_slice() {
            [pod] => format!("pod `{pod}`: {reason}"),
            pods => format!("{} pods, such as `{}`: {reason}", pods.len(), pods[0]),
        })
        .collect()
}

/// The commands that lead on from a failure.
pub fn ways_on(drive: &Drive<'_>, kind: FailureKind) -> Vec<String> {
    let Some(run) = drive.record.as_ref().filter(|_| drive.held.is_some()).map(|stored| &stored.record.run)
    else {
        return Vec::new();
    };
    let job = drive.job;
    let namespace = &job.namespace;
    let resume = "the run is kept: run the same command again to go on where it stopped".to_owned();
    match kind {
        FailureKind::NotReady | FailureKind::Denied => {
            let mut hints = vec![resume];
            if let Some(source) = run.spec.sources.first() {
                hints.push(format!(
                    "go back with `rollout undo {} --to-revision {source} -n {namespace}`",
                    job.component
                ));
            }
            hints
        }
        FailureKind::Interrupted | FailureKind::Cluster => vec![resume],
        FailureKind::Refused | FailureKind::Superseded | FailureKind::Internal => Vec::new(),
    }
}
