//! Restrictions of a cluster: policies, quotas, a namespace under deletion. The error has the cluster's words, and once
//! the restriction is lifted, a rerun resumes.

use serde_json::Value;

use crate::real_env::{RealEnv, v1, v2};
use crate::support::test_env::CommandOutput;

/// Slow enough for a batch to be in progress when something happens.
const SLOW: &str = "- {image: '*', readyAfter: 3s}\n";

/// The message of the policy.
const FROZEN: &str = "workloads are frozen until monday";

/// Matches requests that are not from Kubernetes' controllers.
const OF_OTHERS: &str = "request.userInfo.username != 'system:kube-controller-manager' && \
                         !request.userInfo.username.startsWith('system:serviceaccount:kube-system:')";

/// Denies writes of workloads to all users except Kubernetes' controllers, and returns once that is in force.
fn freeze(env: &RealEnv) {
    let namespace = &env.namespace;
    env.put(&format!(
        "apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {{name: {namespace}}}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
      - {{apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}}
  matchConditions:
    - {{name: of-others, expression: \"{OF_OTHERS}\"}}
  validations:
    - {{expression: 'false', message: {FROZEN}}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {{name: {namespace}}}
spec:
  policyName: {namespace}
  validationActions: [Deny]
  matchResources: {{namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {namespace}}}}}}}
"
    ));
    // A new policy takes effect after a while.
    env.until("the policy", || create_is_denied(env));
}

fn create_is_denied(env: &RealEnv) -> bool {
    let tried = env.try_kubectl(&[
        "create",
        "deployment",
        "probe",
        "--image=probe:1",
        "--dry-run=server",
        "-o",
        "name",
    ]);
    String::from_utf8(tried.stderr).unwrap().contains(FROZEN)
}

fn thaw(env: &RealEnv) {
    for kind in ["validatingadmissionpolicybinding", "validatingadmissionpolicy"] {
        env.kubectl(&["delete", kind, &env.namespace]);
    }
    env.until("the policy's end", || !create_is_denied(env));
}

fn outcome(env: &RealEnv) -> String {
    let record =
        env.kubectl(&["get", "configmap", "rollout-express-server", "-o", "jsonpath={.data.record}"]);
    let record: Value = serde_json::from_str(&record).unwrap();
    record["run"]["outcome"].as_str().unwrap().to_owned()
}

fn says(ran: &CommandOutput, code: i32, words: &[&str]) {
    assert_eq!(ran.code, Some(code), "{ran:#?}");
    for word in words {
        assert!(ran.stderr.contains(word), "`{word}` is not in {ran:#?}");
    }
}

fn has(env: &RealEnv, deployments: &[(&str, &str)]) {
    let found = env.deployments();
    let found: Vec<(&str, &str)> = found.iter().map(|(name, ready)| (&**name, &**ready)).collect();
    assert_eq!(found, deployments);
}

pub(crate) fn policy_at_the_first_write(env: &RealEnv) {
    freeze(env);
    let ran = env.apply(&v1(), &[]);
    says(&ran, 6, &[FROZEN]);
    has(env, &[]);
    assert_eq!(outcome(env), "Failed");
    thaw(env);
    env.applied(&v1());
    has(env, &[("express-server-v1", "5/5")]);
}

pub(crate) fn policy_in_mid_run(env: &RealEnv) {
    env.applied(&v1());
    env.script(SLOW);
    let running = env.apply_until(&v2(), &[], "0 of 2 ready");
    freeze(env);
    let ran = running.end();
    says(&ran, 6, &[FROZEN]);
    assert_eq!(outcome(env), "Failed");
    has(env, &[("express-server-v1", "5/5"), ("express-server-v2", "2/2")]);
    thaw(env);
    env.applied(&v2());
    has(env, &[("express-server-v2", "5/5")]);
}

/// An object that blocks the deletion of its namespace.
const KEEPER: &str =
    "{apiVersion: v1, kind: ConfigMap, metadata: {name: keeper, finalizers: [test.example/keep]}}";

fn begin_to_end(env: &RealEnv) {
    env.kubectl(&["delete", "namespace", &env.namespace, "--wait=false"]);
}

fn let_go(env: &RealEnv) {
    let patch = "{\"metadata\": {\"finalizers\": null}}";
    env.kubectl(&["patch", "configmap", "keeper", "--type=merge", "-p", patch]);
}

pub(crate) fn namespace_on_its_way_out(env: &RealEnv) {
    env.put(KEEPER);
    begin_to_end(env);
    let ran = env.apply(&v1(), &[]);
    says(&ran, 4, &["is being terminated"]);
    assert!(!ran.stderr.contains("request the missing permission"), "no right is missing: {ran:#?}");
    has(env, &[]);
    let_go(env);
}

