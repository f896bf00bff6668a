//! Flags that more than one command has.
//!
//! Help text is the doc comment: the first line imperative and without a full stop. Environment variables
//! stand in for what a CI job sets once; an empty one counts as not set. An empty value on the command line
//! is refused: it comes from an unset variable, and must not mean another cluster.

use std::path::PathBuf;

use clap::ValueEnum;
use clap::builder::NonEmptyStringValueParser as NonEmpty;
use jiff::SignedDuration;

use crate::cli::directories::directories;
use crate::cli::flags::states::{self, RunOutput};
use crate::cli::flags::values::{self, Batches};
use crate::ops::manifest::{Amount, Batch};
use crate::ops::plan::DryRun;
use crate::ops::{FailFast, GateTrust, Limits, OnFailure, Overrides};

/// Flags of every command.
#[derive(Debug, Clone, clap::Args)]
pub struct GlobalArgs {
    /// Act in this namespace
    ///
    /// Overrides the namespace in a manifest, which overrides the kubeconfig context's.
    #[arg(short, long, global = true, env = "ROLLOUT_NAMESPACE", hide_env_values = true)]
    #[arg(value_name = "NAME", help_heading = CONNECTION, value_parser = values::namespace)]
    pub namespace: Option<String>,

    /// Use this context from the kubeconfig
    ///
    /// `apply`, `plan`, `status`, `undo` and `history` take several, each a wave of a fleet. With `--fleet`, selects
    /// clusters of the file.
    #[arg(long, global = true, env = "ROLLOUT_CONTEXT", hide_env_values = true)]
    #[arg(value_name = "NAME", help_heading = CONNECTION, value_parser = NonEmpty::new())]
    pub context: Vec<String>,

    /// Act on the clusters in this file, one wave after the other
    ///
    /// `apply`, `plan`, `status`, `undo` and `history` act on all of them, or on those that `--context` selects. Other
    /// commands act on the one that `--context` selects.
    #[arg(long, global = true, env = "ROLLOUT_FLEET", hide_env_values = true)]
    #[arg(value_name = "FILE", help_heading = CONNECTION)]
    pub fleet: Option<PathBuf>,

    /// Use this cluster from the kubeconfig
    #[arg(long, global = true, env = "ROLLOUT_CLUSTER", hide_env_values = true)]
    #[arg(value_name = "NAME", help_heading = CONNECTION, value_parser = NonEmpty::new())]
    pub cluster: Option<String>,

    /// Use this user from the kubeconfig
    #[arg(long, global = true, env = "ROLLOUT_USER", hide_env_values = true)]
    #[arg(value_name = "NAME", help_heading = CONNECTION, value_parser = NonEmpty::new())]
    pub user: Option<String>,

    /// Read this kubeconfig
    ///
    /// Default: the files in `KUBECONFIG`, then `~/.kube/config`, then the cluster that the process runs in.
    #[arg(long, global = true, env = "ROLLOUT_KUBECONFIG", hide_env_values = true)]
    #[arg(value_name = "FILE", help_heading = CONNECTION)]
    pub kubeconfig: Option<PathBuf>,

    /// Impersonate this user
    #[arg(long = "as", global = true, env = "ROLLOUT_AS", hide_env_values = true)]
    #[arg(value_name = "USER", help_heading = CONNECTION, value_parser = NonEmpty::new())]
    pub as_user: Option<String>,

    /// Impersonate this group; can be repeated
    #[arg(long, global = true, env = "ROLLOUT_AS_GROUP", hide_env_values = true, value_delimiter = ',')]
    #[arg(value_name = "GROUP", help_heading = CONNECTION, value_parser = NonEmpty::new())]
    pub as_group: Vec<String>,

    /// Give up on a single API request after this time
    ///
    /// At least `10s`; `0` disables the limit.
    #[arg(long, global = true, env = "ROLLOUT_REQUEST_TIMEOUT", hide_env_values = true)]
    #[arg(value_name = "DURATION", default_value = "30s", help_heading = CONNECTION)]
    #[arg(value_parser = values::request_timeout, allow_hyphen_values = true)]
    pub request_timeout: SignedDuration,

    /// Send at most this many API requests at a time
    ///
    /// Watches and the renewal of leases are not counted. From 1 to 1000.
    #[arg(long, global = true, env = "ROLLOUT_MAX_REQUESTS", hide_env_values = true)]
    #[arg(value_name = "N", default_value_t = 16, help_heading = CONNECTION)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub max_requests: u16,

    /// Use a sandbox instead of a cluster
    ///
    /// The sandbox is a Kubernetes API inside this process, with controllers and a kubelet. FILE keeps its
    /// state between invocations; without FILE, the state is discarded when the command ends.
    #[arg(long, global = true, env = "ROLLOUT_SANDBOX", hide_env_values = true)]
    #[arg(value_name = "FILE", num_args = 0..=1, require_equals = true, help_heading = SANDBOX)]
    pub sandbox: Option<Option<PathBuf>>,

