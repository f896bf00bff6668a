//! The HTTP API: from a request to a response.
//!
//! It stands for the API server's handlers: see [Kubernetes API concepts]. `route` understands a URL, `serve`
//! dispatches the verbs, and each further file is one of them or one of their options. What is left out is listed at
//! [`crate::sandbox`].
//!
//! [Kubernetes API concepts]: https://kubernetes.io/docs/reference/using-api/api-concepts/

mod apply;
mod discovery;
mod field_selector;
mod filter;
mod json_patch;
mod label_query;
mod list;
mod merge_patch;
mod options;
mod patch;
pub(super) mod response;
pub(super) mod route;
mod scale;
pub(super) mod serve;
pub(super) mod watch;
