//! The state of an application that all decisions about it are made from.
//!
//! Everything that a decision needs is read here, in a few lists whose number does not grow with the components, so
//! that decisions are functions of the snapshot: see [`crate::driver::resolve`] and [`crate::driver::prepare`].

use std::collections::{BTreeMap, BTreeSet};

use kube::api::DynamicObject;

use crate::cluster::lookup::find_by_name;
use crate::cluster::ownership::{ComponentOwner, LabelledWorkload};
use crate::cluster::record_store::{self, StoredRecord};
use crate::cluster::session::Session;
use crate::cluster::workload_cache::WorkloadCache;
use crate::cluster::{revision_store, workload};
use crate::driver::checks::objects;
use crate::driver::component_services::Services;
use crate::driver::leftovers::objects_of_batches;
use crate::driver::live_objects::LiveObjects;
use crate::driver::lost_revision::lost_revision;
use crate::driver::outcome::{Failure, FailureKind};
use crate::driver::request::{ComponentRequest, Intent, RolloutRequest};
use crate::driver::resolve::{self, Present, ResolvedTarget, workload_name};
use crate::oam::exposure::declared_ports;
use crate::oam::kind::WorkloadKind;
use crate::oam::object::ObjectRef;
use crate::oam::render::services;
use crate::oam::revision::{Decision, RevisionError, StoredRevision, decide_revision};
use crate::plan::desired::Desired;

/// The state of a request's components.
pub struct Snapshot<'a> {
    /// Their workloads, from watches or lists.
    pub cache: &'a WorkloadCache,
    records: BTreeMap<String, Result<StoredRecord, Failure>>,
    /// The components' own revisions, by component.
    revisions: BTreeMap<String, Vec<StoredRevision>>,
    /// Foreign revisions with a name that a manifest resolves to.
    taken: Vec<StoredRevision>,
    /// Workloads with a component's label, of kinds that are not in the cache.
    unwatched: Vec<LabelledWorkload>,
    /// Which revision the manifest of each component renders.
    decisions: BTreeMap<String, Result<Decision, RevisionError>>,
    /// The resolved target of each component.
    resolved: BTreeMap<String, Result<ResolvedTarget, Failure>>,
    /// Objects with the name of a component's workload.
    workloads: BTreeMap<(WorkloadKind, String), DynamicObject>,
    objects: LiveObjects,
    services: Services,
}

impl<'a> Snapshot<'a> {
    /// Reads the state for a request, once the cache is complete.
    ///
    /// # Errors
    /// A kind that the cluster does not serve, and the server's last error.
    pub async fn read(
        session: &Session,
        cache: &'a WorkloadCache,
        request: &RolloutRequest,
    ) -> Result<Self, Failure> {
        let (namespace, names, kinds) = (&request.namespace, request.component_names(), request.kinds());
        // Read the records first: a claim fails if another has followed the record, so everything read after the record
        // is what the previous run left behind.
        let records = record_store::find_records(session, namespace, &names).await?;
        let records = records.into_iter().map(|(name, record)| (name, record.map_err(Failure::from)));
        let (revisions, unwatched) = tokio::join!(
            revision_store::list_revisions(session, namespace, &names),
            objects::unwatched_workloads(session, request),
        );
        // From here on, the server is known to answer.
        let revisions = by_component(revisions?);
        for kind in kinds {
            objects::check_served(session, namespace, kind).await?;
        }
        cache.wait_for_sync().await;
        if let Some(error) = cache.failure() {
            return Err(error.into());
        }
        let mut snapshot = Self {
            cache,
            records: records.collect(),
            revisions,
            taken: Vec::new(),
            unwatched,
            decisions: BTreeMap::new(),
            resolved: BTreeMap::new(),
            workloads: BTreeMap::new(),
            objects: LiveObjects::default(),
            services: Services::Known(BTreeMap::new()),
        };
        let mut warnings = Vec::new();
        loop {
            snapshot.read_taken_names(session, request).await?;
            snapshot.resolve_targets(request);
            snapshot.read_workloads(session, request).await?;
            let found = snapshot.find_lost_revisions(request)?;
            if found.is_empty() {
                break;
            }
            warnings.extend(found);
        }
        for (component, warning) in warnings {
            if let Some(Ok(resolved)) = snapshot.resolved.get_mut(&component) {
                resolved.warnings.push(warning);
            }
        }
        snapshot.read_objects(session, request).await?;
        let services = request.components.iter().flat_map(|component| snapshot.service_names(component));
        let services: BTreeSet<String> = services.collect();
        if !services.is_empty() {
            snapshot.services = Services::read(session, namespace, &services).await?;
        }
        Ok(snapshot)
    }

