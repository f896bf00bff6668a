//! Hostile and malformed input.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use rollout::oam::manifest::{MAX_MANIFEST_BYTES, MAX_PROBLEMS, Source, parse_manifest};

use crate::parsing::FULL;

fn said(bytes: impl Into<Vec<u8>>) -> String {
    match parse_manifest(&[Source { name: "app.yaml".to_owned(), bytes: bytes.into() }]) {
        Ok(applications) => format!("{} applications", applications.len()),
        Err(errors) => errors.to_string(),
    }
}

/// `depth` anchors, each of which repeats the previous one nine times.
fn bomb(depth: usize) -> String {
    let level = |level: usize| match level {
        0 => "a0: &a0 [x]\n".to_owned(),
        _ => format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 9].join(", ")),
    };
    (0..depth).map(level).collect()
}

#[test]
fn hostile_input_is_rejected_with_its_place() {
    let nested = |depth: usize| (0..depth).map(|level| " ".repeat(level) + "a:\n").collect::<String>();
    let rows: Vec<(&str, Vec<u8>, &str)> = vec![
        ("nothing", vec![], "app.yaml:1:1: found no document, expected an Application manifest"),
        (
            "a NUL byte",
            b"a: b\n\0".to_vec(),
            "app.yaml:2:1: found a NUL byte, expected UTF-8 text\n    is this a binary file?",
        ),
        (
            "latin 1",
            b"a: b\nc: caf\xe9\n".to_vec(),
            "app.yaml:2:1: found byte 0xe9, expected UTF-8 text\n    save the file as UTF-8",
        ),
        (
            "UTF-16",
            b"\xff\xfea\0".to_vec(),
            "app.yaml:1:1: found UTF-16, expected UTF-8 text\n    save the file as UTF-8",
        ),
        (
            "a control character",
            b"a: \x1b[31m\n".to_vec(),
            "app.yaml:1:4: not valid YAML: unexpected character: `\\u{1b}'\
             \n    quote text that starts with a special character",
        ),
        (
            "a large file",
            vec![b'#'; MAX_MANIFEST_BYTES + 1],
            "app.yaml:1:1: larger than 3 MiB, expected an Application manifest\n    is this the right file?",
        ),
        (
            "an anchor bomb",
            bomb(12).into_bytes(),
            "app.yaml:6:25: aliases expand to too much\n    write out the repeated parts",
        ),
        ("brackets", "[".repeat(100_000).into_bytes(), "app.yaml:1:49: nested deeper than 48 levels"),
        ("mappings", nested(500).into_bytes(), "app.yaml:49:49: nested deeper than 48 levels"),
        (
            "a long list",
            "- 1\n".repeat(200_000).into_bytes(),
            "app.yaml:100000:3: contains more than 100000 values, expected an Application manifest",
        ),
    ];
    for (name, bytes, expected) in rows {
        assert_eq!(said(bytes), expected, "{name}");
    }
}

#[test]
fn the_largest_input_is_checked_within_a_second() {
    let fill = |part: &str| part.repeat(MAX_MANIFEST_BYTES / part.len());
    let head = "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {name: a}\nspec:\n";
    let rows = [
        ("comments", fill("# a\n")),
        ("empty documents", fill("---\n")),
        ("documents", fill("---\na: b\n")),
        ("broken documents", fill("---\n[\n")),
        ("one word", fill("a")),
        ("one quoted text", format!("\"{}", "a\\n".repeat(1_000_000))),
        ("unknown fields", (0..200_000).map(|n| format!("a{n}: b\n")).collect()),
        ("one unknown field", format!("{head}{}: b\n", "a".repeat(2_000_000))),
        ("duplicate fields", fill("a: b\n")),
        ("anchors", (0..200_000).map(|n| format!("- &a{n} b\n")).collect()),
        ("a wide bomb", format!("a: &a [{}]\nb: [{}]\n", "x, ".repeat(9_000), "*a, ".repeat(9_000))),
        (
            "components",
            format!("{head}  components:\n{}", "  - {name: a, type: b, dependsOn: [a, b]}\n".repeat(60_000)),
        ),
    ];
    for (name, text) in rows {
        let bytes = text.into_bytes();
        #[expect(clippy::disallowed_methods, reason = "this test is about real time")]
        let start = Instant::now();
        let found = said(bytes);
        let took = start.elapsed();
        // The limit is for an optimised build; without optimisation it is several times slower.
        let limit = if cfg!(debug_assertions) { 8 } else { 1 };
        assert!(took < Duration::from_secs(limit), "{name} took {took:?}");
        assert!(found.lines().count() <= 3 * MAX_PROBLEMS, "{name} says too much");
        assert!(found.len() < 200_000, "{name} says too much");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_accepted_or_rejected(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        said(bytes);
    }

    #[test]
    fn any_yaml_is_accepted_or_rejected(text in "[-a-z:#&*!|>'\"%@`{}\\[\\], \t\n0-9<?~.]{0,200}") {
        said(text);
    }

    /// Lines of a valid manifest, with some swapped, dropped, duplicated, indented or replaced.
    #[test]
    fn any_mutation_is_accepted_or_rejected(edits in proptest::collection::vec(
        (0_usize..120, 0_usize..120, 0_u8..6, "[-a-z:&*!'\"{}\\[\\], 0-9%~]{0,12}"), 1..8))
    {
        let mut lines: Vec<String> = FULL.lines().map(str::to_owned).collect();
        for (at, other, kind, text) in edits {
            let (at, other) = (at % lines.len(), other % lines.len());
            match kind {
                0 => lines.swap(at, other),
                1 if lines.len() > 1 => drop(lines.remove(at)),
                2 => lines.insert(at, lines[other].clone()),
                3 => lines[at].insert_str(0, "  "),
                4 => lines[at].push_str(&text),
                _ => {
                    let key = lines[at].split(':').next().unwrap_or_default().to_owned();
                    lines[at] = format!("{key}: {text}");
                }
            }
        }
        let text = lines.join("\n");
        if let Err(errors) = parse_manifest(&[Source { name: "app.yaml".to_owned(), bytes: text.clone().into_bytes() }]) {
            prop_assert!(!errors.problems.is_empty());
            for problem in &errors.problems {
                prop_assert!(problem.line >= 1 && problem.line <= lines.len() + 1, "{problem}");
                prop_assert!(problem.column >= 1, "{problem}");
            }
        }
    }
}
