//! The failures that a rule can play, and what each needs of a pod.
//!
//! A failure is played only where it could happen: no pod fails over a volume that it does not have.

/// Why a pod never becomes ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodFailure {
    /// It runs, but its readiness probe fails.
    NeverReady,
    /// Its image could just now not be pulled.
    ErrImagePull,
    /// Its image cannot be pulled, and the kubelet waits before it tries again.
    ImagePullBackOff,
    /// Its image has a name that no image can have.
    InvalidImageName,
    /// A ConfigMap or Secret of its environment is not there.
    CreateContainerConfigError,
    /// A ConfigMap or Secret that it mounts is not there.
    FailedMount,
    /// Its container exits with an error, again and again.
    CrashLoopBackOff,
    /// The same, because it takes more memory than it may.
    OomKilled,
    /// An init container does, so that its containers never start.
    InitCrashLoopBackOff,
    /// No node takes it.
    Unschedulable,
}

/// What a pod must have for a failure to be possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prerequisite {
    /// A variable, or a whole environment, from a ConfigMap or a Secret.
    Environment,
    /// A volume of a ConfigMap or a Secret, still to be mounted.
    Volume,
    /// An init container that ends, still to be run.
    InitContainer,
}

impl PodFailure {
    /// All of them, in the order of a pod's life.
    pub const ALL: [Self; 10] = [
        Self::Unschedulable,
        Self::FailedMount,
        Self::InvalidImageName,
        Self::ErrImagePull,
        Self::ImagePullBackOff,
        Self::CreateContainerConfigError,
        Self::InitCrashLoopBackOff,
        Self::CrashLoopBackOff,
        Self::OomKilled,
        Self::NeverReady,
    ];

    /// What a rule calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NeverReady => "NeverReady",
            Self::ErrImagePull => "ErrImagePull",
            Self::ImagePullBackOff => "ImagePullBackOff",
            Self::InvalidImageName => "InvalidImageName",
            Self::CreateContainerConfigError => "CreateContainerConfigError",
            Self::FailedMount => "FailedMount",
            Self::CrashLoopBackOff => "CrashLoopBackOff",
            Self::OomKilled => "OOMKilled",
            Self::InitCrashLoopBackOff => "InitCrashLoopBackOff",
            Self::Unschedulable => "Unschedulable",
        }
    }

    /// The failure of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|failure| failure.name() == name)
    }

    /// What a pod must have for it; nothing where it can happen to every pod.
    #[must_use]
    pub fn prerequisite(self) -> Option<Prerequisite> {
        match self {
            Self::CreateContainerConfigError => Some(Prerequisite::Environment),
            Self::FailedMount => Some(Prerequisite::Volume),
            Self::InitCrashLoopBackOff => Some(Prerequisite::InitContainer),
            Self::NeverReady
            | Self::ErrImagePull
            | Self::ImagePullBackOff
            | Self::InvalidImageName
            | Self::CrashLoopBackOff
            | Self::OomKilled
            | Self::Unschedulable => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_is_found_by_its_name() {
        for failure in PodFailure::ALL {
            assert_eq!(PodFailure::named(failure.name()), Some(failure));
        }
        assert_eq!(PodFailure::named("Sometimes"), None);
    }
}
