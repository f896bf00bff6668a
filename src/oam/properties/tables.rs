//! What the properties of each component type may be, as KubeVela's definitions declare them, and why a type lacks what
//! another one has. Defaults are those that are rendered.

use crate::oam::application::{ComponentKind, Release};
use crate::oam::manifest::names;
use crate::oam::schema::{COUNT, Field, Grammar, Literal, Rule, Shape, Table, defaulted, optional, required};
use crate::oam::traits::tables::containers::{CPU, MEMORY};
use crate::oam::traits::tables::pods::{FAILURES, INITIAL_DELAY, ONE_SUCCESS, PERIOD, SUCCESSES, TIMEOUT};
use crate::oam::traits::tables::{ADDRESS, LABEL_NAME, OBJECT_NAME, PATH, PROTOCOL};

const COMMAND_WORDS: &str = "a list of strings, such as [\"sleep\", \"60\"]";
const WORDS: Shape = Shape::List { of: &Shape::Text, expected: COMMAND_WORDS };
/// A command that something runs, which Kubernetes requires to have a word.
const COMMAND: Shape = Shape::Filled { of: &WORDS, expected: COMMAND_WORDS };
const PORT_NUMBER: Shape = Shape::Integer { noun: "a port", least: 1, most: 65_535 };
const MODE: Shape = Shape::Integer { noun: "permission bits", least: 0, most: 0o777 };

/// Labels of pods, or of an application.
pub const LABELS: Shape =
    Shape::Map { of: &Shape::Checked(names::LABEL_VALUE), keys: names::KEY, expected: "a mapping" };
/// Annotations of pods, or of an application.
pub const ANNOTATIONS: Shape = Shape::Map { of: &Shape::Text, keys: names::KEY, expected: "a mapping" };

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

/// KubeVela does not declare the last two sources and copies them: they are in use.
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

const ENV: Shape = Shape::List {
    of: &Shape::Object(&Table::of_component(&[
        required("name", Shape::Checked(names::ENV)),
        optional("value", Shape::Text),
        optional("valueFrom", Shape::Object(&SOURCE)),
    ])),
    expected: "a list of variables, each with `name` and `value`",
};

const WITHIN: Grammar =
    Grammar::new("a path within the volume, without `..`", |path| !path.is_empty() && is_within(path));
/// As for Kubernetes, an empty path is the whole volume.
const SUB_PATH_OR_NONE: Grammar = Grammar::new("a path within the volume, without `..`", is_within);
const NODE_PATH: Grammar = Grammar::new("a path on the node, without `..`", |path| {
    !path.is_empty() && path.split('/').all(|part| part != "..")
});

fn is_within(path: &str) -> bool {
    !path.starts_with('/') && path.split('/').all(|part| part != "..")
}

const NAME: Field = required("name", LABEL_NAME);
const MOUNT_PATH: Field = required("mountPath", PATH);
const SUB_PATH: Field = optional("subPath", Shape::Checked(SUB_PATH_OR_NONE));
const CLAIM_NAME: Field = required("claimName", OBJECT_NAME);
const CONFIG_MAP_NAME: Field = required("cmName", Shape::ObjectName);
const SECRET_NAME: Field = required("secretName", Shape::ObjectName);
const DEFAULT_MODE: Field = defaulted("defaultMode", MODE, Literal::Integer(0o644));
const MEDIUM: Field = defaulted("medium", Shape::Choice(&["", "Memory"]), Literal::Text(""));
const ITEMS: Field = optional(
    "items",
    Shape::List {
        of: &Shape::Object(&Table::of_component(&[
            required("key", Shape::Checked(names::DATA_KEY)),
            required("path", Shape::Checked(WITHIN)),
            defaulted("mode", MODE, Literal::Integer(0o777)),
        ])),
        expected: "a list of entries",
    },
);

const fn mounts(name: &'static str, of: &'static Shape) -> Field {
    optional(name, Shape::List { of, expected: "a list of volumes" })
}

