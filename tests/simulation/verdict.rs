//! Violations in the results of a script.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use rollout::driver::outcome::{ComponentOutcome, Failure as CommandFailure, FailureKind};
use rollout::sandbox::Change;
use serde_json::Value;

use crate::play::{Played, check_requests};
use crate::script::Command;
use crate::support::fault::Request;
use crate::support::manifest::Component;
use crate::support::rules::Violation;
use crate::support::rules::world::{self, is_foreign};
use crate::support::test_cluster::{BYSTANDER, TestCluster};

/// The failure of a script.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// A violated rule of the history.
    Rule(Violation),
    /// A violation by a command or in the final state, with details.
    Other { what: &'static str, detail: String },
}

impl Failure {
    /// The kind, which is equal if two scripts fail in the same way.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Rule(violation) => violation.rule,
            Self::Other { what, .. } => what,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule(violation) => violation.fmt(f),
            Self::Other { what, detail } => write!(f, "{what}: {detail}"),
        }
    }
}

pub(crate) fn fail(what: &'static str, detail: String) -> Result<(), Failure> {
    Err(Failure::Other { what, detail })
}

/// More requests than any command of a script needs, deadlines and retries included.
const MAX_REQUESTS: usize = 2_500;

/// Longer than any command of a script may take, its deadlines and the longest faults included.
const PATIENCE: Duration = Duration::from_secs(600);

/// A command may end in many ways, but not with a bug, and not after too many requests or too long.
pub(crate) fn of_run(played: &Played) -> Result<(), Failure> {
    check_requests(&played.run);
    if played.run.requests.len() > MAX_REQUESTS {
        return fail("requests", format!("{} requests of\n{}", played.run.requests.len(), played.command));
    }
    let times = played.run.requests.iter().map(|request| request.at);
    if times.clone().max().zip(times.min()).is_some_and(|(last, first)| last - first > PATIENCE) {
        return fail("patience", format!("{} of\n{}", played.run.transcript(), played.command));
    }
    for failure in played.run.failures() {
        match failure.kind {
            FailureKind::Internal => return fail("internal", format!("{failure:?} of\n{}", played.command)),
            FailureKind::Invalid
            | FailureKind::Refused
            | FailureKind::NotReady
            | FailureKind::GateFailed
            | FailureKind::Superseded
            | FailureKind::ExternalChange
            | FailureKind::Cluster
            | FailureKind::Denied
            | FailureKind::Interrupted => {}
        }
    }
    Ok(())
}

/// How long a process may write after its Lease was last granted (`cluster/lease.rs`).
const GRANTED_FOR: Duration = Duration::from_secs(10);

/// No process writes a serving object or a record without a Lease or after its Lease has expired.
pub(crate) fn of_lease(played: &Played, history: &[Change], begin: Timestamp) -> Result<(), Failure> {
    let is_grant =
        |change: &&Change| change.kind == "leases" && played.made(change) && change.after.is_some();
    let granted: Vec<Duration> = history
        .iter()
        .filter(is_grant)
        .map(|change| change.at.duration_since(begin).unsigned_abs())
        .collect();
    // Pausing and resuming only annotate a run that another process may drive.
    let is_note = matches!(played.command, Command::Pause(_) | Command::Resume(_) | Command::Promote { .. });
    let serves = |request: &&&Request| match request.seen.kind.as_str() {
        "deployments" | "clonesets" | "statefulsets" | "services" => true,
        "configmaps" => !is_note,
        _ => false,
    };
    for request in played.run.writes().iter().filter(serves) {
        // The history has millisecond precision.
        let last = granted.iter().rfind(|at| **at <= request.at + Duration::from_millis(1));
        if last.is_none_or(|last| request.at.saturating_sub(*last) > GRANTED_FOR) {
            let detail = format!("{} of\n{}, granted at {granted:?}", request.line(), played.command);
            return fail("lease", detail);
        }
    }
    Ok(())
}

/// A command changes only the run that it based its decision on.
pub(crate) fn of_decision(played: &Played, history: &[Change]) -> Result<(), Failure> {
    let Some(component) = played.command.bound_component() else { return Ok(()) };
    let is_claim = |change: &&Change| {
        change.name == format!("rollout-{component}")
            && played.made(change)
            && epochs(change).is_some_and(|(before, after)| before < after)
    };
    let Some((before, _)) = history.iter().find(is_claim).and_then(epochs) else { return Ok(()) };
    let decided_from = played.decided_from.as_ref().and_then(|epochs| epochs.get(component));
    match decided_from.is_some_and(|seen| *seen == before) {
        true => Ok(()),
        false => {
            let command = &played.command;
            fail(
                "decision",
                format!("{command} was decided from {decided_from:?} and follows epoch {before}"),
            )
        }
    }
}

