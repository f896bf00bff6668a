//! What a user may do, and what is somebody else's.

use serde_json::json;

use crate::seed;
use crate::site::{Ran, Site, V1, V2, ran};

fn as_limited(site: &Site) -> Ran {
    let mut command = site.applying(&V1, &[]);
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

const READING: &str = "{apiGroups: [apps], resources: [deployments, controllerrevisions], verbs: [get, list, watch]}, \
                       {apiGroups: [''], resources: [configmaps], verbs: [get, list]}";

const DRIVING: &str = "{apiGroups: [apps], resources: [deployments], verbs: [get, list, watch, create, patch, delete]}, \
                       {apiGroups: [apps], resources: [controllerrevisions], verbs: [get, list, create, delete]}, \
                       {apiGroups: [''], resources: [configmaps], verbs: [get, list, watch, create, patch]}, \
                       {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get, list, watch, create, patch]}";

const REMOVING: &str = "{apiGroups: [''], resources: [configmaps], verbs: [delete]}, \
                        {apiGroups: [''], resources: [services], verbs: [list, delete]}, \
                        {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [delete]}";

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

pub(crate) fn documented_rights(site: &Site) {
    grant(site, DRIVING);
    let ran = as_limited(site);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
}

/// What the Role of a run allows is not enough to remove, and half a removal is worse than none.
pub(crate) fn rights_to_remove(site: &Site) {
    // Views, on which the user has no rights, are in nobody's way.
    seed::install_views(site);
    site.applied(&V1);
    grant(site, DRIVING);
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
    grant(site, &format!("{DRIVING}, {{apiGroups: [''], resources: [services], verbs: [list]}}"));
    is_refused("delete `configmaps`");
    grant(site, &format!("{DRIVING}, {REMOVING}"));
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
