//! Objects that several applications use one after the other, or at the same time.

use crate::support::test_env::TestEnv;

/// An application with a ConfigMap `settings`, and a policy of this type that selects it.
fn application(name: &str, component: &str, policy: &str) -> String {
    format!(
        "apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {{name: {name}}}
spec:
  policies:
    - {{name: policy, type: {policy}}}
  components:
    - name: {component}
      type: k8s-objects
      properties:
        objects: [{{apiVersion: v1, kind: ConfigMap, metadata: {{name: settings}}, data: {{of: {name}}}}}]
"
    )
}

fn selecting(policy: &str, more: &str) -> String {
    format!("{policy}, properties: {{rules: [{{selector: {{resourceTypes: [ConfigMap]}}{more}}}]}}")
}

fn settings(env: &TestEnv) -> Vec<serde_json::Value> {
    let maps = env.objects("ConfigMap").into_iter();
    maps.filter(|map| map["metadata"]["name"] == "settings").collect()
}

#[test]
fn an_object_that_a_deleted_application_has_kept_can_be_taken_over() {
    let env = TestEnv::new();
    let keep = selecting("garbage-collect", ", strategy: never");
    env.write("first.yaml", application("first", "one", &keep));
    env.write("second.yaml", application("second", "two", &keep));
    env.run_ok("apply first.yaml");
    let refused = env.run_to("apply second.yaml --take-over", 4);
    refused.says("configmap/settings belongs to application `first`\n").says("rename the component");
    env.run_ok("delete first --yes").says("configmap/settings is kept");

    // The application itself finds it again.
    env.run_ok("apply first.yaml");
    env.run_ok("delete first --yes");

    let refused = env.run_to("apply second.yaml", 4);
    refused.says("configmap/settings belongs to application `first`, which was deleted and has kept it");
    refused.says("take it over with `--take-over`");
    env.run_ok("apply second.yaml --take-over").says("two: configmap/settings configured");
    let found = settings(&env);
    assert_eq!(found[0]["metadata"]["labels"]["app.oam.dev/name"], "second");
    assert_eq!(found[0]["data"]["of"], "second");
    let before = env.bytes();
    env.run_ok("apply second.yaml").says("two: nothing to do");
    assert_eq!(env.bytes(), before);
    env.run_ok("undo two");
    assert_eq!(settings(&env)[0]["data"]["of"], "first", "it is as it was");
}

#[test]
fn applications_of_one_command_can_share_an_object() {
    let both = |one: &str, other: &str| {
        format!("{}---\n{}", application("first", "one", one), application("second", "two", other))
    };
    let shared = selecting("shared-resource", "");
    let env = TestEnv::new();
    env.write("app.yaml", both(&shared, &shared));
    env.run_ok("apply app.yaml");
    assert_eq!(settings(&env).len(), 1);
    let before = env.bytes();
    env.run_ok("apply app.yaml");
    assert_eq!(env.bytes(), before);

    let env = TestEnv::new();
    env.write("app.yaml", both("debug", &selecting("read-only", "")));
    env.run_ok("apply app.yaml");
    assert_eq!(settings(&env)[0]["data"]["of"], "first");

    let env = TestEnv::new();
    env.write("app.yaml", both("debug", &shared));
    env.run_to("apply app.yaml", 2).says("components `one` and `two` both create configmap `settings`");
}
