//! Traits for scheduling, and for the hosts file of pods.

use crate::oam::manifest::names;
use crate::oam::schema::{
    ANY_KEY, COUNT, Field, Literal, POSITIVE, Shape, TEXTS, Table, defaulted, integer, optional, required,
};
use crate::oam::traits::tables::ADDRESS;

const LABEL_OPERATOR: Shape = Shape::Choice(&["In", "NotIn", "Exists", "DoesNotExist"]);
const NODE_OPERATOR: Shape = Shape::Choice(&["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]);

const MATCH_LABELS: Field =
    optional("matchLabels", Shape::Map { of: &Shape::Text, keys: ANY_KEY, expected: "a mapping of labels" });

/// A selector of labels.
const LABEL_SELECTOR: Shape = Shape::Object(&Table::closed(
    "a selector with `matchLabels` or `matchExpressions`",
    &[
        MATCH_LABELS,
        optional(
            "matchExpressions",
            Shape::List {
                of: &Shape::Object(&Table::closed(
                    "an expression with `key`, `operator` and `values`",
                    &[
                        required("key", Shape::Text),
                        defaulted("operator", LABEL_OPERATOR, Literal::Text("In")),
                        optional("values", TEXTS),
                    ],
                )),
                expected: "a list of expressions",
            },
        ),
    ],
));

const POD_TERM: Shape = Shape::Object(
    &Table::closed(
        "a term with `topologyKey`",
        &[
            optional("labelSelector", LABEL_SELECTOR),
            optional("namespaces", TEXTS),
            required("topologyKey", Shape::Text),
            optional("namespaceSelector", LABEL_SELECTOR),
        ],
    )
    .with_advice(&[("namespace", "the namespaces are `namespaces`")]),
);

const WEIGHT: Field = required("weight", integer(1, 100));

const POD_AFFINITY: Shape = Shape::Object(&Table::open(
    "a mapping with `required` or `preferred`",
    &[
        optional("required", Shape::List { of: &POD_TERM, expected: "a list of terms" }),
        optional(
            "preferred",
            Shape::List {
                of: &Shape::Object(&Table::open(
                    "a preference with `weight` and `podAffinityTerm`",
                    &[WEIGHT, required("podAffinityTerm", POD_TERM)],
                )),
                expected: "a list of preferences",
            },
        ),
    ],
));

const NODE_EXPRESSIONS: Shape = Shape::List {
    of: &Shape::Object(&Table::closed(
        "an expression with `key`, `operator` and `values`",
        &[
            required("key", Shape::Text),
            defaulted("operator", NODE_OPERATOR, Literal::Text("In")),
            optional("values", TEXTS),
        ],
    )),
    expected: "a list of expressions",
};

const NODE_TERM: Shape = Shape::Object(&Table::closed(
    "a term with `matchExpressions` or `matchFields`",
    &[optional("matchExpressions", NODE_EXPRESSIONS), optional("matchFields", NODE_EXPRESSIONS)],
));

const NODE_AFFINITY_FIELD: Shape = Shape::Object(&Table::open(
    "a mapping with `required` or `preferred`",
    &[
        optional(
            "required",
            Shape::Object(&Table::open(
                "a mapping with `nodeSelectorTerms`",
                &[required("nodeSelectorTerms", Shape::List { of: &NODE_TERM, expected: "a list of terms" })],
            )),
        ),
        optional(
            "preferred",
            Shape::List {
                of: &Shape::Object(&Table::open(
                    "a preference with `weight` and `preference`",
                    &[WEIGHT, required("preference", NODE_TERM)],
                )),
                expected: "a list of preferences",
            },
        ),
    ],
));

const TOLERATIONS: Shape = Shape::List {
    of: &Shape::Object(&Table::open(
        "a toleration with `key`",
        &[
            optional("key", Shape::Text),
            defaulted("operator", Shape::Choice(&["Equal", "Exists"]), Literal::Text("Equal")),
            optional("value", Shape::Text),
            optional("effect", Shape::Choice(&["NoSchedule", "PreferNoSchedule", "NoExecute"])),
            optional("tolerationSeconds", COUNT),
        ],
    )),
    expected: "a list of tolerations",
};

pub(in crate::oam::traits) const AFFINITY: Table = Table::open(
    "a mapping with `podAffinity`, `podAntiAffinity`, `nodeAffinity` or `tolerations`",
    &[
        optional("podAffinity", POD_AFFINITY),
        optional("podAntiAffinity", POD_AFFINITY),
        optional("nodeAffinity", NODE_AFFINITY_FIELD),
        optional("tolerations", TOLERATIONS),
    ],
);

pub(in crate::oam::traits) const NODE_AFFINITY: Table = Table::open(
    "a mapping with `affinity` or `tolerations`",
    &[
        optional(
            "affinity",
            Shape::Map { of: &TEXTS, keys: ANY_KEY, expected: "a mapping of node labels to lists of values" },
        ),
        optional(
            "tolerations",
            Shape::Map { of: &Shape::Text, keys: ANY_KEY, expected: "a mapping of taints to values" },
        ),
    ],
);

const POLICY: Shape = Shape::Choice(&["Honor", "Ignore"]);

pub(in crate::oam::traits) const TOPOLOGY_SPREAD: Table = Table::open(
    "a mapping with `constraints`",
    &[required(
        "constraints",
        Shape::List {
            of: &Shape::Object(&Table::open(
                "a constraint with `maxSkew`, `topologyKey` and `labelSelector`",
                &[
                    required("maxSkew", POSITIVE),
                    required("topologyKey", Shape::Text),
                    defaulted(
                        "whenUnsatisfiable",
                        Shape::Choice(&["DoNotSchedule", "ScheduleAnyway"]),
                        Literal::Text("DoNotSchedule"),
                    ),
                    required("labelSelector", LABEL_SELECTOR),
                    optional("minDomains", POSITIVE),
                    optional("matchLabelKeys", TEXTS),
                    optional("nodeAffinityPolicy", POLICY),
                    optional("nodeTaintsPolicy", POLICY),
                ],
            )),
            expected: "a list of constraints",
        },
    )],
);

const ALIAS: Table = Table::open(
    "an alias with `ip` and `hostnames`",
    &[
        required("ip", Shape::Checked(ADDRESS)),
        required(
            "hostnames",
            Shape::List { of: &Shape::Checked(names::SUBDOMAIN), expected: "a list of host names" },
        ),
    ],
);

pub(in crate::oam::traits) const HOST_ALIAS: Table = Table::open(
    "a mapping with `hostAliases`",
    &[required(
        "hostAliases",
        Shape::List {
            of: &Shape::Object(&ALIAS),
            expected: "a list of aliases, each with `ip` and `hostnames`",
        },
    )],
);
