//! Targets of rollbacks; no rollback removes ready pods before their replacements are ready.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Patch, PatchParams};
use rollout::driver::context::OnFailure;
use rollout::plan::run::LeaseScope;
use rollout::report::event::EventKind;
use rollout::report::message::RESUME_HINT;
use rollout::sandbox::fault::{Verb, Verdict, WatchFault};
use serde_json::Value;

use crate::support::command::Command;
use crate::support::fault::{Fate, PASS};
use crate::support::manifest::{Component, component, request_for, web};
use crate::support::process::{Process, Run};
use crate::support::scenario::{IDENTITY, impatient, process};
use crate::support::test_cluster::TestCluster;
use crate::support::trial::case;
use crate::support::{invariants, pod_rules};

/// Pods of the second revision and later ones never become ready.
const FIRST_WORKS: &str = "- {image: '*:1', readyAfter: 50ms}\n- {image: '*', fail: NeverReady}";

async fn apply(cluster: &TestCluster, manifest: Component) -> Run {
    cluster.run(&impatient(), &request_for(&[manifest])).await
}

async fn done(cluster: &TestCluster, manifest: Component) {
    apply(cluster, manifest).await.succeeded();
}

/// The images and sizes of the component's workloads.
fn workloads(cluster: &TestCluster) -> Vec<(String, u64)> {
    let all = cluster.all_objects().into_iter();
    let workloads = all.filter(|object| {
        let is_kind = matches!(object["kind"].as_str(), Some("Deployment" | "StatefulSet" | "CloneSet"));
        is_kind && object["metadata"]["labels"]["app.oam.dev/component"] == "web"
    });
    let image = |object: &Value| object["spec"]["template"]["spec"]["containers"][0]["image"].clone();
    let line = |object: Value| {
        (image(&object).as_str().unwrap().to_owned(), object["spec"]["replicas"].as_u64().unwrap())
    };
    workloads.map(line).collect()
}

/// The commands that roll back a run in progress.
const COMMANDS: [Command; 3] = [Command::Abort, Command::Undo, Command::UndoNow];

/// Rolls back and checks the history: no fewer than `size` pods are ready meanwhile.
async fn rolls_back(cluster: &TestCluster, command: Command, size: u32) {
    let from = cluster.mark().await;
    command.run(cluster, &process()).await.succeeded();
    cluster.settle().await;
    invariants::check(&cluster.history(), from, &[web(1, size).allowance()]);
}

