//! Clusters on which CloneSets do not work.

use crate::in_place::Component;
use crate::plane::Plane;

/// Without Kruise nothing is written; with its definitions but without its controller, the run says so.
pub(crate) fn without_kruise(plane: &Plane) {
    let site = plane.site("without_kruise");
    let component = Component::new("cloneset-service", 1, 2, &[2]);
    let refused = component.apply(&site, &[]);
    assert_eq!(refused.code, Some(4), "{refused:#?}");
    assert!(refused.stderr.contains("OpenKruise is not installed"), "{refused:#?}");
    assert!(refused.stderr.contains("helm install kruise"), "{refused:#?}");
    let writes: Vec<_> = site.requests().into_iter().filter(|one| one.is_write()).collect();
    assert!(writes.is_empty(), "{writes:#?}");
    plane.install_kruises_definitions();
    let waiting = component.apply(&site, &["--batch-timeout", "7s"]);
    assert_eq!(waiting.code, Some(3), "{waiting:#?}");
    assert!(
        waiting.stderr.contains("`web` to be seen by its controller, if that is running"),
        "{waiting:#?}"
    );
}
