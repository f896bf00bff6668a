//! The formats of what is printed on stdout.

/// A format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// kubectl's table.
    #[default]
    Table,
    /// The table with more columns.
    Wide,
    /// One JSON document.
    Json,
    /// One YAML document.
    Yaml,
    /// `rollout/NAME`, one a line.
    Name,
}
