//! The properties of the component types, checked.
//!
//! What a type may not say is empty in it. Rules and defaults are those of KubeVela's component
//! definitions, ranges those of Kubernetes.

pub mod jobs;
pub mod volumes;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::oam::properties::jobs::JobProperties;
use crate::oam::properties::volumes::{ClaimTemplate, Volume};

/// Everything a component may say about its pods.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Properties {
    /// The container's image; never empty.
    pub image: String,
    /// When the image is pulled; `None` leaves it to the cluster.
    pub image_pull_policy: Option<PullPolicy>,
    /// Names of the Secrets for pulling.
    pub image_pull_secrets: Vec<String>,
    /// Labels of the pods, beside our own.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the pods.
    pub annotations: BTreeMap<String, String>,
    /// The container's ports.
    pub ports: Vec<Port>,
    /// The type of the Service, if a port is exposed.
    pub expose_type: ExposeType,
    /// Whether pods carry the application's revision; here that is the component's.
    pub add_revision_label: bool,
    /// The container's command, `None` for the image's own; from `cmd`.
    pub command: Option<Vec<String>>,
    /// The command's arguments, `None` for the image's own.
    pub args: Option<Vec<String>>,
    /// The container's environment, in order, names unique.
    pub env: Vec<EnvVar>,
    /// Request of cpu, and its limit where `limit` gives no other; a quantity.
    pub cpu: Option<String>,
    /// Request of memory in bytes, and its limit where `limit` gives no other; a quantity.
    pub memory: Option<String>,
    /// Limits other than the requests.
    pub limit: ResourceLimit,
    /// Mounts of volumes in rendering order, paths unique; from `volumeMounts`, or from the deprecated `volumes` where
    /// that is absent.
    pub volumes: Vec<Volume>,
    /// When the container is restarted.
    pub liveness_probe: Option<Probe>,
    /// When the container gets traffic and counts as ready.
    pub readiness_probe: Option<Probe>,
    /// Additional lines of the pods' hosts file.
    pub host_aliases: Vec<HostAlias>,
    /// The command that is run in the container just after it has started.
    pub post_start: Option<Vec<String>>,
    /// The command that is run in the container before it is stopped.
    pub pre_stop: Option<Vec<String>>,
    /// How a CloneSet updates a pod; `None` leaves it to Kruise, which recreates it.
    pub update_strategy: Option<UpdateStrategy>,
    /// Whether a StatefulSet's pods start one after the other; `None` leaves it to the cluster, which does so.
    pub pod_management: Option<PodManagement>,
    /// Volumes that each pod of a StatefulSet has for itself; names unique, also among the volumes.
    pub claims: Vec<ClaimTemplate>,
    /// How a Job runs the pods; `None` where they run on.
    pub job: Option<JobProperties>,
}

/// Limits of a container's resources. Each counts only beside the request of the same resource.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResourceLimit {
    /// Limit of cpu, a quantity.
    pub cpu: Option<String>,
    /// Limit of memory in bytes, a quantity.
    pub memory: Option<String>,
}

/// How a CloneSet updates a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateStrategy {
    /// It is deleted, and another one is made.
    ReCreate,
    /// Its container is restarted where only images or metadata changed; else as [`Self::ReCreate`].
    InPlaceIfPossible,
    /// Its container is restarted; other changes are not made.
    InPlaceOnly,
}

impl UpdateStrategy {
    /// Kruise's spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReCreate => "ReCreate",
            Self::InPlaceIfPossible => "InPlaceIfPossible",
            Self::InPlaceOnly => "InPlaceOnly",
        }
    }
}

/// The order in which a StatefulSet's pods start and stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodManagement {
    /// One after the other, each when the one before is ready.
    OrderedReady,
    /// All at once.
    Parallel,
}

impl PodManagement {
    /// Kubernetes' spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OrderedReady => "OrderedReady",
            Self::Parallel => "Parallel",
        }
    }
}