const CLAIMS: Shape = Shape::Object(&Table::of_component(&[NAME, MOUNT_PATH, SUB_PATH, CLAIM_NAME]));
const CONFIG_MAPS: Shape =
    Shape::Object(&Table::of_component(&[NAME, MOUNT_PATH, SUB_PATH, CONFIG_MAP_NAME, DEFAULT_MODE, ITEMS]));
const SECRETS: Shape =
    Shape::Object(&Table::of_component(&[NAME, MOUNT_PATH, SUB_PATH, SECRET_NAME, DEFAULT_MODE, ITEMS]));
const EMPTY_DIRS: Shape = Shape::Object(&Table::of_component(&[NAME, MOUNT_PATH, SUB_PATH, MEDIUM]));
const HOST_PATHS: Shape = Shape::Object(
    &Table::of_component(&[NAME, MOUNT_PATH, SUB_PATH, required("path", Shape::Checked(NODE_PATH))])
        .with_unsupported(&[
            ("readOnly", "KubeVela does not render it"),
            ("mountPropagation", "KubeVela does not render it"),
        ]),
);

/// The types of volumes, in the order in which they are rendered.
pub const VOLUME_TYPES: [&str; 5] = ["pvc", "configMap", "secret", "emptyDir", "hostPath"];

const VOLUME_MOUNTS: Field = optional(
    "volumeMounts",
    Shape::Object(&Table::of_component(&[
        mounts("pvc", &CLAIMS),
        mounts("configMap", &CONFIG_MAPS),
        mounts("secret", &SECRETS),
        mounts("emptyDir", &EMPTY_DIRS),
        mounts("hostPath", &HOST_PATHS),
    ])),
);

const TYPE: Field = defaulted("type", Shape::Text, Literal::Text("emptyDir"));
const VOLUMES: Field = mounts(
    "volumes",
    &Shape::Typed(&[
        ("pvc", Table::of_component(&[NAME, MOUNT_PATH, TYPE, CLAIM_NAME])),
        ("configMap", Table::of_component(&[NAME, MOUNT_PATH, TYPE, CONFIG_MAP_NAME, DEFAULT_MODE, ITEMS])),
        ("secret", Table::of_component(&[NAME, MOUNT_PATH, TYPE, SECRET_NAME, DEFAULT_MODE, ITEMS])),
        ("emptyDir", Table::of_component(&[NAME, MOUNT_PATH, TYPE, MEDIUM])),
    ]),
);

const HANDLER: &[Rule] =
    &[Rule::OneOf { names: &["exec", "httpGet", "tcpSocket"], none: "no handler", expected: "exactly one" }];
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

const PROBES: [Field; 2] = [
    optional(
        "livenessProbe",
        Shape::Object(
            &Table::closed(
                "a mapping",
                &[EXEC, HTTP_GET, SOCKET, INITIAL_DELAY, PERIOD, TIMEOUT, ONE_SUCCESS, FAILURES],
            )
            .with_rules(HANDLER),
        ),
    ),
    optional(
        "readinessProbe",
        Shape::Object(
            &Table::closed(
                "a mapping",
                &[EXEC, HTTP_GET, SOCKET, INITIAL_DELAY, PERIOD, TIMEOUT, SUCCESSES, FAILURES],
            )
            .with_rules(HANDLER),
        ),
    ),
];
const SHORT_PROBES: [Field; 2] = [
    optional(
        "livenessProbe",
        Shape::Object(
            &Table::closed(
                "a mapping",
                &[EXEC, SHORT_HTTP_GET, SOCKET, INITIAL_DELAY, PERIOD, TIMEOUT, ONE_SUCCESS, FAILURES],
            )
            .with_rules(HANDLER),
        ),
    ),
    optional(
        "readinessProbe",
        Shape::Object(
            &Table::closed(
                "a mapping",
                &[EXEC, SHORT_HTTP_GET, SOCKET, INITIAL_DELAY, PERIOD, TIMEOUT, SUCCESSES, FAILURES],
            )
            .with_rules(HANDLER),
        ),
    ),
];

