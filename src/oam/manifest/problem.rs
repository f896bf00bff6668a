//! Problems of manifests, with their places.
//!
//! Decides the text of a problem. Texts from the manifest are quoted unchanged; printing sanitises them.

use std::fmt;

/// The maximum number of problems listed for one source.
pub const MAX_PROBLEMS: usize = 100;

/// All problems of the manifests of one run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ManifestErrors {
    /// The problems in the order of the sources, within one by line and column; never empty.
    pub problems: Vec<Problem>,
}

impl ManifestErrors {
    /// The lines to print: each problem, and what to do about it. Problems in a row with the same hint share it.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.problems.iter().enumerate().flat_map(|(index, problem)| {
            let is_shared = self.problems.get(index + 1).is_some_and(|next| next.hint == problem.hint);
            let hint = problem.hint.as_ref().filter(|_| !is_shared);
            std::iter::once(problem.summary()).chain(hint.map(|hint| format!("    {hint}")))
        })
    }
}

impl fmt::Display for ManifestErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.lines().collect::<Vec<_>>().join("\n"))
    }
}

/// A problem at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The source's name.
    pub file: String,
    /// One-based line.
    pub line: usize,
    /// One-based column, in characters.
    pub column: usize,
    /// The field, for example `spec.components[0].name`; indices are zero-based as in JSONPath. Empty if the problem is
    /// that of the whole document.
    pub path: String,
    /// What was found and what was expected.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Problem {
    /// The place and the message, in the form that editors parse, without the hint.
    pub fn summary(&self) -> String {
        let Self { file, line, column, path, message, .. } = self;
        let place = if path.is_empty() { String::new() } else { format!("{path}: ") };
        format!("{file}:{line}:{column}: {place}{message}")
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.summary())?;
        match &self.hint {
            Some(hint) => write!(formatter, "\n    {hint}"),
            None => Ok(()),
        }
    }
}

/// Quotes a text from the manifest, shortened if it is long.
pub(in crate::oam) fn quoted(text: &str) -> String {
    format!("`{}`", shortened(text))
}

/// Truncates a text to 80 characters.
pub(super) fn shortened(text: &str) -> String {
    const MAX_CHARACTERS: usize = 80;
    match text.char_indices().nth(MAX_CHARACTERS) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// A question that suggests the most similar of `candidates` for a misspelt `word`, if one is similar enough.
pub(super) fn did_you_mean<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<String> {
    nearest(word, candidates).map(|candidate| format!("did you mean `{candidate}`?"))
}

/// The most similar of `candidates`, if it is similar enough: up to a quarter of its letters may be wrong, one in short
/// words, or two in words of five letters or more.
pub(in crate::oam) fn nearest<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    // Long words are skipped, because the comparison is quadratic.
    if word.len() > 64 {
        return None;
    }
    let folded = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&folded, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| {
            *distance
                <= match candidate.chars().count() {
                    0..5 => 1,
                    5..12 => 2,
                    longer => longer / 4,
                }
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
