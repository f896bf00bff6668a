//! The endpoints of a component's Service, from the endpoint-slice controller: which pods are reached under which
//! ports.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::real_env::{QUICK, RealEnv};
use crate::support::manifest::{application, web};

/// A version of the component `web` that exposes one port.
fn manifest(env: &RealEnv, version: u32, port: u16, kind: &'static str) -> String {
    let ports = format!("ports: [{{port: {port}, name: port-{port}, expose: true}}]");
    let web = web(version, 3).of(kind).batches(&["1", "2"]).property(ports);
    let text = application("shop", &[web]);
    env.file(&format!("v{version}.yaml"), &text).to_str().unwrap().to_owned()
}

/// For each image of ready pods, the ports under which each pod is reached through the Service `web`.
fn reached(env: &RealEnv) -> BTreeMap<String, Vec<BTreeSet<u64>>> {
    let json = |arguments: &[&str]| -> Value { serde_json::from_str(&env.kubectl(arguments)).unwrap() };
    let slices = json(&["get", "endpointslices", "-l", "kubernetes.io/service-name=web", "-o", "json"]);
    let mut ports: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    for slice in slices["items"].as_array().unwrap() {
        let of_slice =
            || slice["ports"].as_array().into_iter().flatten().filter_map(|port| port["port"].as_u64());
        for endpoint in slice["endpoints"].as_array().into_iter().flatten() {
            if endpoint["conditions"]["ready"] == true {
                let pod = endpoint["targetRef"]["name"].as_str().unwrap().to_owned();
                ports.entry(pod).or_default().extend(of_slice());
            }
        }
    }
    let mut reached: BTreeMap<String, Vec<BTreeSet<u64>>> = BTreeMap::new();
    for pod in json(&["get", "pods", "-o", "json"])["items"].as_array().unwrap() {
        let is_ready = pod["status"]["conditions"].as_array().is_some_and(|all| {
            all.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
        });
        if is_ready && pod["metadata"]["deletionTimestamp"].is_null() {
            let image = pod["spec"]["containers"][0]["image"].as_str().unwrap().to_owned();
            let name = pod["metadata"]["name"].as_str().unwrap();
            reached.entry(image).or_default().push(ports.remove(name).unwrap_or_default());
        }
    }
    reached
}

/// Waits until this many pods of each image are ready and reached only under this port.
fn until(env: &RealEnv, wanted: &[(&str, usize, u64)]) {
    let wanted: BTreeMap<String, Vec<BTreeSet<u64>>> = wanted
        .iter()
        .map(|(image, pods, port)| ((*image).to_owned(), vec![BTreeSet::from([*port]); *pods]))
        .collect();
    env.until(&format!("{wanted:?}"), || reached(env) == wanted);
}

fn offered(env: &RealEnv) -> String {
    env.kubectl(&["get", "service", "web", "-o", "jsonpath={.spec.ports[*].port}"])
}

fn done(env: &RealEnv, arguments: &[&str]) {
    let ran = env.rollout(arguments);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
}

fn follows(env: &RealEnv, kind: &'static str) {
    env.script(QUICK);
    let (v1, v2) = (manifest(env, 1, 8001, kind), manifest(env, 2, 8002, kind));
    done(env, &["apply", &v1]);
    until(env, &[("web:1", 3, 8001)]);
    done(env, &["apply", &v2, "--partition", "0"]);
    until(env, &[("web:1", 2, 8001), ("web:2", 1, 8002)]);
    done(env, &["abort", "web"]);
    until(env, &[("web:1", 3, 8001)]);
    assert_eq!(offered(env), "8001");
    done(env, &["apply", &v2]);
    until(env, &[("web:2", 3, 8002)]);
    assert_eq!(offered(env), "8002");
    done(env, &["undo", "web"]);
    until(env, &[("web:1", 3, 8001)]);
    assert_eq!(offered(env), "8001");
    done(env, &["plan", &v1]);
}

pub(crate) fn of_deployments(env: &RealEnv) {
    follows(env, "webservice");
}

pub(crate) fn of_a_stateful_set(env: &RealEnv) {
    follows(env, "statefulset");
}

pub(crate) fn of_pods_that_never_get_ready(env: &RealEnv) {
    env.script(&format!("- {{image: 'web:2', fail: NeverReady}}\n{QUICK}"));
    let (v1, v2) = (manifest(env, 1, 8001, "webservice"), manifest(env, 2, 8002, "webservice"));
    done(env, &["apply", &v1]);
    let failed = env.rollout(&["apply", &v2, "--batch-timeout", "3s"]);
    assert_eq!(failed.code, Some(3), "{failed:#?}");
    until(env, &[("web:1", 3, 8001)]);
    done(env, &["undo", "web"]);
    until(env, &[("web:1", 3, 8001)]);
    assert_eq!(offered(env), "8001");
}

pub(crate) fn a_dry_run_asks_about_services(env: &RealEnv) {
    env.script(QUICK);
    env.put("{apiVersion: v1, kind: ResourceQuota, metadata: {name: none}, spec: {hard: {services: '0'}}}");
    let used = || env.kubectl(&["get", "quota", "none", "-o", "jsonpath={.status.used.services}"]);
    env.until("the count", || used() == "0");
    let v1 = manifest(env, 1, 8001, "webservice");
    let refused = env.rollout(&["apply", &v1, "--dry-run=server"]);
    assert_ne!(refused.code, Some(0), "{refused:#?}");
    assert!(refused.stderr.contains("exceeded quota: none"), "{refused:#?}");
    env.kubectl(&["delete", "quota", "none"]);
    done(env, &["apply", &v1, "--dry-run=server"]);
    assert!(!env.try_kubectl(&["get", "service", "web"]).status.success(), "nothing is kept");
}
