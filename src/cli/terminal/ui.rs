//! The process's streams: nothing else reads stdin or writes to stdout or stderr.
//!
//! Data goes to stdout, messages go to stderr. This module alone decides what is a terminal, what is coloured and what
//! `--quiet` omits. A reader that has gone away is not a failure: further output is dropped.

use std::io::{self, IsTerminal as _, Read, Write};
use std::path::PathBuf;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use anyhow::Context as _;
use indicatif::ProgressDrawTarget;
use jiff::Timestamp;

use crate::cli::exit;
use crate::cli::failure::{CommandError, Kind, Label, Reported};
use crate::cli::flags::args::Color;
use crate::cli::flags::states::RunOutput;
use crate::cli::hints::flags::HintFlags;
use crate::cli::terminal::echo::{self, EchoGuard};
use crate::cli::terminal::stream::{Stream, without_commands};
use crate::ops::manifest::{ManifestErrors, Problem};
use crate::report::canvas::{Canvas, Size};
use crate::report::ci_sections::{CiProvider, CiSections};
use crate::report::event::{Event, Reporter};
use crate::report::github::{self, Annotated, Level, Location};
use crate::report::json::Json;
use crate::report::lines::{Lines, Verbosity};
use crate::report::message::RESUME_HINT;
use crate::report::paint::Paint;
use crate::report::terminal::Terminal;
use crate::report::text::{sanitise, sanitise_block};

/// The size assumed for a terminal that does not report it.
const DEFAULT_SIZE: Size = Size { columns: 80, rows: 24 };

/// The maximum number of redraws of the bars per second; indicatif's default.
const DRAWINGS_PER_SECOND: u8 = 20;

/// The streams of the process.
#[derive(Debug)]
pub struct Ui {
    stdout: Stream,
    stderr: Stream,
    detail: Verbosity,
    progress: ProgressDisplay,
    paint: Paint,
    flags: HintFlags,
    page: Option<CiProvider>,
    /// The file that GitHub shows as the step's summary.
    summary: Option<PathBuf>,
    /// The working directory and the repository that GitHub has checked out.
    checkout: Option<(PathBuf, PathBuf)>,
}

/// How progress is displayed on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ProgressDisplay {
    /// As bars, on a terminal.
    Bars,
    /// As lines, in a file or a pipe, or with `--quiet`.
    Lines,
}

/// The answer to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmation {
    /// Yes.
    Yes,
    /// Anything else.
    No,
    /// There is no terminal on which to ask.
    NotAsked,
}

