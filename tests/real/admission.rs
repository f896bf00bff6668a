//! Pods that admission denies or changes: a limit, a policy, an injected init container.

use serde_json::Value;

use crate::diagnosis::{script, told};
use crate::real_env::{RealEnv, v1, v2};
use crate::support::manifest::Component;

/// The message of the policy.
const UNSIGNED: &str = "images have to be signed";

/// A policy about new pods of the test's namespace, and its binding.
fn policy(env: &RealEnv, kind: &str, spec: &str, binding: &str) -> String {
    let namespace = &env.namespace;
    format!(
        "apiVersion: admissionregistration.k8s.io/v1
kind: {kind}
metadata: {{name: {namespace}}}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
      - {{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods]}}
{spec}
---
apiVersion: admissionregistration.k8s.io/v1
kind: {kind}Binding
metadata: {{name: {namespace}}}
spec:
  policyName: {namespace}
{binding}
  matchResources: {{namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {namespace}}}}}}}
"
    )
}

/// Whether the server already applies the new policy to pods.
fn meets(env: &RealEnv, words: &str) -> bool {
    let tried = env.try_kubectl(&["run", "probe", "--image=probe:5", "--dry-run=server", "-o", "yaml"]);
    [tried.stdout, tried.stderr].iter().any(|said| String::from_utf8_lossy(said).contains(words))
}

/// Only the ReplicaSet reports the denial, and it keeps retrying.
pub(crate) fn policy_that_denies_pods(env: &RealEnv) {
    env.applied(&v1());
    let spec = format!("  validations:\n    - {{expression: 'false', message: {UNSIGNED}}}");
    env.put(&policy(env, "ValidatingAdmissionPolicy", &spec, "  validationActions: [Deny]"));
    env.until("the policy", || meets(env, UNSIGNED));
    let ran = env.apply(&v2(), &["--fail-fast"]);
    told(&ran, &["cannot become ready (`--fail-fast`): FailedCreate", "denied request", UNSIGNED]);
    assert_eq!(env.deployments()[0], ("express-server-v1".to_owned(), "5/5".to_owned()), "{ran:#?}");
}

pub(crate) fn limit_that_denies_pods(env: &RealEnv) {
    env.put("{apiVersion: v1, kind: LimitRange, metadata: {name: small}, spec: {limits: [{type: Container, max: {cpu: 100m}}]}}");
    env.applied(&v1());
    refuses(env, "maximum cpu usage per Container is 100m", &v2().property("cpu: 0.5"));
}

pub(crate) fn security_that_denies_pods(env: &RealEnv) {
    env.applied(&v1());
    env.kubectl(&["label", "namespace", &env.namespace, "pod-security.kubernetes.io/enforce=restricted"]);
    env.until("the label", || meets(env, "violates PodSecurity"));
    refuses(env, "violates PodSecurity", &v2());
}

/// Checks that `plan` and `apply` are refused with these words, and that nothing is written.
fn refuses(env: &RealEnv, words: &str, manifest: &Component) {
    for ran in [env.apply(manifest, &[]), env.apply(manifest, &["--dry-run=client"])] {
        assert_eq!(ran.code, Some(4), "{ran:#?}");
        assert!(ran.stderr.contains("pods of revision `express-server-v2` are rejected: "), "{ran:#?}");
        assert!(ran.stderr.contains(words), "{ran:#?}");
    }
    assert_eq!(env.deployments(), [("express-server-v1".to_owned(), "5/5".to_owned())]);
    let revisions = env.kubectl(&["get", "controllerrevisions", "-o", "name"]);
    assert_eq!(revisions.lines().count(), 1, "{revisions}");
}

