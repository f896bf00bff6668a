//! The traits of a component besides `rollout`.
//!
//! Decides which traits there are, their properties, and how they change a component's objects, as KubeVela's trait
//! definitions do. Traits apply in the manifest's order, each to the result of the previous ones. [`apply_traits`]
//! rejects a trait that contradicts the component or an earlier trait.

mod apply;
mod combine;
mod containers;
mod context;
mod error;
mod guard;
mod kind;
mod metadata;
mod network;
mod nocalhost;
mod outputs;
mod patch;
mod pods;
mod scheduling;
mod security;
mod size;
mod storage;
pub(in crate::oam) mod tables;
mod workload;

use serde_json::Value;

use crate::oam::origin::Origin;

pub use apply::{apply_trait, apply_traits};
pub use combine::{TraitPair, refused_beside_rollout};
pub use context::TraitContext;
pub use error::{TraitError, TraitProblem};
pub use kind::{TraitKind, advice_for_addon_trait};
pub(in crate::oam) use storage::deprecated::volume_of;

/// A trait of a component.
#[derive(Debug, Clone, PartialEq)]
pub struct Trait {
    /// Which trait it is.
    pub kind: TraitKind,
    /// Its properties, checked, with the defaults that are rendered.
    pub properties: Value,
    /// Its place.
    pub origin: Origin,
}
