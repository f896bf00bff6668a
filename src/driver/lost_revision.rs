//! Detects revisions of which only the workload is left.
//!
//! If the ControllerRevisions of a component are deleted, its workloads still name them. A manifest could then become a
//! new revision with such a name, and be mistaken for what the workload runs: see [`crate::driver::snapshot`].

use std::sync::Arc;

use kube::api::DynamicObject;
use serde_json::json;

use crate::oam::convert::is_same_template;
use crate::oam::revision::{NewRevision, StoredRevision};

/// The lost revision that a workload runs, if its content differs from that of the new revision of the same name.
/// Fields that the API server has defaulted do not count.
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
