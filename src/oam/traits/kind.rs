//! The traits, and alternatives to those that are not supported.

use crate::oam::schema::Shape;
use crate::oam::traits::tables;

macro_rules! trait_kinds {
    ($($kind:ident = $name:literal, $table:expr $(, replaced by $replacement:literal)?;)*) => {
        /// The traits of KubeVela besides `rollout`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum TraitKind {
            $(
                #[doc = concat!("The trait `", $name, "`.")]
                $kind,
            )*
        }

        impl TraitKind {
            /// Every trait, in the order of their names.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// The trait's type in manifests.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }

            /// What to use instead of a deprecated trait.
            #[must_use]
            pub fn replacement(self) -> Option<&'static str> {
                let replacements: &[&'static str] = match self {
                    $(Self::$kind => &[$($replacement)?],)*
                };
                replacements.first().copied()
            }

            /// The shape of the trait's properties.
            #[must_use]
            pub fn properties(self) -> Shape {
                match self {
                    $(Self::$kind => $table,)*
                }
            }
        }
    };
}

trait_kinds! {
    Affinity = "affinity", Shape::Object(&tables::scheduling::AFFINITY);
    Annotations = "annotations", tables::metadata::ANNOTATIONS;
    Command = "command", Shape::Object(&tables::containers::COMMAND);
    ConfigMap = "configmap", Shape::Object(&tables::storage::CONFIG_MAP_TRAIT), replaced by "`storage`";
    ContainerImage = "container-image", Shape::Object(&tables::containers::IMAGE);
    ContainerPorts = "container-ports", Shape::Object(&tables::containers::PORTS);
    CpuScaler = "cpuscaler", Shape::Object(&tables::size::CPU_SCALER);
    Env = "env", Shape::Object(&tables::containers::ENV);
    Expose = "expose", Shape::Object(&tables::network::EXPOSE);
    Gateway = "gateway", Shape::Object(&tables::network::GATEWAY);
    HostAlias = "hostalias", Shape::Object(&tables::scheduling::HOST_ALIAS);
    Hpa = "hpa", Shape::Object(&tables::size::HPA);
    Ingress = "ingress", Shape::Object(&tables::network::INGRESS), replaced by "`gateway`";
    Ingress120 = "ingress-1-20", Shape::Object(&tables::network::INGRESS_1_20), replaced by "`gateway`";
    InitContainer = "init-container", Shape::Object(&tables::pods::INIT_CONTAINER);
    JsonMergePatch = "json-merge-patch", Shape::AnyObject;
    JsonPatch = "json-patch", Shape::Object(&tables::metadata::JSON_PATCH);
    UpdateStrategy = "k8s-update-strategy", Shape::Object(&tables::size::UPDATE_STRATEGY);
    Labels = "labels", tables::metadata::LABELS;
    Lifecycle = "lifecycle", Shape::Object(&tables::pods::LIFECYCLE);
    Nocalhost = "nocalhost", Shape::Object(&tables::nocalhost::NOCALHOST);
    NodeAffinity = "node-affinity", Shape::Object(&tables::scheduling::NODE_AFFINITY), replaced by "`affinity`";
    PodSecurityContext = "podsecuritycontext", Shape::Object(&tables::security::POD_SECURITY_CONTEXT);
    PureIngress = "pure-ingress", Shape::Object(&tables::network::INGRESS), replaced by "`gateway`";
    Claim = "pvc", Shape::Object(&tables::storage::CLAIM_TRAIT), replaced by "`storage`";
    Resource = "resource", Shape::Object(&tables::containers::RESOURCE);
    Scaler = "scaler", Shape::Object(&tables::size::SCALER);
    SecurityContext = "securitycontext", Shape::Object(&tables::security::SECURITY_CONTEXT);
    ServiceAccount = "service-account", Shape::Object(&tables::security::SERVICE_ACCOUNT);
    ServiceBinding = "service-binding", Shape::Object(&tables::containers::SERVICE_BINDING), replaced by "`storage` with `secret[].mountToEnv`";
    Sidecar = "sidecar", Shape::Object(&tables::pods::SIDECAR);
    StartupProbe = "startup-probe", Shape::Object(&tables::pods::STARTUP_PROBE);
    Storage = "storage", Shape::Object(&tables::storage::STORAGE);
    TopologySpread = "topologyspreadconstraints", Shape::Object(&tables::scheduling::TOPOLOGY_SPREAD);
    Volumes = "volumes", Shape::Object(&tables::storage::VOLUMES_TRAIT), replaced by "`storage`";
}

const GATEWAY_API: &str = "routes of the Gateway API go into a `k8s-objects` component";
const ISTIO: &str = "objects of Istio go into a `k8s-objects` component";
const KEDA: &str = "a ScaledObject goes into a `k8s-objects` component";
const KUSTOMIZE: &str = "the traits `json-merge-patch` and `json-patch` change a workload";
const LOGS: &str = "omit it: the cluster's log collector decides which logs it reads";
const BATCHES: &str = "the trait `rollout` replaces pods in batches";

/// Traits of addons and tools, and alternatives to them.
const ELSEWHERE: [(&str, &str); 16] = [
    ("canary-traffic", ISTIO),
    ("file-logs", LOGS),
    ("grpc-route", GATEWAY_API),
    ("http-route", GATEWAY_API),
    ("https-route", GATEWAY_API),
    ("istio-gateway", ISTIO),
    ("keda-auto-scaler", KEDA),
    ("keda-scaler", KEDA),
    ("kruise-rollout", BATCHES),
    ("kustomize-json-patch", KUSTOMIZE),
    ("kustomize-patch", KUSTOMIZE),
    ("kustomize-strategy-merge", KUSTOMIZE),
    ("prometheus-scrape", "a ServiceMonitor goes into a `k8s-objects` component"),
    ("rolling-release", BATCHES),
    ("stdout-logs", LOGS),
    ("tcp-route", GATEWAY_API),
];

/// An alternative to an addon's trait.
#[must_use]
pub fn advice_for_addon_trait(name: &str) -> Option<&'static str> {
    ELSEWHERE.iter().find(|(trait_name, _)| *trait_name == name).map(|(_, advice)| *advice)
}

impl TraitKind {
    /// The trait with a name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == name)
    }
}
