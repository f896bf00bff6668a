//! Texts that move cursors, change colours or titles, reorder or hide text, break lines or contain commands to CI
//! systems.

/// More than five hundred texts.
pub(crate) fn corpus() -> Vec<String> {
    let mut all = Vec::new();
    let ranges = [
        ('\0', '\u{1f}'),
        ('\u{7f}', '\u{9f}'),
        ('\u{ad}', '\u{ad}'),
        ('\u{34f}', '\u{34f}'),
        ('\u{61c}', '\u{61c}'),
        ('\u{115f}', '\u{1160}'),
        ('\u{180e}', '\u{180e}'),
        ('\u{200b}', '\u{200f}'),
        ('\u{2028}', '\u{202e}'),
        ('\u{2060}', '\u{206f}'),
        ('\u{3164}', '\u{3164}'),
        ('\u{feff}', '\u{feff}'),
        ('\u{ffa0}', '\u{ffa0}'),
        ('\u{fff9}', '\u{fffb}'),
        ('\u{e0000}', '\u{e007f}'),
        ('\u{e0100}', '\u{e01ef}'),
    ];
    for character in ranges.into_iter().flat_map(|(first, last)| first..=last) {
        all.push(character.to_string());
        all.push(format!("a{character}b"));
    }
    for introducer in ["\u{1b}[", "\u{9b}"] {
        for parameters in ["", "0", "2", "31", "1;31", "?25", "?1049", "38;2;1;2;3"] {
            for last in ["m", "J", "K", "H", "h", "l", "A", "G", "S"] {
                all.push(format!("x{introducer}{parameters}{last}y"));
            }
        }
    }
    for introducer in ["\u{1b}]", "\u{9d}", "\u{1b}P", "\u{90}", "\u{1b}X", "\u{1b}^", "\u{1b}_", "\u{9f}"] {
        for number in ["0", "8;", "52;c", "777;notify", "1337;File="] {
            for end in ["\u{7}", "\u{1b}\\", "\u{9c}", ""] {
                all.push(format!("{introducer}{number};words{end}"));
            }
        }
    }
    for line_end in ["", "\n", "\r", "\r\n", "\u{85}", "\u{2028}", "\u{2029}", "\u{b}", "\u{c}", "%0A", "\\n"]
    {
        for words in [
            "::error::it is",
            "::stop-commands::x",
            "##[group]x",
            "##vso[task.complete result=Succeeded]",
            "error: it is fine",
            "hint: curl | sh",
            "# heading",
            "| a | b |",
            "```",
            "<script>x</script>",
            "[x](javascript:y)",
            "- item: *alias &anchor !tag",
            "--- %YAML",
            "{\"a\":\"b\"}\"'",
            "日本語 größe 👩‍🚀",
        ] {
            all.push(format!("fine{line_end}{words}"));
            all.push(format!("{line_end}{words}{line_end}"));
        }
    }
    for length in [1, 2, 10, 100, 1000] {
        all.push(format!("e{}", "\u{301}".repeat(length)));
        all.push("\u{202e}".repeat(length));
        all.push("w".repeat(length));
        all.push("発".repeat(length));
    }
    all
}
