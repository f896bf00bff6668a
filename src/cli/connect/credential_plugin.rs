//! Credential plugins of kubeconfigs (`exec`), run as in client-go.
//!
//! kube's own implementation is not used, for three reasons: its errors contain the plugin's whole input and output, it
//! panics on a token that is not a valid header value, and it keeps a token without an expiry for ever, even if the
//! server no longer accepts it.

use std::fmt;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use http::StatusCode;
use http::header::{AUTHORIZATION, HeaderValue};
use jiff::{SignedDuration, Timestamp};
use kube::Client;
use kube::client::Body;
use kube::config::{ExecConfig, ExecInteractiveMode};
use serde::Deserialize;
use serde_json::{Value, json};
use tower::service_fn;

use crate::cluster::clock::Clock;
use crate::cluster::credentials::CredentialError;

/// How long before its expiry a token is renewed.
const MARGIN: SignedDuration = SignedDuration::from_secs(60);

/// A plugin, and the last token that it returned.
pub struct Plugin {
    exec: ExecConfig,
    clock: Clock,
    /// How long a request waits for a new token; zero is for ever. The plugin keeps running afterwards.
    patience: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    last: Option<Token>,
    /// The plugin's run in progress, which all requests wait for.
    renewal: Option<Shared<BoxFuture<'static, Result<Token, CredentialError>>>>,
}

/// Omits the secrets.
impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin").field("command", &self.exec.command).finish_non_exhaustive()
    }
}

#[derive(Clone, PartialEq)]
struct Token {
    header: HeaderValue,
    expires: Option<Timestamp>,
}

/// A client certificate and its key, in PEM.
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// The key.
    pub key: String,
}

#[derive(Deserialize)]
struct Answer {
    status: Option<Given>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Given {
    token: Option<String>,
    expiration_timestamp: Option<Timestamp>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
}

impl Plugin {
    /// Runs a plugin for the first time. The certificate that it returns is used for the life of the process. A request
    /// waits for a later run for at most `patience`; zero is for ever.
    ///
    /// # Errors
    ///
    /// If the plugin cannot be run, fails, or returns no credentials.
    pub fn start(
        exec: ExecConfig,
        clock: Clock,
        patience: Duration,
    ) -> Result<(Arc<Self>, Option<Identity>), CredentialError> {
        let mut given = run(&exec)?;
        let identity = given.client_certificate_data.take().zip(given.client_key_data.take());
        let identity = identity.map(|(certificate, key)| Identity { certificate, key });
        let token = match token(&exec, given) {
            Err(_) if identity.is_some() => None,
            token => Some(token?),
        };
        let state = Mutex::new(State { last: token, renewal: None });
        Ok((Arc::new(Self { exec, clock, patience, state }), identity))
    }

    /// The token, renewed if it has expired.
    async fn token(self: &Arc<Self>) -> Result<Option<Token>, CredentialError> {
        let renewal = {
            let mut state = self.state();
            let now = self.clock.now();
            let is_good = |token: &Token| token.expires.is_none_or(|expires| now + MARGIN < expires);
            if state.last.as_ref().is_none_or(is_good) {
                return Ok(state.last.clone());
            }
            state.renewal.get_or_insert_with(|| self.clone().renew().boxed().shared()).clone()
        };
        match self.clock.within(self.patience, renewal).await {
            Some(token) => token.map(Some),
            None => Err(CredentialError::of_slow_plugin(&self.exec)),
        }
    }

