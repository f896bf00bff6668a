//! Manifests: parses bytes into applications that are valid as far as this can be checked without a cluster.
//!
//! Decides what a manifest may contain, and reports all problems at once. Must not know where the bytes come from, the
//! cluster, or the terminal.

mod application;
mod batch_gates;
mod component;
mod deploy_plan;
mod documents;
mod file_overrides;
mod fleet;
mod kinds;
pub(crate) mod names;
mod node;
mod objects;
mod overrides;
mod policies;
mod problem;
mod properties;
pub(crate) mod rollout;
mod schema;
mod traits;
mod unique_names;
mod walk;
mod workflow;

pub use file_overrides::FileOverrides;
pub use fleet::parse_fleet;
pub use objects::parse_objects;
pub use problem::{MAX_PROBLEMS, ManifestErrors, Problem};
pub(in crate::oam) use problem::{nearest, quoted};

use crate::oam::application::Application;
use crate::oam::manifest::documents::Document;
use crate::oam::manifest::node::{MAX_DEPTH, MAX_NODES};
use crate::oam::manifest::unique_names::UniqueNames;
use crate::oam::manifest::walk::{At, Walk};

/// The maximum size of a source in bytes: 3 MiB, twice what an API server accepts as one object.
pub const MAX_MANIFEST_BYTES: usize = 3 * 1024 * 1024;

/// The maximum number of documents in a source.
const MAX_DOCUMENTS: usize = 1_000;

/// A manifest's bytes, and its name in messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The file's path as the user gave it, or `<stdin>`.
    pub name: String,
    /// The whole content; if it exceeds [`MAX_MANIFEST_BYTES`], it is rejected, and need not be complete.
    pub bytes: Vec<u8>,
}

/// Parses all applications of all sources, in order; the error contains all problems.
///
/// Sources without any application are a problem as well.
pub fn parse_manifest(sources: &[Source]) -> Result<Vec<Application>, ManifestErrors> {
    parse_with(sources, None)
}

/// Like [`parse_manifest`], with components changed by the overrides of another file. Each override must match a
/// component.
///
/// # Errors
/// All problems of the manifests and the overrides.
pub fn parse_overridden(
    sources: &[Source],
    overrides: &FileOverrides,
) -> Result<Vec<Application>, ManifestErrors> {
    parse_with(sources, Some(overrides))
}

fn parse_with(
    sources: &[Source],
    overrides: Option<&FileOverrides>,
) -> Result<Vec<Application>, ManifestErrors> {
    let mut matched = vec![false; overrides.map_or(0, FileOverrides::count)];
    let mut names = UniqueNames::default();
    let mut applications = Vec::new();
    let mut problems: Vec<(usize, Problem)> = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        let mut found = Vec::new();
        match text(source) {
            Err(problem) => found.push(problem),
            Ok(text) => {
                for (number, document) in documents::split(text).enumerate() {
                    if number == MAX_DOCUMENTS || found.len() > MAX_PROBLEMS {
                        found.push(unread(source, document, number));
                        break;
                    }
                    read_document(
                        source,
                        document,
                        overrides.map(|overrides| (overrides, matched.as_mut_slice())),
                        &mut names.names_of_source(index),
                        &mut applications,
                        &mut found,
                    );
                }
            }
        }
        problems.extend(found.into_iter().map(|problem| (index, problem)));
    }
    problems.extend(names.problems());
    if let Some(overrides) = overrides.filter(|_| problems.is_empty()) {
        let unmatched = (0..matched.len()).filter(|index| !matched[*index]);
        problems.extend(unmatched.map(|index| (sources.len(), overrides.unmatched(index))));
    }
    if problems.is_empty() && applications.is_empty() {
        problems.push((0, nothing(sources)));
    }
    if problems.is_empty() {
        return Ok(applications);
    }
    problems.sort_by(|(a, one), (b, other)| (a, one.line, one.column).cmp(&(b, other.line, other.column)));
    Err(ManifestErrors { problems: problems.into_iter().map(|(_, problem)| problem).collect() })
}

fn read_document(
    source: &Source,
    document: Document<'_>,
    overrides: Option<(&FileOverrides, &mut [bool])>,
    names: &mut unique_names::SourceNames<'_>,
    applications: &mut Vec<Application>,
    problems: &mut Vec<Problem>,
) {
    let mut root = match node::parse(document.text) {
        Ok(root) => root,
        Err(error) => {
            problems.push(syntax(source, document, &error));
            return;
        }
    };
    let overrides = overrides.map(|(overrides, matched)| {
        overrides.apply(&mut root, matched);
        overrides.document()
    });
    let mut walk = Walk::new(&source.name, document.text, document.lines_before).with_overrides(overrides);
    for root in objects::flattened(vec![At { node: &root, path: String::new() }]) {
        applications.extend(application::read_application(&mut walk, &root, names));
    }
    problems.extend(walk.finish());
}

