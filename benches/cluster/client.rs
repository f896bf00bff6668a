//! The client of the reference drivers.

use http::header::{HeaderValue, USER_AGENT};
use kube::{Client, Config};

/// A client for the cluster of `KUBECONFIG`, by this name in the audit log.
pub(crate) async fn connect(agent: &'static str) -> Client {
    let mut config = Config::infer().await.unwrap();
    config.headers.push((USER_AGENT, HeaderValue::from_static(agent)));
    config.read_timeout = None;
    Client::try_from(config).unwrap()
}
