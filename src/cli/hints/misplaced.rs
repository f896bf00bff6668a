//! A sandbox's file that was typed as another argument: `--sandbox FILE` instead of `--sandbox=FILE`.

use std::ffi::OsString;
use std::path::Path;

use crate::cli::failure::CommandError;
use crate::sandbox;

/// Adds to a failure how the sandbox's file is given, where a word after `--sandbox` may have been meant so.
pub(crate) fn explained(failure: CommandError, typed: &[OsString]) -> CommandError {
    let after = typed.iter().zip(typed.iter().skip(1)).find(|(flag, _)| *flag == "--sandbox");
    match after.and_then(|(_, word)| word.to_str()).filter(|word| may_be_a_sandboxs(word)) {
        Some(file) => failure.hint(format!("specify the sandbox's file as `--sandbox={file}`")),
        None => failure,
    }
}

/// Whether a word is a sandbox's file, or one that is yet to be made.
fn may_be_a_sandboxs(word: &str) -> bool {
    let path = Path::new(word);
    let is_file_name = !word.starts_with('-') && path.extension().is_some();
    is_file_name && (!path.exists() || sandbox::is_sandbox_file(path))
}
