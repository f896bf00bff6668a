//! Preflight checks: what would stop a run is reported before its first write, by `plan` and by the run.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use kube::Client;

use rollout::cluster::session::{Session, Timeouts};
use rollout::driver::outcome::FailureKind;
use rollout::driver::preview::preview_request;
use rollout::report::event::EventKind;
use rollout::sandbox::fault::{RequestInfo, Verb, Verdict};
use serde_json::{Value, json};

use crate::support::fault::{Fate, PASS, answer, status};
use crate::support::manifest::{Component, component, request_for, request_for_entries, web};
use crate::support::pod_rules;
use crate::support::process::{Process, Run};
use crate::support::scenario::{Act, IDENTITY, Scenario};
use crate::support::scenarios::{self, scenario};
use crate::support::tapped_client;
use crate::support::test_cluster::TestCluster;

/// A process that gets these responses to some requests.
fn answering(script: impl Fn(&RequestInfo) -> Option<Response<Bytes>> + Send + Sync + 'static) -> Process {
    Process::with(IDENTITY, move |seen| {
        script(seen).map_or(PASS, |answer| Fate::Verdict(Verdict::Answer(answer)))
    })
}

/// A response that lists these objects of a kind.
fn listing(
    plural: &'static str,
    kind: &str,
    items: &Value,
) -> impl Fn(&RequestInfo) -> Option<Response<Bytes>> + Send + Sync + Clone + 'static {
    let body = json!({"kind": format!("{kind}List"), "apiVersion": "v1", "metadata": {}, "items": items});
    let body = body.to_string();
    move |seen| is(seen, Verb::List, plural).then(|| answer(200, "application/json", &body))
}

/// The server rejects pods.
fn rejecting_pods(
    code: u16,
    reason: &'static str,
    message: &'static str,
) -> impl Fn(&RequestInfo) -> Option<Response<Bytes>> + Send + Sync + Clone + 'static {
    move |seen| is(seen, Verb::Create, "pods").then(|| status(code, reason, message))
}

fn is(seen: &RequestInfo, verb: Verb, kind: &str) -> bool {
    seen.verb == verb && seen.kind == kind
}

fn warnings(run: &Run) -> Vec<String> {
    let told = run.events.iter().filter_map(|event| match &event.what {
        EventKind::Warned { message } => Some(message.clone()),
        _ => None,
    });
    told.collect()
}

/// The warnings of a scenario's plan, or the reason of its rejection.
async fn planned(
    cluster: &TestCluster,
    process: &Process,
    components: &[Component],
) -> Result<Vec<String>, String> {
    let client: Client = tapped_client::tapped(cluster.client(), process.tap.clone());
    let session = Session::new(client, cluster.clock.clone(), Timeouts::default());
    match preview_request(&session, &request_for(components)).await {
        Ok(forecasts) => Ok(forecasts.into_iter().flat_map(|forecast| forecast.warnings).collect()),
        Err(refused) => Err(refused[0].failure.reason.clone()),
    }
}

/// Plays a scenario up to its manifest; its run and plan get these responses.
async fn foreseen(
    scenario: &Scenario,
    script: impl Fn(&RequestInfo) -> Option<Response<Bytes>> + Send + Sync + Clone + 'static,
) -> (Run, Result<Vec<String>, String>) {
    let scene = scenario.open().await;
    let plan = planned(&scene.cluster, &answering(script.clone()), &scenario.manifest).await;
    let run = scenario.run(&scene, &answering(script)).await;
    (run, plan)
}

async fn warns(
    scenario: &Scenario,
    script: impl Fn(&RequestInfo) -> Option<Response<Bytes>> + Send + Sync + Clone + 'static,
    words: &str,
) {
    let (run, plan) = foreseen(scenario, script).await;
    assert!(run.is_success(), "{}", run.transcript());
    assert_eq!(warnings(&run), [words]);
    assert_eq!(plan.unwrap(), [words]);
    let position = |is_it: fn(&EventKind) -> bool| run.events.iter().position(|event| is_it(&event.what));
    let warned = position(|what| matches!(what, EventKind::Warned { .. }));
    assert!(
        warned < position(|what| matches!(what, EventKind::RunStarted { .. })),
        "it comes before the first write"
    );
}

async fn refuses(
    scenario: &Scenario,
    script: impl Fn(&RequestInfo) -> Option<Response<Bytes>> + Send + Sync + Clone + 'static,
    words: &str,
    hint: &str,
) {
    let (run, plan) = foreseen(scenario, script).await;
    let failure = run.failures()[0];
    assert_eq!(
        (failure.kind, failure.reason.as_str()),
        (FailureKind::Refused, words),
        "{}",
        run.transcript()
    );
    assert!(failure.hints[0].contains(hint), "{:?}", failure.hints);
    assert!(run.writes().is_empty(), "{}", run.transcript());
    assert_eq!(plan.unwrap_err(), words);
}

