//! The features of scripts, so that the generator cannot lose one unnoticed.

use std::collections::BTreeMap;

use libtest_mimic::{Failed, Trial};

use crate::batch_gates;
use crate::generate;
use crate::script::{Answer, Command, EnvironmentEvent, FaultKind, Script};
use crate::support::admission::Policy;

/// The features that must each occur in some script.
const ALL: [&str; 87] = [
    "abort",
    "apply",
    "apply --on-failure undo",
    "apply --prune",
    "apply another application",
    "delete a component",
    "delete another application",
    "delete the application",
    "pause",
    "promote",
    "promote --full",
    "promote the application",
    "resume",
    "scale",
    "status",
    "undo",
    "undo --now",
    "undo --to-revision",
    "another type at last",
    "cloneset-service as a whole",
    "cloneset-service in batches",
    "cron-task as a whole",
    "daemon as a whole",
    "k8s-objects as a whole",
    "statefulset as a whole",
    "statefulset in batches",
    "task as a whole",
    "webservice as a whole",
    "webservice in batches",
    "worker as a whole",
    "worker in batches",
    "with gateway",
    "with storage",
    "with a gate",
    "with a soak time",
    "with hooks",
    "with measurements",
    "with smoke tests",
    "with a label",
    "without a size",
    "without some answers at gates",
    "without the programs of gates",
    "with a type of its Service",
    "1 users",
    "2 users",
    "3 users",
    "4 users",
    "fault: death",
    "fault: freeze",
    "fault: outage",
    "fault: conflict",
    "fault: too many requests",
    "fault: internal error",
    "fault: unavailable",
    "fault: timeout",
    "fault: reset",
    "fault: late answer",
    "fault: outage of leases",
    "one fault after the other",
    "at a fault of another",
    "event: pods fail",
    "event: pods recover",
    "event: slow pods",
    "event: set image",
    "event: scale",
    "event: rescale",
    "event: size of another tool",
    "event: policy adds a port",
    "event: policy adds a label",
    "event: policy caps sizes",
    "event: policy denies a creation",
    "event: foreign workload",
    "event: delete workload",
    "event: delete pod",
    "event: delete record",
    "event: delete lease",
    "event: unreadable record",
    "event: delete revision",
    "event: restart",
    "event: pause workload",
    "event: edit service",
    "event: delete service",
    "event: quota",
    "event: autoscaler",
    "event: finalizer",
    "event: stalled controllers",
    "event: missing right",
];

/// The number of scripts with each feature.
pub(crate) fn counts(seeds: impl Iterator<Item = u64>) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for seed in seeds {
        let mut found = features(&generate::script(seed));
        found.sort();
        found.dedup();
        for feature in found {
            *counts.entry(feature).or_default() += 1;
        }
    }
    counts
}

/// Checks that the scripts of these seeds have every feature.
pub(crate) fn trial(seeds: u64) -> Trial {
    Trial::test("every_command_component_fault_and_event_is_played", move || {
        let counts = counts(0..seeds);
        let missing: Vec<&str> = ALL.into_iter().filter(|one| !counts.contains_key(*one)).collect();
        let unknown: Vec<&String> = counts.keys().filter(|one| !ALL.contains(&one.as_str())).collect();
        match missing.is_empty() && unknown.is_empty() {
            true => Ok(()),
            false => Err(Failed::from(format!("missing: {missing:?}, not listed: {unknown:?}"))),
        }
    })
}

fn features(script: &Script) -> Vec<String> {
    let mut all = vec![format!("{} users", script.users.len())];
    all.extend(script.changes_type().then(|| "another type at last".to_owned()));
    for invocation in script.users.iter().flat_map(|user| &user.invocations) {
        all.push(of_command(&invocation.command).to_owned());
        if let Command::Apply { manifest, .. } = &invocation.command {
            for component in manifest {
                let how = if component.is_plain() { "as a whole" } else { "in batches" };
                all.push(format!("{} {how}", component.kind));
                all.extend(component.has_gates().then(|| "with a gate".to_owned()));
                let gates = ["with a soak time", "with hooks", "with measurements", "with smoke tests"];
                for (line, gate) in batch_gates::ALL.into_iter().zip(gates) {
                    all.extend(component.has_batch_gate(line).then(|| gate.to_owned()));
                }
                for kind in ["gateway", "storage"] {
                    all.extend(component.has_trait(kind).then(|| format!("with {kind}")));
                }
                all.extend(component.service_type().map(|_| "with a type of its Service".to_owned()));
                let leaves_size = component.workload_size().is_some() && !component.is_sized();
                all.extend(
                    (leaves_size && component.kind != "k8s-objects").then(|| "without a size".to_owned()),
                );
                all.extend(component.team().map(|_| "with a label".to_owned()));
            }
        }
        let mood = batch_gates::Mood::new(invocation.seed);
        all.extend(mood.hangs.then(|| "without some answers at gates".to_owned()));
        all.extend(mood.lacks_programs.then(|| "without the programs of gates".to_owned()));
        all.extend(invocation.at_fault.then(|| "at a fault of another".to_owned()));
        all.extend(invocation.faults.iter().map(|fault| format!("fault: {}", of_fault(fault.kind))));
        all.extend((invocation.faults.len() > 1).then(|| "one fault after the other".to_owned()));
    }
    all.extend(script.environment.iter().map(|one| format!("event: {}", of_event(&one.event))));
    all
}

