//! Decides which Services a component has at each point of its run, from what its revisions expose.
//!
//! An annotation of each revision records what it exposes. A manifest that exposes other ports of the same containers
//! is the same revision, so the run record keeps the latest exposure requested for it. For revisions without the
//! annotation (older ones, and KubeVela's), the exposure is derived from the component's Service.

use std::collections::{BTreeMap, BTreeSet};

use kube::api::DynamicObject;
use serde_json::Value;

use crate::cluster::error::ClusterError;
use crate::cluster::lookup::find_by_name;
use crate::cluster::service::{self, Change, ServiceMetadata, WantedService};
use crate::cluster::session::Session;
use crate::oam::exposure::{
    Exposure, Offer, RevisionPorts, declared_ports, port_key, union_ports, widest_exposure,
};
use crate::oam::kind::WorkloadKind;
use crate::oam::render::Inherited;
use crate::oam::render::services::Outline;
use crate::oam::revision::StoredRevision;
use crate::plan::epoch::Epoch;
use crate::plan::observed::{Observed, Workload};
use crate::plan::record::Record;
use crate::plan::run::{Mode, Outcome};

/// The Services of components, if this user may read them.
pub enum Services {
    /// Those that exist, by name.
    Known(BTreeMap<String, DynamicObject>),
    /// The server's refusal.
    Forbidden(String),
}

impl Services {
    /// Reads the Services of these names.
    ///
    /// # Errors
    /// The server's last error, except a refusal.
    pub async fn read(
        session: &Session,
        namespace: &str,
        names: &BTreeSet<String>,
    ) -> Result<Self, ClusterError> {
        match find_by_name(session, namespace, &service::resource(), names, "").await {
            Ok(found) => Ok(Self::Known(found)),
            Err(ClusterError::Forbidden(message)) => Ok(Self::Forbidden(message)),
            Err(error) => Err(error),
        }
    }
}

/// What a manifest defines for a component outside its revision: its Services and the objects of its traits.
#[derive(Debug, Clone)]
pub struct ManifestInput {
    /// What the target exposes; `None` if the target is not the revision that the manifest renders.
    pub exposure: Option<Exposure>,
    /// The metadata that the Services inherit from the application.
    pub inherited: Inherited,
    /// The metadata that the workload inherits from the application and its traits.
    pub workload_metadata: Inherited,
    /// The objects of its traits; `None` if the target is not the revision that the manifest renders.
    pub outputs: Option<Vec<Value>>,
    /// The objects of a component that is applied as a whole, with the values of its Secrets; `None` as for `outputs`.
    pub objects: Option<Vec<Value>>,
}

/// What is known about a component apart from the manifest.
#[derive(Debug, Clone, Copy)]
pub struct ServiceInputs<'a> {
    /// The application.
    pub application: &'a str,
    /// The component.
    pub component: &'a str,
    /// The namespace.
    pub namespace: &'a str,
    /// The kind of workload that it runs as.
    pub kind: WorkloadKind,
    /// The revision to roll out.
    pub target: &'a StoredRevision,
    /// All revisions of the component.
    pub stored: &'a [StoredRevision],
    /// The run record.
    pub record: Option<&'a Record>,
}

/// What a component's revisions expose, and its Services as observed before the run.
#[derive(Debug, Clone)]
pub struct ComponentServices {
    application: String,
    component: String,
    target: String,
    outlines: Vec<Outline>,
    /// The ports of each revision.
    ports: BTreeMap<String, RevisionPorts>,
    /// The revisions that are applied as a whole.
    whole: Vec<String>,
    /// What each revision exposes according to its own annotation.
    said: BTreeMap<String, Option<Exposure>>,
    /// Keys of labels and annotations that manifests have set; `None` without a manifest.
    inherited: Option<BTreeSet<String>>,
    seen: BTreeMap<String, DynamicObject>,
    has_exposure_changed: bool,
}

