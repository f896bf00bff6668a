//! The CloneSet part of the walk: one object from first to last, whose pods are updated in place.

use serde_json::Value;

use crate::support::{Desk, redact};

/// The table as `kubectl get cloneset` would print it, with its columns from before UPDATED_AVAILABLE.
fn clone_set(desk: &Desk) -> String {
    let objects = desk.objects("CloneSet");
    let [object] = objects.as_slice() else { panic!("there is one: {objects:#?}") };
    let status = |field: &str| object["status"][field].as_u64().unwrap_or(0);
    format!(
        "{} {} {} {} {} {}",
        object["metadata"]["name"].as_str().unwrap(),
        object["spec"]["replicas"],
        status("updatedReplicas"),
        status("updatedReadyReplicas"),
        status("readyReplicas"),
        status("replicas"),
    )
}

fn pods(desk: &Desk) -> Vec<(Value, Value)> {
    let mut pods: Vec<(Value, Value)> = desk
        .objects("Pod")
        .iter()
        .map(|pod| (pod["metadata"]["name"].clone(), pod["spec"]["containers"][0]["image"].clone()))
        .collect();
    pods.sort_by_key(|(name, _)| name.to_string());
    pods
}

#[test]
fn the_clone_set_is_updated_in_place() {
    let desk = Desk::new();
    let row = "clonset-server   5        5          5       batchReady    rolloutSucceed";
    let ran = desk.done("apply examples/clonset-server-v1.yaml");
    assert!(redact::data(&ran.stdout).contains(row), "{}", ran.stdout);
    assert_eq!(clone_set(&desk), "clonset-server 5 5 5 5 5");
    let before = pods(&desk);
    let ran = desk.done("apply examples/clonset-server-v2.yaml");
    assert!(redact::data(&ran.stdout).contains(row), "{}", ran.stdout);
    assert_eq!(clone_set(&desk), "clonset-server 5 5 5 5 5");
    let after = pods(&desk);
    let names = |pods: &[(Value, Value)]| pods.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&after), names(&before), "the pods are the same ones");
    assert!(after.iter().all(|(_, image)| image == "stefanprodan/podinfo:5.0.2"), "{after:?}");
    let revisions = desk.objects("ControllerRevision");
    let ours = revisions
        .iter()
        .filter(|one| one["metadata"]["labels"]["controller.oam.dev/component"] == "clonset-server");
    let mut names: Vec<&str> = ours.filter_map(|one| one["metadata"]["name"].as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["clonset-server-v1", "clonset-server-v2"]);
}

#[test]
fn a_stateful_set_has_its_services() {
    let desk = Desk::new();
    let ran = desk.done("apply examples/store.yaml");
    assert!(redact::data(&ran.stdout).contains("store   3        3          3"), "{}", ran.stdout);
    let services = desk.objects("Service");
    let names: Vec<&str> =
        services.iter().filter_map(|service| service["metadata"]["name"].as_str()).collect();
    assert!(names.contains(&"store") && names.contains(&"store-headless"), "{names:?}");
}
