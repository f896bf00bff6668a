//! How requests reach the API server: over few connections, multiplexed with HTTP/2.
//!
//! Ordinary requests share one connection. Watches have connections of their own, because a server limits the streams
//! of a connection and a watch occupies one for long. Requests for Leases use HTTP/1.1: a renewal never queues behind
//! another request, and opens a new connection at once if the old one has silently died. Servers without HTTP/2 are
//! reached with HTTP/1.1.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{Request, Response, Uri};
use http_body_util::BodyExt as _;
use hyper::body::{Bytes, Incoming};
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::client::{Body, ConfigExt as _, RustlsTlsError};
use kube::{Client, Config};
use tower::util::MapRequestLayer;
use tower::{BoxError, ServiceBuilder, service_fn};

use crate::cli::connect::token_file::TokenFile;

/// The interval and the timeout of HTTP/2 keep-alive pings. Their sum is less than the duration of a Lease.
const PING: Duration = Duration::from_secs(5);
/// The most watches on one connection. Servers allow 100 streams (kube-apiserver,
/// `--http2-max-streams-per-connection`).
const MOST_WATCHES: usize = 50;

type Connector = TimeoutConnector<HttpsConnector<HttpConnector>>;
type Http = HyperClient<Connector, Body>;

/// The protocols that are offered to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    /// Only HTTP/1.1.
    One,
    /// HTTP/2, or else HTTP/1.1.
    Two,
}

/// Which connection a request uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ConnectionClass {
    Ordinary,
    Watch,
    Lease,
}

impl ConnectionClass {
    fn of(uri: &Uri) -> Self {
        let is_watch = uri.query().is_some_and(|query| query.split('&').any(|pair| pair == "watch=true"));
        // The server's URL may have a path prefix.
        match uri.path().contains("/apis/coordination.k8s.io/") {
            _ if is_watch => Self::Watch,
            true => Self::Lease,
            false => Self::Ordinary,
        }
    }
}

/// The connections of a process.
struct Connections {
    ordinary: Http,
    leases: Http,
    watches: WatchConnections,
}

/// The connections for watches, each with a token whose reference count is the number of its watches plus one.
struct WatchConnections {
    connector: Connector,
    open: Mutex<Vec<(Http, Arc<()>)>>,
}

impl WatchConnections {
    /// A connection with room for one more watch, and the token to hold until the watch ends.
    fn take(&self) -> (Http, Arc<()>) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let with_room = open.iter().find(|(_, token)| Arc::strong_count(token) <= MOST_WATCHES);
        if let Some((http, token)) = with_room {
            return (http.clone(), Arc::clone(token));
        }
        let (http, token) = (http(self.connector.clone()), Arc::new(()));
        open.push((http.clone(), Arc::clone(&token)));
        (http, token)
    }
}

/// A client for a cluster that is reached without a proxy.
///
/// # Errors
///
/// If credentials or certificates cannot be used.
pub(super) fn client(config: &Config, token_file: Option<TokenFile>) -> kube::Result<Client> {
    let connectors = Connectors::new(config)?;
    let shared = connectors.connector(config, Protocol::Two)?;
    let connections = Arc::new(Connections {
        ordinary: http(shared.clone()),
        leases: http(connectors.connector(config, Protocol::One)?),
        watches: WatchConnections { connector: shared, open: Mutex::default() },
    });
    let service = service_fn(move |request: Request<Body>| {
        let connections = Arc::clone(&connections);
        async move { send(&connections, request).await }
    });
    let token = token_file.map(|file| MapRequestLayer::new(move |request| file.authorise(request)));
    let stack = ServiceBuilder::new()
        .option_layer(token)
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .service(service);
    Ok(Client::new(stack, config.default_namespace.clone()))
}

