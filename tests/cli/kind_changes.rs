//! Components whose type changes between two applies.

use crate::support::manifest::shop_of_entries;
use crate::support::pod_rules;
use crate::support::test_env::TestEnv;

const BATCHED: &str = "{name: web, type: webservice, properties: {image: 'web:1'}, \
     traits: [{type: rollout, properties: {targetSize: 3}}]}";
const DAEMON: &str = "{name: web, type: daemon, properties: {image: 'web:1'}}";
const SIBLING: &str = "{name: api, type: webservice, properties: {image: 'api:1'}}";

fn open(entry: &str) -> TestEnv {
    let env = TestEnv::new();
    env.write("v1.yaml", shop_of_entries(&[entry]));
    env.run_ok("apply v1.yaml");
    env
}

#[test]
fn undo_restores_the_size_of_batches_after_a_daemon() {
    let env = open(BATCHED);
    env.write("v2.yaml", shop_of_entries(&[DAEMON]));
    env.run_ok("apply v2.yaml");
    assert!(env.deployments().is_empty());
    env.write("v3.yaml", shop_of_entries(&[&DAEMON.replace("web:1", "web:2")]));
    env.run_ok("apply v3.yaml");
    env.run_ok("undo web --to-revision v1");
    assert_eq!(env.deployments(), ["web-v1 3/3"]);
    assert!(env.objects("DaemonSet").is_empty());
    env.run_to("plan v1.yaml --detailed-exitcode", 0);
}

#[test]
fn a_release_that_replaces_a_daemon_is_rolled_back() {
    let env = open(DAEMON);
    env.pods(pod_rules::failing("*:2", "ImagePullBackOff"));
    env.write("v2.yaml", shop_of_entries(&[&BATCHED.replace("web:1", "web:2")]));
    let ran = env.run_to("apply v2.yaml --batch-timeout 2s --on-failure undo", 3);
    ran.says("web: rollback to `web-v1`");
    assert!(env.deployments().is_empty());
    assert_eq!(env.objects("DaemonSet").len(), 1);
    env.run_to("apply v2.yaml --batch-timeout 300ms", 3);
    env.run_ok("abort web");
    assert!(env.deployments().is_empty());
    assert_eq!(env.objects("DaemonSet").len(), 1);
}

/// Regardless of what siblings run as.
#[test]
fn batches_of_another_kind_are_rejected_before_any_write() {
    let kinds = [("cloneset-service", "cloneset"), ("statefulset", "statefulset")];
    let whole = |kind: &str| format!("{{name: web, type: {kind}, properties: {{image: 'web:1'}}}}");
    for (kind, noun) in kinds {
        let batched = BATCHED.replace("webservice", kind);
        let changes = [
            (BATCHED, whole(kind), "deployment", noun),
            (&batched, whole("webservice"), noun, "deployment"),
            (&batched, DAEMON.to_owned(), noun, "daemonset"),
            (DAEMON, batched.clone(), "daemonset", noun),
        ];
        for (from, to, running, wanted) in changes {
            for sibling in [None, Some(SIBLING.to_owned()), Some(SIBLING.replace("webservice", kind))] {
                let env = open(from);
                let entries: Vec<&str> = [to.as_str()].into_iter().chain(sibling.as_deref()).collect();
                env.write("v2.yaml", shop_of_entries(&entries));
                let before = env.bytes();
                for command in ["plan", "apply"] {
                    let ran = env.run_to(&format!("{command} v2.yaml"), 4);
                    ran.says(&format!("runs as a {running} and cannot become a {wanted}"));
                }
                assert_eq!(env.bytes(), before);
            }
        }
    }
}

/// The Deployment is not named after the component, so no batch scales it down.
#[test]
fn a_deployment_of_the_manifest_is_deleted_after_the_batches() {
    let env = open(
        "{name: web, type: k8s-objects, properties: {objects: [{apiVersion: apps/v1, kind: Deployment, \
         metadata: {name: legacy}, spec: {replicas: 2, selector: {matchLabels: {app: legacy}}, \
         template: {metadata: {labels: {app: legacy}}, spec: {containers: [{name: c, image: 'web:1'}]}}}}]}}",
    );
    env.write("v2.yaml", shop_of_entries(&[BATCHED]));
    env.run_ok("apply v2.yaml").says("deployment.apps/legacy deleted");
    assert_eq!(env.deployments(), ["web-v2 3/3"]);
    env.run_ok("undo web");
    assert_eq!(env.deployments(), ["legacy 2/2"]);
}
