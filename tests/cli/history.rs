//! The sizes that `history` prints for components that are applied as a whole.

use serde_json::{Value, json};

use crate::support::test_env::TestEnv;

/// An application of one component.
fn shop(component: &str) -> String {
    format!(
        "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {{name: shop}}\nspec:\n  components:\n    - {component}\n"
    )
}

/// The size before, the size after and the batches of each run of a component, the newest first.
fn sizes(env: &TestEnv, component: &str) -> Vec<Value> {
    let ran = env.run_ok(&format!("history {component} -o json"));
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    let runs = document["runs"].as_array().unwrap().iter();
    runs.map(|run| json!([run["originalSize"], run["targetSize"], run["batches"]])).collect()
}

#[test]
fn the_history_has_the_sizes_that_the_runs_applied() {
    let env = TestEnv::new();
    let queue = |traits: &str| {
        shop(&format!("{{name: queue, type: worker, properties: {{image: 'queue:1'}}{traits}}}"))
    };
    let scaled = |size| queue(&format!(", traits: [{{type: scaler, properties: {{replicas: {size}}}}}]"));
    for size in [2, 5, 1, 4] {
        env.write("app.yaml", scaled(size));
        env.run_ok("apply app.yaml");
    }
    env.write("app.yaml", queue(""));
    env.run_ok("apply app.yaml");
    assert_eq!(env.deployments(), ["queue 1/1"], "what was applied goes with the trait");
    let expected = [json!([4, 1, []]), json!([1, 4, []]), json!([5, 1, []]), json!([2, 5, []])];
    assert_eq!(sizes(&env, "queue"), [&expected[..], &[json!([0, 2, []])]].concat());
}

#[test]
fn the_history_of_objects_counts_their_pods() {
    let env = TestEnv::new();
    let objects = |image: &str, name: &str| {
        shop(&format!(
            "{{name: raw, type: k8s-objects, properties: {{objects: [{{apiVersion: apps/v1, kind: Deployment, \
             metadata: {{name: {name}}}, spec: {{replicas: 2, selector: {{matchLabels: {{app: nginx}}}}, \
             template: {{metadata: {{labels: {{app: nginx}}}}, spec: {{containers: [{{name: nginx, \
             image: '{image}'}}]}}}}}}}}]}}}}"
        ))
    };
    for (image, name) in [("nginx:1", "front"), ("nginx:2", "front"), ("nginx:2", "edge")] {
        env.write("app.yaml", objects(image, name));
        env.run_ok("apply app.yaml");
    }
    assert_eq!(env.deployments(), ["edge 2/2"]);
    assert_eq!(sizes(&env, "raw"), [json!([2, 2, []]), json!([2, 2, []]), json!([0, 2, []])]);
}

#[test]
fn the_size_of_a_daemon_is_not_said_to_be_zero() {
    let env = TestEnv::new();
    env.write("app.yaml", shop("{name: agent, type: daemon, properties: {image: 'agent:1'}}"));
    env.run_ok("apply app.yaml");
    let history = env.run_ok("history agent").stdout;
    let run = history.lines().find(|line| line.starts_with("Apply")).unwrap_or_else(|| panic!("{history}"));
    assert_eq!(run.split_whitespace().take(4).collect::<Vec<_>>(), ["Apply", "agent-v1", "-", "Succeeded"]);
    assert_eq!(sizes(&env, "agent"), [json!([0, 0, []])]);
}

/// One of them is said to be of a newer version, and is what no other component's status depends on.
#[test]
fn a_record_that_cannot_be_read_is_named_and_the_others_are_shown() {
    let env = TestEnv::new();
    let worker = |name: &str| format!("{{name: {name}, type: worker, properties: {{image: 'queue:1'}}}}");
    env.write("app.yaml", shop(&format!("{}\n    - {}", worker("api"), worker("web"))));
    env.run_ok("apply app.yaml");
    env.edit(|objects| {
        let of_web = |object: &&mut Value| object["metadata"]["name"] == "rollout-web";
        let record = objects.iter_mut().find(of_web).unwrap();
        record["data"]["record"] = json!("{\"run\": 7}");
    });
    let reason = "configmap `rollout-web` in namespace `default` is not usable: its `record` is broken: ";
    let ran = env.run_to("status", 4);
    assert!(ran.stdout.lines().any(|line| line.starts_with("api ")), "{}", ran.transcript());
    ran.says(reason).says("if a newer version of `rollout` has written it, use that version");
    for line in ["status web", "status shop --until done", "history web", "promote web", "undo web"] {
        env.run_to(line, 4).says(reason);
    }
    // Only the record may name some of the objects.
    let before = env.bytes();
    for line in ["delete web", "delete shop", "delete app.yaml", "delete web --dry-run"] {
        env.run_to(line, 4).says(reason);
    }
    assert_eq!(env.bytes(), before);
    env.write("api.yaml", shop(&worker("api")));
    for line in ["apply api.yaml --prune", "apply api.yaml", "plan api.yaml --prune"] {
        let kept = "component `web` of application `shop` is no longer in the manifest and is kept: configmap `rollout-web`";
        env.run_ok(line).says(kept);
    }
    assert!(env.objects("ConfigMap").iter().any(|object| object["metadata"]["name"] == "rollout-web"));
    env.run_ok("status api --until done");
    env.run_ok("history api");
    env.run_to("history", 2).says("has more than one component: `api` and `web`");
}
