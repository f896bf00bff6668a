//! The process's streams: nothing else reads stdin or writes to stdout or stderr.
//!
//! stdout is data, stderr is conversation. What is a terminal, what is coloured and what is left unsaid is
//! decided here, once. A reader who has gone away is no failure: what it does not want is dropped.

use std::borrow::Cow;
use std::io::{self, IsTerminal as _, Read, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use anyhow::Context as _;
use indicatif::ProgressDrawTarget;

use crate::cli::args::Color;
use crate::cli::exit;
use crate::cli::failure::{Failure, Kind, Label, Told};
use crate::oam::manifest::{ManifestErrors, Problem};
use crate::report::event::Reporter;
use crate::report::github::{self, Annotated, Level, Spot};
use crate::report::json::Json;
use crate::report::lines::{Detail, Lines};
use crate::report::terminal::{Paint, Terminal};
use crate::report::text::{sanitise, sanitise_block};

/// The height of a terminal that does not tell, the smallest that is common.
const DEFAULT_HEIGHT: usize = 24;

/// The streams of the process.
#[derive(Debug)]
pub struct Ui {
    stdout: Stream,
    stderr: Stream,
    detail: Detail,
    live: Live,
    paint: Paint,
    github: Option<GitHub>,
}

/// GitHub Actions, where a job's log is read by it.
#[derive(Debug)]
struct GitHub {
    /// The file that it shows as the step's summary.
    summary: Option<PathBuf>,
}

impl GitHub {
    fn here() -> Option<Self> {
        #[expect(clippy::disallowed_methods, reason = "the command line may read the environment")]
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let is_here = variable("GITHUB_ACTIONS").is_some_and(|value| value == "true");
        is_here.then(|| Self { summary: variable("GITHUB_STEP_SUMMARY").map(PathBuf::from) })
    }
}

/// Whether stderr can show live lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Live {
    /// It is a terminal.
    Terminal,
    /// It is a file, a pipe, or was asked to be quiet.
    Lines,
}

/// What was answered to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Yes.
    Yes,
    /// Anything else.
    No,
    /// Nobody is there to ask.
    NotAsked,
}

/// How a run is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Narration {
    /// In words on stderr.
    Words,
    /// As NDJSON on stdout.
    Events,
}

