//! Commands beside a run that another process drives, and after it.

use crate::site::{Manifest, Running, Site, V1, V2};

const STUCK: &str = "- {image: '*:5*', fail: NeverReady}\n- {image: '*', readyAfter: 100ms}\n";
const WELL: &str = "- {image: '*', readyAfter: 100ms}\n";

/// An upgrade whose first batch waits for pods that do not come.
fn driven(site: &Site) -> Running {
    site.applied(&V1);
    site.script(STUCK);
    site.apply_until(&V2, &[], "0 of 2 ready")
}

fn are(site: &Site, expected: &[(&str, &str)]) {
    let expected: Vec<(String, String)> =
        expected.iter().map(|(name, ready)| ((*name).to_owned(), (*ready).to_owned())).collect();
    site.until(&format!("{expected:?}"), || site.deployments() == expected);
}

/// The driver waits while it is paused, though its pods are ready, and goes on when it is let.
pub(crate) fn pause_and_resume(site: &Site) {
    let mut driver = driven(site);
    let paused = site.rollout(&["pause"]);
    assert_eq!(paused.code, Some(0), "{paused:#?}");
    driver.until("paused by");
    site.script(WELL);
    are(site, &[("express-server-v1", "5/5"), ("express-server-v2", "2/2")]);
    let applied = site.apply(&V2, &[]);
    assert_eq!(applied.code, Some(4), "{applied:#?}");
    let resumed = site.rollout(&["resume"]);
    assert_eq!(resumed.code, Some(0), "{resumed:#?}");
    let driver = driver.ended();
    assert_eq!(driver.code, Some(0), "{driver:#?}");
    are(site, &[("express-server-v2", "5/5")]);
}

/// An abort ends the other's run at once; then a canary is promoted, step by step and in full.
pub(crate) fn abort_and_promote(site: &Site) {
    let driver = driven(site);
    let aborted = site.rollout(&["abort"]);
    assert_eq!(aborted.code, Some(0), "{aborted:#?}");
    assert_eq!(driver.ended().code, Some(5));
    are(site, &[("express-server-v1", "5/5")]);
    site.script(WELL);
    let canary = Manifest { batches: &[1, 1, 3], ..V2 };
    let held = site.apply(&canary, &["--partition", "0"]);
    assert_eq!(held.code, Some(0), "{held:#?}");
    assert_eq!(site.rollout(&["promote"]).code, Some(0));
    are(site, &[("express-server-v1", "3/3"), ("express-server-v2", "2/2")]);
    assert_eq!(site.rollout(&["promote", "--full"]).code, Some(0));
    are(site, &[("express-server-v2", "5/5")]);
}

/// Another size, back at once, and nothing is left.
pub(crate) fn scale_undo_and_delete(site: &Site) {
    site.applied(&V1);
    site.applied(&V2);
    let scaled = site.rollout(&["scale", "express-server", "--replicas", "7", "--batches", "1,1"]);
    assert_eq!(scaled.code, Some(0), "{scaled:#?}");
    assert_eq!(site.rollout(&["undo", "--now"]).code, Some(0));
    are(site, &[("express-server-v1", "7/7")]);
    let gone = site.rollout(&["delete", "express-server"]);
    assert_eq!(gone.code, Some(0), "{gone:#?}");
    are(site, &[]);
    let left = site.kubectl(&["get", "controllerrevisions,leases,deployments,services", "-o", "name"]);
    assert_eq!(left.trim(), "", "{gone:#?}");
}
