//! Traits that set the number of pods and how they are replaced.

use crate::oam::schema::{
    COUNT, Field, Literal, POSITIVE, Shape, Table, defaulted, integer, optional, required,
};

pub(in crate::oam::traits) const SCALER: Table =
    Table::open("a mapping with `replicas`", &[defaulted("replicas", COUNT, Literal::Integer(1))]);

const API_VERSION: Field = defaulted("targetAPIVersion", Shape::Text, Literal::Text("apps/v1"));
const TARGET_KIND: Field = defaulted("targetKind", Shape::Text, Literal::Text("Deployment"));
const MIN: Field = defaulted("min", POSITIVE, Literal::Integer(1));
const MAX: Field = defaulted("max", POSITIVE, Literal::Integer(10));

pub(in crate::oam::traits) const CPU_SCALER: Table = Table::open(
    "a mapping with `min`, `max` and `cpuUtil`",
    &[MIN, MAX, defaulted("cpuUtil", POSITIVE, Literal::Integer(50)), API_VERSION, TARGET_KIND],
)
.with_advice(&[
    ("cpuPercent", "the percentage is `cpuUtil`"),
    ("replicas", "the bounds are `min` and `max`"),
]);

const METRIC: Table = Table::open(
    "a mapping with `type` and `value`",
    &[
        defaulted("type", Shape::Choice(&["Utilization", "AverageValue"]), Literal::Text("Utilization")),
        // A percentage, or an amount in bytes.
        defaulted("value", integer(1, i64::MAX), Literal::Integer(50)),
    ],
);

const POD_METRIC: Table = Table::open(
    "a metric with `name` and `value`",
    &[required("name", Shape::Text), required("value", Shape::Quantity("`10` or `500m`"))],
);

pub(in crate::oam::traits) const HPA: Table = Table::open(
    "a mapping with `min`, `max` and `cpu`",
    &[
        MIN,
        MAX,
        API_VERSION,
        TARGET_KIND,
        defaulted("cpu", Shape::Object(&METRIC), Literal::Filled),
        optional("mem", Shape::Object(&METRIC)),
        optional(
            "podCustomMetrics",
            Shape::List { of: &Shape::Object(&POD_METRIC), expected: "a list of metrics" },
        ),
    ],
)
.with_advice(&[
    ("memory", "the memory is `mem`"),
    ("cpuUtil", "the percentage is `cpu.value`"),
    ("replicas", "the bounds are `min` and `max`"),
]);

const ROLLING: Table = Table::open(
    "a mapping with `maxSurge`, `maxUnavailable` or `partition`",
    &[
        defaulted("maxSurge", Shape::Text, Literal::Text("25%")),
        defaulted("maxUnavailable", Shape::Text, Literal::Text("25%")),
        defaulted("partition", COUNT, Literal::Integer(0)),
    ],
);

const STRATEGY: Table = Table::open(
    "a mapping with `type`",
    &[
        defaulted(
            "type",
            Shape::Choice(&["RollingUpdate", "Recreate", "OnDelete"]),
            Literal::Text("RollingUpdate"),
        ),
        defaulted("rollingStrategy", Shape::Object(&ROLLING), Literal::Filled),
    ],
)
.with_advice(&[("rollingUpdate", "its parameters are in `rollingStrategy`")]);

pub(in crate::oam::traits) const UPDATE_STRATEGY: Table = Table::open(
    "a mapping with `targetKind` and `strategy`",
    &[
        API_VERSION,
        defaulted(
            "targetKind",
            Shape::Choice(&["Deployment", "StatefulSet", "DaemonSet"]),
            Literal::Text("Deployment"),
        ),
        required("strategy", Shape::Object(&STRATEGY)),
    ],
);
