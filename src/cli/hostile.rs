//! Untrusted text from a cluster, a file or an argument is harmless in every output.
//!
//! Each text of a corpus is put into every field that takes text. The output is compared with that of a plain word: it
//! must have as many lines, as many colours and no other control characters, and a program must read the original back.
//! A test of the binary does the same with whole commands.

#[path = "../../tests/support/corpus.rs"]
mod words;

use std::fmt::Debug;

use jiff::Timestamp;
use serde_json::Value;

use crate::cli::failure::{CommandError, Kind};
use crate::cli::terminal::ui::tests::on_stderr;
use crate::report::event::Reporter as _;
use crate::report::format::Format;
use crate::report::history::{self, History, PastRun, Revision};
use crate::report::json::Json;
use crate::report::lines::{Lines, Verbosity};
use crate::report::paint::Paint;
use crate::report::samples::every_event_with;
use crate::report::status::{self, ComponentStatus};
use crate::report::terminal::tests::shown;
use crate::report::text::is_unsafe;
use words::corpus;

/// A word that needs no escaping.
const PLAIN: &str = "plainword";

/// Fails unless the output has the control characters and the number of lines of the plain word's output.
fn assert_harmless(place: &str, text: &str, plain: &str, said: &str) {
    let acting = |text: &str| text.chars().filter(|c| *c != '\n' && is_unsafe(*c)).collect::<String>();
    assert_eq!(acting(text), acting(plain), "{place} says {said:?}: {text:?}");
    assert_eq!(text.lines().count(), plain.lines().count(), "{place} says {said:?}: {text:?}");
}

/// How many strings in a document equal this text.
fn count(document: &Value, text: &str) -> usize {
    match document {
        Value::String(one) => usize::from(one == text),
        Value::Array(items) => items.iter().map(|item| count(item, text)).sum(),
        Value::Object(entries) => entries.values().map(|value| count(value, text)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

fn assert_reads_back<E: Debug>(text: &str, said: &str, plain: &str, read: impl Fn(&str) -> Result<Value, E>) {
    let document = read(text).unwrap_or_else(|error| panic!("{said:?}: {error:?}\n{text}"));
    let expected = count(&read(plain).unwrap(), PLAIN);
    assert!(expected > 0);
    assert_eq!(count(&document, said), expected, "{said:?}: {text}");
}

fn lines(said: &str) -> String {
    let mut bytes = Vec::new();
    let mut lines = Lines::new(&mut bytes, Verbosity::Full);
    every_event_with(|_| said.to_owned()).iter().for_each(|event| lines.event(event));
    String::from_utf8(bytes).unwrap()
}

fn ndjson(said: &str) -> String {
    let mut bytes = Vec::new();
    let mut json = Json::new(&mut bytes);
    every_event_with(|_| said.to_owned()).iter().for_each(|event| json.event(event));
    String::from_utf8(bytes).unwrap()
}

fn terminal(said: &str) -> String {
    shown(Paint::Coloured, &every_event_with(|_| said.to_owned()))
}

fn now() -> Timestamp {
    "2026-03-04T20:00:00Z".parse().unwrap()
}

fn status_in(format: Format, said: &str) -> String {
    let said = || said.to_owned();
    let item = ComponentStatus {
        component: said(),
        application: said(),
        revision: said(),
        source_revisions: vec![said(), said()],
        driver: Some(said()),
        message: Some(said()),
        ..ComponentStatus::default()
    };
    status::render_status(&[item], format, now())
}

fn history_in(format: Format, said: &str) -> String {
    let said = || said.to_owned();
    let revision = Revision {
        number: Some(1),
        revision: 1,
        name: said(),
        image: said(),
        replicas: 1,
        ready_replicas: 1,
        created: Some(now()),
    };
    let run = PastRun {
        action: "Upgrade",
        noun: "Upgrade",
        from: vec![said(), said()],
        to: said(),
        original_size: 1,
        target_size: 2,
        is_sized: true,
        batches: vec![2],
        outcome: "Failed",
        by: said(),
        started: now(),
        finished: None,
        message: Some(said()),
    };
    let history = History {
        cluster: None,
        component: said(),
        application: said(),
        revisions: vec![revision],
        runs: vec![run],
    };
    history::render_histories(&[history], format, now())
}

#[test]
fn the_corpus_is_large() {
    assert!(corpus().len() >= 500, "{}", corpus().len());
}

#[test]
fn events_are_harmless() {
    let (plain_lines, plain_json) = (lines(PLAIN), ndjson(PLAIN));
    for said in corpus() {
        assert_harmless("a log", &lines(&said), &plain_lines, &said);
        let text = ndjson(&said);
        assert_harmless("NDJSON", &text, &plain_json, &said);
        let read = |text: &str| text.lines().map(serde_json::from_str::<Value>).collect::<Result<Value, _>>();
        assert_reads_back(&text, &said, &plain_json, read);
    }
}

#[test]
fn untrusted_text_adds_no_control_characters_to_a_terminal() {
    let paints = |text: &str| text.chars().filter(|c| *c != '\n' && is_unsafe(*c)).collect::<String>();
    let plain = paints(&terminal(PLAIN));
    for said in corpus() {
        let text = terminal(&said);
        assert_eq!(paints(&text), plain, "{said:?}: {text:?}");
    }
}

#[test]
fn tables_and_documents_are_harmless() {
    for render in [status_in, history_in] {
        for format in [Format::Table, Format::Wide, Format::Name] {
            let plain = render(format, PLAIN);
            for said in corpus() {
                assert_harmless("a table", &render(format, &said), &plain, &said);
            }
        }
        let (plain_json, plain_yaml) = (render(Format::Json, PLAIN), render(Format::Yaml, PLAIN));
        for said in corpus() {
            let (json, yaml) = (render(Format::Json, &said), render(Format::Yaml, &said));
            assert_harmless("JSON", &json, &plain_json, &said);
            assert_reads_back(&json, &said, &plain_json, |text| serde_json::from_str(text));
            // YAML prints text of several lines as a block, indented.
            assert!(!yaml.chars().any(|c| c != '\n' && is_unsafe(c)), "{said:?}: {yaml:?}");
            assert!(!yaml.lines().any(|line| line.starts_with("::") || line.starts_with("##")), "{yaml}");
            assert_reads_back(&yaml, &said, &plain_yaml, |text| serde_yaml::from_str(text));
        }
    }
}

#[test]
fn failures_hints_and_warnings_are_harmless() {
    let tell = |said: &str| {
        on_stderr(|ui| {
            ui.status(said);
            ui.warn(said);
            let error = anyhow::Error::msg(format!("{said} below")).context(said.to_owned());
            ui.conclude(Err(CommandError::new(Kind::Cluster, error).hint(said)));
        })
    };
    let colours = |text: &str| text.matches('\u{1b}').count();
    for said in corpus() {
        let text = tell(&said);
        let acts = |c: char| !matches!(c, '\n' | '\t' | '\u{1b}') && is_unsafe(c);
        assert!(!text.contains(acts), "{said:?}: {text:?}");
        assert_eq!(colours(&text), colours(&tell(PLAIN)), "{said:?}: {text:?}");
        // The first line is the status, which has no label; all others have a label or are indented.
        let begins = |line: &str| line.starts_with("\u{1b}[") || line.starts_with("  ");
        assert!(text.lines().skip(1).all(begins), "{said:?}: {text:?}");
    }
}
