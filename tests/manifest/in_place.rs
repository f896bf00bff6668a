//! Rendering of a `cloneset-service` and a `statefulset`.

use rollout::oam::render::{render_services, render_workload};
use rollout::oam::revision::{Decision, StoredRevision, decide_revision, render_revision as live};
use serde_json::{Value, json};

use crate::parsing::{one, refused};

fn manifest(kind: &str, properties: &str) -> String {
    format!(
        "apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {{name: shop}}
spec:
  components:
    - name: web
      type: {kind}
      properties: {properties}
      traits: [{{type: rollout, properties: {{targetSize: 5}}}}]
"
    )
}

fn rendered(text: &str) -> Value {
    let application = one(text);
    render_workload(&application, &application.components[0], "prod", "web-v1")
}

/// The workload of the first revision of a manifest.
fn running(text: &str, replicas: u32, partition: u32) -> Value {
    let application = one(text);
    let Ok(Decision::Create(new)) = decide_revision(&[], &application, &application.components[0], "prod")
    else {
        panic!("it is new");
    };
    let stored = StoredRevision::from_object(&new.object()).expect("it is an object");
    live(&stored, replicas, partition).expect("it holds a workload")
}

#[test]
fn a_clone_set_sets_as_few_fields_as_possible() {
    let text = manifest("cloneset-service", "{image: 'web:1'}");
    let found = rendered(&text);
    assert_eq!(
        (&found["apiVersion"], &found["kind"]),
        (&json!("apps.kruise.io/v1alpha1"), &json!("CloneSet"))
    );
    assert_eq!(found["metadata"]["name"], "web");
    assert_eq!(
        found["spec"],
        json!({
            "selector": {"matchLabels": {"app.oam.dev/component": "web"}},
            "template": {
                "metadata": {"labels": {"app.oam.dev/component": "web", "app.oam.dev/name": "shop"}},
                "spec": {"containers": [{"name": "web", "image": "web:1", "ports": [{"containerPort": 80}]}]},
            },
        })
    );
    for alias in ["cloneset", "clonesetservice"] {
        assert_eq!(rendered(&manifest(alias, "{image: 'web:1'}")), found);
    }
}

#[test]
fn every_property_of_a_clone_set() {
    let text = manifest(
        "cloneset-service",
        "{image: 'web:1', port: 8080, cmd: [serve], args: [--fast], postStart: [warm], preStop: [drain, now], \
         updateStrategyType: InPlaceIfPossible, cpu: 500m, hostAliases: [{ip: 10.0.0.1, hostnames: [db]}]}",
    );
    let spec = &rendered(&text)["spec"];
    assert_eq!(spec["updateStrategy"], json!({"type": "InPlaceIfPossible"}));
    let pod = &spec["template"]["spec"];
    assert_eq!(pod["hostAliases"], json!([{"ip": "10.0.0.1", "hostnames": ["db"]}]));
    assert_eq!(
        pod["containers"],
        json!([{
            "name": "web",
            "image": "web:1",
            "command": ["serve"],
            "args": ["--fast"],
            "ports": [{"containerPort": 8080}],
            "resources": {"limits": {"cpu": "500m"}, "requests": {"cpu": "500m"}},
            "lifecycle": {
                "postStart": {"exec": {"command": ["warm"]}},
                "preStop": {"exec": {"command": ["drain", "now"]}},
            },
        }])
    );
}

#[test]
fn a_rendered_clone_set_has_its_strategy_and_its_components_name() {
    let found = running(&manifest("cloneset-service", "{image: 'web:1'}"), 5, 3);
    assert_eq!(found["metadata"]["name"], "web");
    assert_eq!(found["metadata"]["labels"]["app.oam.dev/revision"], "web-v1");
    assert_eq!(found["spec"]["replicas"], 5);
    assert_eq!(found["spec"]["updateStrategy"], json!({"type": "ReCreate", "partition": 3}));
}

