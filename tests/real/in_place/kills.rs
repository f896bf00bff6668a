//! Killed at any moment, and simply run again.

use std::process::Stdio;
use std::time::Duration;

use crate::in_place::{Component, images};
use crate::site::{Site, pass};

/// Upgrades back and forth; each is killed some time after it began and then run again. The times are spread
/// evenly over what a whole run takes.
fn killed(site: &Site, kind: &'static str, step: u64) {
    Component::new(kind, 1, 5, &[2, 3]).applied(site, "5 5 5 rolloutSucceed");
    for round in 0..30_u64 {
        let version = if round % 2 == 0 { 2 } else { 1 };
        let component = Component::new(kind, version, 5, &[1, 2, 2]);
        let file = site.file("killed.yaml", &component.text());
        let mut command = site.command(&["apply", file.to_str().unwrap()]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        pass(Duration::from_millis(step * round));
        drop(child.kill());
        child.wait().unwrap();
        component.applied(site, "5 5 5 rolloutSucceed");
        assert_eq!(images(site), [(format!("web:{version}"), 5)], "round {round}");
    }
}

pub(crate) fn clone_sets(site: &Site) {
    killed(site, "cloneset-service", 40);
}

pub(crate) fn stateful_sets(site: &Site) {
    killed(site, "statefulset", 50);
}
