//! Autoscalers that would fight over a size: both write it, and each undoes what the other did.

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::ResourceExt;
use kube::api::ListParams;

use crate::cluster::session::Session;
use crate::oam::kind::WorkloadKind;

/// The autoscalers of a namespace that set the size of one of these workloads: their names, and the workload.
///
/// It is a courtesy: where they cannot be listed, none are known.
pub async fn of_workloads(
    session: &Session,
    namespace: &str,
    workloads: &[(WorkloadKind, String)],
) -> Vec<(String, WorkloadKind, String)> {
    let api = session.api::<HorizontalPodAutoscaler>(namespace);
    let Ok(list) = session.once(api.list(&ListParams::default())).await else {
        return Vec::new();
    };
    let fights = list.items.into_iter().filter_map(|autoscaler| {
        let name = autoscaler.name_any();
        let target = autoscaler.spec.scale_target_ref;
        let is_target =
            |(kind, of): &&(WorkloadKind, String)| target.kind == kind.as_str() && target.name == *of;
        let (kind, workload) = workloads.iter().find(is_target)?;
        Some((name, *kind, workload.clone()))
    });
    fights.collect()
}
