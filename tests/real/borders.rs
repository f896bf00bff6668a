//! How a run treats foreign objects, siblings and rollbacks on a real server.

use serde_json::{Value, json};

use crate::real_env::{RealEnv, v1, v2};
use crate::support::manifest::{application, component};

const STUCK: &str = "- {image: '*:5*', fail: NeverReady}\n- {image: '*', readyAfter: 100ms}\n";
const WELL: &str = "- {image: '*', readyAfter: 100ms}\n";

fn get(env: &RealEnv, object: &str) -> Value {
    serde_json::from_str(&env.kubectl(&["get", object, "-o", "json"])).unwrap()
}

/// The part of an object that clients write, without fields of controllers and the server.
fn written(env: &RealEnv, object: &str) -> Value {
    let mut object = get(env, object);
    for field in ["resourceVersion", "managedFields", "generation"] {
        object["metadata"][field] = Value::Null;
    }
    object["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = Value::Null;
    object["status"] = Value::Null;
    object
}

/// A Deployment with the component's labels, whose pods have other labels or the component's.
fn foreign(name: &str, labels: &Value, pod_labels: &Value) -> String {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": 2, "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": pod_labels},
                "spec": {"containers": [{"name": "main", "image": "proxy:1"}]},
            },
        },
    })
    .to_string()
}

/// The output of a trait, and a copy of the component's own workload under another name, survive every command.
pub(crate) fn foreign_workloads(env: &RealEnv) {
    env.applied(&v1());
    let labels = json!({
        "app.oam.dev/component": "express-server", "app.oam.dev/name": "rollout-trait-test",
        "app.oam.dev/resourceType": "TRAIT",
    });
    env.put(&foreign("proxy", &labels, &json!({"app": "proxy"})));
    let mut copy = get(env, "deployment/express-server-v1");
    copy["metadata"] = json!({
        "name": "express-copy",
        "labels": copy["metadata"]["labels"],
        "annotations": {"batch-rollout.dev/epoch": copy["metadata"]["annotations"]["batch-rollout.dev/epoch"]},
    });
    copy["spec"]["selector"]["matchLabels"] = json!({"app": "copy"});
    copy["spec"]["template"]["metadata"]["labels"] = json!({"app": "copy"});
    copy["status"] = Value::Null;
    env.put(&copy.to_string());
    let objects = ["deployment/proxy", "deployment/express-copy"];
    let before = objects.map(|object| written(env, object));
    let again = env.applied(&v1());
    for name in ["`proxy`", "`express-copy`"] {
        assert_eq!(again.stderr.matches(name).count(), 1, "{again:#?}");
    }
    env.applied(&v2());
    assert_eq!(env.rollout(&["undo"]).code, Some(0));
    assert_eq!(objects.map(|object| written(env, object)), before);
    // Pods that match the component's selector would be counted as its own.
    let pod_labels = json!({"app": "intruder", "app.oam.dev/component": "express-server"});
    env.put(&foreign("intruder", &labels, &pod_labels));
    let refused = env.apply(&v2(), &[]);
    assert_eq!(refused.code, Some(4), "{refused:#?}");
    assert!(refused.stderr.contains("`intruder`"), "{refused:#?}");
    env.kubectl(&["delete", "deployment", "intruder"]);
    assert_eq!(env.rollout(&["delete", "express-server", "--yes"]).code, Some(0));
    assert_eq!(objects.map(|object| written(env, object)), before);
}

/// The application with a sibling whose pods become ready.
fn both(version: u32) -> String {
    let express_server = if version == 1 { v1() } else { v2() };
    let sibling = component("sibling", version, 5).batches(&["2", "3"]);
    application("rollout-trait-test", &[express_server, sibling])
}

/// `abort` of one component while another process drives it and a sibling.
pub(crate) fn abort_beside_a_sibling(env: &RealEnv) {
    let (first, second) = (env.file("first.yaml", &both(1)), env.file("second.yaml", &both(2)));
    let applied = env.rollout(&["apply", first.to_str().unwrap()]);
    assert_eq!(applied.code, Some(0), "{applied:#?}");
    env.script("- {image: 'sibling:*', readyAfter: 3s}\n- {image: '*:5*', fail: NeverReady}\n- {image: '*', readyAfter: 100ms}\n");
    let mut driver = env.start(&["apply", second.to_str().unwrap()]);
    driver.until("express-server: batch 1 of 2: waiting");
    let status = env.rollout(&["status", "express-server"]);
    assert!(status.stderr.contains("drives the run"), "{status:#?}");
    let aborted = env.rollout(&["abort", "express-server"]);
    assert_eq!(aborted.code, Some(0), "{aborted:#?}");
    let driver = driver.end();
    assert_eq!(driver.code, Some(5), "{driver:#?}");
    assert!(driver.stderr.contains("sibling: done: 5 of 5 upgraded, 5 ready"), "{driver:#?}");
    assert_eq!(env.deployments(), [("express-server-v1".to_owned(), "5/5".to_owned())]);
    let siblings = env.kubectl(&["get", "deploy", "-l", "app.oam.dev/component=sibling", "-o", "name"]);
    assert_eq!(siblings.trim(), "deployment.apps/sibling-v2");
}

