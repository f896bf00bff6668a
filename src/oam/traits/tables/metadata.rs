//! Traits that change labels, annotations, or arbitrary fields.

use crate::oam::manifest::names;
use crate::oam::schema::{Shape, Table, Undeclared, optional, required};

pub(in crate::oam::traits) const LABELS: Shape = Shape::Map {
    of: &Shape::Nullable(&Shape::Checked(names::LABEL_VALUE)),
    keys: names::KEY,
    expected: "a mapping of labels",
};

pub(in crate::oam::traits) const ANNOTATIONS: Shape =
    Shape::Map { of: &Shape::Nullable(&Shape::Text), keys: names::KEY, expected: "a mapping of annotations" };

/// Applying the patch checks that each operation has the fields that it needs.
const OPERATION: Table = Table {
    undeclared: Undeclared::Kept,
    ..Table::open(
        "an operation with `op` and `path`",
        &[
            required("op", Shape::Choice(&["add", "remove", "replace", "move", "copy", "test"])),
            required("path", Shape::Text),
            optional("from", Shape::Text),
            optional("value", Shape::Any),
        ],
    )
};

pub(in crate::oam::traits) const JSON_PATCH: Table = Table::open(
    "a mapping with `operations`",
    &[required(
        "operations",
        Shape::List { of: &Shape::Object(&OPERATION), expected: "a list of operations" },
    )],
);