impl Ui {
    /// Whether a user at a terminal can answer.
    pub fn is_interactive(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Takes the streams of the process.
    pub fn new(color: Color, detail: Verbosity) -> Self {
        let choice = |auto: ColorChoice| match color {
            Color::Auto => auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        let out = choice(AutoStream::choice(&io::stdout()));
        let err = choice(AutoStream::choice(&io::stderr()));
        #[expect(clippy::disallowed_methods, reason = "the command line may read the environment")]
        let can_move = std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb");
        let progress = match (io::stderr().is_terminal() && can_move, detail) {
            (true, Verbosity::Full) => ProgressDisplay::Bars,
            (true, Verbosity::Quiet) | (false, _) => ProgressDisplay::Lines,
        };
        let paint = match err {
            ColorChoice::Never => Paint::Plain,
            ColorChoice::Auto | ColorChoice::AlwaysAnsi | ColorChoice::Always => Paint::Coloured,
        };
        #[expect(clippy::disallowed_methods, reason = "the command line may read the environment")]
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let is_true = |name| variable(name).is_some_and(|value| value == "true");
        let page = match (is_true("GITHUB_ACTIONS"), is_true("GITLAB_CI")) {
            (true, _) => Some(CiProvider::GitHub),
            (false, true) => Some(CiProvider::GitLab),
            (false, false) => None,
        };
        let summary =
            variable("GITHUB_STEP_SUMMARY").filter(|_| page == Some(CiProvider::GitHub)).map(PathBuf::from);
        let repository = variable("GITHUB_WORKSPACE").filter(|_| page == Some(CiProvider::GitHub));
        let directory = std::env::current_dir().ok();
        let checkout = directory.zip(repository.map(PathBuf::from));
        let stderr = Stream::new(AutoStream::new(io::stderr(), err)).on(page);
        let stdout = Stream::new(AutoStream::new(io::stdout(), out));
        Self { stdout, stderr, detail, progress, paint, flags: HintFlags::default(), page, summary, checkout }
    }

    /// Sets the flags that are added to the commands in hints.
    #[must_use]
    pub fn with_hint_flags(self, flags: HintFlags) -> Self {
        Self { flags, ..self }
    }

    /// The flags that are added to the commands in hints.
    pub fn flags(&self) -> &HintFlags {
        &self.flags
    }

    /// Changes the flags that are added to the commands in hints.
    pub fn set_flags(&mut self, flags: HintFlags) {
        self.flags = flags;
    }

    /// Prints data to stdout, unchanged.
    pub fn data(&mut self, text: &str) {
        self.stdout.say(text);
    }

    /// Prints text for people to stdout, with commands to the CI system escaped.
    pub fn words(&mut self, text: &str) {
        self.data(&without_commands(self.page, text));
    }

    /// Prints to stdout including control characters, for a program that requested them.
    pub fn verbatim(&mut self, text: &str) {
        Stream::new(io::stdout()).say(text);
    }

    /// Prints a sentence to stderr, unless `--quiet` is set. The text is sanitised.
    pub fn status(&mut self, text: &str) {
        if self.detail == Verbosity::Full {
            self.stderr.say(&format!("{}\n", sanitise(text)));
        }
    }

    /// A function that prints lines to stderr at any time; disables the bars.
    pub fn stderr_printer(&mut self) -> impl Fn(&str) + Clone + Send + 'static {
        self.progress = ProgressDisplay::Lines;
        let stderr = self.stderr.clone();
        move |text: &str| stderr.say(&format!("{}\n", sanitise(text)))
    }

    /// Prints a warning to stderr, even with `--quiet`. The text is sanitised; it has no full stop.
    pub fn warn(&mut self, text: &str) {
        self.stderr.say(&labelled(Label::Warning, &sanitise(text)));
        self.annotate(Level::Warning, None, text);
    }

    /// Prints a warning about a place in a file.
    pub fn warn_at(&mut self, spot: Location<'_>, text: &str) {
        let Location { file, line, column } = spot;
        let placed = format!("{file}:{line}:{column}: {text}");
        self.stderr.say(&labelled(Label::Warning, &sanitise(&placed)));
        self.annotate(Level::Warning, Some(spot), text);
    }

    /// Adds an annotation to the page of the GitHub job, for readers who do not open its log.
    fn annotate(&self, level: Level, spot: Option<Location<'_>>, message: &str) {
        if self.page == Some(CiProvider::GitHub) {
            let path = |file: &str| match &self.checkout {
                Some((directory, repository)) => github::path_in_repository(file, directory, repository),
                None => file.to_owned(),
            };
            let file = spot.map(|spot| path(spot.file));
            let spot = spot.zip(file.as_deref()).map(|(spot, file)| Location { file, ..spot });
            self.stderr.command(&github::annotation(level, "rollout", spot, message));
        }
    }

    /// Adds the final table to the step's summary, if there is one.
    pub fn summary(&mut self, table: &str) {
        let Some(path) = &self.summary else { return };
        let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
        let written = file.and_then(|mut file| file.write_all(github::summary(table).as_bytes()));
        if let Err(error) = written {
            self.warn(&format!("the step's summary cannot be written: {error}"));
        }
    }

    /// Whether the reader of stdout has gone away, so that nothing needs to be printed.
    pub fn reader_is_gone(&self) -> bool {
        self.stdout.is_over()
    }

    /// The display for a run that starts now: as text on stderr, or as NDJSON on stdout. Until it is dropped, nothing
    /// else should be printed to stderr.
    pub fn reporter(&self, output: RunOutput, started: Timestamp) -> Box<dyn Reporter + Send> {
        match (output, self.progress) {
            (None, _) => Box::new(Json::new(self.stdout.clone())),
            (Some(_), ProgressDisplay::Bars) => {
                // Not through `AutoStream`, which would remove the sequences that move the cursor; `paint` omits
                // colours.
                let canvas = Canvas::new(Stream::new(io::stderr()), terminal_size);
                let target = ProgressDrawTarget::term_like_with_hz(Box::new(canvas), DRAWINGS_PER_SECOND);
                let terminal = Terminal::new(self.stderr.clone(), target, terminal_size, self.paint);
                Box::new(QuietTerminal { inner: terminal, _echo: EchoGuard::on(io::stderr()) })
            }
            (Some(_), ProgressDisplay::Lines) => {
                let lines = Lines::new(self.stderr.clone(), self.detail);
                // Commands to the CI system are written unchanged, with neither escaping nor removal of control
                // characters.
                let commands = || Stream::new(io::stderr());
                let folded = |lines, page| CiSections::new(lines, commands(), page, started);
                match (self.page, self.detail) {
                    (None, _) | (Some(CiProvider::GitLab), Verbosity::Quiet) => Box::new(lines),
                    (Some(CiProvider::GitLab), Verbosity::Full) => {
                        Box::new(folded(lines, CiProvider::GitLab))
                    }
                    (Some(CiProvider::GitHub), Verbosity::Quiet) => {
                        Box::new(Annotated::new(lines, commands()))
                    }
                    (Some(CiProvider::GitHub), Verbosity::Full) => {
                        Box::new(Annotated::new(folded(lines, CiProvider::GitHub), commands()))
                    }
                }
            }
        }
    }

    /// Asks for confirmation on the terminal, if there is one.
    ///
    /// # Errors
    ///
    /// If the terminal cannot be read.
    pub fn confirm(&mut self, question: &str) -> Result<Confirmation, CommandError> {
        if !self.is_interactive() {
            return Ok(Confirmation::NotAsked);
        }
        self.stderr.say(&format!("{} [y/N] ", sanitise_block(question)));
        let mut line = String::new();
        io::stdin().read_line(&mut line).context("the answer cannot be read")?;
        Ok(match line.trim() {
            "y" | "Y" | "yes" => Confirmation::Yes,
            _ => Confirmation::No,
        })
    }

    /// The process's stdin.
    pub fn stdin(&self) -> impl Read + use<> {
        io::stdin()
    }

    /// Prints clap's message, which may be help and is already sanitised, and returns the exit code.
    pub(crate) fn parsed(&mut self, error: &clap::Error, text: &str) -> u8 {
        if error.use_stderr() {
            self.stderr.say(text);
            return exit::USAGE;
        }
        self.stdout.say(text);
        self.conclude(Ok(exit::SUCCESS))
    }

    /// Ends the command: prints its failure and returns the exit code.
    pub(crate) fn conclude(&mut self, outcome: Result<u8, CommandError>) -> u8 {
        let outcome = outcome.and_then(|code| self.written().map(|()| code));
        match outcome {
            Ok(code) => code,
            Err(mut failure) => {
                failure.hints.iter_mut().for_each(|hint| *hint = self.flags.add_to(hint));
                if failure.reported == Reported::NotYet {
                    self.fail(&failure);
                }
                failure.kind.exit_code()
            }
        }
    }

    /// Prints a failure.
    pub(crate) fn fail(&mut self, failure: &CommandError) {
        for (label, text) in failure.lines() {
            self.stderr.say(&labelled(label, &text));
        }
        self.annotate_failure(failure);
    }

    /// Annotates the page with a failure; the problems of a manifest are annotated at their lines.
    fn annotate_failure(&self, failure: &CommandError) {
        let Some(errors) = failure.error.downcast_ref::<ManifestErrors>() else {
            return self.annotate(Level::Error, None, &failure.error.to_string());
        };
        for Problem { file, line, column, path, message, .. } in &errors.problems {
            let spot = Location { file, line: *line, column: *column };
            let place = if path.is_empty() { String::new() } else { format!("{path}: ") };
            self.annotate(Level::Error, Some(spot), &format!("{place}{message}"));
        }
    }

    /// Fails if a write to stdout has failed, unless the reader just went away.
    fn written(&self) -> Result<(), CommandError> {
        self.stdout.close().map_err(|error| {
            let error = anyhow::Error::new(error).context("standard output cannot be written");
            CommandError::new(Kind::Internal, error)
        })
    }
}

/// A display on a terminal without echo. The fields are dropped in order: the display first, which restores the echo
/// last.
struct QuietTerminal<R> {
    inner: R,
    _echo: EchoGuard<io::Stderr>,
}

impl<R: Reporter> Reporter for QuietTerminal<R> {
    fn event(&mut self, event: &Event) {
        self.inner.event(event);
    }
}

/// The size of the terminal at stderr.
fn terminal_size() -> Size {
    let size = rustix::termios::tcgetwinsize(io::stderr()).ok();
    size.filter(|size| size.ws_col > 0 && size.ws_row > 0)
        .map_or(DEFAULT_SIZE, |size| Size { columns: size.ws_col, rows: size.ws_row })
}

/// Makes a panic end as documented: printed on lines of its own, with the exit code of a failure.
pub fn install_panic_hook(end: fn(u8)) {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let mut stderr = io::stderr();
        if stderr.is_terminal() {
            // Ends the last line of the bars.
            stderr.write_all(b"\n").ok();
            echo::restore(&stderr);
        }
        tell(panic);
        let advice =
            labelled(Label::Error, "this is a bug in `rollout`; please report it with the lines above");
        let kept = labelled(Label::Hint, RESUME_HINT);
        write!(AutoStream::auto(stderr), "{advice}{kept}").ok();
        // The state of the process is unknown.
        end(exit::FAILURE);
    }));
}

