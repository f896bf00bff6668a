//! Completion of command lines, for the scripts of [`crate::cli::commands::completions`] and for kubectl.
//!
//! Flags and commands come from the definition of the command line. Names come from the kubeconfig and the cluster,
//! through the connection that the words before the cursor select. A user waits at the prompt meanwhile, so nothing is
//! written to stderr or read from stdin, and names that are not found within [`DEADLINE`] are omitted.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use clap::FromArgMatches as _;
use clap::builder::ArgExt;
use clap_complete::engine::{self, ArgValueCompleter, CompletionCandidate};
use clap_complete::env::Shells;
use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt;
use kube::api::{Api, ListParams};

use crate::cli::connect::client::Access;
use crate::cli::connect::env::Env;
use crate::cli::connect::kubeconfig;
use crate::cli::flags::args::{Color, GlobalArgs};
use crate::cli::hints::flags::is_plain;
use crate::cli::terminal::ui::Ui;
use crate::cli::{exit, plugin};
use crate::ops::history;
use crate::report::lines::Verbosity;

/// The variable that a completion script sets; its value is the shell's name.
pub(crate) const VARIABLE: &str = "ROLLOUT_COMPLETE";

/// How long a shell waits for names.
const DEADLINE: Duration = Duration::from_secs(1);

/// Answers a shell's or kubectl's request for completions; `None` if there is no such request.
pub(crate) fn answer(typed: &[OsString], ui: &mut Ui) -> Option<u8> {
    #[expect(clippy::disallowed_methods, reason = "the command line may read the environment")]
    let shell = std::env::var_os(VARIABLE).filter(|shell| !shell.is_empty());
    let answer = match shell {
        Some(shell) => {
            silence();
            for_shell(&shell, typed)
        }
        None if plugin::is_asked_to_complete(typed.first()) => {
            silence();
            for_kubectl(typed)
        }
        None => return None,
    };
    let Some(answer) = answer else { return Some(exit::FAILURE) };
    ui.verbatim(&answer);
    Some(exit::SUCCESS)
}

/// Suppresses warnings and the prompts of plugins, so that only the completions are printed.
fn silence() {
    if let Ok(nothing) = File::options().read(true).write(true).open("/dev/null") {
        rustix::stdio::dup2_stdin(&nothing).ok();
        rustix::stdio::dup2_stderr(&nothing).ok();
    }
}

/// The completions for a script, which passes the words after `--` and the position of the cursor in variables.
fn for_shell(shell: &OsStr, typed: &[OsString]) -> Option<String> {
    let words: Vec<OsString> = typed.iter().skip_while(|word| *word != "--").skip(1).cloned().collect();
    let shells = Shells::builtins();
    let shell = shells.completer(shell.to_str()?)?;
    let here = std::env::current_dir().ok();
    let mut bytes = Vec::new();
    shell.write_complete(&mut command(&words), words, here.as_deref(), &mut bytes).ok()?;
    String::from_utf8(bytes).ok()
}

/// The completions for kubectl's script: one per line, then the directive against completing file names.
fn for_kubectl(typed: &[OsString]) -> Option<String> {
    let here = std::env::current_dir().ok();
    let mut words = typed.to_vec();
    if words.len() == 1 {
        words.push(OsString::new());
    }
    let last = words.len() - 1;
    let candidates = engine::complete(&mut command(&words), words, last, here.as_deref()).ok()?;
    let lines = candidates.iter().map(|candidate| {
        let value = candidate.get_value().to_string_lossy();
        match candidate.get_help().map(ToString::to_string) {
            Some(help) => format!("{value}\t{}\n", help.lines().next().unwrap_or_default()),
            None => format!("{value}\n"),
        }
    });
    Some(lines.chain([":4\n".to_owned()]).collect())
}

/// The command line with completers for names, which they look up in the cluster that the words select.
fn command(words: &[OsString]) -> clap::Command {
    with_names(crate::cli::command(), &Arc::new(CompletionScope::of(words)))
}

fn with_names(command: clap::Command, scope: &Arc<CompletionScope>) -> clap::Command {
    let name = command.get_name().to_owned();
    command
        .mut_args(|arg| match NameKind::of(&name, arg.get_id().as_str()) {
            Some(names) => arg.add(completer(names, Arc::clone(scope))),
            None => arg,
        })
        .mut_subcommands(|command| with_names(command, scope))
}

fn completer(names: NameKind, scope: Arc<CompletionScope>) -> impl ArgExt {
    ArgValueCompleter::new(move |current: &OsStr| {
        let Some(current) = current.to_str() else { return Vec::new() };
        let found = in_time(names, &scope, current);
        // Names that a shell would interpret are not offered.
        let fitting = found.into_iter().filter(|name| name.starts_with(current) && is_plain(name));
        fitting.map(CompletionCandidate::new).collect()
    })
}

