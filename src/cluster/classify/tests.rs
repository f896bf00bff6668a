//! Errors are classified, and their messages name what failed and where.

use std::io;

use super::*;

fn status(code: u16, reason: &str, message: &str) -> ClusterError {
    let status = Status::failure(message, reason).with_code(code);
    classify_error(&kube::Error::Api(Box::new(status)), &ServerName::at("https://k8s:6443"))
}

fn service(message: &str) -> ClusterError {
    let inner = io::Error::other(message.to_owned());
    classify_error(&kube::Error::Service(Box::new(inner)), &ServerName::at("https://k8s:6443"))
}

#[test]
fn answers_are_classified_by_status() {
    assert!(matches!(status(404, "NotFound", "gone"), ClusterError::NotFound(_)));
    assert!(matches!(status(409, "AlreadyExists", "there"), ClusterError::AlreadyExists(_)));
    assert!(matches!(status(409, "Conflict", "moved"), ClusterError::Conflict(_)));
    assert!(matches!(status(422, "Invalid", PATCH_TEST_FAILED), ClusterError::Conflict(_)));
    assert!(matches!(status(422, "Invalid", "spec.replicas"), ClusterError::Invalid(_)));
    assert!(matches!(status(403, "Forbidden", "no"), ClusterError::Forbidden(_)));
    assert!(status(503, "", "<html>busy</html>").is_transient());
    assert!(status(429, "TooManyRequests", "slow down").is_transient());
}

/// With messages of API servers, etcd, gRPC, webhooks and proxies.
#[test]
fn permanent_server_errors_are_not_retried() {
    let passing = [
        (500, "InternalError", "etcdserver: leader changed"),
        (500, "InternalError", "etcdserver: request timed out"),
        (
            500,
            "InternalError",
            "Internal error occurred: failed calling webhook \"x.example\": failed to call webhook: Post \"https://x.shop.svc:443/?timeout=10s\": context deadline exceeded",
        ),
        (
            500,
            "InternalError",
            "Internal error occurred: failed calling webhook \"x.example\": an error on the server (\"\") has prevented the request from succeeding",
        ),
        (500, "", "rpc error: code = Unavailable desc = error reading from server: EOF"),
        (502, "", "<html>bad gateway</html>"),
        (503, "ServiceUnavailable", "apiserver is shutting down"),
        (504, "Timeout", "Timeout: request did not complete within the requested timeout"),
    ];
    for (code, reason, message) in passing {
        assert!(status(code, reason, message).is_transient(), "{code} {message}");
    }
    let lasting = [
        (413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728"),
        (500, "", "etcdserver: request is too large"),
        (
            500,
            "",
            "rpc error: code = ResourceExhausted desc = trying to send message larger than max (2204567 vs. 2097152)",
        ),
        (500, "", "etcdserver: mvcc: database space exceeded"),
        (501, "", "not here"),
        (505, "", "HTTP Version Not Supported"),
        (507, "InsufficientStorage", "cannot write the sandbox file `x`: No space left on device"),
    ];
    for (code, reason, message) in lasting {
        let said = format!("{message} (HTTP {code})");
        assert_eq!(status(code, reason, message), ClusterError::Rejected(said));
    }
    let misshapen = "failed to create typed patch object (default/web; apps/v1, Kind=Deployment): .spec: expected map, got \
                     &{...}";
    assert_eq!(status(500, "", misshapen), ClusterError::Invalid(misshapen.to_owned()));
}

#[test]
fn html_pages_are_not_quoted() {
    let error = status(503, "", "<html>\n<body>sorry</body>");
    assert_eq!(error.to_string(), "an HTML page (HTTP 503)");
}

#[test]
fn errors_name_what_failed_and_where() {
    let stranger = InvalidResponse::NotApiServer { code: 404, said: "<!doctype html>\n<p>shop".to_owned() };
    let silence = InvalidResponse::Timeout(Duration::from_secs(30));
    let anomaly = |anomaly| {
        let nested = kube::Error::Service(Box::new(kube::Error::Service(Box::new(anomaly))));
        classify_error(&nested, &ServerName::at("https://k8s:6443"))
    };
    let proxied = |message: &str| {
        let inner = io::Error::other(message.to_owned());
        let server = ServerName::at("https://k8s:6443").through("http://proxy:3128");
        classify_error(&kube::Error::Service(Box::new(inner)), &server)
    };
    let cases = [
        (
            service("received fatal alert: CertificateExpired"),
            "the API server at `https://k8s:6443` does not accept the client certificate: received fatal alert: CertificateExpired",
            Some("`kubectl auth whoami`"),
        ),
        (
            service("connection error: received fatal alert: UnknownCA"),
            "the API server at `https://k8s:6443` does not accept the client certificate: connection error: received fatal alert: UnknownCA",
            Some("credentials"),
        ),
        (
            proxied("tunnel error: failed to create underlying connection: dns error: no such host"),
            "the proxy `http://proxy:3128` of the API server at `https://k8s:6443` cannot be used: tunnel error: failed to create underlying connection: dns error: no such host",
            Some("`proxy-url`"),
        ),
        (
            proxied("tunnel error: unsuccessful"),
            "no connection to the API server at `https://k8s:6443` through the proxy `http://proxy:3128`: tunnel error: unsuccessful",
            None,
        ),
        (
            status(401, "Unauthorized", "nope"),
            "the API server at `https://k8s:6443` does not accept the credentials: nope",
            Some("`kubectl auth whoami`"),
        ),
        (
            service("dns error: failed to lookup address information: Name or service not known"),
            "the host of the API server at `https://k8s:6443` cannot be found: dns error: failed to lookup address information: Name or service not known",
            Some("address"),
        ),
        (
            service("invalid peer certificate: UnknownIssuer"),
            "the API server at `https://k8s:6443` cannot be trusted: invalid peer certificate: UnknownIssuer",
            Some("`certificate-authority`"),
        ),
        (
            service("invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))"),
            "the API server at `https://k8s:6443` cannot be trusted: invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))",
            Some("`CA:TRUE`"),
        ),
        (
            anomaly(stranger),
            "the server at `https://k8s:6443` is not an API server: HTTP 404: an HTML page",
            Some("address"),
        ),
        (anomaly(silence), "no answer from the API server at `https://k8s:6443` within 30s", None),
        (
            service("tcp connect error: Connection refused"),
            "no connection to the API server at `https://k8s:6443`: tcp connect error: Connection refused",
            None,
        ),
    ];
    for (error, message, hint) in cases {
        assert_eq!(error.to_string(), message);
        match hint {
            Some(hint) => assert!(error.hint().unwrap().contains(hint), "{error}: {:?}", error.hint()),
            None => assert_eq!(error.hint(), None),
        }
    }
}

/// If the server answers at all, the address is right.
#[test]
fn the_address_is_questioned_only_if_no_server_was_reached() {
    let exhausted =
        |origin| ClusterError::Exhausted { message: String::new(), spent: Duration::ZERO, origin };
    assert!(exhausted(ErrorOrigin::Connection).hint().unwrap().contains("address"));
    assert_eq!(exhausted(ErrorOrigin::Server).hint(), None);
}
