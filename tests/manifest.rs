//! Manifests: parsing, rendering, and revisions.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "manifest/around.rs"]
mod around;
#[path = "manifest/convert.rs"]
mod convert;
#[path = "manifest/convert_namespaces.rs"]
mod convert_namespaces;
#[path = "manifest/golden.rs"]
mod golden;
#[path = "manifest/in_place.rs"]
mod in_place;
#[path = "manifest/kubevela.rs"]
mod kubevela;
#[path = "manifest/malformed.rs"]
mod malformed;
#[path = "manifest/parsing.rs"]
mod parsing;
#[path = "manifest/refusals.rs"]
mod refusals;
#[path = "manifest/rendering.rs"]
mod rendering;
#[path = "manifest/revisions.rs"]
mod revisions;
#[path = "support/mod.rs"]
mod support;
#[path = "manifest/trait_refusals.rs"]
mod trait_refusals;
#[path = "manifest/traits_in_batches.rs"]
mod traits_in_batches;
#[path = "manifest/workflow_graphs.rs"]
mod workflow_graphs;
