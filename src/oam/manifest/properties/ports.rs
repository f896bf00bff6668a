//! The ports of a webservice.

use std::collections::HashMap;

use crate::oam::manifest::names;
use crate::oam::manifest::walk::{At, Object, Walk};
use crate::oam::properties::{Port, Protocol};

const PROTOCOLS: [(&str, Protocol); 3] =
    [("TCP", Protocol::Tcp), ("UDP", Protocol::Udp), ("SCTP", Protocol::Sctp)];

/// Reads `ports`, or the deprecated `port` where that is absent; without either there is no port, as since
/// KubeVela 1.3.
pub(super) fn read_ports(walk: &mut Walk<'_>, object: &Object<'_>) -> Option<Vec<Port>> {
    let single = match object.get("port") {
        None => Some(Vec::new()),
        Some(at) => read_port_number(walk, &at)
            .map(|port| vec![Port { port, name: None, protocol: None, expose: false }]),
    };
    let Some(at) = object.get("ports") else { return single };
    let items = walk.list(&at, "a list of ports")?;
    let mut ports = Vec::new();
    let mut good = single.is_some();
    let mut numbers = HashMap::new();
    let mut port_names = HashMap::new();
    for (index, item) in items.iter().enumerate() {
        let Some(port) = read_port(walk, item) else {
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

/// Reads a port's number.
pub(super) fn read_port_number(walk: &mut Walk<'_>, at: &At<'_>) -> Option<u16> {
    walk.integer(at, 1..=65_535, "a port").and_then(|port| u16::try_from(port).ok())
}

fn read_port(walk: &mut Walk<'_>, at: &At<'_>) -> Option<Port> {
    let object = walk.object_of(at, &["port", "name", "protocol", "expose"], |name| match name {
        "containerPort" => Some("the port's number is `port`"),
        "targetPort" | "nodePort" => {
            Some("the Service offers a port under its own number, with `expose: true`")
        }
        _ => None,
    })?;
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
    let port = port?;
    Some(Port {
        port,
        name: Some(name?.unwrap_or_else(|| format!("port-{port}"))),
        protocol: Some(protocol?),
        expose: expose?,
    })
}
