//! `rollout status`: where components stand.

use jiff::SignedDuration;

use crate::cli::connect::client::Access;
use crate::cli::connect::env::Env;
use crate::cli::exit;
use crate::cli::failure::{CommandError, Kind};
use crate::cli::flags::args::GlobalArgs;
use crate::cli::flags::values;
use crate::cli::terminal::ui::Ui;
use crate::ops::status::{select, statuses, statuses_with_drivers};
use crate::ops::status_watch::StatusWatch;
use crate::ops::wait_for::{self, Until, Verdict};
use crate::report::format::Format;
use crate::report::status::{self, ComponentStatus};
use crate::report::text::{format_duration, list_literals};

/// Show the status of components
///
/// Observes the workloads, so the status is correct while another process drives a run and after one was killed.
/// TARGET, UPGRADED and READY count replicas: the target size, those submitted so far, and those ready.
///
/// Prints the current state and exits with 0. With `--until`, waits as `kubectl rollout status` does, and the exit code
/// reports whether the state was reached.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct StatusArgs {
    /// Show this component or application; default: all in the namespace
    pub name: Option<String>,

    /// Print every change, until interrupted
    #[arg(short, long)]
    pub watch: bool,

    /// Wait until every component shown has reached STATE; exit with 3 if a run fails first
    ///
    /// Only observes: another process has to drive the run.
    #[arg(long, value_name = "STATE")]
    pub until: Option<Until>,

    /// Give up on `--until` after this time, with exit code 3
    ///
    /// `0` disables the limit.
    #[arg(long, value_name = "DURATION", requires = "until", default_value = "30m")]
    #[arg(value_parser = values::duration, allow_hyphen_values = true)]
    pub timeout: SignedDuration,

    /// Print in this format
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: Format,
}

const EXAMPLES: &str = "\
Examples:
  $ rollout status
  $ rollout status express-server --watch
  $ rollout status express-server --until done --timeout 20m
  $ rollout status -o json | jq -r '.items[].rollingState'";

/// Runs the command.
///
/// # Errors
///
/// A cluster that cannot be read, and a name that is not there.
pub async fn run(args: &StatusArgs, global: &GlobalArgs, ui: &mut Ui) -> Result<u8, CommandError> {
    let env = Env::open(global, Access::Read, ui).await?;
    let namespace = env.namespace().to_owned();
    if args.watch || args.until.is_some() {
        follow(&env, &namespace, args, ui).await?;
        return Ok(exit::SUCCESS);
    }
    let items = statuses_with_drivers(&env.context, &namespace).await?;
    let items = select(items, args.name.as_deref(), &namespace)?;
    if items.is_empty() {
        ui.status(&format!("nothing has been rolled out in namespace `{namespace}`"));
        // The other forms are for programs, which take an empty list.
        if matches!(args.output, Format::Table | Format::Wide) {
            return Ok(exit::SUCCESS);
        }
    }
    ui.data(&status::render_status(&items, args.output, env.context.session.clock().now()));
    explain(&items, args.output, ui);
    Ok(exit::SUCCESS)
}

fn name(until: Until) -> &'static str {
    match until {
        Until::Ready => "ready",
        Until::Gate => "at the gate",
        Until::Done => "done",
    }
}

/// Whether what is waited for has come.
fn reached(args: &StatusArgs, items: &[ComponentStatus]) -> Result<bool, CommandError> {
    match args.until.map(|until| until.judge_all(items)) {
        None | Some(Verdict::Awaited) => Ok(false),
        Some(Verdict::Reached) => Ok(true),
        Some(Verdict::Failed) => {
            let failed = items.iter().filter(|item| wait_for::has_run_failed(item));
            let names: Vec<&str> = failed.map(|item| item.component.as_str()).collect();
            Err(CommandError::message(Kind::Timeout, format!("the rollout of {} failed", list_literals(&names)))
                .hint("the run is recorded: rerun the command that drove it to resume it, or roll it back with `rollout abort`"))
        }
    }
}

/// Says why components stand still, where the form is for people.
fn explain(items: &[ComponentStatus], output: Format, ui: &mut Ui) {
    if matches!(output, Format::Table | Format::Wide) {
        for item in items {
            if let Some(message) = &item.message {
                let message = ui.flags().repeated(message);
                ui.status(&format!("{}: {message}", item.component));
            }
        }
    }
}

/// Prints where everything stands, and then what changes, until what is waited for has come, the reader goes away or
/// the user has enough.
async fn follow(env: &Env, namespace: &str, args: &StatusArgs, ui: &mut Ui) -> Result<(), CommandError> {
    let (context, session) = (&env.context, &env.context.session);
    let followed = StatusWatch::open(context, namespace).await?;
    let print = async {
        let mut changes = followed.changes();
        let items = followed.first().await?;
        let mut shown = select(items, args.name.as_deref(), namespace)?;
        ui.data(&status::render_status(&shown, args.output, session.clock().now()));
        explain(&shown, args.output, ui);
        if ui.reader_is_gone() || reached(args, &shown)? {
            return Ok(());
        }
        let deadline = args.until.and_then(|_| session.clock().moment().after(args.timeout.unsigned_abs()));
        if let Some(until) = args.until.filter(|_| !args.timeout.is_zero()) {
            ui.status(&format!(
                "waiting until {}, for at most {}",
                name(until),
                format_duration(args.timeout)
            ));
        }
        loop {
            tokio::select! {
                () = changes.next() => {}
                () = session.clock().until(deadline) => return Err(late(args)),
            }
            let items = followed.items()?;
            let mut items = select(items, args.name.as_deref(), namespace)?;
            // Records and workloads come by different watches: what ends this has to be so at one time.
            if !matches!(reached(args, &items), Ok(false)) {
                let current = statuses(context, namespace).await?;
                items = select(current, args.name.as_deref(), namespace)?;
            }
            let changed: Vec<ComponentStatus> =
                items.iter().filter(|item| !shown.contains(item)).cloned().collect();
            if !changed.is_empty() {
                let text = status::render_status(&changed, args.output, session.clock().now());
                ui.data(rows(&text, args.output, shown.is_empty()));
                explain(&changed, args.output, ui);
            }
            shown = items;
            if ui.reader_is_gone() || reached(args, &shown)? {
                return Ok(());
            }
        }
    };
    let feed = async {
        followed.feed().await;
        // A watch that failed for good has reported why, and that is printed.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        ended = print => ended,
        () = feed => Ok(()),
    }
}

fn late(args: &StatusArgs) -> CommandError {
    let until = args.until.map_or("there", name);
    CommandError::message(
        Kind::Timeout,
        format!("not {until} after {} (`--timeout`)", format_duration(args.timeout)),
    )
    .hint("see `rollout status` and `rollout history`")
}

/// Rows that follow an earlier table carry no header again, as kubectl's do.
fn rows(text: &str, output: Format, is_first: bool) -> &str {
    match output {
        Format::Table | Format::Wide if !is_first => text.split_once('\n').map_or(text, |(_, rows)| rows),
        Format::Table | Format::Wide | Format::Json | Format::Yaml | Format::Name => text,
    }
}
