//! A sandbox's file typed as a separate argument: `--sandbox FILE` instead of `--sandbox=FILE`.

use std::ffi::OsString;
use std::path::Path;

use crate::cli::failure::CommandError;
use crate::sandbox;

/// Adds a hint on how to specify the sandbox's file, if the word after `--sandbox` may be meant as one.
pub(crate) fn explained(failure: CommandError, typed: &[OsString]) -> CommandError {
    let after = typed.iter().zip(typed.iter().skip(1)).find(|(flag, _)| *flag == "--sandbox");
    match after.and_then(|(_, word)| word.to_str()).filter(|word| may_be_a_sandboxs(word)) {
        Some(file) => failure.hint(format!("specify the sandbox's file as `--sandbox={file}`")),
        None => failure,
    }
}

/// Whether a word names a sandbox's file, or a file that does not exist yet.
fn may_be_a_sandboxs(word: &str) -> bool {
    let path = Path::new(word);
    let is_file_name = !word.starts_with('-') && path.extension().is_some();
    is_file_name && (!path.exists() || sandbox::is_sandbox_file(path))
}