/// The kinds of names that an argument can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NameKind {
    Contexts,
    Clusters,
    Users,
    Namespaces,
    Components,
    ComponentsAndApplications,
    Revisions,
}

impl NameKind {
    /// The kind that a command's flag or argument takes, by its clap identifier.
    fn of(command: &str, arg: &str) -> Option<Self> {
        Some(match arg {
            "component" if command == "promote" => Self::ComponentsAndApplications,
            "context" => Self::Contexts,
            "cluster" => Self::Clusters,
            "user" => Self::Users,
            "namespace" => Self::Namespaces,
            "component" => Self::Components,
            "name" | "names" => Self::ComponentsAndApplications,
            "to_revision" | "revision" | "diff" => Self::Revisions,
            _ => return None,
        })
    }
}

/// Where to look names up, according to the words before the cursor.
#[derive(Debug, Clone)]
struct CompletionScope {
    global: Option<GlobalArgs>,
    component: Option<String>,
}

impl CompletionScope {
    /// Parses as many words as possible: the last one is unfinished, and its flag may be as well.
    fn of(words: &[OsString]) -> Self {
        let read = (1..=words.len()).rev().find_map(|count| Self::of_all(&words[..count]));
        read.unwrap_or(Self { global: None, component: None })
    }

    fn of_all(words: &[OsString]) -> Option<Self> {
        let lenient = crate::cli::command()
            .ignore_errors(true)
            .arg_required_else_help(false)
            .subcommand_required(false);
        let matches = lenient.try_get_matches_from(words).ok()?;
        let global = GlobalArgs::from_arg_matches(&matches).ok()?;
        let component = matches
            .subcommand()
            .and_then(|(_, matches)| matches.try_get_one::<String>("component").ok().flatten().cloned());
        Some(Self { global: Some(global), component })
    }
}

/// Looks names up within [`DEADLINE`].
fn in_time(names: NameKind, scope: &Arc<CompletionScope>, current: &str) -> BTreeSet<String> {
    let (sender, receiver) = mpsc::channel();
    let (scope, current) = (Arc::clone(scope), current.to_owned());
    // Credential plugins and slow disks block, so this runs on a thread, which ends with the process.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
        let found = runtime.block_on(look(names, &scope, &current)).unwrap_or_default();
        sender.send(found).ok()
    });
    receiver.recv_timeout(DEADLINE).unwrap_or_default()
}

/// Looks names up; `None` if that fails.
async fn look(names: NameKind, scope: &CompletionScope, current: &str) -> Option<BTreeSet<String>> {
    let global = scope.global.as_ref()?;
    let kubeconfig = || kubeconfig::read(global).ok().flatten();
    let open =
        async || Env::open(global, Access::Read, &mut Ui::new(Color::Never, Verbosity::Quiet)).await.ok();
    Some(match names {
        NameKind::Contexts => kubeconfig()?.contexts.into_iter().map(|named| named.name).collect(),
        NameKind::Clusters => kubeconfig()?.clusters.into_iter().map(|named| named.name).collect(),
        NameKind::Users => kubeconfig()?.auth_infos.into_iter().map(|named| named.name).collect(),
        NameKind::Namespaces => {
            let env = open().await?;
            let api: Api<Namespace> = Api::all(env.connection.client.clone());
            let params = ListParams::default();
            let list = env.context.session.read(|| api.list_metadata(&params)).await.ok()?;
            list.items.iter().map(ResourceExt::name_any).collect()
        }
        NameKind::Components => {
            let names = component_names(&open().await?).await?;
            names.into_iter().map(|(component, _)| component).collect()
        }
        NameKind::ComponentsAndApplications => {
            let names = component_names(&open().await?).await?;
            names.into_iter().flat_map(|(component, application)| [component, application]).collect()
        }
        NameKind::Revisions => {
            let env = open().await?;
            let component = env.component(scope.component.as_deref());
            let names = history::revision_names(&env.context, &component).await.ok()?;
            let short: BTreeSet<String> = names.iter().filter_map(|(_, short)| short.clone()).collect();
            // Short names such as `v1` are preferred; full names are offered if no short one matches.
            let fits = short.iter().any(|name| name.starts_with(current));
            if fits { short } else { names.into_iter().map(|(full, _)| full).collect() }
        }
    })
}

async fn component_names(env: &Env) -> Option<Vec<(String, String)>> {
    history::component_names(&env.context, env.namespace()).await.ok()
}
