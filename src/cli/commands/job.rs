//! `rollout job`: the same apply, from inside the cluster.

use clap::FromArgMatches as _;
use serde_json::{Map, Value, json};

use crate::cli::Cli;
use crate::cli::Command;
use crate::cli::command;
use crate::cli::commands::rbac;
use crate::cli::commands::rbac::Rights;
use crate::cli::connect::client;
use crate::cli::exit;
use crate::cli::failure::{Failure, Kind};
use crate::cli::flags::args::{GlobalArgs, ManifestArgs};
use crate::cli::flags::values;
use crate::cli::flags::variables;
use crate::cli::input;
use crate::cli::terminal::ui::Ui;
use crate::oam::application::Application;
use crate::oam::hash::fnv1a;
use crate::oam::manifest;
use crate::report::document;
use crate::report::text::list_literals;

/// Print a Job that applies manifests from inside the cluster
///
/// Also prints a ConfigMap with the manifests and a service account with the Role of `rollout rbac`. The Job's name is
/// derived from the manifests and flags: the same input gives the same Job. If its pod is lost, a new pod resumes the
/// run; the Job fails if the run is rejected or pods do not become ready.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// What the Job applies.
    #[command(flatten)]
    pub manifests: ManifestArgs,

    /// Run this image; its entry point must be `rollout`
    #[arg(long, value_name = "IMAGE", value_parser = values::image)]
    pub image: String,

    /// Pass these flags to `rollout apply`
    #[arg(last = true, value_name = "FLAG")]
    pub flags: Vec<String>,
}

const EXAMPLES: &str = "\
Examples:
  $ rollout job app.yaml --image registry.example/rollout:0.1.0 | kubectl apply -f -
  $ rollout job deploy/ --image registry.example/rollout:0.1.0 -n shop -- --batch-timeout 5m --fail-fast";

/// The service account of the Job's pods.
const ACCOUNT: &str = "rollout";
/// Where the manifests are mounted.
const MOUNT: &str = "/manifests";
/// What a ConfigMap can hold, less the room that its names take (kubernetes.io, "ConfigMaps": 1 MiB).
const MOST_BYTES: usize = 1_000_000;
/// How long a Job that ended can be looked at: a day.
const KEPT_SECONDS: u32 = 86_400;
/// The user of the Job's pods, of no rights: `nonroot` of many images.
const USER: u32 = 65_532;

/// Runs the command. Sends nothing.
///
/// # Errors
///
/// Manifests or flags that are wrong, applications of several namespaces, and more than a ConfigMap holds.
pub fn run(args: &Args, global: &GlobalArgs, ui: &mut Ui) -> Result<u8, Failure> {
    let sources = input::read(&args.manifests.paths(), ui.stdin())?;
    let applications = manifest::parse(&sources).map_err(|errors| Failure::new(Kind::Manifest, errors))?;
    let flags = parsed(&args.flags)?;
    let namespace = namespace(&applications, global)?;
    let texts: Vec<String> =
        sources.iter().map(|source| String::from_utf8_lossy(&source.bytes).into_owned()).collect();
    let bytes: usize = texts.iter().map(String::len).sum();
    if bytes > MOST_BYTES {
        let reason = format!("the manifests have {bytes} bytes, and a ConfigMap holds at most {MOST_BYTES}");
        return Err(Failure::message(Kind::Manifest, reason).hint("print a Job for each of them"));
    }
    let name = name(&applications, &texts, args);
    let documents = [manifests(&name, &namespace, texts), job(&name, &namespace, args, &flags)];
    let mut text =
        rbac::role(Some(&namespace), flags.rights, rbac::Views::None) + &rbac::bound(ACCOUNT, &namespace);
    text.extend(documents.iter().map(|document| format!("---\n{}", document::yaml(document))));
    ui.data(&text);
    Ok(exit::SUCCESS)
}

/// What the flags need in the cluster. Flags that would fail or do nothing there are refused.
fn parsed(flags: &[String]) -> Result<Flags, Failure> {
    let line = ["rollout", "apply", MOUNT].into_iter().chain(flags.iter().map(String::as_str));
    // The variables of this process are not the Job's.
    let matches = variables::without(command(), |_| true).try_get_matches_from(line);
    let cli = matches.and_then(|matches| Cli::from_arg_matches(&matches)).map_err(|error| {
        let text = error.to_string();
        let reason = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        Failure::message(Kind::Usage, format!("`rollout apply` does not take these flags: {reason}"))
    })?;
    let Command::Apply(apply) = &cli.command else {
        return Err(Failure::message(Kind::Usage, "a Job runs `rollout apply`"));
    };
    refuse_misplaced(&cli.global, &apply.manifests)?;
    let rights = if apply.prune { Rights::Removing } else { Rights::Rolling };
    Ok(Flags { rights, identity: cli.global.identity })
}

