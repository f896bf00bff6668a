//! Generated files, written into a directory.

use std::path::Path;

use anyhow::Context as _;

use crate::cli::failure::CommandError;

/// Writes files, each a name and its text, into a directory, creating it if needed.
///
/// # Errors
///
/// If the directory cannot be created or written.
pub(crate) fn write(dir: &Path, files: &[(String, String)]) -> Result<(), CommandError> {
    std::fs::create_dir_all(dir)
        .with_context(|| format!("directory `{}` cannot be created", dir.display()))?;
    for (name, text) in files {
        let path = dir.join(name);
        std::fs::write(&path, text)
            .with_context(|| format!("file `{}` cannot be written", path.display()))?;
    }
    Ok(())
}
