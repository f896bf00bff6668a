//! Diagnostics of a failed run: why it is stuck and what to do next.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cluster::error::ClusterError;
use crate::cluster::events;
use crate::cluster::pods::diagnosis::PodProblem;
use crate::cluster::pods::owner::PodOwner;
use crate::cluster::pods::{self, Findings};
use crate::driver::component_run::ComponentRun;
use crate::driver::context::OnFailure;
use crate::driver::outcome::FailureKind;
use crate::driver::prepare::PreparedComponent;
use crate::driver::prepared_objects::PreparedObject;
use crate::oam::kind::WorkloadKind;
use crate::oam::labels;
use crate::plan::action::Shape;
use crate::plan::observed::Workload;
use crate::plan::run::Purpose;
use crate::plan::{readiness, rollback};
use crate::report::message::RESUME_HINT;

/// The maximum number of reasons that are reported, worst first.
const MAX_REASONS: usize = 3;

/// The time limit for all requests of one check: a server that does not respond must not delay the report.
pub const WITHIN: Duration = Duration::from_secs(10);

/// Part of the API server's rejection of an object that exceeds a quota.
const OVER_QUOTA: &str = "exceeded quota";

/// Facts about a component that did not become ready: why its pods are not ready, and what runs now.
pub async fn collect_diagnostics(drive: &ComponentRun<'_>) -> Vec<String> {
    let prepared = drive.prepared;
    let kind = prepared.desired.kind;
    let mut lines: Vec<String> = drive.wanted().into_iter().collect();
    if drive.context.session.clock().within(WITHIN, ask(drive, &mut lines)).await.is_none() {
        let seconds = WITHIN.as_secs();
        lines.push(format!("incomplete: the API server did not answer every request within {seconds}s"));
    }
    let mut workloads = drive.workloads_seen();
    workloads.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(pace) = workloads.first().and_then(|workload| kruise_rate_note(kind, workload)) {
        lines.push(pace);
    }
    let sizes: Vec<String> = workloads.iter().map(size).collect();
    if !sizes.is_empty() {
        lines.push(format!("running now: {}", sizes.join(", ")));
    }
    lines
}

/// Sends the requests, most important first; keeps the lines so far when time runs out.
async fn ask(drive: &ComponentRun<'_>, lines: &mut Vec<String>) {
    let Some(owner) = drive.pod_owner() else { return };
    let session = &drive.context.session;
    let baseline = drive.diagnosis.baseline.clone().unwrap_or_default();
    let findings = match pods::inspect_workload(session, owner, &baseline).await {
        Ok(findings) => findings,
        // The run already reports that it waits for an object that does not exist.
        Err(ClusterError::NotFound(_)) => return,
        Err(error) => {
            lines.push(format!("the pods could not be listed: {error}"));
            return;
        }
    };
    lines.extend(causes(owner, &findings));
    let with_log = by_reason(&findings.problems).concat().into_iter().find(|problem| problem.log.is_some());
    if let Some(problem) = with_log {
        let printed = pods::tail_log(session, owner.namespace, problem, drive.context.limits.logs).await;
        lines.extend(printed.iter().map(|line| format!("log of pod `{}`: {line}", problem.pod)));
    }
    lines.extend(events::list_workload_warnings(session, owner, &findings.pods, &baseline).await);
}

/// Describes why pods do not become ready, from the findings of a check.
pub fn causes(owner: PodOwner<'_>, findings: &Findings) -> Vec<String> {
    let PodOwner { namespace, kind, name } = owner;
    let noun = kind.noun();
    let Findings { complaints, problems, blockers, .. } = findings;
    let mut lines = worst(problems);
    lines.extend(complaints.iter().map(|complaint| format!("{noun} `{name}`: {}", complaint.text)));
    lines.extend(blockers.iter().map(|pod| {
        format!(
            "pod `{pod}` of an earlier revision is not ready, which keeps the statefulset from replacing any \
             pod: delete it with `kubectl delete pod {pod} -n {namespace}`"
        )
    }));
    lines
}

/// Explains why a CloneSet is slow: Kruise's default is easily overlooked.
fn kruise_rate_note(kind: WorkloadKind, workload: &Workload) -> Option<String> {
    let in_place = workload.in_place.as_ref().filter(|_| kind == WorkloadKind::CloneSet)?;
    let moved = Shape::of(workload).updated();
    let is_slow = in_place.strategy.get("maxUnavailable").is_none() && workload.updated_replicas < moved;
    is_slow.then(|| {
        format!(
            "cloneset `{}` has updated {} of {moved} pods; without `maxUnavailable`, Kruise allows 20 % of its \
             pods to be unavailable at a time, including broken ones",
            workload.name, workload.updated_replicas
        )
    })
}

fn size(workload: &Workload) -> String {
    let Workload { name, replicas, ready_replicas: ready, .. } = workload;
    let of_target = readiness::ready_replicas(workload);
    match workload.template() {
        Some(revision) => format!("`{name}` {ready}/{replicas} ready, {of_target} of `{revision}`"),
        // While the template is being replaced, all serving pods may be of the previous revision.
        None if readiness::is_fresh(workload) && *ready > of_target => {
            format!("`{name}` {ready}/{replicas} ready, {of_target} of the new template")
        }
        None => format!("`{name}` {of_target}/{replicas} ready"),
    }
}

