//! Decisions about a run that are carried out after another run has followed: they do nothing and report it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rollout::driver::context::Context;
use rollout::driver::outcome::{ComponentOutcome, FailureKind};
use rollout::driver::request::{Gate, Intent, Overrides, RolloutRequest};
use rollout::oam::kind::WorkloadKind;
use rollout::ops::delete::{self, DeleteExtent, Inventory, Removed, Scope, inventory};
use rollout::ops::prune::{self, PruneEvent, Pruning};
use rollout::plan::record::Record;
use rollout::report::event::EventKind;
use rollout::sandbox::fault::{RequestInfo, Verb, Verdict};

use crate::support::command::Command;
use crate::support::delayed_request::DelayedRequest;
use crate::support::fault::{Fate, PASS, no_leader};
use crate::support::manifest::{NAMESPACE, component, request_for, web};
use crate::support::pod_rules;
use crate::support::process::{Process, Run};
use crate::support::scenario::{dying_at_effect, process};
use crate::support::test_cluster::TestCluster;

async fn released() -> TestCluster {
    let cluster = TestCluster::open(pod_rules::READY).await;
    cluster.apply(&[web(1, 2)]).await;
    cluster
}

async fn take(cluster: &TestCluster, component: Option<&str>) -> Inventory {
    let scope = Scope {
        namespace: NAMESPACE.to_owned(),
        application: "shop".to_owned(),
        component: component.map(str::to_owned),
    };
    let taken = std::cell::RefCell::new(None);
    let work = async |context: &Context| {
        taken.replace(Some(inventory::take(&context.session, &scope).await.unwrap()));
        Vec::new()
    };
    cluster.perform(&process(), work).await;
    taken.into_inner().unwrap()
}

async fn remove(cluster: &TestCluster, inventory: &Inventory, extent: DeleteExtent) -> Run {
    let work = async |context: &Context| {
        let removed = delete::delete(context, inventory, extent, |_| {}).await;
        match removed {
            Ok(Removed::Everything) => Vec::new(),
            Ok(Removed::Overtaken(failure)) | Err(failure) => {
                vec![("web".to_owned(), ComponentOutcome::Failed(failure))]
            }
        }
    };
    cluster.perform(&Process::new("remover"), work).await
}

/// The component is rolled out again between the decision and its deletion.
#[tokio::test(start_paused = true)]
async fn a_removal_does_not_delete_components_claimed_since() {
    for component in [None, Some("web")] {
        for extent in [DeleteExtent::Scope, DeleteExtent::Inventory] {
            let cluster = released().await;
            let inventory = take(&cluster, component).await;
            cluster.apply(&[web(2, 2)]).await;
            let removed = remove(&cluster, &inventory, extent).await;
            let kinds: Vec<FailureKind> = removed.failures().iter().map(|failure| failure.kind).collect();
            assert_eq!(kinds, [FailureKind::Superseded], "{}", removed.transcript());
            assert!(removed.effects().is_empty(), "{}", removed.transcript());
            assert_eq!(cluster.sizes(), [("web-v2".to_owned(), 2)]);
        }
    }
}

/// A run in progress applies again what another process is about to prune, which waits for it.
#[tokio::test(start_paused = true)]
async fn pruning_in_line_keeps_what_the_run_before_it_has_claimed() {
    let cluster = TestCluster::open(pod_rules::slow("db:2", "20s")).await;
    let api = || component("api", 1, 1);
    let all = |version| [api(), component("db", version, 1), web(version, 2).depends_on("db")];
    cluster.apply(&all(1)).await;
    let inventories = vec![take(&cluster, Some("web")).await];
    let pruning = Pruning { inventories, extent: DeleteExtent::Scope };
    let request = [request_for(&[api()])];
    let (first, reports) = (process(), std::cell::RefCell::new(Vec::new()));
    let prune = async |context: &Context| {
        let report = |event: PruneEvent<'_>| reports.borrow_mut().push(format!("{event:?}"));
        prune::prune(context, &request, &pruning, report).await.unwrap();
        Vec::new()
    };
    let request_of_all = request_for(&all(2));
    let (run, _) = tokio::join!(cluster.run(&first, &request_of_all), async {
        first.heard(1, |what| matches!(what, EventKind::WorkloadScaled { .. })).await;
        cluster.perform(&Process::new("pruner"), prune).await
    });
    assert!(run.is_success(), "{}", run.transcript());
    assert!(reports.borrow().iter().any(|report| report.contains("Waiting")), "{reports:?}");
    assert!(reports.borrow().iter().any(|report| report.starts_with("Skipped")), "{reports:?}");
    let size = |name: &str, size| (name.to_owned(), size);
    assert_eq!(cluster.sizes(), [size("api-v1", 1), size("db-v2", 1), size("web-v2", 2)]);
}

