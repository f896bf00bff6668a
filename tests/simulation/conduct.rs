//! Violations in the behavior of a command that the server's history alone does not show.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use rollout::driver::outcome::{ComponentOutcome, Failure as CommandFailure, FailureKind};
use rollout::oam::batch_gates::{BatchGates, Header, HeaderValue, Hook, HookType};
use rollout::plan::record::Record;
use rollout::plan::run::{Mode, Outcome, Purpose};
use rollout::probe::ProbeRequest;
use rollout::sandbox::fault::{RequestInfo, Verb};
use rollout::sandbox::{Actor, Change};
use serde_json::{Value, json};

use crate::batch_gates::{self, Asked};
use crate::play::Played;
use crate::script::Command;
use crate::support::fault::Request;
use crate::support::manifest::{Component, web};
use crate::support::process::Run;
use crate::support::rules::world::{self, WORKLOADS, World, is_effect};
use crate::verdict::{Failure, fail};

/// A removal reads the Lease and the record before each object, and removes nothing without an answer.
pub(crate) fn of_removal(played: &Played) -> Result<(), Failure> {
    if !matches!(
        played.command,
        Command::DeleteComponent(_) | Command::DeleteApplication | Command::DeleteOther
    ) {
        return Ok(());
    }
    let mut since = Vec::new();
    for request in &played.run.requests {
        let seen = &request.seen;
        if seen.verb != Verb::Delete || seen.kind == "leases" {
            since.push(seen);
            continue;
        }
        for kind in ["leases", "configmaps"] {
            let is_read = |seen: &&&RequestInfo| seen.verb == Verb::Get && seen.kind == kind;
            let mut reads = since.iter().filter(is_read).peekable();
            // Objects without a component have no record.
            let is_due = kind == "leases" || reads.peek().is_some();
            if is_due && reads.all(|seen| played.unanswered.contains(&seen.index)) {
                return fail("removal", format!("{} without an answer about {kind}", request.line()));
            }
        }
        since.clear();
    }
    Ok(())
}

/// How long a Lease belongs to its holder without being renewed (`cluster/lease.rs`).
const HELD_FOR: Duration = Duration::from_secs(15);

/// No process takes the Lease of the application while its holder renews it.
pub(crate) fn of_queue(history: &[Change]) -> Result<(), Failure> {
    // A released Lease has no holder.
    let holder = |object: &Option<Arc<Value>>| -> Option<String> {
        let holder = object.as_ref()?["spec"]["holderIdentity"].as_str()?;
        (!holder.is_empty()).then(|| holder.to_owned())
    };
    let mut renewed = None;
    for change in history.iter().filter(|change| change.kind == "leases" && change.name == "rollout-shop") {
        if let (Some(before), Some(after), Some(at)) =
            (holder(&change.before), holder(&change.after), renewed)
            && before != after
            && change.at.duration_since(at).unsigned_abs() + Duration::from_millis(1) < HELD_FOR
        {
            return fail(
                "queue",
                format!("`{after}` takes the Lease at {}, which `{before}` renewed at {at}", change.at),
            );
        }
        renewed = change.after.is_some().then_some(change.at);
    }
    Ok(())
}

/// A process waits for as long as an overloaded server asks.
pub(crate) fn of_retries(played: &Played) -> Result<(), Failure> {
    match &played.hasty {
        None => Ok(()),
        Some(request) => fail("haste", format!("{request} comes before its time, of\n{}", played.command)),
    }
}

/// `apply` rolls back a component only if it did not become ready, was stopped by a gate, or was rejected.
pub(crate) fn of_rollback(played: &Played, history: &[Change]) -> Result<(), Failure> {
    let is_rollback = |change: &&Change, component: &str| {
        let after = change.after.as_deref().and_then(world::record);
        played.made(change)
            && after.is_some_and(|after| after.component == component && after.run.purpose == Purpose::Abort)
    };
    let Command::Apply { .. } = &played.command else { return Ok(()) };
    for (component, end) in played.run.ends.iter().flatten() {
        let ComponentOutcome::Failed(failure) = end else { continue };
        let is_undone =
            matches!(failure.kind, FailureKind::NotReady | FailureKind::GateFailed | FailureKind::Denied);
        if !is_undone && history.iter().any(|change| is_rollback(&change, component)) {
            return fail(
                "rollback",
                format!("`{component}` is rolled back after {failure:?}, by\n{}", played.command),
            );
        }
    }
    Ok(())
}