impl ComponentServices {
    /// Determines what a component's revisions expose.
    ///
    /// # Errors
    /// Services that are needed but that this user may not read.
    pub fn new(
        known: ServiceInputs<'_>,
        asked: Option<&ManifestInput>,
        services: &Services,
    ) -> Result<Self, ClusterError> {
        let ServiceInputs { application, component, namespace, kind, target, stored, record } = known;
        let revisions = || stored.iter().chain([target]);
        let inherited = match asked {
            Some(asked) => asked.inherited.clone(),
            None => target.workload().map(Inherited::stored).unwrap_or_default(),
        };
        let mut component_services = Self {
            application: application.to_owned(),
            component: component.to_owned(),
            target: target.name.clone(),
            outlines: Outline::all(application, component, kind, namespace, &inherited),
            ports: BTreeMap::new(),
            whole: revisions().filter(|one| one.objects().is_some()).map(|one| one.name.clone()).collect(),
            said: revisions().map(|one| (one.name.clone(), one.exposes.clone())).collect(),
            inherited: asked.map(|_| revisions().flat_map(handed_keys).collect()),
            seen: BTreeMap::new(),
            has_exposure_changed: false,
        };
        let wanted = asked.and_then(|asked| asked.exposure.as_ref());
        let recorded = |name: &str| record.and_then(|record| record.exposes.get(name));
        let is_exposing = |exposure: &Exposure| !exposure.ports.is_empty();
        // A revision without ports has never had a Service, whatever was requested for it.
        let may_expose =
            |one: &StoredRevision| one.workload().is_some_and(|body| !declared_ports(body).is_empty());
        // Revisions that may have pods: a run without a manifest must keep their ports.
        let is_concerned = |one: &&StoredRevision| {
            let run = record.map(|record| &record.run.spec);
            one.name == target.name
                || run.is_some_and(|run| run.target == one.name || run.sources.contains(&one.name))
        };
        let is_known_to_expose =
            |one: &StoredRevision| recorded(&one.name).or(one.exposes.as_ref()).is_some_and(is_exposing);
        let needs_services = match wanted {
            Some(wanted) => is_exposing(wanted),
            None => revisions().filter(is_concerned).any(is_known_to_expose),
        } || kind == WorkloadKind::StatefulSet;
        if !needs_services && !revisions().any(may_expose) {
            component_services.outlines.clear();
            return Ok(component_services);
        }
        match services {
            Services::Known(found) => {
                let seen = component_services
                    .outlines
                    .iter()
                    .filter_map(|outline| found.get_key_value(&outline.name));
                component_services.seen =
                    seen.map(|(name, service)| (name.clone(), service.clone())).collect();
            }
            // A component that exposes nothing needs no permission for Services.
            Services::Forbidden(_) if !needs_services => {
                component_services.outlines.clear();
                return Ok(component_services);
            }
            Services::Forbidden(message) => return Err(ClusterError::Forbidden(message.clone())),
        }
        let live = component_services.seen.get(component).map(|service| service.data.clone());
        for one in revisions() {
            let declared = one.workload().map(declared_ports).unwrap_or_default();
            let before = recorded(&one.name).or(one.exposes.as_ref());
            let exposure = match (wanted, before) {
                (Some(wanted), before) if one.name == target.name => {
                    component_services.has_exposure_changed = before.is_some_and(|before| before != wanted);
                    wanted.clone()
                }
                (_, Some(before)) => before.clone(),
                (_, None) => Exposure::guessed(&declared, live.as_ref()),
            };
            component_services.ports.insert(one.name.clone(), RevisionPorts { declared, exposure });
        }
        Ok(component_services)
    }

    /// No Services, for a component that is applied as a whole: its Services are among its objects.
    #[must_use]
    pub fn none(known: ServiceInputs<'_>) -> Self {
        Self {
            application: known.application.to_owned(),
            component: known.component.to_owned(),
            target: known.target.name.clone(),
            outlines: Vec::new(),
            ports: BTreeMap::new(),
            whole: Vec::new(),
            said: BTreeMap::new(),
            inherited: None,
            seen: BTreeMap::new(),
            has_exposure_changed: false,
        }
    }

