//! The failures that a rule can script, and their prerequisites.

/// Why a pod never becomes ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodFailure {
    /// It runs, but its readiness probe fails.
    NeverReady,
    /// Pulling its image failed.
    ErrImagePull,
    /// Pulling its image failed, and the kubelet waits before the next attempt.
    ImagePullBackOff,
    /// Its image has an invalid name.
    InvalidImageName,
    /// A ConfigMap or Secret of its environment does not exist.
    CreateContainerConfigError,
    /// A ConfigMap or Secret that it mounts does not exist.
    FailedMount,
    /// Its container exits with an error each time.
    CrashLoopBackOff,
    /// Its container exceeds its memory limit each time.
    OomKilled,
    /// An init container exits with an error each time, so its containers never start.
    InitCrashLoopBackOff,
    /// It fits on no node.
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
    /// All failures, in the order in which a pod can reach them.
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

    /// Its name in rules.
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

    /// The failure with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|failure| failure.name() == name)
    }

    /// Its prerequisite; `None` if it can happen to every pod.
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