const PORT: Field = required("port", PORT_NUMBER);
const PORT_NAME: Field = optional("name", Shape::Checked(names::PORT));
const PORT_PROTOCOL: Field = defaulted("protocol", PROTOCOL, Literal::Text("TCP"));
const EXPOSED: Field = defaulted("expose", Shape::Boolean, Literal::Boolean(false));
const TARGET_PORT: (&str, &str) = ("targetPort", "the container's port is `containerPort`");
const ONE_NUMBER: &str = "a `daemon` has one number for a port";

const MAPPED_PORT: Shape = Shape::Object(
    &Table::of_component(&[
        PORT,
        PORT_NAME,
        PORT_PROTOCOL,
        EXPOSED,
        optional("containerPort", PORT_NUMBER),
        optional("nodePort", PORT_NUMBER),
    ])
    .with_unsupported(&[TARGET_PORT]),
);
const DAEMON_PORT: Shape =
    Shape::Object(&Table::of_component(&[PORT, PORT_NAME, PORT_PROTOCOL, EXPOSED]).with_unsupported(&[
        ("containerPort", ONE_NUMBER),
        ("nodePort", ONE_NUMBER),
        TARGET_PORT,
    ]));

const HOST_ALIASES: Field = optional(
    "hostAliases",
    Shape::List {
        of: &Shape::Object(&Table::of_component(&[
            required("ip", Shape::Checked(ADDRESS)),
            required("hostnames", Shape::List { of: &OBJECT_NAME, expected: "a list of strings" })
                .missing("a list of host names"),
        ])),
        expected: "a list of host aliases",
    },
);

/// What every type has beside its image.
const COMMON: [Field; 6] = [
    optional("imagePullPolicy", Shape::Choice(&["Always", "Never", "IfNotPresent"])),
    optional("imagePullSecrets", Shape::List { of: &OBJECT_NAME, expected: "a list of strings" }),
    optional("cmd", WORDS),
    optional("env", ENV),
    optional("cpu", CPU),
    optional("memory", MEMORY),
];

/// Volumes of the types that have both forms.
const OLD_VOLUMES: Field = VOLUMES.deprecated("`volumeMounts`");

const fn serving(port: &'static Shape) -> [Field; 7] {
    [
        optional("labels", LABELS),
        optional("annotations", ANNOTATIONS),
        optional("port", PORT_NUMBER).deprecated("`ports`"),
        optional("ports", Shape::List { of: port, expected: "a list of ports" }),
        optional("exposeType", Shape::Choice(&["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"])),
        optional("addRevisionLabel", Shape::Boolean),
        HOST_ALIASES,
    ]
}
const SERVING: [Field; 7] = serving(&MAPPED_PORT);
const SERVING_OF_DAEMONS: [Field; 7] = serving(&DAEMON_PORT);

const ARGS: Field = optional("args", WORDS);
const LIMIT: Field = optional(
    "limit",
    Shape::Object(&Table::of_component(&[optional("cpu", CPU), optional("memory", MEMORY)])),
);

const CLONE_SET: [Field; 6] = [
    defaulted("port", PORT_NUMBER, Literal::Integer(80)),
    ARGS,
    HOST_ALIASES,
    optional("postStart", COMMAND),
    optional("preStop", COMMAND),
    optional("updateStrategyType", Shape::Choice(&["ReCreate", "InPlaceIfPossible", "InPlaceOnly"])),
];

