//! What the endpoint-slice controller makes of a component's Service: who is reached under which port.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::site::{QUICK, Site};

/// The component `web` in a version, which exposes one port.
fn manifest(site: &Site, version: u32, port: u16, kind: &str) -> String {
    let text = format!(
        "apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {{name: shop}}
spec:
  components:
    - name: web
      type: {kind}
      externalRevision: web-v{version}
      properties: {{image: 'web:{version}', ports: [{{port: {port}, name: {name}, expose: true}}]}}
      traits: [{{type: rollout, properties: {{targetSize: 3, rolloutBatches: [{{replicas: 1}}, {{replicas: 2}}]}}}}]
",
        name = format_args!("port-{port}"),
    );
    site.file(&format!("v{version}.yaml"), &text).to_str().unwrap().to_owned()
}

/// By image of the pods that are ready, under which ports each of them is reached through the Service `web`.
fn reached(site: &Site) -> BTreeMap<String, Vec<BTreeSet<u64>>> {
    let json = |arguments: &[&str]| -> Value { serde_json::from_str(&site.kubectl(arguments)).unwrap() };
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

/// Waits until so many pods of each image are ready and reached under this port alone.
fn until(site: &Site, wanted: &[(&str, usize, u64)]) {
    let wanted: BTreeMap<String, Vec<BTreeSet<u64>>> = wanted
        .iter()
        .map(|(image, pods, port)| ((*image).to_owned(), vec![BTreeSet::from([*port]); *pods]))
        .collect();
    site.until(&format!("{wanted:?}"), || reached(site) == wanted);
}

fn offered(site: &Site) -> String {
    site.kubectl(&["get", "service", "web", "-o", "jsonpath={.spec.ports[*].port}"])
}

fn done(site: &Site, arguments: &[&str]) {
    let ran = site.rollout(arguments);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
}

fn follows(site: &Site, kind: &str) {
    site.script(QUICK);
    let (v1, v2) = (manifest(site, 1, 8001, kind), manifest(site, 2, 8002, kind));
    done(site, &["apply", &v1]);
    until(site, &[("web:1", 3, 8001)]);
    done(site, &["apply", &v2, "--partition", "0"]);
    until(site, &[("web:1", 2, 8001), ("web:2", 1, 8002)]);
    done(site, &["abort", "web"]);
    until(site, &[("web:1", 3, 8001)]);
    assert_eq!(offered(site), "8001");
    done(site, &["apply", &v2]);
    until(site, &[("web:2", 3, 8002)]);
    assert_eq!(offered(site), "8002");
    done(site, &["undo", "web"]);
    until(site, &[("web:1", 3, 8001)]);
    assert_eq!(offered(site), "8001");
    done(site, &["plan", &v1]);
}

pub(crate) fn of_deployments(site: &Site) {
    follows(site, "webservice");
}

pub(crate) fn of_a_stateful_set(site: &Site) {
    follows(site, "statefulset");
}

pub(crate) fn of_pods_that_never_get_ready(site: &Site) {
    site.script(&format!("- {{image: 'web:2', fail: NeverReady}}\n{QUICK}"));
    let (v1, v2) = (manifest(site, 1, 8001, "webservice"), manifest(site, 2, 8002, "webservice"));
    done(site, &["apply", &v1]);
    let failed = site.rollout(&["apply", &v2, "--batch-timeout", "3s"]);
    assert_eq!(failed.code, Some(3), "{failed:#?}");
    until(site, &[("web:1", 3, 8001)]);
    done(site, &["undo", "web"]);
    until(site, &[("web:1", 3, 8001)]);
    assert_eq!(offered(site), "8001");
}

pub(crate) fn a_dry_run_asks_about_services(site: &Site) {
    site.script(QUICK);
    site.put("{apiVersion: v1, kind: ResourceQuota, metadata: {name: none}, spec: {hard: {services: '0'}}}");
    let used = || site.kubectl(&["get", "quota", "none", "-o", "jsonpath={.status.used.services}"]);
    site.until("the count", || used() == "0");
    let v1 = manifest(site, 1, 8001, "webservice");
    let refused = site.rollout(&["apply", &v1, "--dry-run=server"]);
    assert_ne!(refused.code, Some(0), "{refused:#?}");
    assert!(refused.stderr.contains("exceeded quota: none"), "{refused:#?}");
    site.kubectl(&["delete", "quota", "none"]);
    done(site, &["apply", &v1, "--dry-run=server"]);
    assert!(!site.try_kubectl(&["get", "service", "web"]).status.success(), "nothing is kept");
}
