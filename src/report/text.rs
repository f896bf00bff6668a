//! Text: sanitising foreign text, and formatting counts, lists and durations.
//!
//! Every string from a cluster, a file or an error body passes [`sanitise`] before it is printed.

use std::borrow::Cow;
use std::fmt::Write as _;

use jiff::SignedDuration;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

pub use crate::plan::phrase::{format_duration, list, list_literals, plural};

/// Makes text safe to print on one line: characters that could move the cursor, change colours or reorder the line are
/// replaced by visible escapes.
///
/// Tabs and newlines become `\t` and `\n`; [`sanitise_block`] keeps them.
pub fn sanitise(text: &str) -> Cow<'_, str> {
    escape(text, is_unsafe)
}

/// Makes text of several lines safe to print: keeps newlines and tabs, otherwise like [`sanitise`].
pub fn sanitise_block(text: &str) -> Cow<'_, str> {
    escape(text, |character| !matches!(character, '\n' | '\t') && is_unsafe(character))
}

fn escape(text: &str, is_unsafe: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if !is_unsafe(character) {
            safe.push(character);
            continue;
        }
        match character {
            '\n' => safe.push_str("\\n"),
            '\r' => safe.push_str("\\r"),
            '\t' => safe.push_str("\\t"),
            '\0'..='\u{ff}' => push(&mut safe, format_args!("\\x{:02x}", u32::from(character))),
            _ => push(&mut safe, format_args!("\\u{{{:x}}}", u32::from(character))),
        }
    }
    Cow::Owned(safe)
}

fn push(text: &mut String, what: std::fmt::Arguments<'_>) {
    text.write_fmt(what).expect("writing to a string cannot fail");
}

/// Whether a character has an effect other than being displayed.
///
/// Joiners (U+200C, U+200D) and the variation selectors of the first plane are not unsafe: scripts and emoji need them,
/// and they cannot reorder text. The selectors of plane 14 are unsafe, since they can encode hidden bytes.
pub fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character,
            // Bidirectional marks, embeddings, overrides and isolates.
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}'
            // Line and paragraph separators.
            | '\u{2028}' | '\u{2029}'
            // Zero-width space, word joiner and its neighbours, byte order mark, annotations.
            | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            // The soft hyphen, the grapheme joiner, the vowel separator and the fillers, which are invisible.
            | '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{3164}' | '\u{ffa0}'
            // Tags and selectors, which carry invisible text.
            | '\u{e0000}'..='\u{e007f}' | '\u{e0100}'..='\u{e01ef}')
}

/// How long ago, as in the AGE columns of kubectl: `12s`, `2m5s`, `3h20m`, `2d20h`, `8d`.
///
/// The same thresholds as apimachinery's `duration.HumanDuration`: clocks that differ by less than two
/// seconds count as equal, anything further in the future is `<invalid>`.
pub fn duration_ago(ago: SignedDuration) -> String {
    let seconds = ago.as_secs();
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let (days, years) = (hours / 24, hours / 24 / 365);
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        120..600 => pair(minutes, "m", seconds % 60, "s"),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => pair(hours, "h", minutes % 60, "m"),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => pair(days, "d", hours % 24, "h"),
        691_200..63_072_000 => format!("{days}d"),
        63_072_000..252_288_000 => pair(years, "y", days % 365, "d"),
        252_288_000.. => format!("{years}y"),
    }
}

fn pair(large: i64, large_unit: &str, small: i64, small_unit: &str) -> String {
    match small {
        0 => format!("{large}{large_unit}"),
        _ => format!("{large}{large_unit}{small}{small_unit}"),
    }
}

