//! Traits, with and without the `rollout` trait.

use serde_json::json;

use crate::support::test_env::TestEnv;

/// The application `shop` with the component `web` and these traits.
fn shop(traits: &[&str]) -> String {
    let traits: String = traits.iter().map(|one| format!("        - {one}\n")).collect();
    format!(
        "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {{name: shop, labels: {{team: tea}}}}\nspec:\n  \
         components:\n    - name: web\n      type: webservice\n      properties: {{image: 'web:1'}}\n      traits:\n{traits}"
    )
}

const ROLLOUT: &str =
    "{type: rollout, properties: {targetSize: 2, rolloutBatches: [{replicas: 1}, {replicas: 1}]}}";
const SIDECAR: &str = "{type: sidecar, properties: {name: logger, image: 'logger:1'}}";
const LABELS: &str = "{type: labels, properties: {tier: front}}";
const GATEWAY: &str = "{type: gateway, properties: {domain: shop.example, http: {/: 80}}}";
const STORAGE: &str = "{type: storage, properties: {configMap: [{name: settings, mountPath: /s, data: {a: b}}], \
     secret: [{name: keys, mountPath: /k, stringData: {a: b}}]}}";
const ACCOUNT: &str = "{type: service-account, properties: {name: web, create: true, privileges: [{verbs: [get], \
     apiGroups: [''], resources: [pods]}]}}";

