//! The properties of the component types, checked.
//!
//! Properties that a type does not have are empty. Rules and defaults are those of KubeVela's component definitions,
//! ranges those of Kubernetes.

pub mod tables;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The properties of a component.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Properties {
    /// The container's image; never empty.
    pub image: String,
    /// When the image is pulled; `None` leaves it to the cluster.
    pub image_pull_policy: Option<String>,
    /// Names of the Secrets for pulling.
    pub image_pull_secrets: Vec<String>,
    /// Labels of the pods, besides those that `rollout` sets.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the pods.
    pub annotations: BTreeMap<String, String>,
    /// The container's ports.
    pub ports: Vec<Port>,
    /// The type of the Service, if a port is exposed.
    pub expose_type: ExposeType,
    /// Whether pods have a label for the application's revision, for which the component's is used.
    pub add_revision_label: bool,
    /// The container's command, `None` for the image's own; from `cmd`.
    #[serde(rename = "cmd")]
    pub command: Option<Vec<String>>,
    /// The command's arguments, `None` for the image's own.
    pub args: Option<Vec<String>>,
    /// The container's environment, in order, with unique names; as in Kubernetes.
    pub env: Vec<Value>,
    /// The request of cpu, and its limit unless `limit` sets another; a quantity.
    pub cpu: Option<String>,
    /// The request of memory in bytes, and its limit unless `limit` sets another; a quantity.
    pub memory: Option<String>,
    /// Limits other than the requests: `cpu` and `memory`. Each has an effect only with a request of the same resource.
    pub limit: BTreeMap<String, String>,
    /// Volumes and where they are mounted, in rendering order, paths unique; each with its `type`. From `volumeMounts`,
    /// or from the deprecated `volumes` if that is absent.
    pub volumes: Vec<Value>,
    /// When the container is restarted; as in Kubernetes.
    pub liveness_probe: Option<Value>,
    /// When the container is ready and gets traffic; as in Kubernetes.
    pub readiness_probe: Option<Value>,
    /// Additional lines of the pods' hosts file: `ip` and `hostnames`.
    pub host_aliases: Vec<Value>,
    /// The command that is run in the container just after it has started.
    pub post_start: Option<Vec<String>>,
    /// The command that is run in the container before it is stopped.
    pub pre_stop: Option<Vec<String>>,
    /// How a CloneSet updates a pod; `None` leaves it to Kruise, which recreates it.
    #[serde(rename = "updateStrategyType")]
    pub update_strategy: Option<String>,
    /// Whether a StatefulSet's pods start one after the other; `None` leaves it to the cluster, which does so.
    #[serde(rename = "podManagementPolicy")]
    pub pod_management: Option<String>,
    /// Claim templates of a StatefulSet; names unique, also among the volumes.
    #[serde(rename = "volumeClaimTemplates")]
    pub claims: Vec<ClaimTemplate>,
    /// The parallelism of a Job, and the number of its pods that must succeed.
    pub count: Option<u32>,
    /// The restart policy of a Job's pods; `None` for other workloads.
    pub restart: Option<String>,
    /// The schedule and history of a `cron-task`: fields of a CronJob and of its Job.
    #[serde(skip)]
    pub schedule: Value,
}

/// A volume of which each pod has its own, through its own PersistentVolumeClaim.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClaimTemplate {
    /// The volume's and the claims' name, a DNS label.
    pub name: String,
    /// The directory in the container.
    pub mount_path: String,
    /// The storage requested, a quantity.
    pub storage: String,
    /// The storage class; `None` leaves it to the cluster.
    pub storage_class_name: Option<String>,
    /// How it can be mounted; never empty.
    pub access_modes: Vec<String>,
}

/// A port of the container.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Port {
    /// The Service's port, and the container's unless `container_port` is another; 1 to 65535.
    pub port: u16,
    /// The container's port; `None` for the Service's.
    pub container_port: Option<u16>,
    /// An IANA service name of at most 15 characters; `None` only for the deprecated `port`.
    pub name: Option<String>,
    /// `None` only for the deprecated `port`, which leaves it to the cluster.
    pub protocol: Option<Protocol>,
    /// Whether the Service offers it.
    #[serde(default)]
    pub expose: bool,
    /// The port on every node, for a Service of type NodePort; `None` leaves it to the cluster.
    pub node_port: Option<u16>,
}

impl Port {
    /// The container's port.
    #[must_use]
    pub fn target(&self) -> u16 {
        self.container_port.unwrap_or(self.port)
    }
}

/// A transport protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum Protocol {
    /// TCP.
    #[default]
    #[serde(rename = "TCP")]
    Tcp,
    /// UDP.
    #[serde(rename = "UDP")]
    Udp,
    /// SCTP.
    #[serde(rename = "SCTP")]
    Sctp,
}

impl Protocol {
    /// The name in Kubernetes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
        }
    }
}

/// The type of a Service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ExposeType {
    /// Reachable within the cluster.
    #[default]
    #[serde(rename = "ClusterIP")]
    ClusterIp,
    /// Reachable on every node.
    NodePort,
    /// Reachable through the cloud's load balancer.
    LoadBalancer,
    /// A DNS alias; cannot have exposed ports.
    ExternalName,
}
