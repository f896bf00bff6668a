//! What the properties of each trait may be, as KubeVela's definitions declare them. A default is filled in only where
//! it is rendered.

pub(super) mod containers;
pub(super) mod metadata;
pub(super) mod network;
pub(super) mod nocalhost;
pub(super) mod pods;
pub(super) mod scheduling;
pub(super) mod security;
pub(super) mod size;
pub(super) mod storage;

use crate::oam::manifest::names;
use crate::oam::schema::{Field, Grammar, PORT, Rule, Shape, TEXTS, Table, optional, required};

/// Any string.
const ANY_KEY: Grammar = Grammar { expected: "a string", accepts: |_| true };

pub(in crate::oam::traits) const LABEL: Grammar =
    Grammar { expected: names::LABEL, accepts: names::is_label };
const SUBDOMAIN: Grammar = Grammar { expected: names::SUBDOMAIN, accepts: names::is_subdomain };
const KEY: Grammar = Grammar { expected: names::KEY, accepts: names::is_key };
const LABEL_VALUE: Grammar = Grammar { expected: names::LABEL_VALUE, accepts: names::is_label_value };
const ENV_NAME: Grammar = Grammar { expected: names::ENV, accepts: names::is_env };
const DATA_KEY: Grammar = Grammar { expected: names::DATA_KEY, accepts: names::is_data_key };
const IMAGE_NAME: Grammar = Grammar {
    expected: "an image such as `nginx:1.29`, without spaces",
    accepts: |image| !image.is_empty() && !image.chars().any(|c| c.is_whitespace() || c.is_control()),
};
const MOUNT_PATH: Grammar = Grammar {
    expected: "a directory such as `/data`, without `:`",
    accepts: |path| !path.is_empty() && !path.contains(':'),
};
/// The host of an Ingress. An empty one is every host.
const HOST: Grammar = Grammar {
    expected: "a host name such as `shop.example.com` or `*.example.com`",
    accepts: |text| text.is_empty() || names::is_subdomain(text.strip_prefix("*.").unwrap_or(text)),
};
const ADDRESS: Grammar =
    Grammar { expected: "an IPv4 or IPv6 address", accepts: |text| text.parse::<std::net::IpAddr>().is_ok() };

/// The name of an object that is no Namespace and no Service.
const OBJECT_NAME: Shape = Shape::Checked(SUBDOMAIN);
/// The name of a container, a volume or a port of a Service.
const LABEL_NAME: Shape = Shape::Checked(LABEL);
const IMAGE_TEXT: Shape = Shape::Checked(IMAGE_NAME);
const PATH: Shape = Shape::Checked(MOUNT_PATH);
const PROTOCOL: Shape = Shape::Choice(&["TCP", "UDP", "SCTP"]);
const LABELS: Shape =
    Shape::Map { of: &Shape::Checked(LABEL_VALUE), keys: KEY, expected: "a mapping of labels" };
const ANNOTATIONS: Shape = Shape::Map { of: &Shape::Text, keys: KEY, expected: "a mapping of annotations" };
/// Permission bits.
const MODE: Shape = Shape::Integer { least: 0, most: 0o777 };

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
    &[required("name", Shape::Text), required("key", Shape::Checked(DATA_KEY))],
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
                required("name", Shape::Checked(ENV_NAME)),
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
