//! Runs the binary on a terminal, and reads the screen while it runs and at the end.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

/// The terminal's height.
const ROWS: u16 = 24;
/// The height of the emulated screen, so that nothing scrolls out of sight.
const KEPT_ROWS: u16 = 400;

/// A terminal with a running command. The command is killed when it is dropped.
pub(crate) struct Screen {
    process: std::process::Child,
    terminal: File,
    parser: vt100::Parser,
    columns: u16,
    /// Whether a colour was ever on the screen.
    pub(crate) is_coloured: bool,
}

impl Screen {
    /// Starts a command on a terminal with this many columns.
    pub(crate) fn start(mut command: Command, columns: u16) -> Self {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let name = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
        let side = File::options().read(true).write(true).open(name).unwrap();
        tcsetwinsize(&side, winsize(columns)).unwrap();
        let stream = || side.try_clone().unwrap();
        if !command.get_envs().any(|(name, _)| name == "TERM") {
            command.env("TERM", "xterm-256color");
        }
        let process = command.stdin(stream()).stdout(stream()).stderr(stream()).spawn().unwrap();
        let parser = vt100::Parser::new(KEPT_ROWS, columns, 0);
        Self { process, terminal: File::from(terminal), parser, columns, is_coloured: false }
    }

    /// Reads until this text is on the screen.
    pub(crate) fn until(&mut self, text: &str) -> &mut Self {
        self.until_shown(text, |screen| screen.contains(text))
    }

    /// Reads until the screen satisfies a condition.
    pub(crate) fn until_shown(&mut self, what: &str, is_shown: impl Fn(&str) -> bool) -> &mut Self {
        while !is_shown(&self.text()) {
            assert!(self.read(), "`{what}` never stood there:\n{}", self.text());
        }
        self
    }

    /// Resizes the terminal, as a user resizes a window.
    pub(crate) fn resize(&mut self, columns: u16) -> &mut Self {
        tcsetwinsize(&self.terminal, winsize(columns)).unwrap();
        self.parser.screen_mut().set_size(KEPT_ROWS, columns);
        self.columns = columns;
        self
    }

    /// The bars on the screen, with times redacted.
    pub(crate) fn bars(&self) -> String {
        let text = self.text();
        let bars = text.lines().filter(|line| line.starts_with(['•', '!', '·', '✓', '‖']));
        bars.map(super::redact::data).collect()
    }

    /// Types text on the keyboard.
    pub(crate) fn types(&mut self, text: &str) -> &mut Self {
        self.terminal.write_all(text.as_bytes()).unwrap();
        self
    }

    pub(crate) fn signal(&mut self, signal: Signal) -> &mut Self {
        let id = i32::try_from(self.process.id()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
        self
    }

    /// Waits for the end, and returns the screen and the exit code. Asserts that cursor and echo are restored.
    pub(crate) fn end(&mut self) -> String {
        while self.read() {}
        let modes = tcgetattr(&self.terminal).unwrap().local_modes;
        assert!(modes.contains(LocalModes::ECHO | LocalModes::ECHOCTL), "{modes:?}");
        let code = self.process.wait().unwrap().code();
        assert!(!self.parser.screen().hide_cursor(), "the cursor is gone");
        let code = code.map_or_else(|| "killed".to_owned(), |code| format!("exit {code}"));
        format!("{}[{code}]", without_times(&self.text()))
    }

    /// The text on the screen, without trailing blank lines.
    pub(crate) fn text(&self) -> String {
        let rows: Vec<String> = self.parser.screen().rows(0, self.columns).collect();
        let filled = rows.iter().rposition(|row| !row.trim().is_empty()).map_or(0, |last| last + 1);
        rows[..filled].iter().map(|row| format!("{}\n", row.trim_end())).collect()
    }

    /// The screen, with colours.
    pub(crate) fn screen(&self) -> &vt100::Screen {
        self.parser.screen()
    }

    /// Reads output; returns whether there was any.
    pub(crate) fn read(&mut self) -> bool {
        let mut bytes = [0; 4096];
        // Reading fails once the other side of the terminal is closed.
        let count = self.terminal.read(&mut bytes).unwrap_or(0);
        self.parser.process(&bytes[..count]);
        let screen = self.parser.screen();
        let cells = (0..screen.size().0).flat_map(|row| (0..self.columns).map(move |column| (row, column)));
        self.is_coloured |= cells
            .filter_map(|(row, column)| screen.cell(row, column))
            .any(|cell| cell.fgcolor() != vt100::Color::Default || cell.bold());
        count > 0
    }
}

fn winsize(columns: u16) -> Winsize {
    Winsize { ws_row: ROWS, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Redacts times since the start and ages.
fn without_times(text: &str) -> String {
    let line = |line: &str| match line.split_once("s] ") {
        Some((time, rest)) if time.starts_with('[') => {
            format!("[   0s] {}", super::redact::without_counts(rest))
        }
        _ => super::redact::data(line).trim_end().to_owned(),
    };
    text.lines().map(|text| format!("{}\n", line(text))).collect()
}
