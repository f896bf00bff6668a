//! The ports that revisions expose, and the ports of a Service that serves the pods of several.
//!
//! A Service names its target ports. A pod becomes an endpoint of a port only if it has a port of that name. So with
//! the union of the ports that all live revisions expose, each pod serves the ports of its own revision, and gets no
//! traffic for ports that it lacks. A numeric target port would include every pod that the selector matches.

use std::collections::BTreeSet;
use std::iter;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::oam::application::Component;
use crate::oam::properties::{ExposeType, Protocol};

/// A port's number and protocol, which are unique in a Service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PortKey {
    /// 1 to 65535.
    pub port: u16,
    /// TCP by default.
    #[serde(default)]
    pub protocol: Protocol,
}

/// A port of a revision that its component's Service offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExposedPort {
    /// The Service's port.
    #[serde(flatten)]
    pub key: PortKey,
    /// The container's port, 1 to 65535; `None` if it is the same number.
    #[serde(default, rename = "containerPort", skip_serializing_if = "Option::is_none")]
    pub container_port: Option<u16>,
    /// Its name in the Service; `None` for the name of the container's port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The port on every node, for a Service of type NodePort; `None` leaves it to the cluster.
    #[serde(default, rename = "nodePort", skip_serializing_if = "Option::is_none")]
    pub node_port: Option<u16>,
}

/// What a revision offers through its component's Service.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Exposure {
    /// The type of the Service.
    #[serde(default, rename = "type")]
    pub service_type: ExposeType,
    /// The ports, in the manifest's order.
    pub ports: Vec<ExposedPort>,
}

/// A port of a revision's containers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// Its number and protocol.
    pub key: PortKey,
    /// Its name; unique within a container.
    pub name: Option<String>,
}

/// The ports of a revision: those of its containers, and which of them it exposes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RevisionPorts {
    /// The containers' ports, in order.
    pub declared: Vec<Declared>,
    /// The ports that the Service offers.
    pub exposure: Exposure,
}

/// Which of a revision's ports a Service offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// The ports that it exposes.
    Exposed,
    /// All ports, as in the headless Service of a StatefulSet.
    All,
}

/// A port that one Service cannot offer for all live revisions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The Service's port.
    pub key: PortKey,
    /// The different container ports that revisions map it to, by name or number.
    pub targets: Vec<String>,
}

/// The ports of a Service.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Union {
    /// The ports for the Service's spec.
    pub ports: Vec<Value>,
    /// Ports that cannot serve all live revisions; they are offered by number.
    pub conflicts: Vec<Conflict>,
}

impl Exposure {
    /// What a component of a manifest exposes.
    #[must_use]
    pub fn of(component: &Component) -> Self {
        let Some(properties) = component.properties() else { return Self::default() };
        let mut targets = BTreeSet::new();
        let mut ports = Vec::new();
        for port in &properties.ports {
            let protocol = port.protocol.unwrap_or_default();
            // If several ports lead to one container port, that has the first one's name, and each has its own in the
            // Service.
            let is_further = !targets.insert((port.target(), protocol));
            if port.expose {
                ports.push(ExposedPort {
                    key: PortKey { port: port.port, protocol },
                    container_port: port.container_port.filter(|number| *number != port.port),
                    name: port.name.clone().filter(|_| is_further),
                    node_port: port.node_port,
                });
            }
        }
        Self { service_type: properties.expose_type, ports }
    }

    /// What a revision without a record of its exposure exposes: those of its ports that its component's Service offers
    /// or, if it offers none of them, all named ports.
    #[must_use]
    pub fn guessed(declared: &[Declared], live: Option<&Value>) -> Self {
        let Some(live) = live else { return Self::default() };
        let mut ports: Vec<ExposedPort> =
            entries(live).filter_map(|entry| offered_port(entry, declared)).collect();
        if ports.is_empty() {
            ports = declared.iter().filter(|one| one.name.is_some()).map(ExposedPort::from).collect();
        }
        let service_type = serde_json::from_value(live["spec"]["type"].clone()).unwrap_or_default();
        Self { service_type, ports }
    }
}

