//! Flags that more than one command has.
//!
//! Help text is the doc comment: the first line imperative and without a full stop. Environment variables
//! stand in for what a CI job sets once; an empty one counts as not set. An empty value on the command line
//! is refused: it comes from a variable that somebody forgot, and must not mean another cluster.

use std::path::PathBuf;

use clap::ValueEnum;
use clap::builder::NonEmptyStringValueParser as NonEmpty;
use jiff::SignedDuration;

use crate::cli::values::{self, Batches};
use crate::report::status::Format;

/// Flags of every command.
#[derive(Debug, Clone, clap::Args)]
pub struct GlobalArgs {
    /// Act in this namespace
    ///
    /// It wins over the namespace in a manifest, which wins over the kubeconfig context's.
    #[arg(short, long, global = true, env = "ROLLOUT_NAMESPACE", hide_env_values = true)]
    #[arg(value_name = "NAME", help_heading = CONNECTION, value_parser = values::namespace)]
    pub namespace: Option<String>,

    /// Use this context of the kubeconfig
    #[arg(long, global = true, env = "ROLLOUT_CONTEXT", hide_env_values = true)]
    #[arg(value_name = "NAME", help_heading = CONNECTION, value_parser = NonEmpty::new())]
    pub context: Option<String>,

    /// Use this cluster of the kubeconfig
    #[arg(long, global = true, env = "ROLLOUT_CLUSTER", hide_env_values = true)]
    #[arg(value_name = "NAME", help_heading = CONNECTION, value_parser = NonEmpty::new())]
    pub cluster: Option<String>,

    /// Use this user of the kubeconfig
    #[arg(long, global = true, env = "ROLLOUT_USER", hide_env_values = true)]
    #[arg(value_name = "NAME", help_heading = CONNECTION, value_parser = NonEmpty::new())]
    pub user: Option<String>,

    /// Read this kubeconfig
    ///
    /// Without it: the files in `KUBECONFIG`, else `~/.kube/config`, else the cluster that the process
    /// runs in.
    #[arg(long, global = true, env = "ROLLOUT_KUBECONFIG", hide_env_values = true)]
    #[arg(value_name = "FILE", help_heading = CONNECTION)]
    pub kubeconfig: Option<PathBuf>,

    /// Act as this user
    #[arg(long = "as", global = true, env = "ROLLOUT_AS", hide_env_values = true)]
    #[arg(value_name = "USER", help_heading = CONNECTION, value_parser = NonEmpty::new())]
    pub as_user: Option<String>,

    /// Act as a member of this group; can be repeated
    #[arg(long, global = true, env = "ROLLOUT_AS_GROUP", hide_env_values = true, value_delimiter = ',')]
    #[arg(value_name = "GROUP", help_heading = CONNECTION, value_parser = NonEmpty::new())]
    pub as_group: Vec<String>,

    /// Give up on a single request after this time
    ///
    /// At least `10s`; `0` is no limit.
    #[arg(long, global = true, env = "ROLLOUT_REQUEST_TIMEOUT", hide_env_values = true)]
    #[arg(value_name = "DURATION", default_value = "30s", help_heading = CONNECTION)]
    #[arg(value_parser = values::request_timeout, allow_hyphen_values = true)]
    pub request_timeout: SignedDuration,

    /// Work in a sandbox instead of a cluster
    ///
    /// The sandbox is a Kubernetes API inside this process, with controllers and a kubelet. With FILE its
    /// state is kept there between invocations; without, it is gone when the command ends.
    #[arg(long, global = true, env = "ROLLOUT_SANDBOX", hide_env_values = true)]
    #[arg(value_name = "FILE", num_args = 0..=1, require_equals = true, help_heading = SANDBOX)]
    pub sandbox: Option<Option<PathBuf>>,

