//! The kinds: decoding, defaults and validation of their objects.
//!
//! It stands for the API server's scheme, defaulting and validation, and for the schema of a
//! CustomResourceDefinition. See [the API reference] for the fields and [custom resources] for CloneSets. Admission,
//! and rules that no rollout can trigger, are not implemented. Only autoscalers have two versions.
//!
//! Each validating function returns all errors, in the server's order and wording.
//!
//! [the API reference]: https://kubernetes.io/docs/reference/kubernetes-api/
//! [custom resources]: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/

mod autoscaler;
pub(super) mod claim;
mod containers;
mod cron_job;
pub(super) mod custom;
mod daemon_set;
pub(super) mod defaulting;
mod definition;
mod deployment;
mod disruption_budget;
pub(super) mod fields;
mod ingress;
mod job;
pub(super) mod metadata;
pub(super) mod names;
mod network_policy;
mod pod_spec;
mod rbac;
pub(super) mod registry;
mod secret;
mod service;
mod simple;
mod stateful_set;
pub(super) mod structure;
mod typed;
mod workload;
pub(super) mod zero;

const NOT_NEGATIVE: &str = "must be greater than or equal to 0";
const IMMUTABLE: &str = "field is immutable";
