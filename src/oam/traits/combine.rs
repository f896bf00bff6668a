//! Which traits can be used with `rollout`.

use crate::oam::traits::TraitKind;

/// Why a trait cannot be used with `rollout`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraitPair {
    /// What both of them set.
    pub both: &'static str,
    /// What to use instead of the trait.
    pub instead: &'static str,
}

/// Whether a trait sets what the `rollout` trait sets, and what to use instead.
#[must_use]
pub fn refused_beside_rollout(kind: TraitKind) -> Option<TraitPair> {
    const SIZE: &str = "the number of replicas";
    match kind {
        TraitKind::Scaler => Some(TraitPair { both: SIZE, instead: "`targetSize` is the size" }),
        TraitKind::Hpa | TraitKind::CpuScaler => {
            Some(TraitPair { both: SIZE, instead: "`targetSize` is the size, at any load" })
        }
        TraitKind::UpdateStrategy => Some(TraitPair {
            both: "how pods are replaced",
            instead: "`rolloutBatches` with `maxUnavailable` are the steps",
        }),
        TraitKind::Affinity
        | TraitKind::Annotations
        | TraitKind::Command
        | TraitKind::ConfigMap
        | TraitKind::ContainerImage
        | TraitKind::ContainerPorts
        | TraitKind::Env
        | TraitKind::Expose
        | TraitKind::Gateway
        | TraitKind::HostAlias
        | TraitKind::Ingress
        | TraitKind::Ingress120
        | TraitKind::InitContainer
        | TraitKind::JsonMergePatch
        | TraitKind::JsonPatch
        | TraitKind::Labels
        | TraitKind::Lifecycle
        | TraitKind::Nocalhost
        | TraitKind::NodeAffinity
        | TraitKind::PodSecurityContext
        | TraitKind::PureIngress
        | TraitKind::Claim
        | TraitKind::Resource
        | TraitKind::SecurityContext
        | TraitKind::ServiceAccount
        | TraitKind::ServiceBinding
        | TraitKind::Sidecar
        | TraitKind::StartupProbe
        | TraitKind::Storage
        | TraitKind::TopologySpread
        | TraitKind::Volumes => None,
    }
}
