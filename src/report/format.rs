//! The formats of output on stdout.

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
    /// `rollout/NAME`, one per line.
    Name,
}
