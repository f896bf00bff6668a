//! `rollout convert`: converts objects on stdin to an Application that can be planned.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::test_env::TestEnv;

/// The output of a command line that reads a text from stdin.
fn piped(env: &TestEnv, line: &str, text: &str) -> (Option<i32>, String, String) {
    let mut command = env.bare(line);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

const DEPLOYMENT: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: 'web:1', ports: [{containerPort: 80}]}]}
";

#[test]
fn the_printed_manifest_can_be_planned() {
    let env = TestEnv::new();
    let (code, printed, said) = piped(&env, "convert - --rollout --name shop", DEPLOYMENT);
    assert_eq!((code, said.as_str()), (Some(0), ""));
    assert!(printed.contains("metadata:\n  name: shop\n"), "{printed}");
    let (_, elsewhere, _) = piped(&env, "convert - --name shop -n mon", DEPLOYMENT);
    assert!(elsewhere.contains("metadata:\n  name: shop\n  namespace: mon\n"), "{elsewhere}");
    let (code, planned, said) = piped(&env, "plan - --sandbox", &printed);
    assert_eq!(code, Some(0), "{said}");
    assert!(planned.contains("web"), "{planned}");
}

/// A Deployment and its Service that belong to no application.
fn existing() -> TestEnv {
    let env = TestEnv::new();
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
    });
    let objects = DEPLOYMENT.trim().replace('\n', "\n            ");
    let application = format!(
        "apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {{name: old}}
spec:
  components:
    - name: old
      type: k8s-objects
      properties:
        objects:
          - {objects}
          - {service}
"
    );
    env.write("old.yaml", application);
    env.run_ok("apply old.yaml");
    env.edit(|objects| {
        for object in objects.iter_mut().filter(|one| one["metadata"]["name"] == "web") {
            let metadata = object["metadata"].as_object_mut().unwrap();
            metadata.remove("annotations");
            metadata.remove("labels");
            metadata.insert("managedFields".to_owned(), json!([]));
        }
    });
    env
}

#[test]
fn a_rollout_runs_next_to_the_existing_workload() {
    let env = existing();
    let mut objects = env.objects("Deployment");
    objects.extend(env.objects("Service").into_iter().filter(|one| one["metadata"]["name"] == "web"));
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string();
    let (code, printed, said) = piped(&env, "convert - --rollout --name shop", &list);
    assert_eq!((code, said.as_str()), (Some(0), ""));
    env.write("app.yaml", &printed);
    env.run_ok("apply app.yaml --take-over");
    assert_eq!(env.deployments(), ["web 2/2", "web-v1 2/2"], "{printed}");
    let selectors: Vec<Value> =
        env.objects("Service").iter().map(|one| one["spec"]["selector"].clone()).collect();
    assert!(selectors.contains(&json!({"app": "web"})), "{selectors:?}");
    // Like `kubectl delete deployment web`.
    env.edit(|objects| objects.retain(|one| one["kind"] != "Deployment" || one["metadata"]["name"] != "web"));
    env.run_ok("apply app.yaml").says("web: nothing to do");
}

#[test]
fn applications_among_objects_are_unchanged() {
    let env = TestEnv::new();
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {key: x}\n";
    let application = "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {name: shop}\n\
        spec: {components: [{name: web, type: webservice, properties: {image: 'web:1'}}]}\n";
    let (code, printed, said) = piped(&env, "convert -", &format!("{secret}---\n{application}"));
    assert_eq!((code, said.as_str()), (Some(0), ""));
    let (code, _, said) = piped(&env, "apply - --sandbox=box.json", &printed);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("secret/keys created") && said.contains("deployment.apps/web created"), "{said}");
    let hook = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, annotations: {helm.sh/hook: test}}\n";
    let (code, printed, said) = piped(&env, "convert -", &format!("{hook}---\n{application}"));
    assert_eq!((code, printed.matches("kind: Application").count()), (Some(0), 1), "{said}");
    let (code, alone, _) = piped(&env, "convert -", application);
    assert_eq!((code, alone.matches("kind: Application").count()), (Some(0), 1), "{alone}");
}

#[test]
fn an_application_gets_another_name_than_one_among_the_objects() {
    let env = TestEnv::new();
    let web = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: shop}\nspec:\n  selector: {matchLabels: {a: b}}\n  \
               template: {metadata: {labels: {a: b}}, spec: {containers: [{name: shop, image: 'shop:1'}]}}\n";
    let application = "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {name: shop}\n\
        spec: {components: [{name: api, type: webservice, properties: {image: 'api:1'}}]}\n";
    let both = format!("{web}---\n{application}");
    let (code, printed, said) = piped(&env, "convert -", &both);
    assert_eq!(code, Some(0), "{said}");
    let (code, _, said) = piped(&env, "apply - --sandbox=box.json", &printed);
    assert_eq!(code, Some(0), "{said}\n{printed}");
    assert_eq!(env.deployments(), ["api 1/1", "shop 1/1"]);
    let (code, _, said) = piped(&env, "convert - --name shop", &both);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("application `shop` is among the objects: choose another name"), "{said}");
}

#[test]
fn bad_input_is_reported_with_its_place() {
    let env = TestEnv::new();
    let (code, printed, said) = piped(&env, "convert -", "apiVersion: v1\nkind: ConfigMap\n");
    assert_eq!((code, printed.as_str()), (Some(2), ""), "{said}");
    assert!(said.contains("<stdin>:1:1: metadata: missing, expected a mapping with `name`"), "{said}");
    let (code, _, said) = piped(&env, "convert -", "# nothing\n");
    assert!(code != Some(0) && said.contains("found no object"), "{code:?} {said}");
}
