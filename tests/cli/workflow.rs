//! Workflows: components that wait for a user's promotion, for some time, or for another application.

use crate::support::pod_rules;
use crate::support::test_env::TestEnv;

const API: &str = "{name: api, type: webservice, properties: {image: 'api:1'}}";
const WEB: &str = "{name: web, type: webservice, properties: {image: 'web:1', ports: [{port: 80, expose: true}]}, \
     traits: [{type: rollout, properties: {targetSize: 2, rolloutBatches: [{replicas: 1}, {replicas: 1}]}}]}";
const JOB: &str = "{name: job, type: worker, properties: {image: 'job:1'}}";

const APPROVE: &str = "{name: approve, type: suspend, properties: {message: check the dashboard}}";

fn apply(component: &str) -> String {
    format!("{{name: {component}, type: apply-component, properties: {{component: {component}}}}}")
}

/// An application with these components and a workflow of these steps.
fn shop(components: &[&str], steps: &[&str]) -> String {
    let list = |items: &[&str], indent: &str| -> String {
        items.iter().map(|item| format!("{indent}- {item}\n")).collect()
    };
    format!(
        "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {{name: shop}}\nspec:\n  components:\n{}  \
         workflow:\n    steps:\n{}",
        list(components, "    "),
        list(steps, "      ")
    )
}

/// The shop: `web` needs a promotion, and `job` follows.
fn three(api: &str, web: &str) -> String {
    shop(&[api, web, JOB], &[&apply("api"), APPROVE, &apply("web"), &apply("job")])
}

fn held_shop() -> TestEnv {
    let env = TestEnv::new();
    env.write("app.yaml", three(API, WEB));
    env.run_to("apply app.yaml", 0);
    env
}

#[test]
fn a_run_is_held_at_a_step_until_it_is_promoted() {
    let env = held_shop();
    assert_eq!(env.deployments(), ["api 1/1"]);
    assert!(env.objects("Service").is_empty());
    let status = env.run_ok("status").stdout;
    let states: Vec<Vec<&str>> =
        status.lines().skip(1).map(|line| line.split_whitespace().take(6).collect()).collect();
    assert_eq!(
        states,
        [
            ["api", "1", "1", "1", "batchReady", "rolloutSucceed"],
            ["job", "1", "0", "0", "batchInitializing", "initializing"],
            ["web", "2", "0", "0", "batchInitializing", "initializing"],
        ]
    );
    env.run_ok("status")
        .says("web: held at step `approve` of the workflow: check the dashboard; continue with `rollout promote shop --sandbox=box.json`")
        .says("job: waits for `web`; continue with `rollout promote shop --sandbox=box.json`");
    env.run_ok("promote shop").says("web: first release of `web-v1`").says("job: apply of `job-v1`");
    assert_eq!(env.deployments(), ["api 1/1", "job 1/1", "web-v1 2/2"]);
    let before = env.bytes();
    env.run_ok("apply app.yaml").says("web: nothing to do").says("job: nothing to do");
    env.run_ok("promote shop").says("nothing to do");
    assert_eq!(env.bytes(), before);
}

#[test]
fn applying_the_same_manifest_stays_at_the_step_and_writes_nothing() {
    let env = held_shop();
    let before = env.bytes();
    env.run_to("apply app.yaml", 0)
        .says("web: held at step `approve` of the workflow: check the dashboard")
        .says("hint: continue with `rollout promote shop --sandbox=box.json`");
    env.run_to("resume web", 0).says("web: held at step `approve` of the workflow");
    env.run_to("plan app.yaml --detailed-exitcode", 0);
    assert_eq!(env.bytes(), before);
    env.run_to("resume job", 4).says("component `job` waits for `web`");
    env.run_to("scale web --replicas 3", 4)
        .says("component `web` has not started: it waits for its turn in application `shop`");
    assert_eq!(env.bytes(), before);
    env.run_to("status shop --until gate --timeout 1s", 0);
}

/// Otherwise only a deletion would end the pause.
#[test]
fn a_pause_can_be_ended_before_the_component_starts() {
    let env = held_shop();
    env.run_to("pause job", 0);
    env.write("other.yaml", three(API, WEB).replace("job:1", "job:2"));
    env.run_to("apply other.yaml", 4).says("component `job` is paused by");
    env.run_to("resume job", 0);
    env.run_to("resume job", 4).says("component `job` waits for `web`");
    env.run_to("apply other.yaml", 0).says("web: held at step `approve` of the workflow");
}