#[tokio::test(start_paused = true)]
async fn a_quota_that_the_peak_exceeds_is_a_warning() {
    let quota = |hard: Value, used: Value| json!([{"metadata": {"name": "few"}, "spec": {"hard": hard}, "status": {"hard": hard, "used": used}}]);
    let scenario = scenario("release", [], [web(1, 3), component("api", 1, 2)]);
    let items = quota(json!({"pods": "4", "count/deployments.apps": "9"}), json!({"pods": "0"}));
    let script = listing("resourcequotas", "ResourceQuota", &items);
    warns(
        &scenario,
        script,
        "resourcequota `few` limits `pods` to 4: 0 in use, and the run needs up to 5 more",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_sufficient_quota_is_not_mentioned() {
    let scenario = scenarios::named("upgrade");
    let hard = json!({"pods": "100", "count/deployments.apps": "2", "requests.cpu": "1"});
    let items = json!([{"metadata": {"name": "few"}, "spec": {"hard": hard}, "status": {
        "hard": hard, "used": {"pods": "0", "count/deployments.apps": "1"},
    }}]);
    let script = listing("resourcequotas", "ResourceQuota", &items);
    let (run, plan) = foreseen(&scenario, script).await;
    assert!(run.is_success() && warnings(&run).is_empty(), "{}", run.transcript());
    assert_eq!(plan.unwrap(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_autoscaler_is_rejected() {
    let items = json!([{"metadata": {"name": "auto"}, "spec": {
        "maxReplicas": 9, "scaleTargetRef": {"kind": "Deployment", "name": "web-v2", "apiVersion": "apps/v1"},
    }}]);
    let script = listing("horizontalpodautoscalers", "HorizontalPodAutoscaler", &items);
    let words = "horizontalpodautoscaler `auto` sets the size of deployment `web-v2`";
    refuses(&scenarios::named("upgrade"), script, words, "delete it for the duration of the rollout").await;
}

#[tokio::test(start_paused = true)]
async fn a_missing_namespace_is_rejected() {
    let script = |seen: &RequestInfo| {
        is(seen, Verb::Get, "namespaces").then(|| status(404, "NotFound", "namespaces \"default\" not found"))
    };
    let words = "namespace `default` does not exist";
    refuses(&scenarios::named("first_release"), script, words, "`kubectl create namespace default`").await;
}

const TEAM: &str = "{name: team, type: k8s-objects, properties: {objects: [{apiVersion: v1, kind: Namespace, \
     metadata: {name: team}}]}}";
const SETTINGS: &str = "{name: settings, type: k8s-objects, properties: {objects: [{apiVersion: v1, kind: ConfigMap, \
     metadata: {name: settings, namespace: team}}]}, dependsOn: [team]}";

fn is_settings(seen: &RequestInfo) -> bool {
    is(seen, Verb::Patch, "configmaps") && seen.name.as_deref() == Some("settings")
}

/// A server that rejects objects in the namespace `team` while it does not exist, which dry runs do not change.
fn without_team() -> Process {
    answering(|seen| {
        let is_tried = is_settings(seen) && seen.path.contains("dryRun=All");
        is_tried.then(|| status(404, "NotFound", "namespaces \"team\" not found"))
    })
}

#[tokio::test(start_paused = true)]
async fn an_object_in_a_missing_namespace_is_rejected() {
    let cluster = TestCluster::open(pod_rules::READY).await;
    let alone = SETTINGS.replace(", dependsOn: [team]", "");
    let run = cluster.run(&without_team(), &request_for_entries(&[&alone])).await;
    let failure = run.failures()[0];
    assert_eq!(failure.kind, FailureKind::Refused, "{}", run.transcript());
    assert_eq!(failure.reason, "configmap/settings: namespace `team` does not exist");
    assert_eq!(failure.hints, ["create the namespace first: `kubectl create namespace team`"]);
    assert_eq!(cluster.objects("ControllerRevision"), Vec::<Value>::new());
}

#[tokio::test(start_paused = true)]
async fn another_component_can_create_the_namespace() {
    let cluster = TestCluster::open(pod_rules::READY).await;
    cluster.run(&without_team(), &request_for_entries(&[SETTINGS, TEAM])).await.succeeded();
}

#[tokio::test(start_paused = true)]
async fn a_read_only_object_is_not_checked() {
    let cluster = TestCluster::open(pod_rules::READY).await;
    let mut process = answering(|seen| is_settings(seen).then(|| status(422, "Invalid", "no")));
    process.limits.batch = Duration::from_secs(10);
    let policy =
        "{name: p, type: read-only, properties: {rules: [{selector: {componentNames: [settings]}}]}}";
    let alone = SETTINGS.replace(", dependsOn: [team]", "");
    let run =
        cluster.run(&process, &request_for_entries(&[&format!("{alone}\n  policies: [{policy}]")])).await;
    let failure = run.failures()[0];
    assert_eq!(failure.kind, FailureKind::NotReady, "{}", run.transcript());
    assert!(failure.reason.ends_with("does not exist, and is not created"), "{failure:?}");
}

/// Without a dependency, the object may be applied before its namespace.
#[tokio::test(start_paused = true)]
async fn an_object_waits_for_the_namespace_that_another_component_creates() {
    let cluster = TestCluster::open(pod_rules::READY).await;
    let refused = Arc::new(AtomicUsize::new(0));
    let process = answering({
        let refused = Arc::clone(&refused);
        move |seen| {
            let is_early = is_settings(seen) && refused.fetch_add(1, Ordering::Relaxed) < 30;
            is_early.then(|| status(404, "NotFound", "namespaces \"team\" not found"))
        }
    });
    let alone = SETTINGS.replace(", dependsOn: [team]", "");
    cluster.run(&process, &request_for_entries(&[&alone, TEAM])).await.succeeded();
    assert!(refused.load(Ordering::Relaxed) > 30, "it was tried again until it was accepted");
}

#[tokio::test(start_paused = true)]
async fn pods_that_violate_a_limit_are_rejected() {
    let message =
        "pods \"web-v2-x\" is forbidden: maximum cpu usage per Container is 100m, but limit is 500m";
    let script = rejecting_pods(403, "Forbidden", message);
    let words = format!("pods of revision `web-v2` are rejected: {message}");
    refuses(&scenarios::named("upgrade"), script, &words, "kubectl describe limitrange").await;
}

#[tokio::test(start_paused = true)]
async fn pods_that_the_server_finds_invalid_are_rejected() {
    let message = "Pod \"web-v2-x\" is invalid: spec.priority: Invalid value: 7: must be 0";
    let script = rejecting_pods(422, "Invalid", message);
    let words = format!("pods of revision `web-v2` are rejected: {message}");
    refuses(&scenarios::named("upgrade"), script, &words, "correct component `web`").await;
}

/// The type of a pod cannot hold such a value, so only the server can report it.
#[tokio::test(start_paused = true)]
async fn pods_that_the_server_cannot_decode_are_rejected() {
    let cluster = TestCluster::open(pod_rules::READY).await;
    let patch = "{spec: {template: {spec: {terminationGracePeriodSeconds: soon}}}}";
    let entry = format!(
        "{{name: web, type: webservice, properties: {{image: 'web:1'}}, traits: [{{type: rollout, properties: \
         {{targetSize: 1}}}}, {{type: json-merge-patch, properties: {patch}}}]}}"
    );
    let run = cluster.run(&Process::new(IDENTITY), &request_for_entries(&[&entry])).await;
    let failure = run.failures()[0];
    assert_eq!(failure.kind, FailureKind::Refused, "{}", run.transcript());
    let words = "pods of revision `web-v1` are rejected: Pod in version \"v1\" cannot be handled as a Pod: ";
    assert!(failure.reason.starts_with(words), "{failure:?}");
    assert!(run.writes().is_empty(), "{}", run.transcript());
}

/// Only the server can validate what a trait patches, and a dry run of a pod accepts these values.
#[tokio::test(start_paused = true)]
async fn a_patched_workload_that_the_server_rejects_is_refused() {
    let cases = [
        ("webservice", "{spec: {minReadySecond: 5}}", "`web-v1` would be rejected: ", "minReadySecond"),
        ("webservice", "{spec: {template: {spec: {restartPolicy: Never}}}}", "`web-v1`", "restartPolicy"),
        (
            "statefulset",
            "{spec: {minReadySecond: 5}}",
            "statefulset `web` would be rejected: ",
            "minReadySecond",
        ),
    ];
    for (kind, patch, first, second) in cases {
        let cluster = TestCluster::open(pod_rules::READY).await;
        let entry = |traits: &str| {
            format!(
                "{{name: web, type: {kind}, properties: {{image: 'web:1'}}, traits: [{{type: rollout, properties: \
                 {{targetSize: 1}}}}{traits}]}}"
            )
        };
        let patched = entry(&format!(", {{type: json-merge-patch, properties: {patch}}}"));
        // The StatefulSet, which all revisions share, already exists.
        if kind == "statefulset" {
            cluster.run(&Process::new(IDENTITY), &request_for_entries(&[&entry("")])).await.succeeded();
        }
        let run = cluster.run(&Process::new(IDENTITY), &request_for_entries(&[&patched])).await;
        let failure = run.failures()[0];
        assert_eq!(failure.kind, FailureKind::Refused, "{}", run.transcript());
        assert!(failure.reason.contains(first) && failure.reason.contains(second), "{failure:?}");
        assert!(run.writes().is_empty(), "{}", run.transcript());
    }
}

/// The controller that creates the pods may be permitted.
#[tokio::test(start_paused = true)]
async fn pods_that_a_policy_denies_to_this_user_are_a_warning() {
    let message = "admission webhook \"pods.example\" denied the request: not for you";
    let script = rejecting_pods(403, "Forbidden", message);
    warns(
        &scenarios::named("upgrade"),
        script,
        &format!("pods of revision `web-v2` may be rejected: {message}"),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_webhook_without_dry_runs_blocks_nothing() {
    let message = "admission webhook \"a\" does not support dry run";
    let script = rejecting_pods(400, "BadRequest", message);
    let (run, plan) = foreseen(&scenarios::named("upgrade"), script).await;
    assert!(run.is_success() && warnings(&run).is_empty(), "{}", run.transcript());
    assert_eq!(plan.unwrap(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_budget_that_a_smaller_component_just_meets_is_a_warning() {
    let budget = |name: &str, least: u32, covers: u32| {
        json!({
            "metadata": {"name": name},
            "spec": {"minAvailable": least, "selector": {"matchLabels": {"app.oam.dev/component": "web"}}},
            "status": {"expectedPods": covers, "currentHealthy": 5, "desiredHealthy": least, "disruptionsAllowed": 1},
        })
    };
    let scenario = scenario("shrink", [Act::Apply(vec![web(1, 5)])], [web(1, 3)]);
    // A budget with room and one that also counts pods of others cause no warning.
    let items = json!([budget("tight", 3, 5), budget("wide", 2, 5), budget("shared", 3, 9)]);
    let script = listing("poddisruptionbudgets", "PodDisruptionBudget", &items);
    let words = "poddisruptionbudget `tight` requires 3 available pods, and component `web` will have 3: none of them can be \
                 evicted, which blocks draining their nodes";
    warns(&scenario, script, words).await;
}

/// All missing permissions are reported once, and never ignored.
#[tokio::test(start_paused = true)]
async fn missing_permissions_for_checks_are_reported_once() {
    let optional = ["horizontalpodautoscalers", "resourcequotas", "poddisruptionbudgets", "namespaces"];
    let script = move |seen: &RequestInfo| {
        let message = format!("{} is forbidden: User \"ci\" cannot do that", seen.kind);
        let is_it = optional.contains(&seen.kind.as_str()) || is(seen, Verb::Create, "pods");
        is_it.then(|| status(403, "Forbidden", &message))
    };
    let words = "missing permissions in namespace `default`: create `pods`, get `namespaces`, list `resourcequotas`, list \
                 `horizontalpodautoscalers.autoscaling`, list `poddisruptionbudgets.policy`; the preflight checks that need \
                 them are skipped: `rollout rbac` prints the permissions";
    warns(&scenarios::named("upgrade"), script, words).await;
}

/// A dry run waits for a webhook that restarts, but not for as long as a run waits for the API server.
#[tokio::test(start_paused = true)]
async fn a_webhook_that_is_down_is_named_before_the_first_write() {
    let whole = "{name: web, type: webservice, properties: {image: 'web:1'}}";
    let rolled = request_for(&[web(1, 3)]);
    for (request, kind) in [(request_for_entries(&[whole]), "deployments"), (rolled, "pods")] {
        let cluster = TestCluster::open(pod_rules::READY).await;
        let process = answering(move |seen| {
            let message = "Internal error occurred: failed calling webhook \"policy.example\": failed to call webhook: \
                           Post \"https://policy.ops.svc:443/\": connection refused";
            let is_write = matches!(seen.verb, Verb::Create | Verb::Patch);
            (is_write && seen.kind == kind).then(|| status(500, "InternalError", message))
        });
        let begun = cluster.clock.elapsed();
        let run = cluster.run(&process, &request).await;
        let lasted = (cluster.clock.elapsed() - begun).unsigned_abs();
        let failure = run.failures()[0];
        assert_eq!(failure.kind, FailureKind::Cluster, "{}", run.transcript());
        assert!(
            failure.reason.starts_with("webhook `policy.example` could not be called for 2"),
            "{failure:?}"
        );
        assert!(failure.hints[0].contains("validatingwebhookconfigurations"), "{failure:?}");
        assert!(lasted > Duration::from_secs(10) && lasted < Duration::from_secs(40), "{lasted:?}");
        assert_eq!(cluster.objects("ControllerRevision"), Vec::<Value>::new());
    }
}