    /// The run record of a component.
    ///
    /// # Errors
    /// A record that cannot be used.
    pub fn record(&self, component: &str) -> Result<Option<&StoredRecord>, Failure> {
        self.records.get(component).map(Result::as_ref).transpose().map_err(Clone::clone)
    }

    /// The revisions of a component.
    pub fn revisions(&self, component: &str) -> &[StoredRevision] {
        self.revisions.get(component).map_or(&[], Vec::as_slice)
    }

    /// Foreign revisions with a name that a manifest resolves to.
    pub fn taken(&self) -> &[StoredRevision] {
        &self.taken
    }

    /// Every workload with the label of a component.
    pub fn labelled(&self, component: &str) -> Vec<LabelledWorkload> {
        let unwatched = self.unwatched.iter().filter(|one| one.is_labelled(component)).cloned();
        self.cache.labelled(component).into_iter().chain(unwatched).collect()
    }

    /// The object of a kind with the name of a component's workload, regardless of its owner.
    pub fn workload(&self, kind: WorkloadKind, name: &str) -> Option<&DynamicObject> {
        self.workloads.get(&(kind, name.to_owned()))
    }

    /// The resolved target of a component.
    ///
    /// # Errors
    /// Why the request cannot be resolved.
    pub(super) fn resolved(&self, component: &str) -> Result<ResolvedTarget, Failure> {
        let unknown = || Failure::new(FailureKind::Internal, format!("component `{component}` was not read"));
        self.resolved.get(component).cloned().unwrap_or_else(|| Err(unknown()))
    }

    /// The objects of components that are, or were, applied as a whole.
    pub fn objects(&self) -> &LiveObjects {
        &self.objects
    }

    /// The Services of the components.
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// Decides which workloads are a component's.
    ///
    /// # Errors
    /// A record that cannot be used.
    pub fn owner(
        &self,
        request: &RolloutRequest,
        component: &ComponentRequest,
    ) -> Result<ComponentOwner, Failure> {
        let record = self.record(&component.name)?.map(|stored| &stored.record);
        // Workloads that are applied as a whole are named after the component.
        let name = |one: &StoredRevision| match one.objects() {
            Some(_) => component.name.clone(),
            None => one.name.clone(),
        };
        let names = self.revisions(&component.name).iter().map(name);
        let owner = ComponentOwner::new(&request.application, &component.name, component.kind(), names);
        Ok(owner.with_record(record))
    }

    /// Reads foreign revisions with the names that the manifests resolve to: the list selects by label, and an object
    /// without the label has to be found before the write. If an automatic name is taken, the next one is tried.
    async fn read_taken_names(&mut self, session: &Session, request: &RolloutRequest) -> Result<(), Failure> {
        let mut known = BTreeSet::new();
        loop {
            self.decide_revisions(request);
            let created = self.decisions.values().filter_map(|decision| match decision {
                Ok(Decision::Create(new)) => Some(new.name.clone()),
                // An error is reported when the component is resolved.
                Ok(Decision::Reuse { .. } | Decision::ReuseDiffering { .. }) | Err(_) => None,
            });
            let names: BTreeSet<String> = created.filter(|name| known.insert(name.clone())).collect();
            if names.is_empty() {
                return Ok(());
            }
            let listed = self.revisions.values().flatten().filter(|one| names.contains(&one.name));
            let mut taken: Vec<StoredRevision> = listed.cloned().collect();
            let names: BTreeSet<String> =
                names.into_iter().filter(|name| !taken.iter().any(|one| one.name == *name)).collect();
            taken.extend(revision_store::find_revisions(session, &request.namespace, &names).await?);
            if taken.is_empty() {
                return Ok(());
            }
            self.taken.extend(taken);
        }
    }

