//! Application manifests: parses, validates and renders them, and names their revisions. Pure.
//!
//! Nothing here accesses a cluster, a clock, the environment or a terminal.

pub mod application;
pub mod apply_order;
pub mod batch_gates;
pub mod convert;
pub mod exposure;
pub mod fleet;
pub mod hash;
pub mod kind;
pub mod kind_scope;
pub mod labels;
pub mod manifest;
pub mod object;
pub mod origin;
pub mod policies;
pub mod properties;
pub mod quantity;
pub mod render;
pub mod revision;
pub mod schema;
pub mod smoke_test;
pub mod traits;
pub mod workflow;
