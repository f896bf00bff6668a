//! Printed manifests: the Role, and the Job.

use crate::support::manifest::{application, component};
use crate::support::test_env::TestEnv;

/// The documents of a YAML text.
fn documents(text: &str) -> Vec<serde_json::Value> {
    text.split("\n---\n").map(|document| serde_yaml::from_str(document).unwrap()).collect()
}

#[test]
fn the_role_has_no_namespace_by_default() {
    let env = TestEnv::new();
    let printed = documents(&env.run_ok("rbac").stdout);
    let [role] = printed.as_slice() else { panic!("{printed:?}") };
    assert_eq!(role["kind"], "Role");
    assert!(role["metadata"].get("namespace").is_none());
    let kinds: Vec<_> = documents(&env.run_ok("rbac --service-account ci -n shop --with-delete").stdout)
        .iter()
        .map(|document| {
            format!("{}/{}", document["kind"].as_str().unwrap(), document["metadata"]["namespace"])
        })
        .collect();
    assert_eq!(kinds, ["Role/\"shop\"", "ServiceAccount/\"shop\"", "RoleBinding/\"shop\""]);
    assert_eq!(env.run("rbac --service-account ci").code, Some(2));
    let rules = |line: &str| env.run_ok(line).stdout;
    let views = "{apiGroups: [standard.oam.dev], resources: [rollouts], verbs: [get, create, patch]}";
    let removal =
        "{apiGroups: [standard.oam.dev], resources: [rollouts], verbs: [get, create, patch, delete]}";
    assert!(!rules("rbac --with-delete").contains("oam.dev"));
    assert!(rules("rbac --with-views").contains(views) && !rules("rbac --with-views").contains(removal));
    assert!(rules("rbac --with-views --with-delete").contains(removal));
}

/// Each command has its own Role, with its own name.
#[test]
fn a_role_for_a_command_has_the_permissions_that_it_needs() {
    let env = TestEnv::new();
    insta::assert_snapshot!(env.run_ok("rbac --for read-only").stdout, @r#"
    apiVersion: rbac.authorization.k8s.io/v1
    kind: Role
    metadata:
      name: rollout-read-only
    rules:
      - {apiGroups: [apps], resources: [deployments], verbs: [get, list, watch]}
      - {apiGroups: [apps.kruise.io], resources: [clonesets], verbs: [get, list, watch]} # only for CloneSets
      - {apiGroups: [apps], resources: [statefulsets], verbs: [get, list, watch]} # only for StatefulSets
      - {apiGroups: [apps], resources: [controllerrevisions], verbs: [get, list]}
      - {apiGroups: [""], resources: [configmaps], verbs: [get, list, watch]}
      - {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get]}
      - {apiGroups: [""], resources: [services], verbs: [get]} # only for components that expose ports
      - {apiGroups: [autoscaling], resources: [horizontalpodautoscalers], verbs: [list]} # for preflight checks
      - {apiGroups: [""], resources: [resourcequotas], verbs: [list]} # for preflight checks
      - {apiGroups: [policy], resources: [poddisruptionbudgets], verbs: [list]} # for preflight checks
      - {apiGroups: [""], resources: [namespaces], verbs: [get]} # for preflight checks
      - {apiGroups: [""], resources: [pods], verbs: [create]} # for preflight checks: creates a pod in a dry run
    "#);
    insta::assert_snapshot!(env.run_ok("rbac --for pause -n shop").stdout, @r#"
    apiVersion: rbac.authorization.k8s.io/v1
    kind: Role
    metadata:
      name: rollout-pause
      namespace: shop
    rules:
      - {apiGroups: [apps], resources: [deployments], verbs: [list]}
      - {apiGroups: [apps.kruise.io], resources: [clonesets], verbs: [list]} # only for CloneSets
      - {apiGroups: [apps], resources: [statefulsets], verbs: [list]} # only for StatefulSets
      - {apiGroups: [""], resources: [configmaps], verbs: [get, list, patch]}
      - {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get]}
    "#);
    insta::assert_snapshot!(env.run_ok("rbac --for status,history").stdout, @r#"
    apiVersion: rbac.authorization.k8s.io/v1
    kind: Role
    metadata:
      name: rollout-status-history
    rules:
      - {apiGroups: [apps], resources: [deployments], verbs: [list, watch]}
      - {apiGroups: [apps.kruise.io], resources: [clonesets], verbs: [list, watch]} # only for CloneSets
      - {apiGroups: [apps], resources: [statefulsets], verbs: [list, watch]} # only for StatefulSets
      - {apiGroups: [apps], resources: [controllerrevisions], verbs: [list]}
      - {apiGroups: [""], resources: [configmaps], verbs: [list, watch]}
      - {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get]}
    "#);
    for command in ["status", "history", "plan", "rehearse", "read-only"] {
        let role = env.run_ok(&format!("rbac --for {command}")).stdout;
        for verb in ["patch", "delete"] {
            assert!(!role.contains(verb), "{command}: {role}");
        }
        // The pod of a check, in a dry run.
        let creates = role.lines().filter(|line| line.contains("create"));
        assert!(creates.into_iter().all(|line| line.ends_with("creates a pod in a dry run")), "{role}");
    }
    for command in ["undo", "abort", "promote", "resume", "scale"] {
        let role = env.run_ok(&format!("rbac --for {command}")).stdout;
        assert!(role.contains("[controllerrevisions], verbs: [get, list, delete]"), "{command}: {role}");
    }
    assert_eq!(env.run("rbac --for everything").code, Some(2));
}

