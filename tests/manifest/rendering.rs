//! Rendering of components.

use rollout::oam::render::{render_services, render_workload};
use serde_json::{Value, json};

use crate::parsing::{FULL, one};

fn rendered(text: &str, index: usize, revision: &str) -> Value {
    let application = one(text);
    render_workload(&application, &application.components[index], "prod", revision)
}

#[test]
fn the_seeds_first_release() {
    let text = include_str!("seed/1-first-release.yaml");
    assert_eq!(
        rendered(text, 0, "express-server-v1"),
        json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {
                "name": "express-server",
                "namespace": "prod",
                "labels": {
                    "app.oam.dev/component": "express-server",
                    "app.oam.dev/name": "rollout-trait-test",
                    "app.oam.dev/namespace": "prod",
                    "app.oam.dev/resourceType": "WORKLOAD",
                    "workload.oam.dev/type": "webservice",
                },
            },
            "spec": {
                "selector": {"matchLabels": {"app.oam.dev/component": "express-server"}},
                "template": {
                    "metadata": {"labels": {
                        "app.oam.dev/component": "express-server",
                        "app.oam.dev/name": "rollout-trait-test",
                        "app.oam.dev/revision": "express-server-v1",
                    }},
                    "spec": {"containers": [{"name": "express-server", "image": "stefanprodan/podinfo:4.0.3"}]},
                },
            },
        })
    );
    let application = one(text);
    assert!(render_services(&application, &application.components[0], "prod").is_empty());
}

#[test]
fn every_property_of_a_webservice() {
    assert_eq!(
        rendered(FULL, 0, "web-v1"),
        json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {
                "name": "web",
                "namespace": "prod",
                "labels": {
                    "team": "a",
                    "app.oam.dev/component": "web",
                    "app.oam.dev/name": "shop",
                    "app.oam.dev/namespace": "prod",
                    "app.oam.dev/resourceType": "WORKLOAD",
                    "workload.oam.dev/type": "webservice",
                },
                "annotations": {"note": "kept"},
            },
            "spec": {
                "selector": {"matchLabels": {"app.oam.dev/component": "web"}},
                "template": {
                    "metadata": {
                        "labels": {
                            "tier": "front",
                            "app.oam.dev/component": "web",
                            "app.oam.dev/name": "shop",
                            "app.oam.dev/revision": "web-v1",
                            "app.oam.dev/appRevision": "web-v1",
                        },
                        "annotations": {"scrape": "true"},
                    },
                    "spec": {
                        "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["db.local", "db"]}],
                        "imagePullSecrets": [{"name": "registry"}],
                        "containers": [{
                            "name": "web",
                            "image": "shop/web:1",
                            "imagePullPolicy": "IfNotPresent",
                            "command": ["serve", "--port", "8080"],
                            "ports": [
                                {"containerPort": 8080, "name": "http", "protocol": "TCP"},
                                {"containerPort": 9090, "name": "port-9090", "protocol": "TCP"},
                                {"containerPort": 53, "name": "dns", "protocol": "UDP"},
                            ],
                            "env": [
                                {"name": "VERSION", "value": "1.10"},
                                {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "api"}}},
                                {"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": "modes", "key": "mode"}}},
                                {"name": "EMPTY"},
                            ],
                            "resources": {
                                "limits": {"cpu": "0.5", "memory": "512Mi"},
                                "requests": {"cpu": "0.5", "memory": "512Mi"},
                            },
                            "volumeMounts": [
                                {"name": "data", "mountPath": "/data"},
                                {"name": "config", "mountPath": "/config"},
                                {"name": "keys", "mountPath": "/keys"},
                                {"name": "cache", "mountPath": "/cache"},
                                {"name": "logs", "mountPath": "/logs"},
                            ],
                            "livenessProbe": {
                                "exec": {"command": ["check"]},
                                "initialDelaySeconds": 3,
                                "periodSeconds": 10,
                                "timeoutSeconds": 1,
                                "successThreshold": 1,
                                "failureThreshold": 3,
                            },
                            "readinessProbe": {
                                "httpGet": {
                                    "path": "/ready",
                                    "port": 8080,
                                    "httpHeaders": [{"name": "Host", "value": "shop"}],
                                },
                                "initialDelaySeconds": 0,
                                "periodSeconds": 5,
                                "timeoutSeconds": 1,
                                "successThreshold": 1,
                                "failureThreshold": 3,
                            },
                        }],
                        "volumes": [
                            {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
                            {"name": "config", "configMap": {
                                "name": "config",
                                "defaultMode": 420,
                                "items": [
                                    {"key": "a", "path": "a.conf", "mode": 511},
                                    {"key": "b", "path": "b.conf", "mode": 384},
                                ],
                            }},
                            {"name": "keys", "secret": {"secretName": "keys", "defaultMode": 256}},
                            {"name": "cache", "emptyDir": {"medium": "Memory"}},
                            {"name": "logs", "hostPath": {"path": "/var/log"}},
                        ],
                    },
                },
            },
        })
    );
}

#[test]
fn the_service_of_exposed_ports() {
    let application = one(FULL);
    assert_eq!(
        render_services(&application, &application.components[0], "prod").into_iter().next(),
        Some(json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": "web",
                "namespace": "prod",
                "labels": {
                    "team": "a",
                    "app.oam.dev/component": "web",
                    "app.oam.dev/name": "shop",
                    "app.oam.dev/namespace": "prod",
                    "app.oam.dev/resourceType": "TRAIT",
                    "trait.oam.dev/type": "AuxiliaryWorkload",
                    "trait.oam.dev/resource": "webserviceExpose",
                },
                "annotations": {"note": "kept"},
            },
            "spec": {
                "type": "NodePort",
                "selector": {"app.oam.dev/component": "web"},
                "ports": [
                    {"port": 8080, "targetPort": "http", "name": "http"},
                    {"port": 53, "targetPort": "dns", "name": "dns", "protocol": "UDP"},
                ],
            },
        }))
    );
}

#[test]
fn pods_of_a_worker_have_no_revision_label() {
    let worker = rendered(FULL, 1, "jobs-v1");
    assert_eq!(worker["metadata"]["labels"]["workload.oam.dev/type"], "worker");
    assert_eq!(
        worker["spec"]["template"],
        json!({
            "metadata": {"labels": {"app.oam.dev/component": "jobs", "app.oam.dev/name": "shop"}},
            "spec": {"containers": [{
                "name": "jobs",
                "image": "shop/jobs:1",
                "livenessProbe": {
                    "tcpSocket": {"port": 7},
                    "initialDelaySeconds": 0,
                    "periodSeconds": 10,
                    "timeoutSeconds": 1,
                    "successThreshold": 1,
                    "failureThreshold": 3,
                },
            }]},
        })
    );
}

#[test]
fn rendering_is_deterministic_and_ignores_the_rollout() {
    let text = rendered(FULL, 0, "web-v1").to_string();
    assert_eq!(rendered(FULL, 0, "web-v1").to_string(), text);
    let resized = FULL.replace("targetSize: 10", "targetSize: 3").replace("- replicas: 3\n", "");
    assert_eq!(rendered(&resized, 0, "web-v1").to_string(), text);
}
