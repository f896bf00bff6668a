//! The rows of the results, in the order in which they are measured.

mod growth;
mod idle;
mod many;
mod planning;
mod start;
mod upgrade;

use crate::bench::Bench;

/// A row: how to ask for it, and what measures it.
type Row = (&'static str, fn(&mut Bench));

const ROWS: [Row; 6] = [
    ("start", start::run),
    ("plan", planning::run),
    ("upgrade", upgrade::run),
    ("idle", idle::run),
    ("many", many::run),
    ("growth", growth::run),
];

/// Measures the rows that were asked for.
pub(crate) fn run(bench: &mut Bench) {
    for name in bench.named() {
        let known = ROWS.map(|(row, _)| row);
        assert!(known.contains(&name.as_str()), "no row is called `{name}`, expected one of {known:?}");
    }
    for (name, row) in ROWS {
        if bench.wants(name) {
            row(bench);
        }
    }
}
