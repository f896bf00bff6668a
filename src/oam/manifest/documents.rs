//! Splits a source into its documents.
//!
//! Each document is parsed on its own, so that a syntax error in one does not affect the others. Splitting at lines
//! that begin with `---` or `...` is exact, because YAML forbids such lines inside scalars. As in kubectl, consecutive
//! JSON objects are separate documents.

use serde::de::IgnoredAny;

/// One document of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Document<'t> {
    /// Its text, marker line included, so that columns are those of the source.
    pub(super) text: &'t str,
    /// Lines of the source before it.
    pub(super) lines_before: usize,
}

/// The documents with content, in order.
pub(super) fn split(text: &str) -> impl Iterator<Item = Document<'_>> {
    let mut rest = Some(Document { text, lines_before: 0 });
    std::iter::from_fn(move || {
        loop {
            let source = rest?;
            let (document, after) = cut_json(source).unwrap_or_else(|| cut(source));
            rest = after;
            if !is_blank(document.text) {
                return Some(document);
            }
        }
    })
}

/// The first document and what follows it.
fn cut(source: Document<'_>) -> (Document<'_>, Option<Document<'_>>) {
    let Document { text, lines_before } = source;
    let mut offset = 0;
    let mut only_directives = true;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let end = offset + line.len();
        let marks_start = is_marker(line, "---");
        // Directives belong to the document that the next marker opens.
        if marks_start && index > 0 && !only_directives {
            let after = Document { text: &text[offset..], lines_before: lines_before + index };
            return (Document { text: &text[..offset], lines_before }, Some(after));
        }
        if is_marker(line, "...") {
            let after = Document { text: &text[end..], lines_before: lines_before + index + 1 };
            return (Document { text: &text[..end], lines_before }, Some(after));
        }
        let says = !line.trim().is_empty() && !line.trim_start().starts_with('#') && !line.starts_with('%');
        only_directives &= !(says || marks_start);
        offset = end;
    }
    (source, None)
}

/// A JSON object and what follows it, if that is another JSON object without a marker in between.
fn cut_json(source: Document<'_>) -> Option<(Document<'_>, Option<Document<'_>>)> {
    let Document { text, lines_before } = source;
    let start = text.len() - text.trim_start().len();
    if !text[start..].starts_with('{') {
        return None;
    }
    let mut objects = serde_json::Deserializer::from_str(&text[start..]).into_iter::<IgnoredAny>();
    objects.next()?.ok()?;
    let (text, rest) = text.split_at(start + objects.byte_offset());
    let lines = text.matches('\n').count();
    let after = Document { text: rest, lines_before: lines_before + lines };
    rest.trim_start().starts_with('{').then_some((Document { text, lines_before }, Some(after)))
}

fn is_marker(line: &str, marker: &str) -> bool {
    line.strip_prefix(marker).is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
}

fn is_blank(text: &str) -> bool {
    text.lines().all(|line| {
        let marked = is_marker(line, "---") || is_marker(line, "...");
        let line = if marked { &line[3..] } else { line }.trim();
        line.is_empty() || line.starts_with('#')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut_up(text: &str) -> Vec<(usize, &str)> {
        split(text).map(|document| (document.lines_before, document.text)).collect()
    }

    #[test]
    fn splits_at_markers() {
        assert_eq!(cut_up("a: 1\n---\nb: 2\n"), [(0, "a: 1\n"), (1, "---\nb: 2\n")]);
        assert_eq!(cut_up("--- {a: 1}\n--- {b: 2}"), [(0, "--- {a: 1}\n"), (1, "--- {b: 2}")]);
        assert_eq!(cut_up("a: 1\r\n---\r\nb: 2"), [(0, "a: 1\r\n"), (1, "---\r\nb: 2")]);
    }

    #[test]
    fn skips_empty_documents() {
        assert_eq!(cut_up("---\n# only a comment\n---\n\n---\na: 1\n---\n"), [(4, "---\na: 1\n")]);
        assert_eq!(cut_up(""), []);
    }

    #[test]
    fn ends_documents_at_dots() {
        assert_eq!(cut_up("a: 1\n...\nb: 2\n"), [(0, "a: 1\n...\n"), (2, "b: 2\n")]);
    }

    #[test]
    fn splits_consecutive_json_objects() {
        let text = "{\"a\": \"}{\"}\n{\"b\": 2} {\"c\": 3}\n---\nd: 4\n";
        let expected =
            [(0, "{\"a\": \"}{\"}"), (0, "\n{\"b\": 2}"), (1, " {\"c\": 3}\n"), (2, "---\nd: 4\n")];
        assert_eq!(cut_up(text), expected);
        for whole in ["{a: 1}\n", "{\"a\": 1}\n", "{\"a\": 1} # {\n", "{a: {b: 1}\n} {"] {
            assert_eq!(cut_up(whole), [(0, whole)]);
        }
    }

    #[test]
    fn keeps_directives_with_their_document() {
        assert_eq!(cut_up("%YAML 1.2\n---\na: 1\n"), [(0, "%YAML 1.2\n---\na: 1\n")]);
    }

    #[test]
    fn ignores_dashes_within_lines() {
        assert_eq!(cut_up("a: ---\nb: |\n  ---\n----\n").len(), 1);
    }
}
