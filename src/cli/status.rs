//! `rollout status`: where components stand.

use futures::future::join_all;
use tokio::sync::Notify;

use crate::cli::args::{GlobalArgs, Output};
use crate::cli::connect::Purpose;
use crate::cli::failure::Failure;
use crate::cli::setting::{self, Setting, unreachable};
use crate::cli::ui::Ui;
use crate::cli::{exit, gather};
use crate::cluster::record;
use crate::cluster::view::View;
use crate::cluster::watch::{self, Subject};
use crate::oam::labels;
use crate::report::status::{self, ComponentStatus};

/// Show where components stand
///
/// Observes the workloads, so that it is right while another process drives and after one was killed.
/// TARGET, UPGRADED and READY count replicas: wanted at the end, submitted so far, and ready.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Show this component or application; without it, all in the namespace
    pub name: Option<String>,

    /// Print again at every change, until interrupted
    #[arg(short, long)]
    pub watch: bool,

    /// Print in this form
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: Output,
}

const EXAMPLES: &str = "\
Examples:
  $ rollout status
  $ rollout status express-server --watch
  $ rollout status -o json | jq -r '.items[].rollingState'";

/// Runs the command.
///
/// # Errors
///
/// A cluster that cannot be read, and a name that is not there.
pub async fn run(args: &Args, global: &GlobalArgs, ui: &mut Ui) -> Result<u8, Failure> {
    let setting = setting::open(global, Purpose::Look, ui).await?;
    let namespace = setting.connection.namespaces.resolve(None).to_owned();
    let items = wanted(&setting, &namespace, args.name.as_deref()).await?;
    if items.is_empty() && !args.watch {
        ui.status(&format!("nothing has been rolled out in namespace `{namespace}`"));
        // The other forms are for programs, which take an empty list.
        if matches!(args.output, Output::Table | Output::Wide) {
            return Ok(exit::SUCCESS);
        }
    }
    ui.data(&status::render(&items, args.output.into(), setting.session.clock().now()));
    if args.watch {
        follow(&setting, &namespace, args, items, ui).await?;
    }
    Ok(exit::SUCCESS)
}

/// The components that a name means: one of that name, or those of an application.
async fn wanted(
    setting: &Setting,
    namespace: &str,
    name: Option<&str>,
) -> Result<Vec<ComponentStatus>, Failure> {
    let items = gather::statuses(&setting.session, namespace).await.map_err(unreachable)?;
    let Some(name) = name else {
        return Ok(items);
    };
    let names: Vec<String> = items.iter().map(|item| item.component.clone()).collect();
    let (components, others): (Vec<_>, Vec<_>) = items.into_iter().partition(|item| item.component == name);
    if !components.is_empty() {
        return Ok(components);
    }
    let of_application: Vec<_> = others.into_iter().filter(|item| item.application == name).collect();
    if of_application.is_empty() {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        return Err(gather::unknown(name, &names, namespace));
    }
    Ok(of_application)
}

/// Prints what changes, as it changes, until the reader goes away or the user has enough.
async fn follow(
    setting: &Setting,
    namespace: &str,
    args: &Args,
    mut shown: Vec<ComponentStatus>,
    ui: &mut Ui,
) -> Result<(), Failure> {
    let session = &setting.session;
    let kinds = gather::kinds(session, namespace).await.map_err(unreachable)?;
    let view = View::of(kinds.iter().copied());
    let subjects: Vec<Subject> = kinds
        .into_iter()
        .map(|kind| Subject { namespace: namespace.to_owned(), kind, selector: labels::COMPONENT.to_owned() })
        .collect();
    let is_news = Notify::new();
    let mut workload_changes = view.changes();
    let print = async {
        loop {
            tokio::select! {
                _ = workload_changes.changed() => {}
                () = is_news.notified() => {}
            }
            if let Some(error) = view.failure() {
                return Err(unreachable(error));
            }
            let items = wanted(setting, namespace, args.name.as_deref()).await?;
            let changed: Vec<ComponentStatus> =
                items.iter().filter(|item| !shown.contains(item)).cloned().collect();
            if !changed.is_empty() {
                let text = status::render(&changed, args.output.into(), session.clock().now());
                ui.data(rows(&text, args.output, shown.is_empty()));
            }
            shown = items;
            if ui.reader_is_gone() {
                return Ok(());
            }
        }
    };
    let feed = async {
        tokio::join!(
            join_all(subjects.iter().map(|subject| watch::feed(session, subject, &view))),
            record::follow(session, namespace, |_| is_news.notify_one()),
        );
        std::future::pending::<()>().await;
    };
    tokio::select! {
        ended = print => ended,
        () = feed => Ok(()),
    }
}

/// Rows that follow an earlier table carry no header again, as kubectl's do.
fn rows(text: &str, output: Output, is_first: bool) -> &str {
    match output {
        Output::Table | Output::Wide if !is_first => text.split_once('\n').map_or(text, |(_, rows)| rows),
        Output::Table | Output::Wide | Output::Json | Output::Yaml | Output::Name => text,
    }
}