/// An object that is created after the list was confirmed is not confirmed.
#[tokio::test(start_paused = true)]
async fn objects_that_were_not_confirmed_are_kept() {
    let cluster = released().await;
    let mut inventory = take(&cluster, None).await;
    let unseen = inventory.objects.remove(0);
    let removed = remove(&cluster, &inventory, DeleteExtent::Inventory).await;
    let failures = removed.failures();
    assert!(
        failures[0].reason.contains("was created after the deletion was confirmed"),
        "{}",
        removed.transcript()
    );
    assert_eq!(cluster.sizes(), [("web-v1".to_owned(), 2)], "{unseen}");
    let removed = remove(&cluster, &take(&cluster, None).await, DeleteExtent::Inventory).await;
    assert!(removed.failures().is_empty(), "{}", removed.transcript());
    assert!(cluster.sizes().is_empty() && cluster.record("web").is_none());
}

/// A run that starts at any request of a removal keeps the objects that it created.
#[tokio::test(start_paused = true)]
async fn a_removal_superseded_at_any_request_deletes_nothing_of_the_later_run() {
    let requests = {
        let cluster = released().await;
        let removed = remove(&cluster, &take(&cluster, Some("web")).await, DeleteExtent::Scope).await;
        assert!(removed.failures().is_empty(), "{}", removed.transcript());
        removed.requests.len()
    };
    for index in 0..requests {
        crate::support::trial::case(&format!("overtaken at request {index}"));
        let cluster = released().await;
        let inventory = take(&cluster, Some("web")).await;
        let reached = std::sync::Arc::new(tokio::sync::Notify::new());
        let told = reached.clone();
        let remover = Process::with("remover", move |seen| {
            if seen.index == index {
                told.notify_one();
            }
            crate::support::fault::PASS
        });
        let work = async |context: &Context| {
            drop(delete::delete(context, &inventory, DeleteExtent::Scope, |_| {}).await);
            Vec::new()
        };
        let (_, run) = tokio::join!(cluster.perform(&remover, work), async {
            reached.notified().await;
            // The same identity takes over at once.
            cluster.run(&Process::new("remover"), &request_for(&[web(2, 2)])).await
        });
        cluster.settle().await;
        if run.is_success() {
            assert_eq!(cluster.sizes(), [("web-v2".to_owned(), 2)], "{}", run.transcript());
            assert_eq!(cluster.record("web").unwrap()["run"]["outcome"], "Succeeded");
            let again = cluster.run(&process(), &request_for(&[web(2, 2)])).await;
            assert!(again.is_success() && again.writes().is_empty(), "{}", again.transcript());
        }
    }
}

/// The Lease is read before each deletion; while it cannot be read, nothing is deleted.
#[tokio::test(start_paused = true)]
async fn nothing_is_removed_while_the_lease_or_the_record_cannot_be_read() {
    for kind in ["leases", "configmaps"] {
        let cluster = released().await;
        let inventory = take(&cluster, Some("web")).await;
        let out = Duration::from_secs(20);
        let (clock, down) = (cluster.clock.clone(), cluster.clock.elapsed().unsigned_abs() + out);
        let is_read = move |seen: &RequestInfo| seen.verb == Verb::Get && seen.kind == kind;
        // The first read finds the Lease free.
        let reads = AtomicUsize::new(usize::from(kind == "configmaps"));
        let remover = Process::with("remover", move |seen| {
            let is_out = is_read(seen) && reads.fetch_add(1, Ordering::Relaxed) > 0;
            if is_out && clock.elapsed().unsigned_abs() < down {
                return no_leader();
            }
            PASS
        });
        let work = async |context: &Context| {
            let removed = delete::delete(context, &inventory, DeleteExtent::Scope, |_| {}).await;
            assert!(matches!(removed, Ok(Removed::Everything)), "{removed:?}");
            Vec::new()
        };
        let run = cluster.perform(&remover, work).await;
        let early = run
            .effects()
            .into_iter()
            .filter(|request| request.seen.verb == Verb::Delete && request.at < down);
        assert_eq!(early.count(), 0, "{kind}: {}", run.transcript());
        assert!(cluster.sizes().is_empty() && cluster.record("web").is_none());
    }
}

