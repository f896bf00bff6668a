//! Several clusters: waves, failures, reruns and rollbacks, and rejections before the first request.

use http::Method;
use rustix::process::Signal;
use serde_json::Value;

use crate::support::child::Child;
use crate::support::http_server::{Answer, HttpServer, ReceivedRequest};
use crate::support::manifest::shop;
use crate::support::pod_rules::{READY, failing};
use crate::support::test_env::{CommandOutput, TestEnv};

const BOTH: &str = "--context eu --context us";

/// The shop's manifests.
fn shop_env() -> TestEnv {
    let env = TestEnv::new();
    env.write("v1.yaml", shop("v1", "web:1"));
    env.write("v2.yaml", shop("v2", "web:2"));
    env
}

/// Clusters behind HTTP, and their kubeconfig.
struct Servers {
    env: TestEnv,
    all: Vec<HttpServer>,
}

fn no_meddling(_: &ReceivedRequest) -> Option<Answer> {
    None
}

impl Servers {
    fn new(servers: Vec<(&str, HttpServer)>) -> Self {
        let env = shop_env();
        let clusters = servers
            .iter()
            .map(|(name, server)| format!("{{name: {name}, cluster: {{server: '{}'}}}}", server.address()));
        let contexts = servers
            .iter()
            .map(|(name, _)| format!("{{name: {name}, context: {{cluster: {name}, user: u}}}}"));
        let (clusters, contexts): (Vec<_>, Vec<_>) = (clusters.collect(), contexts.collect());
        env.write(
            "config",
            format!(
                "{{apiVersion: v1, kind: Config, clusters: [{}], contexts: [{}], users: [{{name: u, user: {{}}}}]}}",
                clusters.join(", "),
                contexts.join(", "),
            ),
        );
        Self { env, all: servers.into_iter().map(|(_, server)| server).collect() }
    }

    /// `eu`, whose pods become ready, and `us`, where those of the image `*:2` do not.
    fn with_bad_us() -> Self {
        let bad = format!("{}{READY}", failing("*:2", "ImagePullBackOff"));
        Self::new(vec![
            ("eu", HttpServer::open(READY, no_meddling)),
            ("us", HttpServer::open(&bad, no_meddling)),
        ])
    }

    fn run_to(&self, line: &str, code: i32) -> CommandOutput {
        let mut command = self.env.bare(&format!("{line} --kubeconfig config"));
        command.env("ROLLOUT_IDENTITY", "tester");
        let ran = Child::spawn(command).end();
        assert_eq!(ran.code, Some(code), "rollout {line}\n{}{}", ran.stdout, ran.stderr);
        ran
    }

    /// The number of writes that a server has received, without access reviews and dry runs.
    fn writes(&self, server: usize) -> usize {
        let is_write = |request: &&ReceivedRequest| {
            request.method != Method::GET
                && !request.uri.path().contains("selfsubject")
                && !request.uri.query().unwrap_or_default().contains("dryRun")
        };
        self.all[server].asked().iter().filter(is_write).count()
    }

    /// The revision in each cluster, as `eu web-v1`.
    fn revisions(&self) -> Vec<String> {
        let status = self.run_to(&format!("status {BOTH} -o json"), 0).stdout;
        let status: Value = serde_json::from_str(&status).unwrap();
        let text = |item: &Value, key: &str| item[key].as_str().unwrap().to_owned();
        let items = status["items"].as_array().unwrap().iter();
        items.map(|item| format!("{} {}", text(item, "cluster"), text(item, "revision"))).collect()
    }
}

