//! The flags that select the cluster and the namespace: hints repeat them with every command.
//!
//! Commands of `rollout` repeat only flags from the command line, because environment variables still apply. kubectl
//! does not read these variables, so its commands get their values as flags.

use clap::ArgMatches;
use clap::parser::ValueSource;

use crate::cli::flags::args::GlobalArgs;

/// The flags that select the cluster and the namespace, by their clap identifiers.
const FLAGS: [(&str, &str); 8] = [
    ("namespace", NAMESPACE),
    ("context", CONTEXT),
    ("fleet", FLEET),
    ("cluster", "--cluster "),
    ("user", "--user "),
    ("kubeconfig", "--kubeconfig "),
    ("as_user", "--as "),
    ("as_group", "--as-group "),
];
const NAMESPACE: &str = "-n ";
const CONTEXT: &str = "--context ";
const FLEET: &str = "--fleet ";
const SANDBOX: &str = "--sandbox=";

const TRUST_GATES: &str = "trust_gates";

/// Commands that continue a run as it is recorded, gates included.
const CONTINUING: [&str; 2] = ["rollout promote", "rollout resume"];

/// kubectl commands to which a namespace does not apply.
const CLUSTER_WIDE: [&str; 4] =
    ["kubectl create namespace", "kubectl auth whoami", "kubectl cluster-info", "kubectl get namespaces"];

/// The flags to add to commands in hints, as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HintFlags {
    ours: Vec<String>,
    of_kubectl: Vec<String>,
    /// Additional flags for commands that continue a run with its gates.
    of_runs: Vec<String>,
}

impl HintFlags {
    /// The flags that the command line and the environment set.
    pub fn of(matches: &ArgMatches) -> Self {
        let values = |id: &str| -> Vec<String> {
            let values = matches.try_get_raw(id).ok().flatten();
            values.into_iter().flatten().map(|value| quoted(&value.to_string_lossy())).collect()
        };
        let value = |id: &str| values(id).into_iter().next();
        let is_typed = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
        let is_given = |id: &str| is_typed(id) || matches.value_source(id) == Some(ValueSource::EnvVariable);
        let flags = |is_meant: &dyn Fn(&str) -> bool| -> Vec<String> {
            let meant = FLAGS.iter().filter(|(id, _)| is_meant(id));
            // Several contexts are one entry: a command gets all of them or none.
            let shown = |(id, flag): &(&str, &str)| {
                let values: Vec<String> =
                    values(id).into_iter().map(|value| format!("{flag}{value}")).collect();
                (!values.is_empty()).then(|| values.join(" "))
            };
            meant.filter_map(shown).collect()
        };
        let mut ours = flags(&is_typed);
        // A sandbox without a file ends with the command, so no hint can refer to it.
        let sandbox = value("sandbox").filter(|_| is_typed("sandbox"));
        ours.extend(sandbox.map(|file| format!("{SANDBOX}{file}")));
        let mut of_kubectl = flags(&is_given);
        of_kubectl.retain(|flag| !flag.starts_with(FLEET));
        let trusts_gates = |(_, command): (&str, &ArgMatches)| {
            let has_flag = command.try_contains_id(TRUST_GATES).is_ok();
            has_flag && command.value_source(TRUST_GATES) == Some(ValueSource::CommandLine)
        };
        let trusts_gates = matches.subcommand().is_some_and(trusts_gates);
        let of_runs = trusts_gates.then(|| "--trust-gates".to_owned()).into_iter().collect();
        Self { ours, of_kubectl, of_runs }
    }

    /// These flags for one of several clusters: its own flags replace those that select several.
    #[must_use]
    pub fn in_cluster(&self, args: &GlobalArgs) -> Self {
        let chosen =
            |flag: &String| [NAMESPACE, CONTEXT, FLEET, SANDBOX].iter().any(|one| flag.starts_with(one));
        let context = args.context.first().map(|context| format!("{CONTEXT}{}", quoted(context)));
        let namespace = args.namespace.as_ref().map(|namespace| format!("{NAMESPACE}{}", quoted(namespace)));
        let selection: Vec<String> = namespace.into_iter().chain(context).collect();
        let others = |flags: &[String]| -> Vec<String> {
            let others = flags.iter().filter(|flag| !chosen(flag)).cloned();
            selection.iter().cloned().chain(others).collect()
        };
        let (mut ours, of_kubectl) = (others(&self.ours), others(&self.of_kubectl));
        let sandbox = args.sandbox.iter().flatten();
        ours.extend(sandbox.map(|file| format!("{SANDBOX}{}", quoted(&file.to_string_lossy()))));
        Self { ours, of_kubectl, of_runs: self.of_runs.clone() }
    }

    /// These flags with a namespace, unless one is set.
    #[must_use]
    pub fn in_namespace(&self, namespace: &str) -> Self {
        let mut flags = self.clone();
        for flags in [&mut flags.ours, &mut flags.of_kubectl] {
            if !flags.iter().any(|flag| flag.starts_with(NAMESPACE)) {
                flags.insert(0, format!("{NAMESPACE}{}", quoted(namespace)));
            }
        }
        flags
    }

    /// These flags with a namespace, which replaces one that is set.
    #[must_use]
    pub fn with_namespace(&self, namespace: &str) -> Self {
        let mut flags = self.clone();
        for flags in [&mut flags.ours, &mut flags.of_kubectl] {
            flags.retain(|flag| !flag.starts_with(NAMESPACE));
        }
        flags.in_namespace(namespace)
    }

