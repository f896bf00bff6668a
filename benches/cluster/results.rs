//! `benches/RESULTS.md`: a section for each row, of which a run rewrites those that it measured.

use std::fs;
use std::path::PathBuf;

/// A table under a heading.
pub(crate) struct Section {
    key: &'static str,
    lines: Vec<String>,
}

impl Section {
    /// A section that is identified by the row's name.
    pub(crate) fn new(key: &'static str, title: &str) -> Self {
        Self { key, lines: vec![format!("## {title}"), String::new()] }
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.lines.extend([text.to_owned(), String::new()]);
    }

    pub(crate) fn table(&mut self, header: &[&str], rows: &[Vec<String>]) {
        let line = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
        self.lines.push(line(header.iter().map(|&cell| cell.to_owned()).collect()));
        self.lines.push(format!("|{}", "---|".repeat(header.len())));
        self.lines.extend(rows.iter().cloned().map(line));
        self.lines.push(String::new());
    }

    /// Prints the section, and puts it into the file in place of the one with its key.
    pub(crate) fn publish(self) {
        let (begin, end) = (format!("<!-- {} -->", self.key), format!("<!-- end of {} -->", self.key));
        let body = self.lines.join("\n");
        println!("{body}");
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/RESULTS.md");
        let text = fs::read_to_string(&path).unwrap();
        let section = format!("{begin}\n{body}{end}");
        let text = match (text.find(&begin), text.find(&end)) {
            (Some(from), Some(to)) => format!("{}{section}{}", &text[..from], &text[to + end.len()..]),
            _ => format!("{}\n\n{section}\n", text.trim_end()),
        };
        fs::write(path, text).unwrap();
    }
}

/// How a figure was measured: how often, and on how many cores.
pub(crate) fn conditions(runs: usize) -> String {
    let cores = std::thread::available_parallelism().unwrap();
    format!(
        "{runs} runs each, taking turns; {cores} cores, shared with the control plane. Median (quartiles)."
    )
}
