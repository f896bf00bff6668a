//! With the Role that `rollout rbac --for COMMAND` prints, the command works; without any verb that it needs, it is
//! refused before its first write, and names the verb, resource and namespace.

use std::process::Command;

use rollout::cluster::permissions::{Operation, Right, RightPurpose, rights_of, rights_of_run};
use rollout::oam::kind::WorkloadKind;
use serde_json::Value;

use crate::access::{grant, grant_printed};
use crate::real_env::{RealEnv, v1, v2};
use crate::support::manifest::Component;
use crate::support::test_env::CommandOutput;

const DEPLOYMENTS: RightPurpose = RightPurpose::Workloads(WorkloadKind::Deployment);

fn exposed(component: Component) -> Component {
    component.exposing(80)
}

/// Runs a command as a user with only the granted rights.
fn run(env: &RealEnv, mut command: Command) -> CommandOutput {
    CommandOutput::of(command.env("KUBECONFIG", env.plane.limited()).output().unwrap())
}

/// The rights that a run cannot do without.
fn of_run(operation: Operation) -> Vec<Right<'static>> {
    let kinds = [WorkloadKind::Deployment].into();
    rights_of_run(operation, &kinds, Some(RightPurpose::Services)).collect()
}

/// The rights that an operation other than a run cannot do without: those that it uses, except for checks.
fn of_other(operation: Operation, purposes: &[RightPurpose]) -> Vec<Right<'static>> {
    let rights = purposes.iter().flat_map(|purpose| rights_of(operation, *purpose));
    rights.filter(|right| !is_optional(operation, *right)).collect()
}

/// Only waiting processes list and watch Leases, `status` can omit the name of the driving process, only `status
/// --watch` watches, and few records are read individually.
fn is_optional(operation: Operation, right: Right<'_>) -> bool {
    match (right.resource, right.verb) {
        (_, "watch") | ("leases", "list") => true,
        ("leases", _) => operation == Operation::Status,
        ("configmaps", "list") => operation == Operation::Plan,
        _ => false,
    }
}

