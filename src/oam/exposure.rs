//! What revisions expose, and the ports of a Service that serves the pods of several.
//!
//! A Service names its target ports. A pod is offered under a port only where it has one of that name, so the union of
//! what all live revisions expose serves each pod under the ports of its own revision and sends no pod traffic for a port
//! that it lacks. A target port by number would send it to every pod that the selector matches.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::oam::application::Component;
use crate::oam::properties::{ExposeType, Protocol};

/// A port's number and protocol, which a Service has once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PortKey {
    /// 1 to 65535.
    pub port: u16,
    /// TCP where nothing else is said.
    #[serde(default)]
    pub protocol: Protocol,
}

/// What a revision offers through its component's Service.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Exposure {
    /// The type of the Service.
    #[serde(default, rename = "type")]
    pub service_type: ExposeType,
    /// The ports, in the manifest's order.
    pub ports: Vec<PortKey>,
}

/// A port that the containers of a revision have.
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
    /// What of them the Service offers.
    pub exposure: Exposure,
}

/// Which of a revision's ports a Service offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// Those that it exposes.
    Exposed,
    /// All of them, as the Service does that gives a StatefulSet's pods their names in DNS.
    All,
}

/// A port that one Service cannot offer for all live revisions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The port.
    pub key: PortKey,
    /// The names that the revisions which expose it give it.
    pub names: Vec<String>,
}

/// The ports of a Service.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Union {
    /// As they stand in its spec.
    pub ports: Vec<Value>,
    /// Those that do not serve all live revisions; they are offered by number.
    pub conflicts: Vec<Conflict>,
}

impl Exposure {
    /// What a component of a manifest exposes.
    #[must_use]
    pub fn of(component: &Component) -> Self {
        let Some(properties) = component.properties() else { return Self::default() };
        let exposed = properties.ports.iter().filter(|port| port.expose);
        let key =
            |port: u16, protocol: Option<Protocol>| PortKey { port, protocol: protocol.unwrap_or_default() };
        Self {
            service_type: properties.expose_type,
            ports: exposed.map(|port| key(port.port, port.protocol)).collect(),
        }
    }

