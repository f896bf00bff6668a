//! Manifests with one problem each, for every kind of problem: place, path, message and hint.

use rollout::oam::manifest::{Source, parse_manifest};

use crate::support::manifest::{application, component};

/// A manifest that is valid.
fn base() -> String {
    let web = component("web", 1, 5).unnamed().image("nginx:1.29").batches(&["2", "3"]);
    application("shop", &[web])
}

/// Blocks of a name (`#`), a part of [`base`] (`from|`), its replacement (`to|`), and the problems (`said|`). Without a
/// part, the whole manifest is replaced.
const CASES: &str = include_str!("refusals.txt");

#[test]
fn the_base_manifest_is_valid() {
    assert!(parse_manifest(&[source(&base())]).is_ok());
}

#[test]
fn every_problem_has_a_place_and_a_message() {
    let mut wrong = String::new();
    let cases: Vec<&str> = CASES.split("\n\n").collect();
    assert!(cases.len() > 100);
    for case in cases {
        let lines = |mark: &str| {
            let lines: Vec<&str> =
                case.lines().filter_map(|line| line.trim_start().strip_prefix(mark)).collect();
            lines.join("\n")
        };
        let (name, from, to, said) = (lines("# "), lines("from|"), lines("to|"), lines("said|"));
        let text = if from.is_empty() {
            to
        } else {
            assert!(base().contains(&from), "{name} replaces nothing");
            base().replacen(&from, &to, 1)
        };
        let found = match parse_manifest(&[source(&text)]) {
            Ok(_) => "nothing".to_owned(),
            Err(errors) => errors.to_string(),
        };
        if found != said {
            wrong.push_str(&format!("{name}:\n{found}\n  instead of\n{said}\n\n"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn too_many_batches_are_rejected() {
    let batches = format!("rolloutBatches: [{}]", "{replicas: 1}, ".repeat(1_001));
    let text = base().replacen(
        "rolloutBatches:\n              - replicas: 2\n              - replicas: 3",
        &batches,
        1,
    );
    let said = parse_manifest(&[source(&text)]).unwrap_err().to_string();
    assert_eq!(
        said,
        "app.yaml:15:29: spec.components[0].traits[0].properties.rolloutBatches: found 1001 batches, expected at most 1000"
    );
}

fn source(text: &str) -> Source {
    Source { name: "app.yaml".to_owned(), bytes: text.as_bytes().to_vec() }
}
