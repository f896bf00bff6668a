//! Components that are applied as a whole, on a server that validates objects.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::real_env::RealEnv;

/// An application of components of several types, with traits.
const SHOP: &str = "apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: shop}
spec:
  components:
    - name: web
      type: webservice
      properties:
        image: shop/web:1
        env: [{name: A, value: '1'}, {name: B, value: '2'}]
        ports: [{port: 80, expose: true}]
      traits:
        - {type: storage, properties: {configMap: [{name: settings, mountPath: /etc/settings, data: {level: info}}]}}
        - {type: gateway, properties: {domain: shop.example.com, http: {/: 80}}}
        - {type: labels, properties: {team: shop}}
        - {type: sidecar, properties: {name: logger, image: 'shop/logger:1'}}
    - {name: queue, type: worker, properties: {image: 'shop/queue:1'}}
    - {name: db, type: statefulset, properties: {image: 'shop/db:1', ports: [{port: 5432, expose: true}]}}
    - {name: report, type: cron-task, properties: {image: 'shop/report:1', schedule: '0 3 * * *', restart: Never}}
";

fn shop(env: &RealEnv, text: &str) -> String {
    env.file("shop.yaml", text).to_str().unwrap().to_owned()
}

/// The number of writes in this namespace.
fn writes(env: &RealEnv) -> usize {
    env.requests().iter().filter(|request| request.is_write()).count()
}

pub(crate) fn walk(env: &RealEnv) {
    let file = shop(env, SHOP);
    let applied = env.rollout(&["apply", &file]);
    assert_eq!(applied.code, Some(0), "{applied:#?}");
    let before = writes(env);
    let again = env.rollout(&["apply", &file]);
    assert_eq!((again.code, writes(env)), (Some(0), before), "{again:#?}");

    // A field that was changed since is set again, and a dropped one is removed.
    env.kubectl(&["set", "image", "deployment/web", "web=shop/web:9"]);
    let file = shop(env, &SHOP.replace(", {name: B, value: '2'}", ""));
    let applied = env.rollout(&["apply", &file]);
    assert_eq!(applied.code, Some(0), "{applied:#?}");
    assert!(applied.stderr.contains("was changed by `kubectl-set`, and is set again"), "{applied:#?}");
    let spec =
        "jsonpath={.spec.template.spec.containers[0].image} {.spec.template.spec.containers[0].env[*].name}";
    assert_eq!(env.kubectl(&["get", "deployment", "web", "-o", spec]), "shop/web:1 A");

    // A field that the manifest now sets, and that another manager owns.
    env.kubectl(&["patch", "deployment", "queue", "-p", r#"{"spec": {"replicas": 2}}"#]);
    let sized = SHOP.replace(
        "{image: 'shop/queue:1'}}",
        "{image: 'shop/queue:1'}, traits: [{type: scaler, properties: {replicas: 3}}]}",
    );
    let file = shop(env, &sized);
    let before = writes(env);
    let refused = env.rollout(&["apply", &file]);
    assert_eq!((refused.code, writes(env)), (Some(4), before), "{refused:#?}");
    assert!(refused.stderr.contains("field `.spec.replicas` is managed by `kubectl-patch`"), "{refused:#?}");

    let deleted = env.rollout(&["delete", "shop", "--yes"]);
    assert_eq!(deleted.code, Some(0), "{deleted:#?}");
    env.until("the end of everything", || {
        let kinds = "deployments,statefulsets,cronjobs,services,ingresses,configmaps,controllerrevisions";
        let left = env.kubectl(&["get", kinds, "-l", "app.oam.dev/name=shop", "-o", "name"]);
        left.is_empty()
    });
}

/// A workflow is held at its step, and waits for another application, whose kind the server does not know.
pub(crate) fn workflow(env: &RealEnv) {
    let namespace = &env.namespace;
    let text = |wait: &str| {
        format!(
            "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {{name: shop}}\nspec:\n  components:\n    \
             - {{name: queue, type: worker, properties: {{image: 'shop/queue:1'}}}}\n    \
             - {{name: web, type: webservice, properties: {{image: 'shop/web:1', ports: [{{port: 80, expose: true}}]}}, \
             traits: [{{type: rollout, properties: {{targetSize: 2}}}}]}}\n  workflow:\n    steps:\n{wait}      \
             - {{name: first, type: apply-component, properties: {{component: queue}}}}\n      \
             - {{name: approve, type: suspend}}\n      \
             - {{name: second, type: apply-component, properties: {{component: web}}}}\n"
        )
    };
    let wait = format!(
        "      - {{name: data, type: depends-on-app, properties: {{name: db, namespace: {namespace}}}}}\n"
    );
    let late = env.rollout(&["apply", &shop(env, &text(&wait)), "--batch-timeout", "1s"]);
    assert_eq!(late.code, Some(3), "{late:#?}");
    assert!(late.stderr.contains("application `db` in namespace"), "{late:#?}");

    let file = shop(env, &text(""));
    let held = env.rollout(&["apply", &file]);
    assert_eq!(held.code, Some(0), "{held:#?}");
    assert!(held.stderr.contains("web: held at step `approve` of the workflow"), "{held:#?}");
    let before = writes(env);
    let again = env.rollout(&["apply", &file]);
    assert_eq!((again.code, writes(env)), (Some(0), before), "{again:#?}");
    assert_eq!(env.kubectl(&["get", "deployments", "-o", "name"]).trim(), "deployment.apps/queue");
    let promoted = env.rollout(&["promote", "shop"]);
    assert_eq!(promoted.code, Some(0), "{promoted:#?}");
    let before = writes(env);
    let again = env.rollout(&["apply", &file]);
    assert_eq!((again.code, writes(env)), (Some(0), before), "{again:#?}");
}

/// The application only reads these objects: they lack its labels, and become ready without it.
pub(crate) fn what_is_read_is_waited_for(env: &RealEnv) {
    env.script("- {image: '*', fail: NeverReady}\n");
    let read = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: cache}}, {apiVersion: v1, kind: ConfigMap, metadata: \
                {name: settings}}";
    let file = shop(
        env,
        &format!(
            "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {{name: reader}}\nspec:\n  components:\n    \
             - {{name: read, type: k8s-objects, properties: {{objects: [{read}]}}}}\n  policies:\n    - {{name: read, type: \
             read-only, properties: {{rules: [{{selector: {{componentNames: [read]}}}}]}}}}\n"
        ),
    );
    let mut waiting = env.start(&["apply", &file, "--batch-timeout", "60s"]);
    waiting.until("does not exist, and is not created");
    env.kubectl(&["create", "deployment", "cache", "--image=cache:1"]);
    env.kubectl(&["create", "configmap", "settings"]);
    waiting.until("0 of 1 ready");
    env.script("- {image: '*', readyAfter: 100ms}\n");
    waiting.end_with(0);
    assert_eq!(env.kubectl(&["get", "deployment", "cache", "-o", "jsonpath={.metadata.generation}"]), "1");
}

