//! The texts in a source file: its string literals, except those in tests, attributes and comments.

/// The literals that are sentences or parts of them: those with a blank between words.
pub(crate) fn sentences(source: &str) -> Vec<String> {
    let source = source.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let source = source.split("#[cfg(test)]\npub(crate) mod ").next().unwrap_or_default();
    literals(source).into_iter().filter(|text| is_sentence(text)).collect()
}

fn is_sentence(text: &str) -> bool {
    let words =
        text.split_whitespace().filter(|word| word.chars().filter(char::is_ascii_lowercase).count() > 1);
    words.count() > 1
}

/// Every string literal as printed, with line continuations joined; placeholders are kept.
fn literals(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        if rest.starts_with("//") {
            rest = rest.split_once('\n').map_or("", |(_, after)| after);
        } else if rest.starts_with("#[") || rest.starts_with("#![") {
            let (attribute, after) = rest.split_at(attribute_end(rest));
            // Attributes contain the messages of `thiserror`, but also reasons and settings.
            if attribute.starts_with("#[error(") {
                found.extend(literals(&attribute[2..]));
            }
            rest = after;
        } else if let Some(text) = rest.strip_prefix(".expect(\"") {
            // These are printed only in case of a bug.
            rest = &text[quoted_end(text)..];
        } else if let Some((hashes, text)) = raw_start(rest) {
            let close = format!("\"{hashes}");
            let (literal, after) = text.split_once(&close).unwrap();
            found.push(literal.to_owned());
            rest = after;
        } else if let Some(text) = rest.strip_prefix('"') {
            let end = quoted_end(text);
            found.push(unescaped(&text[..end - 1]));
            rest = &text[end..];
        } else if let Some(length) = character_length(rest) {
            rest = &rest[length..];
        } else {
            rest = &rest[first.len_utf8()..];
        }
    }
    found
}

/// The position after the closing quote.
fn quoted_end(text: &str) -> usize {
    let mut is_escaped = false;
    for (index, character) in text.char_indices() {
        match character {
            '"' if !is_escaped => return index + 1,
            '\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    text.len()
}

fn attribute_end(text: &str) -> usize {
    let mut depth = 0_u32;
    let mut index = 0;
    while index < text.len() {
        match text.as_bytes()[index] {
            b'"' => index += quoted_end(&text[index + 1..]),
            b'[' => depth += 1,
            b']' if depth == 1 => return index + 1,
            b']' => depth -= 1,
            _ => {}
        }
        index += 1;
    }
    text.len()
}

fn raw_start(text: &str) -> Option<(&str, &str)> {
    let after = text.strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let literal = after[hashes..].strip_prefix('"')?;
    Some((&after[..hashes], literal))
}

/// The length of a character literal, which may be a quote.
fn character_length(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('\'')?;
    if inner.starts_with('\\') {
        return inner[2..].find('\'').map(|end| end + 4);
    }
    let character = inner.chars().next()?;
    inner[character.len_utf8()..].starts_with('\'').then(|| character.len_utf8() + 2)
}

fn unescaped(text: &str) -> String {
    let mut lines = text.split("\\\n");
    let first = lines.next().unwrap_or_default().to_owned();
    let joined = lines.fold(first, |text, line| text + line.trim_start());
    joined.replace("\\\"", "\"").replace("{{", "{").replace("}}", "}").replace("\\\\", "\\")
}

#[test]
fn texts_are_found_and_nothing_else() {
    let source = r##"
        //! Not "a comment".
        #[expect(clippy::x, reason = "not an attribute")]
        #[error("`{name}` was \"deleted\"")]
        fn f<'a>(x: &'a str) { g('"', "one \
            sentence", x).expect("no defect"); h(r#"a "raw" one"#, "word"); }
        #[cfg(test)]
        mod tests { const A: &str = "not a test"; }
    "##;
    let source = source.replace("        ", "");
    assert_eq!(sentences(&source), ["`{name}` was \"deleted\"", "one sentence", "a \"raw\" one"]);
}
