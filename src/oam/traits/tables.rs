//! The properties of each trait, as KubeVela's definitions declare them. Defaults are filled in only if they are
//! rendered.

pub(in crate::oam) mod containers;
pub(super) mod metadata;
pub(super) mod network;
pub(super) mod nocalhost;
pub(in crate::oam) mod pods;
pub(super) mod scheduling;
pub(super) mod security;
pub(super) mod size;
pub(super) mod storage;

use crate::oam::manifest::names;
use crate::oam::schema::{Field, Grammar, PORT, Rule, Shape, TEXTS, Table, integer, optional, required};

const IMAGE_NAME: Grammar = Grammar::new("an image such as `nginx:1.29`, without spaces", |image| {
    !image.is_empty() && !image.chars().any(|c| c.is_whitespace() || c.is_control())
});
const MOUNT_PATH: Grammar =
    Grammar::new("a directory such as `/data`, without `:`", |path| !path.is_empty() && !path.contains(':'));
/// The host of an Ingress. An empty one matches every host.
const HOST: Grammar = Grammar::new("a host name such as `shop.example.com` or `*.example.com`", |text| {
    text.is_empty() || names::is_subdomain(text.strip_prefix("*.").unwrap_or(text))
});
pub(in crate::oam) const ADDRESS: Grammar =
    Grammar::new("an IPv4 or IPv6 address", |text| text.parse::<std::net::IpAddr>().is_ok());

/// The name of an object other than a Namespace or a Service.
pub(in crate::oam) const OBJECT_NAME: Shape = Shape::Checked(names::SUBDOMAIN);
/// The name of a container, a volume or a port of a Service.
pub(in crate::oam) const LABEL_NAME: Shape = Shape::Checked(names::LABEL);
const IMAGE_TEXT: Shape = Shape::Checked(IMAGE_NAME);
pub(in crate::oam) const PATH: Shape = Shape::Checked(MOUNT_PATH);
pub(in crate::oam) const PROTOCOL: Shape = Shape::Choice(&["TCP", "UDP", "SCTP"]);
const LABELS: Shape =
    Shape::Map { of: &Shape::Checked(names::LABEL_VALUE), keys: names::KEY, expected: "a mapping of labels" };
const ANNOTATIONS: Shape =
    Shape::Map { of: &Shape::Text, keys: names::KEY, expected: "a mapping of annotations" };
/// Permission bits.
const MODE: Shape = integer(0, 0o777);

/// The headers of a request.
const HEADERS: Shape = Shape::List {
    of: &Shape::Object(&Table::closed(
        "a header with `name` and `value`",
        &[required("name", Shape::Text), required("value", Shape::Text)],
    )),
    expected: "a list of headers",
};

/// A command in a container.
const EXEC: Shape = Shape::Object(&Table::closed("a mapping with `command`", &[required("command", TEXTS)]));

const KEY_REFERENCE: Shape = Shape::Object(&Table::copied(
    "a reference with `name` and `key`",
    &[required("name", Shape::Text), required("key", Shape::Checked(names::DATA_KEY))],
));

const SOURCES: &[Field] = &[
    optional("secretKeyRef", KEY_REFERENCE),
    optional("configMapKeyRef", KEY_REFERENCE),
    optional(
        "fieldRef",
        Shape::Object(&Table::copied("a reference with `fieldPath`", &[required("fieldPath", Shape::Text)])),
    ),
];

/// Variables of the environment; each is copied whole.
const VARIABLES: Shape = Shape::List {
    of: &Shape::Object(
        &Table::copied(
            "a variable with `name`",
            &[
                required("name", Shape::Checked(names::ENV)),
                optional("value", Shape::Text),
                optional("valueFrom", Shape::Object(&Table::copied("a source of the value", SOURCES))),
            ],
        )
        .with_rules(&[Rule::AtMostOne(&["value", "valueFrom"])]),
    ),
    expected: "a list of variables, each with `name`",
};

/// A socket.
const SOCKET: Shape = Shape::Object(&Table::closed(
    "a mapping with `port`",
    &[required("port", PORT), optional("host", Shape::Text)],
));