    /// Script the sandbox's kubelet with the rules in this file
    ///
    /// A YAML list, first match wins: `- {image: 'podinfo:5*', fail: ImagePullBackOff}` or
    /// `- {image: '*', readyAfter: 20ms}`. Needs `--sandbox`.
    #[arg(long, global = true, env = "ROLLOUT_SANDBOX_RULES", hide_env_values = true)]
    #[arg(value_name = "FILE", help_heading = SANDBOX)]
    pub sandbox_rules: Option<PathBuf>,

    /// Go by this name in the queue of runs
    ///
    /// A run with the same identity takes over at once instead of waiting, as a CI job does when it is
    /// retried. Without it: user, host and process.
    #[arg(long, global = true, env = "ROLLOUT_IDENTITY", hide_env_values = true)]
    #[arg(value_name = "NAME", help_heading = CONNECTION, value_parser = NonEmpty::new())]
    pub identity: Option<String>,

    /// Say nothing on stderr but warnings and errors
    #[arg(short, long, global = true, help_heading = CONVERSATION)]
    pub quiet: bool,

    /// Say every request on stderr, with the status of its answer and the time it took
    #[arg(short, long, global = true, help_heading = CONVERSATION, action = clap::ArgAction::Count)]
    pub verbose: u8,

    /// Colour the conversation on stderr, and differences
    ///
    /// `auto` colours a terminal and follows NO_COLOR and CLICOLOR_FORCE.
    #[arg(long, global = true, env = "ROLLOUT_COLOR", hide_env_values = true)]
    #[arg(value_name = "WHEN", default_value = "auto", help_heading = CONVERSATION)]
    pub color: Color,
}

/// The heading of the flags that say which cluster and as whom.
const CONNECTION: &str = "Connection";
/// The heading of the sandbox's flags.
const SANDBOX: &str = "Sandbox";
/// The heading of the flags about what is said.
const CONVERSATION: &str = "Conversation";
/// The heading of the flags that steer a run.
const DRIVING: &str = "Driving";

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Color {
    /// On a terminal
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
    /// Of a directory, the files that end in `.yaml`, `.yml` or `.json` are read, in order of their names.
    #[arg(value_name = "FILE", required_unless_present = "filename")]
    pub files: Vec<PathBuf>,

    /// Read this manifest, as kubectl has it; can be repeated
    #[arg(short = 'f', long, value_name = "FILE")]
    pub filename: Vec<PathBuf>,
}

impl ManifestArgs {
    /// Every path given, those of `-f` first.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.filename.iter().chain(&self.files).cloned().collect()
    }
}

/// The component that a command is about.
#[derive(Debug, Clone, clap::Args)]
pub struct ComponentArg {
    /// Act on this component; may be left out where the namespace has only one
    #[arg(value_name = "COMPONENT")]
    pub component: Option<String>,
}

/// Flags that change the shape of a run.
#[derive(Debug, Clone, clap::Args)]
pub struct BatchArgs {
    /// Cut the run into these batches
    ///
    /// Sizes in pods, `2,3`, or in per cent, `20%,30%,50%`. Together they make the target size or, where only
    /// the size changes, the difference. Percentages round up, and one in the last place is whatever is left.
    /// Without it: those of the manifest; `undo` takes those of the last run where they fit.
    #[arg(long, value_name = "SIZES", allow_hyphen_values = true, help_heading = DRIVING)]
    pub batches: Option<Batches>,

    /// Stop after this batch, counted from 0
    ///
    /// Replaces the manifest's `batchPartition`; the run ends there with success and goes on when the same
    /// command is given without.
    #[arg(long, value_name = "INDEX", allow_negative_numbers = true, help_heading = DRIVING)]
    #[arg(value_parser = values::count)]
    pub partition: Option<u32>,
}

/// Whether a run is only tried.
#[derive(Debug, Clone, clap::Args)]
pub struct DryRunArg {
    /// Say what would be done and do nothing
    ///
    /// Without WHERE: `client`. `-o` is the form in which the plan is printed, as `rollout plan` has it.
    #[arg(long, value_name = "WHERE", require_equals = true, num_args = 0..=1, default_missing_value = "client")]
    pub dry_run: Option<DryRun>,
}