/// What the flags of the Job's `apply` ask for.
struct Flags {
    rights: Rights,
    identity: Option<String>,
}

/// Refuses what the Job sets itself, and what its pods do not have.
fn refuse_misplaced(global: &GlobalArgs, manifests: &ManifestArgs) -> Result<(), Failure> {
    let wrong = |what: String, hint: &str| Err(Failure::message(Kind::Usage, what).hint(hint));
    if let Some(file) = manifests.paths().iter().find(|path| path.as_os_str() != MOUNT) {
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
    let without_cluster = [
        ("--sandbox", global.sandbox.is_some()),
        ("--sandbox-rules", global.sandbox_rules.is_some()),
        ("--kubeconfig", global.kubeconfig.is_some()),
        ("--context", global.context.is_some()),
        ("--cluster", global.cluster.is_some()),
        ("--user", global.user.is_some()),
    ];
    match without_cluster.into_iter().find(|(_, is_given)| *is_given) {
        None => Ok(()),
        Some((flag, _)) => wrong(
            format!(
                "`{flag}` after `--`: the Job uses the cluster that it runs in, with its service account"
            ),
            "omit it",
        ),
    }
}

/// The one namespace of everything.
fn namespace(applications: &[Application], global: &GlobalArgs) -> Result<String, Failure> {
    let namespaces = client::namespaces(global)?;
    let mut names: Vec<&str> =
        applications.iter().map(|one| namespaces.resolve(one.namespace.as_deref())).collect();
    names.sort_unstable();
    names.dedup();
    match names.as_slice() {
        [only] => Ok((*only).to_owned()),
        several => Err(Failure::message(
            Kind::Manifest,
            format!("a Job works in one namespace, and the manifests have {}", list_literals(several)),
        )
        .hint("print a Job for each of them, or choose one with `--namespace`")),
    }
}

/// A name that tells one Job from another, and stays the same for the same work.
fn name(applications: &[Application], texts: &[String], args: &Args) -> String {
    let work = json!([texts, args.image, args.flags]).to_string();
    let application = applications.first().map_or("", |application| &application.name);
    // The pods' names, and a label's value, have room for no more.
    let application: String = application.chars().take(40).collect();
    format!("rollout-job-{}-{:08x}", application.trim_end_matches(['-', '.']), fnv1a(&work) as u32)
}

fn manifests(name: &str, namespace: &str, texts: Vec<String>) -> Value {
    let files = texts.into_iter().enumerate();
    let data: Map<String, Value> =
        files.map(|(index, text)| (format!("{index:04}.yaml"), json!(text))).collect();
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": data,
    })
}

fn job(name: &str, namespace: &str, args: &Args, flags: &Flags) -> Value {
    let identity = flags.identity.is_none().then(|| format!("--identity=job/{name}"));
    let words = ["apply", MOUNT, "--namespace", namespace].into_iter().chain(identity.as_deref());
    let words: Vec<&str> = words.chain(args.flags.iter().map(String::as_str)).collect();
    // Only what another pod may do better is tried again.
    let finals = [exit::FAILURE, exit::USAGE, exit::TIMEOUT, exit::REFUSED, exit::CONFLICT];
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "backoffLimit": 6,
            "ttlSecondsAfterFinished": KEPT_SECONDS,
            "podFailurePolicy": {"rules": [{
                "action": "FailJob",
                "onExitCodes": {"containerName": "rollout", "operator": "In", "values": finals},
            }]},
            "template": {"spec": {
                "serviceAccountName": ACCOUNT,
                "restartPolicy": "Never",
                "securityContext": {
                    "runAsNonRoot": true,
                    "runAsUser": USER,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [{
                    "name": "rollout",
                    "image": args.image,
                    "args": words,
                    "securityContext": {
                        "allowPrivilegeEscalation": false,
                        "readOnlyRootFilesystem": true,
                        "capabilities": {"drop": ["ALL"]},
                    },
                    "volumeMounts": [{"name": "manifests", "mountPath": MOUNT, "readOnly": true}],
                }],
                "volumes": [{"name": "manifests", "configMap": {"name": name}}],
            }},
        },
    })
}