#[test]
fn a_plan_names_the_steps_before_a_component() {
    let env = TestEnv::new();
    let pause = "{name: pause, type: suspend, properties: {duration: 30s}}";
    let wait = "{name: data, type: depends-on-app, properties: {name: db, namespace: data}}";
    env.write("app.yaml", shop(&[API, JOB], &[wait, &apply("api"), APPROVE, pause, &apply("job")]));
    let plan = env.run_ok("plan app.yaml").stdout;
    let lines: Vec<&str> = plan.lines().filter(|line| line.contains(" step ")).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
      waits at step `data` of the workflow for application `db` in namespace `data`
      waits at step `data` of the workflow for application `db` in namespace `data`
      held at step `approve` of the workflow: check the dashboard; continue with `rollout promote shop --sandbox=box.json`
      waits 30s at step `pause` of the workflow
    ");
    let elsewhere = env.run_ok("plan app.yaml -n other").stdout;
    assert!(elsewhere.contains("`rollout promote shop -n other --sandbox=box.json`"), "{elsewhere}");
    let json = env.run_ok("plan app.yaml -o json").stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["items"][1]["gates"], serde_json::json!(["data", "approve", "pause"]));
}

/// For example in the second stage of a pipeline, if the first has changed nothing.
#[test]
fn an_application_at_rest_has_nothing_to_promote() {
    let env = TestEnv::new();
    env.write("app.yaml", shop(&[API, JOB], &[]).replace("    steps:\n", "").replace("  workflow:\n", ""));
    env.run_ok("apply app.yaml");
    env.write("app.yaml", shop(&[API, JOB], &[&apply("api"), APPROVE, &apply("job")]));
    env.run_ok("apply app.yaml").says("job: nothing to do");
    env.run_ok("promote shop --full").says("nothing to do");
    env.pods(pod_rules::failing("*:2", "ImagePullBackOff"));
    env.write(
        "app.yaml",
        shop(&[&API.replace("api:1", "api:2"), JOB], &[])
            .replace("    steps:\n", "")
            .replace("  workflow:\n", ""),
    );
    env.run_to("apply app.yaml --batch-timeout 300ms", 3);
    env.run_to("promote shop", 4).says("`shop` is an application");
}

#[test]
fn a_promotion_passes_one_step() {
    let env = TestEnv::new();
    let last = "{name: last, type: suspend}";
    env.write(
        "app.yaml",
        shop(&[API, WEB, JOB], &[&apply("api"), APPROVE, &apply("web"), last, &apply("job")]),
    );
    env.run_to("apply app.yaml", 0);
    // The held component represents its application.
    env.run_to("promote web", 0).says("job: held at step `last` of the workflow");
    assert_eq!(env.deployments(), ["api 1/1", "web-v1 2/2"]);
    env.run_to("apply app.yaml", 0).says("job: held at step `last` of the workflow");
    env.run_to("promote", 0).says("job: done");
    assert_eq!(env.deployments(), ["api 1/1", "job 1/1", "web-v1 2/2"]);

    env.write(
        "app.yaml",
        shop(
            &[API, &WEB.replace("web:1", "web:2"), &JOB.replace("job:1", "job:2")],
            &[&apply("api"), APPROVE, &apply("web"), last, &apply("job")],
        ),
    );
    env.run_to("apply app.yaml", 0).says("web: held at step `approve`");
    env.run_to("promote shop --full", 0).says("web: done").says("job: done");
}

#[test]
fn a_changed_application_restarts_its_workflow() {
    let env = held_shop();
    env.run_ok("promote shop");
    // Nothing after the step changes.
    env.write("app.yaml", three(&API.replace("api:1", "api:2"), WEB));
    env.run_ok("apply app.yaml").says("api: done").says("web: nothing to do").says("job: nothing to do");
    // Another size is a change.
    env.write(
        "app.yaml",
        three(
            API,
            &WEB.replace("targetSize: 2, rolloutBatches: [{replicas: 1}, {replicas: 1}]", "targetSize: 3"),
        ),
    );
    env.run_to("apply app.yaml", 0).says("web: held at step `approve`");
    assert_eq!(env.deployments(), ["api 1/1", "job 1/1", "web-v1 2/2"]);
    env.run_ok("promote shop").says("web: done: 3 of 3 upgraded");
    // Promoted components are repaired without another promotion.
    env.edit(|objects| {
        let web =
            objects.iter_mut().find(|one| one["metadata"]["name"] == "web-v1" && one["kind"] == "Deployment");
        web.unwrap()["spec"]["replicas"] = serde_json::json!(2);
    });
    env.run_ok("apply app.yaml").says("web: done: 3 of 3 upgraded");
}