    /// Drops the Services for whose names `is_other` returns true, which are objects of traits.
    #[must_use]
    pub fn without(mut self, is_other: impl Fn(&str) -> bool) -> Self {
        self.outlines.retain(|outline| !is_other(&outline.name));
        self
    }

    /// The names of the Services that the component may have.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.outlines.iter().map(|outline| outline.name.as_str())
    }

    /// A Service as it was before the run.
    #[must_use]
    pub fn seen(&self, name: &str) -> Option<&DynamicObject> {
        self.seen.get(name)
    }

    /// Whether a Service is the component's, and is thus stamped with its claims.
    #[must_use]
    pub fn owns(&self, seen: &DynamicObject) -> bool {
        service::foreign_owner(seen, &self.application, &self.component).is_none()
    }

    /// The newest epoch that a Service of the component is stamped with, which survives the loss of the record.
    #[must_use]
    pub fn newest_stamp(&self) -> Epoch {
        let owned = self.seen.values().filter(|seen| self.owns(seen));
        owned.filter_map(service::service_epoch).max().unwrap_or(Epoch(0))
    }

    /// Whether what the target exposes has changed since it was last recorded.
    #[must_use]
    pub fn has_exposure_changed(&self) -> bool {
        self.has_exposure_changed
    }

    /// Whether a Service exists or has to be created.
    #[must_use]
    pub fn touches_services(&self) -> bool {
        !self.seen.is_empty() || self.changes(&[]).iter().any(Change::is_pending)
    }

    /// The change that each Service needs while the target and `others` have pods.
    #[must_use]
    pub fn changes(&self, others: &[String]) -> Vec<Change> {
        self.names().map(|name| self.change(name, others, self.seen(name))).collect()
    }

    /// The change that the Service `seen` needs while the target and `others` have pods.
    #[must_use]
    pub fn change(&self, name: &str, others: &[String], seen: Option<&DynamicObject>) -> Change {
        let inherited = self.inherited.as_ref().map_or(ServiceMetadata::Kept, ServiceMetadata::Written);
        let wanted = WantedService {
            application: &self.application,
            component: &self.component,
            service: self.wanted(name, others, seen),
            inherited,
        };
        service::service_change(seen, &wanted)
    }

    fn wanted(&self, name: &str, others: &[String], seen: Option<&DynamicObject>) -> Option<Value> {
        let outline = self.outlines.iter().find(|outline| outline.name == name)?;
        let target = self.ports.get(&self.target)?;
        // Only the record shows which revision a Deployment runs that is named after its component: it may be any of
        // the whole ones.
        let candidates = |name: &String| match *name == self.component && !self.whole.is_empty() {
            true => self.whole.clone(),
            false => vec![name.clone()],
        };
        let others: BTreeSet<String> = others.iter().flat_map(candidates).collect();
        let known: Vec<&RevisionPorts> = others.iter().filter_map(|name| self.ports.get(name)).collect();
        let live = seen.map(|seen| &seen.data);
        let mut ports = union_ports(outline.offer, target, &known, live).ports;
        if known.len() < others.len() {
            // If the revision of a workload is lost, its exposure is unknown, so the Service keeps its ports.
            let offered: Vec<_> = ports.iter().map(port_key).collect();
            let entries = live.and_then(|live| live["spec"]["ports"].as_array()).into_iter().flatten();
            ports.extend(entries.filter(|entry| !offered.contains(&port_key(entry))).cloned());
        }
        let all: Vec<&RevisionPorts> = known.into_iter().chain([target]).collect();
        outline.service(widest_exposure(&all), &ports)
    }

    /// Why one Service cannot serve the pods of the target and `others`, and a hint; `None` if it can.
    #[must_use]
    pub fn conflict(&self, others: &[String]) -> Option<(String, String)> {
        let target = self.ports.get(&self.target)?;
        let known: Vec<&RevisionPorts> = others.iter().filter_map(|name| self.ports.get(name)).collect();
        let conflicts = union_ports(Offer::Exposed, target, &known, None).conflicts;
        let conflict = conflicts.first()?;
        let port = conflict.key.port;
        let reason = format!(
            "port {port} maps to {} in revisions of component `{}` that have pods, and one service cannot serve all of them",
            conflict.targets.join(" and "),
            self.component
        );
        let hint = "give the container's port the `name` that it has in the other revision, or finish or abort the run under way first";
        Some((reason, hint.to_owned()))
    }

    /// What the record has to keep: what the target and `others` expose, if it differs from their annotations.
    #[must_use]
    pub fn recorded(
        &self,
        before: &BTreeMap<String, Exposure>,
        others: &[String],
    ) -> BTreeMap<String, Exposure> {
        let mut kept = before.clone();
        kept.retain(|name, _| self.said.contains_key(name));
        for name in others.iter().chain([&self.target]) {
            let Some(ports) = self.ports.get(name) else { continue };
            let is_said = self.said.get(name).is_some_and(|said| said.as_ref() == Some(&ports.exposure));
            if is_said || ports.declared.is_empty() {
                kept.remove(name);
            } else {
                kept.insert(name.clone(), ports.exposure.clone());
            }
        }
        kept
    }
}

