//! StatefulSets, and all types together.

use crate::in_place::{applied, apply, field, images, rows};
use crate::real_env::{QUICK, RealEnv};
use crate::support::manifest::web;

pub(crate) fn turns(env: &RealEnv) {
    super::turns(env, "statefulset", "statefulset");
}

/// A broken pod stays when its template is reverted, and an ordered StatefulSet waits for it.
pub(crate) fn a_broken_pod_blocks(env: &RealEnv) {
    env.script(&format!("- {{image: 'web:2', fail: CrashLoopBackOff, log: boom}}\n{QUICK}"));
    applied(env, &web(1, 3).of("statefulset").batches(&["3"]), "3 3 3 rolloutSucceed");
    let broken = apply(env, &web(2, 3).of("statefulset").batches(&["2", "1"]), &["--batch-timeout", "3s"]);
    assert_eq!(broken.code, Some(3), "{broken:#?}");
    assert!(broken.stderr.contains("pod `web-2`: CrashLoopBackOff"), "{broken:#?}");
    assert_eq!(images(env), [("web:1".to_owned(), 2), ("web:2".to_owned(), 1)], "one pod is at risk");
    let blocked = env.rollout(&["undo", "web", "--batch-timeout", "3s"]);
    assert_eq!(blocked.code, Some(3), "{blocked:#?}");
    assert!(blocked.stderr.contains("`kubectl delete pod web-2 -n"), "{blocked:#?}");
    env.kubectl(&["delete", "pod", "web-2"]);
    let undone = env.rollout(&["undo", "web", "--to-revision", "v1"]);
    assert_eq!(undone.code, Some(0), "{undone:#?}");
    assert_eq!(images(env), [("web:1".to_owned(), 3)]);
}

/// Only an event shows that its pods cannot be created.
pub(crate) fn a_quota_is_reported(env: &RealEnv) {
    env.kubectl(&["create", "quota", "few", "--hard=pods=1"]);
    let late = apply(env, &web(1, 3).of("statefulset").batches(&["3"]), &["--batch-timeout", "4s"]);
    assert_eq!(late.code, Some(3), "{late:#?}");
    assert!(late.stderr.contains("FailedCreate") && late.stderr.contains("exceeded quota: few"), "{late:#?}");
    env.kubectl(&["delete", "quota", "few"]);
    applied(env, &web(1, 3).of("statefulset").batches(&["3"]), "3 3 3 rolloutSucceed");
}

pub(crate) fn fixed_fields(env: &RealEnv) {
    let parallel =
        |version| web(version, 2).of("statefulset").batches(&["2"]).property("podManagementPolicy: Parallel");
    applied(env, &parallel(1), "2 2 2 rolloutSucceed");
    env.kubectl(&["scale", "statefulset", "web", "--replicas=3"]);
    let resized = env.rollout(&["status"]);
    assert!(resized.stderr.contains("has 3 replicas, expected 2"), "{resized:#?}");
    let repaired = apply(env, &parallel(1), &[]);
    assert!(repaired.stderr.contains("web: scaling of `web-v1`"), "{repaired:#?}");
    let refused = apply(env, &web(2, 2).of("statefulset").batches(&["2"]), &[]);
    assert_eq!(refused.code, Some(4), "{refused:#?}");
    assert!(refused.stderr.contains("changes the immutable field `podManagementPolicy`"), "{refused:#?}");
    let patch = r#"{"spec":{"updateStrategy":{"type":"OnDelete","rollingUpdate":null}}}"#;
    env.kubectl(&["patch", "statefulset", "web", "--type", "merge", "-p", patch]);
    let refused = apply(env, &parallel(2), &[]);
    assert_eq!(refused.code, Some(4), "{refused:#?}");
    assert!(refused.stderr.contains("`OnDelete`"), "{refused:#?}");
    let patch = r#"{"spec":{"updateStrategy":{"type":"RollingUpdate","rollingUpdate":{"partition":0}}}}"#;
    env.kubectl(&["patch", "statefulset", "web", "--type", "merge", "-p", patch]);
    applied(env, &parallel(2), "2 2 2 rolloutSucceed");
    let other = apply(env, &web(3, 2).of("cloneset-service").batches(&["2"]), &[]);
    assert_eq!(other.code, Some(4), "{other:#?}");
    assert!(other.stderr.contains("runs as a statefulset and cannot become a cloneset"), "{other:#?}");
    assert_eq!(field(env, "statefulset", ".spec.serviceName"), "web-headless");
}

const ALL_TYPES: &str = "apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: shop}
spec:
  components:
    - name: front
      type: webservice
      dependsOn: [store, cache]
      properties: {image: 'front:VERSION'}
      traits: [{type: rollout, properties: {targetSize: 3, rolloutBatches: [{replicas: 1}, {replicas: 2}]}}]
    - name: job
      type: worker
      properties: {image: 'job:VERSION'}
      traits: [{type: rollout, properties: {targetSize: 2}}]
    - name: cache
      type: cloneset-service
      properties: {image: 'cache:VERSION'}
      traits: [{type: rollout, properties: {targetSize: 4, rolloutBatches: [{replicas: 50%}, {replicas: 50%}]}}]
    - name: store
      type: statefulset
      properties: {image: 'store:VERSION', ports: [{port: 5432, expose: true}]}
      traits: [{type: rollout, properties: {targetSize: 3, rolloutBatches: [{replicas: 1}, {replicas: 2}]}}]
";

pub(crate) fn side_by_side(env: &RealEnv) {
    for version in ["1", "2"] {
        let file = env.file("all.yaml", &ALL_TYPES.replace("VERSION", version));
        let ran = env.rollout(&["apply", file.to_str().unwrap()]);
        assert_eq!(ran.code, Some(0), "{ran:#?}");
        let done = ["4 4 4", "3 3 3", "2 2 2", "3 3 3"].map(|sizes| format!("{sizes} rolloutSucceed"));
        assert_eq!(rows(&ran.stdout), done, "{ran:#?}");
        let order = |word: &str| ran.stderr.lines().position(|line| line.contains(word)).unwrap();
        assert!(order("store: done") < order("front: batch 1 of 2"), "{ran:#?}");
        assert!(order("cache: done") < order("front: batch 1 of 2"), "{ran:#?}");
    }
    assert_eq!(rows(&env.rollout(&["status"]).stdout).len(), 4);
}