    /// Script the sandbox's kubelet with the rules in this file
    ///
    /// A YAML list; the first match wins: `- {image: 'podinfo:5*', fail: ImagePullBackOff}` or
    /// `- {image: '*', readyAfter: 20ms}`. Requires `--sandbox`.
    #[arg(long, global = true, env = "ROLLOUT_SANDBOX_RULES", hide_env_values = true)]
    #[arg(value_name = "FILE", help_heading = SANDBOX)]
    pub sandbox_rules: Option<PathBuf>,

    /// Set the identity of this run when it locks an application
    ///
    /// A run with the same identity, such as a retried CI job, takes over at once instead of waiting.
    /// Default: user, host and process ID.
    #[arg(long, global = true, env = "ROLLOUT_IDENTITY", hide_env_values = true)]
    #[arg(value_name = "NAME", help_heading = CONNECTION, value_parser = NonEmpty::new())]
    pub identity: Option<String>,

    /// Print only warnings and errors to stderr
    #[arg(short, long, global = true, help_heading = CONVERSATION)]
    pub quiet: bool,

    /// Log every API request to stderr, with its status and duration
    #[arg(short, long, global = true, help_heading = CONVERSATION, action = clap::ArgAction::Count)]
    pub verbose: u8,

    /// Colour messages and diffs
    ///
    /// `auto` colours output to a terminal and respects NO_COLOR and CLICOLOR_FORCE.
    #[arg(long, global = true, env = "ROLLOUT_COLOR", hide_env_values = true)]
    #[arg(value_name = "WHEN", default_value = "auto", help_heading = CONVERSATION)]
    pub color: Color,
}

/// The heading of the flags that select the cluster and the user.
const CONNECTION: &str = "Connection";
/// The heading of the sandbox's flags.
const SANDBOX: &str = "Sandbox";
/// The heading of the flags about output.
const CONVERSATION: &str = "Output";
/// The heading of the flags about fleets.
pub const FLEET: &str = "Fleet";
/// The heading of the flags that shape and bound a run.
const DRIVING: &str = "Rollout";

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Color {
    /// When writing to a terminal
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The manifests a command reads.
#[derive(Debug, Clone, clap::Args)]
pub struct ManifestArgs {
    /// Read these manifests: files, directories, or `-` for stdin
    ///
    /// In a directory, reads the files that end in `.yaml`, `.yml` or `.json`, sorted by name.
    #[arg(value_name = "FILE", required_unless_present = "filename")]
    pub files: Vec<PathBuf>,

    /// Read this manifest, as with kubectl; can be repeated
    #[arg(short = 'f', long, value_name = "FILE")]
    pub filename: Vec<PathBuf>,

    /// How directories are read.
    #[command(flatten)]
    pub recursive: RecursiveArg,
}

impl ManifestArgs {
    /// All paths, those of `-f` first.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.recursive.paths(self.filename.iter().chain(&self.files))
    }
}

/// How directories of manifests are read.
#[derive(Debug, Clone, clap::Args)]
pub struct RecursiveArg {
    /// Also read the manifests in subdirectories, as with kubectl
    #[arg(short = 'R', long)]
    pub recursive: bool,
}

impl RecursiveArg {
    /// The paths, with all subdirectories that have manifests if they are requested.
    pub fn paths<'a>(&self, paths: impl Iterator<Item = &'a PathBuf>) -> Vec<PathBuf> {
        match self.recursive {
            true => paths.flat_map(|path| directories(path)).collect(),
            false => paths.cloned().collect(),
        }
    }
}

/// The component that a command is about.
#[derive(Debug, Clone, clap::Args)]
pub struct ComponentArg {
    /// Act on this component; optional if the namespace has only one
    #[arg(value_name = "COMPONENT")]
    pub component: Option<String>,
}

/// Flags that change the shape of a run.
#[derive(Debug, Clone, clap::Args)]
pub struct BatchArgs {
    /// Override the batches
    ///
    /// Sizes in pods, such as `2,3`, or percentages, such as `20%,30%,50%`. They must add up to the target size
    /// or, if only the size changes, to the difference. Percentages round up; a final percentage takes the
    /// remainder, and for a small size the last batches can be empty. Default: the batches of the manifest; for
    /// `undo`, those of the last run if they fit.
    #[arg(long, value_name = "SIZES", allow_hyphen_values = true, help_heading = DRIVING)]
    pub batches: Option<Batches>,

    /// Stop after this batch, counted from 0
    ///
    /// Overrides the manifest's `batchPartition`. The run ends there with success; rerun the command without
    /// this flag to continue.
    #[arg(long, value_name = "INDEX", allow_negative_numbers = true, help_heading = DRIVING)]
    #[arg(value_parser = values::count)]
    pub partition: Option<u32>,
}

/// Flags that bound a run in time.
#[derive(Debug, Clone, clap::Args)]
pub struct DeadlineArgs {
    /// Give up on the whole run after this time
    ///
    /// `0` disables the limit; `--batch-timeout` still applies to each batch.
    #[arg(long, env = "ROLLOUT_TIMEOUT", hide_env_values = true, value_name = "DURATION")]
    #[arg(default_value = "0", value_parser = values::duration, allow_hyphen_values = true)]
    #[arg(help_heading = DRIVING)]
    pub timeout: SignedDuration,

