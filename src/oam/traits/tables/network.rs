//! Traits that make a component reachable.

use crate::oam::schema::{ANY_KEY, Field, Literal, PORT, Rule, Shape, Table, defaulted, optional, required};
use crate::oam::traits::tables::{ANNOTATIONS, HOST, LABEL_NAME, LABELS, OBJECT_NAME, PROTOCOL};

const EXPOSED_PORT: Table = Table::open(
    "a port with `port`",
    &[
        required("port", PORT),
        optional("name", LABEL_NAME),
        defaulted("protocol", PROTOCOL, Literal::Text("TCP")),
        optional("nodePort", Shape::NodePort),
    ],
)
.with_advice(&[("targetPort", "the Service has the container's `port`")]);

pub(in crate::oam::traits) const EXPOSE: Table = Table::open(
    "a mapping with `ports`",
    &[
        optional("port", Shape::List { of: &PORT, expected: "a list of port numbers" }).deprecated("`ports`"),
        optional(
            "ports",
            Shape::List { of: &Shape::Object(&EXPOSED_PORT), expected: "a list of ports, each with `port`" },
        ),
        defaulted(
            "type",
            Shape::Choice(&["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"]),
            Literal::Text("ClusterIP"),
        ),
        optional("annotations", ANNOTATIONS),
        optional("matchLabels", LABELS),
    ],
)
.with_rules(&[Rule::AtLeastOne(&["ports", "port"])])
.with_advice(&[("http", "paths of an Ingress belong to the trait `gateway`")]);

/// Paths of an Ingress and the ports that they lead to.
const PATHS: Field = required(
    "http",
    Shape::Map { of: &PORT, keys: ANY_KEY, expected: "a mapping of paths to ports, such as {\"/\": 80}" },
);

pub(in crate::oam::traits) const GATEWAY: Table = Table::open(
    "a mapping with `http`",
    &[
        PATHS,
        optional("domain", Shape::Checked(HOST)),
        defaulted("class", Shape::Text, Literal::Text("nginx")),
        defaulted("classInSpec", Shape::Boolean, Literal::Boolean(false)),
        optional("secretName", OBJECT_NAME),
        optional("gatewayHost", Shape::Text),
        optional("name", LABEL_NAME),
        defaulted(
            "pathType",
            Shape::Choice(&["ImplementationSpecific", "Prefix", "Exact"]),
            Literal::Text("ImplementationSpecific"),
        ),
        optional("annotations", ANNOTATIONS),
        optional("labels", LABELS),
        optional("existingServiceName", LABEL_NAME),
    ],
)
.with_advice(&[("host", "the host is `domain`"), ("tls", "the certificate's Secret is `secretName`")]);

const DOMAIN: Field = required("domain", Shape::Checked(HOST));

pub(in crate::oam::traits) const INGRESS: Table =
    Table::open("a mapping with `domain` and `http`", &[DOMAIN, PATHS]);

pub(in crate::oam::traits) const INGRESS_1_20: Table = Table::open(
    "a mapping with `domain` and `http`",
    &[DOMAIN, PATHS, defaulted("class", Shape::Text, Literal::Text("nginx"))],
);