/// A rollback of a run that succeeded keeps the size; without a workload that has one, it restores the size of the last
/// run in batches to its revision. This applies only if nobody else changes sizes.
pub(crate) fn of_restored_size(played: &Played, history: &[Change]) -> Result<(), Failure> {
    if !matches!(played.command, Command::Undo { .. }) {
        return Ok(());
    }
    let mut world = World::default();
    // The size of the last run in batches to each revision of a component.
    let mut sizes: BTreeMap<(String, String), u32> = BTreeMap::new();
    for change in history {
        let record = |object: &Option<Arc<Value>>| object.as_deref().and_then(world::record);
        let claim = record(&change.after).filter(|record| {
            change.kind == "configmaps"
                && record.run.spec.mode != Mode::Apply
                && self::record_before(change).is_none_or(|before| before.epoch < record.epoch)
        });
        if let Some(claim) = claim {
            let spec = &claim.run.spec;
            let key = (claim.component.clone(), spec.target.clone());
            let is_new = |before: &Record| before.run.spec.target != spec.target;
            let before = self::record_before(change).filter(is_new);
            if let Some(before) = before.filter(|_| played.made(change) && claim.run.purpose == Purpose::Undo)
            {
                let wanted = match world.workloads(&claim.component).next() {
                    Some(_) if before.run.outcome == Outcome::Succeeded => {
                        Some(world.wanted(&claim.component))
                    }
                    None if before.run.spec.mode == Mode::Apply => sizes.get(&key).copied(),
                    Some(_) | None => None,
                };
                if wanted.is_some_and(|wanted| wanted != spec.target_size) {
                    let detail =
                        format!("{} instead of {wanted:?} replicas of\n{}", spec.target_size, played.command);
                    return fail("restored size", detail);
                }
            }
            sizes.insert(key, spec.target_size);
        }
        world.take_in(change);
    }
    Ok(())
}

fn record_before(change: &Change) -> Option<Record> {
    change.before.as_deref().and_then(world::record)
}

/// An upgrade has the batches that its manifest specifies, with percentages rounded up.
pub(crate) fn of_plan(played: &Played, history: &[Change]) -> Result<(), Failure> {
    let Command::Apply { manifest, .. } = &played.command else { return Ok(()) };
    let own = history.iter().filter(|change| played.made(change));
    for change in own.filter(|change| change.kind == "configmaps") {
        let record = |object: &Option<Arc<Value>>| object.as_deref().and_then(world::record);
        let (before, Some(after)) = (record(&change.before), record(&change.after)) else { continue };
        let is_same = |before: &Record| before.run.spec.target == after.run.spec.target;
        if after.run.spec.mode != Mode::Upgrade || before.as_ref().is_some_and(is_same) {
            continue;
        }
        let component = manifest.iter().find(|one| one.name == after.component);
        let Some(wanted) = component.and_then(Component::sizes_of_batches) else { continue };
        let found: Vec<u32> = after.run.spec.batches.iter().map(|batch| batch.size).collect();
        // A rollback has its own batches.
        if after.run.purpose == Purpose::Forward && found != wanted {
            return fail("batches", format!("{found:?} instead of {wanted:?} of\n{}", played.command));
        }
    }
    Ok(())
}

