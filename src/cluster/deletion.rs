//! The outcome of a delete request that the server has accepted.

use kube::ResourceExt;
use kube::api::DynamicObject;

use crate::cluster::error::ClusterError;

/// The outcome of deleting an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deletion {
    /// The object is gone.
    Done,
    /// The object still exists: these finalizers block its deletion.
    Held(Vec<String>),
}

impl Deletion {
    /// Derives the outcome from the response to a delete request. An object that is already gone is no error.
    ///
    /// # Errors
    /// Any other error of the request.
    pub(in crate::cluster) fn of(
        answer: Result<Option<DynamicObject>, ClusterError>,
    ) -> Result<Self, ClusterError> {
        match answer {
            // The server returns an object that finalizers hold; it may also return one that is gone.
            Ok(Some(left)) if !left.finalizers().is_empty() => Ok(Self::Held(left.finalizers().to_vec())),
            Ok(_) | Err(ClusterError::NotFound(_)) => Ok(Self::Done),
            Err(error) => Err(error),
        }
    }

    /// A warning that finalizers block the deletion of `object`; `None` if it is gone.
    #[must_use]
    pub fn warning(&self, object: &str) -> Option<String> {
        match self {
            Self::Done => None,
            Self::Held(finalizers) => Some(format!(
                "{object} is being deleted, blocked by its finalizers: {}",
                finalizers.join(", ")
            )),
        }
    }
}
