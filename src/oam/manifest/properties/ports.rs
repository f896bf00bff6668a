//! The ports of a workload that serves.

use std::collections::HashMap;

use crate::oam::manifest::names;
use crate::oam::manifest::walk::{At, Object, Walk};
use crate::oam::properties::{Port, Protocol};

const PROTOCOLS: [(&str, Protocol); 3] =
    [("TCP", Protocol::Tcp), ("UDP", Protocol::Udp), ("SCTP", Protocol::Sctp)];

/// What a type says about a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PortForm {
    /// It has a number in the container, another in the Service and a third on the nodes.
    Mapped,
    /// It has one number; what KubeVela ignores has no effect.
    Daemon,
    /// The same, and its name does not tell the protocol, as in the original's trait.
    RolledOut,
}

/// Reads `ports`, or the deprecated `port` where that is absent; without either there is no port, as since
/// KubeVela 1.3.
pub(super) fn read_ports(walk: &mut Walk<'_>, object: &Object<'_>, form: PortForm) -> Option<Vec<Port>> {
    let single = match object.get("port") {
        None => Some(Vec::new()),
        Some(at) => {
            walk.warn(&at, "deprecated, use `ports`".to_owned());
            read_port_number(walk, &at).map(|port| vec![single_port(port)])
        }
    };
    let Some(at) = object.get("ports") else { return single };
    let items = walk.list(&at, "a list of ports")?;
    let mut ports = Vec::new();
    let mut good = single.is_some();
    let mut numbers = HashMap::new();
    let mut port_names = HashMap::new();
    for (index, item) in items.iter().enumerate() {
        let Some(port) = read_port(walk, item, form) else {
            good = false;
            continue;
        };
        let protocol = port.protocol.unwrap_or_default();
        if let Some(first) = numbers.insert((port.port, protocol), index) {
            let (port, protocol) = (port.port, protocol.as_str());
            walk.refuse(item, format!("port {port}/{protocol} appears twice, first as ports[{first}]"));
            good = false;
        } else if let Some(name) = port.name.clone()
            && let Some(first) = port_names.insert(name.clone(), index)
        {
            let message = format!("the port's name `{name}` appears twice, first as ports[{first}]");
            walk.refuse_with(item, message, "give each port a `name` of its own");
            good = false;
        }
        ports.push(port);
    }
    good.then_some(ports)
}

/// The port of the deprecated form.
pub(super) fn single_port(port: u16) -> Port {
    Port { port, container_port: None, name: None, protocol: None, expose: false, node_port: None }
}

/// Reads a port's number.
pub(super) fn read_port_number(walk: &mut Walk<'_>, at: &At<'_>) -> Option<u16> {
    walk.integer(at, 1..=65_535, "a port").and_then(|port| u16::try_from(port).ok())
}

fn read_port(walk: &mut Walk<'_>, at: &At<'_>, form: PortForm) -> Option<Port> {
    let known: &[&str] = match form {
        PortForm::Mapped | PortForm::RolledOut => {
            &["port", "name", "protocol", "expose", "containerPort", "nodePort"]
        }
        PortForm::Daemon => &["port", "name", "protocol", "expose"],
    };
    let object = walk.open_object_of(at, known, |name| match (name, form) {
        ("containerPort" | "nodePort", PortForm::Daemon) => Some("a `daemon` has one number for a port"),
        ("targetPort", _) => Some("the container's port is `containerPort`"),
        _ => None,
    })?;
    let mut number = |name: &str| match object.get(name).filter(|_| known.contains(&name)) {
        None => Some(None),
        Some(at) => read_port_number(walk, &at).map(Some),
    };
    let (container_port, node_port) = (number("containerPort"), number("nodePort"));
    let port =
        walk.required(&object, "port", "a port from 1 to 65535").and_then(|at| read_port_number(walk, &at));
    let name = match object.get("name") {
        None => Some(None),
        Some(at) => walk.checked(&at, names::PORT, names::is_port_name).map(|name| Some(name.to_owned())),
    };
    let protocol = match object.get("protocol") {
        None => Some(Protocol::default()),
        Some(at) => walk.choice(&at, &PROTOCOLS),
    };
    let expose = match object.get("expose") {
        None => Some(false),
        Some(at) => walk.boolean(&at),
    };
    let (port, container_port, protocol) = (port?, container_port?, protocol?);
    let default = || default_name(container_port.unwrap_or(port), protocol, form);
    Some(Port {
        port,
        container_port,
        name: Some(name?.unwrap_or_else(default)),
        protocol: Some(protocol),
        expose: expose?,
        node_port: node_port?,
    })
}

fn default_name(port: u16, protocol: Protocol, form: PortForm) -> String {
    match (form, protocol) {
        (PortForm::Daemon | PortForm::RolledOut, _) | (PortForm::Mapped, Protocol::Tcp) => {
            format!("port-{port}")
        }
        (PortForm::Mapped, Protocol::Udp) => format!("port-{port}-udp"),
        (PortForm::Mapped, Protocol::Sctp) => format!("port-{port}-sctp"),
    }
}
