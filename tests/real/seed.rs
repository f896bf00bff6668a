//! The page's walk, watched with kubectl.

use crate::site::{Manifest, Site, V1, V2, without_ages};

/// Installs the definitions, once for all stories.
pub(crate) fn install_views(site: &Site) {
    let definitions = site.rollout(&["crds"]).stdout;
    site.put(&definitions);
    for definition in ["applications.core.oam.dev", "rollouts.standard.oam.dev"] {
        site.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", &format!("crd/{definition}")]);
    }
}

/// A manifest, the row it leads to, and the Deployments with their READY.
type Step = (Manifest, &'static str, &'static [(&'static str, &'static str)]);

const STEPS: [Step; 6] = [
    (V1, "5        5          5       batchReady    rolloutSucceed", &[("express-server-v1", "5/5")]),
    (
        Manifest { more: "batchPartition: 0", ..V2 },
        "5        2          2       batchReady    rollingInBatches",
        &[("express-server-v1", "3/3"), ("express-server-v2", "2/2")],
    ),
    (V2, "5        5          5       batchReady    rolloutSucceed", &[("express-server-v2", "5/5")]),
    (
        Manifest { more: "targetRevision: express-server-v1", ..V2 },
        "5        5          5       batchReady    rolloutSucceed",
        &[("express-server-v1", "5/5")],
    ),
    (
        Manifest { size: 7, batches: &[1, 1], more: "targetRevision: express-server-v1", ..V2 },
        "7        7          7       batchReady    rolloutSucceed",
        &[("express-server-v1", "7/7")],
    ),
    (
        Manifest { size: 3, batches: &[1, 3], more: "targetRevision: express-server-v1", ..V2 },
        "3        3          3       batchReady    rolloutSucceed",
        &[("express-server-v1", "3/3")],
    ),
];

pub(crate) fn walk(site: &Site) {
    install_views(site);
    for (manifest, row, deployments) in STEPS {
        let ran = site.applied(&manifest);
        let row = format!("express-server   {row}");
        assert_eq!(without_ages(&ran.stdout).lines().nth(1).unwrap(), row, "the final table");
        let table = site.table(&["rollouts.standard.oam.dev", "express-server"]);
        assert_eq!(table.lines().nth(1).unwrap(), row, "kubectl get rollout");
        let header = table.lines().next().unwrap().split_whitespace().collect::<Vec<_>>();
        assert_eq!(header, ["NAME", "TARGET", "UPGRADED", "READY", "BATCH-STATE", "ROLLING-STATE"]);
        let found = site.deployments();
        let found: Vec<(&str, &str)> =
            found.iter().map(|(name, ready)| (name.as_str(), ready.as_str())).collect();
        assert_eq!(found, deployments, "kubectl get deploy");
    }
    assert_eq!(
        site.table(&["app", "rollout-trait-test"]),
        "NAME                 COMPONENT        TYPE         PHASE     HEALTHY   STATUS\n\
         rollout-trait-test   express-server   webservice   running   true"
    );
    assert_eq!(
        site.table(&["controllerRevision", "-l", "controller.oam.dev/component=express-server"]),
        "NAME                CONTROLLER                                    REVISION\n\
         express-server-v1   application.core.oam.dev/rollout-trait-test   1\n\
         express-server-v2   application.core.oam.dev/rollout-trait-test   2"
    );
}

/// Other stories may have installed the definitions; what is asked for here does not depend on them.
pub(crate) fn walk_without_views(site: &Site) {
    for (manifest, row, _) in STEPS {
        site.applied(&manifest);
        let status = site.rollout(&["status", "express-server"]);
        assert_eq!(without_ages(&status.stdout).lines().nth(1).unwrap(), format!("express-server   {row}"));
    }
}

pub(crate) fn revisions_outlive_the_views(site: &Site) {
    install_views(site);
    site.applied(&V1);
    site.kubectl(&["delete", "app", "rollout-trait-test"]);
    site.applied(&V2);
    // The collector has seen the Application's end once the reference to it is gone from v1, or at the
    // latest when it has had to look at v1 for another reason.
    let undone = site.rollout(&["undo", "--to-revision", "v1"]);
    assert_eq!(undone.code, Some(0), "{undone:#?}");
    assert_eq!(site.deployments(), [("express-server-v1".to_owned(), "5/5".to_owned())]);
    let revisions = site.kubectl(&["get", "controllerrevision", "-o", "name"]);
    assert_eq!(revisions.lines().count(), 2, "{revisions}");
}
