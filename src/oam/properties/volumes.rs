//! Volumes of a component's pods.

/// A mount of a volume. Several mounts may share a volume: they have its name and its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// The volume's name, a DNS label.
    pub name: String,
    /// The directory in the container.
    pub mount_path: String,
    /// The part of the volume that is mounted; `None` for all of it.
    pub sub_path: Option<String>,
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
