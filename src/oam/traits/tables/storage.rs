//! Traits that give pods volumes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::oam::manifest::names;
use crate::oam::schema::{
    ANY_KEY, Field, Grammar, Literal, Rule, Shape, TEXTS, Table, defaulted, optional, required,
};
use crate::oam::traits::tables::{LABEL_NAME, MODE, OBJECT_NAME, PATH};

const MOUNT_ONLY: Field = defaulted("mountOnly", Shape::Boolean, Literal::Boolean(false));
const SUB_PATH: Field = optional("subPath", Shape::Text);
const DEFAULT_MODE: Field = defaulted("defaultMode", MODE, Literal::Integer(0o644));

const ITEMS: Field = optional(
    "items",
    Shape::List {
        of: &Shape::Object(&Table::open(
            "an entry with `key` and `path`",
            &[
                required("key", Shape::Checked(names::DATA_KEY)),
                required("path", Shape::Text),
                defaulted("mode", MODE, Literal::Integer(0o777)),
            ],
        )),
        expected: "a list of entries",
    },
);

const DATA: Shape =
    Shape::Map { of: &Shape::Text, keys: names::DATA_KEY, expected: "a mapping of keys to strings" };

/// The data of a Secret, as plain text.
const PLAIN: Shape = Shape::Map {
    of: &Shape::Secret(Grammar { expected: "a string", accepts: |_| true }),
    keys: names::DATA_KEY,
    expected: "a mapping of keys to strings",
};

/// The data of a Secret, in base64.
const ENCODED: Shape = Shape::Map {
    of: &Shape::Secret(Grammar {
        expected: "base64 data; plain text belongs in `stringData`",
        accepts: |text| STANDARD.decode(text).is_ok(),
    }),
    keys: names::DATA_KEY,
    expected: "a mapping of keys to base64 data",
};

const STORAGE_SIZE: Shape = Shape::Quantity("`10Gi` or `500Mi`");
const SIZE: Shape =
    Shape::Object(&Table::open("a mapping with `storage`", &[required("storage", STORAGE_SIZE)]));

const RESOURCES: Shape = Shape::Object(&Table::open(
    "a mapping with `requests`",
    &[required("requests", SIZE), optional("limits", SIZE)],
));

const ACCESS_MODES: Shape = Shape::List {
    of: &Shape::Choice(&["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"]),
    expected: "a list of access modes",
};

const DATA_SOURCE: Shape = Shape::Object(&Table::open(
    "a mapping with `name`, `kind` and `apiGroup`",
    &[required("name", Shape::Text), required("kind", Shape::Text), required("apiGroup", Shape::Text)],
));

const SELECTOR: Shape = Shape::Object(&Table::open(
    "a selector with `matchLabels` or `matchExpressions`",
    &[
        optional(
            "matchLabels",
            Shape::Map { of: &Shape::Text, keys: ANY_KEY, expected: "a mapping of labels" },
        ),
        optional(
            "matchExpressions",
            Shape::Object(&Table::open(
                "an expression with `key`, `operator` and `values`",
                &[required("key", Shape::Text), required("operator", Shape::Text), required("values", TEXTS)],
            )),
        ),
    ],
));

const VOLUME_MODE: Field =
    defaulted("volumeMode", Shape::Choice(&["Filesystem", "Block"]), Literal::Text("Filesystem"));
const VOLUME_NAME: Field = optional("volumeName", OBJECT_NAME);
const CLASS: Field = optional("storageClassName", Shape::Text);
const SOURCE_REF: Field = optional("dataSourceRef", DATA_SOURCE);
const SOURCE: Field = optional("dataSource", DATA_SOURCE);
const SELECTED: Field = optional("selector", SELECTOR);

const CLAIM: Table = Table::open(
    "a claim with `name` and `mountPath`",
    &[
        required("name", LABEL_NAME),
        MOUNT_ONLY,
        required("mountPath", PATH),
        SUB_PATH,
        VOLUME_MODE,
        VOLUME_NAME,
        defaulted("accessModes", ACCESS_MODES, Literal::Texts(&["ReadWriteOnce"])),
        CLASS,
        optional("resources", RESOURCES),
        SOURCE_REF,
        SOURCE,
        SELECTED,
    ],
)
.with_advice(&[
    ("claimName", "the claim is `name`; with `mountOnly: true`, an existing one is mounted"),
    ("storage", "the size is `resources.requests.storage`"),
    ("size", "the size is `resources.requests.storage`"),
]);

const ENV_NAME_FIELD: Field = required("envName", Shape::Checked(names::ENV));

const CONFIG_MAP_ENV: Shape = Shape::Object(&Table::open(
    "a mapping with `envName` and `configMapKey`",
    &[ENV_NAME_FIELD, required("configMapKey", Shape::Checked(names::DATA_KEY))],
));

const SECRET_ENV: Shape = Shape::Object(&Table::open(
    "a mapping with `envName` and `secretKey`",
    &[ENV_NAME_FIELD, required("secretKey", Shape::Checked(names::DATA_KEY))],
));

const READ_ONLY: Field = optional("readOnly", Shape::Boolean);

