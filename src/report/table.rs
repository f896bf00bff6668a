//! Tables as kubectl prints them: upper-case headers, three spaces between columns, no borders.
//!
//! A table is the same on a terminal and in a pipe, and never wraps, so that each row is one line.

use comfy_table::{ContentArrangement, TableStyle};

use crate::report::text;

/// The distance between two columns, kubectl's.
const GAP: u16 = 3;

/// A table under construction.
#[derive(Debug)]
pub struct Table {
    inner: comfy_table::Table,
}

impl Table {
    /// Creates a table with headers, which are printed unchanged.
    pub fn new(headers: &[&str]) -> Self {
        let mut inner = comfy_table::Table::new();
        inner.load_style(TableStyle::new());
        inner.set_content_arrangement(ContentArrangement::Disabled);
        inner.set_header(headers.iter().copied());
        Self { inner }
    }

    /// Adds a row; sanitises its cells.
    pub fn row<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.inner.add_row(cells.into_iter().map(|cell| text::sanitise(cell.as_ref()).into_owned()));
    }

    /// The table as text: each column is as wide as its widest cell plus the gap, and lines end with a newline, without
    /// trailing spaces.
    pub fn render(mut self) -> String {
        self.inner.discover_columns();
        for column in self.inner.column_iter_mut() {
            column.set_padding((0, GAP));
        }
        self.inner.lines().map(|line| format!("{}\n", line.trim_end_matches(' '))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_as_in_kubectl() {
        let mut table =
            Table::new(&["NAME", "TARGET", "UPGRADED", "READY", "BATCH-STATE", "ROLLING-STATE", "AGE"]);
        table.row(["express-server", "5", "5", "5", "batchReady", "rolloutSucceed", "2d20h"]);
        assert_eq!(
            table.render(),
            "NAME             TARGET   UPGRADED   READY   BATCH-STATE   ROLLING-STATE    AGE\n\
             express-server   5        5          5       batchReady    rolloutSucceed   2d20h\n"
        );
    }

    #[test]
    fn lines_have_no_trailing_spaces() {
        let mut table = Table::new(&["A", "B"]);
        table.row(["x", ""]);
        table.row(["", "y"]);
        assert_eq!(table.render(), "A   B\nx\n    y\n");
    }

    #[test]
    fn columns_align_with_wide_characters_and_hostile_cells() {
        let mut table = Table::new(&["NAME", "B"]);
        table.row(["发布", "1"]);
        table.row(["a\nb\x1b[2J", "2"]);
        assert_eq!(table.render(), "NAME          B\n发布          1\na\\nb\\x1b[2J   2\n");
    }

    #[test]
    fn a_long_cell_never_wraps() {
        let long = "x".repeat(3000);
        let mut table = Table::new(&["NAME", "B"]);
        table.row([long.as_str(), "1"]);
        assert_eq!(table.render().lines().nth(1), Some(format!("{long}   1").as_str()));
    }

    #[test]
    fn a_table_without_rows_is_its_header() {
        assert_eq!(Table::new(&["NAME", "AGE"]).render(), "NAME   AGE\n");
    }
}
