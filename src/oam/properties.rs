//! The properties of the component types, checked.
//!
//! What a type may not say is empty in it. Rules and defaults are those of KubeVela's component
//! definitions, ranges those of Kubernetes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

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
    /// Limit and request of cpu, a quantity.
    pub cpu: Option<String>,
    /// Limit and request of memory in bytes, a quantity.
    pub memory: Option<String>,
    /// Volumes and their mounts in rendering order, names and paths unique; from `volumeMounts`, or from the
    /// deprecated `volumes` where that is absent.
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

/// A volume that each pod has for itself, by a PersistentVolumeClaim of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimTemplate {
    /// The volume's and the claims' name, a DNS label.
    pub name: String,
    /// The directory in the container.
    pub mount_path: String,
    /// The storage requested, a quantity.
    pub storage: String,
    /// The storage class; `None` leaves it to the cluster.
    pub storage_class: Option<String>,
    /// How it can be mounted; never empty.
    pub access_modes: Vec<AccessMode>,
}

/// How a volume can be mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessMode {
    /// By one node.
    ReadWriteOnce,
    /// By many nodes, for reading.
    ReadOnlyMany,
    /// By many nodes.
    ReadWriteMany,
    /// By one pod.
    ReadWriteOncePod,
}

impl AccessMode {
    /// Kubernetes' spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadWriteOnce => "ReadWriteOnce",
            Self::ReadOnlyMany => "ReadOnlyMany",
            Self::ReadWriteMany => "ReadWriteMany",
            Self::ReadWriteOncePod => "ReadWriteOncePod",
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
    /// 1 to 65535.
    pub port: u16,
    /// An IANA service name of at most 15 characters; `None` only for the deprecated `port`.
    pub name: Option<String>,
    /// `None` only for the deprecated `port`, which leaves it to the cluster.
    pub protocol: Option<Protocol>,
    /// Whether the Service offers it.
    pub expose: bool,
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
}

/// An entry of a Secret or ConfigMap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRef {
    /// The object's name.
    pub name: String,
    /// The entry's key.
    pub key: String,
}

/// A volume and where it is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// The volume's name, a DNS label.
    pub name: String,
    /// The directory in the container.
    pub mount_path: String,
    /// What is in it.
    pub source: VolumeSource,
}

/// What is in a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VolumeSource {
    /// A PersistentVolumeClaim.
    Claim {
        /// The claim's name.
        name: String,
    },
    /// A ConfigMap's entries as files.
    ConfigMap(Files),
    /// A Secret's entries as files.
    Secret(Files),
    /// An empty directory that lives as long as its pod.
    EmptyDir {
        /// Whether it is kept in memory.
        medium: Medium,
    },
    /// A directory of the node.
    HostPath {
        /// The directory on the node.
        path: String,
    },
}

/// Entries of a ConfigMap or Secret that become files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The object's name.
    pub name: String,
    /// Permission bits, 0 to 0o777; 0o644 where not given.
    pub default_mode: u32,
    /// The entries, `None` for all.
    pub items: Option<Vec<FileItem>>,
}

/// One entry that becomes a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileItem {
    /// The entry's key.
    pub key: String,
    /// The file's path within the volume.
    pub path: String,
    /// Permission bits, 0 to 0o777; 0o777 where not given.
    pub mode: u32,
}

/// Where an empty directory is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Medium {
    /// On the node's disk.
    #[default]
    Disk,
    /// In memory.
    Memory,
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
        /// Headers in order, name and value.
        headers: Vec<(String, String)>,
    },
    /// Opens a connection.
    TcpSocket {
        /// 1 to 65535.
        port: u16,
    },
}

/// Names for an address in the pods' hosts file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostAlias {
    /// The address, IPv4 or IPv6.
    pub ip: String,
    /// Its names.
    pub hostnames: Vec<String>,
}
