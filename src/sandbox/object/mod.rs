//! Common parts of objects of all kinds: kinds and names, metadata, label selectors, quantities, and the errors that an
//! API server reports about them.
//!
//! It stands for `k8s.io/apimachinery`: see [Objects in Kubernetes] and the [API conventions]. It must not know how
//! objects are stored, nor any rule of a single kind.
//!
//! [Objects in Kubernetes]: https://kubernetes.io/docs/concepts/overview/working-with-objects/
//! [API conventions]:
//! https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md

pub(super) mod field_error;
pub(super) mod field_set;
pub(super) mod hash;
pub(super) mod key;
pub(super) mod kind;
pub(super) mod meta;
pub(super) mod pod;
pub(super) mod quantity;
pub(super) mod selector;
pub(super) mod status_error;