const CLAIM_TEMPLATE: Table = Table::closed(
    "a mapping",
    &[
        NAME,
        required(
            "mountPath",
            Shape::Checked(Grammar::new("an absolute path", |path| {
                path.starts_with('/') && !path.contains(':')
            })),
        ),
        required("storage", Shape::Quantity("`10Gi` or `500Mi`")).missing("a quantity such as `10Gi`"),
        optional("storageClassName", OBJECT_NAME),
        defaulted(
            "accessModes",
            Shape::Filled {
                of: &Shape::List {
                    of: &Shape::Choice(&[
                        "ReadWriteOnce",
                        "ReadOnlyMany",
                        "ReadWriteMany",
                        "ReadWriteOncePod",
                    ]),
                    expected: "a list of access modes",
                },
                expected: "at least one access mode",
            },
            Literal::Texts(&["ReadWriteOnce"]),
        ),
    ],
)
.with_unsupported(&[
    ("size", "the storage requested is `storage`"),
    ("capacity", "the storage requested is `storage`"),
    ("storageClass", "the storage class is `storageClassName`"),
]);

const STATEFUL_SET: [Field; 3] = [
    ARGS,
    optional("podManagementPolicy", Shape::Choice(&["OrderedReady", "Parallel"])),
    optional(
        "volumeClaimTemplates",
        Shape::List {
            of: &Shape::Object(&CLAIM_TEMPLATE),
            expected: "a list of volumes, each with `name`, `mountPath` and `storage`",
        },
    ),
];

/// The probes of a Job are declared and never rendered.
const JOB: [Field; 6] = [
    optional("labels", LABELS),
    optional("annotations", ANNOTATIONS),
    defaulted("count", COUNT, Literal::Integer(1)),
    defaulted("restart", Shape::Choice(&["Never", "OnFailure"]), Literal::Text("Never")),
    SHORT_PROBES[0],
    SHORT_PROBES[1],
];

/// A schedule whose form is right; the numbers in it are for the API server to judge.
const CRON: Grammar = Grammar::new("five fields such as `0 3 * * *`, or a name such as `@daily`", |text| {
    let field =
        |field: &str| field.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"*/,-?#".contains(&byte));
    let fields: Vec<&str> = text.split_whitespace().collect();
    text.starts_with('@') || (fields.len() == 5 && fields.into_iter().all(field))
});

/// The properties of a `cron-task` that are fields of the CronJob.
pub const CRON_JOB_FIELDS: [&str; 6] = [
    "schedule",
    "concurrencyPolicy",
    "suspend",
    "successfulJobsHistoryLimit",
    "failedJobsHistoryLimit",
    "startingDeadlineSeconds",
];

/// Those that are fields of its Jobs.
pub const CRON_JOB_SPEC_FIELDS: [&str; 3] =
    ["ttlSecondsAfterFinished", "activeDeadlineSeconds", "backoffLimit"];

const SCHEDULE: [Field; 9] = [
    required("schedule", Shape::Checked(CRON)).missing("a schedule such as `0 3 * * *`"),
    defaulted("concurrencyPolicy", Shape::Choice(&["Allow", "Forbid", "Replace"]), Literal::Text("Allow")),
    defaulted("suspend", Shape::Boolean, Literal::Boolean(false)),
    defaulted("successfulJobsHistoryLimit", COUNT, Literal::Integer(3)),
    defaulted("failedJobsHistoryLimit", COUNT, Literal::Integer(1)),
    optional("startingDeadlineSeconds", COUNT),
    optional("ttlSecondsAfterFinished", COUNT),
    optional("activeDeadlineSeconds", COUNT),
    defaulted("backoffLimit", COUNT, Literal::Integer(6)),
];

