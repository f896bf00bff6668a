//! The section of a manual page on output for programs.
//!
//! The list of events is generated from their schema, so that both describe the same events.

use std::fmt::Write as _;

use serde_json::Value;

const EVENTS: &str = include_str!("../../../../schema/event.json");

const DOCUMENTS: &str = "\
Results go to stdout, messages to stderr. `-o json` prints one document. \
Its `version` changes when a key is removed or changes its meaning; keys may be added without, so ignore unknown keys. \
The JSON Schemas of all machine-readable output are in the folder `schema` of the source.";

const DRIVEN: &str = "\
With `-o ndjson`, prints every event as it happens: one JSON object per line, with the keys `version`, \
`elapsedSeconds`, `application`, `component`, and `event`, which determines the other keys; of several clusters or namespaces also `cluster` or `namespace`. Batches count from 0. \
The last event of a component whose turn has come is `succeeded`, `held`, `suspended`, `dependencyHeld`, `inconclusive`, `interrupted` or `failed`; the exit status sums them up. \
With `-o json`, prints one document at the end, as `rollout status -o json` does. \
In both, `version` changes when a key is removed or changes its meaning; keys and events may be added without, so ignore \
unknown ones. Their JSON Schemas are `schema/event.json` and `schema/status.json` in the source. \
The events are:";

/// The section of a command's page; empty if the command has no output for programs.
pub(super) fn section(command: &clap::Command) -> String {
    let forms =
        command.get_arguments().find(|arg| arg.get_id() == "output").map(clap::Arg::get_possible_values);
    let has = |form: &str| forms.iter().flatten().any(|value| value.matches(form, false));
    if has("ndjson") {
        format!(".SH OUTPUT\n{}{}", paragraph(DRIVEN), events())
    } else if has("json") || command.has_subcommands() {
        format!(".SH OUTPUT\n{}", paragraph(DOCUMENTS))
    } else {
        String::new()
    }
}

/// Each kind of event with its meaning.
fn events() -> String {
    let schema: Value = serde_json::from_str(EVENTS).expect("the schema is JSON");
    let mut list = String::new();
    for kind in schema["oneOf"].as_array().into_iter().flatten() {
        if let (Some(name), Some(title)) =
            (kind["properties"]["event"]["const"].as_str(), kind["title"].as_str())
        {
            write!(list, ".TP\n\\fB{name}\\fR\n{}", paragraph(title))
                .expect("writing to a string cannot fail");
        }
    }
    list
}

/// Converts text with literals in backticks to roff.
fn paragraph(text: &str) -> String {
    let parts = text.split('`').enumerate().map(|(index, part)| match index % 2 {
        0 => part.to_owned(),
        _ => format!("\\fB{}\\fR", part.replace('-', "\\-")),
    });
    parts.chain(["\n".to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str) -> String {
        let mut root = crate::cli::command();
        root.build();
        section(if name == "rollout" { &root } else { root.find_subcommand(name).unwrap() })
    }

    #[test]
    fn pages_of_driving_commands_list_the_events() {
        for name in ["apply", "undo", "promote", "resume", "abort", "scale"] {
            let section = of(name);
            assert!(
                section.starts_with(".SH OUTPUT\nWith \\fB\\-o ndjson\\fR, prints every event"),
                "{section}"
            );
            assert_eq!(section.matches(".TP\n\\fB").count(), 31, "{section}");
            assert!(section.contains("\\fBbatchReady\\fR\nA batch is complete\n"), "{section}");
        }
    }

    #[test]
    fn pages_of_commands_that_print_documents_name_the_schemas() {
        for name in ["rollout", "status", "history", "pause"] {
            assert!(of(name).contains("the folder \\fBschema\\fR of the source"), "{name}");
        }
        assert_eq!(of("crds"), "");
    }
}
