//! Removes text that differs from run to run: ages, and times since the start.

/// Redacts a table or document: replaces ages by `0s`, and keeps the width of the column.
pub(crate) fn data(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", line_of_data(line))).collect()
}

fn line_of_data(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some(start) = rest.find(|character: char| character != ' ') {
        let (blank, word) = rest.split_at(start);
        let end = word.find(' ').unwrap_or(word.len());
        let (word, after) = word.split_at(end);
        text.push_str(blank);
        if is_age(word) {
            text.push_str("0s");
            // Keeps the position of the next column.
            text.push_str(if after.is_empty() { "" } else { &"    "[..word.len() - 2] });
        } else {
            text.push_str(word);
        }
        rest = after;
    }
    text
}

/// Redacts log lines: removes times, and lines about waiting, which depend on timing.
pub(crate) fn conversation(text: &str) -> String {
    let lines = text.lines().filter(|line| !(line.contains(": batch ") && line.contains(": waiting for ")));
    lines.map(|line| format!("{}\n", without_counts(without_time(line)))).collect()
}

/// Removes durations and counts of events from evidence.
pub(crate) fn without_counts(line: &str) -> String {
    let cut = |start: &str, end: &str, instead: &str| {
        let (_, rest) = line.strip_prefix(start)?.split_once(end)?;
        Some(format!("{instead}{rest}"))
    };
    cut("  waited ", " for ", "  waited 0s for ")
        .or_else(|| cut("  warning event, ", " times: ", "  warning event: "))
        .unwrap_or_else(|| line.to_owned())
}

fn without_time(line: &str) -> &str {
    match line.split_once("] ") {
        Some((time, rest)) if time.starts_with('[') => rest,
        _ => line,
    }
}

/// Whether a word is an age in seconds, as in kubectl below two minutes.
fn is_age(word: &str) -> bool {
    word.strip_suffix('s')
        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}