impl Ui {
    /// Takes the streams of the process.
    pub fn new(color: Color, detail: Detail) -> Self {
        let choice = |auto: ColorChoice| match color {
            Color::Auto => auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        let out = choice(AutoStream::choice(&io::stdout()));
        let err = choice(AutoStream::choice(&io::stderr()));
        #[expect(clippy::disallowed_methods, reason = "the command line may read the environment")]
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let live = match (io::stderr().is_terminal() && !is_dumb, detail) {
            (true, Detail::Full) => Live::Terminal,
            (true, Detail::Trouble) | (false, _) => Live::Lines,
        };
        let paint = match err {
            ColorChoice::Never => Paint::Plain,
            ColorChoice::Auto | ColorChoice::AlwaysAnsi | ColorChoice::Always => Paint::Coloured,
        };
        let github = GitHub::here();
        let stderr = Stream::new(AutoStream::new(io::stderr(), err));
        let stderr = if github.is_some() { stderr.read_by_github() } else { stderr };
        let stdout = Stream::new(AutoStream::new(io::stdout(), out));
        Self { stdout, stderr, detail, live, paint, github }
    }

    /// Prints data on stdout, as it is.
    pub fn data(&mut self, text: &str) {
        self.stdout.say(text);
    }

    /// Says a sentence on stderr, unless asked to be quiet. The text is made safe.
    pub fn status(&mut self, text: &str) {
        if self.detail == Detail::Full {
            self.stderr.say(&format!("{}\n", sanitise(text)));
        }
    }

    /// Warns on stderr, quiet or not. The text is made safe; it has no full stop.
    pub fn warn(&mut self, text: &str) {
        self.stderr.say(&labelled(Label::Warning, &sanitise(text)));
        self.annotate(Level::Warning, None, text);
    }

    /// Marks trouble for whoever reads the job's page rather than its log.
    fn annotate(&self, level: Level, spot: Option<Spot<'_>>, message: &str) {
        if self.github.is_some() {
            self.stderr.command(&github::annotation(level, "rollout", spot, message));
        }
    }

    /// Adds the final table to the step's summary, where there is one.
    pub fn summary(&mut self, table: &str) {
        let Some(path) = self.github.as_ref().and_then(|github| github.summary.clone()) else { return };
        let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
        let written = file.and_then(|mut file| file.write_all(github::summary(table).as_bytes()));
        if let Err(error) = written {
            self.warn(&format!("the step's summary cannot be written: {error}"));
        }
    }

    /// Whether the reader of stdout has gone away, so that going on printing is pointless.
    pub fn reader_is_gone(&self) -> bool {
        !matches!(self.stdout.lock().state, State::Open)
    }

    /// The display for a run. It holds stderr until it is dropped: nothing else should be said meanwhile.
    pub fn reporter(&self, narration: Narration) -> Box<dyn Reporter + Send> {
        match (narration, self.live) {
            (Narration::Events, _) => Box::new(Json::new(self.stdout.clone())),
            (Narration::Words, Live::Terminal) => {
                let target = ProgressDrawTarget::stderr();
                Box::new(Terminal::new(self.stderr.clone(), target, height, self.paint))
            }
            (Narration::Words, Live::Lines) => {
                let lines = Lines::new(self.stderr.clone(), self.detail);
                match self.github {
                    Some(_) => Box::new(Annotated::new(lines, Commands(self.stderr.clone()))),
                    None => Box::new(lines),
                }
            }
        }
    }

    /// Asks on the terminal whether to do something; elsewhere nobody is asked.
    ///
    /// # Errors
    ///
    /// A terminal that cannot be read.
    pub fn confirm(&mut self, question: &str) -> Result<Answer, Failure> {
        if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
            return Ok(Answer::NotAsked);
        }
        self.stderr.say(&format!("{} [y/N] ", sanitise_block(question)));
        let mut line = String::new();
        io::stdin().read_line(&mut line).context("the answer cannot be read")?;
        Ok(match line.trim() {
            "y" | "Y" | "yes" => Answer::Yes,
            _ => Answer::No,
        })
    }

    /// The process's stdin.
    pub fn stdin(&self) -> impl Read + use<> {
        io::stdin()
    }

    /// Prints what `clap` has to say, which may be help and is safe by now, and gives the exit code.
    pub(crate) fn parsed(&mut self, error: &clap::Error, text: &str) -> u8 {
        if error.use_stderr() {
            self.stderr.say(text);
            return exit::USAGE;
        }
        self.stdout.say(text);
        self.conclude(Ok(exit::SUCCESS))
    }

    /// Ends the command: prints its failure and gives the exit code.
    pub(crate) fn conclude(&mut self, outcome: Result<u8, Failure>) -> u8 {
        let outcome = outcome.and_then(|code| self.written().map(|()| code));
        match outcome {
            Ok(code) => code,
            Err(failure) => {
                if failure.told == Told::NotYet {
                    for (label, text) in failure.lines() {
                        self.stderr.say(&labelled(label, &text));
                    }
                    self.annotate_failure(&failure);
                }
                failure.exit_code()
            }
        }
    }

    /// A manifest's problems each at its line.
    fn annotate_failure(&self, failure: &Failure) {
        let Some(errors) = failure.error.downcast_ref::<ManifestErrors>() else {
            return self.annotate(Level::Error, None, &failure.error.to_string());
        };
        for Problem { file, line, column, path, message, .. } in &errors.problems {
            let spot = Spot { file, line: *line, column: *column };
            let place = if path.is_empty() { String::new() } else { format!("{path}: ") };
            self.annotate(Level::Error, Some(spot), &format!("{place}{message}"));
        }
    }