    /// Decides which revision the manifest of each component renders, from what was read so far.
    fn decide_revisions(&mut self, request: &RolloutRequest) {
        for ComponentRequest { name, intent, .. } in &request.components {
            let Intent::Manifest { application, component } = intent else { continue };
            let known = [self.revisions(name), self.taken()].concat();
            let decision = decide_revision(&known, application, component, &request.namespace);
            self.decisions.insert(name.clone(), decision);
        }
    }

    /// Resolves the target of each component, from what was read so far.
    fn resolve_targets(&mut self, request: &RolloutRequest) {
        for component in &request.components {
            let resolved = self.resolve_target(request, component);
            self.resolved.insert(component.name.clone(), resolved);
        }
    }

    fn resolve_target(
        &self,
        request: &RolloutRequest,
        component: &ComponentRequest,
    ) -> Result<ResolvedTarget, Failure> {
        let present = Present {
            component: &component.name,
            record: self.record(&component.name)?.map(|stored| &stored.record),
            stored: self.revisions(&component.name),
            taken: &self.taken,
            workloads: self.cache.workloads(&self.owner(request, component)?),
            decision: self.decisions.get(&component.name),
        };
        resolve::resolve(request, component, &present)
    }

    /// Reads the objects with the names of the components' workloads, to compare immutable fields, and to find foreign
    /// objects without the label.
    async fn read_workloads(&mut self, session: &Session, request: &RolloutRequest) -> Result<(), Failure> {
        let mut names: BTreeMap<WorkloadKind, BTreeSet<String>> = BTreeMap::new();
        for component in &request.components {
            // An error is reported when the component is prepared.
            let (Ok(owner), Some(Ok(resolved))) =
                (self.owner(request, component), self.resolved.get(&component.name))
            else {
                continue;
            };
            if resolved.target.objects().is_some() {
                continue;
            }
            let owner = owner.with_revision(&resolved.desired.target);
            let workloads = self.cache.workloads(&owner);
            let Desired { workload: name, kind, .. } = &resolved.desired;
            let is_new = resolved.new_revision.is_some();
            if is_new || kind.is_in_place() || !workloads.iter().any(|one| one.name == *name) {
                names.entry(*kind).or_default().insert(name.clone());
            }
        }
        for (kind, names) in names {
            let resource = workload::workload_resource(kind);
            let found = find_by_name(session, &request.namespace, &resource, &names, "").await?;
            self.workloads.extend(found.into_iter().map(|(name, object)| ((kind, name), object)));
        }
        Ok(())
    }

