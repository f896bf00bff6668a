//! The traits of a component beside `rollout`.

use serde_json::Value;

use crate::oam::application::Origin;

/// A trait of a component.
#[derive(Debug, Clone, PartialEq)]
pub struct Trait {
    /// Which trait it is.
    pub kind: TraitKind,
    /// Its properties, checked, with the defaults that are rendered.
    pub properties: Value,
    /// Where it stands.
    pub origin: Origin,
}

/// The traits that `rollout` knows beside its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TraitKind {
    /// Sets the number of replicas.
    Scaler,
}