/// The properties of a type beside `image`.
#[must_use]
pub fn fields(kind: ComponentKind) -> Vec<Field> {
    let own: &[&[Field]] = match kind {
        ComponentKind::Webservice => &[&[OLD_VOLUMES, VOLUME_MOUNTS], &PROBES, &SERVING, &[ARGS, LIMIT]],
        ComponentKind::Worker => &[&[OLD_VOLUMES, VOLUME_MOUNTS], &SHORT_PROBES],
        ComponentKind::Daemon => &[&[OLD_VOLUMES, VOLUME_MOUNTS], &PROBES, &SERVING_OF_DAEMONS],
        ComponentKind::ClonesetService => &[&[OLD_VOLUMES, VOLUME_MOUNTS], &SHORT_PROBES, &CLONE_SET],
        ComponentKind::StatefulSet => &[&[OLD_VOLUMES, VOLUME_MOUNTS], &PROBES, &SERVING, &STATEFUL_SET],
        ComponentKind::Task => &[&[VOLUMES], &JOB],
        ComponentKind::CronTask => &[&[OLD_VOLUMES], &JOB, &SCHEDULE, &[VOLUME_MOUNTS, HOST_ALIASES]],
        ComponentKind::K8sObjects | ComponentKind::Raw | ComponentKind::RefObjects => &[],
    };
    [&[&COMMON[..]], own].concat().concat()
}

/// Why the type does not have a property.
#[must_use]
pub fn explain(kind: ComponentKind, release: Release, name: &str) -> Option<&'static str> {
    let serves =
        matches!(kind, ComponentKind::Webservice | ComponentKind::StatefulSet | ComponentKind::Daemon);
    let is_in = |fields: &[Field]| fields.iter().any(|field| field.name == name);
    match (name, kind, release) {
        ("replicas", _, Release::InBatches) => {
            Some("the number of replicas is `targetSize` of the `rollout` trait")
        }
        ("replicas", _, Release::AsAWhole) => Some("the number of replicas is set by the `scaler` trait"),
        (
            "command",
            ComponentKind::Webservice | ComponentKind::StatefulSet | ComponentKind::ClonesetService,
            _,
        ) => Some("the command goes into `cmd` and `args`"),
        ("args" | "command", _, _) => Some("the whole command goes into `cmd`"),
        ("ports", ComponentKind::ClonesetService, _) => Some("a `cloneset-service` has one `port`"),
        ("updateStrategyType", ComponentKind::StatefulSet, _) => {
            Some("pods are always replaced by ordinal; with `OnDelete`, you would have to delete them")
        }
        ("updateStrategyType" | "postStart" | "preStop", _, _) => Some("only a `cloneset-service` has it"),
        ("podManagementPolicy" | "volumeClaimTemplates", _, _) => Some("only a `statefulset` has it"),
        ("volumeMounts", ComponentKind::Task, _) => Some("the volumes of a `task` are `volumes`"),
        ("limit", _, _) => Some("only a `webservice` has it; elsewhere, use the `resource` trait"),
        ("labels", _, Release::AsAWhole) => Some("use the `labels` trait"),
        ("annotations", _, Release::AsAWhole) => Some("use the `annotations` trait"),
        _ if !serves && is_in(&SERVING) => {
            Some("only a `webservice`, a `statefulset` and a `daemon` have it")
        }
        _ if is_in(&SCHEDULE) => Some("only a `cron-task` has it"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_property_of_every_type_is_in_a_golden_file() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifest/golden/types");
        for kind in [
            ComponentKind::Webservice,
            ComponentKind::Worker,
            ComponentKind::ClonesetService,
            ComponentKind::StatefulSet,
            ComponentKind::Daemon,
            ComponentKind::Task,
            ComponentKind::CronTask,
        ] {
            let files = std::fs::read_dir(root.join(kind.as_str())).expect("the type has a folder");
            let texts = files.map(|file| {
                let text = std::fs::read_to_string(file.expect("it is a file").path()).expect("it is text");
                text.split("\n---\n").next().unwrap_or_default().to_owned()
            });
            let manifests = texts.collect::<String>();
            for field in std::iter::once("image").chain(fields(kind).iter().map(|field| field.name)) {
                assert!(manifests.contains(&format!("\n  {field}:")), "{field} of {}", kind.as_str());
            }
        }
    }
}
