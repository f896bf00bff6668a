//! The command line: its syntax, and running a command to its exit code.
//!
//! Parsing comes first and needs no runtime, file or network. Each command has a file with its flags, their help, and
//! its implementation.

pub mod clusters;
pub mod commands;
mod complete;
pub mod connect;
pub mod directories;
pub mod exit;
pub mod failure;
pub mod flags;
pub mod hints;
#[cfg(test)]
mod hostile;
pub mod input;
pub mod interrupt;
pub(crate) mod plugin;
pub mod run;
pub mod selection;
pub mod terminal;

use std::ffi::{OsStr, OsString};

use anyhow::Context as _;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum as _};

use crate::cli::commands::{
    abort, apply, completions, convert, crds, delete, history, job, man, pause, plan, promote, rbac,
    rehearse, resume, scale, status, undo,
};
use crate::cli::failure::CommandError;
use crate::cli::flags::args::{Color, GlobalArgs};
use crate::cli::flags::variables;
use crate::cli::hints::flags::HintFlags;
use crate::cli::hints::misplaced;
use crate::cli::interrupt::interruptible;
use crate::cli::terminal::ui::Ui;
use crate::report::lines::Verbosity;
use crate::report::text::{is_unsafe, sanitise, sanitise_block};

/// Roll out Kubernetes workloads in batches
///
/// Reads Application manifests (`core.oam.dev/v1beta1`). Upgrades, scales or rolls back components with the `rollout`
/// trait in batches, waiting for each batch to become ready, and applies other components as a whole. Nothing has to be
/// installed in the cluster. If a command is interrupted, rerun it to resume.
#[derive(Debug, Clone, Parser)]
#[command(name = "rollout", version, arg_required_else_help = true, max_term_width = 100)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{}", exit::help()))]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub global: GlobalArgs,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Clone, Subcommand)]
#[expect(missing_docs, reason = "clap would take it for the help, which stands with each command's flags")]
pub enum Command {
    Apply(apply::ApplyArgs),
    Plan(plan::PlanArgs),
    Rehearse(rehearse::RehearseArgs),
    Status(status::StatusArgs),
    Undo(undo::UndoArgs),
    Promote(promote::PromoteArgs),
    Pause(pause::PauseArgs),
    Resume(resume::ResumeArgs),
    Abort(abort::AbortArgs),
    Scale(scale::ScaleArgs),
    Delete(delete::DeleteArgs),
    History(history::HistoryArgs),
    Convert(convert::ConvertArgs),
    Crds(crds::CrdsArgs),
    Rbac(rbac::RbacArgs),
    Job(job::JobArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

const EXAMPLES: &str = "\
Examples:
  $ rollout plan app.yaml
  $ rollout apply app.yaml
  $ rollout status express-server
  $ rollout undo express-server --to-revision v1
  $ rollout apply examples/express-server-v1.yaml --sandbox";

/// Runs the process's command line and returns its exit code.
pub fn main() -> u8 {
    let typed: Vec<OsString> = std::env::args_os().collect();
    if let Some(code) = complete::answer(&typed, &mut Ui::new(Color::Never, Verbosity::Quiet)) {
        return code;
    }
    match parse(&typed, OsStr::is_empty) {
        Ok((cli, flags)) => {
            let detail = if cli.global.quiet { Verbosity::Quiet } else { Verbosity::Full };
            let mut ui = Ui::new(cli.global.color, detail).with_hint_flags(flags);
            let outcome = run(&cli, &mut ui).map_err(|failure| misplaced::explained(failure, &typed));
            ui.conclude(outcome)
        }
        Err(error) => {
            let text = shown(&typed, &error);
            Ui::new(typed_color(&typed), Verbosity::Full).parsed(&error, &text)
        }
    }
}

/// Parses a command line. `is_left_out` selects values of environment variables to ignore: empty ones, because CI
/// systems set variables that have no value.
fn parse(typed: &[OsString], is_left_out: fn(&OsStr) -> bool) -> Result<(Cli, HintFlags), clap::Error> {
    let named = plugin::named(command(), typed.first().map(OsString::as_os_str));
    let parsed = |is_left_out| {
        variables::without(named.clone(), is_left_out)
            .try_get_matches_from(typed)
            .and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, HintFlags::of(&matches))))
    };
    parsed(is_left_out).map_err(|error| variables::named(error, &named, parsed(|_| true).err().as_ref()))
}

/// clap's message about a command line, in its colours; sanitised.
///
/// The message repeats the words as typed, and its colours are escape sequences as well, so the two cannot be
/// distinguished afterwards. So control characters are made visible in the words first, which are then parsed again.
fn shown(typed: &[OsString], error: &clap::Error) -> String {
    let visible: Vec<OsString> =
        typed.iter().map(|word| sanitise(&word.to_string_lossy()).into_owned().into()).collect();
    match parse(&visible, |value| value.is_empty() || value.to_string_lossy().contains(is_unsafe)) {
        Err(error) => error.render().ansi().to_string(),
        // The error was about a variable's value.
        Ok(_) => sanitise_block(&error.render().to_string()).into_owned(),
    }
}

