//! Generated files, written into a directory that somebody named.

use std::path::Path;

use anyhow::Context as _;

use crate::cli::failure::Failure;

/// Writes files, each a name and its text, into a directory.
///
/// # Errors
///
/// A directory that is not there or cannot be written.
pub(crate) fn write(dir: &Path, files: &[(String, String)]) -> Result<(), Failure> {
    for (name, text) in files {
        let path = dir.join(name);
        std::fs::write(&path, text)
            .with_context(|| format!("file `{}` cannot be written", path.display()))?;
    }
    Ok(())
}
