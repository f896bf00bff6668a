//! The ports of a component's Service, and `plan` and `apply` of differences.

use serde_json::{Value, json};

use crate::support::manifest::{application, component};
use crate::support::pod_rules;
use crate::support::test_env::TestEnv;

/// The component `web` with these properties besides its image.
fn web(revision: &str, properties: &str) -> String {
    let web = component("web", 1, 2).revision(&format!("web-{revision}")).image(&format!("web:{revision}"));
    application("shop", &[web.property(properties)])
}

fn service(env: &TestEnv, name: &str) -> Option<Value> {
    env.objects("Service").into_iter().find(|service| service["metadata"]["name"] == name)
}

/// The ports of the Service `web` with their targets.
fn offered(env: &TestEnv) -> Vec<String> {
    let ports = service(env, "web").map(|service| service["spec"]["ports"].clone()).unwrap_or_default();
    let line =
        |port: &Value| format!("{}->{}", port["port"], port["targetPort"].as_str().unwrap_or("a number"));
    ports.as_array().into_iter().flatten().map(line).collect()
}

const PORT_80: &str = "ports: [{port: 80, expose: true}]";
const PORT_81: &str = "ports: [{port: 81, expose: true}]";

/// The manifests of `v1` and `v2`, which expose different ports; `v1` runs.
fn exposed() -> TestEnv {
    let env = TestEnv::new();
    env.write("v1.yaml", web("v1", PORT_80));
    env.write("v2.yaml", web("v2", PORT_81));
    env.run_ok("apply v1.yaml");
    env
}

fn is_at_rest(env: &TestEnv, manifest: &str) {
    env.run_to(&format!("plan {manifest} --detailed-exitcode"), 0);
}

fn has_changes(env: &TestEnv, manifest: &str) -> String {
    env.run_to(&format!("plan {manifest} --detailed-exitcode"), 8).stdout
}

#[test]
fn undo_restores_the_ports_of_the_older_revision() {
    let env = exposed();
    assert_eq!(offered(&env), ["80->port-80"]);
    env.run_ok("apply v2.yaml");
    assert_eq!(offered(&env), ["81->port-81"]);
    env.run_ok("undo web");
    assert_eq!(offered(&env), ["80->port-80"]);
    is_at_rest(&env, "v1.yaml");
}

#[test]
fn a_canary_and_its_source_are_both_reachable() {
    let env = exposed();
    env.run_ok("apply v2.yaml --batches 1,1 --partition 0");
    assert_eq!(offered(&env), ["80->port-80", "81->port-81"]);
    env.run_ok("abort web");
    assert_eq!(offered(&env), ["80->port-80"]);
}

#[test]
fn a_failed_upgrade_keeps_the_ports_of_the_source() {
    let env = exposed();
    env.pods(pod_rules::failing("web:v2", "NeverReady"));
    env.run_to("apply v2.yaml --batch-timeout 300ms", 3);
    assert_eq!(offered(&env), ["80->port-80", "81->port-81"]);
    env.run_to("apply v2.yaml --batch-timeout 2s --on-failure undo", 3);
    assert_eq!(offered(&env), ["80->port-80"]);
}

#[test]
fn a_port_that_is_no_longer_exposed_is_removed_without_replacing_pods() {
    let env = TestEnv::new();
    env.write("app.yaml", web("v1", "ports: [{port: 80, expose: true}, {port: 81, expose: true}]"));
    env.run_ok("apply app.yaml");
    env.write("app.yaml", web("v1", "ports: [{port: 80, expose: true}, {port: 81}]"));
    assert!(has_changes(&env, "app.yaml").contains("service `web` changes"));
    env.run_ok("apply app.yaml");
    assert_eq!(offered(&env), ["80->port-80"]);
    is_at_rest(&env, "app.yaml");
    env.write("app.yaml", web("v1", "ports: [{port: 80}, {port: 81}]"));
    assert!(has_changes(&env, "app.yaml").contains("service `web` is deleted"));
    env.run_ok("apply app.yaml").says("service `web` deleted");
    assert_eq!(service(&env, "web"), None);
    is_at_rest(&env, "app.yaml");
    assert_eq!(env.objects("ControllerRevision").len(), 1);
    // The last requested exposure of a revision applies when it is a source, and when it is rolled back to.
    env.write("v2.yaml", web("v2", PORT_81));
    env.run_ok("apply v2.yaml");
    env.run_ok("undo web");
    assert_eq!(service(&env, "web"), None);
}