    /// Fails when stdout could not be written, unless the reader simply went away.
    fn written(&self) -> Result<(), Failure> {
        match std::mem::replace(&mut self.stdout.lock().state, State::Closed) {
            State::Open | State::Closed => Ok(()),
            State::Failed(error) => Err(Failure::new(
                Kind::Internal,
                anyhow::Error::new(error).context("standard output cannot be written"),
            )),
        }
    }
}

/// The height of the terminal at stderr, in lines.
fn height() -> usize {
    rustix::termios::tcgetwinsize(io::stderr()).map_or(DEFAULT_HEIGHT, |size| size.ws_row.into())
}

/// Makes a defect of ours end as documented: told on lines of its own, with the exit code of a failure.
pub fn heed_panics(end: fn(u8)) {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let mut stderr = io::stderr();
        if stderr.is_terminal() {
            // Below the live lines, of which the last is unfinished.
            stderr.write_all(b"\n").ok();
        }
        tell(panic);
        let advice =
            labelled(Label::Error, "this is a defect of rollout; please report it with the lines above");
        let kept =
            labelled(Label::Hint, "a run is kept: run the same command again to go on where it stopped");
        write!(AutoStream::auto(stderr), "{advice}{kept}").ok();
        // Nothing can be relied on any more.
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

/// One stream, shared by the [`Ui`] and the reporter it hands out.
#[derive(Debug, Clone)]
struct Stream(Arc<Mutex<Sink>>);

struct Sink {
    writer: Box<dyn Write + Send>,
    state: State,
    reader: Reader,
}

/// Who reads a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// People, and programs that take nothing in it for a command.
    Plain,
    /// GitHub's runner.
    GitHub,
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Sink").field("state", &self.state).finish_non_exhaustive()
    }
}

/// Whether anybody reads a stream.
#[derive(Debug)]
enum State {
    Open,
    /// The reader went away, as `head` does.
    Closed,
    /// It cannot be written, as on a full disk.
    Failed(io::Error),
}

impl Stream {
    fn new(writer: impl Write + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Sink {
            writer: Box::new(writer),
            state: State::Open,
            reader: Reader::Plain,
        })))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Sink> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_by_github(self) -> Self {
        self.lock().reader = Reader::GitHub;
        self
    }

    fn say(&self, text: &str) {
        let reader = self.lock().reader;
        let text = match reader {
            Reader::Plain => Cow::Borrowed(text),
            Reader::GitHub => github::defused(text),
        };
        self.command(&text);
    }

    /// Writes what is meant as it stands.
    fn command(&self, text: &str) {
        let mut sink = self.lock();
        if !matches!(sink.state, State::Open) {
            return;
        }
        if let Err(error) = sink.writer.write_all(text.as_bytes()).and_then(|()| sink.writer.flush()) {
            sink.state = match error.kind() {
                io::ErrorKind::BrokenPipe => State::Closed,
                _ => State::Failed(error),
            };
        }
    }
}

/// For reporters: trouble is noted in the stream's state, so the reporter need not carry it.
impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.say(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A stream for commands to its reader.
struct Commands(Stream);

impl Write for Commands {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.command(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A stream that fails in one way.
    struct Failing(io::ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A writer whose bytes are kept.
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

    /// What is said on stderr, colours included.
    pub(crate) fn on_stderr(tell: impl FnOnce(&mut Ui)) -> String {
        let kept = Kept::default();
        tell(&mut Ui { stderr: Stream::new(kept.clone()), ..ui(io::sink()) });
        String::from_utf8(kept.0.lock().unwrap().clone()).unwrap()
    }

    fn ui(stdout: impl Write + Send + 'static) -> Ui {
        Ui {
            stdout: Stream::new(stdout),
            stderr: Stream::new(io::sink()),
            detail: Detail::Full,
            live: Live::Lines,
            paint: Paint::Plain,
            github: None,
        }
    }

    #[test]
    fn a_reader_who_left_is_no_failure() {
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
    fn the_commands_own_failure_wins() {
        let mut ui = ui(Failing(io::ErrorKind::StorageFull));
        ui.data("x");
        assert_eq!(ui.conclude(Err(Failure::reported(Kind::Timeout))), exit::TIMEOUT);
    }
}