/// The events that a run has printed.
fn events(ran: &CommandOutput) -> Vec<Value> {
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn waves_run_in_order_and_one_table_shows_all_clusters() {
    let env = shop_env();
    let ran = env.run_ok(&format!("apply v1.yaml {BOTH} --wave-gate 10ms"));
    insta::assert_snapshot!(ran.transcript(), @"
    CLUSTER   NAME   TARGET   UPGRADED   READY   BATCH-STATE   ROLLING-STATE    AGE
    eu        web    3        3          3       batchReady    rolloutSucceed   0s
    us        web    3        3          3       batchReady    rolloutSucceed   0s
    --- stderr
    eu/shop: wave 1 of 2
    eu/web: first release of `web-v1`
      eu: 3 replicas in 2 batches (1 and 2), batch timeout 10m
    eu/web: revision 1 recorded as `web-v1`
    eu/web: workload `web-v1` created
    eu/web: batch 1 of 2: `web-v1` 0 → 1
    eu/web: batch 1 of 2 ready: 1 of 3 upgraded, 1 ready
    eu/web: batch 2 of 2: `web-v1` 1 → 3
    eu/web: batch 2 of 2 ready: 3 of 3 upgraded, 3 ready
    eu/web: done: 3 of 3 upgraded, 3 ready
    eu/shop: waiting for the soak time of 10ms after wave 1 of 2
    eu/shop: gates after wave 1 of 2 passed
    us/shop: wave 2 of 2
    us/web: first release of `web-v1`
      us: 3 replicas in 2 batches (1 and 2), batch timeout 10m
    us/web: revision 1 recorded as `web-v1`
    us/web: workload `web-v1` created
    us/web: batch 1 of 2: `web-v1` 0 → 1
    us/web: batch 1 of 2 ready: 1 of 3 upgraded, 1 ready
    us/web: batch 2 of 2: `web-v1` 1 → 3
    us/web: batch 2 of 2 ready: 3 of 3 upgraded, 3 ready
    us/web: done: 3 of 3 upgraded, 3 ready
    [exit 0]
    ");
    let again = env.run_ok(&format!("apply v1.yaml {BOTH} --wave-gate 1h"));
    again.says("us/web: nothing to do").says("eu/web: nothing to do");
    assert!(!again.stderr.contains("soak"), "nothing follows that would have to wait:\n{}", again.stderr);
}

#[test]
fn every_event_names_its_cluster_and_waves_do_not_overlap() {
    let env = shop_env();
    let events = events(&env.run_ok(&format!("apply v1.yaml {BOTH} -o ndjson")));
    let clusters: Vec<&str> = events.iter().map(|event| event["cluster"].as_str().unwrap()).collect();
    assert!(clusters.is_sorted() && clusters.contains(&"us"), "{clusters:?}");
    let of_waves = events.iter().filter(|event| event["event"] == "waveStarted");
    assert_eq!(of_waves.map(|event| event["wave"].as_u64().unwrap()).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn the_second_wave_is_skipped_after_a_failure_and_a_rerun_resumes() {
    let env = shop_env();
    env.run_ok(&format!("apply v1.yaml {BOTH}"));
    env.pods(failing("*:2", "ImagePullBackOff"));
    let line = format!("apply v2.yaml {BOTH} --fail-fast");
    let ran = env.run_to(&line, 3);
    ran.says("eu/web: failed in batch 1 of 2").says("us/shop: not started, wave 2 of 2: wave 1 of 2 failed");
    ran.says("--context eu --sandbox=box.eu.json`");
    let rows: Vec<&str> = ran.stdout.lines().collect();
    assert!(rows[1].starts_with("eu        web"), "{rows:?}");
    assert!(rows[1].contains("rolloutFailed") && rows[2].contains("rolloutSucceed"), "{rows:?}");
    assert!(!ran.stderr.contains("us/web"), "{}", ran.stderr);
    env.pods(READY);
    let ran = env.run_ok(&line);
    ran.says("eu/web: resuming the upgrade to `web-v2`").says("us/web: upgrade to `web-v2`");
    assert_eq!(ran.stdout.matches("rolloutSucceed").count(), 2);
}

#[test]
fn a_wave_that_is_held_holds_the_fleet() {
    let env = shop_env();
    env.run_ok(&format!("apply v1.yaml {BOTH}"));
    let ran = env.run_ok(&format!("apply v2.yaml {BOTH} --partition 0"));
    ran.says("hint: continue with `rollout promote web --context eu --sandbox=box.eu.json`");
    ran.says("us/shop: not started, wave 2 of 2: wave 1 of 2 is held");
}

#[test]
fn a_killed_fleet_continues_where_it_was() {
    let env = shop_env();
    let mut killed = env.start(&format!("apply v1.yaml {BOTH} --wave-gate 1h"));
    killed.until("eu/shop: waiting for the soak time of 1h after wave 1 of 2").signal(Signal::KILL);
    killed.end();
    // The soak time counts from the end of the recorded run.
    let ran = env.run_ok(&format!("apply v1.yaml {BOTH} --wave-gate 1ms"));
    ran.says("eu/web: nothing to do").says("us/web: first release of `web-v1`");
    env.pods(failing("*:2", "NeverReady"));
    let line = format!("apply v2.yaml {BOTH}");
    let mut killed = env.start(&line);
    killed.until("eu/web: batch 1 of 2: waiting for").signal(Signal::KILL);
    killed.end();
    env.pods(READY);
    env.run_ok(&line).says("eu/web: resuming the upgrade").says("us/web: upgrade to `web-v2`");
}

#[test]
fn an_interrupted_fleet_is_130_and_stops_in_all_clusters() {
    let env = shop_env();
    env.write(
        "fleet.yaml",
        "waves:\n- clusters: [{context: eu}, {context: us}]\n- clusters: [{context: asia}]\n",
    );
    env.run_ok("apply v1.yaml --fleet fleet.yaml");
    env.pods(failing("*:2", "NeverReady"));
    let mut driver = env.start("apply v2.yaml --fleet fleet.yaml");
    driver.until("eu/web: batch 1 of 2: waiting for");
    let mut other = driver;
    other.signal(Signal::INT);
    let ran = other.end_with(130);
    ran.says("eu/web: interrupted").says("us/web: interrupted");
    ran.says("asia/shop: not started, wave 2 of 2: interrupted");
    env.pods(READY);
    let again = env.run_ok("apply v2.yaml --fleet fleet.yaml");
    again.says("eu/web: resuming").says("us/web: resuming").says("asia/web: upgrade");
}

#[test]
fn all_changed_waves_are_rolled_back_if_requested() {
    let servers = Servers::with_bad_us();
    servers.run_to(&format!("apply v1.yaml {BOTH}"), 0);
    let line = format!("apply v2.yaml {BOTH} --fail-fast --on-failure undo-all");
    let ran = servers.run_to(&line, 3);
    ran.says("eu/web: rollback to `web-v1`").says("us/web: rollback to `web-v1`");
    assert_eq!(servers.revisions(), ["eu web-v1", "us web-v1"]);
}

#[test]
fn only_the_failed_wave_is_rolled_back_if_requested() {
    let servers = Servers::with_bad_us();
    servers.run_to(&format!("apply v1.yaml {BOTH}"), 0);
    let line = format!("apply v2.yaml {BOTH} --fail-fast --on-failure undo-wave");
    servers.run_to(&line, 3);
    assert_eq!(servers.revisions(), ["eu web-v2", "us web-v1"]);
    // Changes of an earlier command are kept.
    let ran = servers.run_to(&line.replace("undo-wave", "undo-all"), 3);
    assert!(!ran.stderr.contains("eu/web: rollback"), "{}", ran.stderr);
    // Side by side in one wave, both are.
    servers.run_to(&format!("apply v1.yaml {BOTH}"), 0);
    servers.env.write("fleet.yaml", "waves: [{clusters: [{context: eu}, {context: us}]}]");
    let line = line.replace(BOTH, "--fleet fleet.yaml");
    servers.run_to(&line, 3).says("eu/web: rollback to `web-v1`");
    assert_eq!(servers.revisions(), ["eu web-v1", "us web-v1"]);
}

#[test]
fn all_clusters_are_checked_before_the_first_write_in_any() {
    let forbid = |request: &ReceivedRequest| {
        let is_claim = request.uri.path().ends_with("selfsubjectrulesreviews")
            || request.uri.path().ends_with("selfsubjectaccessreviews");
        let kind = if request.uri.path().contains("rules") {
            "SelfSubjectRulesReview"
        } else {
            "SelfSubjectAccessReview"
        };
        let body = format!(
            "{{\"apiVersion\": \"authorization.k8s.io/v1\", \"kind\": \"{kind}\", \"spec\": {{}}, \"status\": {{\"allowed\": false, \
             \"resourceRules\": [], \"nonResourceRules\": [], \"incomplete\": false}}}}"
        );
        is_claim.then_some((201, "application/json", body))
    };
    let servers = Servers::new(vec![
        ("eu", HttpServer::open(READY, no_meddling)),
        ("us", HttpServer::open(READY, forbid)),
    ]);
    let ran = servers.run_to(&format!("apply v1.yaml {BOTH}"), 4);
    ran.says("us/").says("eu/shop: not started, wave 1 of 2: another cluster did not pass its checks");
    assert_eq!((servers.writes(0), servers.writes(1)), (0, 0));
    assert_eq!(ran.stdout, "");
}

#[test]
fn an_unreachable_cluster_is_6_and_hides_no_other() {
    let servers = Servers::new(vec![("eu", HttpServer::open(READY, no_meddling))]);
    let config = std::fs::read_to_string(servers.env.path("config")).unwrap();
    let gone = "clusters: [{name: us, cluster: {server: 'http://127.0.0.1:1'}}, ";
    let config = config
        .replace("clusters: [", gone)
        .replace("contexts: [", "contexts: [{name: us, context: {cluster: us, user: u}}, ");
    servers.env.write("config", config);
    servers.run_to("apply v1.yaml --context eu", 0);
    let writes = servers.writes(0);
    let ran = servers.run_to(&format!("apply v2.yaml {BOTH}"), 6);
    ran.says("us/web: failed").says("eu/shop: not started");
    assert_eq!(servers.writes(0), writes);
    let ran = servers.run_to(&format!("status {BOTH}"), 6);
    assert!(ran.stdout.contains("eu        web"), "{}", ran.stdout);
    ran.says("error: cluster `us`: ");
    servers.run_to(&format!("history web {BOTH}"), 6).says("error: cluster `us`: ");
    servers.run_to(&format!("plan v2.yaml {BOTH}"), 6).says("error: cluster `us`: ");
}

#[test]
fn plan_status_history_and_undo_take_several_clusters() {
    let env = shop_env();
    env.run_ok(&format!("apply v1.yaml {BOTH}"));
    let plan = env.run_to(&format!("plan v2.yaml {BOTH} -o json --detailed-exitcode"), 8).stdout;
    let plan: Value = serde_json::from_str(&plan).unwrap();
    let clusters = |document: &Value| -> Vec<String> {
        let items = document["items"].as_array().unwrap().iter();
        items.map(|item| item["cluster"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(clusters(&plan), ["eu", "us"]);
    env.run_ok(&format!("apply v2.yaml {BOTH}"));
    let history = env.run_ok(&format!("history {BOTH}")).stdout;
    let rows: Vec<&str> = history.lines().map(|line| line.split_whitespace().next().unwrap_or("")).collect();
    assert_eq!(rows, ["CLUSTER", "eu", "eu", "us", "us", "", "CLUSTER", "eu", "eu", "us", "us"]);
    let dry = env.run_ok(&format!("undo {BOTH} --dry-run -o name")).stdout;
    assert_eq!(dry, "eu rollout/web\nus rollout/web\n");
    let ran = env.run_ok(&format!("undo {BOTH} -o name"));
    ran.says("eu/web: rollback to `web-v1`").says("us/web: rollback to `web-v1`");
    assert_eq!(ran.stdout, "eu rollout/web\nus rollout/web\n");
    let status = env.run_ok(&format!("status web {BOTH} --until done -o json")).stdout;
    let status: Value = serde_json::from_str(&status).unwrap();
    assert_eq!(clusters(&status), ["eu", "us"]);
}

#[test]
fn a_rollback_rejected_by_one_cluster_starts_in_none() {
    let env = shop_env();
    env.run_ok(&format!("apply v1.yaml {BOTH}"));
    env.run_ok(&format!("apply v2.yaml {BOTH} --partition 0"));
    let ran = env.run_to(&format!("undo {BOTH}"), 4);
    ran.says("us/web: failed: component `web` has no revision before `web-v1` that succeeded");
    ran.says("eu/shop: not started");
}

#[test]
fn an_invalid_selection_is_rejected_before_the_first_request() {
    let servers = Servers::with_bad_us();
    let env = &servers.env;
    env.write("typo.yaml", "waves:\n- clusters:\n  - context: eu\n    namespaces: shop\n");
    env.write("unknown.yaml", "waves:\n- clusters:\n  - context: eu\n  - context: mars\n");
    env.write("spaces.yaml", "waves:\n- clusters:\n  - {context: eu, namespace: shop}\n");
    env.write("fleet.yaml", "waves:\n- clusters: [{context: eu}, {context: us}]\n");
    let cases = [
        ("apply v1.yaml --context eu --context eu", 2, "context `eu` appears twice"),
        ("apply v1.yaml --context eu --context mars", 6, "cluster `mars`: kubeconfig has no context `mars`"),
        (
            "apply v1.yaml --fleet typo.yaml",
            2,
            "typo.yaml:4:5: waves[0].clusters[0].namespaces: unknown field",
        ),
        ("status --fleet unknown.yaml", 6, "unknown.yaml:4: kubeconfig has no context `mars`"),
        (
            "plan v1.yaml --fleet spaces.yaml -n other",
            2,
            "spaces.yaml:3:5: namespace: `shop` for cluster `eu`, and `--namespace` is `other`",
        ),
        ("apply v1.yaml --fleet fleet.yaml --context asia", 2, "has no cluster `asia`"),
        (
            "promote --fleet fleet.yaml",
            2,
            "this command acts on one cluster, but the flags select `eu` and `us`",
        ),
        ("undo --fleet fleet.yaml", 2, "requires `--context` or"),
        ("apply v1.yaml --fleet fleet.yaml --prune", 2, "`--prune` acts on one cluster"),
        ("apply v1.yaml --context eu --wave-gate 1m", 2, "`--wave-gate` applies to the waves of a fleet"),
        (
            "apply v1.yaml --context eu --on-failure undo-all",
            2,
            "`--on-failure undo-all` applies to the waves of a fleet",
        ),
        ("status --context eu --context us --cluster eu", 2, "`--cluster` selects one cluster"),
    ];
    for (line, code, message) in cases {
        servers.run_to(line, code).says(message);
    }
    let asked: Vec<_> = servers.all.iter().flat_map(HttpServer::asked).collect();
    assert!(asked.is_empty(), "{asked:?}");
}

#[test]
fn two_contexts_of_one_cluster_are_rejected() {
    let servers = Servers::with_bad_us();
    let config = std::fs::read_to_string(servers.env.path("config")).unwrap();
    let twin = "contexts: [{name: twin, context: {cluster: eu, user: u, namespace: other}}, \
                {name: same, context: {cluster: eu, user: u}}, ";
    servers.env.write("config", config.replace("contexts: [", twin));
    let same = servers.run_to("status --context eu --context same", 2);
    same.says("`eu` and `same` are the same cluster and namespace");
    // They differ by their namespaces, unless the manifest sets another.
    servers.run_to("status --context eu --context twin", 0);
    let manifest = shop("v1", "web:1").replacen("name: shop", "name: shop\n  namespace: shop", 1);
    servers.env.write("v1.yaml", manifest);
    let twin = servers.run_to("apply v1.yaml --context eu --context twin", 2);
    twin.says("`eu` and `twin` are the same cluster and namespace");
}

#[test]
fn a_cluster_of_the_file_overrides_components() {
    let env = shop_env();
    let fleet = "waves:\n- clusters: [{context: eu}]\n- clusters:\n  - context: us\n    overrides:\n    \
                 - name: web\n      traits: [{type: rollout, properties: {targetSize: 4, rolloutBatches: [{replicas: 4}]}}]\n";
    env.write("fleet.yaml", fleet);
    let status = env.run_ok("apply v1.yaml --fleet fleet.yaml").stdout;
    let targets: Vec<_> = status.lines().skip(1).map(|row| row.split_whitespace().nth(2)).collect();
    assert_eq!(targets, [Some("3"), Some("4")]);
    env.run_ok("apply v1.yaml --fleet fleet.yaml").says("us/web: nothing to do: 4 of 4");
    env.write("fleet.yaml", fleet.replace("name: web", "name: wbe"));
    let ran = env.run_to("apply v1.yaml --fleet fleet.yaml", 2);
    ran.says("fleet.yaml:6:7: waves[1].clusters[0].overrides[0]: matches no component of the manifests");
}

#[test]
fn a_command_about_one_cluster_selects_it_from_the_file() {
    let env = shop_env();
    env.write(
        "fleet.yaml",
        "waves: [{clusters: [{name: eu, context: c-eu, namespace: shop}, {context: us}]}]",
    );
    env.run_ok("apply v1.yaml --fleet fleet.yaml");
    env.run_ok("apply v1.yaml --fleet fleet.yaml --context eu --prune").says("eu/web: nothing to do");
    let ran = env.run_ok("scale web --replicas 4 --batches 1 --fleet fleet.yaml --context eu");
    assert!(ran.stdout.starts_with("NAME"), "{}", ran.stdout);
    let status = env.run_ok("status --fleet fleet.yaml").stdout;
    let targets: Vec<_> = status.lines().skip(1).map(|row| row.split_whitespace().nth(2)).collect();
    assert_eq!(targets, [Some("4"), Some("3")]);
}