#[tokio::test(start_paused = true)]
async fn a_decrease_first_run_is_rolled_back_without_losing_a_pod() {
    for command in COMMANDS {
        case(&format!("{command:?}"));
        let cluster = TestCluster::open(pod_rules::READY).await;
        done(&cluster, web(1, 5)).await;
        done(&cluster, web(2, 5).batches(&["2", "3"]).decrease_first().partition(0)).await;
        rolls_back(&cluster, command, 5).await;
        assert_eq!(workloads(&cluster), [("web:1".to_owned(), 5)]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_finished_decrease_first_run_is_rolled_back_without_losing_a_pod() {
    for command in [Command::Undo, Command::UndoNow] {
        let cluster = TestCluster::open(pod_rules::READY).await;
        done(&cluster, web(1, 5)).await;
        done(&cluster, web(2, 5).decrease_first()).await;
        rolls_back(&cluster, command, 5).await;
        assert_eq!(workloads(&cluster), [("web:1".to_owned(), 5)]);
    }
}

/// The first revision works with three pods; the next, with thirty, does not.
#[tokio::test(start_paused = true)]
async fn a_failed_run_is_rolled_back_to_the_size_from_before_it() {
    for command in COMMANDS {
        let cluster = TestCluster::open(FIRST_WORKS).await;
        done(&cluster, web(1, 3)).await;
        assert!(!apply(&cluster, web(2, 30).batches(&["3", "27"])).await.is_success());
        rolls_back(&cluster, command, 3).await;
        assert_eq!(workloads(&cluster), [("web:1".to_owned(), 3)], "{command:?}");
    }
}

/// A run that succeeded keeps the size that it was scaled to since.
#[tokio::test(start_paused = true)]
async fn a_finished_run_is_rolled_back_in_its_current_size() {
    let cluster = TestCluster::open(pod_rules::READY).await;
    done(&cluster, web(1, 3)).await;
    done(&cluster, web(2, 3)).await;
    Command::Scale(5).run(&cluster, &process()).await.succeeded();
    rolls_back(&cluster, Command::Undo, 5).await;
    assert_eq!(workloads(&cluster), [("web:1".to_owned(), 5)]);
}

#[tokio::test(start_paused = true)]
async fn failed_revisions_are_no_rollback_targets_in_place() {
    for kind in ["statefulset", "cloneset-service"] {
        for command in COMMANDS {
            case(&format!("{kind} {command:?}"));
            let cluster = TestCluster::open(FIRST_WORKS).await;
            done(&cluster, web(1, 5).of(kind)).await;
            for version in [2, 3] {
                let tried = web(version, 5).batches(&["2", "3"]).max_unavailable(0).of(kind);
                assert!(!apply(&cluster, tried).await.is_success());
            }
            let run = command.run(&cluster, &process()).await;
            // A StatefulSet does not replace a pod while an earlier one never became ready; the error explains what to
            // do.
            assert!(run.is_success() || kind == "statefulset", "{}", run.transcript());
            assert_eq!(workloads(&cluster), [("web:1".to_owned(), 5)]);
            assert_eq!(cluster.record("web").unwrap()["run"]["spec"]["target"], "web-v1");
        }
    }
}

/// Scales are runs as well, and the record keeps ten runs.
#[tokio::test(start_paused = true)]
async fn the_last_successful_revision_is_known_after_ten_scales() {
    let cluster = TestCluster::open(pod_rules::failing("*:2", "NeverReady")).await;
    done(&cluster, web(1, 3)).await;
    assert!(!apply(&cluster, web(2, 3).batches(&["1", "2"])).await.is_success());
    done(&cluster, web(3, 3)).await;
    for index in 0..12 {
        Command::Scale(3 + 2 * (1 - index % 2)).run(&cluster, &process()).await.succeeded();
    }
    Command::Undo.run(&cluster, &process()).await.succeeded();
    assert_eq!(workloads(&cluster), [("web:1".to_owned(), 3)]);
}

/// Revisions that a rollback needs are not pruned, regardless of how many followed.
#[tokio::test(start_paused = true)]
async fn the_revision_that_worked_before_is_never_pruned() {
    let cluster = TestCluster::open(FIRST_WORKS).await;
    done(&cluster, web(1, 1)).await;
    for version in 2..=15 {
        assert!(!apply(&cluster, web(version, 1)).await.is_success());
    }
    cluster.set_pod_rules(pod_rules::READY);
    done(&cluster, web(16, 1)).await;
    Command::Undo.run(&cluster, &process()).await.succeeded();
    assert_eq!(workloads(&cluster), [("web:1".to_owned(), 1)]);
}

/// A scale repairs a size that was changed by hand; rolling it back does not change the revision.
#[tokio::test(start_paused = true)]
async fn the_repair_of_a_finished_run_is_a_scale() {
    for kind in ["webservice", "statefulset", "cloneset-service"] {
        case(kind);
        let cluster = TestCluster::open(pod_rules::READY).await;
        done(&cluster, web(1, 3).of(kind)).await;
        done(&cluster, web(2, 3).batches(&["1", "2"]).of(kind)).await;
        scale_by_hand(&cluster, kind, 1).await;
        cluster.settle().await;
        cluster.set_pod_rules(pod_rules::failing("*", "NeverReady"));
        let mut failing = impatient();
        failing.limits.on_failure = OnFailure::Undo;
        let run = cluster.run(&failing, &request_for(&[web(2, 3).batches(&["1", "2"]).of(kind)])).await;
        assert!(!run.is_success(), "{}", run.transcript());
        let images: Vec<String> = workloads(&cluster).into_iter().map(|(image, _)| image).collect();
        assert_eq!(images, ["web:2"], "{}", run.transcript());
        let record = cluster.record("web").unwrap();
        let runs: Vec<&Value> =
            record["past"].as_array().unwrap().iter().map(|run| &run["spec"]["mode"]).collect();
        assert!(runs.contains(&&Value::from("Scale")), "{runs:?}");
    }
}

async fn scale_by_hand(cluster: &TestCluster, kind: &str, replicas: u32) {
    use kube::api::{Patch, PatchParams};
    use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
    let (group, version, name, object) = match kind {
        "webservice" => ("apps", "v1", "Deployment", "web-v2"),
        "statefulset" => ("apps", "v1", "StatefulSet", "web"),
        _ => ("apps.kruise.io", "v1alpha1", "CloneSet", "web"),
    };
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, name));
    let api: kube::Api<DynamicObject> = kube::Api::default_namespaced_with(cluster.client(), &resource);
    let patch = Patch::Merge(serde_json::json!({"spec": {"replicas": replicas}}));
    api.patch(object, &PatchParams::default(), &patch).await.unwrap();
}

/// The rollback of one component does not wait for the others, and happens under the Lease of the failed run.
#[tokio::test(start_paused = true)]
async fn a_failed_component_is_rolled_back_while_its_siblings_continue() {
    use crate::support::manifest::component;
    use rollout::report::event::EventKind;
    let cluster = TestCluster::open(pod_rules::READY).await;
    let release = |version: u32| [component("api", version, 2), web(version, 2)];
    cluster.apply(&release(1)).await;
    cluster.set_pod_rules("- {image: 'web:2', fail: NeverReady}\n- {image: 'api:2', readyAfter: 5m}\n- {image: '*', readyAfter: 50ms}");
    let mut process = Process::new(IDENTITY);
    (process.limits.batch, process.limits.on_failure) = (Duration::from_secs(400), OnFailure::Undo);
    let manifest = [component("api", 2, 2).batches(&["1", "1"]), web(2, 2)];
    let run = cluster.run(&process, &request_for(&manifest)).await;
    let ended = |name: &str| {
        let is_end = |what: &EventKind| matches!(what, EventKind::Succeeded { .. });
        let ends =
            run.events.iter().filter(|event| event.component.as_deref() == Some(name) && is_end(&event.what));
        ends.map(|event| event.elapsed).next().unwrap_or_else(|| panic!("{name}: {}", run.transcript()))
    };
    assert!(ended("web") < ended("api"), "the rollback waited: {}", run.transcript());
    let leases = run.requests.iter().filter(|request| {
        request.seen.kind == "leases" && request.seen.verb == rollout::sandbox::fault::Verb::Create
    });
    assert!(leases.count() <= 1);
    assert_eq!(run.failures().len(), 1, "the failed run stays failed");
    assert_eq!(cluster.sizes(), [("api-v2".to_owned(), 2), ("web-v1".to_owned(), 2)]);
    assert_eq!(cluster.record("web").unwrap()["run"]["purpose"], "Abort");
    assert_eq!(cluster.record("web").unwrap()["run"]["lease"], serde_json::json!(LeaseScope::Application));
}

/// Like a promotion, an abort changes nothing of a component at rest.
#[tokio::test(start_paused = true)]
async fn a_rerun_of_a_completed_abort_repairs_no_size() {
    let cluster = TestCluster::open(FIRST_WORKS).await;
    done(&cluster, web(1, 3)).await;
    assert!(!apply(&cluster, web(2, 3)).await.is_success());
    Command::Abort.run(&cluster, &process()).await.succeeded();
    let api: kube::Api<Deployment> = kube::Api::default_namespaced(cluster.client());
    let patch = Patch::Merge(serde_json::json!({"spec": {"replicas": 5}}));
    api.patch("web-v1", &PatchParams::default(), &patch).await.unwrap();
    cluster.settle().await;
    let again = Command::Abort.run(&cluster, &process()).await.succeeded();
    assert!(again.effects().is_empty(), "{}", again.transcript());
    assert_eq!(cluster.sizes(), [("web-v1".to_owned(), 5)]);
}

/// Another run takes over at the moment of the failure; it is not rolled back.
#[tokio::test(start_paused = true)]
async fn a_rollback_is_bound_to_the_run_that_failed() {
    let cluster = TestCluster::open(FIRST_WORKS).await;
    done(&cluster, web(1, 3)).await;
    // The write that records the failure is the last before the rollback reads it.
    let (mut failing, jane) = (impatient(), Process::new("jane"));
    failing.limits.on_failure = OnFailure::Undo;
    let manifest = request_for(&[web(2, 3)]);
    let (run, taken) = tokio::join!(cluster.run(&failing, &manifest), async {
        failing.heard(1, |what| matches!(what, EventKind::WorkloadScaled { .. })).await;
        cluster.set_pod_rules(pod_rules::failing("*:2", "NeverReady"));
        Command::UndoTo("v1").run(&cluster, &jane).await
    });
    assert!(taken.is_success(), "{}", taken.transcript());
    assert!(!run.is_success());
    let record = cluster.record("web").unwrap();
    assert_eq!((&record["run"]["by"], &record["run"]["outcome"]), (&"jane".into(), &"Succeeded".into()));
}

/// A first release cannot be rolled back, and no rollback is announced.
#[tokio::test(start_paused = true)]
async fn a_first_release_is_not_rolled_back() {
    for manifest in [web(2, 2), web(2, 2).plain()] {
        let cluster = TestCluster::open(FIRST_WORKS).await;
        let mut first = impatient();
        first.limits.on_failure = OnFailure::Undo;
        let run = cluster.run(&first, &request_for(&[manifest])).await;
        let hints = &run.failures()[0].hints;
        assert_eq!(hints[0], RESUME_HINT, "{hints:?}");
        assert_eq!(workloads(&cluster), [("web:2".to_owned(), 2)], "{}", run.transcript());
    }
}

/// The run is paused, and its process observes the pause only after the deadline: the run stays paused.
#[tokio::test(start_paused = true)]
async fn a_paused_run_is_not_rolled_back() {
    let cluster = TestCluster::open(FIRST_WORKS).await;
    done(&cluster, web(1, 3)).await;
    let mut failing = Process::with("ci", |seen| match (seen.verb, seen.kind.as_str()) {
        (Verb::Watch, "configmaps") => Fate::Verdict(Verdict::Watch(WatchFault::Silent)),
        _ => PASS,
    });
    (failing.limits.batch, failing.limits.on_failure) = (Duration::from_secs(10), OnFailure::Undo);
    let (manifest, joe) = (request_for(&[web(2, 3).batches(&["1", "2"])]), Process::new("joe"));
    let (run, paused) = tokio::join!(cluster.run(&failing, &manifest), async {
        failing.heard(1, |what| matches!(what, EventKind::WorkloadScaled { .. })).await;
        Command::Pause.run(&cluster, &joe).await
    });
    assert!(paused.is_success(), "{}", paused.transcript());
    assert!(!run.is_success(), "{}", run.transcript());
    let record = cluster.record("web").unwrap();
    assert_eq!(
        (&record["run"]["purpose"], &record["run"]["paused"]["by"]),
        (&"Forward".into(), &"joe".into())
    );
    assert_eq!(cluster.sizes(), [("web-v1".to_owned(), 3), ("web-v2".to_owned(), 1)]);
}

/// The Service is rolled back with the pods, for every kind of rollback.
#[tokio::test(start_paused = true)]
async fn the_service_is_rolled_back_with_the_pods() {
    let ports = |cluster: &TestCluster| -> Vec<Value> {
        let services = cluster.objects("Service").into_iter().filter(|one| one["metadata"]["name"] == "web");
        services.map(|service| service["spec"]["ports"][0]["port"].clone()).collect()
    };
    for command in [None, Some(Command::Abort), Some(Command::Undo), Some(Command::UndoNow)] {
        let cluster = TestCluster::open(FIRST_WORKS).await;
        done(&cluster, web(1, 3).exposing(80)).await;
        let from = cluster.mark().await;
        let mut failing = impatient();
        if command.is_none() {
            failing.limits.on_failure = OnFailure::Undo;
        }
        let run = cluster.run(&failing, &request_for(&[web(2, 3).batches(&["1", "2"]).exposing(8080)])).await;
        assert!(!run.is_success(), "{}", run.transcript());
        if let Some(command) = command {
            command.run(&cluster, &process()).await.succeeded();
        }
        cluster.settle().await;
        invariants::check(&cluster.history(), from, &[web(2, 3).allowance()]);
        assert_eq!(workloads(&cluster), [("web:1".to_owned(), 3)], "{command:?}");
        assert_eq!(ports(&cluster), [80], "{command:?}");
    }
}

/// A rollback does not wait again at workflow steps that the run has passed.
#[tokio::test(start_paused = true)]
async fn a_rollback_does_not_wait_in_the_workflow() {
    let cluster = TestCluster::open(FIRST_WORKS).await;
    let version = |version| {
        let step = "{name: later, type: suspend, properties: {duration: 30m}}";
        [component("api", 1, 1), web(version, 2).behind(step)]
    };
    cluster.run(&process(), &request_for(&version(1))).await.succeeded();
    let mut process = impatient();
    process.limits.on_failure = OnFailure::Undo;
    let begun = cluster.clock.elapsed();
    let run = cluster.run(&process, &request_for(&version(2))).await;
    let lasted = (cluster.clock.elapsed() - begun).unsigned_abs();
    assert!(lasted < Duration::from_secs(45 * 60), "{lasted:?}\n{}", run.transcript());
    assert_eq!(cluster.sizes(), [("api-v1".to_owned(), 1), ("web-v1".to_owned(), 2)]);
}

/// A release that never completed has a requested size, but no size before it.
#[tokio::test(start_paused = true)]
async fn a_rollback_past_an_unfinished_release_keeps_its_size() {
    let cluster = TestCluster::open(FIRST_WORKS).await;
    done(&cluster, web(1, 4).batches(&["1", "3"]).partition(0)).await;
    assert!(!apply(&cluster, web(2, 4)).await.is_success());
    Command::UndoTo("v1").run(&cluster, &process()).await.succeeded();
    assert_eq!(workloads(&cluster), [("web:1".to_owned(), 4)]);
}

/// Another user deletes pods that the rollback would replace, so the run's batches no longer fit.
#[tokio::test(start_paused = true)]
async fn a_rollback_does_not_reuse_batches_that_do_not_fit() {
    let cluster = TestCluster::open(pod_rules::READY).await;
    done(&cluster, web(1, 5)).await;
    done(&cluster, web(2, 5).batches(&["2", "3"]).partition(0)).await;
    let deployments: kube::Api<k8s_openapi::api::apps::v1::Deployment> =
        kube::Api::default_namespaced(cluster.client());
    deployments.delete("web-v2", &kube::api::DeleteParams::default()).await.unwrap();
    cluster.settle().await;
    Command::Undo.run(&cluster, &process()).await.succeeded();
    assert_eq!(workloads(&cluster), [("web:1".to_owned(), 5)]);
}

/// With one object for all revisions, fields are set and removed with the revision that has them.
#[tokio::test(start_paused = true)]
async fn fields_of_a_revision_are_removed_with_it() {
    for kind in ["statefulset", "cloneset-service"] {
        case(kind);
        let cluster = TestCluster::open(pod_rules::READY).await;
        let patched = web(2, 2)
            .of(kind)
            .with_trait("{type: json-merge-patch, properties: {spec: {minReadySeconds: 1}}}");
        let has_field = || {
            let objects = cluster.all_objects().into_iter();
            let mut found =
                objects.filter(|one| matches!(one["kind"].as_str(), Some("StatefulSet" | "CloneSet")));
            found.next().unwrap()["spec"].get("minReadySeconds").is_some_and(|seconds| *seconds != 0)
        };
        done(&cluster, web(1, 2).of(kind)).await;
        assert!(!has_field());
        done(&cluster, patched).await;
        assert!(has_field());
        Command::Undo.run(&cluster, &process()).await.succeeded();
        assert!(!has_field());
    }
}