/// The time since the start, in at most six characters for the first hundred hours: `3s`, `1m05s`, `2h07m`.
pub fn elapsed(since: SignedDuration) -> String {
    let seconds = since.as_secs().max(0);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// The most columns that text takes on a terminal: some draw joined emoji as one, others side by side.
pub fn columns(text: &str) -> usize {
    text.chars().map(width).sum::<usize>().max(text.width())
}

fn width(character: char) -> usize {
    match character {
        // The emoji variation selector makes a narrow character wide.
        '\u{fe0f}' => 1,
        _ => character.width().unwrap_or(0),
    }
}

/// Truncates text to a display width; truncated text ends with `…`.
pub fn elide(text: &str, columns: usize) -> Cow<'_, str> {
    if self::columns(text) <= columns {
        return Cow::Borrowed(text);
    }
    let mut kept = String::new();
    let mut used = 0;
    for character in text.chars() {
        used += width(character);
        // Reserves one column for the ellipsis.
        if used >= columns {
            break;
        }
        kept.push(character);
    }
    if columns > 0 {
        kept.push('…');
    }
    Cow::Owned(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sanitise_escapes_unsafe_characters() {
        let cases = [
            ("plain", "plain"),
            ("größe 发布 👩‍🚀", "größe 发布 👩‍🚀"),
            ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
            ("over\rwrite", "over\\rwrite"),
            ("two\nlines\tand", "two\\nlines\\tand"),
            ("bell\x07 del\x7f nul\0", "bell\\x07 del\\x7f nul\\x00"),
            ("c1 \u{9b}31m", "c1 \\x9b31m"),
            ("bidi \u{202e}gnp.exe", "bidi \\u{202e}gnp.exe"),
            ("isolate \u{2066}x\u{2069}", "isolate \\u{2066}x\\u{2069}"),
            ("soft\u{ad}hyphen", "soft\\xadhyphen"),
            ("\u{34f}\u{115f}\u{1160}", "\\u{34f}\\u{115f}\\u{1160}"),
            ("\u{180e}\u{3164}\u{ffa0}", "\\u{180e}\\u{3164}\\u{ffa0}"),
            ("\u{e0100}\u{e01ef}", "\\u{e0100}\\u{e01ef}"),
            ("joined\u{200c}\u{200d}", "joined\u{200c}\u{200d}"),
            ("line\u{2028}paragraph\u{2029}", "line\\u{2028}paragraph\\u{2029}"),
        ];
        for (text, safe) in cases {
            assert_eq!(sanitise(text), safe);
        }
        assert!(matches!(sanitise("plain"), Cow::Borrowed(_)));
        assert_eq!(sanitise_block("a\n\tb\r\n"), "a\n\tb\\r\n");
    }

    proptest! {
        #[test]
        fn no_control_character_survives(text in any::<String>()) {
            prop_assert!(!sanitise(&text).chars().any(is_unsafe));
            prop_assert!(!sanitise_block(&text).chars().any(|c| !matches!(c, '\n' | '\t') && is_unsafe(c)));
            prop_assert!(!sanitise(&text).bytes().any(|byte| byte < 0x20 || byte == 0x7f));
        }

        #[test]
        fn elide_keeps_the_width(text in any::<String>(), width in 0_usize..40) {
            prop_assert!(columns(&elide(&sanitise(&text), width)) <= width);
        }
    }

    #[test]
    fn counts_and_lists_read_as_sentences() {
        assert_eq!(plural(1, "batch", "batches"), "1 batch");
        assert_eq!(plural(0, "batch", "batches"), "0 batches");
        let cases: [(&[&str], &str); 4] =
            [(&[], ""), (&["a"], "a"), (&["a", "b"], "a and b"), (&["a", "b", "c"], "a, b and c")];
        for (items, text) in cases {
            assert_eq!(list(items), text);
        }
        assert_eq!(list_literals(&["a", "b"]), "`a` and `b`");
    }

    #[test]
    fn ages_are_formatted_as_in_kubectl() {
        const MINUTE: i64 = 60;
        const HOUR: i64 = 60 * MINUTE;
        const DAY: i64 = 24 * HOUR;
        const YEAR: i64 = 365 * DAY;
        let cases = [
            (-2, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (12, "12s"),
            (119, "119s"),
            (120, "2m"),
            (125, "2m5s"),
            (4 * MINUTE, "4m"),
            (9 * MINUTE + 59, "9m59s"),
            (10 * MINUTE + 59, "10m"),
            (179 * MINUTE, "179m"),
            (3 * HOUR, "3h"),
            (3 * HOUR + 20 * MINUTE, "3h20m"),
            (7 * HOUR + 59 * MINUTE, "7h59m"),
            (8 * HOUR + 59 * MINUTE, "8h"),
            (47 * HOUR + 59 * MINUTE, "47h"),
            (2 * DAY, "2d"),
            (2 * DAY + 20 * HOUR, "2d20h"),
            (8 * DAY - 1, "7d23h"),
            (8 * DAY, "8d"),
            (8 * DAY + 23 * HOUR, "8d"),
            (2 * YEAR - 1, "729d"),
            (2 * YEAR, "2y"),
            (2 * YEAR + 3 * DAY, "2y3d"),
            (8 * YEAR - 1, "7y364d"),
            (8 * YEAR + 5 * DAY, "8y"),
        ];
        for (seconds, text) in cases {
            assert_eq!(duration_ago(SignedDuration::from_secs(seconds)), text, "{seconds} s");
        }
        assert_eq!(duration_ago(SignedDuration::from_millis(-1500)), "0s");
    }

    #[test]
    fn durations_are_formatted() {
        let cases = [
            (0, "0s", "0s"),
            (3, "3s", "3s"),
            (65, "1m05s", "1m5s"),
            (600, "10m00s", "10m"),
            (7627, "2h07m", "2h7m7s"),
        ];
        for (seconds, since, typed) in cases {
            assert_eq!(elapsed(SignedDuration::from_secs(seconds)), since);
            assert_eq!(format_duration(SignedDuration::from_secs(seconds)), typed);
        }
        assert_eq!(format_duration(SignedDuration::from_millis(20)), "20ms");
    }

    #[test]
    fn elision_counts_columns() {
        assert_eq!(elide("express", 7), "express");
        assert_eq!(elide("express", 6), "expre…");
        assert_eq!(elide("发布完成", 5), "发布…");
        assert_eq!(elide("发布完成", 4), "发…");
        assert_eq!(elide("x", 0), "");
    }
}
