//! Whether what the manifests of one command render gets in its own way: two objects of a kind, a namespace and a name.
//!
//! What other components of the namespace own is found when each component is prepared, and automatic names are compared
//! once they are known.

use std::collections::BTreeMap;

use crate::driver::request::{Intent, RolloutRequest};
use crate::oam::application::Component;
use crate::oam::exposure::{Exposure, Offer};
use crate::oam::render::services;

/// The first collision, in words; `None` where there is none.
#[must_use]
pub fn find_collision(requests: &[RolloutRequest]) -> Option<String> {
    let mut applications: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for request in requests {
        let count = applications.entry((&request.namespace, &request.application)).or_default();
        *count += 1;
        if *count > 1 {
            let RolloutRequest { application, namespace, .. } = request;
            return Some(format!("application `{application}` appears twice in namespace `{namespace}`"));
        }
    }
    let components =
        || requests.iter().flat_map(|request| components(request).map(move |component| (request, component)));
    let mut rendered: BTreeMap<(&str, &'static str, String), &str> = BTreeMap::new();
    for (request, component) in components() {
        for (kind, name) in objects(component) {
            let owner = rendered.entry((&request.namespace, kind, name.clone())).or_insert(&component.name);
            if *owner != component.name {
                return Some(collision(kind, &name, owner, &component.name));
            }
        }
    }
    None
}

/// Two components that would record one revision, in words, with the second of them: an automatic name is known only when
/// the revisions that are there are.
#[must_use]
pub fn find_revision_collision<'a>(
    components: impl Iterator<Item = (&'a str, &'a str)>,
) -> Option<(&'a str, String)> {
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    for (component, revision) in components {
        let owner = owners.entry(revision).or_insert(component);
        if *owner != component {
            return Some((component, collision("revision", revision, owner, component)));
        }
    }
    None
}

fn collision(kind: &str, name: &str, one: &str, other: &str) -> String {
    format!("components `{one}` and `{other}` both create {kind} `{name}`")
}

fn components(request: &RolloutRequest) -> impl Iterator<Item = &Component> {
    request.components.iter().filter_map(|component| match &component.intent {
        Intent::Manifest { component, .. } => Some(&**component),
        Intent::Revision { .. } | Intent::Recorded { .. } | Intent::Abort { .. } | Intent::Scale { .. } => {
            None
        }
    })
}

/// The objects that a component makes under names that its manifest gives, by kind. The names of its record and of its
/// application's Lease are as unique as its own.
fn objects(component: &Component) -> Vec<(&'static str, String)> {
    let kind = component.kind.workload().unwrap_or_default();
    let mut objects = Vec::new();
    for (name, offer) in services::service_names(&component.name, kind) {
        if offer == Offer::All || !Exposure::of(component).ports.is_empty() {
            objects.push(("service", name));
        }
    }
    if kind.is_in_place() {
        objects.push((kind.noun(), component.name.clone()));
    }
    for revision in component
        .external_revision
        .iter()
        .chain(component.rollout.iter().filter_map(|rollout| rollout.target_revision.as_ref()))
    {
        objects.push(("revision", revision.clone()));
    }
    objects
}