    /// Finds workloads that name a lost revision whose content differs from the new revision of the same name. A
    /// manifest that names this revision itself is refused; any other takes the next name. Returns warnings about the
    /// latter, by component.
    fn find_lost_revisions(&mut self, request: &RolloutRequest) -> Result<Vec<(String, String)>, Failure> {
        let mut lost = Vec::new();
        for component in &request.components {
            let Some(Ok(ResolvedTarget { desired, new_revision: Some(new), .. })) =
                self.resolved.get(&component.name)
            else {
                continue;
            };
            let Some(live) = self.workload(desired.kind, &desired.workload) else { continue };
            let labelled = LabelledWorkload::of(desired.kind, live);
            let owner = self.owner(request, component)?.with_revision(&new.name);
            if owner.owns(&labelled) && labelled.workload.revision() == Some(new.name.as_str()) {
                lost.extend(lost_revision(new, live).map(|lost| (component, desired.kind, lost)));
            }
        }
        let mut warnings = Vec::new();
        for (ComponentRequest { name: component, intent, .. }, kind, lost) in lost {
            let Intent::Manifest { component: manifest, .. } = intent else { continue };
            let (name, noun) = (lost.name.clone(), kind.noun());
            let workload = workload_name(kind, component, &lost);
            let lack = format!("controller revision `{name}`, which {noun} `{workload}` runs, is lost");
            if manifest.external_revision.as_ref() == Some(&name) {
                let failure = Failure::refused(format!("{lack}, and the manifest differs from the {noun}"));
                let refused = failure.hint("give the component another `externalRevision`");
                self.resolved.insert(component.clone(), Err(refused));
                continue;
            }
            self.revisions.entry(component.clone()).or_default().push(lost);
            warnings.push((component.clone(), format!("{lack}: no rollback can return to it")));
        }
        Ok(warnings)
    }

    /// Reads the objects in the components' targets and other revisions.
    async fn read_objects(&mut self, session: &Session, request: &RolloutRequest) -> Result<(), Failure> {
        let resolved = || self.resolved.values().filter_map(|resolved| resolved.as_ref().ok());
        let of_targets = resolved().flat_map(|resolved| resolved.target.whole_objects());
        let asked = resolved().filter_map(|resolved| resolved.asked.as_ref()?.outputs.as_ref()).flatten();
        let of_revisions = self.revisions.values().flatten().flat_map(StoredRevision::whole_objects);
        let records = self.records.values().filter_map(|record| record.as_ref().ok());
        let recorded = records.flat_map(|stored| stored.record.outputs.values().flatten());
        let objects = of_targets.chain(asked).chain(of_revisions).chain(recorded);
        let mut references: BTreeSet<ObjectRef> = objects.filter_map(ObjectRef::of).collect();
        for (component, resolved) in &self.resolved {
            if let Ok(resolved) = resolved
                && resolved.target.objects().is_some()
            {
                let stored = self.revisions(component);
                references.extend(objects_of_batches(component, stored, resolved.desired.kind));
            }
        }
        let objects = LiveObjects::read(session, &request.namespace, &references).await?;
        let objects = objects.find_abandoned(session, &request.application, &request.namespace).await;
        let of_targets = resolved().flat_map(|resolved| resolved.target.whole_objects());
        self.objects = objects.with_definitions(of_targets);
        Ok(())
    }

    /// The names of the Services that a component may have. A component without ports has never had one.
    fn service_names(&self, component: &ComponentRequest) -> Vec<String> {
        let kind = component.kind();
        let has_ports = match &component.intent {
            Intent::Manifest { component, .. } => {
                component.properties().is_some_and(|properties| !properties.ports.is_empty())
            }
            Intent::Revision { .. }
            | Intent::Recorded { .. }
            | Intent::Abort { .. }
            | Intent::Scale { .. } => false,
        };
        let declares =
            |one: &StoredRevision| one.workload().is_some_and(|body| !declared_ports(body).is_empty());
        if !has_ports
            && kind != WorkloadKind::StatefulSet
            && !self.revisions(&component.name).iter().any(declares)
        {
            return Vec::new();
        }
        services::service_names(&component.name, kind).into_iter().map(|(name, _)| name).collect()
    }
}

/// Groups revisions by their component.
fn by_component(revisions: Vec<StoredRevision>) -> BTreeMap<String, Vec<StoredRevision>> {
    let mut found: BTreeMap<String, Vec<StoredRevision>> = BTreeMap::new();
    for revision in revisions {
        if let Some(component) = revision.component.clone() {
            found.entry(component).or_default().push(revision);
        }
    }
    found
}
