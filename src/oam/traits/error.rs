//! Errors of traits.

use crate::oam::traits::patch::{Clash, ValuePath};

/// Why a trait does not apply.
#[derive(Debug, Clone, PartialEq)]
pub enum TraitError {
    /// It sets a field that already has another value.
    Conflict(Conflict),
    /// It cannot apply to this component.
    Refused {
        /// What is wrong.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
}

/// A field that already has another value.
#[derive(Debug, Clone, PartialEq)]
pub struct Conflict {
    pub(super) path: ValuePath,
    pub(super) existing: String,
    pub(super) wanted: String,
}

/// What is wrong with one of a component's traits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraitProblem {
    /// The trait's index, counted from 0.
    pub index: usize,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl From<Clash> for TraitError {
    fn from(Clash { path, existing, wanted }: Clash) -> Self {
        Self::Conflict(Conflict { path, existing, wanted })
    }
}

/// A refusal with a hint.
pub(super) fn refused(message: impl Into<String>, hint: impl Into<String>) -> TraitError {
    TraitError::Refused { message: message.into(), hint: Some(hint.into()) }
}