/// A removal ends the run that it interrupts, and keeps the outcome of one that has ended.
#[tokio::test(start_paused = true)]
async fn a_removal_records_how_the_run_ended() {
    for (partition, outcome) in [(Some(0), "Superseded"), (None, "Succeeded")] {
        let cluster = released().await;
        let upgrade = web(2, 2).batches(&["1", "1"]);
        cluster.apply(&[partition.map_or(upgrade.clone(), |batch| upgrade.partition(batch))]).await;
        let remover = Process::with("remover", |seen| {
            let is_claim = seen.verb == Verb::Patch && seen.name.as_deref() == Some("rollout-web");
            if is_claim { Fate::DeathAfter } else { PASS }
        });
        let run = Command::Delete.run(&cluster, &remover).await;
        assert!(run.ends.is_none(), "it did not die\n{}", run.transcript());
        assert_eq!(cluster.record("web").unwrap()["run"]["outcome"], outcome);
        assert!(Command::Delete.run(&cluster, &process()).await.is_success());
    }
}

/// The application's other components need its Lease as well.
#[tokio::test(start_paused = true)]
async fn the_lease_is_deleted_with_the_last_component() {
    let cluster = TestCluster::open(pod_rules::READY).await;
    cluster.apply(&[web(1, 2), component("db", 1, 1)]).await;
    assert!(Command::DeleteComponent.run(&cluster, &process()).await.is_success());
    assert_eq!(cluster.objects("Lease").len(), 1);
    let cluster = released().await;
    assert!(Command::DeleteComponent.run(&cluster, &process()).await.is_success());
    assert_eq!(cluster.objects("Lease").len(), 0);
}

/// The record shows whether a component was claimed since; if it cannot be read, nothing is deleted.
#[tokio::test(start_paused = true)]
async fn components_with_unreadable_records_are_kept() {
    let cluster = released().await;
    let inventory = take(&cluster, Some("web")).await;
    let remover = Process::with("remover", move |seen| {
        let is_record = seen.verb == Verb::Get && seen.kind == "configmaps";
        if is_record { no_leader() } else { PASS }
    });
    let work = async |context: &Context| {
        let removed = delete::delete(context, &inventory, DeleteExtent::Scope, |_| {}).await;
        assert!(matches!(&removed, Err(failure) if failure.kind == FailureKind::Cluster), "{removed:?}");
        Vec::new()
    };
    let run = cluster.perform(&remover, work).await;
    let deletes = run.effects().into_iter().filter(|request| request.seen.verb == Verb::Delete);
    assert_eq!(deletes.count(), 0, "{}", run.transcript());
}

/// A command about one run is not applied to a later run.
#[tokio::test(start_paused = true)]
async fn commands_about_one_run_do_not_affect_the_next() {
    let kind = WorkloadKind::Deployment;
    let canary = |version| web(version, 2).batches(&["1", "1"]).partition(0);
    for intent in [
        Intent::Revision { reference: None, kind },
        Intent::Abort { kind },
        Intent::Recorded { gate: Gate::Next, kind },
    ] {
        let cluster = released().await;
        cluster.apply(&[canary(2)]).await;
        let record: Record = serde_json::from_value(cluster.record("web").unwrap()).unwrap();
        let asked =
            RolloutRequest::of_record(&record, NAMESPACE.to_owned(), intent.clone(), Overrides::default());
        cluster.apply(&[canary(3)]).await;
        let run = cluster.run(&Process::new("jane"), &asked).await;
        let kinds: Vec<FailureKind> = run.failures().iter().map(|failure| failure.kind).collect();
        assert_eq!(kinds, [FailureKind::Superseded], "{intent:?}: {}", run.transcript());
        assert!(run.effects().is_empty(), "{intent:?}: {}", run.transcript());
        assert_eq!(cluster.record("web").unwrap()["run"]["spec"]["target"], "web-v3");
    }
}

