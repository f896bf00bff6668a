//! Finds autoscalers that would fight with a run over the size of a workload.

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::ResourceExt;
use kube::api::ListParams;

use crate::cluster::constraints::{IfPermitted, list_or_denied};
use crate::cluster::error::ClusterError;
use crate::cluster::permissions::Right;
use crate::cluster::session::Session;
use crate::oam::kind::WorkloadKind;

/// An autoscaler, and the workload whose size it sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AutoscaledWorkload {
    /// The autoscaler.
    pub autoscaler: String,
    /// The workload's kind.
    pub kind: WorkloadKind,
    /// The workload.
    pub workload: String,
}

/// The autoscalers of a namespace that set the size of one of these workloads.
///
/// # Errors
/// See [`Session::read`].
pub async fn list_autoscalers(
    session: &Session,
    namespace: &str,
    workloads: &[(WorkloadKind, String)],
) -> Result<IfPermitted<Vec<AutoscaledWorkload>>, ClusterError> {
    let api = session.api::<HorizontalPodAutoscaler>(namespace);
    let params = ListParams::default();
    let list = session.read(|| api.list(&params)).await.map(|list| list.items);
    let right = Right { verb: "list", group: "autoscaling", resource: "horizontalpodautoscalers" };
    let list = match list_or_denied(list, right)? {
        IfPermitted::Known(list) => list,
        IfPermitted::Denied(right) => return Ok(IfPermitted::Denied(right)),
    };
    let fights = list.into_iter().filter_map(|autoscaler| {
        let name = autoscaler.name_any();
        let target = autoscaler.spec.scale_target_ref;
        let is_target =
            |(kind, of): &&(WorkloadKind, String)| target.kind == kind.as_str() && target.name == *of;
        let (kind, workload) = workloads.iter().find(is_target)?;
        Some(AutoscaledWorkload { autoscaler: name, kind: *kind, workload: workload.clone() })
    });
    Ok(IfPermitted::Known(fights.collect()))
}