#[test]
fn a_service_alone_waits_for_the_promotion_as_well() {
    let env = held_shop();
    env.run_ok("promote shop");
    env.write("app.yaml", three(API, &WEB.replace("expose: true}", "expose: true}, {port: 81, name: more}")));
    env.run_to("apply app.yaml", 0).says("web: held at step `approve`");
    env.run_ok("promote shop").says("web: done");
    let hidden = WEB.replace("expose: true}", "expose: true}, {port: 81, name: more, expose: true}");
    env.write("app.yaml", three(API, &hidden));
    let ports = |env: &TestEnv| env.objects("Service")[0]["spec"]["ports"].as_array().unwrap().len();
    env.run_to("apply app.yaml", 0).says("web: held at step `approve`");
    assert_eq!(ports(&env), 1);
    env.run_ok("promote shop");
    assert_eq!(ports(&env), 2);
    let before = env.bytes();
    env.run_ok("apply app.yaml").says("web: nothing to do");
    assert_eq!(env.bytes(), before);
}

#[test]
fn an_upgrade_at_a_step_can_be_aborted() {
    let env = held_shop();
    env.run_ok("promote shop");
    env.write("app.yaml", three(API, &WEB.replace("web:1", "web:2")));
    env.run_to("apply app.yaml", 0);
    env.run_ok("abort web").says("web: done");
    assert_eq!(env.deployments(), ["api 1/1", "job 1/1", "web-v1 2/2"]);
    assert!(!env.run_ok("status").transcript().contains("held at step"));
    let history = env.run_ok("history web");
    assert!(history.stdout.contains("\nRollback "), "{}", history.stdout);
}

#[test]
fn a_component_whose_predecessor_was_rolled_back_is_not_promoted() {
    let env = TestEnv::new();
    let two = |version: &str| {
        let web = WEB.replace("web:1", &format!("web:{version}"));
        let job = JOB.replace("job:1", &format!("job:{version}"));
        shop(&[&web, &job], &[&apply("web"), APPROVE, &apply("job")])
    };
    env.write("app.yaml", two("1"));
    env.run_to("apply app.yaml", 0);
    env.run_ok("promote shop");
    env.write("app.yaml", two("2"));
    env.run_to("apply app.yaml", 0).says("job: held at step `approve`");
    env.run_ok("undo web");
    let stuck = "job: held at step `approve` of the workflow, before which component `web` has to be done: apply the \
                 manifest again";
    for line in ["status", "status --until gate"] {
        let status = env.run_ok(line);
        status.says(stuck);
        assert!(!status.transcript().contains("rollout promote"), "{}", status.transcript());
    }
    env.run_to("promote shop", 4).says("component `job` waits for component `web`, which is not done");
}

#[test]
fn a_step_with_a_duration_continues_by_itself() {
    let env = TestEnv::new();
    let pause = "{name: pause, type: suspend, properties: {duration: 1s}}";
    env.write("app.yaml", shop(&[API, JOB], &[&apply("api"), pause, &apply("job")]));
    env.run_ok("apply app.yaml")
        .says("job: waiting for step `pause` of the workflow, 1s left")
        .says("job: apply of `job-v1`");
    // The wait is limited by the timeout, and a rerun waits for the remaining time.
    let pause = "{name: pause, type: suspend, properties: {duration: 1h}}";
    env.write(
        "app.yaml",
        shop(&[API, &JOB.replace("job:1", "job:2")], &[&apply("api"), pause, &apply("job")]),
    );
    env.run_to("apply app.yaml --timeout 1s", 3)
        .says("not passed after 1s (`--timeout`): step `pause` of the workflow");
    env.run_ok("promote shop").says("job: done");
}

#[test]
fn secrets_after_a_suspend_step_are_rejected() {
    let env = TestEnv::new();
    let secret = "{name: keys, type: k8s-objects, properties: {objects: [{apiVersion: v1, kind: Secret, \
                  metadata: {name: keys}, stringData: {token: hunter2}}]}}";
    env.write("app.yaml", shop(&[API, secret], &[&apply("api"), APPROVE, &apply("keys")]));
    env.run_to("apply app.yaml", 2)
        .says("app.yaml:7:7: component `keys` has secret `keys`, and comes after step `approve`")
        .says("apply it in a component before the step");
    env.write("app.yaml", shop(&[API, secret], &[&apply("keys"), APPROVE, &apply("api")]));
    env.run_to("apply app.yaml", 0).says("api: held at step `approve`");
}

