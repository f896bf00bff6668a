//! The name under which the program was called: its own, or that of the kubectl plugin.
//!
//! `kubectl rollout` is built into kubectl and takes precedence over a plugin of that name, so the plugin is `kubectl
//! batch-rollout`. kubectl finds it as `kubectl-batch_rollout`, a link to the binary.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::Command;
use clap::builder::StyledStr;

/// The file name by which kubectl finds the plugin.
const FILE: &str = "kubectl-batch_rollout";
/// The plugin's command, as typed.
const TYPED: &str = "kubectl batch-rollout";

/// The file name under which kubectl calls the plugin for completions.
const COMPLETING: &str = "kubectl_complete-batch_rollout";

/// Whether kubectl requests completions, according to the process's first argument.
pub(crate) fn is_asked_to_complete(first: Option<&OsString>) -> bool {
    first.and_then(|first| Path::new(first).file_stem()) == Some(OsStr::new(COMPLETING))
}

/// The command line, named in help as it was called, according to the process's first argument.
pub(crate) fn named(command: Command, first: Option<&OsStr>) -> Command {
    if first.and_then(|first| Path::new(first).file_stem()) != Some(OsStr::new(FILE)) {
        return command;
    }
    renamed(command.bin_name(TYPED)).mut_subcommands(renamed)
}

/// Replaces the name in examples.
fn renamed(command: Command) -> Command {
    let typed = |help: Option<&StyledStr>| {
        help.map(|help| help.ansi().to_string().replace("$ rollout ", &format!("$ {TYPED} ")))
    };
    let (short, long) = (typed(command.get_after_help()), typed(command.get_after_long_help()));
    let command = match short {
        Some(help) => command.after_help(help),
        None => command,
    };
    match long {
        Some(help) => command.after_long_help(help),
        None => command,
    }
}