/// The pods that are not ready, grouped by reason, the most frequent reason first.
fn by_reason(problems: &[PodProblem]) -> Vec<Vec<&PodProblem>> {
    let mut by_reason: BTreeMap<&str, Vec<&PodProblem>> = BTreeMap::new();
    for problem in problems {
        by_reason.entry(&problem.common).or_default().push(problem);
    }
    let mut groups: Vec<Vec<&PodProblem>> = by_reason.into_values().collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
    groups
}

/// Describes the most frequent reasons, each with the pod that has restarted most often.
fn worst(problems: &[PodProblem]) -> Vec<String> {
    let line = |group: Vec<&PodProblem>| {
        let worst = group.iter().min_by_key(|problem| std::cmp::Reverse(problem.restarts))?;
        let PodProblem { pod, reason, .. } = worst;
        Some(match group.len() {
            1 => format!("pod `{pod}`: {reason}"),
            count => format!("{count} pods, such as `{pod}`: {reason}"),
        })
    };
    by_reason(problems).into_iter().take(MAX_REASONS).filter_map(line).collect()
}

/// The commands that may help after a failure.
pub fn next_steps(drive: &ComponentRun<'_>, kind: FailureKind) -> Vec<String> {
    let Some(record) = drive.recorded().filter(|_| drive.has_claimed()) else { return Vec::new() };
    let prepared = drive.prepared;
    let resume = RESUME_HINT.to_owned();
    match kind {
        FailureKind::NotReady | FailureKind::GateFailed | FailureKind::Denied
            if drive.context.limits.on_failure == OnFailure::Undo
                && record.run.purpose == Purpose::Forward
                && record.run.paused.is_none()
                && !rollback::is_first_release(record, &prepared.stored) =>
        {
            vec!["rolling back now (`--on-failure undo`)".to_owned()]
        }
        FailureKind::NotReady | FailureKind::GateFailed | FailureKind::Denied => {
            let mut hints = vec![resume];
            if let Some(rollback) = rollback::rollback_target(record, &prepared.stored, None) {
                let PreparedComponent { component, .. } = prepared;
                let name = &rollback.revision.name;
                hints.push(format!("roll back with `rollout undo {component} --to-revision {name}`"));
            }
            if kind != FailureKind::GateFailed {
                let describe = describe_command(&drive.diagnosis.lines, &pods_to_describe(drive));
                hints.push(format!("see `{describe}`"));
            }
            hints
        }
        FailureKind::Interrupted | FailureKind::Cluster => vec![resume],
        FailureKind::Invalid
        | FailureKind::Refused
        | FailureKind::Superseded
        | FailureKind::ExternalChange
        | FailureKind::Internal => Vec::new(),
    }
}

/// The command that shows more about a diagnosis. Pods that exceed a quota are never created, so the quota is
/// described.
fn describe_command(diagnosis: &[String], described: &str) -> String {
    if diagnosis.iter().any(|line| line.contains(OVER_QUOTA)) {
        return "kubectl describe quota".to_owned();
    }
    format!("kubectl describe {described}")
}

/// What to describe, as arguments of kubectl: the component's pods by their label or, without the label, their owner.
fn pods_to_describe(drive: &ComponentRun<'_>) -> String {
    let PreparedComponent { component, objects, .. } = drive.prepared;
    let awaited = objects.as_ref().and_then(|objects| {
        let awaited = drive.diagnosis.awaited.as_ref()?;
        objects.objects.iter().find(|object| object.reference == *awaited)
    });
    let label = |object: &PreparedObject| {
        let labels = object.body.pointer("/spec/template/metadata/labels")?;
        labels.get(labels::COMPONENT).cloned()
    };
    match awaited {
        Some(object) if label(object).is_none() => object.reference.kubectl_arguments(),
        _ => format!("pods -l {}={component}", labels::COMPONENT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suggested_command_describes_the_obstacle() {
        let quota = "deployment `web-v2`: FailedCreate: pods \"x\" is forbidden: exceeded quota: few";
        let cases = [
            (&[quota][..], "kubectl describe quota"),
            (&["pod `x`: CrashLoopBackOff"], "kubectl describe pods"),
            (&[], "kubectl describe pods"),
        ];
        for (reported, command) in cases {
            let reported: Vec<String> = reported.iter().map(ToString::to_string).collect();
            assert_eq!(describe_command(&reported, "pods"), command);
        }
    }

    fn problem(pod: &str, restarts: i32, common: &str) -> PodProblem {
        PodProblem {
            pod: pod.to_owned(),
            restarts,
            phase: String::new(),
            reason: format!("{common} ({restarts} times)"),
            common: common.to_owned(),
            log: None,
        }
    }

    #[test]
    fn pods_are_grouped_by_reason_regardless_of_their_restarts() {
        let problems = [
            problem("a", 7, "unscheduled"),
            problem("b", 1, "crash"),
            problem("c", 3, "crash"),
            problem("d", 3, "crash"),
        ];
        let reported = ["3 pods, such as `c`: crash (3 times)", "pod `a`: unscheduled (7 times)"];
        assert_eq!(worst(&problems), reported);
    }
}
