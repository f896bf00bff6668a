//! CloneSets.

use crate::in_place::{applied, field};
use crate::real_env::{RealEnv, without_ages};
use crate::support::manifest::web;

const SEED: &str = "apiVersion: core.oam.dev/v1beta1
kind: Application
metadata:
  name: rollout-trait-test-cloneset
spec:
  components:
    - name: clonset-server
      type: cloneset-service
      externalRevision: clonset-server-REVISION
      properties:
        image: stefanprodan/podinfo:VERSION
        port: 8080
      traits:
        - type: rollout
          properties:
            targetSize: 5
            rolloutBatches:
              - replicas: 2
              - replicas: 3
";

/// The CloneSet part of the documentation page, with its mistakes corrected.
pub(crate) fn seed_walk(env: &RealEnv) {
    crate::seed::install_views(env);
    for (revision, version) in [("v1", "4.0.3"), ("v2", "5.0.2")] {
        let text = SEED.replace("REVISION", revision).replace("VERSION", version);
        let file = env.file("seed.yaml", &text);
        let ran = env.rollout(&["apply", file.to_str().unwrap()]);
        assert_eq!(ran.code, Some(0), "{ran:#?}");
        let row = "clonset-server   5        5          5       batchReady    rolloutSucceed";
        assert_eq!(without_ages(&ran.stdout).lines().nth(1).unwrap(), row);
        let table = env.table(&["rollouts.standard.oam.dev", "clonset-server"]);
        assert_eq!(table.lines().nth(1).unwrap(), row, "kubectl get rollout");
        // The page is older than Kruise's column UPDATED_AVAILABLE.
        let columns = "custom-columns=NAME:.metadata.name,DESIRED:.spec.replicas,UPDATED:.status.updatedReplicas,\
                       UPDATED_READY:.status.updatedReadyReplicas,READY:.status.readyReplicas,TOTAL:.status.replicas";
        assert_eq!(
            env.kubectl(&["get", "cloneset", "-o", columns]).trim_end(),
            "NAME             DESIRED   UPDATED   UPDATED_READY   READY   TOTAL\n\
             clonset-server   5         5         5               5       5"
        );
        let wide = env.kubectl(&["get", "cloneset", "clonset-server", "-o", "wide"]);
        assert!(wide.contains(&format!("stefanprodan/podinfo:{version}")), "{wide}");
    }
    assert_eq!(
        env.table(&["controllerRevision", "-l", "controller.oam.dev/component=clonset-server"]),
        "NAME                CONTROLLER                                             REVISION\n\
         clonset-server-v1   application.core.oam.dev/rollout-trait-test-cloneset   1\n\
         clonset-server-v2   application.core.oam.dev/rollout-trait-test-cloneset   2"
    );
}

fn pods(env: &RealEnv) -> Vec<String> {
    let path = "jsonpath={range .items[*]}{.metadata.name} {.metadata.uid}{\"\\n\"}{end}";
    let found = env.kubectl(&["get", "pods", "-l", "app.oam.dev/component=web", "-o", path]);
    let mut pods: Vec<String> = found.lines().map(str::to_owned).collect();
    pods.sort();
    pods
}

pub(crate) fn pods_keep_their_identity(env: &RealEnv) {
    let in_place = |version| {
        let web = web(version, 5).of("cloneset-service").batches(&["2", "3"]);
        web.property("updateStrategyType: InPlaceIfPossible")
    };
    applied(env, &in_place(1), "5 5 5 rolloutSucceed");
    let before = pods(env);
    applied(env, &in_place(2), "5 5 5 rolloutSucceed");
    assert_eq!(pods(env), before);
    assert_eq!(field(env, "cloneset", ".spec.template.spec.containers[0].image"), "web:2");
}

pub(crate) fn turns(env: &RealEnv) {
    super::turns(env, "cloneset", "cloneset");
}

pub(crate) fn an_upgrade_is_frugal(env: &RealEnv) {
    applied(env, &web(1, 6).of("cloneset-service").batches(&["2", "4"]), "6 6 6 rolloutSucceed");
    let before = env.requests().len();
    applied(env, &web(2, 6).of("cloneset-service").batches(&["1", "2", "3"]), "6 6 6 rolloutSucceed");
    let requests = env.requests();
    let counts = |one: &&crate::real_env::Request| {
        let is_aside = ["applications", "rollouts", "leases"].contains(&one.resource.as_str());
        one.is_write() && one.code < 300 && !is_aside
    };
    let writes: Vec<&crate::real_env::Request> = requests[before..].iter().filter(counts).collect();
    assert!(writes.len() <= 3 + 4, "3 batches and 7 writes at most: {writes:#?}");
}