async fn send(
    connections: &Connections,
    request: Request<Body>,
) -> Result<Response<impl hyper::body::Body<Data = Bytes, Error = hyper::Error> + use<>>, BoxError> {
    let (http, held) = match ConnectionClass::of(request.uri()) {
        ConnectionClass::Ordinary => (connections.ordinary.clone(), None),
        ConnectionClass::Lease => (connections.leases.clone(), None),
        ConnectionClass::Watch => {
            let (http, token) = connections.watches.take();
            (http, Some(token))
        }
    };
    let response = http.request(request).await?;
    // Holds the token until the body is dropped, which ends the watch.
    Ok(response.map(|body: Incoming| {
        body.map_frame(move |frame| {
            let _held = &held;
            frame
        })
    }))
}

fn http(connector: Connector) -> Http {
    HyperClient::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .http2_keep_alive_interval(PING)
        .http2_keep_alive_timeout(PING)
        .http2_keep_alive_while_idle(true)
        .build(connector)
}

/// The configuration that all connectors share, because reading the certificates takes milliseconds.
struct Connectors {
    tls: rustls::ClientConfig,
}

impl Connectors {
    fn new(config: &Config) -> kube::Result<Self> {
        Ok(Self { tls: config.rustls_client_config()? })
    }

    fn connector(&self, config: &Config, protocol: Protocol) -> kube::Result<Connector> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        // An HTTP/2 request takes several writes, and Nagle's algorithm would delay the second by 40 ms.
        tcp.set_nodelay(true);
        let mut builder = HttpsConnectorBuilder::new().with_tls_config(self.tls.clone()).https_or_http();
        if let Some(name) = &config.tls_server_name {
            let name = name.clone().try_into().map_err(RustlsTlsError::InvalidServerName);
            let name = name.map_err(kube::Error::RustlsTls)?;
            builder = builder.with_server_name_resolver(FixedServerNameResolver::new(name));
        }
        let https = match protocol {
            Protocol::One => builder.enable_http1().wrap_connector(tcp),
            Protocol::Two => builder.enable_http1().enable_http2().wrap_connector(tcp),
        };
        let mut connector = TimeoutConnector::new(https);
        connector.set_connect_timeout(config.connect_timeout);
        connector.set_read_timeout(config.read_timeout);
        connector.set_write_timeout(config.write_timeout);
        connector.set_reset_reader_on_write(config.reset_reader_on_write);
        Ok(connector)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watches_and_leases_have_separate_connections() {
        for (uri, lane) in [
            ("/api/v1/namespaces/shop/configmaps?&watch=true&timeoutSeconds=25", ConnectionClass::Watch),
            ("/api/v1/namespaces/shop/configmaps?&labelSelector=watch%3Dtrue", ConnectionClass::Ordinary),
            ("/apis/coordination.k8s.io/v1/namespaces/shop/leases/rollout-web?", ConnectionClass::Lease),
            ("/apis/coordination.k8s.io/v1/namespaces/shop/leases?watch=true", ConnectionClass::Watch),
            (
                "/k8s/clusters/c-1/apis/coordination.k8s.io/v1/namespaces/shop/leases/rollout-web?",
                ConnectionClass::Lease,
            ),
            ("/version", ConnectionClass::Ordinary),
        ] {
            assert_eq!(ConnectionClass::of(&uri.parse().unwrap()), lane, "{uri}");
        }
    }

    #[tokio::test]
    async fn the_number_of_watches_on_a_connection_is_limited() {
        let config = Config::new("https://127.0.0.1:1".parse().unwrap());
        let connectors = Connectors::new(&config).unwrap();
        let connector = connectors.connector(&config, Protocol::Two).unwrap();
        let watches = WatchConnections { connector, open: Mutex::default() };
        let mut held: Vec<Arc<()>> = (0..2 * MOST_WATCHES).map(|_| watches.take().1).collect();
        let connections = || watches.open.lock().unwrap().len();
        assert_eq!(connections(), 2);
        held.truncate(10);
        held.extend((0..MOST_WATCHES).map(|_| watches.take().1));
        assert_eq!(connections(), 2, "what has ended leaves room");
    }
}