/// The rules depend on the objects that a manifest renders.
#[test]
fn a_role_for_a_manifest_has_the_kinds_of_its_objects() {
    let env = TestEnv::new();
    env.write(
        "app.yaml",
        "apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: shop}
spec:
  components:
    - name: web
      type: webservice
      properties: {image: 'web:1'}
      traits:
        - {type: storage, properties: {configMap: [{name: c, mountPath: /c, data: {a: b}}], secret: [{name: s, mountPath: /s}]}}
        - {type: rollout, properties: {targetSize: 2}}
    - name: agent
      type: daemon
      properties: {image: 'agent:1'}
    - name: objects
      type: k8s-objects
      properties:
        objects:
          - {apiVersion: batch/v1, kind: Job, metadata: {name: j}, spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: b}]}}}}
          - {apiVersion: v1, kind: ConfigMap, metadata: {name: m, namespace: other}}
          - {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: r}, rules: []}
          - {apiVersion: example.com/v1, kind: Proxy, metadata: {name: p}}
",
    );
    insta::assert_snapshot!(env.run_ok("rbac app.yaml -n shop --service-account ci").stdout, @r#"
    apiVersion: rbac.authorization.k8s.io/v1
    kind: Role
    metadata:
      name: rollout
      namespace: shop
    rules:
      - {apiGroups: [apps], resources: [deployments], verbs: [get, list, watch, create, patch, delete]}
      - {apiGroups: [apps], resources: [controllerrevisions], verbs: [get, list, create, delete]}
      - {apiGroups: [""], resources: [configmaps], verbs: [get, list, watch, create, patch]}
      - {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get, list, watch, create, patch]}
      - {apiGroups: [""], resources: [pods, events], verbs: [list]} # to explain why a batch is late
      - {apiGroups: [""], resources: [pods/log], verbs: [get]} # to explain why a batch is late
      - {apiGroups: [autoscaling], resources: [horizontalpodautoscalers], verbs: [list]} # for preflight checks
      - {apiGroups: [""], resources: [resourcequotas], verbs: [list]} # for preflight checks
      - {apiGroups: [policy], resources: [poddisruptionbudgets], verbs: [list]} # for preflight checks
      - {apiGroups: [""], resources: [namespaces], verbs: [get]} # for preflight checks
      - {apiGroups: [""], resources: [pods], verbs: [create]} # for preflight checks: creates a pod in a dry run
      - {apiGroups: [""], resources: [configmaps], verbs: [delete]} # for objects of the manifest
      - {apiGroups: [""], resources: [secrets], verbs: [get, create, patch, delete]} # for objects of the manifest
      - {apiGroups: [apps], resources: [daemonsets], verbs: [get, list, watch, create, patch, delete]} # for objects of the manifest
      - {apiGroups: [batch], resources: [jobs], verbs: [get, list, watch, create, patch, delete]} # for objects of the manifest
      - {apiGroups: [example.com], resources: [proxies], verbs: [get, create, patch, delete]} # for objects of the manifest
    ---
    apiVersion: rbac.authorization.k8s.io/v1
    kind: Role
    metadata:
      name: shop:rollout
      namespace: other
    rules:
      - {apiGroups: [""], resources: [configmaps], verbs: [get, create, patch, delete]} # for objects of the manifest
    ---
    apiVersion: rbac.authorization.k8s.io/v1
    kind: ClusterRole
    metadata:
      name: shop:rollout
    rules:
      - {apiGroups: [rbac.authorization.k8s.io], resources: [clusterroles], verbs: [get, create, patch, delete]} # for objects of the manifest
    ---
    apiVersion: v1
    kind: ServiceAccount
    metadata:
      name: ci
      namespace: shop
    ---
    apiVersion: rbac.authorization.k8s.io/v1
    kind: RoleBinding
    metadata:
      name: ci
      namespace: shop
    roleRef:
      apiGroup: rbac.authorization.k8s.io
      kind: Role
      name: rollout
    subjects:
    - kind: ServiceAccount
      name: ci
      namespace: shop
    ---
    apiVersion: rbac.authorization.k8s.io/v1
    kind: RoleBinding
    metadata:
      name: shop:ci
      namespace: other
    roleRef:
      apiGroup: rbac.authorization.k8s.io
      kind: Role
      name: shop:rollout
    subjects:
    - kind: ServiceAccount
      name: ci
      namespace: shop
    ---
    apiVersion: rbac.authorization.k8s.io/v1
    kind: ClusterRoleBinding
    metadata:
      name: shop:ci
    roleRef:
      apiGroup: rbac.authorization.k8s.io
      kind: ClusterRole
      name: shop:rollout
    subjects:
    - kind: ServiceAccount
      name: ci
      namespace: shop
    "#);
    insta::assert_snapshot!(env.run_ok("rbac -f app.yaml --for status").stdout, @r#"
    apiVersion: rbac.authorization.k8s.io/v1
    kind: Role
    metadata:
      name: rollout-status
    rules:
      - {apiGroups: [apps], resources: [deployments], verbs: [list, watch]}
      - {apiGroups: [""], resources: [configmaps], verbs: [list, watch]}
      - {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get]}
      - {apiGroups: [""], resources: [configmaps], verbs: [get]} # for objects of the manifest
      - {apiGroups: [""], resources: [secrets], verbs: [get]} # for objects of the manifest
      - {apiGroups: [apps], resources: [daemonsets], verbs: [get, list, watch]} # for objects of the manifest
      - {apiGroups: [batch], resources: [jobs], verbs: [get, list, watch]} # for objects of the manifest
      - {apiGroups: [example.com], resources: [proxies], verbs: [get]} # for objects of the manifest
    ---
    apiVersion: rbac.authorization.k8s.io/v1
    kind: Role
    metadata:
      name: rollout-status
      namespace: other
    rules:
      - {apiGroups: [""], resources: [configmaps], verbs: [get]} # for objects of the manifest
    ---
    apiVersion: rbac.authorization.k8s.io/v1
    kind: ClusterRole
    metadata:
      name: rollout-status
    rules:
      - {apiGroups: [rbac.authorization.k8s.io], resources: [clusterroles], verbs: [get]} # for objects of the manifest
    "#);
}

