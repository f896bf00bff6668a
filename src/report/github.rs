//! What GitHub Actions shows of a run besides its log: annotations, and the final table as the step's summary.
//!
//! The runner parses commands in the log itself, such as lines that begin with `::error`, so they are escaped in all
//! other text; see [`escape_commands`]. (docs.github.com, "Workflow commands for GitHub Actions".)

use std::borrow::Cow;
use std::io::Write;
use std::path::{Component, Path, PathBuf};

use crate::report::event::{Event, EventKind, Reporter};
use crate::report::message::subject;
use crate::report::text::{sanitise, sanitise_block};

/// The level of an annotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// A failure.
    Error,
    /// A warning.
    Warning,
}

/// The place of an annotation in a file; line and column count from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location<'a> {
    /// The file.
    pub file: &'a str,
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// An annotation as a line of the log.
pub fn annotation(level: Level, title: &str, spot: Option<Location<'_>>, message: &str) -> String {
    let level = match level {
        Level::Error => "error",
        Level::Warning => "warning",
    };
    let place = spot.map_or_else(String::new, |Location { file, line, column }| {
        format!("file={},line={line},col={column},", property(file))
    });
    format!("::{level} {place}title={}::{}\n", property(title), escape_value(&sanitise_block(message)))
}

/// The path of a file relative to the repository, as GitHub expects it, or the file as it is if it is outside. Relative
/// paths start at `directory`.
pub fn path_in_repository(file: &str, directory: &Path, repository: &Path) -> String {
    let mut path = PathBuf::new();
    for part in directory.join(file).components() {
        match part {
            Component::ParentDir => drop(path.pop()),
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => path.push(part),
        }
    }
    path.strip_prefix(repository).map_or_else(|_| file.to_owned(), |path| path.to_string_lossy().into_owned())
}

fn property(text: &str) -> String {
    escape_value(&sanitise(text)).replace(':', "%3A").replace(',', "%2C")
}

fn escape_value(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes commands, wherever they are in a line.
pub fn escape_commands(text: &str) -> Cow<'_, str> {
    let is_command = |line: &str| line.trim_start().starts_with("::");
    if !text.contains("##[") && !text.lines().any(is_command) {
        return Cow::Borrowed(text);
    }
    let lines = text.split_inclusive('\n').map(|line| {
        let line = line.replace("##[", "# #[");
        if is_command(&line) { line.replacen("::", ": :", 1) } else { line }
    });
    Cow::Owned(lines.collect())
}

/// A table for the step's summary, in Markdown.
pub fn summary(table: &str) -> String {
    let indented: String = table.lines().map(|line| format!("    {line}\n")).collect();
    format!("### rollout\n\n{indented}\n")
}

/// A reporter that adds annotations for warnings and failures to another's output.
pub struct Annotated<R, W> {
    inner: R,
    writer: W,
}

impl<R: Reporter, W: Write> Annotated<R, W> {
    /// Writes annotations besides the output of a reporter.
    pub fn new(inner: R, writer: W) -> Self {
        Self { inner, writer }
    }
}

impl<R: Reporter, W: Write> Reporter for Annotated<R, W> {
    fn event(&mut self, event: &Event) {
        self.inner.event(event);
        let (level, message) = match &event.what {
            EventKind::Failed { reason, evidence, .. } => {
                let lines: Vec<&str> = std::iter::once(reason).chain(evidence).map(String::as_str).collect();
                (Level::Error, lines.join("\n"))
            }
            EventKind::Diagnosed { evidence } => {
                (Level::Warning, format!("not progressing:\n{}", evidence.join("\n")))
            }
            EventKind::Warned { message } => (Level::Warning, message.clone()),
            EventKind::Inconclusive { reason, .. } => (Level::Warning, format!("held: {reason}")),
            EventKind::WaveStarted { .. }
            | EventKind::WaveSkipped { .. }
            | EventKind::Queued { .. }
            | EventKind::DependencyAwaited { .. }
            | EventKind::RevisionCreated { .. }
            | EventKind::RunStarted { .. }
            | EventKind::WorkloadCreated { .. }
            | EventKind::WorkloadScaled { .. }
            | EventKind::WorkloadRolled { .. }
            | EventKind::Waiting { .. }
            | EventKind::BatchReady { .. }
            | EventKind::Measured { .. }
            | EventKind::GatePassed { .. }
            | EventKind::Paused { .. }
            | EventKind::Resumed
            | EventKind::Held { .. }
            | EventKind::Suspended { .. }
            | EventKind::DependencyHeld { .. }
            | EventKind::WorkloadDeleted { .. }
            | EventKind::RevisionsPruned { .. }
            | EventKind::ServiceApplied { .. }
            | EventKind::ServiceRemoved { .. }
            | EventKind::ObjectApplied { .. }
            | EventKind::ObjectDeleted { .. }
            | EventKind::Retrying { .. }
            | EventKind::Succeeded { .. }
            | EventKind::Interrupted { .. } => return,
        };
        let line = annotation(level, &subject(event), None, &message);
        self.writer.write_all(line.as_bytes()).and_then(|()| self.writer.flush()).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_annotation_is_a_single_line() {
        let spot = Location { file: "a,b:c.yaml", line: 3, column: 7 };
        let line = annotation(Level::Error, "web", Some(spot), "50% gone\n::error::forged\r\u{1b}[31m");
        assert_eq!(
            line,
            "::error file=a%2Cb%3Ac.yaml,line=3,col=7,title=web::50%25 gone%0A::error::forged\\r\\x1b[31m\n"
        );
    }

    #[test]
    fn files_are_named_by_their_path_in_the_repository() {
        let cases = [
            ("app.yaml", "/repo", "app.yaml"),
            ("app.yaml", "/repo/deploy", "deploy/app.yaml"),
            ("./eu/../app.yaml", "/repo/deploy", "deploy/app.yaml"),
            ("/repo/deploy/app.yaml", "/repo/other", "deploy/app.yaml"),
            ("../app.yaml", "/repo", "../app.yaml"),
        ];
        for (file, directory, expected) in cases {
            let path = path_in_repository(file, Path::new(directory), Path::new("/repo"));
            assert_eq!(path, expected, "{file} in {directory}");
        }
    }

    #[test]
    fn commands_are_escaped() {
        assert_eq!(
            escape_commands("a\n  ::set-env name=X::1\nb ##[error]x\n"),
            "a\n  : :set-env name=X::1\nb # #[error]x\n"
        );
        assert!(matches!(escape_commands("web: done :: ok\n"), Cow::Borrowed(_)));
    }
}
