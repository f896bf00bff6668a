//! Finds the shortest script that fails in the same way as a given one.

use std::time::Duration;

use crate::play::failure_of;
use crate::script::{Command, EnvironmentEvent, Pace, Script};
use crate::verdict::Failure;

/// The maximum number of plays to shorten a script.
const MAX_PLAYS: usize = 400;

/// The shortest script found whose failure is of the same kind, and its failure.
pub(crate) fn shrink(script: &Script, failure: Failure) -> (Script, Failure) {
    let (mut shortest, mut known) = (script.clone(), failure);
    let mut plays = 0;
    loop {
        let shorter = candidates(&shortest).into_iter().find_map(|candidate| {
            plays += 1;
            if plays > MAX_PLAYS {
                return None;
            }
            let failure = failure_of(&candidate).filter(|failure| failure.kind() == known.kind())?;
            Some((candidate, failure))
        });
        match shorter {
            Some((candidate, failure)) => (shortest, known) = (candidate, failure),
            None => return (shortest, known),
        }
    }
}

/// The scripts with one part removed, those with the largest part removed first.
fn candidates(script: &Script) -> Vec<Script> {
    let mut all = Vec::new();
    let mut changed = |change: &dyn Fn(&mut Script)| {
        let mut candidate = script.clone();
        change(&mut candidate);
        all.push(candidate);
    };
    if script.users.len() > 1 {
        (0..script.users.len()).for_each(|user| changed(&|script| drop(script.users.remove(user))));
    }
    for component in script.last.iter().map(|one| one.name.clone()).filter(|_| script.last.len() > 1) {
        changed(&|script| forget(script, &component));
    }
    for user in 0..script.users.len() {
        let most = script.users[user].invocations.len();
        if most > 1 || script.users.len() > 1 {
            for number in 0..most {
                changed(&|script| drop(script.users[user].invocations.remove(number)));
            }
        }
    }
    for number in 0..script.environment.len() {
        changed(&|script| drop(script.environment.remove(number)));
    }
    for (user, number) in invocations(script) {
        let invocation = &script.users[user].invocations[number];
        for fault in 0..invocation.faults.len() {
            changed(&|script| {
                script.users[user].invocations[number].faults.remove(fault);
            });
        }
        if invocation.pace != Pace::Instant {
            changed(&|script| script.users[user].invocations[number].pace = Pace::Instant);
        }
        if invocation.at_fault {
            changed(&|script| script.users[user].invocations[number].at_fault = false);
        }
        if invocation.after > Duration::ZERO {
            changed(&|script| script.users[user].invocations[number].after = Duration::ZERO);
        }
    }
    all
}

fn invocations(script: &Script) -> Vec<(usize, usize)> {
    let users = script.users.iter().enumerate();
    users.flat_map(|(user, of)| (0..of.invocations.len()).map(move |number| (user, number))).collect()
}

/// Removes a component from the whole script.
fn forget(script: &mut Script, component: &str) {
    let is_other = |name: &str| name != component;
    script.last.retain(|one| is_other(&one.name));
    script.last.iter_mut().for_each(|one| one.forget_dependency(component));
    for user in &mut script.users {
        user.invocations.retain_mut(|invocation| match &mut invocation.command {
            Command::Apply { manifest, .. } | Command::ApplyOther(manifest) | Command::Plan(manifest) => {
                manifest.retain(|one| is_other(&one.name));
                manifest.iter_mut().for_each(|one| one.forget_dependency(component));
                !manifest.is_empty()
            }
            Command::Undo { component, .. }
            | Command::Promote { component, .. }
            | Command::Scale { component, .. }
            | Command::Abort(component)
            | Command::Pause(component)
            | Command::Resume(component)
            | Command::DeleteComponent(component) => is_other(component),
            Command::DeleteApplication | Command::DeleteOther | Command::Status => true,
        });
    }
    script.environment.retain(|disturbance| match &disturbance.event {
        EnvironmentEvent::SetImage(component)
        | EnvironmentEvent::Scale { component, .. }
        | EnvironmentEvent::Rescale { component, .. }
        | EnvironmentEvent::OwnSize { component, .. }
        | EnvironmentEvent::Autoscale { component, .. }
        | EnvironmentEvent::DeleteWorkload(component)
        | EnvironmentEvent::DeletePod(component)
        | EnvironmentEvent::DeleteRecord(component)
        | EnvironmentEvent::GarbleRecord(component)
        | EnvironmentEvent::DeleteRevision(component)
        | EnvironmentEvent::Restart(component)
        | EnvironmentEvent::PauseWorkload(component)
        | EnvironmentEvent::EditService(component)
        | EnvironmentEvent::DeleteService(component)
        | EnvironmentEvent::Hold { component, .. } => is_other(component),
        EnvironmentEvent::FailPods { .. }
        | EnvironmentEvent::FillQuota
        | EnvironmentEvent::SlowPods(_)
        | EnvironmentEvent::PlantForeign(_)
        | EnvironmentEvent::DeleteLease
        | EnvironmentEvent::StallControllers(_)
        | EnvironmentEvent::Enforce { .. }
        | EnvironmentEvent::Deny { .. } => true,
    });
}
