//! Where a part of a manifest is.

/// A place in a manifest; line and column are one-based.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// The file's path as the user gave it, or `<stdin>`.
    pub file: String,
    /// One-based line.
    pub line: usize,
    /// One-based column.
    pub column: usize,
}
