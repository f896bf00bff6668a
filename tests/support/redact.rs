//! What differs from run to run: ages, and times since the start.

/// A table or document: an age becomes `0s`, with its column's width kept.
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
            // What follows in the next column stays where it is.
            text.push_str(if after.is_empty() { "" } else { &"    "[..word.len() - 2] });
        } else {
            text.push_str(word);
        }
        rest = after;
    }
    text
}

/// Log lines: no times, and nothing of what is waited for, which depends on how fast it comes.
pub(crate) fn conversation(text: &str) -> String {
    let lines = text.lines().filter(|line| !(line.contains(": batch ") && line.contains(": waiting for ")));
    lines.map(|line| format!("{}\n", without_counts(without_time(line)))).collect()
}

/// Evidence says for how long was waited, and how often an event came.
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

/// Seconds as kubectl writes an age below two minutes.
fn is_age(word: &str) -> bool {
    word.strip_suffix('s')
        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}
