//! Reasons for which an application is not driven at all.

use crate::cluster::error::ClusterError;
use crate::driver::outcome::{Failure, FailureKind};
use crate::driver::prepare::Rejection;
use crate::driver::request::RolloutRequest;

/// Reasons for which an application is not driven at all.
#[derive(Debug, Clone)]
pub enum Rejected {
    /// Some of its components are rejected.
    Components(Vec<Rejection>),
    /// The whole application is rejected.
    Application(Failure),
}

impl From<Vec<Rejection>> for Rejected {
    fn from(rejections: Vec<Rejection>) -> Self {
        Self::Components(rejections)
    }
}

impl Rejected {
    /// A rejection that is reported once, with the first component.
    pub(super) fn of_first(request: &RolloutRequest, failure: Failure) -> Self {
        Self::Components(vec![Rejection { component: request.components[0].name.clone(), failure }])
    }

    /// The failure of the application, or of the first rejected component.
    pub fn into_failure(self) -> Failure {
        match self {
            Self::Application(failure) => failure,
            Self::Components(rejections) => match rejections.into_iter().next() {
                Some(first) => first.failure,
                None => Failure::new(FailureKind::Internal, "a request was rejected without a reason"),
            },
        }
    }
}

impl Rejected {
    /// The failure of the application or of this component; if this component has none, that of the first.
    pub(super) fn into_failure_of(self, component: &str) -> Failure {
        match self {
            Self::Application(failure) => failure,
            Self::Components(mut rejections) => {
                rejections.sort_by_key(|rejection| rejection.component != component);
                Self::Components(rejections).into_failure()
            }
        }
    }
}

impl From<ClusterError> for Rejected {
    fn from(error: ClusterError) -> Self {
        Self::Application(error.into())
    }
}

impl From<Failure> for Rejected {
    fn from(failure: Failure) -> Self {
        Self::Application(failure)
    }
}
