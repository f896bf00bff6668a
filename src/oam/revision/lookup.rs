//! Finds the stored revision for a reference.

use std::fmt;

use crate::oam::manifest::nearest;
use crate::oam::revision::StoredRevision;

/// A reference that matches no revision, or more than one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct UnknownRevision {
    /// The reference.
    pub reference: String,
    /// The component.
    pub component: String,
    /// The names of the component's revisions, oldest first.
    pub existing: Vec<String>,
    /// The names of the revisions with this number, if more than one.
    pub ambiguous: Vec<String>,
    /// The name that was probably meant.
    pub suggestion: Option<String>,
}

impl UnknownRevision {
    /// The hint.
    pub fn hint(&self) -> Option<String> {
        self.suggestion.as_ref().map(|name| format!("did you mean `{name}`?"))
    }
}

impl fmt::Display for UnknownRevision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reference, component, existing, ambiguous, .. } = self;
        let names =
            |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        if !ambiguous.is_empty() {
            let several = names(ambiguous);
            return write!(
                formatter,
                "revision {reference} of component `{component}` is ambiguous: {several}"
            );
        }
        write!(formatter, "component `{component}` has no revision `{reference}`")?;
        match existing.as_slice() {
            [] => formatter.write_str(" and no other revision"),
            some => write!(formatter, ", it has {}", names(some)),
        }
    }
}

/// The part of a revision's name after `<component>-`, if it has such a name.
pub fn short<'a>(name: &'a str, component: &str) -> Option<&'a str> {
    name.strip_prefix(component).and_then(|rest| rest.strip_prefix('-'))
}

/// The number that selects a revision; `None` if it has none or shares it with others of its component.
pub fn own_number(revision: &StoredRevision, stored: &[StoredRevision]) -> Option<i64> {
    let is_other = |other: &StoredRevision| {
        other.name != revision.name
            && other.component == revision.component
            && other.revision == revision.revision
    };
    Some(revision.revision).filter(|number| *number != 0 && !stored.iter().any(is_other))
}

/// The component's revision for `reference`: its full name, the part of it after `<component>-`, or its number. A
/// number of several revisions matches none of them, and neither does 0.
pub fn resolve_revision<'a>(
    reference: &str,
    component: &str,
    stored: &'a [StoredRevision],
) -> Result<&'a StoredRevision, UnknownRevision> {
    let mut candidates: Vec<&StoredRevision> =
        stored.iter().filter(|revision| revision.component.as_deref() == Some(component)).collect();
    candidates.sort_by_key(|revision| (revision.revision, revision.name.as_str()));
    let short = |name: &'a str| short(name, component);
    let named = candidates
        .iter()
        .find(|revision| revision.name == reference)
        .or_else(|| candidates.iter().find(|revision| short(&revision.name) == Some(reference)));
    if let Some(found) = named {
        return Ok(found);
    }
    let number: Option<i64> = reference.parse().ok();
    let numbered: Vec<&StoredRevision> =
        candidates.iter().copied().filter(|revision| Some(revision.revision) == number).collect();
    let ambiguous = match numbered.as_slice() {
        [] => Vec::new(),
        [found] if found.revision != 0 => return Ok(found),
        [_] => Vec::new(),
        several => several.iter().map(|revision| revision.name.clone()).collect(),
    };
    let full = candidates.iter().map(|revision| revision.name.as_str());
    let shortened = candidates.iter().filter_map(|revision| short(&revision.name));
    // A number is not a misspelt name.
    let suggestion =
        nearest(reference, full.chain(shortened)).filter(|_| number.is_none()).map(str::to_owned);
    Err(UnknownRevision {
        reference: reference.to_owned(),
        component: component.to_owned(),
        existing: candidates.iter().map(|revision| revision.name.clone()).collect(),
        ambiguous,
        suggestion,
    })
}
