//! The CloneSet part of the walk: one object throughout, whose pods are updated in place.

use serde_json::Value;

use crate::support::{redact, test_env::TestEnv};

/// The table as printed by `kubectl get cloneset`, with the columns from before UPDATED_AVAILABLE.
fn clone_set(env: &TestEnv) -> String {
    let objects = env.objects("CloneSet");
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

fn pods(env: &TestEnv) -> Vec<(Value, Value)> {
    let mut pods: Vec<(Value, Value)> = env
        .objects("Pod")
        .iter()
        .map(|pod| (pod["metadata"]["name"].clone(), pod["spec"]["containers"][0]["image"].clone()))
        .collect();
    pods.sort_by_key(|(name, _)| name.to_string());
    pods
}

#[test]
fn the_clone_set_is_updated_in_place() {
    let env = TestEnv::new();
    let row = "clonset-server   5        5          5       batchReady    rolloutSucceed";
    let ran = env.run_ok("apply examples/clonset-server-v1.yaml");
    assert!(redact::data(&ran.stdout).contains(row), "{}", ran.stdout);
    assert_eq!(clone_set(&env), "clonset-server 5 5 5 5 5");
    let before = pods(&env);
    let ran = env.run_ok("apply examples/clonset-server-v2.yaml");
    assert!(redact::data(&ran.stdout).contains(row), "{}", ran.stdout);
    assert_eq!(clone_set(&env), "clonset-server 5 5 5 5 5");
    let after = pods(&env);
    let names = |pods: &[(Value, Value)]| pods.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&after), names(&before), "the pods are the same ones");
    assert!(after.iter().all(|(_, image)| image == "stefanprodan/podinfo:5.0.2"), "{after:?}");
    let revisions = env.objects("ControllerRevision");
    let ours = revisions
        .iter()
        .filter(|one| one["metadata"]["labels"]["controller.oam.dev/component"] == "clonset-server");
    let mut names: Vec<&str> = ours.filter_map(|one| one["metadata"]["name"].as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["clonset-server-v1", "clonset-server-v2"]);
}

#[test]
fn a_stateful_set_has_its_services() {
    let env = TestEnv::new();
    let ran = env.run_ok("apply examples/store.yaml");
    assert!(redact::data(&ran.stdout).contains("store   3        3          3"), "{}", ran.stdout);
    let services = env.objects("Service");
    let names: Vec<&str> =
        services.iter().filter_map(|service| service["metadata"]["name"].as_str()).collect();
    assert!(names.contains(&"store") && names.contains(&"store-headless"), "{names:?}");
}