/// The port of a revision that a Service's port leads to, if the revision has it.
fn offered_port(entry: &Value, declared: &[Declared]) -> Option<ExposedPort> {
    let key = port_key(entry)?;
    let named = entry["targetPort"].as_str().and_then(|name| {
        let is_such = |one: &&Declared| one.name.as_deref() == Some(name);
        Some(declared.iter().find(is_such)?.key.port)
    });
    let numbered = entry["targetPort"].as_u64().and_then(|number| u16::try_from(number).ok());
    let number = named.or(numbered).unwrap_or(key.port);
    let target = PortKey { port: number, ..key };
    declared.iter().any(|one| one.key == target).then(|| ExposedPort {
        key,
        container_port: (number != key.port).then_some(number),
        name: None,
        node_port: None,
    })
}

impl ExposedPort {
    /// The container's port.
    #[must_use]
    pub fn target(&self) -> PortKey {
        PortKey { port: self.container_port.unwrap_or(self.key.port), ..self.key }
    }
}

impl From<&Declared> for ExposedPort {
    fn from(declared: &Declared) -> Self {
        Self { key: declared.key, container_port: None, name: None, node_port: None }
    }
}

/// The ports of a workload's containers.
#[must_use]
pub fn declared_ports(workload: &Value) -> Vec<Declared> {
    let containers = workload.pointer("/spec/template/spec/containers").and_then(Value::as_array);
    let ports =
        containers.into_iter().flatten().filter_map(|container| container["ports"].as_array()).flatten();
    ports
        .filter_map(|port| {
            let number = u16::try_from(port["containerPort"].as_u64()?).ok()?;
            let name = port["name"].as_str().map(str::to_owned);
            Some(Declared { key: PortKey { port: number, protocol: protocol(port) }, name })
        })
        .collect()
}

impl RevisionPorts {
    fn name_of(&self, key: PortKey) -> Option<&str> {
        self.declared.iter().find(|one| one.key == key).and_then(|one| one.name.as_deref())
    }

    fn declares(&self, key: PortKey) -> bool {
        self.declared.iter().any(|one| one.key == key)
    }

    /// The ports of the revision that a Service offers; ports that no container has are omitted.
    #[must_use]
    pub fn offered(&self, offer: Offer) -> Vec<ExposedPort> {
        match offer {
            Offer::Exposed => {
                self.exposure.ports.iter().filter(|port| self.declares(port.target())).cloned().collect()
            }
            Offer::All => self.declared.iter().map(ExposedPort::from).collect(),
        }
    }

    /// The port of the revision that the Service offers under this number.
    fn offered_at(&self, key: PortKey, offer: Offer) -> Option<ExposedPort> {
        self.offered(offer).into_iter().find(|port| port.key == key)
    }
}

/// The type of a Service that serves these revisions: the one with the widest reach.
#[must_use]
pub fn widest_exposure(revisions: &[&RevisionPorts]) -> ExposeType {
    let rank = |one: ExposeType| match one {
        ExposeType::ExternalName => 0,
        ExposeType::ClusterIp => 1,
        ExposeType::NodePort => 2,
        ExposeType::LoadBalancer => 3,
    };
    let exposing = revisions.iter().filter(|one| !one.offered(Offer::Exposed).is_empty());
    exposing.map(|one| one.exposure.service_type).max_by_key(|one| rank(*one)).unwrap_or_default()
}

