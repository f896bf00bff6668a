//! From flags to a client: which cluster, as whom, in which namespace.
//!
//! Kubeconfigs and in-cluster configuration are treated as kubectl treats them. The sandbox is never
//! chosen silently.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use http::header::{HeaderValue, USER_AGENT};
use kube::Client;
use kube::client::{AuthError, ClientBuilder};
use kube::config::{Config, KubeConfigOptions, Kubeconfig, KubeconfigError};
use tower::util::MapRequestLayer;

use crate::cli::args::GlobalArgs;
use crate::cli::failure::{Failure, Kind};
use crate::cli::namespaces::Namespaces;
use crate::cli::token_file::TokenFile;
use crate::cli::trace::traced;
use crate::cli::ui::Ui;
use crate::cluster::clock::Clock;
use crate::sandbox::rules;
use crate::sandbox::{Options, RulesSource, Sandbox};

/// How long a connection may be silent before it counts as dead. Watches are renewed within half a minute,
/// so that on a live connection something is heard twice as often as this asks for.
const SILENCE: Duration = Duration::from_secs(60);

/// How the API server's logs name us.
const AGENT: &str = concat!("rollout/", env!("CARGO_PKG_VERSION"));

/// A way to the API, with what was decided on the way.
pub struct Connection {
    /// The client. It retries nothing by itself: a repeated create or patch is for those who know whether
    /// the first one was applied.
    pub client: Client,
    /// The sandbox that it talks to; a cluster otherwise. It lives as long as this does.
    pub sandbox: Option<Sandbox>,
    /// Where unqualified names live.
    pub namespaces: Namespaces,
    /// The deadline of a single request; `None` is no limit.
    pub request_timeout: Option<Duration>,
}

/// What a command is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It only reads.
    Look,
    /// It writes.
    Change,
}

/// Where names live that do not say it themselves, as the flags and the kubeconfig have it; there need not be one.
///
/// # Errors
///
/// A kubeconfig that cannot be read, or whose namespace cannot be one.
pub fn namespaces(args: &GlobalArgs) -> Result<Namespaces, Failure> {
    let kubeconfig = kubeconfig(args)?.unwrap_or_default();
    let context = args.context.as_ref().or(kubeconfig.current_context.as_ref());
    let context = kubeconfig.contexts.iter().find(|named| Some(&named.name) == context);
    let namespace = context.and_then(|named| named.context.as_ref()?.namespace.clone());
    Namespaces::new(args.namespace.clone(), namespace.unwrap_or_else(|| "default".to_owned()))
}

/// Builds the client that the flags ask for. Sends nothing.
///
/// # Errors
///
/// Flags that contradict each other, a kubeconfig that cannot be used, and no cluster at all.
pub async fn connect(
    args: &GlobalArgs,
    purpose: Purpose,
    clock: &Clock,
    ui: &mut Ui,
) -> Result<Connection, Failure> {
    let connection = silent(args, purpose, clock, ui).await?;
    if args.verbose == 0 {
        return Ok(connection);
    }
    Ok(Connection { client: traced(connection.client, clock, ui.aside()), ..connection })
}

/// Builds a client of whose requests nothing is told.
async fn silent(
    args: &GlobalArgs,
    purpose: Purpose,
    clock: &Clock,
    ui: &mut Ui,
) -> Result<Connection, Failure> {
    let request_timeout = Some(args.request_timeout.unsigned_abs()).filter(|timeout| !timeout.is_zero());
    let flag = args.namespace.clone();
    if let Some(sandbox) = &args.sandbox {
        let sandbox = open_sandbox(sandbox.as_deref(), args.sandbox_rules.as_deref(), purpose, clock)?;
        let client = sandbox.client("default");
        let namespaces = Namespaces::new(flag, "default".to_owned())?;
        return Ok(Connection { client, sandbox: Some(sandbox), namespaces, request_timeout });
    }
    if args.sandbox_rules.is_some() {
        return Err(Failure::message(Kind::Usage, "`--sandbox-rules` needs `--sandbox`"));
    }
    let mut config = config(args, request_timeout).await?;
    if config.accept_invalid_certs {
        ui.warn(
            "the kubeconfig turns off the check of the cluster's certificate (`insecure-skip-tls-verify`)",
        );
    }
    let namespaces = Namespaces::new(flag, config.default_namespace.clone())?;
    let plugin = config.auth_info.exec.as_ref().and_then(|exec| exec.command.clone()).unwrap_or_default();
    let token_file = token_file(&mut config)?;
    let builder = ClientBuilder::try_from(config).map_err(|error| unusable(error, &plugin))?;
    let client = match token_file {
        Some(file) => {
            builder.with_layer(&MapRequestLayer::new(move |request| file.authorise(request))).build()
        }
        None => builder.build(),
    };
    Ok(Connection { client, sandbox: None, namespaces, request_timeout })
}