    /// A sentence whose commands, which stand between backticks, have the flags that they lack.
    #[must_use]
    pub fn add_to(&self, sentence: &str) -> String {
        let parts = sentence.split('`').enumerate().map(|(index, part)| {
            if index % 2 == 1 && part.starts_with("rollout ") {
                let continues_run = CONTINUING.iter().any(|command| part.starts_with(command));
                added(part, self.ours.iter().chain(self.of_runs.iter().filter(|_| continues_run)))
            } else if index % 2 == 1 && part.starts_with("kubectl ") {
                let is_cluster_wide = CLUSTER_WIDE.iter().any(|command| part.starts_with(command));
                let is_of_use = |flag: &&String| !(is_cluster_wide && flag.starts_with(NAMESPACE));
                added(part, self.of_kubectl.iter().filter(is_of_use))
            } else {
                part.to_owned()
            }
        });
        parts.collect::<Vec<_>>().join("`")
    }
}

/// Adds the flags that a command lacks, except for the fleet if the command selects one cluster.
fn added<'a>(command: &str, flags: impl Iterator<Item = &'a String>) -> String {
    let has = |flag: &str| command.split([' ', '=']).any(|word| word == flag);
    let selects_cluster = has(CONTEXT.trim_end()) || has(SANDBOX.trim_end_matches('='));
    let mut command = command.to_owned();
    for flag in flags.filter(|flag| !(selects_cluster && flag.starts_with(FLEET))) {
        let name = flag.split([' ', '=']).next().unwrap_or_default();
        if !command.split([' ', '=']).any(|word| word == name) {
            command.push(' ');
            command.push_str(flag);
        }
    }
    command
}

/// Quotes a word for a shell.
fn quoted(word: &str) -> String {
    if is_plain(word) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// Whether no shell interprets any character of a word.
pub fn is_plain(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:@%+,".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(line: &[&str]) -> HintFlags {
        HintFlags::of(&crate::cli::command().try_get_matches_from(line).unwrap())
    }

    #[test]
    fn commands_get_the_missing_flags() {
        let flags = typed(&["rollout", "status", "--context", "it's here", "-n=shop", "--sandbox=box.json"]);
        let cases = [
            (
                "see `rollout status`",
                r"see `rollout status -n shop --context 'it'\''s here' --sandbox=box.json`",
            ),
            ("`kubectl get pods -n other`", r"`kubectl get pods -n other --context 'it'\''s here'`"),
            ("`kubectl create namespace shop`", r"`kubectl create namespace shop --context 'it'\''s here'`"),
            ("`kubectl cluster-info`", r"`kubectl cluster-info --context 'it'\''s here'`"),
            ("no `command`, nor rollout status", "no `command`, nor rollout status"),
        ];
        for (sentence, wanted) in cases {
            assert_eq!(flags.add_to(sentence), wanted);
        }
    }

    #[test]
    fn a_command_about_one_of_several_clusters_selects_it_alone() {
        let typed = typed(&["rollout", "status", "--context", "eu", "--context", "us", "--user", "ci"]);
        assert_eq!(typed.add_to("`rollout status`"), "`rollout status --context eu --context us --user ci`");
        let line = ["rollout", "status", "--context", "us", "-n", "shop", "--sandbox=box.us.json"];
        let cli = <crate::cli::Cli as clap::Parser>::try_parse_from(line).unwrap();
        let in_us = typed.in_cluster(&cli.global);
        assert_eq!(
            in_us.add_to("`rollout undo`, `kubectl get pods`"),
            "`rollout undo -n shop --context us --user ci --sandbox=box.us.json`, \
             `kubectl get pods -n shop --context us --user ci`"
        );
    }

    #[test]
    fn a_command_about_a_cluster_of_a_fleet_does_not_name_the_fleet() {
        let typed = typed(&["rollout", "apply", "app.yaml", "--fleet", "fleet.yaml"]);
        assert_eq!(typed.add_to("`rollout status`"), "`rollout status --fleet fleet.yaml`");
        for of_cluster in ["`rollout status --context eu`", "`rollout status --sandbox=box.eu.json`"] {
            assert_eq!(typed.add_to(of_cluster), of_cluster);
        }
    }

    #[test]
    fn commands_that_continue_a_run_trust_gates_as_the_run_does() {
        let flags = typed(&["rollout", "apply", "app.yaml", "--trust-gates", "-n", "shop"]);
        let cases = [
            ("`rollout promote web`", "`rollout promote web -n shop --trust-gates`"),
            ("`rollout resume web`", "`rollout resume web -n shop --trust-gates`"),
            ("`rollout undo web`", "`rollout undo web -n shop`"),
        ];
        for (hint, expected) in cases {
            assert_eq!(flags.add_to(hint), expected);
        }
        assert_eq!(typed(&["rollout", "apply", "app.yaml"]), HintFlags::default());
    }

    #[test]
    fn a_manifests_namespace_is_added_unless_one_was_typed() {
        let none = typed(&["rollout", "status"]);
        assert_eq!(none, HintFlags::default());
        assert_eq!(none.in_namespace("shop").add_to("`rollout undo`"), "`rollout undo -n shop`");
        let typed = typed(&["rollout", "status", "-n", "other"]);
        assert_eq!(typed.in_namespace("shop").add_to("`rollout undo`"), "`rollout undo -n other`");
    }
}
