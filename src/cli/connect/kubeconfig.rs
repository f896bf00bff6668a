//! Finding and reading the kubeconfig, as kubectl does; errors contain no credentials.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use http::Uri;
use kube::config::{
    AuthInfo, Cluster, Config, ExecAuthCluster, KubeConfigOptions, Kubeconfig, KubeconfigError, LoadDataError,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::cli::connect::address::{self, DefaultScheme};
use crate::cli::connect::proxy;
use crate::cli::failure::{CommandError, Kind};
use crate::cli::flags::args::GlobalArgs;
use crate::report::text::list_literals;

/// The schemes of proxies that kubectl supports.
const PROXY_SCHEMES: [&str; 3] = ["http://", "https://", "socks5://"];

/// The kubeconfig that the flags or the environment name; `None` if there is none.
///
/// # Errors
///
/// If it cannot be read.
pub fn read(args: &GlobalArgs) -> Result<Option<Kubeconfig>, CommandError> {
    match &args.kubeconfig {
        Some(path) => read_from(path).map(Some),
        None => ambient(),
    }
}

/// The configuration of the client for the cluster that the flags select.
///
/// # Errors
///
/// If there is no cluster, or the kubeconfig cannot be used.
pub fn configuration(args: &GlobalArgs) -> Result<Config, CommandError> {
    let kubeconfig = read(args)?;
    let has_context = |kubeconfig: &Kubeconfig| {
        !args.context.is_empty() || kubeconfig.current_context.as_ref().is_some_and(|name| !name.is_empty())
    };
    match kubeconfig {
        Some(kubeconfig) if has_context(&kubeconfig) => chosen(args, kubeconfig),
        Some(kubeconfig) => match &args.kubeconfig {
            // With `--kubeconfig`, the in-cluster configuration is not tried.
            Some(path) => Err(without_context(&format!("kubeconfig `{}`", path.display()), &kubeconfig)),
            // Otherwise, one without a current context counts as none, as in kubectl.
            None if kubeconfig.contexts.is_empty() => in_cluster(no_cluster("no cluster is configured")),
            None => in_cluster(without_context("the kubeconfig", &kubeconfig)),
        },
        None => match args.context.first() {
            Some(context) => {
                Err(no_cluster(&format!("context `{context}` not found: there is no kubeconfig")))
            }
            None => in_cluster(no_cluster("no cluster is configured")),
        },
    }
}

/// The cluster that this process runs in. As in kubectl, the proxy variables of the environment apply.
fn in_cluster(otherwise: CommandError) -> Result<Config, CommandError> {
    let mut config = Config::incluster_env().map_err(|_| otherwise)?;
    config.proxy_url = proxy_of(&Cluster::default(), &config.cluster_url)?;
    Ok(config)
}

fn without_context(which: &str, kubeconfig: &Kubeconfig) -> CommandError {
    let contexts: Vec<String> = kubeconfig.contexts.iter().map(|named| named.name.clone()).collect();
    let failure = CommandError::message(Kind::Cluster, format!("{which} has no current-context"));
    if contexts.is_empty() {
        return failure.hint("it has no contexts either: choose another file with `--kubeconfig`");
    }
    failure.hint(format!("choose one with `--context`: its contexts are {}", list_literals(&contexts)))
}

/// The configuration for the selected context of a kubeconfig.
///
/// kube's own loader is not used: it matches `NO_PROXY` against the proxy's address instead of the server's.
fn chosen(args: &GlobalArgs, kubeconfig: Kubeconfig) -> Result<Config, CommandError> {
    let options = KubeConfigOptions {
        context: args.context.first().cloned(),
        cluster: args.cluster.clone(),
        user: args.user.clone(),
    };
    let Settled { namespace, cluster, mut user, server, login } = settle(kubeconfig, &options)?;
    if let (Some((name, password)), true) = (login, is_anonymous(&user)) {
        (user.username, user.password) = (Some(name), Some(password.into()));
    }
    // Loads the certificate authority, which may be in a file.
    let described = ExecAuthCluster::try_from(&cluster).map_err(unfit)?;
    let mut config = Config::new(server);
    config.proxy_url = proxy_of(&cluster, &config.cluster_url)?;
    config.root_cert = described.certificate_authority_data.as_deref().map(certificates).transpose()?;
    if let Some(exec) = user.exec.as_mut().filter(|exec| exec.provide_cluster_info) {
        exec.cluster = Some(described);
    }
    config.default_namespace = namespace.unwrap_or_else(|| "default".to_owned());
    config.accept_invalid_certs = cluster.insecure_skip_tls_verify.unwrap_or(false);
    config.disable_compression = cluster.disable_compression.unwrap_or(false);
    config.tls_server_name = cluster.tls_server_name;
    config.auth_info = user;
    Ok(config)
}

/// The cluster and the user of a context, resolved.
struct Settled {
    namespace: Option<String>,
    cluster: Cluster,
    user: AuthInfo,
    /// The URL of the cluster's `server`.
    server: Uri,
    /// The credentials in that URL.
    login: Option<(String, String)>,
}

/// Resolves the cluster and the user of the context, and checks that they are usable.
fn settle(kubeconfig: Kubeconfig, options: &KubeConfigOptions) -> Result<Settled, CommandError> {
    let wanted = options.context.as_ref().or(kubeconfig.current_context.as_ref()).cloned();
    let wanted = wanted.unwrap_or_default();
    let found = kubeconfig.contexts.iter().find(|named| named.name == wanted);
    let Some(context) = found.and_then(|named| named.context.clone()) else {
        let names = kubeconfig.contexts.iter().map(|named| named.name.clone());
        return Err(missing("context", &wanted, &names.collect::<Vec<_>>()));
    };
    let users = kubeconfig.auth_infos.iter();
    let user = match &options.user {
        Some(user) => {
            let Some(found) = users.clone().find(|named| named.name == *user) else {
                let names: Vec<String> = users.map(|named| named.name.clone()).collect();
                return Err(missing("user", user, &names));
            };
            Some(found)
        }
        // A missing user is anonymous, as in client-go.
        None => users.clone().find(|named| Some(&named.name) == context.user.as_ref()),
    };
    let user = user.and_then(|named| named.auth_info.clone()).unwrap_or_default();
    let name = options.cluster.as_ref().unwrap_or(&context.cluster).clone();
    let names: Vec<String> = kubeconfig.clusters.iter().map(|named| named.name.clone()).collect();
    let found = kubeconfig.clusters.into_iter().find(|named| named.name == name);
    let Some(mut cluster) = found.and_then(|named| named.cluster) else {
        return Err(missing("cluster", &name, &names));
    };
    check_proxy(&cluster)?;
    let server = cluster.server.clone().unwrap_or_default();
    if server.is_empty() {
        let message = format!("cluster `{name}` of the kubeconfig has no `server`");
        return Err(CommandError::message(Kind::Cluster, message)
            .hint("set it with `kubectl config set-cluster`, for example to `https://HOST:6443`"));
    }
    let unusable = |problem: String| {
        let message = format!("`server` of cluster `{name}` of the kubeconfig is not usable: {problem}");
        CommandError::message(Kind::Cluster, message)
            .hint("a server is a URL or HOST:PORT, such as `https://HOST:6443`")
    };
    let address = address::parse(&server, default_scheme(&cluster, &user)).map_err(unusable)?;
    let server = address.url.parse().map_err(|_| unusable("it is not a URL".to_owned()))?;
    cluster.server = Some(address.url);
    let namespace = context.namespace.filter(|namespace| !namespace.is_empty());
    Ok(Settled { namespace, cluster, user, server, login: address.login })
}

/// The proxy for a cluster: the one in the kubeconfig, or else the environment's for its server.
fn proxy_of(cluster: &Cluster, server: &Uri) -> Result<Option<Uri>, CommandError> {
    match cluster.proxy_url.as_ref().filter(|proxy| !proxy.is_empty()) {
        Some(proxy) => proxy.parse().map(Some).map_err(|_| {
            CommandError::message(Kind::Cluster, "`proxy-url` of the kubeconfig is not a URL")
                .hint("use an `http://`, `https://` or `socks5://` proxy")
        }),
        #[expect(clippy::disallowed_methods, reason = "the command line may read the environment")]
        None => proxy::of_environment(server, |name| std::env::var(name).ok()),
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<Vec<u8>>, CommandError> {
    let certificates = CertificateDer::pem_slice_iter(pem).map(|found| Ok(found?.to_vec()));
    certificates.collect::<Result<_, rustls::pki_types::pem::Error>>().map_err(|_| {
        let message = "`certificate-authority` of the kubeconfig is not a PEM certificate";
        CommandError::message(Kind::Cluster, message)
            .hint("set it with `kubectl config set-cluster NAME --certificate-authority=FILE`")
    })
}

/// The scheme that client-go uses for a server without one.
fn default_scheme(cluster: &Cluster, user: &AuthInfo) -> DefaultScheme {
    let has_authority =
        cluster.certificate_authority.is_some() || cluster.certificate_authority_data.is_some();
    let has_certificate = user.client_certificate.is_some() || user.client_certificate_data.is_some();
    if has_authority || has_certificate || cluster.insecure_skip_tls_verify == Some(true) {
        DefaultScheme::Tls
    } else {
        DefaultScheme::Plain
    }
}

fn check_proxy(cluster: &Cluster) -> Result<(), CommandError> {
    let Some(proxy) = cluster.proxy_url.as_ref().filter(|proxy| !proxy.is_empty()) else { return Ok(()) };
    if PROXY_SCHEMES.iter().any(|scheme| proxy.starts_with(scheme)) {
        return Ok(());
    }
    Err(CommandError::message(Kind::Cluster, "`proxy-url` of the kubeconfig is not usable")
        .hint("use an `http://`, `https://` or `socks5://` proxy"))
}

/// Whether the user has no credentials other than a client certificate.
fn is_anonymous(auth: &AuthInfo) -> bool {
    auth.username.is_none()
        && auth.token.is_none()
        && auth.token_file.is_none()
        && auth.exec.is_none()
        && auth.auth_provider.is_none()
}

fn missing(what: &str, name: &str, known: &[String]) -> CommandError {
    let failure = CommandError::message(Kind::Cluster, format!("kubeconfig has no {what} `{name}`"));
    if known.is_empty() {
        return failure.hint(format!("it has no {what}s"));
    }
    failure.hint(format!("its {what}s are {}", list_literals(known)))
}

/// The kubeconfig that the environment names, or the one in the home directory; `None` if there is none.
///
/// Files of the list that do not exist are skipped, as in kubectl; kube's own loader would fail.
fn ambient() -> Result<Option<Kubeconfig>, CommandError> {
    #[expect(clippy::disallowed_methods, reason = "the command line may read the environment")]
    let list = std::env::var_os("KUBECONFIG").unwrap_or_default();
    let paths: Vec<PathBuf> =
        std::env::split_paths(&list).filter(|path| !path.as_os_str().is_empty()).collect();
    if paths.is_empty() {
        let own = std::env::home_dir().map(|home| home.join(".kube").join("config"));
        return own.map_or(Ok(None), |path| present(read_file(&path)).map_err(unfit));
    }
    let mut merged: Option<Kubeconfig> = None;
    for path in paths {
        if let Some(next) = present(read_file(&path)).map_err(|error| unreadable(error, &path))? {
            merged = Some(merged.unwrap_or_default().merge(next).map_err(unfit)?);
        }
    }
    Ok(merged)
}

fn read_from(path: &Path) -> Result<Kubeconfig, CommandError> {
    read_file(path).map_err(|error| unreadable(error, path))
}

/// Reads a file with kube's loader, which panics on UTF-16 of an odd length, so that is rejected first. A pipe is not
/// checked, because it can be read only once.
fn read_file(path: &Path) -> Result<Kubeconfig, KubeconfigError> {
    let is_odd = |file: &Metadata| file.is_file() && file.len() % 2 == 1;
    let mut mark = [0; 2];
    if std::fs::metadata(path).is_ok_and(|file| is_odd(&file))
        && File::open(path).and_then(|mut file| file.read_exact(&mut mark)).is_ok()
        && matches!(mark, [0xff, 0xfe] | [0xfe, 0xff])
    {
        let error = io::Error::new(ErrorKind::InvalidData, "UTF-16 that ends within a character");
        return Err(KubeconfigError::ReadConfig(error, path.to_owned()));
    }
    let kubeconfig = Kubeconfig::read_from(path)?;
    // An empty one counts as unset: the next file of the list may set it.
    let current_context = kubeconfig.current_context.filter(|name| !name.is_empty());
    Ok(Kubeconfig { current_context, ..kubeconfig })
}

/// Converts "no such file" into `None`.
fn present(read: Result<Kubeconfig, KubeconfigError>) -> Result<Option<Kubeconfig>, KubeconfigError> {
    match read {
        Ok(kubeconfig) => Ok(Some(kubeconfig)),
        Err(KubeconfigError::FindPath) => Ok(None),
        Err(KubeconfigError::ReadConfig(error, _)) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The failure for a missing cluster, with hints on how to specify one.
pub fn no_cluster(message: &str) -> CommandError {
    CommandError::message(Kind::Cluster, message)
        .hint("specify a cluster: `--kubeconfig FILE`, the `KUBECONFIG` variable, or `~/.kube/config`")
        .hint("or run without one: `--sandbox` runs a Kubernetes API inside this process")
}

/// The failure for a file that is not a kubeconfig. The parser quotes its input, which may be a token, so only the
/// location is kept.
fn unreadable(error: KubeconfigError, path: &Path) -> CommandError {
    let KubeconfigError::Parse(error) = error else { return unfit(error) };
    let place = error.location().map(|at| format!(", from line {} column {} on", at.line(), at.column()));
    let message = format!("file `{}` is not a kubeconfig{}", path.display(), place.unwrap_or_default());
    CommandError::message(Kind::Cluster, message).hint("see `kubectl config view`")
}

/// The failure for a kubeconfig that cannot be used, without anything that may be a credential.
#[expect(clippy::wildcard_enum_match_arm, reason = "what is left names no value")]
pub fn unfit(error: KubeconfigError) -> CommandError {
    let data = |what: &str, error: LoadDataError| match error {
        LoadDataError::DecodeBase64(_) => {
            CommandError::message(Kind::Cluster, format!("`{what}-data` of the kubeconfig is not base64"))
        }
        LoadDataError::ReadFile(error, path) => CommandError::new(
            Kind::Cluster,
            anyhow::Error::new(error).context(format!("`{what}` `{}` cannot be read", path.display())),
        ),
        LoadDataError::NoBase64DataOrFile => {
            CommandError::message(Kind::Cluster, format!("the kubeconfig's user has no `{what}`"))
                .hint("a client certificate requires its key, and vice versa")
        }
    };
    let message = match error {
        KubeconfigError::ReadConfig(error, path) => {
            let error = anyhow::Error::new(error);
            let message = format!("kubeconfig `{}` cannot be read", path.display());
            return CommandError::new(Kind::Cluster, error.context(message));
        }
        KubeconfigError::LoadCertificateAuthority(error) => return data("certificate-authority", error),
        KubeconfigError::LoadClientCertificate(error) => return data("client-certificate", error),
        KubeconfigError::LoadClientKey(error) => return data("client-key", error),
        KubeconfigError::Parse(error) => match error.location() {
            Some(at) => {
                format!("the kubeconfig cannot be read, from line {} column {} on", at.line(), at.column())
            }
            None => "the kubeconfig cannot be read".to_owned(),
        },
        // The remaining errors contain no values.
        other => format!("the kubeconfig is not usable: {other}"),
    };
    CommandError::message(Kind::Cluster, message)
}

#[cfg(test)]
mod tests;
