//! `rollout job`: the same apply, from inside the cluster.

use clap::FromArgMatches as _;

use crate::cli::Cli;
use crate::cli::Command;
use crate::cli::command;
use crate::cli::commands::apply::ApplyArgs;
use crate::cli::connect::client;
use crate::cli::exit;
use crate::cli::failure::{CommandError, Kind};
use crate::cli::flags::args::{GlobalArgs, ManifestArgs};
use crate::cli::flags::values::{self, first_given};
use crate::cli::flags::variables;
use crate::cli::input::Manifests;
use crate::cli::selection;
use crate::cli::terminal::ui::Ui;
use crate::ops::GateTrust;
use crate::ops::job::{self, JobRequest, MOUNT};
use crate::ops::manifest::Application;
use crate::ops::rbac::Operation;
use crate::report::text::list_literals;

/// Print a Job that applies manifests from inside the cluster
///
/// Also prints a ConfigMap with the manifests, values of Secrets included, and a service account with the Role of
/// `rollout rbac FILE`. The Job's name is derived from the manifests and flags: the same input gives the same Job. If
/// its pod is lost, a new pod resumes the run; the Job fails if the run is rejected or pods do not become ready.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct JobArgs {
    /// What the Job applies.
    #[command(flatten)]
    pub manifests: ManifestArgs,

    /// Run this image; its entry point must be `rollout`
    #[arg(long, value_name = "IMAGE", value_parser = values::image)]
    pub image: String,

    /// Share the applications among this many pods
    ///
    /// Prints an indexed Job, whose pods run side by side. Each applies its share of the applications; if one of them
    /// fails, the others continue.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub shards: Option<u16>,

    /// Tell this Job from another of the same manifests and flags, such as by the pipeline's ID
    ///
    /// Without it, the Job of manifests that have been applied within a day is the finished one, which does not run
    /// again.
    #[arg(long, value_name = "ID")]
    pub run: Option<String>,

    /// Pass these flags to `rollout apply`
    #[arg(last = true, value_name = "FLAG")]
    pub flags: Vec<String>,
}

const EXAMPLES: &str = "\
Examples:
  $ rollout job app.yaml --image registry.example/rollout:0.1.0 | kubectl apply --server-side -f -
  $ rollout job deploy/ --image registry.example/rollout:0.1.0 --shards 4 | kubectl apply --server-side -f -
  $ rollout job deploy/ --image registry.example/rollout:0.1.0 -n shop -- --batch-timeout 5m --fail-fast";

/// The exit codes after which a retry in another pod is useless.
const FINAL: [u8; 5] = [exit::FAILURE, exit::USAGE, exit::TIMEOUT, exit::REFUSED, exit::CONFLICT];

/// Runs the command. Sends nothing.
///
/// # Errors
///
/// If manifests or flags are invalid, applications are in several namespaces, or the manifests exceed a ConfigMap.
pub fn run(args: &JobArgs, global: &GlobalArgs, ui: &mut Ui) -> Result<u8, CommandError> {
    selection::refuse_overrides(global)?;
    let Manifests { sources, applications } = Manifests::read(&args.manifests.paths(), ui)?;
    let flags = parsed(&args.flags)?;
    refuse_untrusted_gates(&applications, flags.gates)?;
    let namespace = namespace(&applications, global)?;
    if let Some(shards) = args.shards.filter(|shards| usize::from(*shards) > applications.len()) {
        let found = applications.len();
        return Err(CommandError::message(
            Kind::Usage,
            format!("the manifests have fewer applications ({found}) than shards ({shards}) share them"),
        )
        .hint("an application is driven by one process; request at most one shard for each application"));
    }
    let manifests = sources.iter().map(|source| String::from_utf8_lossy(&source.bytes).into_owned());
    ui.data(&job::job(JobRequest {
        namespace: &namespace,
        applications: &applications,
        manifests: manifests.collect(),
        image: &args.image,
        flags: &args.flags,
        identity: flags.identity.as_deref(),
        shards: args.shards,
        run: args.run.as_deref(),
        operations: flags.operations,
        final_exit_codes: &FINAL,
    })?);
    Ok(exit::SUCCESS)
}