/// A failed run with another size is rolled back automatically to the previous size, even if the strategy decreases the
/// source first; during the rollback, the source never loses ready pods.
pub(crate) fn rollback_to_the_size_from_before(env: &RealEnv) {
    let decrease_first = v2().rollout("rolloutStrategy: DecreaseFirst").rollout("batchPartition: 0");
    env.applied(&v1());
    let held = env.apply(&decrease_first, &[]);
    assert_eq!(held.code, Some(0), "{held:#?}");
    let undone = env.rollout(&["undo", "--now"]);
    assert_eq!(undone.code, Some(0), "{undone:#?}");
    let (grows, shrinks) =
        (undone.stderr.find("`express-server-v1` 3 → 5"), undone.stderr.find("`express-server-v2` 2 → 0"));
    assert!(grows.is_some() && grows < shrinks, "{undone:#?}");
    env.script(STUCK);
    let larger = v2().size(9).batches(&["3", "6"]);
    let failed = env.apply(&larger, &["--batch-timeout", "3s", "--on-failure", "undo"]);
    assert_eq!(failed.code, Some(3), "{failed:#?}");
    env.until("v1 alone", || env.deployments() == [("express-server-v1".to_owned(), "5/5".to_owned())]);
    // The size of a finished rollout drifts, and its repair fails: it is not rolled back to an earlier revision.
    env.script(WELL);
    env.applied(&v2());
    env.kubectl(&["scale", "deployment/express-server-v2", "--replicas=3"]);
    env.until("3 pods", || env.deployments() == [("express-server-v2".to_owned(), "3/3".to_owned())]);
    env.script(STUCK);
    let failed = env.apply(&v2(), &["--batch-timeout", "3s", "--on-failure", "undo"]);
    assert_eq!(failed.code, Some(3), "{failed:#?}");
    let names: Vec<String> = env.deployments().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["express-server-v2"], "{failed:#?}");
}

/// A copy of a StatefulSet is not mistaken for it, and changing the size back and forth does not hide a changed image.
pub(crate) fn stateful_sets(env: &RealEnv) {
    let text = |revision: &str, image: &str| {
        let component = v1().of("statefulset").revision(&format!("express-server-{revision}")).image(image);
        application("rollout-trait-test", &[component])
    };
    let (first, second) =
        (env.file("first.yaml", &text("v1", "db:1")), env.file("second.yaml", &text("v2", "db:2")));
    let apply = |file: &std::path::Path| {
        let ran = env.rollout(&["apply", file.to_str().unwrap()]);
        assert_eq!(ran.code, Some(0), "{ran:#?}");
    };
    apply(&first);
    let mut copy = get(env, "statefulset/express-server");
    copy["metadata"] = json!({"name": "a-copy", "labels": copy["metadata"]["labels"]});
    copy["spec"]["selector"]["matchLabels"] = json!({"app": "copy"});
    copy["spec"]["template"]["metadata"]["labels"] = json!({"app": "copy"});
    copy["status"] = Value::Null;
    env.put(&copy.to_string());
    let before = written(env, "statefulset/a-copy");
    apply(&second);
    assert_eq!(written(env, "statefulset/a-copy"), before);
    let image = || {
        get(env, "statefulset/express-server")["spec"]["template"]["spec"]["containers"][0]["image"].clone()
    };
    assert_eq!(image(), "db:2");
    for size in ["--replicas=6", "--replicas=5"] {
        env.kubectl(&["scale", "statefulset/express-server", size]);
    }
    apply(&second);
    env.kubectl(&["set", "image", "statefulset/express-server", "express-server=foreign:1"]);
    let planned = env.rollout(&["plan", second.to_str().unwrap(), "--detailed-exitcode"]);
    assert_eq!(planned.code, Some(8), "{planned:#?}");
    apply(&second);
    assert_eq!(image(), "db:2");
}