/// The current state of all objects that rollouts write.
fn state(env: &RealEnv) -> Value {
    let kinds = "deployments,controllerrevisions,configmaps,services,leases";
    let mut list: Value = serde_json::from_str(&env.kubectl(&["get", kinds, "-o", "json"])).unwrap();
    list["metadata"] = Value::Null;
    for item in list["items"].as_array_mut().into_iter().flatten() {
        // The fields that controllers write.
        item["status"] = Value::Null;
        item["metadata"]["resourceVersion"] = Value::Null;
        item["metadata"]["managedFields"] = Value::Null;
        item["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = Value::Null;
    }
    list
}

fn is_allowed(env: &RealEnv, right: Right<'_>) -> bool {
    let Right { verb, group, resource } = right;
    let kind = if group.is_empty() { resource.to_owned() } else { format!("{resource}.{group}") };
    let asked = env.try_kubectl(&["auth", "can-i", verb, &kind, "--as=limited"]);
    String::from_utf8_lossy(&asked.stdout).trim() == "yes"
}

/// Runs a command without each of its rights, and then with the printed Role.
fn each(env: &RealEnv, name: &str, needed: &[Right<'_>], command: impl Fn() -> Command) {
    each_of(env, name, needed, needed, command);
}

/// The same without each of the given rights.
fn each_of(
    env: &RealEnv,
    name: &str,
    needed: &[Right<'_>],
    some: &[Right<'_>],
    command: impl Fn() -> Command,
) {
    for missing in some {
        let Right { verb, group, resource } = *missing;
        let rules = needed.iter().filter(|right| *right != missing).map(|Right { verb, group, resource }| {
            format!("{{apiGroups: ['{group}'], resources: [{resource}], verbs: [{verb}]}}")
        });
        grant(env, &rules.collect::<Vec<_>>().join(", "));
        // The server applies the change a moment later.
        env.until("the right is taken away", || !is_allowed(env, *missing));
        let before = state(env);
        let refused = run(env, command());
        let what = format!("{name} without {verb} {resource}.{group}");
        assert_eq!(refused.code, Some(4), "{what}: {refused:#?}");
        let is_named = [verb, resource, &env.namespace].iter().all(|word| refused.stderr.contains(word));
        assert!(is_named, "{what}: {refused:#?}");
        assert!(state(env) == before, "{what} has written: {refused:#?}");
    }
    env.kubectl(&["delete", "rolebinding", "driver"]);
    grant_printed(env, &["--for", name]);
    env.until("the rights are granted", || needed.iter().all(|right| is_allowed(env, *right)));
    let done = run(env, command());
    assert_eq!(done.code, Some(0), "{name}: {done:#?}");
    assert!(!done.stderr.contains("forbidden"), "{name}: {done:#?}");
    env.kubectl(&["delete", "rolebinding", "--all"]);
    env.kubectl(&["delete", "role", "--all"]);
}

pub(crate) fn every_command(env: &RealEnv) {
    let applying = |component: Component, more: &'static [&'static str]| {
        move || env.applying(&exposed(component.clone()), more)
    };
    let commanding = |arguments: &'static [&'static str]| move || env.command(arguments);
    let runs = RightPurpose::Runs;
    each(env, "apply", &of_run(Operation::Apply), applying(v1(), &[]));
    each(env, "status", &of_other(Operation::Status, &[DEPLOYMENTS, runs]), commanding(&["status"]));
    let history = of_other(Operation::History, &[DEPLOYMENTS, runs]);
    each(env, "history", &history, commanding(&["history", "express-server"]));
    let plan = of_other(Operation::Plan, &[DEPLOYMENTS, runs, RightPurpose::Services]);
    let file =
        env.file("plan.yaml", &crate::support::manifest::application("rollout-trait-test", &[exposed(v2())]));
    let file = file.to_str().unwrap().to_owned();
    each(env, "plan", &plan, || env.command(&["plan", &file]));
    env.apply(&exposed(v2()), &["--partition", "0"]);
    each(env, "pause", &of_other(Operation::Pause, &[DEPLOYMENTS, runs]), commanding(&["pause"]));
    let rerun = of_run(Operation::Rerun);
    each(env, "resume", &rerun, commanding(&["resume"]));
    // The others need the same rights, so testing a part of them for each suffices.
    let part = |number: usize| -> Vec<Right<'_>> { rerun.iter().copied().skip(number).step_by(4).collect() };
    each_of(env, "promote", &rerun, &part(0), commanding(&["promote", "--full"]));
    each_of(env, "undo", &rerun, &part(1), commanding(&["undo", "express-server"]));
    let scale = commanding(&["scale", "express-server", "--replicas", "3"]);
    each_of(env, "scale", &rerun, &part(2), scale);
    env.apply(&exposed(v2()), &["--partition", "0"]);
    each_of(env, "abort", &rerun, &part(3), commanding(&["abort"]));
    let delete = of_other(Operation::Delete, &[DEPLOYMENTS, runs, RightPurpose::Services]);
    each(env, "delete", &delete, commanding(&["delete", "express-server", "--yes"]));
}

/// An application with a service account that may read pods.
const READER: &str = "apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: reader}
spec:
  components:
    - name: reader
      type: webservice
      properties: {image: 'reader:1'}
      traits:
        - type: service-account
          properties: {name: reader, create: true, privileges: [{verbs: [get], apiGroups: [''], resources: [pods/log]}]}
";

/// In Kubernetes, users cannot grant rights that they do not have, nor bind a Role that does not exist yet.
pub(crate) fn a_manifest_that_grants_rights(env: &RealEnv) {
    let file = env.file("reader.yaml", READER);
    let file = file.to_str().unwrap();
    let without = "{apiGroups: [apps, coordination.k8s.io, rbac.authorization.k8s.io], resources: ['*'], \
                     verbs: [get, list, watch, create, patch, delete]}, \
                   {apiGroups: [''], resources: [configmaps, services, serviceaccounts, pods], \
                     verbs: [get, list, watch, create, patch, delete]}";
    grant(env, without);
    env.until("the rights are granted", || {
        is_allowed(env, Right { verb: "create", group: "rbac.authorization.k8s.io", resource: "roles" })
    });
    let refused = run(env, env.command(&["apply", file]));
    assert_eq!(refused.code, Some(4), "{refused:#?}");
    assert!(
        refused.stderr.contains("grants rights that you do not have: `rollout rbac FILE"),
        "{refused:#?}"
    );
    env.kubectl(&["delete", "rolebinding", "driver"]);
    grant_printed(env, &[file]);
    env.until("the rights are granted", || {
        let asked = ["auth", "can-i", "get", "pods", "--subresource=log", "--as=limited"];
        String::from_utf8_lossy(&env.try_kubectl(&asked).stdout).trim() == "yes"
    });
    let done = run(env, env.command(&["apply", file]));
    assert_eq!(done.code, Some(0), "{done:#?}");
    env.kubectl(&["get", "rolebinding", "reader"]);
}
