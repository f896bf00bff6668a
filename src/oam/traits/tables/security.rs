//! Traits for the security context and the account of pods.

use crate::oam::schema::{Field, ID, Literal, Rule, Shape, TEXTS, Table, defaulted, optional, required};
use crate::oam::traits::tables::OBJECT_NAME;
use crate::oam::traits::tables::containers::{CONTAINER_NAME, EACH_CONTAINER_NAME, several};

const ADDED: Field = optional("addCapabilities", TEXTS);
const DROPPED: Field = optional("dropCapabilities", TEXTS);
const ESCALATION: Field = defaulted("allowPrivilegeEscalation", Shape::Boolean, Literal::Boolean(false));
const PRIVILEGED: Field = defaulted("privileged", Shape::Boolean, Literal::Boolean(false));
const READ_ONLY: Field = defaulted("readOnlyRootFilesystem", Shape::Boolean, Literal::Boolean(false));
const NOT_ROOT: Field = defaulted("runAsNonRoot", Shape::Boolean, Literal::Boolean(true));
const USER: Field = optional("runAsUser", ID);
const GROUP: Field = optional("runAsGroup", ID);

const EACH_SECURITY_CONTEXT: Table = Table::closed(
    "a container with `containerName`",
    &[EACH_CONTAINER_NAME, ADDED, DROPPED, ESCALATION, PRIVILEGED, READ_ONLY, NOT_ROOT, USER, GROUP],
);

pub(in crate::oam::traits) const SECURITY_CONTEXT: Table = Table::closed(
    "a mapping such as `{runAsUser: 1000}`",
    &[
        CONTAINER_NAME,
        ADDED,
        DROPPED,
        ESCALATION,
        PRIVILEGED,
        READ_ONLY,
        NOT_ROOT,
        USER,
        GROUP,
        several(&Shape::Object(&EACH_SECURITY_CONTEXT)),
    ],
)
.with_rules(&[Rule::Alone("containers")]);

const PROFILE: Shape = Shape::Object(
    &Table::open(
        "a profile with `type`",
        &[
            required("type", Shape::Choice(&["RuntimeDefault", "Unconfined", "Localhost"])),
            optional("localhostProfile", Shape::Text),
        ],
    )
    .with_rules(&[Rule::Needs { field: "type", is: "Localhost", needed: &["localhostProfile"] }]),
);

pub(in crate::oam::traits) const POD_SECURITY_CONTEXT: Table = Table::open(
    "a mapping such as `{runAsUser: 1000}`",
    &[
        optional("appArmorProfile", PROFILE),
        optional("seccompProfile", PROFILE),
        optional("fsGroup", ID),
        USER,
        GROUP,
        NOT_ROOT,
    ],
);

const PRIVILEGE: Table = Table::closed(
    "a privilege with `verbs`",
    &[
        required("verbs", TEXTS),
        optional("apiGroups", TEXTS),
        optional("resources", TEXTS),
        optional("resourceNames", TEXTS),
        optional("nonResourceURLs", TEXTS),
        defaulted("scope", Shape::Choice(&["namespace", "cluster"]), Literal::Text("namespace")),
    ],
);

pub(in crate::oam::traits) const SERVICE_ACCOUNT: Table = Table::open(
    "a mapping with `name`",
    &[
        required("name", OBJECT_NAME),
        defaulted("create", Shape::Boolean, Literal::Boolean(false)),
        optional(
            "privileges",
            Shape::List {
                of: &Shape::Object(&PRIVILEGE),
                expected: "a list of privileges, each with `verbs`",
            },
        ),
    ],
);
