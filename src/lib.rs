//! Batched rollouts for Kubernetes, driven from outside the cluster.

pub mod cluster;
pub mod driver;
pub mod oam;
pub mod plan;
pub mod report;
pub mod sandbox;