    /// What a revision exposes that has no record of it: of its ports those that its component's Service offers or, where it
    /// offers none of them, all that have a name.
    #[must_use]
    pub fn guessed(declared: &[Declared], live: Option<&Value>) -> Self {
        let Some(live) = live else { return Self::default() };
        let offered: Vec<PortKey> = entries(live).filter_map(port_key).collect();
        let keys = |is_such: &dyn Fn(&&Declared) -> bool| -> Vec<PortKey> {
            declared.iter().filter(is_such).map(|one| one.key).collect()
        };
        let mut ports = keys(&|one| offered.contains(&one.key));
        if ports.is_empty() {
            ports = keys(&|one| one.name.is_some());
        }
        let service_type = serde_json::from_value(live["spec"]["type"].clone()).unwrap_or_default();
        Self { service_type, ports }
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

    /// The ports that a Service offers of it; what no container has is none.
    #[must_use]
    pub fn offered(&self, offer: Offer) -> Vec<PortKey> {
        match offer {
            Offer::Exposed => self.exposure.ports.iter().copied().filter(|key| self.declares(*key)).collect(),
            Offer::All => self.declared.iter().map(|one| one.key).collect(),
        }
    }
}

/// The type of a Service that serves these revisions: the one that is reachable from farthest.
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
/// While there are others, a port that the Service has keeps its name: clients that route by name are not disturbed. A port
/// that is new then gets the name of its container's port where that is free.
#[must_use]
pub fn union_ports(
    offer: Offer,
    target: &RevisionPorts,
    others: &[&RevisionPorts],
    live: Option<&Value>,
) -> Union {
    let all: Vec<&RevisionPorts> = std::iter::once(target).chain(others.iter().copied()).collect();
    let mut keys: Vec<PortKey> = Vec::new();
    for key in all.iter().flat_map(|one| one.offered(offer)) {
        if !keys.contains(&key) {
            keys.push(key);
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
    let names = names(&keys, &own, live.filter(|_| !others.is_empty()));
    let ports = keys.iter().zip(targets).zip(names).map(|((key, target), name)| {
        let mut entry = json!({"port": key.port, "targetPort": target});
        if let Some(name) = name {
            entry["name"] = json!(name);
        }
        // KubeVela leaves the protocol out, and so offers UDP ports as TCP.
        if key.protocol != Protocol::Tcp {
            entry["protocol"] = json!(key.protocol.as_str());
        }
        entry
    });
    Union { ports: ports.collect(), conflicts }
}

/// The name of a port in the first revision that offers it.
fn own_name(key: PortKey, offer: Offer, all: &[&RevisionPorts]) -> Option<String> {
    let offering = all.iter().find(|one| one.offered(offer).contains(&key))?;
    offering.name_of(key).map(str::to_owned)
}

/// By name where all that offer the port call it alike; by number where every pod has it.
fn target_port(key: PortKey, offer: Offer, all: &[&RevisionPorts]) -> Result<Value, Conflict> {
    let offering = all.iter().filter(|one| one.offered(offer).contains(&key));
    let names: BTreeSet<Option<&str>> = offering.map(|one| one.name_of(key)).collect();
    match names.first() {
        Some(Some(name)) if names.len() == 1 => Ok(json!(name)),
        _ if all.iter().all(|one| one.declares(key)) => Ok(json!(key.port)),
        _ => {
            let names = names.into_iter().map(|name| name.unwrap_or("(unnamed)").to_owned()).collect();
            Err(Conflict { key, names })
        }
    }
}

/// A name for each port, each once; a single port may have none.
fn names(keys: &[PortKey], own: &[Option<String>], live: Option<&Value>) -> Vec<Option<String>> {
    let kept = |at: PortKey| {
        let entry = entries(live?).find(|entry| port_key(entry) == Some(at))?;
        entry["name"].as_str().map(str::to_owned)
    };
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

    /// A revision with ports that it exposes, by name and number, and others that it only has.
    fn revision(exposed: &[(&str, u16)], other: &[(&str, u16)]) -> RevisionPorts {
        let key = |port: u16| PortKey { port, protocol: TCP };
        let declared = exposed.iter().chain(other).map(|(name, port)| Declared {
            key: key(*port),
            name: (!name.is_empty()).then(|| (*name).to_owned()),
        });
        RevisionPorts {
            declared: declared.collect(),
            exposure: Exposure {
                service_type: ExposeType::ClusterIp,
                ports: exposed.iter().map(|(_, port)| key(*port)).collect(),
            },
        }
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
    fn each_revisions_ports_are_offered_by_their_names() {
        let (old, new) = (revision(&[("port-80", 80)], &[]), revision(&[("port-8080", 8080)], &[]));
        assert_eq!(
            shown(&of(&new, &[&old], &[("port-80", 80)])),
            ["port-8080 8080->port-8080", "port-80 80->port-80"]
        );
        assert_eq!(shown(&of(&new, &[], &[("port-80", 80)])), ["port-8080 8080->port-8080"]);
    }

    #[test]
    fn a_name_that_moves_to_another_number_stays_where_it_is_while_both_live() {
        let (old, new) = (revision(&[("http", 80)], &[]), revision(&[("http", 8080)], &[]));
        let both = of(&new, &[&old], &[("http", 80)]);
        assert_eq!(shown(&both), ["tcp-8080 8080->http", "http 80->http"]);
        assert_eq!(shown(&of(&new, &[], &[("http", 80)])), ["http 8080->http"]);
    }

    #[test]
    fn one_number_under_two_names_is_offered_by_number_where_every_pod_has_it() {
        let (old, new) = (revision(&[("http", 80)], &[]), revision(&[("web", 80)], &[]));
        let both = of(&new, &[&old], &[("http", 80)]);
        assert_eq!((shown(&both), both.conflicts.len()), (vec!["http 80->80".to_owned()], 0));
        let third = revision(&[], &[]);
        let conflicts = of(&new, &[&old, &third], &[]).conflicts;
        assert_eq!(conflicts[0].names, ["http", "web"]);
        let hidden = revision(&[], &[("x", 80)]);
        assert!(of(&new, &[&old, &hidden], &[]).conflicts.is_empty());
    }

    #[test]
    fn a_port_without_a_name_gets_one_beside_others() {
        let one = revision(&[("", 80)], &[]);
        assert_eq!(shown(&of(&one, &[], &[])), ["null 80->80"]);
        let two = revision(&[("", 80), ("tcp-80", 81)], &[]);
        assert_eq!(shown(&of(&two, &[], &[])), ["tcp-80-1 80->80", "tcp-80 81->tcp-80"]);
    }

    #[test]
    fn a_revision_that_does_not_say_exposes_what_the_service_offers_of_it() {
        let declared = revision(&[], &[("http", 80), ("admin", 81), ("", 82)]).declared;
        let live = |ports: &[u16]| {
            let ports: Vec<Value> = ports.iter().map(|port| json!({"port": port})).collect();
            json!({"spec": {"type": "NodePort", "ports": ports}})
        };
        let guessed = |live: Option<&Value>| -> Vec<u16> {
            Exposure::guessed(&declared, live).ports.iter().map(|key| key.port).collect()
        };
        assert_eq!(guessed(Some(&live(&[81, 9]))), [81]);
        assert_eq!(guessed(Some(&live(&[9]))), [80, 81]);
        assert!(guessed(None).is_empty());
        assert_eq!(Exposure::guessed(&declared, Some(&live(&[80]))).service_type, ExposeType::NodePort);
    }

    #[test]
    fn while_both_live_the_service_is_reachable_from_farthest() {
        let mut wide = revision(&[("a", 1)], &[]);
        wide.exposure.service_type = ExposeType::LoadBalancer;
        let narrow = revision(&[("a", 1)], &[]);
        assert_eq!(widest_exposure(&[&narrow, &wide]), ExposeType::LoadBalancer);
        assert_eq!(widest_exposure(&[&narrow]), ExposeType::ClusterIp);
    }
}