/// A component is changed only after its dependencies have succeeded, if the same process has claimed both.
pub(crate) fn of_dependency(played: &Played, history: &[Change]) -> Result<(), Failure> {
    let Command::Apply { manifest, .. } = &played.command else { return Ok(()) };
    let is_own = |change: &&Change| played.made(change);
    for (component, on) in manifest.iter().filter_map(|one| Some((one, one.dependency()?))) {
        let is_first = |change: &Change| {
            let object = change.after.as_deref().or(change.before.as_deref());
            is_own(&change)
                && WORKLOADS.contains(&change.kind.as_str())
                && is_effect(change)
                && object.and_then(world::component) == Some(&component.name)
        };
        let Some(first) = history.iter().position(is_first) else { continue };
        let name = format!("rollout-{on}");
        let mut records = history[..first].iter().rev().filter(|change| change.name == name);
        let record = |change: &Change| change.after.as_deref().and_then(world::record);
        let Some(last) = records.next().filter(is_own).and_then(record) else { continue };
        if last.run.outcome != Outcome::Succeeded {
            let detail = format!("`{}` is changed, and `{on}` is {:?}", component.name, last.run.outcome);
            return fail("dependency", format!("{detail}, by\n{}", played.command));
        }
    }
    Ok(())
}

/// A run does not wait for pods whose absence each of its batches tolerates. This applies only if nothing except pods
/// fails.
pub(crate) fn of_tolerance(played: &Played) -> Result<(), Failure> {
    let Command::Apply { manifest, .. } = &played.command else { return Ok(()) };
    for (name, end) in played.run.ends.iter().flatten() {
        let is_tolerant = |one: &&Component| {
            one.name == *name && ["webservice", "worker"].contains(&one.kind) && one.tolerates_everything()
        };
        let ComponentOutcome::Failed(failure) = end else { continue };
        if failure.kind == FailureKind::NotReady && manifest.iter().any(|one| is_tolerant(&one)) {
            return fail("tolerance", format!("{failure:?} of\n{}", played.command));
        }
    }
    Ok(())
}