/// The epochs of a record before and after a change, if both exist.
fn epochs(change: &Change) -> Option<(u64, u64)> {
    let before = change.before.as_deref().and_then(world::record)?;
    let after = change.after.as_deref().and_then(world::record)?;
    Some((before.epoch.0, after.epoch.0))
}

/// A command that is rerun after the disturbances succeeds, or refuses before it writes.
pub(crate) fn of_rerun(played: &Played) -> Result<(), Failure> {
    check_requests(&played.run);
    for failure in played.run.failures() {
        match failure.kind {
            FailureKind::Refused | FailureKind::Invalid if played.run.effects().is_empty() => {}
            FailureKind::Refused | FailureKind::Invalid => {
                return fail("refusal", format!("{} of\n{}", played.run.transcript(), played.command));
            }
            FailureKind::NotReady
            | FailureKind::GateFailed
            | FailureKind::Superseded
            | FailureKind::ExternalChange
            | FailureKind::Cluster
            | FailureKind::Denied
            | FailureKind::Interrupted
            | FailureKind::Internal => {
                return fail("rerun", format!("{} of\n{}", played.run.transcript(), played.command));
            }
        }
    }
    Ok(())
}

/// A component whose workload was only resized can be scaled: it is still of its revision.
pub(crate) fn of_scale(played: &Played, cluster: &TestCluster) -> Result<(), Failure> {
    let Command::Scale { component, .. } = &played.command else { return Ok(()) };
    let mut failures = played.run.failures().into_iter();
    let Some(refusal) = failures.find(|failure| failure.reason.contains("a workload of another revision"))
    else {
        return Ok(());
    };
    let objects = cluster.all_objects();
    let named =
        |kind: &str, wanted: &str| objects.iter().find(|one| one["kind"] == kind && name(one) == wanted);
    let workload = named("CloneSet", component).or_else(|| named("StatefulSet", component));
    let target = cluster.record(component).map(|record| record["run"]["spec"]["target"].clone());
    let target =
        target.as_ref().and_then(Value::as_str).and_then(|target| named("ControllerRevision", target));
    let (Some(workload), Some(target)) = (workload, target) else { return Ok(()) };
    let (live, recorded) =
        (&workload["spec"]["template"], &target["data"]["spec"]["workload"]["spec"]["template"]);
    let first = |template: &Value| {
        let container = &template["spec"]["containers"][0];
        (container["image"].clone(), container["env"].clone())
    };
    let is_restarted = !live["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"].is_null();
    match first(live) == first(recorded) && !is_restarted {
        true => fail("scale", format!("{refusal:?} of\n{}", played.command)),
        false => Ok(()),
    }
}

/// A plan that precedes an `apply` writes nothing, and is right: if it shows no change, nothing is written, otherwise
/// something is; and both refuse the same for the same reason.
pub(crate) fn of_plan(planned: &Played, applied: &Played) -> Result<(), Failure> {
    let failed = |detail: &str| {
        let (plan, apply) = (planned.run.transcript(), applied.run.transcript());
        fail("plan", format!("{detail}: {plan}\n{apply} of\n{}", applied.command))
    };
    if !planned.run.writes().is_empty() {
        return failed("it writes");
    }
    let reasons = |played: &Played| -> BTreeSet<String> {
        let refused =
            |failure: &&&CommandFailure| matches!(failure.kind, FailureKind::Refused | FailureKind::Invalid);
        let failures = played.run.failures();
        failures.iter().filter(refused).map(|failure| failure.reason.clone()).collect()
    };
    let (foreseen, refused) = (reasons(planned), reasons(applied));
    if foreseen.is_empty() != refused.is_empty() || !refused.is_subset(&foreseen) {
        return failed("it refuses something else");
    }
    if !refused.is_empty() {
        return Ok(());
    }
    let is_change =
        |(_, end): &(String, ComponentOutcome)| matches!(end, ComponentOutcome::Succeeded { changed: true });
    let changed = |played: &Played| -> BTreeMap<String, bool> {
        let changed = |(name, end): &(String, ComponentOutcome)| match end {
            ComponentOutcome::Succeeded { changed } => Some((name.clone(), *changed)),
            ComponentOutcome::Held { .. }
            | ComponentOutcome::Skipped { .. }
            | ComponentOutcome::Failed(_) => None,
        };
        played.run.ends.iter().flatten().filter_map(changed).collect()
    };
    let (planned_changes, changes) = (changed(planned), changed(applied));
    let differing = changes.iter().find(|(name, changed)| planned_changes.get(*name) != Some(changed));
    if let Some((name, _)) = differing {
        return failed(&format!("it is wrong about `{name}`"));
    }
    // A component that waits for one that is held is still to be changed.
    let is_done = |(_, end): &(String, ComponentOutcome)| matches!(end, ComponentOutcome::Succeeded { .. });
    let are_done = applied.run.ends.iter().flatten().all(is_done);
    match (planned.run.ends.iter().flatten().any(is_change), applied.run.effects().is_empty()) {
        (true, true) if !are_done => Ok(()),
        // Pruning changes components that are not planned.
        (false, false) if matches!(applied.command, Command::Apply { prune: true, .. }) => Ok(()),
        (false, false) => failed("it shows no change, and something is written"),
        (true, true) => failed("it shows a change, and nothing is written"),
        (false, true) | (true, false) => Ok(()),
    }
}

