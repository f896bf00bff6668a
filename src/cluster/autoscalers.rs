//! Autoscalers that would fight over a size: both write it, and each undoes what the other did.

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::ResourceExt;
use kube::api::ListParams;

use crate::cluster::session::Session;

/// The autoscalers of a namespace that set the size of one of these Deployments: their names, and the
/// Deployment's.
///
/// It is a courtesy: where they cannot be listed, none are known.
pub async fn of_deployments(session: &Session, namespace: &str, names: &[String]) -> Vec<(String, String)> {
    let api = session.api::<HorizontalPodAutoscaler>(namespace);
    let Ok(list) = session.once(api.list(&ListParams::default())).await else {
        return Vec::new();
    };
    let fights = list.items.into_iter().filter_map(|autoscaler| {
        let name = autoscaler.name_any();
        let target = autoscaler.spec.scale_target_ref;
        (target.kind == "Deployment" && names.contains(&target.name)).then_some((name, target.name))
    });
    fights.collect()
}
