//! What a user may do, and what is somebody else's.

use std::process::Command;

use rollout::cluster::permissions::{self, Purpose, Right};
use rollout::oam::kind::WorkloadKind;
use serde_json::json;

use crate::seed;
use crate::site::{Ran, Site, V1, V2, ran};

fn as_limited(site: &Site) -> Ran {
    ran_limited(site, &mut site.applying(&V1, &[]))
}

fn ran_limited(site: &Site, command: &mut Command) -> Ran {
    ran(&command.env("KUBECONFIG", site.plane.limited()).output().unwrap())
}

fn grant(site: &Site, rules: &str) {
    let namespace = &site.namespace;
    site.put(&format!(
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

/// Grants what `rollout rbac` prints.
fn grant_printed(site: &Site, flags: &[&str]) {
    let namespace = &site.namespace;
    let printed = site.rollout(&[&["rbac"], flags].concat());
    assert_eq!(printed.code, Some(0), "{printed:#?}");
    site.put(&format!(
        "{}---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: rollout, namespace: {namespace}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: rollout}}
subjects: [{{kind: User, name: limited, apiGroup: rbac.authorization.k8s.io}}]
",
        printed.stdout
    ));
}

const READING: &str = "{apiGroups: [apps], resources: [deployments, controllerrevisions], verbs: [get, list, watch]}, \
                       {apiGroups: [''], resources: [configmaps], verbs: [get, list]}";

/// Rules with some of the rights of the table.
fn rules(purposes: &[Purpose]) -> String {
    let rule = |Right { verb, group, resource }: Right<'_>| {
        format!("{{apiGroups: ['{group}'], resources: [{resource}], verbs: [{verb}]}}")
    };
    let rights = purposes.iter().copied().flat_map(permissions::used);
    rights.map(rule).collect::<Vec<_>>().join(", ")
}

/// What a run of Deployments takes, without what it looks for beforehand.
const DRIVING: [Purpose; 2] = [Purpose::Workloads(WorkloadKind::Deployment), Purpose::Runs];

fn is_untouched(site: &Site) {
    for kind in ["deployments", "controllerrevisions", "leases"] {
        assert_eq!(site.kubectl(&["get", kind, "-o", "name"]), "", "{kind}");
    }
}

pub(crate) fn no_rights(site: &Site) {
    let ran = as_limited(site);
    assert_eq!(ran.code, Some(4), "{ran:#?}");
    assert!(ran.stderr.contains("forbidden"), "{ran:#?}");
    grant(site, READING);
    let ran = as_limited(site);
    assert_eq!(ran.code, Some(4), "{ran:#?}");
    assert!(ran.stderr.contains("create/patch/delete `deployments.apps`"), "{ran:#?}");
    assert!(ran.stderr.contains("`leases.coordination.k8s.io`"), "{ran:#?}");
    is_untouched(site);
}

/// The same for the guards: what they look for is found, and nothing is said of rights.
pub(crate) fn documented_rights(site: &Site) {
    grant_printed(site, &[]);
    let ran = as_limited(site);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert!(!ran.stderr.contains("not foreseen"), "{ran:#?}");
    site.kubectl(&["autoscale", "deployment", "express-server-v1", "--min=2", "--max=9"]);
    let mut command = site.applying(&V2, &[]);
    let refused = ran_limited(site, &mut command);
    assert_eq!(refused.code, Some(4), "{refused:#?}");
    assert!(refused.stderr.contains("horizontalpodautoscaler `express-server-v1`"), "{refused:#?}");
}

/// Without the rights of the guards a run goes through, and says once what it could not look for.
pub(crate) fn rights_without_guards(site: &Site) {
    grant(site, &rules(&DRIVING));
    let ran = as_limited(site);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert_eq!(ran.stderr.matches("the preflight checks that need them are skipped").count(), 1, "{ran:#?}");
    assert!(ran.stderr.contains("list `horizontalpodautoscalers.autoscaling`"), "{ran:#?}");
}

/// A run that may not show itself says so once, and one that may does so.
pub(crate) fn rights_on_views(site: &Site) {
    seed::install_views(site);
    grant_printed(site, &[]);
    let ran = as_limited(site);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert_eq!(ran.stderr.matches("warning").count(), 1, "{ran:#?}");
    assert!(ran.stderr.contains("create/patch `applications.core.oam.dev`"), "{ran:#?}");
    assert!(ran.stderr.contains("`rollout rbac --with-views"), "{ran:#?}");
    assert_eq!(site.kubectl(&["get", "rollouts.standard.oam.dev", "-o", "name"]), "");
    grant_printed(site, &["--with-views"]);
    let mut command = site.applying(&V2, &[]);
    let ran = ran_limited(site, &mut command);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert!(!ran.stderr.contains("warning"), "{ran:#?}");
    assert_ne!(site.kubectl(&["get", "rollouts.standard.oam.dev", "-o", "name"]), "");
}

/// What the Role of a run allows is not enough to remove, and half a removal is worse than none.
pub(crate) fn rights_to_remove(site: &Site) {
    // Views, on which the user has no rights, are in nobody's way.
    seed::install_views(site);
    site.applied(&V1);
    grant(site, &rules(&DRIVING));
    let delete = || {
        let mut command = site.command(&["delete", "express-server", "--yes"]);
        ran(&command.env("KUBECONFIG", site.plane.limited()).output().unwrap())
    };
    let is_refused = |said: &str| {
        let refused = delete();
        assert_eq!(refused.code, Some(4), "{refused:#?}");
        assert!(refused.stderr.contains(said), "{refused:#?}");
        assert!(refused.stderr.contains("`rollout rbac --with-delete"), "{refused:#?}");
        assert_eq!(site.deployments(), [("express-server-v1".to_owned(), "5/5".to_owned())]);
    };
    // To see what there is, and to remove it.
    is_refused("cannot list resource \"services\"");
    let driving = rules(&DRIVING);
    grant(site, &format!("{driving}, {{apiGroups: [''], resources: [services], verbs: [list]}}"));
    is_refused("delete `configmaps`");
    grant(site, &format!("{driving}, {}", rules(&[Purpose::Removal])));
    let removed = delete();
    assert_eq!(removed.code, Some(0), "{removed:#?}");
    is_untouched(site);
}

pub(crate) fn autoscaler(site: &Site) {
    site.applied(&V1);
    site.kubectl(&["autoscale", "deployment", "express-server-v1", "--min=2", "--max=9"]);
    let ran = site.apply(&V2, &[]);
    assert_eq!(ran.code, Some(4), "{ran:#?}");
    assert!(ran.stderr.contains("horizontalpodautoscaler `express-server-v1`"), "{ran:#?}");
    assert_eq!(site.deployments(), [("express-server-v1".to_owned(), "5/5".to_owned())]);
}

pub(crate) fn foreign_controller(site: &Site) {
    seed::install_views(site);
    site.applied(&V1);
    // As KubeVela's controller has it: the Rollout controls the workload while it rolls.
    let uid = site.kubectl(&[
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
    site.kubectl(&["patch", "deployment", "express-server-v1", "--type=json", "-p", &owner.to_string()]);
    let ran = site.apply(&V2, &[]);
    assert_eq!(ran.code, Some(4), "{ran:#?}");
    assert!(ran.stderr.contains("controlled by Rollout `express-server`"), "{ran:#?}");
}
