//! Manifests that are printed: the Role, and the Job.

use crate::support::test_env::TestEnv;

/// The documents of a YAML text.
fn documents(text: &str) -> Vec<serde_json::Value> {
    text.split("---\n").map(|document| serde_yaml::from_str(document).unwrap()).collect()
}

#[test]
fn the_role_is_for_whichever_namespace_it_is_applied_to() {
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
    let removal = "{apiGroups: [standard.oam.dev], resources: [rollouts], verbs: [delete]}";
    assert!(!rules("rbac --with-delete").contains("oam.dev"));
    assert!(rules("rbac --with-views").contains(views) && !rules("rbac --with-views").contains(removal));
    assert!(rules("rbac --with-views --with-delete").contains(removal));
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

/// Two of them would end each pod of the Job with a wrong command line.
#[test]
fn a_job_goes_by_the_identity_that_its_flags_give() {
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

/// What is set here says nothing about the pods of the Job.
#[test]
fn variables_of_this_process_are_not_the_jobs() {
    let env = TestEnv::new();
    let mut command = env.bare("job examples/express-server-v1.yaml --image x -n shop -- --fail-fast");
    let output = command.env("ROLLOUT_SANDBOX", "box.json").env("ROLLOUT_CONTEXT", "there").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_job_that_removes_may_remove() {
    let env = TestEnv::new();
    let first = |line: &str| {
        let text = String::from_utf8(env.bare(line).output().unwrap().stdout).unwrap();
        documents(&text).swap_remove(0)
    };
    let line = "job examples/express-server-v1.yaml --image x -n shop";
    let (rolling, removing) = (first("rbac -n shop"), first("rbac -n shop --with-delete"));
    assert_eq!(first(line), rolling);
    assert_eq!(first(&format!("{line} -- --prune -y")), removing);
    assert_eq!(first(&format!("{line} -- --identity=--prune")), rolling);
}

#[test]
fn a_job_that_could_not_work_is_not_printed() {
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
        ("rbac -n shop --service-account=A_B", "--service-account"),
    ];
    for (line, reason) in cases {
        let output = env.bare(line).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{line}: {said}");
        assert!(said.contains(reason) && output.stdout.is_empty(), "{line}: {said}");
    }
}
