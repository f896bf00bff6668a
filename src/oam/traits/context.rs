//! What a trait knows about its component.

use crate::oam::application::Release;

/// The context of a trait.
#[derive(Debug, Clone, Copy)]
pub struct TraitContext<'a> {
    /// The application's name.
    pub application: &'a str,
    /// The component's name.
    pub component: &'a str,
    /// The application's namespace.
    pub namespace: &'a str,
    /// How the component is released.
    pub release: Release,
}