    /// Give up on a batch after this time
    ///
    /// `0` disables the limit.
    #[arg(long, env = "ROLLOUT_BATCH_TIMEOUT", hide_env_values = true, value_name = "DURATION")]
    #[arg(default_value = "10m", value_parser = values::duration, allow_hyphen_values = true)]
    #[arg(help_heading = DRIVING)]
    pub batch_timeout: SignedDuration,

    /// Give up on a batch as soon as a pod shows an error that waiting will not fix
    ///
    /// For example, an image that cannot be pulled, an exceeded quota, or a container that restarted three times. Pods
    /// are checked after three seconds without progress, then every ten seconds. Without this flag, after the second
    /// check pods are checked once a minute, errors are only reported, and the batch waits until its timeout.
    #[arg(long, env = "ROLLOUT_FAIL_FAST", hide_env_values = true, help_heading = DRIVING)]
    #[arg(value_parser = values::boolean)]
    pub fail_fast: bool,

    /// Print this many lines of a failing pod's log
    ///
    /// Prints the last lines, at most 100, and truncates long ones. Use `0` if logs may contain secrets.
    #[arg(long, env = "ROLLOUT_LOGS", hide_env_values = true, value_name = "LINES", help_heading = DRIVING)]
    #[arg(default_value = "8", value_parser = values::log_lines, allow_hyphen_values = true)]
    pub logs: u32,

    /// What gates may do.
    #[command(flatten)]
    pub gates: GateArg,

    /// How long to wait in line.
    #[command(flatten)]
    pub lock: LockArg,
}

/// What gates may do.
#[derive(Debug, Clone, clap::Args)]
pub struct GateArg {
    /// Let gates between batches run commands, and send variables and files in headers
    ///
    /// Gates come from the manifest, or from the record of the run in the cluster. Without this flag, a run with such a
    /// gate is refused, and `delete` does not call such a hook.
    #[arg(long, env = "ROLLOUT_TRUST_GATES", hide_env_values = true, help_heading = DRIVING)]
    #[arg(value_parser = values::boolean)]
    pub trust_gates: bool,
}

impl GateArg {
    /// Whether the flag trusts gates.
    pub fn trust(&self) -> GateTrust {
        if self.trust_gates { GateTrust::Trusted } else { GateTrust::Untrusted }
    }
}

/// How long to wait in line.
#[derive(Debug, Clone, clap::Args)]
pub struct LockArg {
    /// Give up waiting for another run of the application after this time
    ///
    /// `0` disables the limit.
    #[arg(long, env = "ROLLOUT_LOCK_TIMEOUT", hide_env_values = true, value_name = "DURATION")]
    #[arg(default_value = "10m", value_parser = values::duration, allow_hyphen_values = true)]
    #[arg(help_heading = DRIVING)]
    pub lock_timeout: SignedDuration,
}

/// How a run is driven, or only planned.
#[derive(Debug, Clone, clap::Args)]
pub struct RunArgs {
    /// How long it may take.
    #[command(flatten)]
    pub deadlines: DeadlineArgs,

    /// Only print what would be done
    ///
    /// WHERE defaults to `client`. `-o` selects the output format of the plan, as for `rollout plan`.
    #[arg(long, value_name = "WHERE", require_equals = true, num_args = 0..=1, default_missing_value = "client")]
    pub dry_run: Option<DryRun>,

    /// Print the result in this format
    #[arg(short, long, value_name = "FORMAT", default_value = "table", value_parser = states::run_output())]
    pub output: RunOutput,
}

/// What to do after a failure, in one cluster.
#[derive(Debug, Clone, clap::Args)]
pub struct OnFailureArg {
    /// What to do when a component's pods do not become ready
    #[arg(long, env = "ROLLOUT_ON_FAILURE", hide_env_values = true, value_name = "WHAT")]
    #[arg(default_value = "hold")]
    pub on_failure: OnFailure,
}

impl DeadlineArgs {
    /// The limits that the flags set.
    pub fn limits(&self) -> Limits {
        Limits {
            run: self.timeout.unsigned_abs(),
            batch: self.batch_timeout.unsigned_abs(),
            lock: self.lock.lock_timeout.unsigned_abs(),
            fail_fast: if self.fail_fast { FailFast::On } else { FailFast::Off },
            on_failure: OnFailure::Hold,
            logs: self.logs,
            gates: self.gates.trust(),
        }
    }
}

impl BatchArgs {
    /// What the flags set instead of the manifest.
    pub fn overrides(&self) -> Overrides {
        let batch = |replicas: &Amount| Batch { replicas: *replicas, max_unavailable: Amount::Count(0) };
        Overrides {
            batches: self.batches.as_ref().map(|batches| batches.0.iter().map(batch).collect()),
            partition: self.partition,
            ..Overrides::default()
        }
    }
}