#[test]
fn every_property_of_a_stateful_set() {
    let text = manifest(
        "statefulset",
        "{image: 'db:1', args: [--data, /data], ports: [{port: 5432, name: sql, expose: true}], \
         podManagementPolicy: Parallel, \
         volumeClaimTemplates: [{name: data, mountPath: /data, storage: 10Gi, storageClassName: fast}]}",
    );
    let found = rendered(&text);
    assert_eq!((&found["apiVersion"], &found["kind"]), (&json!("apps/v1"), &json!("StatefulSet")));
    let spec = &found["spec"];
    assert_eq!(
        (&spec["serviceName"], &spec["podManagementPolicy"]),
        (&json!("web-headless"), &json!("Parallel"))
    );
    assert_eq!(
        spec["volumeClaimTemplates"],
        json!([{
            "metadata": {"name": "data"},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": "fast",
                "resources": {"requests": {"storage": "10Gi"}},
            },
        }])
    );
    assert_eq!(
        spec["template"]["spec"]["containers"][0]["volumeMounts"],
        json!([{"name": "data", "mountPath": "/data"}])
    );
    let labels = json!({"app.oam.dev/component": "web", "app.oam.dev/name": "shop"});
    assert_eq!(spec["template"]["metadata"]["labels"], labels);
    let found = running(&text, 3, 2);
    assert_eq!(found["metadata"]["name"], "web");
    assert_eq!(
        found["spec"]["updateStrategy"],
        json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}})
    );
}

#[test]
fn a_stateful_set_has_a_headless_service_besides_the_exposing_one() {
    let names = |properties: &str| {
        let application = one(&manifest("statefulset", properties));
        render_services(&application, &application.components[0], "prod")
    };
    let alone = names("{image: 'db:1'}");
    assert_eq!(alone.len(), 1);
    assert_eq!(alone[0]["metadata"]["name"], "web-headless");
    assert_eq!(
        alone[0]["spec"],
        json!({
            "clusterIP": "None",
            "selector": {"app.oam.dev/component": "web"},
            "publishNotReadyAddresses": true,
        })
    );
    let both = names("{image: 'db:1', ports: [{port: 5432, expose: true}]}");
    assert_eq!(both.len(), 2);
    assert_eq!(both[0]["metadata"]["name"], "web");
    assert_eq!(
        both[1]["spec"]["ports"],
        json!([{"name": "port-5432", "port": 5432, "targetPort": "port-5432"}])
    );
}

#[test]
fn properties_of_another_type_are_rejected_with_a_reason() {
    for (kind, properties, reason) in [
        ("cloneset-service", "{image: a, ports: [{port: 80}]}", "a `cloneset-service` has one `port`"),
        ("cloneset-service", "{image: a, replicas: 3}", "the number of replicas is `targetSize`"),
        ("cloneset-service", "{image: a, updateStrategyType: OnDelete}", "`ReCreate`"),
        (
            "statefulset",
            "{image: a, updateStrategyType: OnDelete}",
            "with `OnDelete`, you would have to delete them",
        ),
        ("webservice", "{image: a, volumeClaimTemplates: []}", "only a `statefulset` has it"),
        ("worker", "{image: a, preStop: [x]}", "only a `cloneset-service` has it"),
        ("worker", "{image: a, ports: []}", "only a `webservice`, a `statefulset` and a `daemon` have it"),
        (
            "statefulset",
            "{image: a, volumeClaimTemplates: [{name: d, mountPath: /d, storage: 1Gi}, {name: d, mountPath: /e, storage: 1Gi}]}",
            "another volume has the name `d`",
        ),
        (
            "statefulset",
            "{image: a, volumeClaimTemplates: [{name: d, mountPath: /d, storage: lots}]}",
            "expected a quantity",
        ),
    ] {
        let said = refused(&manifest(kind, properties));
        assert!(said.contains(reason), "{kind} {properties}: {said}");
    }
}