/// Parses the flags of the Job's command. Rejects those that would fail or have no effect in the cluster.
fn parsed(flags: &[String]) -> Result<JobFlags, CommandError> {
    let line = ["rollout", "apply", MOUNT].into_iter().chain(flags.iter().map(String::as_str));
    // The Job does not inherit the environment of this process.
    let matches = variables::without(command(), |_| true).try_get_matches_from(line);
    let cli = matches.and_then(|matches| Cli::from_arg_matches(&matches)).map_err(|error| {
        let text = error.to_string();
        let reason = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        CommandError::message(Kind::Usage, format!("`rollout apply` does not take these flags: {reason}"))
    })?;
    let Command::Apply(apply) = &cli.command else {
        return Err(CommandError::message(Kind::Usage, "a Job runs `rollout apply`"));
    };
    refuse_misplaced(&cli.global, apply)?;
    if apply.shard.is_some() {
        return Err(CommandError::message(Kind::Usage, "`--shard` after `--`: the Job sets it")
            .hint("give `--shards` before `--`"));
    }
    let operations: &[Operation] =
        if apply.prune { &[Operation::Apply, Operation::Delete] } else { &[Operation::Apply] };
    let gates = apply.run.deadlines.gates.trust();
    Ok(JobFlags { operations, identity: cli.global.identity, gates })
}

/// What the flags of the Job's `apply` ask for.
struct JobFlags {
    operations: &'static [Operation],
    identity: Option<String>,
    gates: GateTrust,
}

/// Refuses gates that access the local machine, as the Job's `apply` would: there, it is a pod of the Job.
fn refuse_untrusted_gates(applications: &[Application], trust: GateTrust) -> Result<(), CommandError> {
    let components = applications.iter().flat_map(|application| &application.components);
    let refused = components.filter(|_| trust == GateTrust::Untrusted).find_map(|component| {
        let what = component.rollout.as_ref()?.gates.local_access()?;
        Some((&component.name, what))
    });
    let Some((component, what)) = refused else { return Ok(()) };
    let message = format!("component `{component}`: {what} in the pods of the Job");
    Err(CommandError::message(Kind::Usage, message)
        .hint("if its image and variables have what the gate needs, allow it with `-- --trust-gates`"))
}

/// Rejects flags that the Job sets itself, and those that its pods cannot use.
fn refuse_misplaced(global: &GlobalArgs, apply: &ApplyArgs) -> Result<(), CommandError> {
    let wrong = |what: String, hint: &str| Err(CommandError::message(Kind::Usage, what).hint(hint));
    if let Some(file) = apply.manifests.paths().iter().find(|path| path.as_os_str() != MOUNT) {
        let what = format!(
            "`{}` after `--` is not a flag: the Job reads manifests from its ConfigMap",
            file.display()
        );
        return wrong(what, "give manifests before `--`");
    }
    if global.namespace.is_some() {
        return wrong(
            "`--namespace` after `--`: the Job sets it".to_owned(),
            "give `--namespace` before `--`",
        );
    }
    let without_cluster = first_given([
        ("--sandbox", global.sandbox.is_some()),
        ("--sandbox-rules", global.sandbox_rules.is_some()),
        ("--kubeconfig", global.kubeconfig.is_some()),
        ("--context", !global.context.is_empty()),
        ("--fleet", global.fleet.is_some()),
        ("--cluster", global.cluster.is_some()),
        ("--user", global.user.is_some()),
        ("--wave-gate", !apply.wave_gate.is_zero()),
        ("--on-failure", apply.on_failure.is_of_a_fleet()),
    ]);
    without_cluster.map_or(Ok(()), |flag| {
        let what = format!(
            "`{flag}` after `--`: the Job uses the cluster that it runs in, with its service account"
        );
        wrong(what, "omit it")
    })
}

/// The one namespace of everything.
fn namespace(applications: &[Application], global: &GlobalArgs) -> Result<String, CommandError> {
    let namespaces = client::namespaces(global)?;
    let mut names: Vec<&str> =
        applications.iter().map(|one| namespaces.resolve(one.namespace.as_deref())).collect();
    names.sort_unstable();
    names.dedup();
    match names.as_slice() {
        [only] => Ok((*only).to_owned()),
        several => Err(CommandError::message(
            Kind::Manifest,
            format!("a Job works in one namespace, and the manifests have {}", list_literals(several)),
        )
        .hint("print a Job for each of them, or choose one with `--namespace`")),
    }
}