const CONFIG_MAP: Table = Table::open(
    "a ConfigMap with `name`",
    &[
        required("name", OBJECT_NAME),
        MOUNT_ONLY,
        optional("mountToEnv", CONFIG_MAP_ENV),
        optional("mountToEnvs", Shape::List { of: &CONFIG_MAP_ENV, expected: "a list of variables" }),
        optional("mountPath", PATH),
        SUB_PATH,
        DEFAULT_MODE,
        READ_ONLY,
        optional("data", DATA),
        ITEMS,
    ],
);

const SECRET: Table = Table::open(
    "a Secret with `name` and `mountPath`",
    &[
        required("name", OBJECT_NAME),
        MOUNT_ONLY,
        optional("mountToEnv", SECRET_ENV),
        optional("mountToEnvs", Shape::List { of: &SECRET_ENV, expected: "a list of variables" }),
        optional("mountPath", PATH),
        SUB_PATH,
        DEFAULT_MODE,
        READ_ONLY,
        optional("stringData", PLAIN),
        optional("data", ENCODED),
        ITEMS,
    ],
);

const EMPTY_DIR: Table = Table::open(
    "a directory with `name` and `mountPath`",
    &[
        required("name", LABEL_NAME),
        required("mountPath", PATH),
        SUB_PATH,
        defaulted("medium", Shape::Choice(&["", "Memory"]), Literal::Text("")),
    ],
);

const HOST_PATH: Table = Table::open(
    "a directory with `name`, `path` and `mountPath`",
    &[
        required("name", LABEL_NAME),
        required("path", Shape::Text),
        required("mountPath", PATH),
        defaulted(
            "type",
            Shape::Choice(&[
                "Directory",
                "DirectoryOrCreate",
                "FileOrCreate",
                "File",
                "Socket",
                "CharDevice",
                "BlockDevice",
            ]),
            Literal::Text("Directory"),
        ),
    ],
);

pub(in crate::oam::traits) const STORAGE: Table = Table::open(
    "a mapping with `pvc`, `configMap`, `secret`, `emptyDir` or `hostPath`",
    &[
        optional("pvc", Shape::List { of: &Shape::Object(&CLAIM), expected: "a list of claims" }),
        optional(
            "configMap",
            Shape::List { of: &Shape::Object(&CONFIG_MAP), expected: "a list of ConfigMaps" },
        ),
        optional("secret", Shape::List { of: &Shape::Object(&SECRET), expected: "a list of Secrets" }),
        optional(
            "emptyDir",
            Shape::List { of: &Shape::Object(&EMPTY_DIR), expected: "a list of directories" },
        ),
        optional(
            "hostPath",
            Shape::List { of: &Shape::Object(&HOST_PATH), expected: "a list of directories" },
        ),
    ],
);

pub(in crate::oam::traits) const VOLUMES_TRAIT: Table = Table::open(
    "a mapping with `volumes`",
    &[optional(
        "volumes",
        Shape::List {
            of: &Shape::Object(
                &Table::open(
                    "a volume with `name` and `type`",
                    &[
                        required("name", LABEL_NAME),
                        defaulted(
                            "type",
                            Shape::Choice(&["emptyDir", "pvc", "configMap", "secret"]),
                            Literal::Text("emptyDir"),
                        ),
                        optional("claimName", Shape::Text),
                        optional("cmName", Shape::Text),
                        optional("secretName", Shape::Text),
                        DEFAULT_MODE,
                        ITEMS,
                        defaulted("medium", Shape::Choice(&["", "Memory"]), Literal::Text("")),
                    ],
                )
                .with_rules(&[
                    Rule::Needs { field: "type", is: "pvc", needed: &["claimName"] },
                    Rule::Needs { field: "type", is: "configMap", needed: &["cmName"] },
                    Rule::Needs { field: "type", is: "secret", needed: &["secretName"] },
                ]),
            ),
            expected: "a list of volumes",
        },
    )],
);

pub(in crate::oam::traits) const CONFIG_MAP_TRAIT: Table = Table::open(
    "a mapping with `volumes`",
    &[required(
        "volumes",
        Shape::List {
            of: &Shape::Object(&Table::open(
                "a volume with `name` and `mountPath`",
                &[
                    required("name", LABEL_NAME),
                    required("mountPath", PATH),
                    defaulted("readOnly", Shape::Boolean, Literal::Boolean(false)),
                    optional("data", DATA),
                ],
            )),
            expected: "a list of volumes",
        },
    )],
);

pub(in crate::oam::traits) const CLAIM_TRAIT: Table = Table::open(
    "a mapping with `claimName`, `resources` and `volumesToMount`",
    &[
        required("claimName", OBJECT_NAME),
        VOLUME_MODE,
        VOLUME_NAME,
        required("accessModes", ACCESS_MODES),
        CLASS,
        required("resources", RESOURCES),
        SOURCE_REF,
        SOURCE,
        SELECTED,
        required(
            "volumesToMount",
            Shape::List {
                of: &Shape::Object(
                    &Table::open(
                        "a volume with `name` and `mountPath`, or `devicePath` with `volumeMode: Block`",
                        &[
                            required("name", LABEL_NAME),
                            optional("mountPath", PATH),
                            optional("devicePath", Shape::Text),
                        ],
                    )
                    .with_rules(&[Rule::ExactlyOne(&["mountPath", "devicePath"])]),
                ),
                expected: "a list of volumes",
            },
        ),
    ],
);
