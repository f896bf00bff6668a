//! Components without the `rollout` trait: applied as a whole, next to others that are rolled out in batches.

use serde_json::json;

use crate::support::manifest::shop_of_entries;
use crate::support::pod_rules;
use crate::support::test_env::TestEnv;

const QUEUE: &str = "{name: queue, type: worker, properties: {image: 'queue:1'}}";
const API: &str = "{name: api, type: webservice, properties: {image: 'api:1', ports: [{port: 80, expose: true}]}, dependsOn: [queue]}";
const WEB: &str = "{name: web, type: webservice, properties: {image: 'web:1'}, \
     traits: [{type: rollout, properties: {targetSize: 2, rolloutBatches: [{replicas: 1}, {replicas: 1}]}}]}";

/// The shop of three components, applied.
fn open_shop() -> TestEnv {
    let env = TestEnv::new();
    env.write("app.yaml", shop_of_entries(&[QUEUE, API, WEB]));
    env.run_ok("apply app.yaml");
    env
}

#[test]
fn three_components_of_which_one_is_in_batches() {
    let env = TestEnv::new();
    env.write("app.yaml", shop_of_entries(&[QUEUE, API, WEB]));
    let text = env.run("apply app.yaml").transcript();
    let (table, events) = text.split_once("--- stderr").unwrap();
    insta::assert_snapshot!(table, @r"
    NAME    TARGET   UPGRADED   READY   BATCH-STATE   ROLLING-STATE    AGE
    api     1        1          1       batchReady    rolloutSucceed   0s
    queue   1        1          1       batchReady    rolloutSucceed   0s
    web     2        2          2       batchReady    rolloutSucceed   0s
    ");
    let api: Vec<&str> = events
        .lines()
        .filter(|line| line.starts_with("api: ") && !line.contains(" waiting for `deployment"))
        .collect();
    insta::assert_snapshot!(api.join("\n"), @r"
    api: waiting for `queue` to complete
    api: apply of `api-v1`
    api: revision 1 recorded as `api-v1`
    api: service/api created
    api: deployment.apps/api created
    api: done: 1 of 1 upgraded, 1 ready
    ");
    assert_eq!(env.deployments(), ["api 1/1", "queue 1/1", "web-v1 2/2"]);
}

#[test]
fn applying_the_same_manifest_writes_nothing() {
    let env = open_shop();
    let before = env.bytes();
    let ran = env.run_ok("apply app.yaml");
    ran.says("api: nothing to do").says("queue: nothing to do").says("web: nothing to do");
    env.run_to("plan app.yaml --detailed-exitcode", 0);
    assert_eq!(env.bytes(), before);
}

#[test]
fn a_change_is_a_revision_that_can_be_undone() {
    let env = open_shop();
    env.write("app.yaml", shop_of_entries(&[&QUEUE.replace("queue:1", "queue:2"), API, WEB]));
    let plan = env.run_ok("plan app.yaml").stdout;
    assert!(
        plan.contains("revision `queue-v2` is new") && plan.contains("+      - image: queue:2"),
        "{plan}"
    );
    env.run_ok("apply app.yaml");
    assert_eq!(image_of(&env, "queue"), "queue:2");
    env.run_ok("undo queue").says("queue: rollback to `queue-v1`");
    assert_eq!(image_of(&env, "queue"), "queue:1");
    let diff = env.run_ok("history queue --diff v1 v2").stdout;
    let changed: Vec<&str> = diff.lines().filter(|line| line.starts_with(['-', '+'])).collect();
    assert_eq!(
        changed,
        [
            "--- deployment.apps/queue",
            "+++ deployment.apps/queue",
            "-      - image: queue:1",
            "+      - image: queue:2"
        ]
    );
    let history = env.run_ok("history queue").stdout;
    assert!(history.contains("Rollback   queue-v2 → queue-v1"), "{history}");
}

#[test]
fn objects_that_are_no_longer_rendered_are_deleted_last() {
    let env = open_shop();
    env.write("app.yaml", shop_of_entries(&[QUEUE, &API.replace(", expose: true", ""), WEB]));
    let ran = env.run_ok("apply app.yaml");
    let configured = ran.stderr.find("deployment.apps/api configured").unwrap();
    assert!(ran.stderr.find("api: service/api deleted").unwrap() > configured, "{}", ran.stderr);
    assert!(env.objects("Service").is_empty());
}

#[test]
fn pods_that_do_not_become_ready_are_reported_and_rolled_back() {
    let env = open_shop();
    env.pods(pod_rules::failing("*:2", "ImagePullBackOff"));
    env.write("app.yaml", shop_of_entries(&[&QUEUE.replace("queue:1", "queue:2"), API, WEB]));
    let ran = env.run_to("apply app.yaml --batch-timeout 2s --on-failure undo", 3);
    ran.says("queue: failed: not ready after 2s (`--batch-timeout`): `deployment.apps/queue`: 0 of 1 ready")
        .says("ImagePullBackOff")
        .says("queue: rollback to `queue-v1`")
        .says("`api` skipped: dependency `queue` failed");
    assert_eq!(env.deployments(), ["api 1/1", "queue 1/1", "web-v1 2/2"]);
    let status = env.run_ok("status queue").stdout;
    assert!(status.contains("rolloutSucceed"), "{status}");
}

/// The shop, with a foreign Deployment `cache`.
fn shop_beside_another() -> TestEnv {
    let env = open_shop();
    env.edit(|objects| {
        let queue = objects.iter().find(|one| one["kind"] == "Deployment" && one["metadata"]["name"] == "queue");
        let mut cache = queue.unwrap().clone();
        cache["metadata"] = json!({
            "name": "cache", "namespace": "default", "uid": "another", "resourceVersion": "1", "generation": 1,
            "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {"team": "other"}, "managedFields": [],
        });
        cache["spec"]["selector"]["matchLabels"]["app.oam.dev/component"] = json!("cache");
        cache["spec"]["template"]["metadata"]["labels"]["app.oam.dev/component"] = json!("cache");
        cache["spec"]["template"]["spec"]["containers"][0]["name"] = json!("cache");
        objects.push(cache);
    });
    env.write(
        "app.yaml",
        shop_of_entries(&[QUEUE, API, &QUEUE.replace("queue", "cache").replace("cache:1", "cache:2"), WEB]),
    );
    env
}

fn image_of(env: &TestEnv, name: &str) -> serde_json::Value {
    let deployments = env.objects("Deployment");
    let found = deployments.iter().find(|one| one["metadata"]["name"] == name).unwrap();
    found["spec"]["template"]["spec"]["containers"][0]["image"].clone()
}

#[test]
fn a_foreign_object_is_rejected_before_the_first_write() {
    let env = shop_beside_another();
    let before = env.bytes();
    let ran = env.run_to("apply app.yaml", 4);
    ran.says("deployment.apps/cache exists and is not managed by this application").says("--take-over");
    assert_eq!(env.bytes(), before);
}

#[test]
fn taking_over_can_be_planned_and_rehearsed() {
    let env = shop_beside_another();
    let before = env.bytes();
    env.run_to("plan app.yaml", 4).says("not managed by this application");
    let planned = env.run_ok("plan app.yaml --take-over");
    let changed = [
        "--- deployment.apps/cache",
        "+++ deployment.apps/cache",
        "-      - image: queue:1",
        "+      - image: cache:2",
        "-    team: other",
    ];
    let is_shown = |line: &str| planned.stdout.lines().any(|one| one == line);
    assert_eq!(changed.map(is_shown), [true, true, true, true, false], "{}", planned.stdout);
    env.run_to("rehearse app.yaml", 4).says("not managed by this application");
    env.run_ok("rehearse app.yaml --take-over").says("cache: deployment.apps/cache configured");
    assert_eq!(env.bytes(), before);
}

#[test]
fn objects_taken_over_can_be_restored() {
    let env = shop_beside_another();
    env.run_ok("apply app.yaml --take-over").says("cache: deployment.apps/cache configured");
    assert_eq!(image_of(&env, "cache"), "cache:2");
    env.run_ok("undo cache").says("cache: rollback to `cache-v0`");
    assert_eq!(image_of(&env, "cache"), "queue:1");
}

/// The shop's queue with an exposed port, under these policies.
fn under_policies(policies: &str) -> String {
    let queue =
        "{name: queue, type: webservice, properties: {image: 'queue:1', ports: [{port: 80, expose: true}]}}";
    shop_of_entries(&[queue]).replace("  components:", &format!("  policies: [{policies}]\n  components:"))
}

#[test]
fn policies_keep_objects_and_fields() {
    let env = TestEnv::new();
    let keep = "{name: keep, type: garbage-collect, properties: {rules: [{selector: {resourceTypes: [Service]}, strategy: never}]}}";
    env.write("app.yaml", under_policies(keep));
    env.run_ok("apply app.yaml");
    env.write("app.yaml", under_policies(keep).replace(", expose: true", ""));
    env.run_ok("apply app.yaml");
    assert_eq!(env.objects("Service").len(), 1, "it is no longer rendered, and stays");
    env.run_ok("undo queue");
    env.run_ok("undo queue");
    assert_eq!(env.objects("Service").len(), 1, "a command without a manifest keeps it as well");
    env.run_ok("delete shop --yes").says("service/queue is kept");
    assert_eq!(env.objects("Service").len(), 1);

    let env = TestEnv::new();
    let read_only =
        "{name: read, type: read-only, properties: {rules: [{selector: {resourceTypes: [Service]}}]}}";
    env.write("app.yaml", under_policies(read_only));
    let plan = env.run_ok("plan app.yaml").stdout;
    let rows: Vec<Vec<&str>> = plan.lines().map(|line| line.split_whitespace().collect()).collect();
    assert!(rows.contains(&vec!["service/queue", "await"]) && !plan.contains("kind: Service"), "{plan}");
    let ran = env.run_to("apply app.yaml --batch-timeout 2s", 3);
    ran.says("`service/queue`: does not exist, and is not created");

    let env = TestEnv::new();
    env.write("app.yaml", under_policies(&read_only.replace("Service", "Deployment")));
    let ran = env.run_to("apply app.yaml --batch-timeout 2s", 3);
    ran.says("`deployment.apps/queue`: does not exist, and is not created");
    assert!(!ran.stderr.contains("pods could not be listed"), "{}", ran.stderr);

    // The Service of another application, which is applied later.
    let env = TestEnv::new();
    env.write("app.yaml", under_policies(read_only));
    let service = "{apiVersion: v1, kind: Service, metadata: {name: queue}, spec: {ports: [{port: 80}]}}";
    let other = format!("{{name: net, type: k8s-objects, properties: {{objects: [{service}]}}}}");
    env.write("other.yaml", shop_of_entries(&[&other]).replace("name: shop", "name: other"));
    let mut waiting = env.start("apply app.yaml --batch-timeout 60s");
    waiting.until("`service/queue`: does not exist, and is not created");
    env.run_ok("apply other.yaml");
    waiting.end_with(0);

    let env = TestEnv::new();
    env.pods(pod_rules::failing("*", "NeverReady"));
    env.write("app.yaml", under_policies(&read_only.replace("Service", "Pod")));
    env.run_to("apply app.yaml --batch-timeout 2s", 3);
    env.write("app.yaml", under_policies(&read_only.replace("Service", "Deployment")));
    // It is not written, but waited for, and its pods are not ready.
    env.run_to("apply app.yaml --batch-timeout 2s", 3).says("`deployment.apps/queue`: 0 of 1 ready");

    let env = TestEnv::new();
    let once = "{name: once, type: apply-once, properties: {enable: true, rules: [{selector: {componentNames: [queue]}, \
         strategy: {path: [spec.replicas]}}]}}";
    let sized = |policies: &str| {
        under_policies(policies)
            .replace("]}}\n", "]}, traits: [{type: scaler, properties: {replicas: 2}}]}\n")
    };
    env.write("app.yaml", sized(once));
    env.run_ok("apply app.yaml");
    assert_eq!(env.deployments(), ["queue 2/2"]);
    env.edit(|objects| {
        for object in objects.iter_mut().filter(|one| one["kind"] == "Deployment") {
            object["spec"]["replicas"] = json!(3);
        }
    });
    env.write("app.yaml", sized(once).replace("queue:1", "queue:2"));
    env.run_ok("apply app.yaml");
    assert_eq!(env.deployments(), ["queue 3/3"], "the size is somebody else's after the first time");
    env.run_ok("undo queue");
    assert_eq!(image_of(&env, "queue"), "queue:1");
    assert_eq!(env.deployments(), ["queue 3/3"], "a command without a manifest knows the policy as well");
    // A change of a policy alone is recorded as well.
    env.write("app.yaml", sized("{name: idle, type: health}"));
    env.run_ok("apply app.yaml").says("queue: done: 2 of 2 upgraded");
    env.run_ok("apply app.yaml").says("queue: nothing to do");
}

#[test]
fn losing_and_gaining_the_trait_replaces_the_pods() {
    let env = TestEnv::new();
    let plain = WEB.split(", traits:").next().unwrap().to_owned() + "}";
    env.write("batched.yaml", shop_of_entries(&[WEB]));
    env.write("plain.yaml", shop_of_entries(&[&plain]));
    env.run_ok("apply batched.yaml");
    let plan = env.run_ok("plan plain.yaml").stdout;
    let changes: Vec<Vec<&str>> = plan.lines().map(|line| line.split_whitespace().collect()).collect();
    assert!(changes.contains(&vec!["deployment.apps/web", "create"]), "{plan}");
    assert!(changes.contains(&vec!["deployment.apps/web-v1", "delete"]), "{plan}");
    env.run_ok("apply plain.yaml").says("web: workload `web-v1` deleted");
    assert_eq!(env.deployments(), ["web 2/2"], "the size that no manifest gives stays");
    let plan = env.run_ok("plan batched.yaml").stdout;
    assert!(plan.contains("deleting `web`"), "{plan}");
    env.run_ok("apply batched.yaml");
    assert_eq!(env.deployments(), ["web-v1 2/2"]);
    env.run_ok("undo web");
    assert_eq!(env.deployments(), ["web 2/2"]);
}

#[test]
fn sizes_come_from_the_manifest() {
    let env = open_shop();
    let ran = env.run_to("scale queue --replicas 3", 4);
    ran.says("component `queue` is applied as a whole: its size comes from the manifest");
}

#[test]
fn a_deletion_leaves_no_objects() {
    let env = open_shop();
    let ran = env.run_ok("delete shop --yes");
    for name in ["deployment.apps/queue", "deployment.apps/api", "service/api", "deployment.apps/web-v1"] {
        assert!(ran.stdout.contains(&format!("{name} deleted")), "{}", ran.stdout);
    }
    // Pods are deleted after their workloads.
    env.settle();
    let left: Vec<String> = ["Deployment", "Service", "ConfigMap", "ControllerRevision", "Lease", "Pod"]
        .iter()
        .flat_map(|kind| env.objects(kind))
        .map(|object| object["metadata"]["name"].to_string())
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn revisions_do_not_contain_values_of_secrets() {
    let env = TestEnv::new();
    let storing = |value: &str| {
        let storage = format!(
            "{{type: storage, properties: {{secret: [{{name: keys, mountPath: /keys, stringData: {{token: {value}}}}}]}}}}"
        );
        let pasted = "{name: pasted, type: k8s-objects, properties: {objects: [{apiVersion: v1, kind: Secret, \
             metadata: {name: pasted, annotations: {kubectl.kubernetes.io/last-applied-configuration: canary}}, \
             stringData: {token: canary}}]}}";
        shop_of_entries(&[
            &QUEUE.replace("'queue:1'}}", &format!("'queue:1'}}, traits: [{storage}]}}")),
            pasted,
        ])
    };
    env.write("app.yaml", storing("canary-one"));
    let plan = env.run_ok("plan app.yaml").stdout;
    assert!(plan.contains("secret/pasted") && !plan.contains("canary"), "{plan}");
    env.run_ok("apply app.yaml")
        .says("kubectl sets `kubectl.kubernetes.io/last-applied-configuration`; ignored");
    env.write("app.yaml", storing("canary-two"));
    let plan = env.run_ok("plan app.yaml").stdout;
    assert!(plan.contains("revision `queue-v2` is new") && !plan.contains("canary"), "{plan}");
    env.run_ok("apply app.yaml");
    env.run_ok("undo queue").says("secret/keys keeps its present values");
    env.run_to("plan app.yaml --detailed-exitcode", 8);
    for kind in ["ControllerRevision", "ConfigMap"] {
        let objects = json!(env.objects(kind)).to_string();
        assert!(!objects.contains("canary"), "{objects}");
    }
    let secrets = json!(env.objects("Secret")).to_string();
    assert!(!secrets.contains("canary-one"), "{secrets}");
}

/// An empty mapping can have a meaning in objects of any kind.
#[test]
fn empty_values_of_an_object_are_restored() {
    let env = TestEnv::new();
    let rules = |from: &str| {
        shop_of_entries(&[&format!(
            "{{name: rules, type: k8s-objects, properties: {{objects: [{{apiVersion: networking.k8s.io/v1, kind: \
             NetworkPolicy, metadata: {{name: rules}}, spec: {{podSelector: {{}}, ingress: [{{from: [{from}]}}]}}}}]}}}}"
        )])
    };
    let all = "{podSelector: {}, namespaceSelector: {matchLabels: {a: b}}}";
    env.write("app.yaml", rules(all));
    env.run_ok("apply app.yaml");
    env.write("app.yaml", rules(&all.replace("podSelector: {}, ", "")));
    env.run_ok("apply app.yaml").says("rules: revision 2 recorded as `rules-v2`");
    env.run_ok("undo rules");
    let from = &env.objects("NetworkPolicy")[0]["spec"]["ingress"][0]["from"][0];
    assert_eq!(from["podSelector"], json!({}), "{from}");
}

#[test]
fn two_components_with_the_same_object_are_rejected() {
    let env = TestEnv::new();
    let settings = |name: &str| {
        format!(
            "{{name: {name}, type: k8s-objects, properties: {{objects: [{{apiVersion: v1, kind: ConfigMap, \
             metadata: {{name: settings}}, data: {{from: {name}}}}}]}}}}"
        )
    };
    env.write("app.yaml", shop_of_entries(&[&settings("one"), &settings("two")]));
    env.run_to("apply app.yaml", 2).says("components `one` and `two` both create configmap `settings`");
}

#[test]
fn a_namespace_can_be_among_the_objects() {
    let env = TestEnv::new();
    let objects = "{name: team, type: k8s-objects, properties: {objects: [{apiVersion: v1, kind: ConfigMap, \
         metadata: {name: settings, namespace: team}}, {apiVersion: v1, kind: Namespace, metadata: {name: team}}]}}";
    env.write("app.yaml", shop_of_entries(&[objects]));
    let ran = env.run_ok("apply app.yaml");
    let namespace = ran.stderr.find("namespace/team created").unwrap();
    assert!(ran.stderr.find("configmap/settings created").unwrap() > namespace, "{}", ran.stderr);
    assert!(env.run_ok("apply app.yaml").stderr.contains("nothing to do"));
}

#[test]
fn the_readmes_first_example_is_planned_and_applied() {
    let env = TestEnv::new();
    let plan = env.run_ok("plan examples/shop.yaml").stdout;
    for line in [
        "revision `queue-v1` is new, number 1",
        "first release of `web-v1`",
        "5 replicas in 2 batches (2 and 3)",
    ] {
        assert!(plan.contains(line), "{line}: {plan}");
    }
    env.run_ok("apply examples/shop.yaml");
    assert_eq!(env.deployments(), ["api 2/2", "queue 1/1", "web-v1 5/5"]);
    assert_eq!(env.objects("Ingress").len(), 1);
    env.run_to("plan examples/shop.yaml --detailed-exitcode", 0);
    env.run_ok("delete shop --yes");
    assert!(env.deployments().is_empty() && env.objects("Service").is_empty());

    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let example =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/shop.yaml")).unwrap();
    let shown: Vec<&str> = example.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(
        readme.contains(&format!("```yaml\n{}\n```", shown.join("\n"))),
        "the README shows another manifest"
    );
}

#[test]
fn a_mapped_port_is_kept_by_a_rollout_in_batches() {
    let env = TestEnv::new();
    let whole = WEB.split(", traits:").next().unwrap().to_owned() + "}";
    let apply = |component: &str, port: &str| {
        let properties = format!("'web:1', ports: [{{{port}, expose: true}}], exposeType: NodePort");
        env.write("app.yaml", shop_of_entries(&[&component.replace("'web:1'", &properties)]));
        env.run_ok("apply app.yaml").says("web: done");
        env.run_to("plan app.yaml --detailed-exitcode", 0);
        env.objects("Service")[0]["spec"]["ports"][0].clone()
    };
    apply(&whole, "port: 80, containerPort: 8080");
    // Meanwhile, both ports of the Service lead to the same port of the pods, whose name both revisions use.
    let port = apply(WEB, "port: 8080");
    assert_eq!((&port["port"], &port["targetPort"]), (&json!(8080), &json!("port-8080")));
    let port = apply(WEB, "port: 81, containerPort: 8080, nodePort: 30081");
    assert_eq!((&port["port"], &port["targetPort"]), (&json!(81), &json!("port-8080")));
    assert_eq!(port["nodePort"], 30_081);
    assert_eq!(env.deployments().len(), 1);
}

#[test]
fn a_stateful_set_keeps_its_object_when_it_gains_and_loses_the_trait() {
    let env = TestEnv::new();
    let apply = |component: String| {
        env.write("app.yaml", shop_of_entries(&[&component.replace("webservice", "statefulset")]));
        let output = env.run_ok("apply app.yaml");
        output.says("web: done");
        env.run_to("plan app.yaml --detailed-exitcode", 0);
        let set = env.objects("StatefulSet").remove(0);
        let image = set["spec"]["template"]["spec"]["containers"][0]["image"].clone();
        (output, set["metadata"]["uid"].clone(), set["spec"]["serviceName"].clone(), image)
    };
    let whole = |image: &str| WEB.split(", traits:").next().unwrap().replace("web:1", image) + "}";
    let (_, uid, none, _) = apply(whole("web:1"));
    let (output, same, service, image) = apply(WEB.replace("web:1", "web:2"));
    output.says("statefulset `web` has no `serviceName`, which is immutable");
    assert_eq!((&same, &service, image), (&uid, &none, json!("web:2")));
    let (_, same, _, image) = apply(whole("web:3"));
    assert_eq!((same, image), (uid, json!("web:3")));

    // One that started in batches keeps its Service and its `serviceName`.
    env.run_ok("delete shop --yes");
    let (_, uid, service, _) = apply(WEB.to_owned());
    assert_eq!(service, "web-headless");
    let (_, same, service, _) = apply(whole("web:4"));
    assert_eq!((same, service), (uid, json!("web-headless")));
    assert_eq!(env.objects("Service").len(), 1);
    env.run_ok("delete shop --yes");
    assert!(env.objects("Service").is_empty());
}

#[test]
fn an_object_moves_between_components_in_two_steps() {
    let objects = |name: &str, object: &str| {
        format!(
            "{{name: {name}, type: k8s-objects, properties: {{objects: [\
             {{apiVersion: v1, kind: ConfigMap, metadata: {{name: {object}}}, data: {{a: b}}}}]}}}}"
        )
    };
    let env = TestEnv::new();
    let write = |one: &str, other: &str| {
        env.write("app.yaml", shop_of_entries(&[&objects("a", one), &objects("b", other)]));
    };
    write("moving", "other");
    env.run_ok("apply app.yaml");
    write("one", "moving");
    env.run_to("apply app.yaml", 4)
        .says("configmap/moving belongs to component `a`")
        .says("apply the manifest first without it, which deletes it");
    write("one", "other");
    env.run_ok("apply app.yaml");
    write("one", "moving");
    env.run_ok("apply app.yaml");
}
