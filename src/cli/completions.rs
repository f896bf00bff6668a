//! `rollout completions`: scripts that complete the command line in a shell.

use clap::ValueEnum as _;
use clap_complete::{Generator as _, Shell};

use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::ui::Ui;

/// Print a completion script for a shell
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Write for this shell
    pub shell: Shell,
}

const EXAMPLES: &str = "\
Examples:
  $ rollout completions bash > ~/.local/share/bash-completion/completions/rollout
  $ rollout completions zsh > ~/.zfunc/_rollout
  $ rollout completions fish > ~/.config/fish/completions/rollout.fish";

/// Runs the command.
///
/// # Errors
///
/// None of its own.
pub fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    ui.data(&script(args.shell));
    Ok(exit::SUCCESS)
}

/// Every script with the name of its file.
pub fn scripts() -> Vec<(String, String)> {
    Shell::value_variants().iter().map(|shell| (shell.file_name("rollout"), script(*shell))).collect()
}

fn script(shell: Shell) -> String {
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut crate::cli::command(), "rollout", &mut bytes);
    String::from_utf8(bytes).expect("clap generates text")
}