pub(crate) fn namespace_deleted_in_mid_run(env: &RealEnv) {
    env.applied(&v1());
    env.script("- {image: '*', fail: NeverReady}\n");
    env.put(KEEPER);
    let running = env.apply_until(&v2(), &["--batch-timeout", "60s"], "0 of 2 ready");
    begin_to_end(env);
    let ran = running.end();
    says(&ran, 3, &["was deleted while its rollout was waiting"]);
    let_go(env);
}

pub(crate) fn quota_of_records(env: &RealEnv) {
    // The namespace has its own ConfigMap, which has to exist before a quota can count it.
    let has_its_own = || env.try_kubectl(&["get", "configmap", "kube-root-ca.crt"]).status.success();
    env.until("the certificate", has_its_own);
    quota(env, "count/configmaps", 1);
    let ran = env.apply(&v1(), &[]);
    says(&ran, 4, &["exceeded quota"]);
    has(env, &[]);
    env.kubectl(&["delete", "quota", "few"]);
    env.applied(&v1());
}

pub(crate) fn quota_of_workloads(env: &RealEnv) {
    env.applied(&v1());
    quota(env, "count/deployments.apps", 1);
    let ran = env.apply(&v2(), &[]);
    says(&ran, 6, &["exceeded quota"]);
    has(env, &[("express-server-v1", "5/5")]);
    assert_eq!(outcome(env), "Failed");
    // Changes that need no other workload still work.
    env.applied(&v1().size(6).batches(&["1"]));
    env.kubectl(&["delete", "quota", "few"]);
    env.applied(&v2().size(6).batches(&["3", "3"]));
    has(env, &[("express-server-v2", "6/6")]);
}

/// Limits the number of objects, and returns once they are counted.
fn quota(env: &RealEnv, resource: &str, count: u32) {
    env.put(&format!(
        "{{apiVersion: v1, kind: ResourceQuota, metadata: {{name: few}}, spec: {{hard: {{{resource}: '{count}'}}}}}}"
    ));
    let path = format!("{{.status.used.{}}}", resource.replace('.', "\\."));
    let used = || env.kubectl(&["get", "quota", "few", "-o", &format!("jsonpath={path}")]);
    env.until("the count", || used() == count.to_string());
}

pub(crate) fn missing_namespace(env: &RealEnv) {
    let nowhere = format!("{}-no", env.namespace);
    for line in [&["--dry-run=client"][..], &[]] {
        let ran = env.apply_in(&nowhere, &v1(), line);
        let reason = format!("namespace `{nowhere}` does not exist");
        says(&ran, 4, &[&reason, &format!("`kubectl create namespace {nowhere}`")]);
    }
}

pub(crate) fn warnings(env: &RealEnv) {
    env.kubectl(&["label", "namespace", &env.namespace, "pod-security.kubernetes.io/warn=restricted"]);
    for manifest in [&v1(), &v2()] {
        let ran = env.applied(manifest);
        let times = ran.stderr.matches("would violate PodSecurity").count();
        assert_eq!(times, 1, "a warning is shown once: {ran:#?}");
    }
}

pub(crate) fn dry_run(env: &RealEnv) {
    env.applied(&v1());
    let versions = || {
        let kinds = "deployments,controllerrevisions,configmaps,leases";
        env.kubectl(&[
            "get",
            kinds,
            "-o",
            "jsonpath={range .items[*]}{.kind}{.metadata.resourceVersion} {end}",
        ])
    };
    let before = versions();
    let ran = env.apply(&v2(), &["--dry-run=server"]);
    says(&ran, 0, &[]);
    assert!(ran.stdout.contains("express-server-v2"), "{ran:#?}");
    assert_eq!(versions(), before, "a dry run writes");
    freeze(env);
    let ran = env.apply(&v2(), &["--dry-run=server"]);
    assert_ne!(ran.code, Some(0), "{ran:#?}");
    says(&ran, ran.code.unwrap_or(0), &[FROZEN]);
    assert_eq!(versions(), before, "a dry run writes");
    thaw(env);
}

/// The object is small enough for the API server, but too large for etcd.
pub(crate) fn too_large(env: &RealEnv) {
    env.applied(&v1());
    let value = "x".repeat(2_000_000);
    let property: &'static str =
        Box::leak(format!("env: [{{name: LARGE, value: {value}}}]").into_boxed_str());
    let large = v2().property(property);
    let ran = env.apply(&large, &["--dry-run=server"]);
    says(&ran, 4, &["revision `express-server-v2` is too large"]);
    let ran = env.apply(&large, &[]);
    says(&ran, 6, &["request is too large"]);
    assert!(!ran.stderr.contains("retrying") && !ran.stderr.contains("cluster-info"), "{ran:#?}");
    assert_eq!(outcome(env), "Failed");
    has(env, &[("express-server-v1", "5/5")]);
    env.applied(&v2());
    has(env, &[("express-server-v2", "5/5")]);
}