/// The ports of a Service that serves the target's pods and those of other revisions.
///
/// While there are others, existing ports keep their names and node ports, so that clients that use these are not
/// disturbed. A new port then gets the name of its container's port if that is free.
#[must_use]
pub fn union_ports(
    offer: Offer,
    target: &RevisionPorts,
    others: &[&RevisionPorts],
    live: Option<&Value>,
) -> Union {
    let all: Vec<&RevisionPorts> = iter::once(target).chain(others.iter().copied()).collect();
    let live = live.filter(|_| !others.is_empty());
    let has_node_ports = widest_exposure(&all) == ExposeType::NodePort;
    let mut keys: Vec<PortKey> = Vec::new();
    for port in all.iter().flat_map(|one| one.offered(offer)) {
        if !keys.contains(&port.key) {
            keys.push(port.key);
        }
    }
    let mut conflicts = Vec::new();
    let own: Vec<Option<String>> = keys.iter().map(|key| own_name(*key, offer, &all)).collect();
    let targets: Vec<Value> = keys
        .iter()
        .map(|key| match target_port(*key, offer, &all) {
            Ok(target) => target,
            Err(conflict) => {
                conflicts.push(conflict);
                json!(key.port)
            }
        })
        .collect();
    let names = names(&keys, &own, live);
    let ports = keys.iter().zip(targets).zip(names).map(|((key, target), name)| {
        let mut entry = json!({"port": key.port, "targetPort": target});
        if let Some(name) = name {
            entry["name"] = json!(name);
        }
        // KubeVela omits the protocol, and so offers UDP ports as TCP.
        if key.protocol != Protocol::Tcp {
            entry["protocol"] = json!(key.protocol.as_str());
        }
        let is_kept = live_entry(live, *key).is_some_and(|entry| !entry["nodePort"].is_null());
        let asked = || all.iter().find_map(|one| one.offered_at(*key, offer)?.node_port);
        if let (true, false, Some(node_port)) = (has_node_ports, is_kept, asked()) {
            entry["nodePort"] = json!(node_port);
        }
        entry
    });
    Union { ports: ports.collect(), conflicts }
}

/// The name of a port in the first revision that offers it.
fn own_name(key: PortKey, offer: Offer, all: &[&RevisionPorts]) -> Option<String> {
    let (revision, port) = all.iter().find_map(|one| Some((one, one.offered_at(key, offer)?)))?;
    let target = port.target();
    port.name.or_else(|| revision.name_of(target).map(str::to_owned))
}

/// The target port: by name if all revisions that offer it use the same name, or by number if every pod has it.
fn target_port(key: PortKey, offer: Offer, all: &[&RevisionPorts]) -> Result<Value, Conflict> {
    let offering = all.iter().filter_map(|one| Some((one, one.offered_at(key, offer)?.target())));
    let targets: BTreeSet<(Option<&str>, PortKey)> =
        offering.map(|(one, target)| (one.name_of(target), target)).collect();
    let names: BTreeSet<Option<&str>> = targets.iter().map(|(name, _)| *name).collect();
    let numbers: BTreeSet<PortKey> = targets.iter().map(|(_, number)| *number).collect();
    if let (Some(Some(name)), 1) = (names.first(), names.len()) {
        return Ok(json!(name));
    }
    match numbers.first() {
        Some(number) if numbers.len() == 1 && all.iter().all(|one| one.declares(*number)) => {
            Ok(json!(number.port))
        }
        _ => {
            let shown = |(name, PortKey { port, .. }): (Option<&str>, PortKey)| match name {
                Some(name) => format!("`{name}`"),
                None => format!("{port}"),
            };
            Err(Conflict { key, targets: targets.into_iter().map(shown).collect() })
        }
    }
}

/// A unique name for each port; a single port may have none.
fn names(keys: &[PortKey], own: &[Option<String>], live: Option<&Value>) -> Vec<Option<String>> {
    let kept = |at: PortKey| live_entry(live, at)?["name"].as_str().map(str::to_owned);
    let mut names: Vec<Option<String>> = keys.iter().map(|key| kept(*key)).collect();
    let is_free = |names: &[Option<String>], name: &str| !names.iter().flatten().any(|taken| taken == name);
    for (index, name) in own.iter().enumerate() {
        if let Some(name) = name
            && names[index].is_none()
            && is_free(&names, name)
        {
            names[index] = Some(name.clone());
        }
    }
    if keys.len() == 1 {
        return names;
    }
    for (index, PortKey { port, protocol }) in keys.iter().enumerate() {
        let plain = format!("{}-{port}", protocol.as_str().to_lowercase());
        let numbered = (1_u32..).map(|number| format!("{plain}-{number}"));
        let mut candidates = std::iter::once(plain.clone()).chain(numbered);
        if names[index].is_none() {
            names[index] = candidates.find(|name| is_free(&names, name));
        }
    }
    names
}

