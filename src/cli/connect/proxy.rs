//! The environment's proxy for the server of a kubeconfig, chosen as in kubectl, by the rules of Go's package
//! `golang.org/x/net/http/httpproxy`.

use std::net::IpAddr;

use http::Uri;
use ipnet::IpNet;

use crate::cli::failure::{CommandError, Kind};

/// The proxy for a server; `None` if the server is reached directly. `variable` looks up the environment.
///
/// # Errors
///
/// If the proxy is not a URL.
pub(super) fn of_environment(
    server: &Uri,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<Uri>, CommandError> {
    let first = |names: [&'static str; 2]| {
        names.into_iter().find_map(|name| Some((name, variable(name).filter(|value| !value.is_empty())?)))
    };
    let proxy = match server.scheme_str() {
        Some("http") => first(["HTTP_PROXY", "http_proxy"]),
        _ => first(["HTTPS_PROXY", "https_proxy"]),
    };
    let Some((name, proxy)) = proxy else { return Ok(None) };
    let exceptions = first(["NO_PROXY", "no_proxy"]).map(|(_, exceptions)| exceptions).unwrap_or_default();
    if Destination::of(server).is_none_or(|destination| destination.is_direct(&exceptions)) {
        return Ok(None);
    }
    match with_scheme(&proxy) {
        Some(proxy) => Ok(Some(proxy)),
        None => Err(CommandError::message(Kind::Cluster, format!("`{name}` is not the URL of a proxy"))
            .hint("use a URL or HOST:PORT, such as `http://HOST:3128`, or add the API server to `NO_PROXY`")),
    }
}

/// A proxy's URL. The default scheme is `http`.
fn with_scheme(proxy: &str) -> Option<Uri> {
    let whole = |text: &str| {
        let uri = text.parse::<Uri>().ok()?;
        (uri.scheme().is_some() && uri.host().is_some_and(|host| !host.is_empty())).then_some(uri)
    };
    whole(proxy).or_else(|| whole(&format!("http://{proxy}")))
}

/// A server, in the form that entries of `NO_PROXY` are compared with.
struct Destination {
    /// In lower case, without brackets.
    host: String,
    /// The host, if it is an address.
    address: Option<IpAddr>,
    port: u16,
}

impl Destination {
    fn of(server: &Uri) -> Option<Self> {
        let host = server.host()?.trim_matches(['[', ']']).to_lowercase();
        let usual = if server.scheme_str() == Some("http") { 80 } else { 443 };
        let address = host.parse().ok().map(|address: IpAddr| address.to_canonical());
        Some(Self { host, address, port: server.port_u16().unwrap_or(usual) })
    }

    /// Whether the server is this machine or one of the exceptions.
    fn is_direct(&self, exceptions: &str) -> bool {
        self.host == "localhost"
            || self.address.is_some_and(|address| address.is_loopback())
            || exceptions.split(',').any(|entry| self.is_named_by(&entry.trim().to_lowercase()))
    }

    /// Whether an entry of `NO_PROXY` matches the server: `*`, a network, or an address, a host or a domain, each with
    /// or without a port. An invalid entry matches nothing.
    fn is_named_by(&self, entry: &str) -> bool {
        if entry == "*" {
            return true;
        }
        if let Ok(network) = entry.parse::<IpNet>() {
            return self.address.is_some_and(|address| network.contains(&address));
        }
        let (name, port) = match entry.rsplit_once(':') {
            // An IPv6 address without a port.
            Some((name, _)) if name.contains(':') && !name.ends_with(']') => (entry, None),
            Some((name, port)) => (name, Some(port)),
            None => (entry, None),
        };
        if port.is_some_and(|port| !port.is_empty() && port.parse() != Ok(self.port)) {
            return false;
        }
        let name = name.trim_matches(['[', ']']);
        if let Ok(address) = name.parse::<IpAddr>() {
            return self.address == Some(address.to_canonical());
        }
        match name.strip_prefix('*').unwrap_or(name).strip_prefix('.') {
            // `.` or `*.` names no domain.
            Some("") => false,
            Some(domain) => self.is_below(domain),
            None => !name.is_empty() && (self.host == name || self.is_below(name)),
        }
    }

    fn is_below(&self, domain: &str) -> bool {
        self.host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(server: &str, variables: &[(&str, &str)]) -> String {
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        match of_environment(&server.parse().unwrap(), variable) {
            Ok(proxy) => proxy.map_or("direct".to_owned(), |proxy| proxy.to_string()),
            Err(error) => error.error.to_string(),
        }
    }

    #[test]
    fn no_proxy_entries_match_the_server() {
        let cases = [
            ("https://10.1.2.3:6443", "10.0.0.0/8", true),
            ("https://10.1.2.3:6443", "192.168.0.0/16, 10.1.2.3", true),
            ("https://10.1.2.3:6443", "10.1.2.3:6443", true),
            ("https://10.1.2.3:6443", "10.1.2.3:443", false),
            ("https://10.1.2.3", "10.1.2.3:443", true),
            ("https://10.1.2.3:6443", "*", true),
            ("https://[fd00::1]:6443", "fd00::/8", true),
            ("https://[fd00::1]:6443", "fd00::1", true),
            ("https://[fd00::1]:6443", "[fd00::1]:6443", true),
            ("https://[fd00::1]:6443", "[fd00::1]:443", false),
            ("https://k8s.corp:6443", "corp", true),
            ("https://K8S.corp:6443", "k8s.CORP", true),
            ("https://k8s.corp:6443", ".corp", true),
            ("https://k8s.corp:6443", "*.corp:6443", true),
            ("https://k8s.corp:6443", "corp:443", false),
            ("https://k8s.corp:6443", ".k8s.corp", false),
            ("https://xk8s.corp:6443", "k8s.corp", false),
            ("https://k8s.corp:6443", "other,", false),
            ("https://k8s.corp:6443", ",:6443,.,[,10.0.0.0/99, ", false),
            ("https://localhost:6443", "", true),
            ("https://127.0.0.2:6443", "", true),
            ("https://[::1]:6443", "", true),
        ];
        for (server, exceptions, is_direct) in cases {
            let proxy = chosen(server, &[("HTTPS_PROXY", "http://proxy:3128"), ("NO_PROXY", exceptions)]);
            assert_eq!(proxy == "direct", is_direct, "{server} with `{exceptions}`: {proxy}");
        }
    }

    #[test]
    fn the_scheme_of_the_server_chooses_the_variable() {
        let both = [("http_proxy", "http://plain:1"), ("HTTPS_PROXY", ""), ("https_proxy", "socks5://tls:2")];
        assert_eq!(chosen("http://k8s", &both), "http://plain:1/");
        assert_eq!(chosen("https://k8s", &both), "socks5://tls:2/");
        assert_eq!(chosen("https://k8s", &both[..1]), "direct");
    }

    #[test]
    fn the_default_scheme_of_a_proxy_is_http() {
        let by = |proxy: &str| chosen("https://k8s", &[("HTTPS_PROXY", proxy)]);
        assert_eq!(by("proxy.corp:3128"), "http://proxy.corp:3128/");
        assert_eq!(by("proxy"), "http://proxy/");
        assert_eq!(by("jane:secret@proxy:3128"), "http://jane:secret@proxy:3128/");
        assert_eq!(by("http://a b:secret"), "`HTTPS_PROXY` is not the URL of a proxy");
    }
}
