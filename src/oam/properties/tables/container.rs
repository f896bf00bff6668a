//! A component's container: its command, environment, resources and probes.

use crate::oam::manifest::names;
use crate::oam::schema::{Field, Grammar, Literal, Rule, Shape, Table, defaulted, optional, required};
use crate::oam::traits::tables::pods::{FAILURES, INITIAL_DELAY, ONE_SUCCESS, PERIOD, SUCCESSES, TIMEOUT};
use crate::oam::traits::tables::{OBJECT_NAME, PROTOCOL};

const COMMAND_WORDS: &str = "a list of strings, such as [\"sleep\", \"60\"]";
pub(super) const WORDS: Shape = Shape::List { of: &Shape::Text, expected: COMMAND_WORDS };
/// A command that Kubernetes requires to be non-empty.
pub(super) const COMMAND: Shape = Shape::Filled { of: &WORDS, expected: COMMAND_WORDS };
pub(super) const PORT_NUMBER: Shape = Shape::Integer { noun: "a port", least: 1, most: 65_535 };

const KEY_REFERENCE: Shape = Shape::Object(&Table::closed(
    "a mapping",
    &[
        required("name", OBJECT_NAME),
        required("key", Shape::Checked(names::DATA_KEY)),
        optional("optional", Shape::Boolean),
    ],
));
const FIELD_REFERENCE: Shape = Shape::Object(&Table::closed(
    "a mapping",
    &[required("fieldPath", Shape::Text), optional("apiVersion", Shape::Text)],
));
const RESOURCE_REFERENCE: Shape = Shape::Object(&Table::closed(
    "a mapping",
    &[
        required("resource", Shape::Text),
        optional("containerName", Shape::Text),
        optional("divisor", Shape::Text),
    ],
));

/// KubeVela copies the last two sources without declaring them, and manifests use them.
const SOURCE: Table = Table::closed(
    "a mapping",
    &[
        optional("secretKeyRef", KEY_REFERENCE),
        optional("configMapKeyRef", KEY_REFERENCE),
        optional("fieldRef", FIELD_REFERENCE),
        optional("resourceFieldRef", RESOURCE_REFERENCE),
    ],
)
.with_rules(&[Rule::OneOf {
    names: &["secretKeyRef", "configMapKeyRef", "fieldRef", "resourceFieldRef"],
    none: "no source",
    expected: "one",
}]);

pub(super) const ENV: Shape = Shape::List {
    of: &Shape::Object(&Table::of_component(&[
        required("name", Shape::Checked(names::ENV)),
        optional("value", Shape::Text),
        optional("valueFrom", Shape::Object(&SOURCE)),
    ])),
    expected: "a list of variables, each with `name` and `value`",
};

const HEADER_NAME: Grammar = Grammar::new("a header's name (letters, digits and `-`)", |text| {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
});
const EXEC: Field = optional(
    "exec",
    Shape::Object(&Table::closed("a mapping", &[required("command", COMMAND).missing("a list of strings")])),
);
const HEALTH_PATH: &str = "a path such as `/healthz`";
const HTTP_PATH: Field = required(
    "path",
    Shape::Filled { of: &Shape::Checked(Grammar::new(HEALTH_PATH, |_| true)), expected: HEALTH_PATH },
);
const HTTP_PORT: Field = required("port", PORT_NUMBER);
const HTTP_HEADERS: Field = optional(
    "httpHeaders",
    Shape::List {
        of: &Shape::Object(&Table::closed(
            "a mapping",
            &[required("name", Shape::Checked(HEADER_NAME)), required("value", Shape::Text)],
        )),
        expected: "a list of headers, each with `name` and `value`",
    },
);
const HTTP_GET: Field = optional(
    "httpGet",
    Shape::Object(&Table::closed(
        "a mapping",
        &[
            HTTP_PATH,
            HTTP_PORT,
            HTTP_HEADERS,
            optional("host", Shape::Checked(Grammar::new("a host", |_| true))),
            optional("scheme", Shape::Choice(&["HTTP", "HTTPS"])),
        ],
    )),
);
const SHORT_HTTP_GET: Field = optional(
    "httpGet",
    Shape::Object(&Table::closed("a mapping", &[HTTP_PATH, HTTP_PORT, HTTP_HEADERS]).with_unsupported(&[
        ("host", "only a `webservice`, a `daemon` and a `statefulset` have it"),
        ("scheme", "only a `webservice`, a `daemon` and a `statefulset` have it"),
    ])),
);
const SOCKET: Field = optional("tcpSocket", Shape::Object(&Table::closed("a mapping", &[HTTP_PORT])));

const fn probe(fields: &'static [Field]) -> Table {
    Table::closed("a mapping", fields).with_rules(&[Rule::OneOf {
        names: &["exec", "httpGet", "tcpSocket"],
        none: "no handler",
        expected: "exactly one",
    }])
}
const LIVENESS: Table =
    probe(&[EXEC, HTTP_GET, SOCKET, INITIAL_DELAY, PERIOD, TIMEOUT, ONE_SUCCESS, FAILURES]);
const READINESS: Table =
    probe(&[EXEC, HTTP_GET, SOCKET, INITIAL_DELAY, PERIOD, TIMEOUT, SUCCESSES, FAILURES]);
const SHORT_LIVENESS: Table =
    probe(&[EXEC, SHORT_HTTP_GET, SOCKET, INITIAL_DELAY, PERIOD, TIMEOUT, ONE_SUCCESS, FAILURES]);
const SHORT_READINESS: Table =
    probe(&[EXEC, SHORT_HTTP_GET, SOCKET, INITIAL_DELAY, PERIOD, TIMEOUT, SUCCESSES, FAILURES]);

/// The probes of types that serve requests.
pub(super) const PROBES: [Field; 2] = [
    optional("livenessProbe", Shape::Object(&LIVENESS)),
    optional("readinessProbe", Shape::Object(&READINESS)),
];
/// The probes of the other types, whose requests have neither host nor scheme.
pub(super) const SHORT_PROBES: [Field; 2] = [
    optional("livenessProbe", Shape::Object(&SHORT_LIVENESS)),
    optional("readinessProbe", Shape::Object(&SHORT_READINESS)),
];

const PORT: Field = required("port", PORT_NUMBER);
const PORT_NAME: Field = optional("name", Shape::Checked(names::PORT));
const PORT_PROTOCOL: Field = defaulted("protocol", PROTOCOL, Literal::Text("TCP"));
const EXPOSED: Field = defaulted("expose", Shape::Boolean, Literal::Boolean(false));
const TARGET_PORT: (&str, &str) = ("targetPort", "the container's port is `containerPort`");
const ONE_NUMBER: &str = "a `daemon` has one number for a port";

pub(super) const MAPPED_PORT: Shape = Shape::Object(
    &Table::of_component(&[
        PORT,
        PORT_NAME,
        PORT_PROTOCOL,
        EXPOSED,
        optional("containerPort", PORT_NUMBER),
        optional("nodePort", Shape::NodePort),
    ])
    .with_unsupported(&[TARGET_PORT]),
);
pub(super) const DAEMON_PORT: Shape =
    Shape::Object(&Table::of_component(&[PORT, PORT_NAME, PORT_PROTOCOL, EXPOSED]).with_unsupported(&[
        ("containerPort", ONE_NUMBER),
        ("nodePort", ONE_NUMBER),
        TARGET_PORT,
    ]));