/// Opens the sandbox: its state in a file or in memory, its kubelet scripted by rules or not.
///
/// A command that changes something sets the kubelet's rules, also to none; one that only looks takes those
/// that the file has, so that looking does not change a pod's fate.
fn open_sandbox(
    file: Option<&Path>,
    rules: Option<&Path>,
    purpose: Purpose,
    clock: &Clock,
) -> Result<Sandbox, Failure> {
    let source = match (rules, purpose) {
        (Some(path), _) => {
            let name = path.display().to_string();
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("rules file `{name}` cannot be read"))
                .map_err(|error| Failure::new(Kind::Usage, error))?;
            let rules = rules::parse_rules(&name, &text).map_err(|error| Failure::new(Kind::Usage, error))?;
            RulesSource::Given(rules)
        }
        (None, Purpose::Change) => RulesSource::Given(Vec::new()),
        (None, Purpose::Look) => RulesSource::Stored,
    };
    let clock = clock.clone();
    let options = Options {
        file: file.map(Path::to_owned),
        rules: source,
        now: Arc::new(move || clock.now()),
        record_history: false,
    };
    Sandbox::open(options).map_err(|error| Failure::new(Kind::Cluster, error))
}

/// The configuration of the client, as the flags ask for it.
async fn config(args: &GlobalArgs, request_timeout: Option<Duration>) -> Result<Config, Failure> {
    let options = KubeConfigOptions {
        context: args.context.clone(),
        cluster: args.cluster.clone(),
        user: args.user.clone(),
    };
    let kubeconfig = kubeconfig(args)?;
    // A kubeconfig without a current context is as good as none, as kubectl has it.
    let kubeconfig = kubeconfig.filter(|kubeconfig| {
        options.context.is_some()
            || kubeconfig.current_context.as_ref().is_some_and(|context| !context.is_empty())
    });
    let mut config = match kubeconfig {
        Some(kubeconfig) => {
            let contexts: Vec<String> = kubeconfig.contexts.iter().map(|named| named.name.clone()).collect();
            Config::from_custom_kubeconfig(kubeconfig, &options)
                .await
                .map_err(|error| unfit(error, &contexts))?
        }
        None => match &options.context {
            Some(context) => {
                return Err(no_cluster(&format!("there is no kubeconfig to find context `{context}` in")));
            }
            None => Config::incluster_env().map_err(|_| no_cluster("there is no cluster to talk to"))?,
        },
    };
    match &args.as_user {
        Some(user) => {
            config.auth_info.impersonate = Some(user.clone());
            config.auth_info.impersonate_groups = (!args.as_group.is_empty()).then(|| args.as_group.clone());
        }
        None if args.as_group.is_empty() => {}
        None => return Err(Failure::message(Kind::Usage, "`--as-group` needs `--as`")),
    }
    config.headers.push((USER_AGENT, HeaderValue::from_static(AGENT)));
    config.default_retry = false;
    config.write_timeout = request_timeout;
    config.read_timeout = request_timeout.map(|timeout| timeout.max(SILENCE));
    config.reset_reader_on_write = true;
    Ok(config)
}

/// The kubeconfig that the flags or the environment name; `None` where there is none.
///
/// # Errors
///
/// One that cannot be read.
pub fn kubeconfig(args: &GlobalArgs) -> Result<Option<Kubeconfig>, Failure> {
    match &args.kubeconfig {
        Some(path) => Kubeconfig::read_from(path).map(Some),
        None => ambient_kubeconfig(),
    }
    .map_err(unreadable)
}

/// Takes the file that holds the token out of the client's hands. An inline token comes first, as kubectl has it.
fn token_file(config: &mut Config) -> Result<Option<TokenFile>, Failure> {
    let Some(path) = config.auth_info.token_file.take().filter(|_| config.auth_info.token.is_none()) else {
        return Ok(None);
    };
    let file = TokenFile::open(PathBuf::from(&path))
        .map_err(|error| Failure::new(Kind::Cluster, error.context(format!("no token in `{path}`"))))?;
    Ok(Some(file))
}

/// The kubeconfig that the environment names, or the user's own; `None` where there is none.
///
/// Files of the list that do not exist are skipped, as kubectl does; the client's own reader would stop.
fn ambient_kubeconfig() -> Result<Option<Kubeconfig>, KubeconfigError> {
    #[expect(clippy::disallowed_methods, reason = "the command line may read the environment")]
    let list = std::env::var_os("KUBECONFIG").unwrap_or_default();
    let paths: Vec<PathBuf> =
        std::env::split_paths(&list).filter(|path| !path.as_os_str().is_empty()).collect();
    if paths.is_empty() {
        return present(Kubeconfig::read());
    }
    let mut merged: Option<Kubeconfig> = None;
    for path in paths {
        if let Some(next) = present(Kubeconfig::read_from(path))? {
            merged = Some(merged.unwrap_or_default().merge(next)?);
        }
    }
    Ok(merged)
}

