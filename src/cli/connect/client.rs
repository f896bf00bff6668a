//! From flags to a client: which cluster, as whom, in which namespace.
//!
//! Kubeconfigs and in-cluster configuration are handled as in kubectl. The sandbox is used only if requested.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::Uri;
use http::header::{HeaderValue, USER_AGENT};
use kube::Client;
use kube::client::{ClientBuilder, RustlsTlsError};
use kube::config::{Config, ExecInteractiveMode};
use secrecy::ExposeSecret as _;
use tower::util::MapRequestLayer;

use crate::cli::connect::credential_plugin::{Identity, Plugin, authorised};
use crate::cli::connect::kubeconfig;
use crate::cli::connect::namespaces::Namespaces;
use crate::cli::connect::token_file::TokenFile;
use crate::cli::connect::trace::traced;
use crate::cli::connect::transport;
use crate::cli::failure::{CommandError, Kind};
use crate::cli::flags::args::GlobalArgs;
use crate::cli::selection;
use crate::cli::terminal::ui::Ui;
use crate::cluster::classify::ServerName;
use crate::cluster::clock::Clock;
use crate::cluster::credentials::{CredentialError, hide_credentials};
use crate::sandbox::rules;
use crate::sandbox::{Options, RulesSource, Sandbox};

/// How long a connection may receive nothing before it counts as dead. Watches are renewed at least every half minute,
/// so a live connection receives something in half that time.
const SILENCE: Duration = Duration::from_secs(60);

/// The user agent, as it appears in the API server's logs.
const AGENT: &str = concat!("rollout/", env!("CARGO_PKG_VERSION"));

/// A connection to the API, with the settings that it was made from.
pub struct Connection {
    /// The client. It never retries: only the caller can know whether a create or patch was applied and may be
    /// repeated.
    pub client: Client,
    /// How messages name the server.
    pub server: ServerName,
    /// The sandbox, if the client talks to one instead of a cluster. It lives as long as the connection.
    pub sandbox: Option<Sandbox>,
    /// The namespace of unqualified names.
    pub namespaces: Namespaces,
    /// The timeout of a single request; `None` is no limit.
    pub request_timeout: Option<Duration>,
}

/// What a command is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It only reads.
    Read,
    /// It writes.
    Write,
}

/// The namespace of unqualified names, from the flags and the kubeconfig, which need not exist.
///
/// # Errors
///
/// If the kubeconfig cannot be read, or its namespace is invalid.
pub fn namespaces(args: &GlobalArgs) -> Result<Namespaces, CommandError> {
    let args = &selection::only(args)?;
    let kubeconfig = kubeconfig::read(args)?.unwrap_or_default();
    let context = args.context.first().or(kubeconfig.current_context.as_ref());
    let context = kubeconfig.contexts.iter().find(|named| Some(&named.name) == context);
    let namespace = context.and_then(|named| named.context.as_ref()?.namespace.clone());
    let namespace = namespace.filter(|namespace| !namespace.is_empty());
    Namespaces::new(args.namespace.clone(), namespace.unwrap_or_else(|| "default".to_owned()))
}

/// Builds the client that the flags select. Sends nothing.
///
/// # Errors
///
/// If flags contradict each other, the kubeconfig cannot be used, or there is no cluster.
pub async fn connect(
    args: &GlobalArgs,
    access: Access,
    clock: &Clock,
    ui: &mut Ui,
) -> Result<Connection, CommandError> {
    let connection = silent(args, access, clock, ui).await?;
    if args.verbose == 0 {
        return Ok(connection);
    }
    Ok(Connection {
        client: traced(connection.client, &connection.server, clock, ui.stderr_printer()),
        ..connection
    })
}