/// Whether a command is refused.
pub(crate) fn is_refused(played: &Played) -> bool {
    played.run.failures().iter().any(|failure| failure.kind == FailureKind::Refused)
}

/// The last manifest is accepted, and its run finishes.
pub(crate) fn of_last(played: &Played) -> Result<(), Failure> {
    check_requests(&played.run);
    let is_done = |end: &ComponentOutcome| matches!(end, ComponentOutcome::Succeeded { .. });
    match played.run.ends.as_ref().is_some_and(|ends| ends.iter().all(|(_, end)| is_done(end))) {
        true => Ok(()),
        false => fail("convergence", format!("{} of\n{}", played.run.transcript(), played.command)),
    }
}

/// The cluster matches the last manifest.
pub(crate) fn of_end(last: &[Component], cluster: &TestCluster) -> Result<(), Failure> {
    let objects = cluster.all_objects();
    let mut wanted: BTreeMap<String, u64> = BTreeMap::new();
    for (component, size) in last.iter().filter_map(|one| Some((one, one.workload_size()?))) {
        wanted.insert(component.workload_name(), u64::from(size));
    }
    let is_workload = |object: &&Value| is_workload(object) && !is_others(object);
    let found: BTreeMap<String, u64> = objects
        .iter()
        .filter(is_workload)
        .map(|object| (name(object), object["spec"]["replicas"].as_u64().unwrap_or(1)))
        .collect();
    if found != wanted {
        return fail("end", format!("{found:?} instead of {wanted:?}"));
    }
    for object in objects.iter().filter(is_workload) {
        let component = last.iter().find(|one| one.workload_name() == name(object)).unwrap();
        let image = &object["spec"]["template"]["spec"]["containers"][0]["image"];
        if *image != *component.image_name() {
            return fail("end", format!("{} has the image {image}", name(object)));
        }
        let first = &object["spec"]["template"]["spec"]["containers"][0]["env"][0]["name"];
        if component.first_variable().is_some_and(|name| *first != *name) {
            return fail("end", format!("{} has {first} as its first variable", name(object)));
        }
        let team = object["metadata"]["labels"]["team"].as_str();
        if team != component.team() {
            return fail("end", format!("{} is of team {team:?}", name(object)));
        }
        let ready = object["status"]["readyReplicas"].as_u64().unwrap_or_default();
        let size = wanted[&name(object)];
        if ready != size {
            return fail("end", format!("{ready} of {size} pods of {} are ready", name(object)));
        }
    }
    let is_of_version = |object: &Value| {
        // The Job of a smoke test expires by itself.
        if object["spec"]["ttlSecondsAfterFinished"].is_u64() {
            return true;
        }
        let mut shown = last.iter().filter(|one| !one.is_sized()).map(Component::shown_version);
        shown.any(|(kind, of, ..)| object["kind"] == kind && of == name(object))
    };
    let is_whole =
        |object: &&Value| ["DaemonSet", "Job", "CronJob"].iter().any(|kind| object["kind"] == *kind);
    if let Some(left) = objects.iter().filter(is_whole).find(|one| !is_others(one) && !is_of_version(one)) {
        return fail("end", format!("{} {} is left", left["kind"], name(left)));
    }
    let named = |kind: &str, component: &Component| {
        objects.iter().find(|one| one["kind"] == kind && name(one) == component.name)
    };
    for component in last {
        if let Some(wanted) = component.service_type() {
            let kind = named("Service", component).map(|service| &service["spec"]["type"]);
            if kind.is_none_or(|kind| *kind != *wanted) {
                return fail("end", format!("the Service of {} is a {kind:?}", component.name));
            }
        }
        if let Some(wanted) = component.host() {
            let host = named("Ingress", component).map(|ingress| &ingress["spec"]["rules"][0]["host"]);
            if host.is_none_or(|host| *host != *wanted) {
                return fail("end", format!("the Ingress of {} has the host {host:?}", component.name));
            }
        }
    }
    for component in last.iter().filter(|component| !component.is_sized()) {
        let (kind, object, at, version) = component.shown_version();
        let found = objects.iter().find(|one| one["kind"] == kind && name(one) == object);
        let shown = found.and_then(|found| found.pointer(at)).and_then(Value::as_str);
        if shown != Some(&version) {
            return fail("end", format!("{kind} {object} shows {shown:?} instead of {version}"));
        }
    }
    Ok(())
}