/// Names of the objects of a kind.
fn names(env: &TestEnv, kind: &str) -> Vec<String> {
    env.objects(kind).iter().map(|one| one["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn traits_apply_in_batches_and_a_second_apply_writes_nothing() {
    let env = TestEnv::new();
    env.write("app.yaml", shop(&[ROLLOUT, SIDECAR, LABELS, GATEWAY]));
    env.run_ok("apply app.yaml");
    let workload = &env.objects("Deployment")[0];
    let labels = &workload["metadata"]["labels"];
    assert_eq!((&labels["tier"], &labels["team"]), (&"front".into(), &"tea".into()));
    assert_eq!(workload["spec"]["template"]["metadata"]["labels"]["tier"], "front");
    assert_eq!(workload["spec"]["template"]["spec"]["containers"][1]["name"], "logger");
    assert_eq!((names(&env, "Service"), names(&env, "Ingress")), (vec!["web".into()], vec!["web".into()]));
    let service = &env.objects("Service")[0];
    assert!(
        service["metadata"]["labels"].get("tier").is_none(),
        "labels of the workload are not the Service's"
    );

    let before = env.bytes();
    env.run_ok("apply app.yaml").says("web: nothing to do");
    assert_eq!(env.bytes(), before);

    env.write("app.yaml", shop(&[ROLLOUT, SIDECAR, &LABELS.replace("front", "back"), GATEWAY]));
    env.run_ok("apply app.yaml");
    let tiers: Vec<_> =
        env.objects("Deployment").iter().map(|one| one["metadata"]["labels"]["tier"].clone()).collect();
    assert_eq!(tiers, ["back"]);
}

#[test]
fn objects_that_the_server_rejects_are_rejected_before_the_first_write() {
    let env = TestEnv::new();
    env.write("app.yaml", shop(&[ROLLOUT]));
    env.run_ok("apply app.yaml");
    let before = env.bytes();
    let expose = "{type: expose, properties: {type: NodePort, ports: [{port: 80, nodePort: 80}]}}";
    env.write("app.yaml", shop(&[ROLLOUT, expose]).replace("web:1", "web:2"));
    let warning = "nodePort: ports on nodes are from 30000 to 32767, unless the cluster has another range";
    env.run_to("apply app.yaml", 4).says("Service \"web\" is invalid").says(warning);
    assert_eq!(env.bytes(), before);
    let port = "image: 'web:2', exposeType: NodePort, ports: [{port: 80, nodePort: 80, expose: true}]";
    env.write("app.yaml", shop(&[ROLLOUT]).replace("image: 'web:1'", port));
    env.run_to("apply app.yaml", 4).says("provided port is not in the valid range").says(warning);
    assert_eq!(env.bytes(), before);
}

#[test]
fn objects_of_traits_are_applied_and_deleted_completely() {
    let env = TestEnv::new();
    env.write("app.yaml", shop(&[SIDECAR, LABELS, GATEWAY, STORAGE, ACCOUNT]));
    env.run_ok("apply app.yaml");
    let kinds =
        ["Deployment", "Service", "Ingress", "ConfigMap", "Secret", "ServiceAccount", "Role", "RoleBinding"];
    let own = |env: &TestEnv, kind: &str| -> Vec<String> {
        let names = names(env, kind);
        names.into_iter().filter(|name| !name.starts_with("rollout")).collect()
    };
    let expected = ["web", "web", "web", "settings", "keys", "web", "web", "web"];
    for (kind, name) in kinds.into_iter().zip(expected) {
        assert_eq!(own(&env, kind), [name], "{kind}");
    }
    let before = env.bytes();
    env.run_ok("apply app.yaml").says("web: nothing to do");
    assert_eq!(env.bytes(), before);
    env.run_ok("delete shop --yes");
    for kind in kinds {
        assert_eq!(own(&env, kind), [""; 0], "{kind}");
    }
}

#[test]
fn a_claim_that_is_kept_can_be_given_to_a_renamed_component() {
    let env = TestEnv::new();
    let storage = "{type: storage, properties: {pvc: [{name: data, mountPath: /data, resources: {requests: {storage: 1Gi}}}]}}";
    env.write("app.yaml", shop(&[storage]));
    env.run_ok("apply app.yaml");
    env.write("app.yaml", shop(&[storage]).replace("name: web", "name: front"));
    let label =
        "`kubectl label persistentvolumeclaim/data -n default app.oam.dev/component=front --overwrite`";
    env.run_to("plan app.yaml", 4)
        .says("persistentvolumeclaim/data belongs to component `web`")
        .says("hint: rename the object\n")
        .says(&format!("hint: or give it to component `front` as it is: {label}"));
    env.edit(|objects| {
        let claim = objects.iter_mut().find(|one| one["kind"] == "PersistentVolumeClaim").unwrap();
        claim["metadata"]["labels"]["app.oam.dev/component"] = json!("front");
    });
    env.run_ok("apply app.yaml");
    assert_eq!(names(&env, "PersistentVolumeClaim"), ["data"]);
    let config = shop(&[STORAGE]);
    env.write("app.yaml", &config);
    env.run_ok("apply app.yaml");
    env.write("app.yaml", config.replace("name: web", "name: front"));
    env.run_to("apply app.yaml", 4).says("apply the manifest first without it, which deletes it");
}

#[test]
fn traits_that_contradict_each_other_are_refused_with_their_lines() {
    let env = TestEnv::new();
    env.write("app.yaml", shop(&[SIDECAR, "{type: sidecar, properties: {name: logger, image: 'logger:2'}}"]));
    let ran = env.run_to("apply app.yaml", 2);
    ran.says(
        "app.yaml:11:11: spec.components[0].traits[1]: trait `sidecar` sets \
         `spec.template.spec.containers[logger].image` to `logger:2`, but trait `sidecar` in line 10 sets it to `logger:1`",
    );
}

#[test]
fn a_held_run_postpones_objects_that_lead_to_pods() {
    let env = TestEnv::new();
    let held = ROLLOUT.replace("targetSize: 2", "targetSize: 2, batchPartition: 0");
    env.write("app.yaml", shop(&[&held, "{type: expose, properties: {ports: [{port: 80}]}}"]));
    env.run_ok("apply app.yaml");
    assert!(env.objects("Service").is_empty());
    let held = env.bytes();
    env.run_ok("apply app.yaml");
    assert_eq!(env.bytes(), held, "a held run that is applied again writes nothing");
    env.run_ok("promote web --full");
    assert_eq!(env.objects("Service").len(), 1);
}

#[test]
fn a_trait_that_fits_only_in_another_namespace_is_rejected() {
    let env = TestEnv::new();
    let patch = "{type: json-patch, properties: {operations: [{op: test, path: /metadata/namespace, value: default}]}}";
    env.write("app.yaml", shop(&[patch]));
    env.run_ok("plan app.yaml");
    env.run_to("plan app.yaml -n shop", 2)
        .says("app.yaml:6:7: a trait of component `web` does not fit in namespace `shop`: ");
}

#[test]
fn undo_restores_labels_of_traits_in_place() {
    let env = TestEnv::new();
    let write = |name: &str, traits: &[&str], team: &str| {
        let manifest = shop(traits).replace("webservice", "statefulset").replace("team: tea", team);
        env.write(name, manifest);
    };
    let note = "{type: annotations, properties: {note: here}}";
    write("v1.yaml", &[ROLLOUT, LABELS], "team: tea");
    write("v2.yaml", &[ROLLOUT, &LABELS.replace("front", "back"), note], "team: coffee");
    let metadata = || {
        let set = env.objects("StatefulSet").remove(0);
        let of_pods = &set["spec"]["template"]["metadata"];
        let of_both =
            [&set["metadata"], of_pods].map(|one| json!([one["labels"]["tier"], one["annotations"]["note"]]));
        (of_both, set["metadata"]["labels"]["team"].clone())
    };
    env.run_ok("apply v1.yaml");
    env.run_ok("apply v2.yaml");
    let [back, front] = [json!(["back", "here"]), json!(["front", null])];
    assert_eq!(metadata(), ([back.clone(), back], json!("coffee")));
    env.run_ok("undo web");
    assert_eq!(metadata(), ([front.clone(), front], json!("coffee")), "the application's label stays");
}
