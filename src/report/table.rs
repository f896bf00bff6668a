//! Tables as kubectl prints them: upper-case headers, three spaces between columns, no borders.
//!
//! A table looks the same on a terminal and in a pipe and never wraps, so that a row is a line.

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
    /// Starts a table; headers are given as they shall appear.
    pub fn new(headers: &[&str]) -> Self {
        let mut inner = comfy_table::Table::new();
        inner.load_style(TableStyle::new());
        inner.set_content_arrangement(ContentArrangement::Disabled);
        inner.set_header(headers.iter().copied());
        Self { inner }
    }

    /// Adds a row; cells are made safe here.
    pub fn row<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.inner.add_row(cells.into_iter().map(|cell| text::sanitise(cell.as_ref()).into_owned()));
    }

    /// The table as text: each column as wide as its widest cell and the gap, no spaces at line ends, a
    /// newline at the end of every line.
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
    fn rows_line_up_as_kubectls() {
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
    fn an_empty_cell_leaves_no_spaces_at_the_end() {
        let mut table = Table::new(&["A", "B"]);
        table.row(["x", ""]);
        table.row(["", "y"]);
        assert_eq!(table.render(), "A   B\nx\n    y\n");
    }

    #[test]
    fn wide_characters_and_hostile_cells_keep_the_columns() {
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
