//! Volumes of a component's pods.

use crate::oam::manifest::names;
use crate::oam::schema::{Field, Grammar, Literal, Shape, Table, defaulted, optional, required};
use crate::oam::traits::tables::{LABEL_NAME, OBJECT_NAME, PATH};

/// Permission bits.
const MODE: Shape = Shape::Integer { noun: "permission bits", least: 0, most: 0o777 };

const WITHIN: Grammar = Grammar::new("a relative path within the volume, without `..`", |path| {
    !path.is_empty() && is_within(path)
});
/// As in Kubernetes, an empty path is the whole volume.
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

pub(super) const VOLUME_MOUNTS: Field = optional(
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
pub(super) const VOLUMES: Field = mounts(
    "volumes",
    &Shape::Typed(&[
        ("pvc", Table::of_component(&[NAME, MOUNT_PATH, TYPE, CLAIM_NAME])),
        ("configMap", Table::of_component(&[NAME, MOUNT_PATH, TYPE, CONFIG_MAP_NAME, DEFAULT_MODE, ITEMS])),
        ("secret", Table::of_component(&[NAME, MOUNT_PATH, TYPE, SECRET_NAME, DEFAULT_MODE, ITEMS])),
        ("emptyDir", Table::of_component(&[NAME, MOUNT_PATH, TYPE, MEDIUM])),
    ]),
);

/// A claim template of a StatefulSet.
pub(super) const CLAIM_TEMPLATE: Table = Table::closed(
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