#[test]
fn a_service_that_was_edited_or_deleted_is_repaired() {
    let env = TestEnv::new();
    env.write("app.yaml", web("v1", PORT_80));
    env.run_ok("apply app.yaml");
    let edits: [fn(&mut Value); 4] = [
        |service| service["spec"]["ports"][0]["targetPort"] = json!(9),
        |service| service["spec"]["selector"] = json!({"app": "other"}),
        |service| service["spec"]["type"] = json!("NodePort"),
        |service| {
            let more = json!({"name": "x", "port": 99, "targetPort": 99, "protocol": "TCP"});
            service["spec"]["ports"].as_array_mut().unwrap().push(more);
        },
    ];
    for edit in edits {
        env.edit(|objects| objects.iter_mut().filter(|one| one["kind"] == "Service").for_each(edit));
        assert!(has_changes(&env, "app.yaml").contains("service `web` changes"));
        env.run_ok("apply app.yaml");
        let spec = &service(&env, "web").unwrap()["spec"];
        assert_eq!(spec["selector"], json!({"app.oam.dev/component": "web"}));
        assert_eq!((offered(&env), &spec["type"]), (vec!["80->port-80".to_owned()], &json!("ClusterIP")));
        is_at_rest(&env, "app.yaml");
    }
    env.edit(|objects| objects.retain(|one| one["kind"] != "Service"));
    assert!(has_changes(&env, "app.yaml").contains("service `web` is new"));
    env.run_ok("apply app.yaml");
    assert_eq!(offered(&env), ["80->port-80"]);
}

/// Revisions recorded before the annotation existed, with a Service whose target ports are numbers.
#[test]
fn a_revision_without_a_recorded_exposure_is_reachable_and_a_rollback_target() {
    let env = exposed();
    env.edit(|objects| {
        for object in objects {
            match object["kind"].as_str() {
                Some("ControllerRevision") => {
                    object["metadata"].as_object_mut().unwrap().remove("annotations");
                }
                Some("Service") => {
                    object["spec"]["ports"][0]["targetPort"] = json!(80);
                    object["metadata"]["annotations"] =
                        json!({"batch-rollout.dev/applied": "0123456789abcdef"});
                }
                _ => {}
            }
        }
    });
    env.run_ok("apply v2.yaml --batches 1,1 --partition 0");
    assert_eq!(offered(&env), ["80->port-80", "81->port-81"]);
    env.run_ok("promote web");
    assert_eq!(offered(&env), ["81->port-81"]);
    env.run_ok("undo web");
    assert_eq!(offered(&env), ["80->port-80"]);
    assert_eq!(env.objects("ControllerRevision").len(), 2, "none of them is new");
    is_at_rest(&env, "v1.yaml");
}

#[test]
fn labels_of_the_application_reach_its_objects_without_replacing_pods() {
    let env = TestEnv::new();
    let text = web("v1", PORT_80);
    let labelled = |metadata: &str| text.replacen("  name: shop\n", &format!("  name: shop\n{metadata}"), 1);
    env.write("app.yaml", labelled("  labels: {team: tea, old: x}\n"));
    env.run_ok("apply app.yaml");
    let pods = |env: &TestEnv| -> Vec<String> {
        env.objects("Pod").iter().map(|pod| pod["metadata"]["uid"].to_string()).collect()
    };
    let before = pods(&env);
    env.write("app.yaml", labelled("  labels: {team: coffee}\n  annotations: {note: hot}\n"));
    let plan = has_changes(&env, "app.yaml");
    assert!(
        plan.contains("labels or annotations of deployment `web-v1` change; its pods are not replaced"),
        "{plan}"
    );
    assert!(plan.contains("-    team: tea") && plan.contains("+    team: coffee"), "{plan}");
    env.run_ok("apply app.yaml");
    for object in [service(&env, "web").unwrap(), env.objects("Deployment")[0].clone()] {
        let metadata = &object["metadata"];
        assert_eq!(
            (&metadata["labels"]["team"], &metadata["labels"]["old"]),
            (&json!("coffee"), &Value::Null)
        );
        assert_eq!(metadata["annotations"]["note"], "hot", "{metadata}");
    }
    is_at_rest(&env, "app.yaml");
    env.write("app.yaml", labelled(""));
    has_changes(&env, "app.yaml");
    env.run_ok("apply app.yaml");
    for object in [service(&env, "web").unwrap(), env.objects("Deployment")[0].clone()] {
        assert_eq!(object["metadata"]["labels"]["team"], Value::Null);
        assert_eq!(object["metadata"]["annotations"]["note"], Value::Null);
    }
    is_at_rest(&env, "app.yaml");
    assert_eq!(pods(&env), before);
}

