//! Batches that never become ready are reported with the reason.

use crate::real_env::{RealEnv, v1, v2};
use crate::support::test_env::CommandOutput;

/// Makes the second revision's pods fail like this, but not those of the first.
pub(crate) fn script(env: &RealEnv, fail: &str) {
    env.script(&format!("- {{image: '*:5*', fail: {fail}}}\n- {{image: '*', readyAfter: 100ms}}\n"));
}

fn fails(env: &RealEnv, rules: &str) -> CommandOutput {
    env.applied(&v1());
    env.script(rules);
    let ran = env.apply(&v2(), &["--batch-timeout", "4s"]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert!(ran.stderr.contains("not ready after 4s"), "{ran:#?}");
    let expected = [("express-server-v1", "5/5"), ("express-server-v2", "0/2")];
    assert_eq!(env.deployments(), expected.map(|(name, ready)| (name.to_owned(), ready.to_owned())));
    ran
}

pub(crate) fn image_pull(env: &RealEnv) {
    let ran = fails(env, "- {image: '*:5*', fail: ImagePullBackOff}\n- {image: '*', readyAfter: 100ms}\n");
    assert!(ran.stderr.contains("ImagePullBackOff"), "{ran:#?}");
    let undone = env.rollout(&["undo"]);
    assert_eq!(undone.code, Some(0), "{undone:#?}");
    assert_eq!(env.deployments(), [("express-server-v1".to_owned(), "5/5".to_owned())]);
}

pub(crate) fn crash_loop(env: &RealEnv) {
    let ran = fails(env, "- {image: '*:5*', fail: CrashLoopBackOff}\n- {image: '*', readyAfter: 100ms}\n");
    assert!(ran.stderr.contains("CrashLoopBackOff"), "{ran:#?}");
    assert!(ran.stderr.contains("last ended: Error, exit code 1"), "{ran:#?}");
}

pub(crate) fn unschedulable(env: &RealEnv) {
    let ran = fails(env, "- {image: '*:5*', fail: Unschedulable}\n- {image: '*', readyAfter: 100ms}\n");
    assert!(ran.stderr.contains("Unschedulable"), "{ran:#?}");
}

pub(crate) fn quota(env: &RealEnv) {
    env.applied(&v1());
    env.put("{apiVersion: v1, kind: ResourceQuota, metadata: {name: few}, spec: {hard: {pods: '6'}}}");
    let used = || env.kubectl(&["get", "quota", "few", "-o", "jsonpath={.status.used.pods}"]);
    env.until("the count", || used() == "5");
    let ran = env.apply(&v2(), &["--batch-timeout", "4s"]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert!(ran.stderr.contains("exceeded quota"), "{ran:#?}");
    let foreseen = "resourcequota `few` limits `pods` to 6: 5 in use, and the run needs up to 3 more";
    assert!(ran.stderr.contains(foreseen), "{ran:#?}");
    let frugal = v2().batches(&["1", "1", "1", "1", "1"]);
    env.applied(&frugal);
    assert_eq!(env.deployments(), [("express-server-v2".to_owned(), "5/5".to_owned())]);
}

pub(crate) fn never_ready(env: &RealEnv) {
    let ran = fails(env, "- {image: '*:5*', fail: NeverReady}\n- {image: '*', readyAfter: 100ms}\n");
    assert!(ran.stderr.contains("waited 4s for `express-server-v2`: 0 of 2 ready"), "{ran:#?}");
    assert!(ran.stderr.contains("Unhealthy: Readiness probe failed"), "{ran:#?}");
}

/// A failure that waiting cannot fix ends the run, long before the batch's deadline.
pub(crate) fn fail_fast(env: &RealEnv) {
    env.applied(&v1());
    env.script("- {image: '*:5*', fail: ImagePullBackOff}\n- {image: '*', readyAfter: 100ms}\n");
    let ran = env.apply(&v2(), &["--fail-fast", "--on-failure", "undo"]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert!(ran.stderr.contains("cannot become ready (`--fail-fast`): ImagePullBackOff"), "{ran:#?}");
    assert_eq!(env.deployments(), [("express-server-v1".to_owned(), "5/5".to_owned())], "{ran:#?}");
}

/// A quota's rejection is in the workload's status, and ends the run in the same way.
pub(crate) fn quota_fails_fast(env: &RealEnv) {
    env.applied(&v1());
    env.put("{apiVersion: v1, kind: ResourceQuota, metadata: {name: few}, spec: {hard: {pods: '6'}}}");
    let ran = env.apply(&v2(), &["--fail-fast"]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert!(ran.stderr.contains("cannot become ready (`--fail-fast`): FailedCreate"), "{ran:#?}");
    assert!(ran.stderr.contains("exceeded quota"), "{ran:#?}");
}

/// The end of a crashing container's log is in the evidence.
pub(crate) fn log_of_a_crash(env: &RealEnv) {
    let ran = fails(
        env,
        "- {image: '*:5*', fail: CrashLoopBackOff, log: 'panic: no database'}\n- {image: '*', readyAfter: 100ms}\n",
    );
    assert!(ran.stderr.contains("panic: no database"), "{ran:#?}");
    assert!(ran.stderr.contains("BackOff: Back-off restarting failed container"), "{ran:#?}");
}

/// Checks that a rollout of the second revision, with another property, fails at once for this failure, with each of
/// these words.
fn fails_fast(env: &RealEnv, fail: &str, property: &'static str, words: &[&str]) {
    env.applied(&v1());
    script(env, fail);
    let ran = env.apply(&v2().property(property), &["--fail-fast"]);
    told(&ran, &[&format!("cannot become ready (`--fail-fast`): {fail}")]);
    told(&ran, words);
    assert!(!ran.stderr.contains("log of pod"), "nothing has started: {ran:#?}");
}

/// Checks that a run failed with each of these words.
pub(crate) fn told(ran: &CommandOutput, words: &[&str]) {
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    for word in words {
        assert!(ran.stderr.contains(word), "`{word}` is not in {ran:#?}");
    }
}

pub(crate) fn failed_pull(env: &RealEnv) {
    let error = "ErrImagePull: failed to pull and unpack image \"stefanprodan/podinfo:5.0.2\"";
    fails_fast(
        env,
        "ErrImagePull",
        "",
        &[error, "Failed to pull image", "2 pods, such as `express-server-v2-"],
    );
}

pub(crate) fn invalid_image_name(env: &RealEnv) {
    let error = "Failed to apply default image tag \"stefanprodan/podinfo:5.0.2\": couldn't parse image name";
    let words = ["InvalidImageName", "InspectFailed"].map(|reason| format!("{reason}: {error}"));
    fails_fast(env, "InvalidImageName", "", &words.each_ref().map(String::as_str));
}

pub(crate) fn missing_environment(env: &RealEnv) {
    let property = "env: [{name: MODE, valueFrom: {configMapKeyRef: {name: modes, key: mode}}}]";
    let words = ["CreateContainerConfigError: configmap \"modes\" not found", "Failed: Error: configmap"];
    fails_fast(env, "CreateContainerConfigError", property, &words);
}

/// A missing volume is printed while the batch waits, and does not fail the run, since an event may be outdated.
pub(crate) fn missing_volume(env: &RealEnv) {
    env.applied(&v1());
    script(env, "FailedMount");
    let property = "volumeMounts: {secret: [{name: keys, mountPath: /keys, secretName: api}]}";
    let ran = env.apply(&v2().property(property), &["--fail-fast", "--batch-timeout", "20s"]);
    let mount = "FailedMount: MountVolume.SetUp failed for volume \"keys\" : secret \"api\" not found";
    told(
        &ran,
        &[
            "not ready after 20s",
            &format!("ContainerCreating, {mount}"),
            &format!("warning event, 2 times: {mount}"),
        ],
    );
}

pub(crate) fn out_of_memory(env: &RealEnv) {
    let rules = "- {image: '*:5*', fail: OOMKilled, log: 'allocating'}\n- {image: '*', readyAfter: 100ms}\n";
    let words = [
        "CrashLoopBackOff: back-off 10s",
        "(restarted once, last ended: OOMKilled, exit code 137)",
        "allocating",
    ];
    told(&fails(env, rules), &words);
}