/// The source's text, if it can be one.
fn text(source: &Source) -> Result<&str, Problem> {
    if source.bytes.len() > MAX_MANIFEST_BYTES {
        let message = "larger than 3 MiB, expected an Application manifest".to_owned();
        return Err(of_file(source, 1, message, Some("is this the right file?")));
    }
    let bytes = source.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&source.bytes);
    let line_of = |end: usize| 1 + bytes[..end].iter().filter(|byte| **byte == b'\n').count();
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        let message = "found UTF-16, expected UTF-8 text".to_owned();
        return Err(of_file(source, 1, message, Some("save the file as UTF-8")));
    }
    if let Some(offset) = bytes.iter().position(|byte| *byte == 0) {
        let message = "found a NUL byte, expected UTF-8 text".to_owned();
        return Err(of_file(source, line_of(offset), message, Some("is this a binary file?")));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let offset = error.valid_up_to();
        let byte = bytes.get(offset).copied().unwrap_or_default();
        let message = format!("found byte 0x{byte:02x}, expected UTF-8 text");
        of_file(source, line_of(offset), message, Some("save the file as UTF-8"))
    })
}

fn syntax(source: &Source, document: Document<'_>, error: &serde_yaml::Error) -> Problem {
    let (line, column) = error.location().map_or((1, 1), |location| (location.line(), location.column()));
    let line = usize::try_from(line).unwrap_or(1).max(1).saturating_add(document.lines_before);
    let column = usize::try_from(column).unwrap_or(1).max(1);
    let (message, hint) = explained(error);
    Problem { file: source.name.clone(), line, column, path: String::new(), message, hint }
}

/// Explains a parser's error to the author of a manifest.
#[expect(clippy::wildcard_enum_match_arm, reason = "the parser's other errors are reported by their text")]
fn explained(error: &serde_yaml::Error) -> (String, Option<String>) {
    use serde_yaml::Error;
    let nested = || format!("nested deeper than {MAX_DEPTH} levels");
    let aliases = || {
        let hint = "write out the repeated parts".to_owned();
        ("aliases expand to too much".to_owned(), Some(hint))
    };
    match error.without_snippet() {
        Error::AliasError { error, .. } => explained(error),
        Error::Budget { breach, .. } => match breach {
            serde_yaml::budget::BudgetBreach::Depth { .. } => (nested(), None),
            serde_yaml::budget::BudgetBreach::Nodes { .. }
            | serde_yaml::budget::BudgetBreach::Events { .. } => {
                (format!("contains more than {MAX_NODES} values, expected an Application manifest"), None)
            }
            _ => aliases(),
        },
        Error::AliasReplayLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasReplayCounterOverflow { .. }
        | Error::RecursiveReferencesRequireWeakTypes { .. }
        | Error::AliasExpansionLimitExceeded { .. } => aliases(),
        other => {
            let text = other.to_string();
            let text = text.split(" at line ").next().unwrap_or(&text);
            if text.contains("recursion limit") {
                return (nested(), None);
            }
            let hint = advice(text).map(str::to_owned);
            (format!("not valid YAML: {text}"), hint)
        }
    }
}

fn advice(text: &str) -> Option<&'static str> {
    if text.contains("mapping values are not allowed") {
        return Some("check the indentation, and quote text that contains `: `");
    }
    if text.contains("unexpected character") || text.contains("cannot start any token") {
        return Some("quote text that starts with a special character");
    }
    if text.contains("tab") {
        return Some("indent with spaces");
    }
    None
}

fn unread(source: &Source, document: Document<'_>, number: usize) -> Problem {
    let message = format!("the documents from number {} on were not read", number + 1);
    of_file(
        source,
        document.lines_before + 1,
        message,
        Some("fix the other problems first, or use several files"),
    )
}

fn nothing(sources: &[Source]) -> Problem {
    let name = sources.first().map_or("<none>", |source| source.name.as_str());
    let source = Source { name: name.to_owned(), bytes: Vec::new() };
    let message = "found no document, expected an Application manifest".to_owned();
    of_file(&source, 1, message, None)
}

fn of_file(source: &Source, line: usize, message: String, hint: Option<&str>) -> Problem {
    Problem {
        file: source.name.clone(),
        line,
        column: 1,
        path: String::new(),
        message,
        hint: hint.map(str::to_owned),
    }
}
