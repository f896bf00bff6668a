//! The registry of kinds: what the sandbox serves.
//!
//! To add a kind, add a row to a table, and a controller if needed. CustomResourceDefinitions add kinds at run time.
//! This module must not know how objects are stored or changed.

mod core;
pub(in crate::sandbox) mod defined;
mod policies;
mod workloads;

use crate::sandbox::object::kind::{
    CreateOnUpdate, Definition, DeleteResponse, Generation, Kind, NameRule, Origin, Persistence, Scope,
    StatusSubresource, UnconditionalUpdate,
};
use crate::sandbox::validation::typed;

pub(crate) fn find_resource(group: &str, version: &str, plural: &str) -> Option<Kind> {
    all_kinds().find(|kind| kind.group == group && kind.version == version && kind.plural == plural)
}

/// The kind named `kind` in `api_version`.
pub(crate) fn find_kind(api_version: &str, kind: &str) -> Option<Kind> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    all_kinds().find(|known| known.group == group && known.version == version && known.kind == kind)
}

/// Every kind that some sandbox of this process may serve; the preferred version of each first.
pub(crate) fn all_kinds() -> impl Iterator<Item = Kind> {
    built_in().chain(defined::kinds())
}

fn built_in() -> impl Iterator<Item = Kind> {
    [core::TABLE, workloads::TABLE, policies::TABLE].into_iter().flatten().map(Kind::of)
}

/// The built-in kind with this plural name.
pub(crate) fn kind(plural: &'static str) -> Kind {
    built_in().find(|kind| kind.plural == plural).expect("controllers name kinds of the tables")
}

/// The defaults of most rows.
pub(super) const PLAIN: Definition = Definition {
    group: "",
    version: "v1",
    plural: "",
    kind: "",
    short_names: &[],
    origin: Origin::BuiltIn,
    scope: Scope::Namespaced,
    persistence: Persistence::Stored,
    generation: Generation::None,
    status: StatusSubresource::Absent,
    names: NameRule::Subdomain,
    unconditional_update: UnconditionalUpdate::Allowed,
    create_on_update: CreateOnUpdate::Refused,
    delete_response: DeleteResponse::Status,
    check: typed::anything,
    default: |_| (),
    derive: |_, _| (),
    allocate: |_, _| (),
    validate: |_, _| Vec::new(),
    convert: |object| object,
};
