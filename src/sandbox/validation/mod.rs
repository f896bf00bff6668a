//! What an object of each kind must look like: which kinds there are, how a body is decoded, what is filled in, and
//! what is refused.
//!
//! It stands for the API server's scheme, defaulting and validation, and for the schema of a
//! CustomResourceDefinition. See [the API reference] for the fields and [custom resources] for CloneSets. Left out
//! are the rules that no rollout can meet, admission, and conversion: each kind has one version.
//!
//! Each validating function returns all errors, in the order and the words of the server.
//!
//! [the API reference]: https://kubernetes.io/docs/reference/kubernetes-api/
//! [custom resources]: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/

mod containers;
pub(super) mod custom;
pub(super) mod defaulting;
mod deployment;
pub(super) mod fields;
pub(super) mod metadata;
pub(super) mod names;
mod pod_spec;
pub(super) mod registry;
mod service;
mod simple;
mod stateful_set;
mod typed;
mod workload;

const NOT_NEGATIVE: &str = "must be greater than or equal to 0";
const IMMUTABLE: &str = "field is immutable";
