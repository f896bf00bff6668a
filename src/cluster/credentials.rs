//! Errors about credentials that contain no credentials.
//!
//! A credential plugin receives secrets in its arguments and its environment, and prints them. The client's own error
//! contains all of that. So the client only returns this error, which contains just the plugin's name and exit status.

use std::error::Error;
use std::path::Path;

use http::Request;
use kube::Client;
use kube::client::{AuthError, Body};
use kube::config::ExecConfig;
use tower::service_fn;

/// Why there are no credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// They cannot be obtained.
    #[error("{0}")]
    Failed(String),
    /// The plugin that provides them is still running.
    #[error("{0}")]
    Awaited(String),
}

impl CredentialError {
    /// Finds an error about credentials in the chain of an error; `None` if there is none.
    #[must_use]
    pub fn find(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(known) = error.downcast_ref::<Self>() {
                return Some(known.clone());
            }
            if let Some(auth) = error.downcast_ref::<AuthError>() {
                return Some(Self::of(auth));
            }
            next = error.source();
        }
        None
    }

    /// The failure of a credential plugin. `what` must not contain anything that it was given or has printed.
    #[must_use]
    pub fn of_plugin(exec: &ExecConfig, what: &str) -> Self {
        let name = exec.command.as_ref().and_then(|command| Path::new(command).file_name()?.to_str());
        Self::Failed(match name {
            Some(name) => format!("credential plugin `{name}` {what}"),
            None => format!("the credential plugin {what}"),
        })
    }

    /// The error for a credential plugin that takes longer than a request waits for it.
    #[must_use]
    pub fn of_slow_plugin(exec: &ExecConfig) -> Self {
        Self::Awaited(Self::of_plugin(exec, "has printed no credentials in time").to_string())
    }

    /// Converts the client's error, without secrets.
    fn of(error: &AuthError) -> Self {
        let plugin = "the credential plugin";
        Self::Failed(match error {
            AuthError::AuthExecRun { out, .. } => format!("{plugin} failed with {}", out.status),
            AuthError::AuthExecStart(error) => format!("{plugin} cannot be run: {error}"),
            AuthError::AuthExecParse(_)
            | AuthError::AuthExecSerialize(_)
            | AuthError::ExecPluginFailed
            | AuthError::UnrefreshableTokenResponse
            | AuthError::MalformedTokenExpirationDate(_)
            | AuthError::ParseTokenKey(_)
            | AuthError::AuthExec(_) => format!("{plugin} returned an unusable response"),
            AuthError::MissingCommand | AuthError::ExecMissingClusterInfo => {
                "the credential plugin of the kubeconfig has no command".to_owned()
            }
            AuthError::InvalidBasicAuth(_) | AuthError::InvalidBearerToken(_) => {
                "the credentials contain invalid characters".to_owned()
            }
            AuthError::ReadTokenFile(error, path) => {
                format!("token file `{}` cannot be read: {error}", path.display())
            }
            AuthError::NoValidNativeRootCA(error) => {
                format!("this system has no certificate authorities: {error}")
            }
        })
    }
}

/// Wraps a client so that its errors contain no credentials.
#[must_use]
pub fn hide_credentials(client: Client) -> Client {
    let namespace = client.default_namespace().to_owned();
    let service = service_fn(move |request: Request<Body>| {
        let client = client.clone();
        async move {
            client.send(request).await.map_err(|error| match CredentialError::find(&error) {
                Some(known) => kube::Error::Service(Box::new(known)),
                None => error,
            })
        }
    });
    Client::new(service, namespace)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::{ExitStatus, Output};

    use super::*;

    fn failed() -> AuthError {
        let out = Output {
            status: ExitStatus::from_raw(256),
            stdout: b"canary-out".to_vec(),
            stderr: b"canary-err".to_vec(),
        };
        AuthError::AuthExecRun { cmd: "KEY=canary-env aws canary-arg".to_owned(), out: Box::new(out) }
    }

    #[test]
    fn plugin_failures_are_found_anywhere_in_the_chain() {
        let plain: kube::Error = kube::Error::Auth(failed());
        let boxed = kube::Error::Service(Box::new(failed()));
        let twice = kube::Error::Service(Box::new(kube::Error::Service(Box::new(failed()))));
        let watched = kube::runtime::watcher::Error::WatchFailed(kube::Error::Service(Box::new(failed())));
        let errors: [&(dyn Error + 'static); 4] = [&plain, &boxed, &twice, &watched];
        for error in errors {
            let found = CredentialError::find(error).unwrap();
            assert_eq!(found.to_string(), "the credential plugin failed with exit status: 1");
            let again = kube::Error::Service(Box::new(found.clone()));
            assert_eq!(CredentialError::find(&again), Some(found));
            assert!(!format!("{again:?}").contains("canary"));
        }
    }

    #[test]
    fn the_output_of_a_plugin_is_not_quoted() {
        let bad = serde_yaml::from_str::<Vec<u8>>("canary: [").unwrap_err();
        let errors = [
            AuthError::AuthExecParse(Box::new(bad)),
            AuthError::AuthExec("canary".to_owned()),
            AuthError::MalformedTokenExpirationDate("canary".parse::<jiff::Timestamp>().unwrap_err()),
            AuthError::ParseTokenKey(serde_json::from_str::<u8>("\"canary\"").unwrap_err()),
        ];
        for error in errors {
            let found = CredentialError::find(&error).unwrap();
            assert_eq!(found.to_string(), "the credential plugin returned an unusable response");
        }
        assert_eq!(CredentialError::find(&kube::Error::TlsRequired), None);
    }
}
