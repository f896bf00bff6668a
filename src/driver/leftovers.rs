//! Finds the objects that other revisions of a component left behind and that its target, which is applied as a whole,
//! does not have.

use std::collections::BTreeSet;

use kube::api::DynamicObject;

use crate::cluster::served_kind::ServedKind;
use crate::driver::live_objects::LiveObjects;
use crate::driver::object_owner::{ObjectOwner, foreign_reason};
use crate::oam::exposure::{Offer, declared_ports};
use crate::oam::kind::WorkloadKind;
use crate::oam::object::ObjectRef;
use crate::oam::render::services::service_names;
use crate::oam::revision::StoredRevision;

/// An object that another revision of the component left behind.
#[derive(Debug, Clone)]
pub struct Leftover {
    /// Which object it is, with its namespace.
    pub reference: ObjectRef,
    /// How its kind is served.
    pub kind: ServedKind,
    /// The object before the run.
    pub before: DynamicObject,
}

impl Leftover {
    /// Whether it is kept, because it may hold data.
    #[must_use]
    pub fn holds_data(&self) -> bool {
        self.reference.kind == "PersistentVolumeClaim"
    }
}

/// The objects that revisions rolled out in batches may have left behind once the component is applied as a whole:
/// workloads of another kind than the target's, and the Services of exposed ports.
#[must_use]
pub fn objects_of_batches(
    component: &str,
    stored: &[StoredRevision],
    kind: WorkloadKind,
) -> BTreeSet<ObjectRef> {
    let reference = |api_version: String, kind: &str, name: &str| ObjectRef {
        api_version,
        kind: kind.to_owned(),
        namespace: None,
        name: name.to_owned(),
    };
    let of_revision = |revision: &StoredRevision| {
        let of = revision.kind()?;
        let name = if of.is_in_place() { component } else { &revision.name };
        let workload = (of != kind).then(|| reference(of.api_version(), of.as_str(), name));
        let has_services = of == WorkloadKind::StatefulSet
            || revision.workload().is_some_and(|body| !declared_ports(body).is_empty());
        let mut names = if has_services { service_names(component, of) } else { Vec::new() };
        // Keep the Service that gives a StatefulSet's pods their DNS names: the StatefulSet cannot change its name.
        names.retain(|(_, offer)| *offer == Offer::Exposed || of != kind);
        let services = names.into_iter().map(|(name, _)| reference("v1".to_owned(), "Service", &name));
        Some(workload.into_iter().chain(services).collect::<Vec<_>>())
    };
    let batched = stored.iter().filter(|revision| revision.objects().is_none());
    batched.filter_map(of_revision).flatten().collect()
}

/// The objects named by other revisions that exist, are the component's, and are not kept.
#[must_use]
pub fn find_leftovers(
    owner: ObjectOwner<'_>,
    named: impl Iterator<Item = ObjectRef>,
    kept: &BTreeSet<ObjectRef>,
    live: &LiveObjects,
) -> Vec<Leftover> {
    let located: BTreeSet<ObjectRef> =
        named.map(|reference| live.locate(&reference, owner.namespace)).collect();
    let gone = located.into_iter().filter(|one| !kept.iter().any(|kept| kept.is_same(one)));
    gone.filter_map(|reference| {
        let before = live.get(&reference)?.clone();
        if before.metadata.deletion_timestamp.is_some() {
            return None;
        }
        let kind = live.kind(&reference.api_version, &reference.kind)?.clone();
        let is_ours = foreign_reason(&before, &reference, owner).is_none();
        (is_ours && !owner.keeps(&before)).then_some(Leftover { reference, kind, before })
    })
    .collect()
}
