//! Environment variables that stand in for flags: which of them are used, and which one an error is about.

use std::ffi::{OsStr, OsString};

use clap::error::{ContextKind, ContextValue};

/// Detaches environment variables from their flags if `is_left_out` holds for their value.
pub(in crate::cli) fn without(command: clap::Command, is_left_out: fn(&OsStr) -> bool) -> clap::Command {
    command
        .mut_args(|arg| {
            if value(&arg).is_some_and(|value| is_left_out(&value)) { arg.env(None::<&str>) } else { arg }
        })
        .mut_subcommands(|command| without(command, is_left_out))
}

/// Makes an error name the environment variable that caused it, instead of the flag, which was not typed. `typed` is
/// the error of the same command line without variables.
pub(in crate::cli) fn named(
    mut error: clap::Error,
    command: &clap::Command,
    typed: Option<&clap::Error>,
) -> clap::Error {
    let about = |error: &clap::Error| {
        Some((text(error, ContextKind::InvalidArg)?, text(error, ContextKind::InvalidValue)?))
    };
    let Some((flag, wrong)) = about(&error) else { return error };
    if typed.and_then(about).as_ref() == Some(&(flag.clone(), wrong.clone())) {
        return error;
    }
    // Flags can be displayed only after the command is built.
    let mut command = command.clone();
    command.build();
    if let Some(variable) = variable(&command, &flag, &wrong) {
        error.insert(ContextKind::InvalidArg, ContextValue::String(variable));
    }
    error
}

fn text(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    }
}

/// The environment variable of a flag, as clap displays the flag, whose value contains `wrong`.
fn variable(command: &clap::Command, flag: &str, wrong: &str) -> Option<String> {
    let is_meant = |arg: &&clap::Arg| {
        arg.to_string() == flag && value(arg).is_some_and(|value| value.to_string_lossy().contains(wrong))
    };
    let found = command.get_arguments().find(is_meant).and_then(clap::Arg::get_env);
    let found = found.map(|name| name.to_string_lossy().into_owned());
    found.or_else(|| command.get_subcommands().find_map(|command| variable(command, flag, wrong)))
}

fn value(arg: &clap::Arg) -> Option<OsString> {
    #[expect(clippy::disallowed_methods, reason = "the command line may read the environment")]
    arg.get_env().and_then(std::env::var_os)
}