fn entries(service: &Value) -> impl Iterator<Item = &Value> {
    service["spec"]["ports"].as_array().into_iter().flatten()
}

fn live_entry(service: Option<&Value>, key: PortKey) -> Option<&Value> {
    entries(service?).find(|entry| port_key(entry) == Some(key))
}

/// The number and protocol of a Service's port.
#[must_use]
pub fn port_key(entry: &Value) -> Option<PortKey> {
    let port = u16::try_from(entry["port"].as_u64()?).ok()?;
    Some(PortKey { port, protocol: protocol(entry) })
}

fn protocol(entry: &Value) -> Protocol {
    serde_json::from_value(entry["protocol"].clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TCP: Protocol = Protocol::Tcp;

    /// A revision with exposed ports, by name and number, and other ports.
    fn revision(exposed: &[(&str, u16)], other: &[(&str, u16)]) -> RevisionPorts {
        let key = |port: u16| PortKey { port, protocol: TCP };
        let declared = |(name, port): &(&str, u16)| Declared {
            key: key(*port),
            name: (!name.is_empty()).then(|| (*name).to_owned()),
        };
        RevisionPorts {
            declared: exposed.iter().chain(other).map(declared).collect(),
            exposure: Exposure {
                service_type: ExposeType::ClusterIp,
                ports: exposed.iter().map(|port| ExposedPort::from(&declared(port))).collect(),
            },
        }
    }

    /// A revision that maps port `port` of the Service to its only container port.
    fn mapped(port: u16, (name, container_port): (&str, u16)) -> RevisionPorts {
        let mut mapped = revision(&[(name, container_port)], &[]);
        mapped.exposure.ports[0].key.port = port;
        mapped.exposure.ports[0].container_port = Some(container_port);
        mapped
    }

    /// Name, port and target of each port.
    fn shown(union: &Union) -> Vec<String> {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let line =
            |one: &Value| format!("{} {}->{}", text(&one["name"]), one["port"], text(&one["targetPort"]));
        union.ports.iter().map(line).collect()
    }

    fn of(target: &RevisionPorts, others: &[&RevisionPorts], live: &[(&str, u16)]) -> Union {
        let ports: Vec<Value> =
            live.iter().map(|(name, port)| json!({"name": name, "port": port, "protocol": "TCP"})).collect();
        union_ports(Offer::Exposed, target, others, Some(&json!({"spec": {"ports": ports}})))
    }

    #[test]
    fn each_revisions_ports_are_offered_by_name() {
        let (old, new) = (revision(&[("port-80", 80)], &[]), revision(&[("port-8080", 8080)], &[]));
        assert_eq!(
            shown(&of(&new, &[&old], &[("port-80", 80)])),
            ["port-8080 8080->port-8080", "port-80 80->port-80"]
        );
        assert_eq!(shown(&of(&new, &[], &[("port-80", 80)])), ["port-8080 8080->port-8080"]);
    }

    #[test]
    fn a_name_moves_to_another_number_once_the_source_is_gone() {
        let (old, new) = (revision(&[("http", 80)], &[]), revision(&[("http", 8080)], &[]));
        let both = of(&new, &[&old], &[("http", 80)]);
        assert_eq!(shown(&both), ["tcp-8080 8080->http", "http 80->http"]);
        assert_eq!(shown(&of(&new, &[], &[("http", 80)])), ["http 8080->http"]);
    }

    #[test]
    fn one_number_with_two_names_is_offered_by_number_if_every_pod_has_it() {
        let (old, new) = (revision(&[("http", 80)], &[]), revision(&[("web", 80)], &[]));
        let both = of(&new, &[&old], &[("http", 80)]);
        assert_eq!((shown(&both), both.conflicts.len()), (vec!["http 80->80".to_owned()], 0));
        let third = revision(&[], &[]);
        let conflicts = of(&new, &[&old, &third], &[]).conflicts;
        assert_eq!(conflicts[0].targets, ["`http`", "`web`"]);
        let hidden = revision(&[], &[("x", 80)]);
        assert!(of(&new, &[&old, &hidden], &[]).conflicts.is_empty());
    }

    #[test]
    fn a_name_leads_to_the_number_of_each_revision() {
        let (old, new) = (mapped(80, ("http", 8080)), mapped(80, ("http", 9090)));
        assert_eq!(shown(&of(&new, &[&old], &[("http", 80)])), ["http 80->http"]);
        let plain = revision(&[("http", 80)], &[]);
        assert_eq!(shown(&of(&new, &[&plain], &[("http", 80)])), ["http 80->http"]);
    }

    #[test]
    fn two_numbers_with_two_names_conflict() {
        let (old, new) = (mapped(80, ("a", 8080)), mapped(80, ("b", 9090)));
        assert_eq!(of(&new, &[&old], &[]).conflicts[0].targets, ["`a`", "`b`"]);
        // If both names have the same number, there is no conflict.
        let same = mapped(80, ("b", 8080));
        assert_eq!(shown(&of(&same, &[&old], &[])), ["b 80->8080"]);
    }

    #[test]
    fn the_node_port_changes_once_only_the_target_has_pods() {
        let exposing = |node_port: u16| {
            let mut one = revision(&[("http", 80)], &[]);
            one.exposure.service_type = ExposeType::NodePort;
            one.exposure.ports[0].node_port = Some(node_port);
            one
        };
        let (old, new) = (exposing(30_001), exposing(30_002));
        let live = json!({"spec": {"ports": [{"port": 80, "nodePort": 30_001}]}});
        let node_port = |others: &[&RevisionPorts], live: Option<&Value>| {
            union_ports(Offer::Exposed, &new, others, live).ports[0]["nodePort"].clone()
        };
        assert_eq!(node_port(&[&old], Some(&live)), Value::Null);
        assert_eq!(node_port(&[&old], None), json!(30_002));
        assert_eq!(node_port(&[], Some(&live)), json!(30_002));
    }

    #[test]
    fn an_unnamed_port_gets_a_name_if_there_are_others() {
        let one = revision(&[("", 80)], &[]);
        assert_eq!(shown(&of(&one, &[], &[])), ["null 80->80"]);
        let two = revision(&[("", 80), ("tcp-80", 81)], &[]);
        assert_eq!(shown(&of(&two, &[], &[])), ["tcp-80-1 80->80", "tcp-80 81->tcp-80"]);
    }

    #[test]
    fn an_unrecorded_exposure_is_derived_from_the_service() {
        let declared = revision(&[], &[("http", 80), ("admin", 81), ("", 82)]).declared;
        let live = |ports: &[u16]| {
            let ports: Vec<Value> = ports.iter().map(|port| json!({"port": port})).collect();
            json!({"spec": {"type": "NodePort", "ports": ports}})
        };
        let guessed = |live: Option<&Value>| -> Vec<u16> {
            Exposure::guessed(&declared, live).ports.iter().map(|port| port.key.port).collect()
        };
        assert_eq!(guessed(Some(&live(&[81, 9]))), [81]);
        assert_eq!(guessed(Some(&live(&[9]))), [80, 81]);
        assert!(guessed(None).is_empty());
        let mapping = json!({"spec": {"ports": [{"port": 8000, "targetPort": "admin"}]}});
        assert_eq!(Exposure::guessed(&declared, Some(&mapping)).ports[0].target().port, 81);
        assert_eq!(Exposure::guessed(&declared, Some(&live(&[80]))).service_type, ExposeType::NodePort);
    }

    #[test]
    fn the_service_has_the_type_with_the_widest_reach() {
        let mut wide = revision(&[("a", 1)], &[]);
        wide.exposure.service_type = ExposeType::LoadBalancer;
        let narrow = revision(&[("a", 1)], &[]);
        assert_eq!(widest_exposure(&[&narrow, &wide]), ExposeType::LoadBalancer);
        assert_eq!(widest_exposure(&[&narrow]), ExposeType::ClusterIp);
    }
}
