//! Whether what the manifests of one command render gets in its own way: two objects of a kind, a namespace and a name.
//!
//! What other components of the namespace own already is found where each component is prepared.

use std::collections::BTreeMap;

use crate::driver::wish::{Intent, Wish};
use crate::oam::application::Component;
use crate::oam::exposure::{Exposure, Offer};
use crate::oam::render::services;
use crate::oam::revision::number;

/// The first collision, in words; `None` where there is none.
#[must_use]
pub fn find(wishes: &[Wish]) -> Option<String> {
    let mut applications: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for wish in wishes {
        let count = applications.entry((&wish.namespace, &wish.application)).or_default();
        *count += 1;
        if *count > 1 {
            let Wish { application, namespace, .. } = wish;
            return Some(format!("application `{application}` appears twice in namespace `{namespace}`"));
        }
    }
    let components =
        || wishes.iter().flat_map(|wish| components(wish).map(move |component| (wish, component)));
    let mut rendered: BTreeMap<(&str, &'static str, String), &str> = BTreeMap::new();
    for (wish, component) in components() {
        for (kind, name) in objects(component) {
            let owner = rendered.entry((&wish.namespace, kind, name.clone())).or_insert(&component.name);
            if *owner != component.name {
                return Some(collision(kind, &name, owner, &component.name));
            }
        }
    }
    for (wish, component) in components() {
        let Some(name) = &component.external_revision else { continue };
        let numbered = components().find(|(other, automatic)| {
            other.namespace == wish.namespace
                && automatic.name != component.name
                && automatic.external_revision.is_none()
                && number(name) > 0
                && *name == format!("{}-v{}", automatic.name, number(name))
        });
        if let Some((_, automatic)) = numbered {
            let (component, automatic) = (&component.name, &automatic.name);
            return Some(format!(
                "revision `{name}` of component `{component}` has a name that component `{automatic}` gives its own"
            ));
        }
    }
    None
}

fn collision(kind: &str, name: &str, one: &str, other: &str) -> String {
    format!("components `{one}` and `{other}` both make {kind} `{name}`")
}

fn components(wish: &Wish) -> impl Iterator<Item = &Component> {
    wish.components.iter().filter_map(|component| match &component.intent {
        Intent::Manifest { component, .. } => Some(&**component),
        Intent::Revision { .. } | Intent::Recorded { .. } | Intent::Abort { .. } | Intent::Scale { .. } => {
            None
        }
    })
}

/// The objects that a component makes under names that its manifest gives, by kind. The names of its record and of its
/// application's Lease are as unique as its own.
fn objects(component: &Component) -> Vec<(&'static str, String)> {
    let kind = component.kind.workload();
    let mut objects = Vec::new();
    for (name, offer) in services::names(&component.name, kind) {
        if offer == Offer::All || !Exposure::of(component).ports.is_empty() {
            objects.push(("service", name));
        }
    }
    if kind.is_in_place() {
        objects.push((kind.noun(), component.name.clone()));
    }
    for revision in component.external_revision.iter().chain(&component.rollout.target_revision) {
        objects.push(("revision", revision.clone()));
    }
    objects
}