/// The trait is removed together with fields of the last revision, which must not remain.
pub(crate) fn batches_become_whole(env: &RealEnv) {
    let apply = |kind: &str, properties: &str, traits: &str| {
        let text = format!(
            "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {{name: {kind}}}\nspec:\n  components:\n    \
             - {{name: of-{kind}, type: {kind}, properties: {{image: 'shop/web:1', {properties}}}{traits}}}\n"
        );
        let applied = env.rollout(&["apply", &shop(env, &text)]);
        assert_eq!(applied.code, Some(0), "{applied:#?}");
    };
    let batches = ", traits: [{type: rollout, properties: {targetSize: 2}}]";
    let found = |object: &str, path: &str| env.kubectl(&["get", object, "-o", &format!("jsonpath={path}")]);
    apply("cloneset-service", "env: [{name: A, value: '1'}, {name: B, value: '2'}]", batches);
    apply("cloneset-service", "env: [{name: B, value: '2'}]", "");
    let names = "{.spec.template.spec.containers[0].env[*].name}";
    assert_eq!(found("clonesets.apps.kruise.io/of-cloneset-service", names), "B");
    apply("webservice", "ports: [{port: 80, expose: true}, {port: 81, expose: true}]", batches);
    apply("webservice", "ports: [{port: 80, expose: true}]", "");
    assert_eq!(found("service/of-webservice", "{.spec.ports[*].port}"), "80");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Cases that this server does not accept, with its error messages: it runs without `--allow-privileged`, which
/// defaults to false, and these have `privileged: true`.
const REFUSED: [(&str, &str); 2] = [
    ("traits/securitycontext/all.yaml", "disallowed by cluster policy"),
    ("traits/securitycontext/containers.yaml", "disallowed by cluster policy"),
];

/// Every expected object of a type or trait passes the server's strict validation.
pub(crate) fn golden(env: &RealEnv) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifest/golden");
    let served: BTreeSet<String> = env
        .kubectl(&["api-resources", "--no-headers"])
        .lines()
        .filter_map(|line| line.split_whitespace().last().map(str::to_owned))
        .collect();
    let mut paths = files(&root);
    paths.sort();
    assert!(paths.len() > 50, "{paths:?}");
    let mut refused = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        let documents = text.split("\n---\n").skip(1);
        let objects = documents.map(|text| serde_yaml::from_str::<Value>(text).unwrap());
        let is_served = |object: &Value| {
            object["kind"].as_str().is_some_and(|kind| served.contains(kind))
                && object["metadata"]["namespace"].is_null()
        };
        let items: Vec<Value> = objects.filter(is_served).collect();
        if items.is_empty() {
            continue;
        }
        let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
        let file = env.file("golden.yaml", &list.to_string());
        let output = env.try_kubectl(&[
            "apply",
            "--server-side",
            "--dry-run=server",
            "--validate=strict",
            "-f",
            file.to_str().unwrap(),
        ]);
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        let known = REFUSED.iter().find(|(of, _)| *of == name).map_or("", |(_, message)| message);
        let message = String::from_utf8_lossy(&output.stderr);
        if output.status.success() == known.is_empty() && message.contains(known) {
            continue;
        }
        refused.push(format!("{name}: {message}"));
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}
