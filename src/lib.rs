//! Batched rollouts for Kubernetes, driven from outside the cluster.
//!
//! Modules in reading order: a manifest becomes an [`oam`] application, [`plan`] decides the next
//! step from what is observed and what is desired, [`cluster`] performs steps and watches,
//! [`driver`] loops, [`report`] tells, [`cli`] is the command line, and [`sandbox`] is a Kubernetes
//! API to try all of it without a cluster.

pub mod cli;
pub mod cluster;
pub mod driver;
pub mod oam;
pub mod plan;
pub mod report;
pub mod sandbox;
