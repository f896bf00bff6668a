//! `rollout man`: manual pages.

mod output;

use std::path::PathBuf;

use crate::cli::commands::files;
use crate::cli::exit;
use crate::cli::failure::CommandError;
use crate::cli::terminal::ui::Ui;

/// Print the manual page, or write a page for every command
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct ManArgs {
    /// Write one page per command to this directory, creating it if needed
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  $ rollout man | man -l -
  $ rollout man --dir ~/.local/share/man/man1";

/// The release that a page describes, in its footer.
const SOURCE: &str = concat!("rollout ", env!("CARGO_PKG_VERSION"));

/// Runs the command.
///
/// # Errors
///
/// If the directory cannot be written.
pub fn run(args: &ManArgs, ui: &mut Ui) -> Result<u8, CommandError> {
    let pages = pages();
    let Some(dir) = &args.dir else {
        ui.data(&pages[0].1);
        return Ok(exit::SUCCESS);
    };
    files::write(dir, &pages)?;
    ui.status(&format!("{} manual pages written to `{}`", pages.len(), dir.display()));
    Ok(exit::SUCCESS)
}

/// Every page with its file name, that of `rollout` itself first.
pub fn pages() -> Vec<(String, String)> {
    let mut root = crate::cli::command().disable_help_subcommand(true);
    root.build();
    let mut pages = vec![page(root.clone())];
    pages.extend(root.get_subcommands().map(|command| {
        // Pages are named like git's, `rollout-apply`; the text has the command as typed.
        let name = format!("rollout-{}", command.get_name());
        page(command.clone().display_name(name))
    }));
    pages
}

fn page(command: clap::Command) -> (String, String) {
    let sections = output::section(&command) + &environment(&command);
    let man = clap_mangen::Man::new(command).date("").source(SOURCE).manual("Rollout Manual");
    let mut bytes = Vec::new();
    man.render(&mut bytes).expect("writing to memory cannot fail");
    let text = String::from_utf8(bytes).expect("clap generates text");
    (man.get_filename(), with_headings(&text) + &sections)
}

/// The section on the variables that stand in for flags.
fn environment(command: &clap::Command) -> String {
    let mut section = String::new();
    for arg in command.get_arguments() {
        if let (Some(variable), Some(flag)) = (arg.get_env(), arg.get_long()) {
            let (variable, flag) = (variable.to_string_lossy(), flag.replace('-', "\\-"));
            section.push_str(&format!(".TP\n\\fB{variable}\\fR\ndefault of \\fB\\-\\-{flag}\\fR\n"));
        }
    }
    if section.is_empty() { section } else { format!(".SH ENVIRONMENT\n{section}") }
}

/// Moves examples and exit codes into their own sections: the generator puts both into one named EXTRA.
fn with_headings(text: &str) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        match line {
            ".SH EXTRA" => {}
            "Examples:" => lines.push(".SH EXAMPLES"),
            "Exit codes:" => lines.push(".SH \"EXIT STATUS\""),
            _ => lines.push(line),
        }
    }
    lines.join("\n") + "\n"
}
