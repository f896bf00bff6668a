//! The exit codes: part of the interface, so each is a constant, documented and never reused.

use std::fmt::Write as _;

/// Target reached, held at the requested gate, or nothing to do.
pub const SUCCESS: u8 = 0;
/// Any other failure, including a bug of `rollout`.
pub const FAILURE: u8 = 1;
/// The command line or a manifest is wrong; nothing was sent.
pub const USAGE: u8 = 2;
/// The rollout did not become ready in time, or cannot; it can be resumed.
pub const TIMEOUT: u8 = 3;
/// Refused before any write.
pub const REFUSED: u8 = 4;
/// Superseded by another run, or waited too long for one.
pub const CONFLICT: u8 = 5;
/// The cluster cannot be reached or refuses.
pub const CLUSTER: u8 = 6;
/// `plan --detailed-exitcode`: there are changes to make.
pub const CHANGES: u8 = 8;
/// Stopped by Ctrl-C (128 + SIGINT, as in shells); it can be resumed.
pub const INTERRUPTED: u8 = 130;
/// Stopped by SIGTERM (128 + SIGTERM); it can be resumed.
pub const TERMINATED: u8 = 143;

/// Every code with its meaning, as printed in help, man page and README.
pub const TABLE: [(u8, &str); 10] = [
    (SUCCESS, "target reached, held at a gate, or nothing to do"),
    (FAILURE, "any other failure, including a bug in rollout"),
    (USAGE, "invalid usage or manifest; nothing was sent"),
    (TIMEOUT, "not ready in time, cannot become ready, or stopped by a metric or a hook; resumable"),
    (REFUSED, "refused before any write: permissions, ownership, batches, unknown revision"),
    (CONFLICT, "taken over by another run, or waited too long for one"),
    (CLUSTER, "cluster unreachable or refusing (network, credentials, API errors)"),
    (CHANGES, "`plan --detailed-exitcode`: changes pending (0 = none)"),
    (INTERRUPTED, "stopped by Ctrl-C; resumable"),
    (TERMINATED, "stopped by SIGTERM; resumable"),
];

/// The table as text for `--help` and the man page.
pub(crate) fn help() -> String {
    let mut text = "Exit codes:".to_owned();
    for (code, meaning) in TABLE {
        write!(text, "\n  {code:>3}  {meaning}").expect("writing to a string cannot fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_ascending() {
        assert!(TABLE.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn readme_has_the_same_table() {
        let readme = include_str!("../../README.md");
        for (code, meaning) in TABLE {
            assert!(readme.contains(&format!("| {code} | {meaning} |")), "README.md lacks code {code}");
        }
    }
}