/// One test for each check: a violation that it finds.
pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    let removal = || {
        let mut played = played(Command::DeleteComponent("web".to_owned()));
        played.run.requests = vec![
            request(0, Verb::Get, "configmaps"),
            request(1, Verb::Get, "leases"),
            request(2, Verb::Delete, "deployments"),
        ];
        of_removal(&played).map_err(|failure| failure.to_string())?;
        played.unanswered = BTreeSet::from([1]);
        found("removal", of_removal(&played))
    };
    let dependency = || {
        let mut played = played(Command::Apply {
            manifest: vec![web(1, 1).depends_on("db")],
            prune: false,
            undo_on_failure: false,
        });
        played.user_agent = "rollout/ci/1-1 apply".to_owned();
        let history = |outcome: &str| vec![claim_of_db(outcome), creation_of_web()];
        of_dependency(&played, &history("Succeeded")).map_err(|failure| failure.to_string())?;
        found("dependency", of_dependency(&played, &history("Held")))
    };
    let tolerance = || {
        let apply = |tolerated| Command::Apply {
            manifest: vec![web(1, 2).batches(&["100%"]).max_unavailable(tolerated)],
            prune: false,
            undo_on_failure: false,
        };
        let ended = |command| {
            let mut played = played(command);
            let failure = CommandFailure::new(FailureKind::NotReady, "0 of 2 ready");
            played.run.ends = Some(vec![("web".to_owned(), ComponentOutcome::Failed(failure))]);
            of_tolerance(&played)
        };
        ended(apply(1)).map_err(|failure| failure.to_string())?;
        found("tolerance", ended(apply(2)))
    };
    let retries = || {
        let mut played = played(Command::Status);
        of_retries(&played).map_err(|failure| failure.to_string())?;
        played.hasty = Some("Watch /apis/apps/v1/deployments".to_owned());
        found("haste", of_retries(&played))
    };
    let batches = || {
        let apply = |batches: &[&str]| Command::Apply {
            manifest: vec![web(2, 4).batches(batches)],
            prune: false,
            undo_on_failure: false,
        };
        let claim = [upgrade_of_web(
            "Forward",
            &json!([{"size": 2, "maxUnavailable": 0}, {"size": 2, "maxUnavailable": 0}]),
        )];
        of_plan(&driving(apply(&["50%", "50%"])), &claim).map_err(|failure| failure.to_string())?;
        found("batches", of_plan(&driving(apply(&["51%", "49%"])), &claim))
    };
    let rollback = || {
        let after = |kind| {
            let manifest = vec![web(2, 4)];
            let mut played = driving(Command::Apply { manifest, prune: false, undo_on_failure: true });
            let failure = CommandFailure::new(kind, "so it was");
            played.run.ends = Some(vec![("web".to_owned(), ComponentOutcome::Failed(failure))]);
            of_rollback(&played, &[upgrade_of_web("Abort", &json!([{"size": 4, "maxUnavailable": 0}]))])
        };
        after(FailureKind::NotReady).map_err(|failure| failure.to_string())?;
        found("rollback", after(FailureKind::ExternalChange))
    };
    let restored_size = || {
        let one = |epoch: u64, mode: &str, size: u32| {
            let spec = json!({
                "mode": mode, "kind": "Deployment", "target": if mode == "Apply" { "web-v3" } else { "web-v2" },
                "sources": [], "originalSize": 0, "targetStart": 0, "targetSize": size, "batches": [],
                "partition": null, "strategy": "IncreaseFirst",
            });
            claim("web", epoch, &spec, if epoch == 3 { "Undo" } else { "Forward" }, "Succeeded")
        };
        let back_to = |size| {
            let undo = Command::Undo { component: "web".to_owned(), to_revision: None, now: false };
            let whole = Change { before: one(1, "Release", 4).after, ..one(2, "Apply", 0) };
            let back = Change { before: whole.after.clone(), ..one(3, "Release", size) };
            of_restored_size(&driving(undo), &[one(1, "Release", 4), whole, back])
        };
        back_to(4).map_err(|failure| failure.to_string())?;
        found("restored size", back_to(1))
    };
    let queue = || {
        let lease = |holder: &str, seconds| {
            let after = json!({"spec": {"holderIdentity": holder}});
            let at = jiff::Timestamp::from_second(seconds).unwrap();
            Change { at, ..change("leases", "rollout-shop", after) }
        };
        let taken_after = |seconds| {
            let first = lease("ci-1", 0);
            let before = first.after.clone();
            [first, Change { before, ..lease("ci-2", seconds) }]
        };
        of_queue(&taken_after(15)).map_err(|failure| failure.to_string())?;
        found("queue", of_queue(&taken_after(14)))
    };
    let gates = || {
        let hook = Hook {
            hook_type: HookType::PostBatchRollout,
            name: "after".to_owned(),
            url: "http://hooks/after".to_owned(),
            method: "POST".to_owned(),
            expected_status: Vec::new(),
            metadata: BTreeMap::new(),
            headers: Vec::new(),
        };
        let stand = |passed: u32| {
            let batch = json!([{"size": 4, "maxUnavailable": 0}]);
            let mut run = upgrade_of_web("Forward", &batch);
            let Some(Value::String(text)) = run.after.as_deref().map(|map| map["data"]["record"].clone())
            else {
                unreachable!()
            };
            let mut record: Value = serde_json::from_str(&text).unwrap();
            record["run"]["spec"]["gates"] =
                json!(BatchGates { hooks: vec![hook.clone()], ..BatchGates::default() });
            record["run"]["gates"] = json!({"passed": passed});
            run.after = Some(Arc::new(json!({"data": {"record": record.to_string()}})));
            run
        };
        let passes = Change { before: stand(0).after, ..stand(3) };
        let answered = |is_good| {
            let mut played = driving(Command::Status);
            let key = HeaderValue::Text("shop/web/2026-03-01T12:00:00Z/1/batch/after".to_owned());
            let headers = vec![Header { key: "Idempotency-Key".to_owned(), value: key }];
            let (method, url) = (hook.method.clone(), hook.url.clone());
            let question = ProbeRequest::Http { method, url, headers, body: None, reads_body: false };
            played.asked = vec![Asked { at: jiff::Timestamp::UNIX_EPOCH, question, is_good }];
            batch_gates::judge(&played, std::slice::from_ref(&passes))
        };
        answered(true).map_err(|failure| failure.to_string())?;
        found("gates", answered(false))
    };
    [
        Trial::test("conduct::a_gate_that_is_passed_without_an_answer_is_found", gates),
        Trial::test("conduct::another_size_than_that_of_the_last_run_is_found", restored_size),
        Trial::test("conduct::a_lease_that_is_taken_from_its_holder_is_found", queue),
        Trial::test("conduct::a_request_that_is_made_again_too_soon_is_found", retries),
        Trial::test("conduct::other_batches_than_those_of_the_manifest_are_found", batches),
        Trial::test("conduct::a_rollback_of_what_was_changed_by_others_is_found", rollback),
        Trial::test("conduct::a_removal_without_an_answer_about_the_lease_is_found", removal),
        Trial::test("conduct::a_change_before_its_dependency_is_found", dependency),
        Trial::test("conduct::a_run_that_waits_for_pods_it_can_do_without_is_found", tolerance),
    ]
    .into_iter()
}

