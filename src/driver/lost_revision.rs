//! Revisions that nothing is left of but a workload.
//!
//! Who deletes the ControllerRevisions of a component leaves workloads that name them. The manifest would then become a new
//! revision of such a name, and pass for what the workload runs: see [`crate::driver::snapshot`].

use std::sync::Arc;

use kube::api::DynamicObject;
use serde_json::json;

use crate::oam::convert::is_same_template;
use crate::oam::revision::{NewRevision, StoredRevision};

/// The revision that a workload runs, which has the name of a new one and another content; `None` where the content is the
/// same, as far as the API server's defaults let that be known.
pub(super) fn lost_revision(new: &NewRevision, live: &DynamicObject) -> Option<StoredRevision> {
    let stored = new.as_stored()?;
    let live = json!(live);
    if is_same_template(stored.workload()?, &live) {
        return None;
    }
    let mut data = (*stored.data).clone();
    data["spec"]["workload"]["spec"]["template"] = live["spec"]["template"].clone();
    Some(StoredRevision { data: Arc::new(data), exposes: None, ..stored })
}