/// Builds a client whose requests are not printed.
async fn silent(
    args: &GlobalArgs,
    access: Access,
    clock: &Clock,
    ui: &mut Ui,
) -> Result<Connection, CommandError> {
    let request_timeout = Some(args.request_timeout.unsigned_abs()).filter(|timeout| !timeout.is_zero());
    let flag = args.namespace.clone();
    if let Some(sandbox) = &args.sandbox {
        let sandbox = open_sandbox(sandbox.as_deref(), args.sandbox_rules.as_deref(), access, clock)?;
        let client = sandbox.client("default");
        let namespaces = Namespaces::new(flag, "default".to_owned())?;
        let server = ServerName::default();
        return Ok(Connection { client, server, sandbox: Some(sandbox), namespaces, request_timeout });
    }
    if args.sandbox_rules.is_some() {
        return Err(CommandError::message(Kind::Usage, "`--sandbox-rules` requires `--sandbox`"));
    }
    let mut config = config(args, request_timeout)?;
    if config.accept_invalid_certs {
        ui.warn(
            "the kubeconfig disables verification of the cluster's certificate (`insecure-skip-tls-verify`)",
        );
    }
    let namespaces = Namespaces::new(flag, config.default_namespace.clone())?;
    let token_file = token_file(&mut config)?;
    provider(&mut config)?;
    check_token(&config)?;
    let plugin = if token_file.is_some() { None } else { plugin(&mut config, request_timeout, clock, ui)? };
    let server = ServerName::at(config.cluster_url.to_string().trim_end_matches('/'));
    let server = match config.proxy_url.as_ref().and_then(without_login) {
        Some(proxy) => server.through(&proxy),
        None => server,
    };
    let client = match config.proxy_url {
        None => transport::client(&config, token_file).map_err(unusable)?,
        // kube's own client supports proxies, but only HTTP/1.1.
        Some(_) => {
            let builder = ClientBuilder::try_from(config).map_err(unusable)?;
            match token_file {
                Some(file) => {
                    builder.with_layer(&MapRequestLayer::new(move |request| file.authorise(request))).build()
                }
                None => builder.build(),
            }
        }
    };
    let client = hide_credentials(client);
    let client = match plugin {
        Some(plugin) => authorised(client, plugin),
        None => client,
    };
    Ok(Connection { client, server, sandbox: None, namespaces, request_timeout })
}

/// The address of a proxy, without credentials.
fn without_login(proxy: &Uri) -> Option<String> {
    let authority = proxy.authority()?.as_str();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    Some(format!("{}://{host}", proxy.scheme_str()?))
}

/// Takes the credential plugin out of kube's configuration, and starts it. It may be interactive only on a terminal:
/// elsewhere, its prompts would mix with the output, and it would read a manifest from stdin.
fn plugin(
    config: &mut Config,
    request_timeout: Option<Duration>,
    clock: &Clock,
    ui: &Ui,
) -> Result<Option<Arc<Plugin>>, CommandError> {
    let auth = &mut config.auth_info;
    let has_other = auth.token.is_some() || auth.username.is_some();
    let Some(mut exec) = auth.exec.take().filter(|_| !has_other) else { return Ok(None) };
    if !ui.is_interactive() {
        if exec.interactive_mode == Some(ExecInteractiveMode::Always) {
            let message =
                "the credential plugin of the kubeconfig needs a terminal (`interactiveMode: Always`)";
            return Err(CommandError::message(Kind::Cluster, message));
        }
        exec.interactive_mode = Some(ExecInteractiveMode::Never);
    }
    // Shorter than the request's own timeout, so that the error blames the plugin, not the server.
    let patience = request_timeout.map_or(Duration::ZERO, |timeout| timeout * 9 / 10);
    let (plugin, identity) = Plugin::start(exec, clock.clone(), patience).map_err(|error| {
        CommandError::new(Kind::Cluster, error).hint("see what the plugin prints: `kubectl get namespaces`")
    })?;
    if let Some(Identity { certificate, key }) = identity {
        auth.client_certificate_data = Some(BASE64.encode(certificate));
        auth.client_key_data = Some(BASE64.encode(key).into());
    }
    Ok(Some(plugin))
}