/// The definition of the command line, for generated files.
pub fn command() -> clap::Command {
    Cli::command()
}

fn run(cli: &Cli, ui: &mut Ui) -> Result<u8, CommandError> {
    match &cli.command {
        Command::Convert(args) => convert::run(args, &cli.global, ui),
        Command::Crds(args) => crds::run(args, ui),
        Command::Rbac(args) => rbac::run(args, &cli.global, ui),
        Command::Job(args) => job::run(args, &cli.global, ui),
        Command::Completions(args) => completions::run(args, ui),
        Command::Man(args) => man::run(args, ui),
        Command::Apply(args) => wait(apply::run(args, &cli.global, ui)),
        Command::Plan(args) => wait(interruptible(plan::run(args, &cli.global, ui))),
        Command::Rehearse(args) => wait(interruptible(rehearse::run(args, &cli.global, ui))),
        Command::Status(args) => wait(interruptible(status::run(args, &cli.global, ui))),
        Command::Undo(args) => wait(undo::run(args, &cli.global, ui)),
        Command::Promote(args) => wait(promote::run(args, &cli.global, ui)),
        Command::Pause(args) => wait(pause::run(args, &cli.global, ui)),
        Command::Resume(args) => wait(resume::run(args, &cli.global, ui)),
        Command::Abort(args) => wait(abort::run(args, &cli.global, ui)),
        Command::Scale(args) => wait(scale::run(args, &cli.global, ui)),
        Command::Delete(args) => wait(delete::run(args, &cli.global, ui)),
        Command::History(args) => wait(interruptible(history::run(args, &cli.global, ui))),
    }
}

/// Runs a command that talks to an API. One thread suffices, since commands mostly wait.
fn wait(command: impl Future<Output = Result<u8, CommandError>>) -> Result<u8, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the runtime cannot be started")?;
    let outcome = runtime.block_on(command);
    // Does not wait for open connections to close.
    runtime.shutdown_background();
    outcome
}

/// The value of `--color` in a command line that cannot be parsed.
fn typed_color(typed: &[OsString]) -> Color {
    let mut words = typed.iter().map(OsString::as_os_str);
    while let Some(word) = words.next() {
        let value = match word.to_str() {
            Some("--color") => words.next().and_then(OsStr::to_str),
            Some(word) => word.strip_prefix("--color="),
            None => None,
        };
        if let Some(color) = value.and_then(|value| Color::from_str(value, false).ok()) {
            return color;
        }
    }
    Color::Auto
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn every_flag_and_command_has_help() {
        let mut root = command();
        root.build();
        for command in std::iter::once(&root).chain(root.get_subcommands()) {
            let about = command.get_about().unwrap_or_else(|| panic!("{} has no help", command.get_name()));
            assert!(
                !about.to_string().ends_with('.'),
                "{}: a full stop in the first line",
                command.get_name()
            );
            for arg in command.get_arguments() {
                let help = arg.get_help().unwrap_or_else(|| panic!("{} has no help", arg.get_id()));
                assert!(!help.to_string().ends_with('.'), "{}: a full stop in the first line", arg.get_id());
            }
        }
    }

    #[test]
    fn every_command_has_examples() {
        for command in command().get_subcommands() {
            let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(examples.starts_with("Examples:\n  $ rollout"), "{}", command.get_name());
        }
    }

    #[test]
    fn words_repeated_in_errors_are_sanitised() {
        let cases: [&[&str]; 5] = [
            &["rollout", "\u{1b}]0;gone\u{7}"],
            &["rollout", "--\u{1b}[31mred"],
            &["rollout", "apply", "x", "--timeout", "1\u{1b}[2J"],
            &["rollout", "status", "-o", "\u{9b}2J\u{202e}"],
            &["\u{1b}[31m", "status", "--output"],
        ];
        for typed in cases {
            let typed: Vec<OsString> = typed.iter().map(OsString::from).collect();
            let text = shown(&typed, &parse(&typed, OsStr::is_empty).unwrap_err());
            let colours = text.matches("\u{1b}[").count();
            assert!(colours > 0 && !text.contains("\u{1b}[31mred"), "{text:?}");
            assert_eq!(text.chars().filter(|c| *c != '\n' && is_unsafe(*c)).count(), colours, "{text:?}");
        }
    }

    #[test]
    fn the_colour_is_found_without_parsing() {
        let cases: [(&[&str], Color); 4] = [
            (&["rollout", "--color", "never", "x"], Color::Never),
            (&["rollout", "--color=always"], Color::Always),
            (&["rollout", "--color=blue"], Color::Auto),
            (&["rollout"], Color::Auto),
        ];
        for (typed, color) in cases {
            let typed: Vec<OsString> = typed.iter().map(OsString::from).collect();
            assert_eq!(typed_color(&typed), color);
        }
    }
}
