//! Collisions between the manifests of one command: two objects of one kind, namespace and name.
//!
//! Objects that other components of the namespace own are found when each component is prepared, and automatic names
//! are compared once they are known.

use std::collections::BTreeMap;

use crate::driver::request::{Intent, RolloutRequest};
use crate::oam::application::{Application, Component};
use crate::oam::exposure::{Exposure, Offer};
use crate::oam::object::ObjectRef;
use crate::oam::render::{render_objects, render_trait_objects, services};

/// Describes the first collision; `None` if there is none.
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
    let mut rendered: BTreeMap<ObjectKey, (&str, Sharing)> = BTreeMap::new();
    for request in requests {
        for (application, component) in components(request) {
            let batched = objects(component).into_iter();
            let batched = batched.map(|(kind, name)| (request.namespace.clone(), kind.to_owned(), name));
            let batched = batched.map(|key| (key, Sharing::Exclusive));
            let whole = whole_objects(application, component, &request.namespace);
            for (key, sharing) in batched.chain(whole) {
                let (_, kind, name) = &key;
                let (kind, name) = (kind.clone(), name.clone());
                let (owner, of_owner) = *rendered.entry(key).or_insert((&component.name, sharing));
                let is_shared = (sharing, of_owner) == (Sharing::Shared, Sharing::Shared);
                if owner != component.name && !is_shared {
                    return Some(collision(&kind, &name, owner, &component.name));
                }
            }
        }
    }
    None
}

/// The namespace, kind and name of an object.
type ObjectKey = (String, String, String);

/// Whether other components may render the same object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sharing {
    /// They must not.
    Exclusive,
    /// Those may that share it as well, by their `shared-resource` policies.
    Shared,
}

/// The objects of a component that are applied as a whole, without those that it only reads. An object without a
/// namespace counts under the application's.
fn whole_objects(
    application: &Application,
    component: &Component,
    namespace: &str,
) -> impl Iterator<Item = (ObjectKey, Sharing)> {
    let objects = match component.rollout {
        Some(_) => render_trait_objects(application, component, namespace),
        None => render_objects(application, component, namespace, ""),
    };
    let key = |reference: ObjectRef| {
        let of_group = match reference.group() {
            // The same form as for the workloads and Services of rollouts.
            "" | "apps" | "apps.kruise.io" => reference.kind.to_lowercase(),
            group => format!("{}.{group}", reference.kind.to_lowercase()),
        };
        (reference.namespace.unwrap_or_else(|| namespace.to_owned()), of_group, reference.name)
    };
    let policies = &application.policies;
    let written = objects.iter().filter(|object| !policies.only_reads(object));
    let keys = written.filter_map(|object| {
        let sharing = if policies.shares(object) { Sharing::Shared } else { Sharing::Exclusive };
        Some((key(ObjectRef::of(object)?), sharing))
    });
    keys.collect::<Vec<_>>().into_iter()
}

/// The second of two components that would create the same revision or Deployment, and a description of the collision.
/// Checked separately because automatic names are known only once the existing revisions are.
#[must_use]
pub fn find_automatic_collision<'a>(
    kind: &str,
    names: impl Iterator<Item = (&'a str, &'a str)>,
) -> Option<(&'a str, String)> {
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    for (component, name) in names {
        let owner = owners.entry(name).or_insert(component);
        if *owner != component {
            return Some((component, collision(kind, name, owner, component)));
        }
    }
    None
}

fn collision(kind: &str, name: &str, one: &str, other: &str) -> String {
    format!("components `{one}` and `{other}` both create {kind} `{name}`")
}

fn components(request: &RolloutRequest) -> impl Iterator<Item = (&Application, &Component)> {
    request.components.iter().filter_map(|component| match &component.intent {
        Intent::Manifest { application, component } => Some((&**application, &**component)),
        Intent::Revision { .. } | Intent::Recorded { .. } | Intent::Abort { .. } | Intent::Scale { .. } => {
            None
        }
    })
}

/// The kinds and names of the objects that a component creates under names given by its manifest. The names of its
/// record and of its application's Lease are as unique as its own.
fn objects(component: &Component) -> Vec<(&'static str, String)> {
    let mut objects = Vec::new();
    if component.rollout.is_none() {
        return component.external_revision.iter().map(|revision| ("revision", revision.clone())).collect();
    }
    let kind = component.kind.workload().unwrap_or_default();
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