/// If a manifest is reported as rolled out, its components have the specified number of ready pods.
pub(crate) fn of_word(played: &Played, cluster: &TestCluster) -> Result<(), Failure> {
    let Command::Apply { manifest, .. } = &played.command else { return Ok(()) };
    let is_done = |end: &ComponentOutcome| matches!(end, ComponentOutcome::Succeeded { .. });
    for (name, _) in played.run.ends.iter().flatten().filter(|(_, end)| is_done(end)) {
        let outcome = cluster.record(name).map(|record| record["run"]["outcome"].clone());
        if outcome.as_ref().is_none_or(|outcome| *outcome != "Succeeded") {
            return fail("word", format!("`{name}` is done, and its run is {outcome:?}"));
        }
        let is_it = |one: &&Component| one.name == *name && one.is_sized();
        let Some(component) = manifest.iter().find(is_it) else { continue };
        let objects = cluster.all_objects();
        let is_it = |object: &&Value| {
            is_workload(object) && self::name(object) == component.workload_name() && !is_others(object)
        };
        let Some(workload) = objects.iter().find(is_it) else {
            return fail("word", format!("`{name}` is done, and {} is not there", component.workload_name()));
        };
        let replicas = workload["spec"]["replicas"].as_u64().unwrap_or_default();
        let ready = workload["status"]["readyReplicas"].as_u64().unwrap_or_default();
        if replicas != u64::from(component.size) || ready != replicas {
            let wanted = component.size;
            return fail(
                "word",
                format!("`{name}` is done, with {ready} of {replicas} ready, {wanted} wanted"),
            );
        }
    }
    Ok(())
}

/// Applying it again writes nothing.
pub(crate) fn of_idle(played: &Played) -> Result<(), Failure> {
    of_last(played)?;
    match played.run.writes().is_empty() {
        true => Ok(()),
        false => fail("idle", format!("a rerun writes: {}", played.run.transcript())),
    }
}

/// A deletion that succeeds leaves nothing of its component or application.
pub(crate) fn of_deletion(played: &Played, cluster: &TestCluster) -> Result<(), Failure> {
    let component = if let Command::DeleteComponent(component) = &played.command {
        Some(component.as_str())
    } else if matches!(played.command, Command::DeleteApplication) {
        None
    } else {
        return Ok(());
    };
    if played.run.failures().is_empty() { of_removal(component, cluster) } else { Ok(()) }
}

/// No objects of the application, or of one of its components, remain.
pub(crate) fn of_removal(component: Option<&str>, cluster: &TestCluster) -> Result<(), Failure> {
    let is_of_it = |object: &Value| {
        let labels = &object["metadata"]["labels"];
        labels["app.oam.dev/name"] == "shop"
            && component.is_none_or(|component| labels["app.oam.dev/component"] == component)
    };
    let left: Vec<String> = cluster
        .all_objects()
        .iter()
        .filter(|object| is_of_it(object) && !is_others(object))
        .map(|object| format!("{} {}", object["kind"], name(object)))
        .collect();
    match left.is_empty() {
        true => Ok(()),
        false => fail("leftovers", left.join(", ")),
    }
}

fn name(object: &Value) -> String {
    object["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}

fn is_workload(object: &Value) -> bool {
    ["Deployment", "CloneSet", "StatefulSet"].iter().any(|kind| object["kind"] == *kind)
}

fn is_others(object: &Value) -> bool {
    is_foreign(object) || name(object) == BYSTANDER
}
