//! Help, usage errors, completions and man pages.

use std::fs;
use std::path::Path;

use crate::support::test_env::{TestEnv, transcript};

#[test]
fn version_and_help_go_to_stdout() {
    insta::assert_snapshot!(transcript(&mut TestEnv::new().bare("--version")), @"
    rollout 0.1.0
    --- stderr
    [exit 0]
    ");
    for line in ["--help", "-h", "help apply", "undo --help"] {
        let output = TestEnv::new().bare(line).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{line}");
        assert!(output.stderr.is_empty() && !output.stdout.contains(&b'\x1b'), "{line}");
        assert!(String::from_utf8(output.stdout).unwrap().contains("Examples:\n  $ rollout"), "{line}");
    }
}

#[test]
fn top_level_help_lists_the_exit_codes() {
    let text = transcript(&mut TestEnv::new().bare("--help"));
    for (code, meaning) in rollout::cli::exit::TABLE {
        assert!(text.contains(&format!("{code:>3}  {meaning}")), "{code}");
    }
}

#[test]
fn no_command_is_a_usage_error_that_shows_help() {
    let output = TestEnv::new().bare("").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    assert!(String::from_utf8(output.stderr).unwrap().contains("Usage: rollout"));
}

#[test]
fn usage_errors_name_the_correct_usage() {
    let cases = [
        "aply",
        "apply",
        "apply x --timeout 90",
        "apply x --batch-timeout -5s",
        "apply x --lock-timeout=soon",
        "apply x --request-timeout 1s",
        "apply x --batches 2,three",
        "apply x --batches -1",
        "apply x --partition -1",
        "scale --replicas abc",
        "apply x --dry-run=server",
        "status -o ndjson",
        "status --sandbox-rules rules.yaml",
        "completions tcsh",
        "status --sandbox=",
        "status --namespace=",
    ];
    let env = TestEnv::new();
    let mut text = String::new();
    for line in cases {
        text.push_str(&format!("$ rollout {line}\n{}\n\n", transcript(&mut env.bare(line))));
    }
    insta::assert_snapshot!(text, @"
    $ rollout aply
    --- stderr
    error: unrecognized subcommand 'aply'

      tip: a similar subcommand exists: 'apply'

    Usage: rollout [OPTIONS] <COMMAND>

    For more information, try '--help'.
    [exit 2]

    $ rollout apply
    --- stderr
    error: the following required arguments were not provided:
      <FILE>...

    Usage: rollout apply <FILE>...

    For more information, try '--help'.
    [exit 2]

    $ rollout apply x --timeout 90
    --- stderr
    error: invalid value '90' for '--timeout <DURATION>': `90` has no unit; write `90s` for seconds or `90m` for minutes

    For more information, try '--help'.
    [exit 2]

    $ rollout apply x --batch-timeout -5s
    --- stderr
    error: invalid value '-5s' for '--batch-timeout <DURATION>': a duration cannot be negative; `0` disables the limit

    For more information, try '--help'.
    [exit 2]

    $ rollout apply x --lock-timeout=soon
    --- stderr
    error: invalid value 'soon' for '--lock-timeout <DURATION>': expected a duration such as `90s`, `10m` or `1h30m`

    For more information, try '--help'.
    [exit 2]

    $ rollout apply x --request-timeout 1s
    --- stderr
    error: invalid value '1s' for '--request-timeout <DURATION>': the minimum is `10s`; `0` disables the limit

    For more information, try '--help'.
    [exit 2]

    $ rollout apply x --batches 2,three
    --- stderr
    error: invalid value '2,three' for '--batches <SIZES>': `three` is not a batch size; expected sizes such as `2,3` or `20%,30%,50%`

    For more information, try '--help'.
    [exit 2]

    $ rollout apply x --batches -1
    --- stderr
    error: invalid value '-1' for '--batches <SIZES>': `-1` is not a batch size; expected sizes such as `2,3` or `20%,30%,50%`

    For more information, try '--help'.
    [exit 2]

    $ rollout apply x --partition -1
    --- stderr
    error: invalid value '-1' for '--partition <INDEX>': expected a whole number from 0 to 2147483647

    For more information, try '--help'.
    [exit 2]

    $ rollout scale --replicas abc
    --- stderr
    error: invalid value 'abc' for '--replicas <COUNT>': expected a whole number from 0 to 2147483647

    For more information, try '--help'.
    [exit 2]

    $ rollout apply x --dry-run=server
    --- stderr
    error: file `x` cannot be opened: No such file or directory (os error 2)
    [exit 2]

    $ rollout status -o ndjson
    --- stderr
    error: invalid value 'ndjson' for '--output <FORMAT>'
      [possible values: table, wide, json, yaml, name]

      tip: a similar value exists: 'json'

    For more information, try '--help'.
    [exit 2]

    $ rollout status --sandbox-rules rules.yaml
    --- stderr
    error: `--sandbox-rules` requires `--sandbox`
    [exit 2]

    $ rollout completions tcsh
    --- stderr
    error: invalid value 'tcsh' for '[SHELL]'
      [possible values: bash, elvish, fish, powershell, zsh]

      tip: a similar value exists: 'zsh'

    For more information, try '--help'.
    [exit 2]

    $ rollout status --sandbox=
    --- stderr
    error: a value is required for '--sandbox[=<FILE>]' but none was supplied

    For more information, try '--help'.
    [exit 2]

    $ rollout status --namespace=
    --- stderr
    error: invalid value '' for '--namespace <NAME>': expected a DNS label (lower-case letters, digits and `-`, at most 63 characters)

    For more information, try '--help'.
    [exit 2]
    ");
}

#[test]
fn completions_and_man_pages_are_those_checked_in() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shells = [("bash", "rollout.bash"), ("zsh", "_rollout"), ("fish", "rollout.fish")];
    for (shell, file) in shells {
        let output = TestEnv::new().bare(&format!("completions {shell}")).output().unwrap();
        assert!(output.stdout == fs::read(root.join("completions").join(file)).unwrap(), "{shell}");
    }
    let output = TestEnv::new().bare("man").output().unwrap();
    assert!(output.stdout == fs::read(root.join("man/rollout.1")).unwrap());
}

#[test]
fn man_writes_a_page_per_command() {
    let env = TestEnv::new();
    insta::assert_snapshot!(transcript(&mut env.bare("man --dir .")), @"
    --- stderr
    19 manual pages written to `.`
    [exit 0]
    ");
    assert!(env.path("rollout-apply.1").exists());
    assert_eq!(transcript(&mut env.bare("man --dir . -q")), "--- stderr\n[exit 0]");
    insta::assert_snapshot!(transcript(&mut env.bare("man --dir gone")), @"
    --- stderr
    19 manual pages written to `gone`
    [exit 0]
    ");
}

/// kubectl calls the plugin by the link's name.
#[test]
fn help_of_the_plugin_shows_its_command() {
    let env = TestEnv::new();
    let link = env.path("kubectl-batch_rollout");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_rollout"), &link).unwrap();
    let output = std::process::Command::new(&link).args(["undo", "--help"]).env_clear().output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("Usage: kubectl batch-rollout undo"), "{text}");
    assert!(text.contains("$ kubectl batch-rollout undo express-server"), "{text}");
    assert!(!text.contains("$ rollout "), "{text}");
}
