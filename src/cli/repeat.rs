//! The flags that say where: what was typed has to be typed again with every command that a hint names.
//!
//! Only the command line counts: what the environment says goes on saying it.

use clap::ArgMatches;
use clap::parser::ValueSource;

/// The flags that say where, with the identifiers that they have in the command line.
const FLAGS: [(&str, &str); 6] = [
    ("namespace", "-n "),
    ("context", "--context "),
    ("cluster", "--cluster "),
    ("user", "--user "),
    ("kubeconfig", "--kubeconfig "),
    ("as_user", "--as "),
];

/// Flags to repeat, as they are typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags(Vec<String>);

impl Flags {
    /// Those that were typed.
    pub fn typed(matches: &ArgMatches) -> Self {
        let typed = |id: &str| {
            let is_typed = matches.value_source(id) == Some(ValueSource::CommandLine);
            let value = matches.try_get_raw(id).ok().flatten().and_then(|mut values| values.next());
            is_typed.then(|| value.map(|value| quoted(&value.to_string_lossy())))
        };
        let mut flags: Vec<String> =
            FLAGS.iter().filter_map(|(id, flag)| Some(format!("{flag}{}", typed(id)??))).collect();
        // A sandbox without a file is gone when the command ends, and so is what a hint would be about.
        flags.extend(typed("sandbox").flatten().map(|file| format!("--sandbox={file}")));
        Self(flags)
    }

    /// These, and the namespace, unless one was typed.
    #[must_use]
    pub fn in_namespace(&self, namespace: &str) -> Self {
        let Self(mut flags) = self.clone();
        if !flags.iter().any(|flag| flag.starts_with("-n ")) {
            flags.insert(0, format!("-n {}", quoted(namespace)));
        }
        Self(flags)
    }

    /// A sentence whose commands, which stand between backticks, have the flags that they lack.
    #[must_use]
    pub fn repeated(&self, sentence: &str) -> String {
        let parts = sentence.split('`').enumerate().map(|(index, part)| {
            let is_command = index % 2 == 1 && (part.starts_with("rollout ") || part.starts_with("kubectl "));
            if is_command { self.added(part) } else { part.to_owned() }
        });
        parts.collect::<Vec<_>>().join("`")
    }

    fn added(&self, command: &str) -> String {
        let mut command = command.to_owned();
        for flag in &self.0 {
            let name = flag.split([' ', '=']).next().unwrap_or_default();
            let has_it = command.split([' ', '=']).any(|word| word == name);
            // kubectl has all of them but for this one.
            let is_ours_alone = name == "--sandbox" && command.starts_with("kubectl ");
            if !has_it && !is_ours_alone {
                command.push(' ');
                command.push_str(flag);
            }
        }
        command
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    if is_plain(word) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// Whether a word means itself to every shell.
pub fn is_plain(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:@%+,".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(line: &[&str]) -> Flags {
        Flags::typed(&crate::cli::command().try_get_matches_from(line).unwrap())
    }

    #[test]
    fn commands_get_what_was_typed_and_nothing_twice() {
        let flags = typed(&["rollout", "status", "--context", "it's here", "-n=shop", "--sandbox=box.json"]);
        let cases = [
            (
                "see `rollout status`",
                r"see `rollout status -n shop --context 'it'\''s here' --sandbox=box.json`",
            ),
            ("`kubectl get pods -n other`", r"`kubectl get pods -n other --context 'it'\''s here'`"),
            ("no `command`, nor rollout status", "no `command`, nor rollout status"),
        ];
        for (sentence, wanted) in cases {
            assert_eq!(flags.repeated(sentence), wanted);
        }
    }

    #[test]
    fn a_manifests_namespace_is_one_that_nobody_typed() {
        let none = typed(&["rollout", "status"]);
        assert_eq!(none, Flags::default());
        assert_eq!(none.in_namespace("shop").repeated("`rollout undo`"), "`rollout undo -n shop`");
        let typed = typed(&["rollout", "status", "-n", "other"]);
        assert_eq!(typed.in_namespace("shop").repeated("`rollout undo`"), "`rollout undo -n other`");
    }
}