/// A StatefulSet whose headless Service has the same name as the exposing Service of the other component.
fn colliding() -> String {
    let other = component("store-headless", 1, 1).image("other:1").property(PORT_80);
    application("shop", &[component("store", 1, 1).of("statefulset"), other])
}

#[test]
fn components_with_the_same_service_are_rejected_before_the_first_write() {
    let env = TestEnv::new();
    env.write("app.yaml", colliding());
    for line in ["plan app.yaml", "apply app.yaml"] {
        let ran = env.run_to(line, 2);
        ran.says("components `store` and `store-headless` both create service `store-headless`");
    }
    assert!(!env.path("box.json").exists(), "nothing was written");
}

#[test]
fn another_components_service_is_rejected_and_survives_a_removal() {
    let env = TestEnv::new();
    let text = colliding();
    let (store, _) = text.split_once("    - name: store-headless").unwrap();
    env.write("store.yaml", store);
    env.run_ok("apply store.yaml");
    let (head, rest) = text.split_once("    - name: store\n").unwrap();
    let (_, second) = rest.split_once("    - name: store-headless").unwrap();
    env.write("other.yaml", format!("{head}    - name: store-headless{second}"));
    env.run_to("apply other.yaml", 4).says("service `store-headless` belongs to component `store`");
    // An earlier version permitted one of them to take it over.
    env.write("other.yaml", format!("{head}    - name: store-headless{second}").replace(PORT_80, ""));
    env.run_ok("apply other.yaml");
    env.edit(|objects| {
        let services = objects.iter_mut().filter(|one| one["kind"] == "Service");
        services.for_each(|service| {
            service["metadata"]["labels"]["app.oam.dev/component"] = json!("store-headless");
        });
    });
    env.run_ok("delete store-headless --yes");
    assert!(service(&env, "store-headless").is_some());
}

#[test]
fn a_revision_with_an_automatic_name_of_another_component_is_rejected() {
    let env = TestEnv::new();
    let named = component("api", 1, 1).revision("web-v1");
    env.write("both.yaml", application("shop", &[component("web", 1, 1).unnamed(), named.clone()]));
    let ran = env.run_to("apply both.yaml", 4);
    let told = "components `web` and `api` both create revision `web-v1`";
    ran.says(told);
    assert!(!env.path("box.json").exists(), "nothing was written");
    // If one of them already has the name, an automatic name avoids it.
    env.write("api.yaml", application("shop", &[named]));
    env.run_ok("apply api.yaml");
    env.run_ok("apply both.yaml");
    assert_eq!(env.deployments(), ["web-v1 1/1", "web-v2 1/1"]);
}

#[test]
fn a_foreign_service_with_the_components_name_is_rejected() {
    let env = TestEnv::new();
    env.write("app.yaml", web("v1", ""));
    env.run_ok("apply app.yaml");
    env.edit(|objects| {
        let labels = json!({"app.oam.dev/name": "shop", "app.oam.dev/component": "web"});
        let metadata = json!({
            "name": "web", "namespace": "default", "labels": labels, "uid": "u", "resourceVersion": "1",
        });
        let spec = json!({"type": "ClusterIP", "sessionAffinity": "None", "ports": [{"port": 9, "targetPort": 9, "protocol": "TCP"}]});
        objects.push(json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}));
    });
    let before = service(&env, "web");
    is_at_rest(&env, "app.yaml");
    env.write("v2.yaml", web("v2", PORT_80));
    let ran = env.run_to("apply v2.yaml", 4);
    ran.says("service `web` exists and was not created for component `web`");
    assert_eq!(service(&env, "web"), before);
}

#[test]
fn a_component_cannot_have_the_name_of_anothers_deployment() {
    let env = TestEnv::new();
    let whole = component("web-v1", 1, 1).of("worker").plain();
    env.write("app.yaml", application("shop", &[component("web", 1, 2), whole]));
    env.run_to("apply app.yaml", 4).says("components `web` and `web-v1` both create deployment `web-v1`");
    assert!(!env.path("box.json").exists(), "nothing was written");
}
