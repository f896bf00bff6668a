//! `rollout completions`: scripts that complete the command line in a shell.
//!
//! The scripts contain no names: they call the binary for each completion, see [`crate::cli::complete`].

use std::path::PathBuf;

use clap::ValueEnum as _;
use clap_complete::env::Shells;
use clap_complete::{Generator as _, Shell};

use crate::cli::commands::files;
use crate::cli::complete;
use crate::cli::exit;
use crate::cli::failure::CommandError;
use crate::cli::terminal::ui::Ui;

/// Print a completion script for a shell, or write the scripts for all shells
///
/// The script calls `rollout` itself, which also completes the names of components, revisions, namespaces and contexts.
/// It queries the cluster with a one-second timeout.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct CompletionsArgs {
    /// Generate the script for this shell
    #[arg(required_unless_present = "dir")]
    pub shell: Option<Shell>,

    /// Write the script to this directory, creating it if needed; without SHELL, one for every shell
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  $ rollout completions bash > ~/.local/share/bash-completion/completions/rollout
  $ rollout completions zsh > ~/.zfunc/_rollout
  $ rollout completions fish > ~/.config/fish/completions/rollout.fish
  $ rollout completions --dir completions";

/// Runs the command.
///
/// # Errors
///
/// If the directory cannot be written.
pub fn run(args: &CompletionsArgs, ui: &mut Ui) -> Result<u8, CommandError> {
    let shells = match &args.shell {
        Some(shell) => std::slice::from_ref(shell),
        None => Shell::value_variants(),
    };
    let Some(dir) = &args.dir else {
        for shell in shells {
            ui.data(&script(*shell));
        }
        return Ok(exit::SUCCESS);
    };
    let scripts = of(shells);
    files::write(dir, &scripts)?;
    for (shell, (name, _)) in shells.iter().zip(&scripts) {
        ui.status(&format!("script for {shell} written to `{}`", dir.join(name).display()));
    }
    Ok(exit::SUCCESS)
}

const NAME: &str = "rollout";

/// Bash also splits words at `=` and `:`, and replaces only the last part. This code joins the parts, so that `rollout`
/// completes the whole word, such as `--until=g` or a context named by an ARN.
const JOIN_WORDS: &str = r#"
    local prefix=""
    if [[ "${COMP_WORDS[*]}" == *[=:]* ]]; then
        local line="${COMP_LINE:0:COMP_POINT}"
        local IFS=$' \t\n'
        read -r -a words <<< "$line"
        [[ "$line" == *[[:space:]] ]] && words+=("")
        IFS=$'\013'
        _CLAP_COMPLETE_INDEX=$((${#words[@]} - 1))
        prefix="${words[_CLAP_COMPLETE_INDEX]%"$2"}"
    fi
"#;

/// Removes the part that bash does not replace from the completions.
const CUT_WORDS: &str = r#"
    [[ -z "$prefix" ]] || COMPREPLY=("${COMPREPLY[@]#"$prefix"}")
"#;

/// Adds this code to clap's script, before and after its call of the binary.
fn with_whole_words(script: &str) -> String {
    let (question, end) = ("\n    COMPREPLY=( $( ", "    fi\n}\n");
    let script = script.replacen(question, &format!("{JOIN_WORDS}{}", &question[1..]), 1);
    script.replacen(end, &format!("    fi{CUT_WORDS}}}\n"), 1)
}

/// Every script with the name of its file.
pub fn scripts() -> Vec<(String, String)> {
    of(Shell::value_variants())
}

fn of(shells: &[Shell]) -> Vec<(String, String)> {
    shells.iter().map(|shell| (shell.file_name(NAME), script(*shell))).collect()
}

fn script(shell: Shell) -> String {
    let shells = Shells::builtins();
    let completer = shells.completer(&shell.to_string()).expect("each shell has both");
    let mut bytes = Vec::new();
    completer
        .write_registration(complete::VARIABLE, NAME, NAME, NAME, &mut bytes)
        .expect("writing to memory cannot fail");
    let script = String::from_utf8(bytes).expect("clap generates text");
    let script = if shell == Shell::Bash { with_whole_words(&script) } else { script };
    format!("{}\n", script.trim())
}