fn of_command(command: &Command) -> &'static str {
    match command {
        Command::Apply { prune: true, .. } => "apply --prune",
        Command::Apply { undo_on_failure: true, .. } => "apply --on-failure undo",
        Command::Apply { .. } => "apply",
        Command::Undo { to_revision: Some(_), .. } => "undo --to-revision",
        Command::Undo { now: true, .. } => "undo --now",
        Command::Undo { .. } => "undo",
        Command::Abort(_) => "abort",
        Command::Promote { full: true, .. } => "promote --full",
        Command::Promote { component, full: false } if component == "shop" => "promote the application",
        Command::Promote { full: false, .. } => "promote",
        Command::Pause(_) => "pause",
        Command::Resume(_) => "resume",
        Command::Scale { .. } => "scale",
        Command::DeleteComponent(_) => "delete a component",
        Command::DeleteApplication => "delete the application",
        Command::ApplyOther(_) => "apply another application",
        Command::DeleteOther => "delete another application",
        Command::Status => "status",
        Command::Plan(_) => "plan",
    }
}

fn of_fault(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Death => "death",
        FaultKind::Freeze(_) => "freeze",
        FaultKind::Outage(_) => "outage",
        FaultKind::LeaseOutage(_) => "outage of leases",
        FaultKind::LateAnswer(_) => "late answer",
        FaultKind::Answer(answer) | FaultKind::AnswerAfterServing(answer) => match answer {
            Answer::Conflict => "conflict",
            Answer::TooManyRequests => "too many requests",
            Answer::InternalError => "internal error",
            Answer::Unavailable => "unavailable",
            Answer::Timeout => "timeout",
            Answer::Reset => "reset",
        },
    }
}

fn of_event(event: &EnvironmentEvent) -> &'static str {
    match event {
        EnvironmentEvent::FailPods { images, .. } if images.is_empty() => "pods recover",
        EnvironmentEvent::FailPods { .. } => "pods fail",
        EnvironmentEvent::SlowPods(_) => "slow pods",
        EnvironmentEvent::SetImage(_) => "set image",
        EnvironmentEvent::Scale { .. } => "scale",
        EnvironmentEvent::Rescale { .. } => "rescale",
        EnvironmentEvent::OwnSize { .. } => "size of another tool",
        EnvironmentEvent::Enforce { policy, .. } => match policy {
            Policy::AddPort => "policy adds a port",
            Policy::AddLabel => "policy adds a label",
            Policy::CapSize(_) => "policy caps sizes",
            Policy::DenyCreation(_) => "policy denies a creation",
        },
        EnvironmentEvent::PlantForeign(_) => "foreign workload",
        EnvironmentEvent::DeleteWorkload(_) => "delete workload",
        EnvironmentEvent::DeletePod(_) => "delete pod",
        EnvironmentEvent::DeleteRecord(_) => "delete record",
        EnvironmentEvent::DeleteLease => "delete lease",
        EnvironmentEvent::GarbleRecord(_) => "unreadable record",
        EnvironmentEvent::DeleteRevision(_) => "delete revision",
        EnvironmentEvent::Restart(_) => "restart",
        EnvironmentEvent::PauseWorkload(_) => "pause workload",
        EnvironmentEvent::EditService(_) => "edit service",
        EnvironmentEvent::DeleteService(_) => "delete service",
        EnvironmentEvent::FillQuota => "quota",
        EnvironmentEvent::Autoscale { .. } => "autoscaler",
        EnvironmentEvent::Hold { .. } => "finalizer",
        EnvironmentEvent::StallControllers(_) => "stalled controllers",
        EnvironmentEvent::Deny { .. } => "missing right",
    }
}
