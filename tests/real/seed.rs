//! The walkthrough of the documentation page, observed with kubectl.

use std::sync::{Mutex, PoisonError};

use crate::real_env::{RealEnv, v1, v2};
use crate::support::walk::{self, Walker};

/// Installs the definitions once for all tests: if two created the same one, one would fail.
pub(crate) fn install_views(env: &RealEnv) {
    static ONE_BY_ONE: Mutex<()> = Mutex::new(());
    let _turn = ONE_BY_ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let definitions = env.rollout(&["crds"]).stdout;
    env.put(&definitions);
    for definition in ["applications.core.oam.dev", "rollouts.standard.oam.dev"] {
        env.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", &format!("crd/{definition}")]);
    }
}

/// The examples as they are in the repository.
const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");

impl Walker for RealEnv<'_> {
    fn rollout(&self, arguments: &[&str]) -> String {
        let ran = self.rollout(arguments);
        assert_eq!(ran.code, Some(0), "{ran:#?}");
        ran.stdout
    }

    fn deployments(&self) -> Vec<String> {
        self.deployments().into_iter().map(|(name, ready)| format!("{name} {ready}")).collect()
    }
}

pub(crate) fn walk(env: &RealEnv) {
    install_views(env);
    walk::walk(env, EXAMPLES, |step| {
        let table = env.table(&["rollouts.standard.oam.dev", "express-server"]);
        assert_eq!(table.lines().nth(1).unwrap(), step.row, "kubectl get rollout");
        let header = table.lines().next().unwrap().split_whitespace().collect::<Vec<_>>();
        assert_eq!(header, ["NAME", "TARGET", "UPGRADED", "READY", "BATCH-STATE", "ROLLING-STATE"]);
    });
    assert_eq!(
        env.table(&["app", "rollout-trait-test"]),
        "NAME                 COMPONENT        TYPE         PHASE     HEALTHY   STATUS\n\
         rollout-trait-test   express-server   webservice   running   true"
    );
    assert_eq!(
        env.table(&["controllerRevision", "-l", "controller.oam.dev/component=express-server"]),
        "NAME                CONTROLLER                                    REVISION\n\
         express-server-v1   application.core.oam.dev/rollout-trait-test   1\n\
         express-server-v2   application.core.oam.dev/rollout-trait-test   2"
    );
}

/// Other tests may have installed the definitions; these checks do not depend on them.
pub(crate) fn walk_without_views(env: &RealEnv) {
    walk::walk(env, EXAMPLES, |_| {});
}

pub(crate) fn revisions_outlive_the_views(env: &RealEnv) {
    install_views(env);
    env.applied(&v1());
    env.kubectl(&["delete", "app", "rollout-trait-test"]);
    env.applied(&v2());
    // The garbage collector has processed the end of the Application once the reference to it is gone from v1, or at
    // the latest when it has to process v1 for another reason.
    let undone = env.rollout(&["undo", "--to-revision", "v1"]);
    assert_eq!(undone.code, Some(0), "{undone:#?}");
    assert_eq!(env.deployments(), [("express-server-v1".to_owned(), "5/5".to_owned())]);
    let revisions = env.kubectl(&["get", "controllerrevision", "-o", "name"]);
    assert_eq!(revisions.lines().count(), 2, "{revisions}");
}

/// A component without the trait has a row too.
pub(crate) fn views_of_whole_components(env: &RealEnv) {
    install_views(env);
    let file = env.file(
        "api.yaml",
        "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {name: shop}\nspec:\n  components:\n    \
         - {name: api, type: webservice, properties: {image: 'api:1'}, traits: [{type: scaler, properties: {replicas: 2}}]}\n",
    );
    let ran = env.rollout(&["apply", file.to_str().unwrap()]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    let table = env.table(&["rollouts.standard.oam.dev", "api"]);
    let row: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row[..6], ["api", "2", "2", "2", "batchReady", "rolloutSucceed"], "{table}");
}
