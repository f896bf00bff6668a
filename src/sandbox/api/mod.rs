//! The HTTP API: handles requests.
//!
//! It stands for the API server's handlers: see [Kubernetes API concepts]. `route` parses a URL, `serve` dispatches the
//! verbs, and each other file implements one of these or one of their options. [`crate::sandbox`] lists what is not
//! implemented.
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