/// Takes the authentication provider out of kube's configuration. As in client-go, only OpenID Connect is supported:
/// credential plugins have replaced the others.
fn provider(config: &mut Config) -> Result<(), CommandError> {
    let auth = &mut config.auth_info;
    let Some(mut provider) = auth.auth_provider.take() else { return Ok(()) };
    if provider.name != "oidc" {
        let message = "the `auth-provider` of the kubeconfig is no longer supported";
        return Err(CommandError::message(Kind::Cluster, message)
            .hint("use a credential plugin (`exec`) instead, as kubectl requires"));
    }
    let token =
        provider.config.remove("id-token").filter(|_| auth.token.is_none() && auth.username.is_none());
    if let Some(token) = token {
        auth.token = Some(token.into());
    }
    Ok(())
}

/// Checks that the token is a valid header value, which kube does not.
fn check_token(config: &Config) -> Result<(), CommandError> {
    let Some(token) = &config.auth_info.token else { return Ok(()) };
    if HeaderValue::from_str(token.expose_secret()).is_ok() {
        return Ok(());
    }
    let message = "`token` of the kubeconfig contains invalid characters, such as a line break";
    Err(CommandError::message(Kind::Cluster, message))
}

/// Opens the sandbox, with its state in a file or in memory, and with the kubelet's rules if there are any.
///
/// If no rules are specified, a command that writes removes those in the file, and a command that only reads keeps
/// them, so that reading does not affect pods.
fn open_sandbox(
    file: Option<&Path>,
    rules: Option<&Path>,
    access: Access,
    clock: &Clock,
) -> Result<Sandbox, CommandError> {
    let source = match (rules, access) {
        (Some(path), _) => {
            let name = path.display().to_string();
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("rules file `{name}` cannot be read"))
                .map_err(|error| CommandError::new(Kind::Usage, error))?;
            let rules =
                rules::parse_rules(&name, &text).map_err(|error| CommandError::new(Kind::Usage, error))?;
            RulesSource::Given(rules)
        }
        (None, Access::Write) => RulesSource::Given(Vec::new()),
        (None, Access::Read) => RulesSource::Stored,
    };
    let clock = clock.clone();
    let options = Options {
        file: file.map(Path::to_owned),
        rules: source,
        now: Arc::new(move || clock.now()),
        record_history: false,
    };
    Sandbox::open(options).map_err(|error| CommandError::new(Kind::Cluster, error))
}

/// The configuration of the client, from the flags.
fn config(args: &GlobalArgs, request_timeout: Option<Duration>) -> Result<Config, CommandError> {
    let mut config = kubeconfig::configuration(args)?;
    match &args.as_user {
        Some(user) => {
            config.auth_info.impersonate = Some(user.clone());
            config.auth_info.impersonate_groups = (!args.as_group.is_empty()).then(|| args.as_group.clone());
        }
        None if args.as_group.is_empty() => {}
        None => return Err(CommandError::message(Kind::Usage, "`--as-group` requires `--as`")),
    }
    config.headers.push((USER_AGENT, HeaderValue::from_static(AGENT)));
    config.default_retry = false;
    config.write_timeout = request_timeout;
    config.read_timeout = request_timeout.map(|timeout| timeout.max(SILENCE));
    config.reset_reader_on_write = true;
    Ok(config)
}

/// Takes the token file out of kube's configuration. An inline token takes precedence, as in kubectl.
fn token_file(config: &mut Config) -> Result<Option<TokenFile>, CommandError> {
    let Some(path) = config.auth_info.token_file.take().filter(|_| config.auth_info.token.is_none()) else {
        return Ok(None);
    };
    let file = TokenFile::open(PathBuf::from(&path))
        .map_err(|error| CommandError::new(Kind::Cluster, error.context(format!("no token in `{path}`"))))?;
    Ok(Some(file))
}

