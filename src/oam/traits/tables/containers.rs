//! Traits that change containers: one by its name, or several in `containers`.

use crate::oam::manifest::names;
use crate::oam::schema::{Field, Literal, PORT, Rule, Shape, TEXTS, Table, defaulted, optional, required};
use crate::oam::traits::tables::{ADDRESS, IMAGE_TEXT, LABEL_NAME, PROTOCOL};

/// The container; the component's own if it is absent or empty.
pub(super) const CONTAINER_NAME: Field = optional("containerName", Shape::Text);
/// The container, among several.
pub(super) const EACH_CONTAINER_NAME: Field = required("containerName", LABEL_NAME);

/// The field with several containers.
pub(super) const fn several(of: &'static Shape) -> Field {
    optional("containers", Shape::List { of, expected: "a list of containers, each with `containerName`" })
}

const REPLACE: Field = defaulted("replace", Shape::Boolean, Literal::Boolean(false));
const VARIABLES: Field = defaulted(
    "env",
    Shape::Map { of: &Shape::Text, keys: names::ENV, expected: "a mapping of names to values" },
    Literal::EmptyMap,
);
const UNSET: Field = defaulted("unset", TEXTS, Literal::Texts(&[]));

const EACH_ENV: Table = Table::closed(
    "a container with `containerName` and `env`",
    &[EACH_CONTAINER_NAME, REPLACE, VARIABLES, UNSET],
);

pub(in crate::oam::traits) const ENV: Table = Table::closed(
    "a mapping with `env`",
    &[CONTAINER_NAME, REPLACE, VARIABLES, UNSET, several(&Shape::Object(&EACH_ENV))],
)
.with_rules(&[Rule::Alone("containers")]);

const COMMAND_FIELD: Field = optional("command", Shape::Nullable(&TEXTS));
const ARGS: Field = optional("args", Shape::Nullable(&TEXTS));
const ADD_ARGS: Field = optional("addArgs", Shape::Nullable(&TEXTS));
const DEL_ARGS: Field = optional("delArgs", Shape::Nullable(&TEXTS));
const ADDED: Rule = Rule::AtMostOne(&["args", "addArgs"]);
const DELETED: Rule = Rule::AtMostOne(&["args", "delArgs"]);

const EACH_COMMAND: Table = Table::closed(
    "a container with `containerName` and `command` or `args`",
    &[EACH_CONTAINER_NAME, COMMAND_FIELD, ARGS, ADD_ARGS, DEL_ARGS],
)
.with_rules(&[ADDED, DELETED]);

pub(in crate::oam::traits) const COMMAND: Table = Table::closed(
    "a mapping with `command` or `args`",
    &[CONTAINER_NAME, COMMAND_FIELD, ARGS, ADD_ARGS, DEL_ARGS, several(&Shape::Object(&EACH_COMMAND))],
)
.with_rules(&[ADDED, DELETED, Rule::Alone("containers")])
.with_advice(&[("cmd", "the command is `command`")]);

const PULL_POLICY: Field =
    optional("imagePullPolicy", Shape::Choice(&["", "Always", "Never", "IfNotPresent"]));

const EACH_IMAGE: Table = Table::closed(
    "a container with `containerName` and `image`",
    &[EACH_CONTAINER_NAME, required("image", IMAGE_TEXT), PULL_POLICY],
);

pub(in crate::oam::traits) const IMAGE: Table = Table::closed(
    "a mapping with `image`",
    &[CONTAINER_NAME, optional("image", IMAGE_TEXT), PULL_POLICY, several(&Shape::Object(&EACH_IMAGE))],
)
.with_rules(&[Rule::AtLeastOne(&["image", "containers"]), Rule::Alone("containers")]);

const PORTS_FIELD: Field = defaulted(
    "ports",
    Shape::List {
        of: &Shape::Object(&Table::closed(
            "a port with `containerPort`",
            &[
                required("containerPort", PORT),
                defaulted("protocol", PROTOCOL, Literal::Text("TCP")),
                optional("hostPort", PORT),
                optional("hostIP", Shape::Checked(ADDRESS)),
            ],
        )),
        expected: "a list of ports, each with `containerPort`",
    },
    Literal::Texts(&[]),
);

const EACH_PORTS: Table =
    Table::closed("a container with `containerName` and `ports`", &[EACH_CONTAINER_NAME, PORTS_FIELD]);

pub(in crate::oam::traits) const PORTS: Table = Table::closed(
    "a mapping with `ports`",
    &[CONTAINER_NAME, PORTS_FIELD, several(&Shape::Object(&EACH_PORTS))],
)
.with_rules(&[Rule::Alone("containers")]);

pub(in crate::oam) const CPU: Shape = Shape::Quantity("`500m` or `0.5`");
pub(in crate::oam) const MEMORY: Shape = Shape::Quantity("`512Mi` or `1Gi`");
const AMOUNTS: Table = Table::open(
    "a mapping with `cpu` and `memory`",
    &[defaulted("cpu", CPU, Literal::Text("1")), defaulted("memory", MEMORY, Literal::Text("2048Mi"))],
);

pub(in crate::oam::traits) const RESOURCE: Table = Table::open(
    "a mapping with `cpu` and `memory`, or `requests` and `limits`",
    &[
        optional("cpu", CPU),
        optional("memory", MEMORY),
        optional("requests", Shape::Object(&AMOUNTS)),
        optional("limits", Shape::Object(&AMOUNTS)),
    ],
)
.with_advice(&[("mem", "the memory is `memory`"), ("limit", "the limits are `limits`")]);

pub(in crate::oam::traits) const SERVICE_BINDING: Table = Table::open(
    "a mapping with `envMappings`",
    &[required(
        "envMappings",
        Shape::Map {
            of: &Shape::Object(&Table::closed(
                "a key of a Secret, with `secret`",
                &[required("secret", Shape::Text), optional("key", Shape::Checked(names::DATA_KEY))],
            )),
            keys: names::ENV,
            expected: "a mapping of variables to keys of Secrets",
        },
    )],
);