/// When an image is pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullPolicy {
    /// At every start.
    Always,
    /// Never.
    Never,
    /// If the node lacks it.
    IfNotPresent,
}

impl PullPolicy {
    /// Kubernetes' spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "Always",
            Self::Never => "Never",
            Self::IfNotPresent => "IfNotPresent",
        }
    }
}

/// A port of the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// The Service's port, and the container's where `container_port` gives no other; 1 to 65535.
    pub port: u16,
    /// The container's port; `None` for the Service's.
    pub container_port: Option<u16>,
    /// An IANA service name of at most 15 characters; `None` only for the deprecated `port`.
    pub name: Option<String>,
    /// `None` only for the deprecated `port`, which leaves it to the cluster.
    pub protocol: Option<Protocol>,
    /// Whether the Service offers it.
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
    /// Kubernetes' spelling.
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
    /// An alias; of no use together with exposed ports.
    ExternalName,
}

impl ExposeType {
    /// Kubernetes' spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClusterIp => "ClusterIP",
            Self::NodePort => "NodePort",
            Self::LoadBalancer => "LoadBalancer",
            Self::ExternalName => "ExternalName",
        }
    }
}

/// An environment variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvVar {
    /// Its name.
    pub name: String,
    /// Where its value comes from.
    pub value: EnvValue,
}

/// Where an environment variable's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvValue {
    /// The manifest names neither a value nor a source; the variable is empty.
    Unset,
    /// The manifest.
    Literal(String),
    /// An entry of a Secret.
    Secret(KeyRef),
    /// An entry of a ConfigMap.
    ConfigMap(KeyRef),
    /// A field of the pod: `fieldRef`, as the manifest spells it.
    Field(Value),
    /// A resource of the container: `resourceFieldRef`, as the manifest spells it.
    Resource(Value),
}

/// An entry of a Secret or ConfigMap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRef {
    /// The object's name.
    pub name: String,
    /// The entry's key.
    pub key: String,
    /// Whether the variable is left out where there is no such entry; `None` leaves it to the cluster.
    pub optional: Option<bool>,
}

/// A health check of a container. The seconds and thresholds are as Kubernetes defines them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// What is done.
    pub handler: ProbeHandler,
    /// Seconds before the first check; 0 where not given.
    pub initial_delay_seconds: u32,
    /// Seconds between checks, at least 1; 10 where not given.
    pub period_seconds: u32,
    /// Seconds until a check has failed, at least 1; 1 where not given.
    pub timeout_seconds: u32,
    /// Successes in a row that count, at least 1; 1 where not given, and always 1 for liveness.
    pub success_threshold: u32,
    /// Failures in a row that count, at least 1; 3 where not given.
    pub failure_threshold: u32,
}

/// What a probe does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeHandler {
    /// Runs a command in the container.
    Exec {
        /// The command; never empty.
        command: Vec<String>,
    },
    /// Asks by HTTP.
    HttpGet {
        /// The URL's path.
        path: String,
        /// 1 to 65535.
        port: u16,
        /// The host that is asked; `None` is the pod.
        host: Option<String>,
        /// `None` leaves it to the cluster, which takes HTTP.
        scheme: Option<HttpScheme>,
        /// Headers in order, name and value.
        headers: Vec<(String, String)>,
    },
    /// Opens a connection.
    TcpSocket {
        /// 1 to 65535.
        port: u16,
    },
}

/// How a probe asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpScheme {
    /// In the clear.
    Http,
    /// Encrypted; the certificate is not checked.
    Https,
}

impl HttpScheme {
    /// Kubernetes' spelling.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "HTTP",
            Self::Https => "HTTPS",
        }
    }
}

/// Names for an address in the pods' hosts file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostAlias {
    /// The address, IPv4 or IPv6.
    pub ip: String,
    /// Its names.
    pub hostnames: Vec<String>,
}