/// A run that changes only other objects than workloads is a run as well.
#[tokio::test(start_paused = true)]
async fn an_abort_of_one_run_keeps_the_objects_of_the_next() {
    let cluster = TestCluster::open(pod_rules::READY).await;
    cluster.apply(&[web(1, 2).behind_host("a.example.com")]).await;
    cluster.apply(&[web(2, 2).behind_host("a.example.com").batches(&["1", "1"]).partition(0)]).await;
    let dead = dying_at_effect(2, || Fate::DeathAfter);
    assert_eq!(Command::Abort.run(&cluster, &dead).await.ends, None);
    assert_eq!(cluster.record("web").unwrap()["run"]["purpose"], "Abort");
    let aborter = Process::new("jane");
    let read = DelayedRequest::of_answer(|request| request.uri().path().ends_with("/controllerrevisions"));
    let client = cluster.delayed_client(&aborter, read.clone());
    let abort = async |context: &Context| Command::Abort.perform_all(context).await;
    let next = async {
        read.reached().await;
        cluster.apply(&[web(1, 2).behind_host("b.example.com")]).await;
        read.release();
    };
    let (aborted, ()) = tokio::join!(aborter.perform(client, &cluster.clock, abort), next);
    let kinds: Vec<FailureKind> = aborted.failures().iter().map(|failure| failure.kind).collect();
    assert_eq!(kinds, [FailureKind::Superseded], "{}", aborted.transcript());
    let host = &cluster.objects("Ingress")[0]["spec"]["rules"][0]["host"];
    assert_eq!(host, "b.example.com", "{}", aborted.transcript());
}

/// A run that is held after its first batch.
async fn held() -> TestCluster {
    let cluster = released().await;
    let held = web(2, 2).batches(&["1", "1"]).partition(0);
    cluster.run(&process(), &request_for(&[held])).await.succeeded();
    cluster
}

/// A command whose claim was accepted but not answered recognises that claim as its own.
#[tokio::test(start_paused = true)]
async fn a_command_is_not_superseded_by_its_own_unanswered_claim() {
    for command in [Command::Abort, Command::Undo, Command::UndoNow, Command::Promote] {
        let cluster = held().await;
        let is_claim = |seen: &RequestInfo| {
            seen.verb == Verb::Patch
                && seen.kind == "configmaps"
                && seen.name.as_deref() == Some("rollout-web")
        };
        let claims = AtomicUsize::new(0);
        let process = Process::with("jane", move |seen| {
            let is_first = is_claim(seen) && claims.fetch_add(1, Ordering::Relaxed) == 0;
            if is_first { Fate::Verdict(Verdict::ResetAfterApplying) } else { PASS }
        });
        let run = command.run(&cluster, &process).await;
        assert!(run.is_success(), "{command:?}\n{}", run.transcript());
    }
}

/// A run is resumed that meanwhile was replaced by another, which is paused.
#[tokio::test(start_paused = true)]
async fn a_late_resume_does_not_end_a_later_pause() {
    let cluster = held().await;
    Command::Pause.run(&cluster, &Process::new("joe")).await;
    let jane = Process::new("jane");
    let amends = DelayedRequest::new(|request| {
        request.method() != http::Method::GET && request.uri().path().ends_with("/configmaps/rollout-web")
    });
    let client = cluster.delayed_client(&jane, amends.clone());
    let resumed =
        jane.perform(client, &cluster.clock, async |context| Command::Resume.perform_all(context).await);
    let (run, ()) = tokio::join!(resumed, async {
        amends.reached().await;
        Command::Undo.run(&cluster, &Process::new("joe")).await.succeeded();
        let next = web(3, 2).batches(&["1", "1"]).partition(0);
        cluster.run(&Process::new("joe"), &request_for(&[next])).await.succeeded();
        Command::Pause.run(&cluster, &Process::new("joe")).await;
        amends.release();
    });
    assert_eq!(run.failures()[0].kind, FailureKind::Superseded, "{}", run.transcript());
    assert!(cluster.record("web").unwrap()["run"]["paused"].is_object());
}
