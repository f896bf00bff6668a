//! What has become of an object whose deletion the server has accepted.

use kube::ResourceExt;
use kube::api::DynamicObject;

use crate::cluster::error::ClusterError;

/// What has become of an object that was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deletion {
    /// It is gone.
    Done,
    /// It is being deleted: these finalizers hold it.
    Held(Vec<String>),
}

impl Deletion {
    /// By the object in the answer to a delete, if there is one; that it is gone already is no error.
    ///
    /// # Errors
    /// Any other error of the request.
    pub(in crate::cluster) fn of(
        answer: Result<Option<DynamicObject>, ClusterError>,
    ) -> Result<Self, ClusterError> {
        match answer {
            // An object that a finalizer holds is the answer; one that is gone may be it, too.
            Ok(Some(left)) if !left.finalizers().is_empty() => Ok(Self::Held(left.finalizers().to_vec())),
            Ok(_) | Err(ClusterError::NotFound(_)) => Ok(Self::Done),
            Err(error) => Err(error),
        }
    }

    /// What holds the object of this name, in words; `None` where it is gone.
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