#[test]
fn a_step_at_the_end_is_ignored() {
    let env = TestEnv::new();
    env.write("app.yaml", shop(&[API], &[&apply("api"), APPROVE]));
    env.run_ok("apply app.yaml")
        .says("step `approve` is ignored: no component comes after it")
        .says("api: done");
}

#[test]
fn a_step_waits_for_another_application() {
    let env = TestEnv::new();
    let wait = "{name: data, type: depends-on-app, properties: {name: db, namespace: default}}";
    env.write("app.yaml", shop(&[API], &[wait, &apply("api")]));
    env.run_to("apply app.yaml --batch-timeout 1s", 3).says(
        "not passed after 1s (`--batch-timeout`): application `db` in namespace `default`: it does not exist",
    );
    assert!(env.deployments().is_empty());
    let db = "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {name: db}\nspec:\n  components:\n    \
              - {name: store, type: worker, properties: {image: 'store:1'}}\n";
    env.write("db.yaml", db);
    env.pods(pod_rules::failing("store:1", "ImagePullBackOff"));
    env.run_to("apply db.yaml --batch-timeout 1s", 3);
    env.run_to("apply app.yaml --batch-timeout 1s", 3)
        .says("application `db` in namespace `default`: component `store` is not done");
    env.pods(pod_rules::ready_after("10ms"));
    env.run_ok("apply db.yaml");
    env.run_ok("apply app.yaml").says("api: done");
}

#[test]
fn an_application_does_not_wait_for_itself() {
    let env = TestEnv::new();
    let wait = "{name: data, type: depends-on-app, properties: {name: shop, namespace: default}}";
    env.write("app.yaml", shop(&[API], &[wait, &apply("api")]));
    env.run_to("apply app.yaml", 2).says("step `data` waits for the application that it belongs to");
}

#[test]
fn batches_and_steps_are_promoted_in_turn() {
    let env = TestEnv::new();
    let web = WEB.replace("targetSize: 2,", "targetSize: 2, batchPartition: 0,");
    env.write("app.yaml", three(API, &web));
    env.run_to("apply app.yaml", 0).says("web: held at step `approve`");
    env.run_to("promote shop", 0).says("web: held after batch 1 of 2");
    assert_eq!(env.deployments(), ["api 1/1", "web-v1 1/1"]);
    // Components that wait for it continue with it.
    env.run_to("promote web", 0).says("web: done").says("job: done");
    assert_eq!(env.deployments(), ["api 1/1", "job 1/1", "web-v1 2/2"]);
}

#[test]
fn a_concurrent_promotion_ends_the_wait_at_a_step() {
    let env = TestEnv::new();
    let pause = "{name: pause, type: suspend, properties: {duration: 1h}}";
    env.write("app.yaml", shop(&[API, JOB], &[&apply("api"), pause, &apply("job")]));
    let mut driver = env.start_as("ci", "apply app.yaml");
    driver.until("job: waiting for step `pause` of the workflow, 1h left");
    let promoted = env.start_as("jane", "promote shop").end_with(0);
    driver.end_with(0).says("job: done: 1 of 1 upgraded");
    promoted.says("job: nothing to do");
    assert_eq!(env.deployments(), ["api 1/1", "job 1/1"]);
}

/// If only metadata changes after a step, the run does not wait for pods that the last batch tolerated.
#[test]
fn a_step_keeps_the_tolerance_of_the_last_batch() {
    let env = TestEnv::new();
    env.pods(pod_rules::failing("web:1", "NeverReady"));
    let web = WEB.replace("{replicas: 1}", "{replicas: 1, maxUnavailable: 2}");
    env.write("app.yaml", shop(&[&web], &[&apply("web")]));
    env.run_ok("apply app.yaml");
    let pause = "{name: pause, type: suspend, properties: {duration: 1s}}";
    let labelled = shop(&[&web], &[pause, &apply("web")]).replace("shop}", "shop, labels: {team: blue}}");
    env.write("app.yaml", labelled);
    env.run_ok("apply app.yaml --batch-timeout 5s").says("waiting for step `pause`");
}
