//! The rights of users, and objects of other owners.

use std::process::Command;

use rollout::cluster::permissions::{self, Operation, Right, RightPurpose};
use rollout::oam::kind::WorkloadKind;
use serde_json::json;

use crate::real_env::{RealEnv, v1, v2};
use crate::seed;
use crate::support::test_env::CommandOutput;

fn as_limited(env: &RealEnv) -> CommandOutput {
    ran_limited(env, &mut env.applying(&v1(), &[]))
}

fn ran_limited(env: &RealEnv, command: &mut Command) -> CommandOutput {
    CommandOutput::of(command.env("KUBECONFIG", env.plane.limited()).output().unwrap())
}

pub(crate) fn grant(env: &RealEnv, rules: &str) {
    let namespace = &env.namespace;
    env.put(&format!(
        "{{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {{name: driver, namespace: {namespace}}}, rules: [{rules}]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: driver, namespace: {namespace}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: driver}}
subjects: [{{kind: User, name: limited, apiGroup: rbac.authorization.k8s.io}}]
"
    ));
}

/// Grants the Role that `rollout rbac` prints.
pub(crate) fn grant_printed(env: &RealEnv, flags: &[&str]) {
    let namespace = &env.namespace;
    let printed = env.rollout(&[&["rbac"], flags].concat());
    assert_eq!(printed.code, Some(0), "{printed:#?}");
    let role: serde_json::Value = serde_yaml::from_str(&printed.stdout).unwrap();
    let name = role["metadata"]["name"].as_str().unwrap();
    env.put(&format!(
        "{}---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: {name}, namespace: {namespace}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: {name}}}
subjects: [{{kind: User, name: limited, apiGroup: rbac.authorization.k8s.io}}]
",
        printed.stdout
    ));
}

const READING: &str = "{apiGroups: [apps], resources: [deployments, controllerrevisions], verbs: [get, list, watch]}, \
                       {apiGroups: [''], resources: [configmaps], verbs: [get, list]}";

fn rule(Right { verb, group, resource }: Right<'_>) -> String {
    format!("{{apiGroups: ['{group}'], resources: [{resource}], verbs: [{verb}]}}")
}

/// Rules with some of the rights of the table.
fn rules(purposes: &[RightPurpose]) -> String {
    let rights = purposes.iter().copied().flat_map(permissions::used_rights);
    rights.map(rule).collect::<Vec<_>>().join(", ")
}

/// The rights that a run of Deployments needs, without those for preflight checks.
const DRIVING: [RightPurpose; 2] = [RightPurpose::Workloads(WorkloadKind::Deployment), RightPurpose::Runs];

fn is_untouched(env: &RealEnv) {
    for kind in ["deployments", "controllerrevisions", "leases"] {
        assert_eq!(env.kubectl(&["get", kind, "-o", "name"]), "", "{kind}");
    }
}

pub(crate) fn no_rights(env: &RealEnv) {
    let ran = as_limited(env);
    assert_eq!(ran.code, Some(4), "{ran:#?}");
    assert!(ran.stderr.contains("forbidden"), "{ran:#?}");
    grant(env, READING);
    let ran = as_limited(env);
    assert_eq!(ran.code, Some(4), "{ran:#?}");
    assert!(ran.stderr.contains("create/patch/delete `deployments.apps`"), "{ran:#?}");
    assert!(ran.stderr.contains("`leases.coordination.k8s.io`"), "{ran:#?}");
    is_untouched(env);
}

/// With the documented rights, guards find the objects they look for, and there is no warning about rights.
pub(crate) fn documented_rights(env: &RealEnv) {
    grant_printed(env, &[]);
    let ran = as_limited(env);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert!(!ran.stderr.contains("not foreseen"), "{ran:#?}");
    env.kubectl(&["autoscale", "deployment", "express-server-v1", "--min=2", "--max=9"]);
    let mut command = env.applying(&v2(), &[]);
    let refused = ran_limited(env, &mut command);
    assert_eq!(refused.code, Some(4), "{refused:#?}");
    assert!(refused.stderr.contains("horizontalpodautoscaler `express-server-v1`"), "{refused:#?}");
}

