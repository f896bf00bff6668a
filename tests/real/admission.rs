//! Pods that admission denies or changes: a limit, a policy, a container that is put in front of theirs.

use serde_json::Value;

use crate::site::{Manifest, Site, V1, V2};
use crate::stuck::{script, told};

/// What the policy says.
const UNSIGNED: &str = "images have to be signed";

/// A policy about new pods of the site's namespace, and its binding.
fn policy(site: &Site, kind: &str, spec: &str, binding: &str) -> String {
    let namespace = &site.namespace;
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

/// Whether a new pod meets what the server takes up by and by.
fn meets(site: &Site, words: &str) -> bool {
    let tried = site.try_kubectl(&["run", "probe", "--image=probe:5", "--dry-run=server", "-o", "yaml"]);
    [tried.stdout, tried.stderr].iter().any(|said| String::from_utf8_lossy(said).contains(words))
}

/// Its refusal is told by the ReplicaSet alone, which goes on asking.
pub(crate) fn policy_that_denies_pods(site: &Site) {
    site.applied(&V1);
    let spec = format!("  validations:\n    - {{expression: 'false', message: {UNSIGNED}}}");
    site.put(&policy(site, "ValidatingAdmissionPolicy", &spec, "  validationActions: [Deny]"));
    site.until("the policy", || meets(site, UNSIGNED));
    let ran = site.apply(&V2, &["--fail-fast"]);
    told(&ran, &["cannot become ready (`--fail-fast`): FailedCreate", "denied request", UNSIGNED]);
    assert_eq!(site.deployments()[0], ("express-server-v1".to_owned(), "5/5".to_owned()), "{ran:#?}");
}

pub(crate) fn limit_that_denies_pods(site: &Site) {
    site.put("{apiVersion: v1, kind: LimitRange, metadata: {name: small}, spec: {limits: [{type: Container, max: {cpu: 100m}}]}}");
    site.applied(&V1);
    refuses(site, "maximum cpu usage per Container is 100m", &Manifest { property: "cpu: 0.5", ..V2 });
}

pub(crate) fn security_that_denies_pods(site: &Site) {
    site.applied(&V1);
    site.kubectl(&["label", "namespace", &site.namespace, "pod-security.kubernetes.io/enforce=restricted"]);
    site.until("the label", || meets(site, "violates PodSecurity"));
    refuses(site, "violates PodSecurity", &V2);
}

/// Plan and run are refused with these words, and the run has written nothing.
fn refuses(site: &Site, words: &str, manifest: &Manifest) {
    for ran in [site.apply(manifest, &[]), site.apply(manifest, &["--dry-run=client"])] {
        assert_eq!(ran.code, Some(4), "{ran:#?}");
        assert!(ran.stderr.contains("pods of revision `express-server-v2` are rejected: "), "{ran:#?}");
        assert!(ran.stderr.contains(words), "{ran:#?}");
    }
    assert_eq!(site.deployments(), [("express-server-v1".to_owned(), "5/5".to_owned())]);
    let revisions = site.kubectl(&["get", "controllerrevisions", "-o", "name"]);
    assert_eq!(revisions.lines().count(), 1, "{revisions}");
}

/// An init container that no manifest has, as a mesh puts it into every pod, crashes: it is named, and its log is shown.
pub(crate) fn init_container_that_crashes(site: &Site) {
    site.applied(&V1);
    let object = "Object{spec: Object.spec{initContainers: [Object.spec.initContainers{name: \"setup\", image: \"setup:1\"}]}}";
    let spec = format!(
        "  reinvocationPolicy: Never
  mutations:
    - patchType: ApplyConfiguration
      applyConfiguration: {{expression: '{object}'}}"
    );
    site.put(&policy(site, "MutatingAdmissionPolicy", &spec, ""));
    site.until("the policy", || meets(site, "setup:1"));
    script(site, "InitCrashLoopBackOff, log: 'no route to the mesh'");
    let ran = site.apply(&V2, &["--batch-timeout", "4s"]);
    let past = "(restarted once, last ended: Error, exit code 1)";
    told(&ran, &["init container `setup`: CrashLoopBackOff: back-off 10s", past, "no route to the mesh"]);
    // It is what kubectl shows.
    let pods = site.kubectl(&["get", "pods", "-o", "json"]);
    let pods: Value = serde_json::from_str(&pods).unwrap();
    let is_behind = |pod: &&Value| {
        pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "PodInitializing"
    };
    assert_eq!(pods["items"].as_array().unwrap().iter().filter(is_behind).count(), 2);
    assert_eq!(site.kubectl(&["get", "pods"]).matches("Init:CrashLoopBackOff").count(), 2);
}