fn labelled(label: Label, text: &str) -> String {
    let colour = match label {
        Label::Error => AnsiColor::Red,
        Label::Cause | Label::Warning => AnsiColor::Yellow,
        Label::Hint => AnsiColor::Cyan,
    };
    let style = Style::new().bold().fg_color(Some(colour.into()));
    format!("{style}{}:{style:#} {text}\n", label.word())
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// A writer that always fails with this kind of error.
    struct Failing(io::ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A writer that stores its bytes.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is printed to stderr, including colours.
    pub(crate) fn on_stderr(tell: impl FnOnce(&mut Ui)) -> String {
        let kept = Kept::default();
        tell(&mut Ui { stderr: Stream::new(kept.clone()), ..ui(io::sink()) });
        String::from_utf8(kept.0.lock().unwrap().clone()).unwrap()
    }

    fn ui(stdout: impl Write + Send + 'static) -> Ui {
        Ui {
            stdout: Stream::new(stdout),
            stderr: Stream::new(io::sink()),
            detail: Verbosity::Full,
            progress: ProgressDisplay::Lines,
            paint: Paint::Plain,
            flags: HintFlags::default(),
            page: None,
            summary: None,
            checkout: None,
        }
    }

    #[test]
    fn a_closed_pipe_is_not_a_failure() {
        let mut ui = ui(Failing(io::ErrorKind::BrokenPipe));
        ui.data("x");
        assert!(ui.reader_is_gone());
        assert_eq!(ui.conclude(Ok(exit::SUCCESS)), exit::SUCCESS);
    }

    #[test]
    fn a_full_disk_is_a_failure() {
        let mut ui = ui(Failing(io::ErrorKind::StorageFull));
        ui.data("x");
        assert_eq!(ui.conclude(Ok(exit::SUCCESS)), exit::FAILURE);
    }

    #[test]
    fn the_commands_own_failure_takes_precedence() {
        let mut ui = ui(Failing(io::ErrorKind::StorageFull));
        ui.data("x");
        assert_eq!(ui.conclude(Err(CommandError::reported(Kind::Timeout))), exit::TIMEOUT);
    }
}
