//! The HTTP API: from a request to a response.
//!
//! It stands for the API server's handlers: see [Kubernetes API concepts].
//!
//! [Kubernetes API concepts]: https://kubernetes.io/docs/reference/using-api/api-concepts/

mod apply;
mod discovery;
mod json_patch;
pub(super) mod label_query;
mod list;
mod options;
mod patch;
pub(super) mod route;
mod scale;
pub(super) mod serve;
pub(super) mod watch;
