//! The address of a cluster: a kubeconfig's `server`, interpreted as client-go does.
//!
//! A `server` without a scheme is a host, with or without a port. It is reached over TLS if the kubeconfig has a
//! certificate authority, a client certificate, or `insecure-skip-tls-verify`.

use std::fmt;

use http::Uri;
use percent_encoding::percent_decode_str;

/// The scheme of a server that does not specify one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultScheme {
    /// `http://`.
    Plain,
    /// `https://`.
    Tls,
}

/// A server's address.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// Its URL, with scheme and host, without credentials.
    pub url: String,
    /// The user and password from the URL.
    pub login: Option<(String, String)>,
}

/// Omits the password.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Reads a kubeconfig's `server`.
///
/// # Errors
///
/// If it is neither an `http` or `https` URL nor a host with or without a port. The message contains no password.
pub fn parse(server: &str, otherwise: DefaultScheme) -> Result<Address, String> {
    // client-go drops the query and the fragment.
    let server = server.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = match server.split_once("://") {
        Some((scheme, rest)) => {
            let known = ["http", "https"].into_iter().find(|known| scheme.eq_ignore_ascii_case(known));
            (known.ok_or("its scheme is neither `http` nor `https`")?, rest)
        }
        None => {
            let scheme = match otherwise {
                DefaultScheme::Plain => "http",
                DefaultScheme::Tls => "https",
            };
            if server.trim_end_matches('/').contains('/') {
                return Err("a path needs a scheme before the host, such as `https://`".to_owned());
            }
            (scheme, server)
        }
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (login, host) = match authority.rsplit_once('@') {
        Some((login, host)) => (Some(decoded(login)?), host),
        None => (None, authority),
    };
    let host = host.strip_suffix(':').unwrap_or(host);
    if host.is_empty() || host.starts_with(':') {
        return Err("it has no host".to_owned());
    }
    let url = format!("{scheme}://{host}{path}");
    let uri: Uri = url.parse().map_err(|_| "it is not a URL".to_owned())?;
    if uri.host().is_none_or(|host| host.trim_matches(['[', ']']).is_empty()) {
        return Err("it has no host".to_owned());
    }
    let has_port =
        uri.authority().is_some_and(|authority| authority.as_str().len() > uri.host().map_or(0, str::len));
    if has_port && uri.port_u16().is_none_or(|port| port == 0) {
        return Err("its port is not a number from 1 to 65535".to_owned());
    }
    Ok(Address { url: url.trim_end_matches('/').to_owned(), login })
}

fn decoded(login: &str) -> Result<(String, String), String> {
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let text = |part: &str| {
        let decoded = percent_decode_str(part).decode_utf8();
        decoded.map(|text| text.into_owned()).map_err(|_| "its user or password is not text".to_owned())
    };
    Ok((text(user)?, text(password)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn servers_are_parsed_as_client_go_does() {
        use DefaultScheme::{Plain, Tls};
        let cases = [
            ("https://k8s.example:6443", Plain, "https://k8s.example:6443"),
            ("HTTPS://k8s.example/", Plain, "https://k8s.example"),
            ("https://k8s.example/clusters/a", Plain, "https://k8s.example/clusters/a"),
            ("https://k8s.example/a?x=1#y", Plain, "https://k8s.example/a"),
            ("127.0.0.1:6443", Plain, "http://127.0.0.1:6443"),
            ("127.0.0.1:6443", Tls, "https://127.0.0.1:6443"),
            ("localhost:8080", Plain, "http://localhost:8080"),
            ("localhost:8080/", Plain, "http://localhost:8080"),
            ("garbage", Plain, "http://garbage"),
            ("garbage", Tls, "https://garbage"),
            ("[::1]:6443", Tls, "https://[::1]:6443"),
            ("https://[::1]", Plain, "https://[::1]"),
            ("https://k8s.example:", Plain, "https://k8s.example"),
        ];
        for (server, otherwise, url) in cases {
            assert_eq!(
                parse(server, otherwise),
                Ok(Address { url: url.to_owned(), login: None }),
                "{server}"
            );
        }
    }

    #[test]
    fn invalid_servers_are_rejected_with_a_reason() {
        let cases = [
            ("", "it has no host"),
            ("https://", "it has no host"),
            ("https:///api", "it has no host"),
            ("https://:6443", "it has no host"),
            (":6443", "it has no host"),
            ("ftp://k8s.example", "its scheme is neither `http` nor `https`"),
            ("k8s.example/api", "a path needs a scheme before the host, such as `https://`"),
            ("//k8s.example", "a path needs a scheme before the host, such as `https://`"),
            ("https://k8s.example:99999", "its port is not a number from 1 to 65535"),
            ("k8s.example:port", "its port is not a number from 1 to 65535"),
            ("k8s example", "it is not a URL"),
            ("https://k8s\u{e9}.example", "it is not a URL"),
            ("https://%ff:x@k8s.example", "its user or password is not text"),
        ];
        for (server, message) in cases {
            assert_eq!(parse(server, DefaultScheme::Tls), Err(message.to_owned()), "{server:?}");
        }
    }

    #[test]
    fn credentials_are_separated_from_the_url() {
        let address = parse("https://jane:p%40ss%3A@k8s.example/a", DefaultScheme::Plain).unwrap();
        assert_eq!(address.url, "https://k8s.example/a");
        assert_eq!(address.login, Some(("jane".to_owned(), "p@ss:".to_owned())));
        assert!(!format!("{address:?}").contains("p@ss"));
    }

    proptest! {
        /// Any text is either rejected or becomes a URL that the client accepts.
        #[test]
        fn any_text_is_rejected_or_becomes_a_url(text in r"([a-z]{0,5}:?/{0,3})?[-a-z0-9.:@%\[\]/ é?#]{0,20}") {
            for otherwise in [DefaultScheme::Plain, DefaultScheme::Tls] {
                if let Ok(address) = parse(&text, otherwise) {
                    let uri: Uri = address.url.parse().unwrap();
                    prop_assert!(matches!(uri.scheme_str(), Some("http" | "https")), "{}", address.url);
                    prop_assert!(uri.host().is_some_and(|host| !host.is_empty()), "{}", address.url);
                    prop_assert!(!address.url.contains('@'), "{}", address.url);
                    prop_assert_eq!(parse(&address.url, otherwise).map(|again| again.url), Ok(address.url));
                }
            }
        }
    }
}
