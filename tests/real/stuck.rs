//! Batches that never get ready say why.

use crate::site::{Manifest, Ran, Site, V1, V2};

fn fails(site: &Site, rules: &str) -> Ran {
    site.applied(&V1);
    site.script(rules);
    let ran = site.apply(&V2, &["--batch-timeout", "4s"]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert!(ran.stderr.contains("not ready after 4s"), "{ran:#?}");
    let expected = [("express-server-v1", "5/5"), ("express-server-v2", "0/2")];
    assert_eq!(site.deployments(), expected.map(|(name, ready)| (name.to_owned(), ready.to_owned())));
    ran
}

pub(crate) fn image_pull(site: &Site) {
    let ran = fails(site, "- {image: '*:5*', fail: ImagePullBackOff}\n- {image: '*', readyAfter: 100ms}\n");
    assert!(ran.stderr.contains("ImagePullBackOff"), "{ran:#?}");
    let undone = site.rollout(&["undo"]);
    assert_eq!(undone.code, Some(0), "{undone:#?}");
    assert_eq!(site.deployments(), [("express-server-v1".to_owned(), "5/5".to_owned())]);
}

pub(crate) fn crash_loop(site: &Site) {
    let ran = fails(site, "- {image: '*:5*', fail: CrashLoopBackOff}\n- {image: '*', readyAfter: 100ms}\n");
    assert!(ran.stderr.contains("CrashLoopBackOff"), "{ran:#?}");
    assert!(ran.stderr.contains("last ended: Error, exit code 1"), "{ran:#?}");
}

pub(crate) fn unschedulable(site: &Site) {
    let ran = fails(site, "- {image: '*:5*', fail: Unschedulable}\n- {image: '*', readyAfter: 100ms}\n");
    assert!(ran.stderr.contains("Unschedulable"), "{ran:#?}");
}

pub(crate) fn quota(site: &Site) {
    site.applied(&V1);
    site.put("{apiVersion: v1, kind: ResourceQuota, metadata: {name: few}, spec: {hard: {pods: '6'}}}");
    let ran = site.apply(&V2, &["--batch-timeout", "4s"]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert!(ran.stderr.contains("exceeded quota"), "{ran:#?}");
    let frugal = Manifest { batches: &[1, 1, 1, 1, 1], ..V2 };
    site.applied(&frugal);
    assert_eq!(site.deployments(), [("express-server-v2".to_owned(), "5/5".to_owned())]);
}

pub(crate) fn never_ready(site: &Site) {
    let ran = fails(site, "- {image: '*:5*', fail: NeverReady}\n- {image: '*', readyAfter: 100ms}\n");
    assert!(ran.stderr.contains("waited 4s for `express-server-v2`: 0 of 2 ready"), "{ran:#?}");
    assert!(ran.stderr.contains("Unhealthy: Readiness probe failed"), "{ran:#?}");
}

/// What will not get better by waiting ends the run, long before the batch is late.
pub(crate) fn fail_fast(site: &Site) {
    site.applied(&V1);
    site.script("- {image: '*:5*', fail: ImagePullBackOff}\n- {image: '*', readyAfter: 100ms}\n");
    let ran = site.apply(&V2, &["--fail-fast", "--on-failure", "undo"]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert!(ran.stderr.contains("cannot become ready (`--fail-fast`): ImagePullBackOff"), "{ran:#?}");
    assert_eq!(site.deployments(), [("express-server-v1".to_owned(), "5/5".to_owned())], "{ran:#?}");
}

/// A quota's refusal is told by the workload, and ends the run in the same way.
pub(crate) fn quota_fails_fast(site: &Site) {
    site.applied(&V1);
    site.put("{apiVersion: v1, kind: ResourceQuota, metadata: {name: few}, spec: {hard: {pods: '6'}}}");
    let ran = site.apply(&V2, &["--fail-fast"]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert!(ran.stderr.contains("cannot become ready (`--fail-fast`): FailedCreate"), "{ran:#?}");
    assert!(ran.stderr.contains("exceeded quota"), "{ran:#?}");
}

/// The end of a crashing container's log is in the evidence.
pub(crate) fn log_of_a_crash(site: &Site) {
    let ran = fails(
        site,
        "- {image: '*:5*', fail: CrashLoopBackOff, log: 'panic: no database'}\n- {image: '*', readyAfter: 100ms}\n",
    );
    assert!(ran.stderr.contains("panic: no database"), "{ran:#?}");
    assert!(ran.stderr.contains("BackOff: Back-off restarting failed container"), "{ran:#?}");
}