/// The keys of labels and annotations that a revision's workload inherited from its application.
fn handed_keys(revision: &StoredRevision) -> Vec<String> {
    let inherited = revision.workload().map(Inherited::stored).unwrap_or_default();
    inherited.labels.into_keys().chain(inherited.annotations.into_keys()).collect()
}

/// The revisions other than the target that may have pods.
///
/// A Deployment is named after its revision. An in-place workload may run pods of the targets and sources of all runs
/// since the last that succeeded, which left only pods of its own target.
#[must_use]
pub fn other_revisions(observed: &Observed, kind: WorkloadKind, target: &str) -> Vec<String> {
    let mut names: BTreeSet<&str> = observed.workloads.iter().filter_map(Workload::revision).collect();
    let Some(record) = observed.record.as_ref().filter(|_| !observed.workloads.is_empty()) else {
        return listed(names, target);
    };
    let run = &record.run;
    let runs = || std::iter::once(&record.run).chain(&record.past);
    let has_sources = names.iter().any(|name| *name != target);
    if has_sources && run.spec.target == target && run.outcome.is_resumable() {
        // Sources without workloads count while others remain, so that a Service is trimmed only once.
        names.extend(run.spec.sources.iter().map(String::as_str));
    }
    if !kind.is_in_place() && names.contains(record.component.as_str()) {
        // The Deployment of a component that is applied as a whole is named after the component.
        for run in runs().filter(|run| run.spec.mode == Mode::Apply) {
            names.insert(&run.spec.target);
            if run.outcome == Outcome::Succeeded {
                names.remove(record.component.as_str());
                break;
            }
        }
        // Where no such run is known to have succeeded, as after a record was lost, its pods may be of any revision.
    }
    if kind.is_in_place() {
        for run in runs() {
            names.insert(&run.spec.target);
            if run.outcome == Outcome::Succeeded {
                break;
            }
            names.extend(run.spec.sources.iter().map(String::as_str));
        }
    }
    listed(names, target)
}

fn listed(names: BTreeSet<&str>, target: &str) -> Vec<String> {
    names.into_iter().filter(|name| *name != target).map(str::to_owned).collect()
}

/// Why a Service cannot be changed because it belongs to somebody else; `None` if there is no such Service.
#[must_use]
pub fn foreign_service(changes: &[Change]) -> Option<String> {
    changes.iter().find_map(|change| match change {
        Change::Foreign(reason) => Some(reason.clone()),
        Change::None | Change::Create(_) | Change::Update { .. } | Change::Remove(_) => None,
    })
}
