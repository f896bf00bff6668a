//! Traits that change labels, annotations, or anything at all.

use crate::oam::manifest::names;
use crate::oam::schema::{Shape, Table, Undeclared, optional, required};

pub(in crate::oam::traits) const LABELS: Shape = Shape::Map {
    of: &Shape::Nullable(&Shape::Checked(names::LABEL_VALUE)),
    keys: names::KEY,
    expected: "a mapping of labels",
};

pub(in crate::oam::traits) const ANNOTATIONS: Shape =
    Shape::Map { of: &Shape::Nullable(&Shape::Text), keys: names::KEY, expected: "a mapping of annotations" };

/// Whether each operation has what it needs is for the patch itself.
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
