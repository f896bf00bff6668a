//! The Services of a component: one for its exposed ports, and for a StatefulSet a headless one that gives its pods
//! their DNS names. They select the pods of all revisions; [`crate::oam::exposure`] decides their ports.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::oam::application::{Application, Component};
use crate::oam::exposure::{Exposure, Offer, RevisionPorts, declared_ports, union_ports};
use crate::oam::kind::WorkloadKind;
use crate::oam::labels;
use crate::oam::properties::ExposeType;
use crate::oam::render::{Inherited, own_labels, render_workload};

/// The name of the headless Service of a StatefulSet.
#[must_use]
pub fn headless_name(component: &str) -> String {
    format!("{component}-headless")
}

/// The Services that a component of a kind may have: their names, and which ports they offer.
#[must_use]
pub fn service_names(component: &str, kind: WorkloadKind) -> Vec<(String, Offer)> {
    let exposing = (component.to_owned(), Offer::Exposed);
    match kind {
        WorkloadKind::Deployment | WorkloadKind::CloneSet => vec![exposing],
        WorkloadKind::StatefulSet => vec![exposing, (headless_name(component), Offer::All)],
    }
}

/// A Service without its ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// Its name.
    pub name: String,
    /// Which ports of a revision it offers.
    pub offer: Offer,
    /// The labels and annotations of its application.
    pub inherited: Inherited,
    component: String,
    namespace: String,
    own: BTreeMap<String, String>,
}

impl Outline {
    /// The Services of a component that runs as this kind.
    #[must_use]
    pub fn all(
        application: &str,
        component: &str,
        kind: WorkloadKind,
        namespace: &str,
        inherited: &Inherited,
    ) -> Vec<Self> {
        let outline = |(name, offer)| {
            let resource = match (offer, kind) {
                (Offer::Exposed, WorkloadKind::Deployment | WorkloadKind::CloneSet) => "webserviceExpose",
                (Offer::Exposed, WorkloadKind::StatefulSet) => "statefulsetExpose",
                (Offer::All, _) => "statefulsetHeadless",
            };
            let mut own = own_labels(application, component, namespace);
            for (key, value) in [
                (labels::RESOURCE_TYPE, "TRAIT"),
                (labels::TRAIT_TYPE, "AuxiliaryWorkload"),
                (labels::TRAIT_RESOURCE, resource),
            ] {
                own.insert(key.to_owned(), value.to_owned());
            }
            Self {
                name,
                offer,
                inherited: inherited.clone(),
                component: component.to_owned(),
                namespace: namespace.to_owned(),
                own,
            }
        };
        service_names(component, kind).into_iter().map(outline).collect()
    }

    /// The Service with these ports; `None` if it needs ports and has none. The headless Service needs none.
    #[must_use]
    pub fn service(&self, service_type: ExposeType, ports: &[Value]) -> Option<Value> {
        let mut spec = json!({"selector": {labels::COMPONENT: self.component}});
        match self.offer {
            Offer::Exposed if ports.is_empty() => return None,
            Offer::Exposed => spec["type"] = json!(service_type),
            Offer::All => {
                spec["clusterIP"] = json!("None");
                // Peers must find each other before they are ready.
                spec["publishNotReadyAddresses"] = json!(true);
            }
        }
        if !ports.is_empty() {
            spec["ports"] = json!(ports);
        }
        let mut labels = self.inherited.labels.clone();
        labels.extend(self.own.clone());
        let mut metadata = json!({"name": self.name, "namespace": self.namespace, "labels": labels});
        if !self.inherited.annotations.is_empty() {
            metadata["annotations"] = json!(self.inherited.annotations);
        }
        Some(json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}))
    }
}

/// The Services of a component once all its pods are of the revision that the manifest renders.
pub fn render_services(application: &Application, component: &Component, namespace: &str) -> Vec<Value> {
    let workload = render_workload(application, component, namespace, "");
    render_services_for(application, component, namespace, &workload)
}

/// The Services for the pods of this workload.
pub(super) fn render_services_for(
    application: &Application,
    component: &Component,
    namespace: &str,
    workload: &Value,
) -> Vec<Value> {
    let exposure = Exposure::of(component);
    let declared = declared_ports(workload);
    let ports = RevisionPorts { declared, exposure };
    let kind = component.kind.workload().unwrap_or_default();
    let inherited = Inherited::of(application);
    let outlines = Outline::all(&application.name, &component.name, kind, namespace, &inherited);
    let service = |outline: &Outline| {
        outline.service(ports.exposure.service_type, &union_ports(outline.offer, &ports, &[], None).ports)
    };
    outlines.iter().filter_map(service).collect()
}
