//! Revisions as recorded by KubeVela: equivalent content is the same revision, regardless of spelling.

use rollout::oam::revision::{Decision, StoredRevision, decide_revision};
use serde_json::{Value, json};

use crate::parsing::one;

/// A ControllerRevision as written by KubeVela's application controller.
fn recorded(spec: &Value, kind: (&str, &str)) -> StoredRevision {
    let labels = json!({
        "app.oam.dev/component": "web",
        "app.oam.dev/name": "shop",
        "app.oam.dev/namespace": "prod",
        "app.oam.dev/resourceType": "WORKLOAD",
        "workload.oam.dev/type": "whatever",
    });
    let workload = json!({
        "apiVersion": kind.0, "kind": kind.1,
        "metadata": {"name": "web", "namespace": "prod", "labels": labels, "annotations": {}},
        "spec": spec,
    });
    let object = json!({
        "metadata": {
            "name": "web-v1", "uid": "1", "resourceVersion": "1",
            "labels": {"controller.oam.dev/component": "web", "app.oam.dev/component-revision-hash": "a1b2c3"},
        },
        "revision": 1,
        "data": {
            "apiVersion": "core.oam.dev/v1alpha2", "kind": "Component",
            "metadata": {"name": "web", "creationTimestamp": null},
            "spec": {"workload": workload},
            "status": {"observedGeneration": 0},
        },
    });
    StoredRevision::from_object(&object).expect("it is one")
}

fn selector() -> Value {
    json!({"matchLabels": {"app.oam.dev/component": "web"}})
}

/// Type, properties, and the spec that KubeVela's definition of the type renders.
fn corpus() -> Vec<(&'static str, &'static str, (&'static str, &'static str), Value)> {
    let pod_labels = json!({"app.oam.dev/component": "web", "app.oam.dev/revision": "web-v1"});
    let plain_labels = json!({"app.oam.dev/component": "web"});
    vec![
        (
            "webservice",
            "{image: 'web:1', ports: [{port: 80, expose: true}], cpu: '0.5'}",
            ("apps/v1", "Deployment"),
            json!({
                "selector": selector(),
                "template": {
                    "metadata": {"labels": pod_labels, "annotations": {}},
                    "spec": {
                        "hostAliases": [],
                        "containers": [{
                            "name": "web", "image": "web:1", "ports": [{"containerPort": 80, "name": "port-80", "protocol": "TCP"}],
                            "resources": {"limits": {"cpu": "0.5"}, "requests": {"cpu": "0.5"}},
                        }],
                    },
                },
            }),
        ),
        (
            "worker",
            "{image: 'web:1', cmd: [sleep, '1000']}",
            ("apps/v1", "Deployment"),
            json!({
                "selector": selector(),
                "strategy": {},
                "template": {
                    "metadata": {"labels": plain_labels},
                    "spec": {"containers": [
                        {"name": "web", "image": "web:1", "command": ["sleep", "1000"], "resources": {"limits": {}}},
                    ]},
                },
            }),
        ),
        (
            "cloneset-service",
            "{image: 'web:1'}",
            ("apps.kruise.io/v1alpha1", "CloneSet"),
            json!({
                "replicas": 3,
                "selector": selector(),
                "updateStrategy": {},
                "template": {
                    "metadata": {"labels": plain_labels, "creationTimestamp": null},
                    "spec": {"containers": [
                        {"name": "web", "image": "web:1", "ports": [{"containerPort": 80}], "lifecycle": {}},
                    ]},
                },
            }),
        ),
    ]
}

/// With or without the label of the application, which KubeVela adds since version 1.4, and `rollout` did not always.
#[test]
fn revisions_of_kubevela_are_reused() {
    let labelled = |mut spec: Value| {
        spec["template"]["metadata"]["labels"]["app.oam.dev/name"] = json!("shop");
        spec
    };
    let labelled = corpus()
        .into_iter()
        .map(|(kind, properties, object, spec)| (kind, properties, object, labelled(spec)));
    for (kind, properties, object, spec) in corpus().into_iter().chain(labelled) {
        let manifest = format!(
            "apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {{name: shop}}
spec:
  components:
    - name: web
      type: {kind}
      properties: {properties}
      traits: [{{type: rollout, properties: {{targetSize: 3}}}}]
"
        );
        let application = one(&manifest);
        let stored = [recorded(&spec, object)];
        let decision = decide_revision(&stored, &application, &application.components[0], "prod");
        assert_eq!(decision, Ok(Decision::Reuse { name: "web-v1".to_owned() }), "{kind}");
    }
}

#[test]
fn a_volume_of_the_empty_kind_is_content() {
    let manifest = |volumes: &str| {
        one(&format!(
            "apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {{name: shop}}
spec:
  components:
    - name: web
      type: worker
      properties: {{image: 'web:1'{volumes}}}
      traits: [{{type: rollout, properties: {{targetSize: 3}}}}]
"
        ))
    };
    let with = manifest(", volumeMounts: {emptyDir: [{name: cache, mountPath: /cache}]}");
    let Ok(Decision::Create(new)) = decide_revision(&[], &with, &with.components[0], "prod") else {
        panic!("it is new")
    };
    let stored = [StoredRevision::from_object(&new.object()).expect("it is one")];
    let without = manifest("");
    let decision = decide_revision(&stored, &without, &without.components[0], "prod");
    assert!(matches!(decision, Ok(Decision::Create(_))), "{decision:?}");
}