fn found(what: &str, verdict: Result<(), Failure>) -> Result<(), Failed> {
    match verdict {
        Err(failure) if failure.kind() == what => Ok(()),
        Err(failure) => Err(failure.to_string().into()),
        Ok(()) => Err("it is not found".into()),
    }
}

fn played(command: Command) -> Played {
    Played {
        command,
        user_agent: String::new(),
        run: Run { ends: None, events: Vec::new(), requests: Vec::new() },
        decided_from: None,
        unanswered: BTreeSet::new(),
        asked: Vec::new(),
        lacks_programs: false,
        hasty: None,
    }
}

/// The results of a process with this command, which makes the changes below.
fn driving(command: Command) -> Played {
    Played { user_agent: "rollout/ci/1-1 apply".to_owned(), ..played(command) }
}

fn request(index: usize, verb: Verb, kind: &str) -> Request {
    let seen =
        RequestInfo { index, verb, kind: kind.to_owned(), name: None, path: String::new(), body: None };
    Request { at: Duration::ZERO, seen }
}

fn change(kind: &str, name: &str, after: Value) -> Change {
    Change {
        at: jiff::Timestamp::UNIX_EPOCH,
        actor: Actor::Client,
        user_agent: Some(Arc::from("rollout/ci/1-1 apply")),
        verb: Verb::Create,
        kind: kind.to_owned(),
        name: name.to_owned(),
        before: None,
        after: Some(Arc::new(after)),
    }
}

/// The record of a run of `db` with this outcome.
fn claim_of_db(outcome: &str) -> Change {
    let spec = json!({
        "mode": "Release", "kind": "Deployment", "target": "db-v1", "sources": [], "originalSize": 0,
        "targetStart": 0, "targetSize": 1, "batches": [{"size": 1, "maxUnavailable": 0}], "partition": null,
        "strategy": "IncreaseFirst",
    });
    claim("db", 1, &spec, "Forward", outcome)
}

/// The record of an upgrade of `web`.
fn upgrade_of_web(purpose: &str, batches: &Value) -> Change {
    let spec = json!({
        "mode": "Upgrade", "kind": "Deployment", "target": "web-v2", "sources": ["web-v1"], "originalSize": 4,
        "targetStart": 0, "targetSize": 4, "batches": batches, "partition": null, "strategy": "IncreaseFirst",
    });
    claim("web", 1, &spec, purpose, "Running")
}

fn claim(component: &str, epoch: u64, spec: &Value, purpose: &str, outcome: &str) -> Change {
    let run = json!({
        "spec": spec, "purpose": purpose, "outcome": outcome, "by": "ci", "started": "2026-03-01T12:00:00Z",
    });
    let record = json!({"application": "shop", "component": component, "epoch": epoch, "run": run});
    let data = json!({"data": {"record": record.to_string()}});
    change("configmaps", &format!("rollout-{component}"), data)
}

fn creation_of_web() -> Change {
    let labels = json!({"app.oam.dev/component": "web"});
    change("deployments", "web-v1", json!({"metadata": {"labels": labels}, "spec": {"replicas": 1}}))
}
