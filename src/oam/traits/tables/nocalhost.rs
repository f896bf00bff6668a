//! The trait for development in a cluster.

use crate::oam::schema::{Literal, PORT, Shape, TEXTS, Table, defaulted, optional, required};
use crate::oam::traits::tables::containers::{CPU, MEMORY};
use crate::oam::traits::tables::{IMAGE_TEXT, PATH};

const COMMANDS: Table = Table::copied(
    "a mapping with `run` and `debug`",
    &[
        defaulted("run", TEXTS, Literal::Texts(&["sh", "run.sh"])),
        defaulted("debug", TEXTS, Literal::Texts(&["sh", "debug.sh"])),
    ],
);

const DEBUG: Table = Table::copied("a mapping with `remoteDebugPort`", &[optional("remoteDebugPort", PORT)]);

const SYNC: Table = Table::copied(
    "a mapping with `type`, `filePattern` and `ignoreFilePattern`",
    &[
        defaulted("type", Shape::Text, Literal::Text("send")),
        defaulted("filePattern", TEXTS, Literal::Texts(&["./"])),
        defaulted(
            "ignoreFilePattern",
            TEXTS,
            Literal::Texts(&[".git", ".vscode", ".idea", ".gradle", "build"]),
        ),
    ],
);

const LIMITS: Table = Table::copied(
    "a mapping with `cpu` and `memory`",
    &[defaulted("cpu", CPU, Literal::Text("2")), defaulted("memory", MEMORY, Literal::Text("2Gi"))],
);
const REQUESTS: Table = Table::copied(
    "a mapping with `cpu` and `memory`",
    &[defaulted("cpu", CPU, Literal::Text("0.5")), defaulted("memory", MEMORY, Literal::Text("512Mi"))],
);
const RESOURCES: Table = Table::open(
    "a mapping with `limits` and `requests`",
    &[
        defaulted("limits", Shape::Object(&LIMITS), Literal::Filled),
        defaulted("requests", Shape::Object(&REQUESTS), Literal::Filled),
    ],
);

const VARIABLE: Table = Table::open(
    "a variable with `name` and `value`",
    &[required("name", Shape::Text), required("value", Shape::Text)],
);
const DIRECTORY: Table = Table::open(
    "a directory with `path` and `capacity`",
    &[required("path", PATH), required("capacity", Shape::Quantity("`10Gi`"))],
);

pub(in crate::oam::traits) const NOCALHOST: Table = Table::open(
    "a mapping with `port` and `image`",
    &[
        required("port", PORT),
        required("image", IMAGE_TEXT),
        defaulted("serviceType", Shape::Text, Literal::Text("deployment")),
        optional("gitUrl", Shape::Text),
        defaulted("shell", Shape::Text, Literal::Text("bash")),
        defaulted("workDir", PATH, Literal::Text("/home/nocalhost-dev")),
        optional("storageClass", Shape::Text),
        defaulted("command", Shape::Object(&COMMANDS), Literal::Filled),
        optional("debug", Shape::Object(&DEBUG)),
        defaulted("hotReload", Shape::Boolean, Literal::Boolean(true)),
        defaulted("sync", Shape::Object(&SYNC), Literal::Filled),
        optional(
            "env",
            Shape::List {
                of: &Shape::Object(&VARIABLE),
                expected: "a list of variables, each with `name` and `value`",
            },
        ),
        optional("portForward", TEXTS),
        optional(
            "persistentVolumeDirs",
            Shape::List {
                of: &Shape::Object(&DIRECTORY),
                expected: "a list of directories, each with `path` and `capacity`",
            },
        ),
        defaulted("resources", Shape::Object(&RESOURCES), Literal::Filled),
    ],
);
