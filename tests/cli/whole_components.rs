//! Components without the `rollout` trait: applied as a whole, beside others that are rolled out in batches.

use serde_json::json;

use crate::support::pod_rules;
use crate::support::test_env::TestEnv;

/// An application whose components are these entries.
fn shop(components: &[&str]) -> String {
    let entries: String = components.iter().map(|component| format!("    - {component}\n")).collect();
    format!(
        "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {{name: shop}}\nspec:\n  components:\n{entries}"
    )
}

const QUEUE: &str = "{name: queue, type: worker, properties: {image: 'queue:1'}}";
const API: &str = "{name: api, type: webservice, properties: {image: 'api:1', ports: [{port: 80, expose: true}]}, dependsOn: [queue]}";
const WEB: &str = "{name: web, type: webservice, properties: {image: 'web:1'}, \
     traits: [{type: rollout, properties: {targetSize: 2, rolloutBatches: [{replicas: 1}, {replicas: 1}]}}]}";

/// The shop of three components, applied.
fn open_shop() -> TestEnv {
    let env = TestEnv::new();
    env.write("app.yaml", shop(&[QUEUE, API, WEB]));
    env.run_ok("apply app.yaml");
    env
}

#[test]
fn three_components_one_of_them_in_batches() {
    let env = TestEnv::new();
    env.write("app.yaml", shop(&[QUEUE, API, WEB]));
    let text = env.run("apply app.yaml").transcript();
    let (table, events) = text.split_once("--- stderr").unwrap();
    insta::assert_snapshot!(table, @r"
    NAME    TARGET   UPGRADED   READY   BATCH-STATE   ROLLING-STATE    AGE
    api     1        1          1       batchReady    rolloutSucceed   0s
    queue   1        1          1       batchReady    rolloutSucceed   0s
    web     2        2          2       batchReady    rolloutSucceed   0s
    ");
    let api: Vec<&str> = events
        .lines()
        .filter(|line| line.starts_with("api: ") && !line.contains(" waiting for `deployment"))
        .collect();
    insta::assert_snapshot!(api.join("\n"), @r"
    api: waiting for `queue` to complete
    api: apply of `api-v1`
    api: revision 1 recorded as `api-v1`
    api: service/api created
    api: deployment.apps/api created
    api: done: 1 of 1 upgraded, 1 ready
    ");
    assert_eq!(env.deployments(), ["api 1/1", "queue 1/1", "web-v1 2/2"]);
}

#[test]
fn applying_the_same_writes_nothing() {
    let env = open_shop();
    let before = env.bytes();
    let ran = env.run_ok("apply app.yaml");
    ran.says("api: nothing to do").says("queue: nothing to do").says("web: nothing to do");
    env.run_to("plan app.yaml --detailed-exitcode", 0);
    assert_eq!(env.bytes(), before);
}

#[test]
fn a_change_is_a_revision_that_can_be_undone() {
    let env = open_shop();
    env.write("app.yaml", shop(&[&QUEUE.replace("queue:1", "queue:2"), API, WEB]));
    let plan = env.run_ok("plan app.yaml").stdout;
    assert!(
        plan.contains("revision `queue-v2` is new") && plan.contains("+      - image: queue:2"),
        "{plan}"
    );
    env.run_ok("apply app.yaml");
    let image = |env: &TestEnv| {
        let deployments = env.objects("Deployment");
        let queue = deployments.iter().find(|one| one["metadata"]["name"] == "queue").unwrap();
        queue["spec"]["template"]["spec"]["containers"][0]["image"].clone()
    };
    assert_eq!(image(&env), "queue:2");
    env.run_ok("undo queue").says("queue: rollback to `queue-v1`");
    assert_eq!(image(&env), "queue:1");
    let history = env.run_ok("history queue").stdout;
    assert!(history.contains("Rollback   queue-v2 → queue-v1"), "{history}");
}

#[test]
fn what_is_no_longer_rendered_goes_last() {
    let env = open_shop();
    env.write("app.yaml", shop(&[QUEUE, &API.replace(", expose: true", ""), WEB]));
    let ran = env.run_ok("apply app.yaml");
    let configured = ran.stderr.find("deployment.apps/api configured").unwrap();
    assert!(ran.stderr.find("api: service/api deleted").unwrap() > configured, "{}", ran.stderr);
    assert!(env.objects("Service").is_empty());
}

#[test]
fn pods_that_do_not_come_are_reported_and_rolled_back() {
    let env = open_shop();
    env.pods(pod_rules::failing("*:2", "ImagePullBackOff"));
    env.write("app.yaml", shop(&[&QUEUE.replace("queue:1", "queue:2"), API, WEB]));
    let ran = env.run_to("apply app.yaml --batch-timeout 300ms --on-failure undo", 3);
    ran.says(
        "queue: failed: not ready after 300ms (`--batch-timeout`): `deployment.apps/queue`: 0 of 1 ready",
    )
    .says("ImagePullBackOff")
    .says("queue: rollback to `queue-v1`")
    .says("`api` skipped: dependency `queue` did not complete");
    assert_eq!(env.deployments(), ["api 1/1", "queue 1/1", "web-v1 2/2"]);
    let status = env.run_ok("status queue").stdout;
    assert!(status.contains("rolloutSucceed"), "{status}");
}

#[test]
fn an_object_of_somebody_else_is_refused_before_anything_is_written() {
    let env = open_shop();
    env.edit(|objects| {
        for object in objects.iter_mut().filter(|object| object["metadata"]["name"] == "queue") {
            object["metadata"]["name"] = json!("cache");
            object["metadata"]["labels"] = json!({"team": "other"});
            object["metadata"]["uid"] = json!("another");
            object["metadata"]["annotations"] = json!({});
        }
    });
    let before = env.bytes();
    env.write("app.yaml", shop(&[QUEUE, &QUEUE.replace("queue", "cache"), WEB]));
    let ran = env.run_to("apply app.yaml", 4);
    ran.says("deployment.apps/cache exists");
    assert_eq!(env.bytes(), before);
}

#[test]
fn losing_and_gaining_the_trait_moves_the_pods_over() {
    let env = TestEnv::new();
    let plain = WEB.split(", traits:").next().unwrap().to_owned() + "}";
    env.write("batched.yaml", shop(&[WEB]));
    env.write("plain.yaml", shop(&[&plain]));
    env.run_ok("apply batched.yaml");
    let plan = env.run_ok("plan plain.yaml").stdout;
    assert!(plan.contains("deployment.apps/web   create"), "{plan}");
    env.run_ok("apply plain.yaml").says("web: workload `web-v1` deleted");
    assert_eq!(env.deployments(), ["web 2/2"], "the size that no manifest gives stays");
    let plan = env.run_ok("plan batched.yaml").stdout;
    assert!(plan.contains("deleting `web`"), "{plan}");
    env.run_ok("apply batched.yaml");
    assert_eq!(env.deployments(), ["web-v1 2/2"]);
    env.run_ok("undo web");
    assert_eq!(env.deployments(), ["web 2/2"]);
}

#[test]
fn sizes_are_the_manifests() {
    let env = open_shop();
    let ran = env.run_to("scale queue --replicas 3", 4);
    ran.says("component `queue` is applied as a whole: its manifest gives its size");
}

#[test]
fn deleting_leaves_nothing() {
    let env = open_shop();
    let ran = env.run_ok("delete shop --yes");
    for name in ["deployment.apps/queue", "deployment.apps/api", "service/api", "deployment.apps/web-v1"] {
        assert!(ran.stdout.contains(&format!("{name} deleted")), "{}", ran.stdout);
    }
    let left: Vec<String> = ["Deployment", "Service", "ConfigMap", "ControllerRevision", "Lease", "Pod"]
        .iter()
        .flat_map(|kind| env.objects(kind))
        .map(|object| object["metadata"]["name"].to_string())
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