/// An injected init container, as from a service mesh, crashes: it is named, and its log is shown.
pub(crate) fn init_container_that_crashes(env: &RealEnv) {
    env.applied(&v1());
    let object = "Object{spec: Object.spec{initContainers: [Object.spec.initContainers{name: \"setup\", image: \"setup:1\"}]}}";
    let spec = format!(
        "  reinvocationPolicy: Never
  mutations:
    - patchType: ApplyConfiguration
      applyConfiguration: {{expression: '{object}'}}"
    );
    env.put(&policy(env, "MutatingAdmissionPolicy", &spec, ""));
    env.until("the policy", || meets(env, "setup:1"));
    script(env, "InitCrashLoopBackOff, log: 'no route to the mesh'");
    let ran = env.apply(&v2(), &["--batch-timeout", "4s"]);
    let past = "(restarted once, last ended: Error, exit code 1)";
    told(&ran, &["init container `setup`: CrashLoopBackOff: back-off 10s", past, "no route to the mesh"]);
    // The log matches the one from kubectl.
    let pods = env.kubectl(&["get", "pods", "-o", "json"]);
    let pods: Value = serde_json::from_str(&pods).unwrap();
    let is_behind = |pod: &&Value| {
        pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "PodInitializing"
    };
    assert_eq!(pods["items"].as_array().unwrap().iter().filter(is_behind).count(), 2);
    assert_eq!(env.kubectl(&["get", "pods"]).matches("Init:CrashLoopBackOff").count(), 2);
}

/// A policy that changes objects of a kind whenever they are written, once it is in force.
fn change(env: &RealEnv, rule: &str, expression: &str, probe: &[&str], changed: &str) {
    let spec = format!(
        "      - {{apiVersions: [v1], operations: [CREATE, UPDATE], {rule}}}\n  reinvocationPolicy: Never\n  \
         matchConditions: [{{name: kind, expression: \"request.resource.resource != 'pods'\"}}]\n  \
         mutations:\n    - patchType: JSONPatch\n      jsonPatch:\n        expression: \"{expression}\""
    );
    env.put(&policy(env, "MutatingAdmissionPolicy", &spec, ""));
    env.until("the policy", || {
        let tried = env.try_kubectl(&[probe, &["--dry-run=server", "-o", "yaml"]].concat());
        String::from_utf8_lossy(&tried.stdout).contains(changed)
    });
}

/// The run writes the Service a few times, warns, and continues.
pub(crate) fn a_policy_changes_services(env: &RealEnv) {
    let port = "Object.spec.ports{name: 'metrics', port: 15090, targetPort: 15090}";
    let expression = format!(
        "object.spec.ports.exists(p, p.name == 'metrics') ? [] : \
         [JSONPatch{{op: 'add', path: '/spec/ports/-', value: {port}}}]"
    );
    let probe = ["create", "service", "clusterip", "probe", "--tcp=80:80"];
    change(env, "apiGroups: [''], resources: [services]", &expression, &probe, "metrics");
    let manifest = v1().property("ports: [{port: 80, expose: true}]");
    for _ in 0..2 {
        let ran = env.apply(&manifest, &["--timeout", "2m"]);
        assert_eq!(ran.code, Some(0), "{ran:#?}");
        assert_eq!(ran.stderr.matches("is changed whenever it is written").count(), 1, "{ran:#?}");
    }
}

/// An image of a mirror is not an edit.
pub(crate) fn a_policy_changes_images(env: &RealEnv) {
    let image = "object.spec.template.spec.containers[0].image";
    let path = "/spec/template/spec/containers/0/image";
    let expression = format!(
        "{image}.startsWith('mirror/') ? [] : \
         [JSONPatch{{op: 'replace', path: '{path}', value: 'mirror/' + {image}}}]"
    );
    let probe = ["create", "deployment", "probe", "--image=probe:5"];
    change(env, "apiGroups: [apps], resources: [deployments]", &expression, &probe, "mirror/probe:5");
    for _ in 0..2 {
        let ran = env.apply(&v1(), &[]);
        assert_eq!(ran.code, Some(0), "{ran:#?}");
        assert!(!ran.stderr.contains("runs image"), "{ran:#?}");
    }
    env.kubectl(&["set", "image", "deployment/express-server-v1", "express-server=other:1"]);
    let edited = env.apply(&v1(), &[]);
    assert!(edited.stderr.contains("runs image `mirror/other:1`"), "{edited:#?}");
}

/// The run ends, rather than writing for ever.
pub(crate) fn a_policy_changes_sizes(env: &RealEnv) {
    let expression = "object.spec.replicas < 1 || object.spec.replicas > 6 ? [] : \
        [JSONPatch{op: 'replace', path: '/spec/replicas', value: 7}]";
    let probe = ["create", "deployment", "probe", "--image=probe:5"];
    change(env, "apiGroups: [apps], resources: [deployments]", expression, &probe, "replicas: 7");
    let ran = env.apply(&v1(), &[]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert!(ran.stderr.contains("has 7 replicas after 5 were written"), "{ran:#?}");
}