/// Without the rights of the guards, a run succeeds and reports once which checks it skipped.
pub(crate) fn rights_without_guards(env: &RealEnv) {
    grant(env, &rules(&DRIVING));
    let ran = as_limited(env);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert_eq!(ran.stderr.matches("the preflight checks that need them are skipped").count(), 1, "{ran:#?}");
    assert!(ran.stderr.contains("list `horizontalpodautoscalers.autoscaling`"), "{ran:#?}");
}

/// A run without the rights for views warns once, and one with them writes its view.
pub(crate) fn rights_on_views(env: &RealEnv) {
    seed::install_views(env);
    grant_printed(env, &[]);
    let ran = as_limited(env);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert_eq!(ran.stderr.matches("warning").count(), 1, "{ran:#?}");
    assert!(ran.stderr.contains("create/patch `applications.core.oam.dev`"), "{ran:#?}");
    assert!(ran.stderr.contains("`rollout rbac --with-views"), "{ran:#?}");
    assert_eq!(env.kubectl(&["get", "rollouts.standard.oam.dev", "-o", "name"]), "");
    grant_printed(env, &["--with-views"]);
    let mut command = env.applying(&v2(), &[]);
    let ran = ran_limited(env, &mut command);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert!(!ran.stderr.contains("warning"), "{ran:#?}");
    assert_ne!(env.kubectl(&["get", "rollouts.standard.oam.dev", "-o", "name"]), "");
}

/// A removal needs more rights than a run, and does not start without all of them.
pub(crate) fn rights_to_remove(env: &RealEnv) {
    // Views, for which the user has no rights, do not block a removal.
    seed::install_views(env);
    env.applied(&v1());
    grant(env, &rules(&DRIVING));
    let delete = || {
        let mut command = env.command(&["delete", "express-server", "--yes"]);
        CommandOutput::of(command.env("KUBECONFIG", env.plane.limited()).output().unwrap())
    };
    let is_refused = |said: &str| {
        let refused = delete();
        assert_eq!(refused.code, Some(4), "{refused:#?}");
        assert!(refused.stderr.contains(said), "{refused:#?}");
        assert!(refused.stderr.contains("`rollout rbac --with-delete"), "{refused:#?}");
        assert_eq!(env.deployments(), [("express-server-v1".to_owned(), "5/5".to_owned())]);
    };
    // The rights to find and to remove objects.
    is_refused("cannot list resource \"services\"");
    let driving = rules(&DRIVING);
    grant(env, &format!("{driving}, {{apiGroups: [''], resources: [services], verbs: [list]}}"));
    is_refused("delete `configmaps`");
    let removing = [DRIVING[0], DRIVING[1], RightPurpose::Services];
    let removing =
        removing.into_iter().flat_map(|purpose| permissions::rights_of(Operation::Delete, purpose));
    grant(env, &removing.map(rule).collect::<Vec<_>>().join(", "));
    let removed = delete();
    assert_eq!(removed.code, Some(0), "{removed:#?}");
    is_untouched(env);
}

pub(crate) fn autoscaler(env: &RealEnv) {
    env.applied(&v1());
    env.kubectl(&["autoscale", "deployment", "express-server-v1", "--min=2", "--max=9"]);
    let ran = env.apply(&v2(), &[]);
    assert_eq!(ran.code, Some(4), "{ran:#?}");
    assert!(ran.stderr.contains("horizontalpodautoscaler `express-server-v1`"), "{ran:#?}");
    assert_eq!(env.deployments(), [("express-server-v1".to_owned(), "5/5".to_owned())]);
}

pub(crate) fn foreign_controller(env: &RealEnv) {
    seed::install_views(env);
    env.applied(&v1());
    // As with KubeVela's controller, the Rollout controls the workload during a rollout.
    let uid = env.kubectl(&[
        "get",
        "rollouts.standard.oam.dev",
        "express-server",
        "-o",
        "jsonpath={.metadata.uid}",
    ]);
    let owner = json!([{"op": "add", "path": "/metadata/ownerReferences", "value": [{
        "apiVersion": "standard.oam.dev/v1alpha1", "kind": "Rollout", "name": "express-server", "uid": uid,
        "controller": true,
    }]}]);
    env.kubectl(&["patch", "deployment", "express-server-v1", "--type=json", "-p", &owner.to_string()]);
    let ran = env.apply(&v2(), &[]);
    assert_eq!(ran.code, Some(4), "{ran:#?}");
    assert!(ran.stderr.contains("controlled by Rollout `express-server`"), "{ran:#?}");
}