/// Where a run is only tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DryRun {
    /// Here: the cluster is read, nothing is sent
    Client,
    /// Also on the server, which judges what would be created and keeps nothing
    Server,
}

/// Flags that bound a run in time.
#[derive(Debug, Clone, clap::Args)]
pub struct DeadlineArgs {
    /// Give up on the whole run after this time
    ///
    /// `0` is no limit: each batch is bounded by `--batch-timeout` all the same.
    #[arg(long, env = "ROLLOUT_TIMEOUT", hide_env_values = true, value_name = "DURATION")]
    #[arg(default_value = "0", value_parser = values::duration, allow_hyphen_values = true)]
    #[arg(help_heading = DRIVING)]
    pub timeout: SignedDuration,

    /// Give up on a batch after this time
    ///
    /// `0` is no limit.
    #[arg(long, env = "ROLLOUT_BATCH_TIMEOUT", hide_env_values = true, value_name = "DURATION")]
    #[arg(default_value = "10m", value_parser = values::duration, allow_hyphen_values = true)]
    #[arg(help_heading = DRIVING)]
    pub batch_timeout: SignedDuration,

    /// Give up on a batch as soon as there is a sign that waiting will not help
    ///
    /// Such as an image that cannot be pulled, a quota that allows no more pods, a container that was restarted three
    /// times. The pods are looked at after three seconds in which nothing moves, and then every ten. Without this flag
    /// it is looked every minute after the second time, such a sign is told, and the batch has its time all the same.
    #[arg(long, env = "ROLLOUT_FAIL_FAST", hide_env_values = true, help_heading = DRIVING)]
    #[arg(value_parser = values::boolean)]
    pub fail_fast: bool,

    /// Show so many lines of a failing pod's log
    ///
    /// The last ones, 100 at most, long lines cut off. `0` shows none, for logs that may hold what nobody should read.
    #[arg(long, env = "ROLLOUT_LOGS", hide_env_values = true, value_name = "LINES", help_heading = DRIVING)]
    #[arg(default_value = "8", value_parser = values::log_lines, allow_hyphen_values = true)]
    pub logs: u32,

    /// How long to wait in line.
    #[command(flatten)]
    pub lock: LockArg,
}

/// How long to wait in line.
#[derive(Debug, Clone, clap::Args)]
pub struct LockArg {
    /// Give up on waiting for another run of the application after this time
    ///
    /// `0` is no limit.
    #[arg(long, env = "ROLLOUT_LOCK_TIMEOUT", hide_env_values = true, value_name = "DURATION")]
    #[arg(default_value = "10m", value_parser = values::duration, allow_hyphen_values = true)]
    #[arg(help_heading = DRIVING)]
    pub lock_timeout: SignedDuration,
}

/// The form of what a reading command prints on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Output {
    /// A table
    #[default]
    Table,
    /// The table with more columns
    Wide,
    /// One JSON document
    Json,
    /// One YAML document
    Yaml,
    /// Names, one a line
    Name,
}

/// The form of what a driving command prints on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum RunOutput {
    /// The final table
    #[default]
    Table,
    /// The final table with more columns
    Wide,
    /// The final state as one JSON document
    Json,
    /// The final state as one YAML document
    Yaml,
    /// The names of the components, one a line
    Name,
    /// Every event as it happens, one JSON object a line
    Ndjson,
}

impl From<Output> for Format {
    fn from(output: Output) -> Self {
        match output {
            Output::Table => Self::Table,
            Output::Wide => Self::Wide,
            Output::Json => Self::Json,
            Output::Yaml => Self::Yaml,
            Output::Name => Self::Name,
        }
    }
}

impl RunOutput {
    /// The form of the final state; `None` when the events have told it already.
    pub fn final_format(self) -> Option<Format> {
        match self {
            Self::Table => Some(Format::Table),
            Self::Wide => Some(Format::Wide),
            Self::Json => Some(Format::Json),
            Self::Yaml => Some(Format::Yaml),
            Self::Name => Some(Format::Name),
            Self::Ndjson => None,
        }
    }
}