/// Converts kube's error into a failure that contains no credentials: neither a plugin's input and output, nor a
/// malformed key, nor the password in a proxy's URL.
#[expect(clippy::wildcard_enum_match_arm, reason = "the client has many more errors")]
fn unusable(error: kube::Error) -> CommandError {
    if let Some(error) = CredentialError::find(&error) {
        return CommandError::new(Kind::Cluster, error);
    }
    let message = match error {
        kube::Error::ProxyProtocolDisabled { .. } | kube::Error::ProxyProtocolUnsupported { .. } => {
            return CommandError::message(Kind::Cluster, "the proxy of the kubeconfig, or of `HTTPS_PROXY` or `HTTP_PROXY`, is not usable")
                .hint("use an `http://`, `https://` or `socks5://` proxy, or unset it if the cluster is reachable without one");
        }
        kube::Error::InferKubeconfig(error) => return kubeconfig::unfit(error),
        kube::Error::RustlsTls(error) => match error {
            RustlsTlsError::InvalidIdentityPem(_)
            | RustlsTlsError::MissingPrivateKey
            | RustlsTlsError::MissingCertificate
            | RustlsTlsError::InvalidPrivateKey(_)
            | RustlsTlsError::UnknownPrivateKeyFormat => {
                "the client certificate of the kubeconfig, or its key, is not valid PEM"
            }
            RustlsTlsError::AddRootCertificate(_) => {
                "`certificate-authority` of the kubeconfig is not a usable certificate"
            }
            RustlsTlsError::NoValidNativeRootCA(_) => {
                "the kubeconfig has no `certificate-authority`, and this system has no usable one"
            }
            RustlsTlsError::InvalidServerName(_) => "`tls-server-name` of the kubeconfig is not a host name",
        },
        kube::Error::HttpError(_) => {
            "the user or group in `--as` or `--as-group` contains invalid characters"
        }
        _ => "the kubeconfig is not usable",
    };
    CommandError::message(Kind::Cluster, message)
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
contexts:
- {name: one, context: {cluster: c, user: u, namespace: shop}}
- {name: two, context: {cluster: c, user: u}}
current-context: one
";

    fn configured(flags: &[&str]) -> Result<Config, CommandError> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config");
        std::fs::write(&file, KUBECONFIG).unwrap();
        let file = file.display().to_string();
        let args = ["rollout", "status", "--kubeconfig", &file];
        let cli = Cli::try_parse_from(args.iter().chain(flags)).unwrap();
        config(&cli.global, Some(Duration::from_secs(30)))
    }

    #[test]
    fn flags_reach_the_client() {
        let config = configured(&["--as", "jane", "--as-group", "a", "--as-group", "b"]).unwrap();
        assert_eq!(config.default_namespace, "shop");
        assert!(config.accept_invalid_certs);
        assert!(!config.default_retry, "retries are ours");
        assert_eq!(config.read_timeout, Some(SILENCE));
        assert_eq!(config.write_timeout, Some(Duration::from_secs(30)));
        assert_eq!(config.auth_info.impersonate.as_deref(), Some("jane"));
        assert_eq!(config.auth_info.impersonate_groups, Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(configured(&["--context", "two"]).unwrap().default_namespace, "default");
    }

    #[test]
    fn unusable_flags_are_reported() {
        let cases: [(&[&str], Kind, &str); 3] = [
            (&["--context", "three"], Kind::Cluster, "kubeconfig has no context `three`"),
            (&["--as-group", "a"], Kind::Usage, "`--as-group` requires `--as`"),
            (
                &["--kubeconfig", "/nowhere/config"],
                Kind::Cluster,
                "kubeconfig `/nowhere/config` cannot be read",
            ),
        ];
        for (flags, kind, message) in cases {
            let failure = if flags[0] == "--kubeconfig" {
                let cli = Cli::try_parse_from(["rollout", "status"].iter().chain(flags)).unwrap();
                config(&cli.global, None).unwrap_err()
            } else {
                configured(flags).unwrap_err()
            };
            assert_eq!((failure.kind, failure.error.to_string().as_str()), (kind, message));
        }
    }
}