/// Turns "no such file" into absence.
fn present(read: Result<Kubeconfig, KubeconfigError>) -> Result<Option<Kubeconfig>, KubeconfigError> {
    match read {
        Ok(kubeconfig) => Ok(Some(kubeconfig)),
        Err(KubeconfigError::FindPath) => Ok(None),
        Err(KubeconfigError::ReadConfig(error, _)) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn no_cluster(message: &str) -> Failure {
    Failure::message(Kind::Cluster, message)
        .hint("name a cluster: `--kubeconfig FILE`, the `KUBECONFIG` variable, or `~/.kube/config`")
        .hint("or try it without one: `--sandbox` runs a Kubernetes API inside this process")
}

fn unreadable(error: KubeconfigError) -> Failure {
    match error {
        KubeconfigError::ReadConfig(error, path) => Failure::new(
            Kind::Cluster,
            anyhow::Error::new(error).context(format!("kubeconfig `{}` cannot be read", path.display())),
        ),
        other => Failure::new(Kind::Cluster, anyhow::Error::new(other).context("kubeconfig cannot be used")),
    }
}

fn unfit(error: KubeconfigError, contexts: &[String]) -> Failure {
    match error {
        KubeconfigError::LoadContext(name) => {
            Failure::message(Kind::Cluster, format!("kubeconfig has no context `{name}`"))
                .hint(format!("its contexts are {}", crate::report::text::list_literals(contexts)))
        }
        other => unreadable(other),
    }
}

/// Turns a client that cannot be built into a failure, without what a credential plugin printed and was
/// given in its environment: either may hold a token.
fn unusable(error: kube::Error, plugin: &str) -> Failure {
    match error {
        kube::Error::Auth(AuthError::AuthExecRun { out, .. }) => Failure::message(
            Kind::Cluster,
            format!("credential plugin `{plugin}` failed with {}", out.status),
        )
        .hint("`kubectl get namespaces` shows what the plugin says"),
        // The proxy's address may hold a password.
        kube::Error::ProxyProtocolDisabled { .. } | kube::Error::ProxyProtocolUnsupported { .. } => {
            Failure::message(Kind::Cluster, "proxy of the kubeconfig or of `HTTPS_PROXY` cannot be used")
                .hint("proxies are reached by `http://` or `socks5://`; unset it if the cluster can be reached without")
        }
        other => Failure::new(
            Kind::Cluster,
            anyhow::Error::new(other).context("kubeconfig does not make a usable client"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::Parser as _;

    const KUBECONFIG: &str = "
apiVersion: v1
kind: Config
clusters:
- {name: c, cluster: {server: 'https://127.0.0.1:1', insecure-skip-tls-verify: true}}
users:
- {name: u, user: {token: secret}}
- {name: p, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: 'false', interactiveMode: Never}}}
contexts:
- {name: one, context: {cluster: c, user: u, namespace: shop}}
- {name: two, context: {cluster: c, user: p}}
current-context: one
";

    async fn configured(flags: &[&str]) -> Result<Config, Failure> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config");
        std::fs::write(&file, KUBECONFIG).unwrap();
        let file = file.display().to_string();
        let args = ["rollout", "status", "--kubeconfig", &file];
        let cli = Cli::try_parse_from(args.iter().chain(flags)).unwrap();
        config(&cli.global, Some(Duration::from_secs(30))).await
    }

    #[tokio::test]
    async fn flags_reach_the_client() {
        let config = configured(&["--as", "jane", "--as-group", "a", "--as-group", "b"]).await.unwrap();
        assert_eq!(config.default_namespace, "shop");
        assert!(config.accept_invalid_certs);
        assert!(!config.default_retry, "retries are ours");
        assert_eq!(config.read_timeout, Some(SILENCE));
        assert_eq!(config.write_timeout, Some(Duration::from_secs(30)));
        assert_eq!(config.auth_info.impersonate.as_deref(), Some("jane"));
        assert_eq!(config.auth_info.impersonate_groups, Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(configured(&["--context", "two"]).await.unwrap().default_namespace, "default");
    }

    #[tokio::test]
    async fn what_does_not_fit_is_said() {
        let cases: [(&[&str], Kind, &str); 3] = [
            (&["--context", "three"], Kind::Cluster, "kubeconfig has no context `three`"),
            (&["--as-group", "a"], Kind::Usage, "`--as-group` needs `--as`"),
            (
                &["--kubeconfig", "/nowhere/config"],
                Kind::Cluster,
                "kubeconfig `/nowhere/config` cannot be read",
            ),
        ];
        for (flags, kind, message) in cases {
            let failure = if flags[0] == "--kubeconfig" {
                let cli = Cli::try_parse_from(["rollout", "status"].iter().chain(flags)).unwrap();
                config(&cli.global, None).await.unwrap_err()
            } else {
                configured(flags).await.unwrap_err()
            };
            assert_eq!((failure.kind, failure.error.to_string().as_str()), (kind, message));
        }
    }

    #[tokio::test]
    async fn a_credential_plugins_output_is_not_shown() {
        let config = configured(&["--context", "two"]).await.unwrap();
        let failure = unusable(ClientBuilder::try_from(config).err().unwrap(), "false");
        assert_eq!(failure.error.to_string(), "credential plugin `false` failed with exit status: 1");
    }
}