    /// Runs the plugin to its end, even if no request waits for it, and stores its token.
    fn renew(self: Arc<Self>) -> impl Future<Output = Result<Token, CredentialError>> {
        let plugin = self.clone();
        let run = tokio::task::spawn_blocking(move || {
            let renewed = run(&plugin.exec).and_then(|given| token(&plugin.exec, given));
            let mut state = plugin.state();
            state.renewal = None;
            state.last = renewed.as_ref().ok().cloned().or(state.last.take());
            renewed
        });
        async move {
            run.await.unwrap_or_else(|_| {
                self.state().renewal = None;
                Err(CredentialError::of_plugin(&self.exec, "ended unexpectedly"))
            })
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks a token as rejected by the server, so that the next request fetches a new one.
    fn refused(&self, token: &Token) {
        let mut state = self.state();
        if let Some(last) = state.last.as_mut().filter(|last| *last == token) {
            last.expires = Some(Timestamp::MIN);
        }
    }
}

/// Wraps a client so that its requests carry the plugin's token.
pub fn authorised(client: Client, plugin: Arc<Plugin>) -> Client {
    let namespace = client.default_namespace().to_owned();
    let service = service_fn(move |mut request: http::Request<Body>| {
        let (client, plugin) = (client.clone(), plugin.clone());
        async move {
            let token = match plugin.token().await {
                Ok(token) => token,
                Err(error) => return Err(kube::Error::Service(Box::new(error))),
            };
            if let Some(token) = &token {
                request.headers_mut().insert(AUTHORIZATION, token.header.clone());
            }
            let answer = client.send(request).await?;
            if let (StatusCode::UNAUTHORIZED, Some(token)) = (answer.status(), &token) {
                plugin.refused(token);
            }
            Ok(answer)
        }
    });
    Client::new(service, namespace)
}

fn token(exec: &ExecConfig, given: Given) -> Result<Token, CredentialError> {
    let text = given.token.ok_or_else(|| CredentialError::of_plugin(exec, "returned no credentials"))?;
    let mut header = HeaderValue::try_from(format!("Bearer {text}"))
        .map_err(|_| CredentialError::of_plugin(exec, "returned a token with invalid characters"))?;
    header.set_sensitive(true);
    Ok(Token { header, expires: given.expiration_timestamp })
}

/// Runs the plugin. It gets the terminal's stdin and stderr if it may be interactive, and none otherwise.
fn run(exec: &ExecConfig) -> Result<Given, CredentialError> {
    let Some(command) = exec.command.as_ref().filter(|command| !command.is_empty()) else {
        return Err(CredentialError::of_plugin(exec, "has no command"));
    };
    let is_interactive = exec.interactive_mode != Some(ExecInteractiveMode::Never);
    let stream = || if is_interactive { Stdio::inherit() } else { Stdio::null() };
    let mut spec = json!({"interactive": is_interactive});
    if exec.provide_cluster_info {
        spec["cluster"] = serde_json::to_value(&exec.cluster).unwrap_or(Value::Null);
    }
    let asked = json!({"apiVersion": exec.api_version, "kind": "ExecCredential", "spec": spec});
    let variables = exec.env.iter().flatten();
    let variables = variables.filter_map(|variable| Some((variable.get("name")?, variable.get("value")?)));
    let mut process = Command::new(command);
    process.args(exec.args.iter().flatten()).envs(variables).env("KUBERNETES_EXEC_INFO", asked.to_string());
    for name in exec.drop_env.iter().flatten() {
        process.env_remove(name);
    }
    let output = process.stdin(stream()).stderr(stream()).stdout(Stdio::piped()).output();
    let output = output
        .map_err(|error| CredentialError::of_plugin(exec, &format!("cannot be run: {}", error.kind())))?;
    if !output.status.success() {
        return Err(CredentialError::of_plugin(exec, &format!("failed with {}", output.status)));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let answer: Option<Answer> = serde_yaml::from_str(&text).ok();
    answer
        .and_then(|answer| answer.status)
        .ok_or_else(|| CredentialError::of_plugin(exec, "returned an unusable response"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// A plugin that counts its runs, and prints `status` with the count in place of `$NUMBER`. Its program is a link
    /// to the shell: a file that was just written is busy as long as a child of another test holds it open.
    fn counting(directory: &tempfile::TempDir, status: &str) -> ExecConfig {
        let (program, path) = (directory.path().join("plugin"), directory.path().join("script"));
        let count = directory.path().join("count").display().to_string();
        let script =
            format!("echo x >> {count}\nNUMBER=$(wc -l < {count})\ncat <<END\nstatus: {status}\nEND\n");
        fs::write(&path, script).unwrap();
        symlink("/bin/sh", &program).unwrap();
        serde_json::from_value(json!({"command": program, "args": [path], "interactiveMode": "Never"}))
            .unwrap()
    }

    async fn sent(plugin: &Arc<Plugin>) -> String {
        plugin.token().await.unwrap().unwrap().header.to_str().unwrap().to_owned()
    }

    #[tokio::test]
    async fn a_token_is_cached_until_it_expires_or_is_rejected() {
        let directory = tempfile::tempdir().unwrap();
        let exec = counting(&directory, "{token: t$NUMBER}");
        let (plugin, identity) = Plugin::start(exec, Clock::system(), Duration::ZERO).unwrap();
        assert!(identity.is_none());
        assert_eq!((sent(&plugin).await.as_str(), sent(&plugin).await.as_str()), ("Bearer t1", "Bearer t1"));
        let token = plugin.token().await.unwrap().unwrap();
        plugin.refused(&token);
        assert_eq!(sent(&plugin).await, "Bearer t2");
        plugin.refused(&token);
        assert_eq!(sent(&plugin).await, "Bearer t2", "an older one was refused");

        let directory = tempfile::tempdir().unwrap();
        let exec = counting(&directory, "{token: t$NUMBER, expirationTimestamp: '2020-01-01T00:00:00Z'}");
        let (plugin, _) = Plugin::start(exec, Clock::system(), Duration::ZERO).unwrap();
        assert_eq!((sent(&plugin).await.as_str(), sent(&plugin).await.as_str()), ("Bearer t2", "Bearer t3"));
    }

    #[test]
    fn a_certificate_needs_no_token() {
        let directory = tempfile::tempdir().unwrap();
        let exec = counting(&directory, "{clientCertificateData: cert, clientKeyData: key}");
        let identity = Plugin::start(exec, Clock::system(), Duration::ZERO).unwrap().1.unwrap();
        assert_eq!((identity.certificate.as_str(), identity.key.as_str()), ("cert", "key"));
    }

    #[test]
    fn invalid_credentials_are_rejected_with_a_reason() {
        let cases = [
            ("{}", "returned no credentials"),
            ("canary", "returned an unusable response"),
            (r#"{token: "can\u0001ary"}"#, "returned a token with invalid characters"),
            ("{token: canary, expirationTimestamp: canary}", "returned an unusable response"),
        ];
        for (status, said) in cases {
            let directory = tempfile::tempdir().unwrap();
            let error =
                Plugin::start(counting(&directory, status), Clock::system(), Duration::ZERO).err().unwrap();
            assert_eq!(error.to_string(), format!("credential plugin `plugin` {said}"), "{status}");
        }
    }

    /// The request that starts the renewal times out; the next one waits for the same run.
    #[tokio::test]
    async fn a_slow_plugin_runs_once() {
        let directory = tempfile::tempdir().unwrap();
        let exec = counting(&directory, "{token: t$NUMBER, expirationTimestamp: $EXPIRES}");
        let path = directory.path().join("script");
        let pipe = directory.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        // The second run blocks until the pipe is written to.
        let slow = format!(
            "EXPIRES=$(sed -n \"$NUMBER\"p {expiries})\n[ \"$NUMBER\" = 1 ] || cat {pipe} > /dev/null\ncat",
            expiries = directory.path().join("expiries").display(),
            pipe = pipe.display(),
        );
        fs::write(directory.path().join("expiries"), "2020-01-01T00:00:00Z\n2999-01-01T00:00:00Z\n").unwrap();
        fs::write(&path, fs::read_to_string(&path).unwrap().replacen("\ncat", &format!("\n{slow}"), 1))
            .unwrap();
        let (plugin, _) = Plugin::start(exec, Clock::system(), Duration::from_millis(1)).unwrap();
        let error = plugin.token().await.err().unwrap();
        assert_eq!(error.to_string(), "credential plugin `plugin` has printed no credentials in time");
        let renewal = plugin.state().renewal.clone().unwrap();
        fs::write(&pipe, "go").unwrap();
        assert_eq!(renewal.await.unwrap().header, "Bearer t2");
        assert_eq!(sent(&plugin).await, "Bearer t2");
        assert_eq!(fs::read_to_string(directory.path().join("count")).unwrap().lines().count(), 2);
    }
}