#[test]
fn a_job_applies_the_manifests_and_keeps_its_name_while_they_stay() {
    let env = TestEnv::new();
    let line = "job examples/express-server-v1.yaml --image rollout:1 -n shop -- --fail-fast";
    let text = env.bare(line).output().unwrap().stdout;
    let text = String::from_utf8(text).unwrap();
    let printed = documents(&text);
    let kinds: Vec<&str> = printed.iter().map(|document| document["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["Role", "ServiceAccount", "RoleBinding", "ConfigMap", "Job"]);
    let (config, job) = (&printed[3], &printed[4]);
    let manifest = std::fs::read_to_string(env.path("examples/express-server-v1.yaml")).unwrap();
    assert_eq!(config["data"]["0000.yaml"], manifest.as_str());
    let name = job["metadata"]["name"].as_str().unwrap();
    let container = &job["spec"]["template"]["spec"]["containers"][0];
    let identity = format!("--identity=job/{name}");
    let wanted = ["apply", "/manifests", "--namespace", "shop", &identity, "--fail-fast"];
    assert_eq!(container["args"], serde_json::json!(wanted));
    assert_eq!(String::from_utf8(env.bare(line).output().unwrap().stdout).unwrap(), text);
    let other = env.bare(&line.replace("rollout:1", "rollout:2")).output().unwrap().stdout;
    assert!(!String::from_utf8(other).unwrap().contains(name));
}

#[test]
fn each_pod_of_a_job_gets_a_shard() {
    let env = TestEnv::new();
    let of = |name: &str| {
        let text = std::fs::read_to_string(env.path("examples/express-server-v1.yaml")).unwrap();
        text.replace("rollout-trait-test", name).replace("express-server", name)
    };
    env.write("all.yaml", format!("{}\n---\n{}\n---\n{}", of("one"), of("two"), of("three")));
    let line = "job all.yaml --image rollout:1 -n shop --shards 2 -- --fail-fast";
    let text = String::from_utf8(env.bare(line).output().unwrap().stdout).unwrap();
    let job = documents(&text).swap_remove(4);
    let (spec, name) = (&job["spec"], job["metadata"]["name"].as_str().unwrap());
    assert_eq!(spec["completionMode"], "Indexed");
    assert_eq!((&spec["completions"], &spec["parallelism"]), (&2.into(), &2.into()));
    assert_eq!(spec["backoffLimitPerIndex"], 6);
    assert_eq!(spec["podFailurePolicy"]["rules"][0]["action"], "FailIndex");
    assert!(spec.get("backoffLimit").is_none(), "{spec}");
    let identity = format!("--identity=job/{name}/$(JOB_COMPLETION_INDEX)");
    let shard = "--shard=$(JOB_COMPLETION_INDEX)/2";
    let wanted = ["apply", "/manifests", "--namespace", "shop", &identity, shard, "--fail-fast"];
    assert_eq!(spec["template"]["spec"]["containers"][0]["args"], serde_json::json!(wanted));
    // The shards of the pods.
    for (index, mut expected) in [(0, vec!["one-v1", "three-v1"]), (1, vec!["two-v1"])] {
        let file = format!("box-{index}.json");
        let mut command = env.bare(&format!("apply all.yaml --sandbox={file} --shard {index}/2"));
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        let document: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(env.path(&file)).unwrap()).unwrap();
        let objects = document["objects"].as_array().unwrap().iter();
        let deployments = objects.filter(|object| object["kind"] == "Deployment");
        let mut names: Vec<&str> =
            deployments.map(|object| object["metadata"]["name"].as_str().unwrap()).collect();
        names.sort_unstable();
        expected.sort_unstable();
        assert_eq!(names, expected);
    }
}

#[test]
fn an_empty_shard_prints_an_empty_document() {
    let env = TestEnv::new();
    let printed = env.run_ok("apply examples/express-server-v1.yaml --shard 1/2 -o json").stdout;
    let document: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(document["items"], serde_json::json!([]));
}

/// Both wait for an application of a third namespace.
#[test]
fn roles_in_another_namespace_are_of_the_namespace_of_the_application() {
    let env = TestEnv::new();
    let workflow = "workflow:\n    steps:\n    - {name: db, type: depends-on-app, properties: {name: db, namespace: infra}}\n    \
         - {name: web, type: apply-component, properties: {component: web}}\n  components:";
    let app = application("shop", &[component("web", 1, 1)]).replacen("components:", workflow, 1);
    env.write("app.yaml", app);
    let roles = |namespace: &str| {
        let text = env.run_ok(&format!("job app.yaml --image x -n {namespace}")).stdout;
        let elsewhere = documents(&text).into_iter().filter(|one| one["metadata"]["namespace"] == "infra");
        elsewhere
            .map(|one| (one["kind"].clone(), one["metadata"]["name"].clone(), one["rules"].clone()))
            .collect::<Vec<_>>()
    };
    let (staging, production) = (roles("staging"), roles("production"));
    assert_eq!(
        (staging[0].1.as_str(), production[0].1.as_str()),
        (Some("staging:rollout-shop"), Some("production:rollout-shop"))
    );
    assert_eq!((staging.len(), &staging[1].0), (2, &serde_json::json!("RoleBinding")));
    let rules = staging[0].2.to_string();
    assert!(rules.contains("configmaps") && rules.contains("applications"), "{rules}");
}

/// Two identities would be a usage error in each pod of the Job.
#[test]
fn a_job_uses_the_identity_in_its_flags() {
    let env = TestEnv::new();
    let line = "job examples/express-server-v1.yaml --image x -n shop -- --identity=ci/7";
    let text = String::from_utf8(env.bare(line).output().unwrap().stdout).unwrap();
    let arguments =
        documents(&text).swap_remove(4)["spec"]["template"]["spec"]["containers"][0]["args"].take();
    assert_eq!(
        arguments,
        serde_json::json!(["apply", "/manifests", "--namespace", "shop", "--identity=ci/7"])
    );
}

/// The local environment is not that of the Job's pods.
#[test]
fn environment_variables_do_not_affect_the_job() {
    let env = TestEnv::new();
    let mut command = env.bare("job examples/express-server-v1.yaml --image x -n shop -- --fail-fast");
    let output = command.env("ROLLOUT_SANDBOX", "box.json").env("ROLLOUT_CONTEXT", "there").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_job_that_prunes_may_delete() {
    let env = TestEnv::new();
    let first = |line: &str| {
        let text = String::from_utf8(env.bare(line).output().unwrap().stdout).unwrap();
        documents(&text).swap_remove(0)["rules"].take()
    };
    let line = "job examples/express-server-v1.yaml --image x -n shop";
    let manifest = "examples/express-server-v1.yaml";
    let rolling = first(&format!("rbac {manifest} -n shop"));
    let removing = first(&format!("rbac -f {manifest} -n shop --with-delete"));
    assert_eq!(first(line), rolling);
    assert_eq!(first(&format!("{line} -- --prune -y")), removing);
    assert_eq!(first(&format!("{line} -- --identity=--prune")), rolling);
}

#[test]
fn a_job_that_cannot_work_is_rejected() {
    let env = TestEnv::new();
    let cases = [
        ("job examples/express-server-v1.yaml", "--image"),
        ("job gone.yaml --image x", "cannot be opened"),
        (
            "job examples/express-server-v1.yaml --image x -- --fail-fats",
            "`rollout apply` does not take these flags",
        ),
        (
            "job examples/express-server-v1.yaml --image x -- other.yaml",
            "`other.yaml` after `--` is not a flag",
        ),
        (
            "job examples/express-server-v1.yaml --image x -- -f other.yaml",
            "`other.yaml` after `--` is not a flag",
        ),
        ("job examples/express-server-v1.yaml --image x -- -n other", "`--namespace` after `--`"),
        ("job examples/express-server-v1.yaml --image x -- --sandbox", "`--sandbox` after `--`"),
        ("job examples/express-server-v1.yaml --image x -- --kubeconfig here", "`--kubeconfig` after `--`"),
        ("job examples/express-server-v1.yaml --image x -- --context there", "`--context` after `--`"),
        ("job examples/express-server-v1.yaml --image=", "--image"),
        (
            "job examples/express-server-v1.yaml --image x --shards 2",
            "fewer applications (1) than shards (2)",
        ),
        ("job examples/express-server-v1.yaml --image x -- --wave-gate 5m", "`--wave-gate` after `--`"),
        (
            "job examples/express-server-v1.yaml --image x -- --on-failure undo-all",
            "`--on-failure` after `--`",
        ),
        ("job examples/express-server-v1.yaml --image x -- --shard 0/2", "`--shard` after `--`"),
        (
            "job examples/gated.yaml --image x",
            "metric `errors` runs the command `cat` in the pods of the Job",
        ),
        ("rbac -n shop --service-account=A_B", "--service-account"),
    ];
    for (line, reason) in cases {
        let output = env.bare(line).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{line}: {said}");
        assert!(said.contains(reason) && output.stdout.is_empty(), "{line}: {said}");
    }
}

/// Whether the Job's image contains the command is not checked.
#[test]
fn a_job_accepts_gates_with_commands_if_gates_are_trusted() {
    let env = TestEnv::new();
    let output = env.bare("job examples/gated.yaml --image x -- --trust-gates").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Its account has a Role for its applications, which Jobs of other applications do not replace.
#[test]
fn jobs_of_other_applications_share_nothing() {
    let env = TestEnv::new();
    let app = |name: &str| application(name, &[component(name, 1, 1)]);
    env.write("a.yaml", app("a"));
    env.write("b.yaml", app("b"));
    env.write("both.yaml", format!("{}---\n{}", app("a"), app("b")));
    let names = |line: &str| {
        let text = env.run_ok(&format!("job {line} --image x -n shop")).stdout;
        let names =
            documents(&text).into_iter().map(|one| format!("{}/{}", one["kind"], one["metadata"]["name"]));
        names.collect::<std::collections::BTreeSet<_>>()
    };
    let (a, b, both) = (names("a.yaml"), names("b.yaml"), names("both.yaml"));
    assert!(a.contains("\"ServiceAccount\"/\"rollout-a\""), "{a:?}");
    assert!(a.is_disjoint(&b) && a.is_disjoint(&both) && b.is_disjoint(&both), "{a:?} {b:?} {both:?}");
    let (first, again) = (names("a.yaml --run 1"), names("a.yaml --run 2"));
    assert_eq!(first.intersection(&again).count(), 4, "all but the Job: {first:?} {again:?}");
    assert_eq!(first, names("a.yaml --run 1"));
}

#[test]
fn a_role_includes_the_permissions_that_the_manifest_grants() {
    let env = TestEnv::new();
    let privileges = "{type: service-account, properties: {name: web, create: true, \
        privileges: [{verbs: [get], apiGroups: [''], resources: [pods/log]}]}}";
    env.write(
        "app.yaml",
        format!(
            "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {{name: shop}}\nspec:\n  components:\n    \
             - {{name: web, type: worker, properties: {{image: 'web:1'}}, traits: [{privileges}]}}\n"
        ),
    );
    let role = &documents(&env.run_ok("rbac app.yaml").stdout)[0];
    let is_granted =
        |rule: &serde_json::Value| rule["resources"][0] == "pods/log" && rule["verbs"][0] == "get";
    assert!(role["rules"].as_array().unwrap().iter().any(is_granted), "{role}");
    assert!(!env.run_ok("rbac app.yaml --for read-only").stdout.contains("pods/log"));
}
