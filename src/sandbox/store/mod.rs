//! The stored objects, and the rules by which they are created, changed and deleted.
//!
//! It stands for etcd, the generic registry in front of it (`k8s.io/apiserver/pkg/registry/generic`), the watch
//! cache, and client-go's work queue: see [Kubernetes API concepts]. Requests and controllers write through the same
//! functions. Transactions over several objects, which etcd has but the API does not offer, and etcd's leases are not
//! implemented.
//!
//! [Kubernetes API concepts]: https://kubernetes.io/docs/reference/using-api/api-concepts/

pub(super) mod change;
pub(super) mod deletion;
mod document;
pub(super) mod file;
pub(super) mod journal;
pub(super) mod managed_fields;
pub(super) mod objects;
pub(super) mod part;
pub(super) mod queue;
pub(super) mod watch_cache;
pub(super) mod write;
