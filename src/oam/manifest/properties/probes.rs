//! Probes, with the ranges that Kubernetes validates.

use crate::oam::manifest::properties::{optional, ports, read_command};
use crate::oam::manifest::walk::{At, Object, Walk, listed};
use crate::oam::properties::{HttpScheme, Probe, ProbeHandler};

/// Which of a container's probes one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProbeRole {
    Liveness,
    Readiness,
}

/// Whether a type's HTTP probes name a host and a scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HttpForm {
    Full,
    PathAndPort,
}

const SCHEMES: [(&str, HttpScheme); 2] = [("HTTP", HttpScheme::Http), ("HTTPS", HttpScheme::Https)];

const HANDLERS: [&str; 3] = ["exec", "httpGet", "tcpSocket"];

const NUMBERS: [&str; 5] =
    ["initialDelaySeconds", "periodSeconds", "timeoutSeconds", "successThreshold", "failureThreshold"];

/// Reads a probe; `None` where something is wrong with it.
pub(super) fn read_probe(walk: &mut Walk<'_>, at: &At<'_>, role: ProbeRole, form: HttpForm) -> Option<Probe> {
    let object = walk.object_of(at, &[&HANDLERS[..], &NUMBERS].concat(), |_| None)?;
    let handler = read_handler(walk, &object, form);
    let mut number = |name: &str, least: u32, most: u32, default: u32| match object.get(name) {
        None => Some(default),
        Some(at) => walk.integer(&at, least..=most, "an integer"),
    };
    const MOST: u32 = i32::MAX as u32;
    let initial_delay_seconds = number("initialDelaySeconds", 0, MOST, 0);
    let period_seconds = number("periodSeconds", 1, MOST, 10);
    let timeout_seconds = number("timeoutSeconds", 1, MOST, 1);
    let most_successes = match role {
        ProbeRole::Liveness => 1,
        ProbeRole::Readiness => MOST,
    };
    let success_threshold = number("successThreshold", 1, most_successes, 1);
    let failure_threshold = number("failureThreshold", 1, MOST, 3);
    Some(Probe {
        handler: handler?,
        initial_delay_seconds: initial_delay_seconds?,
        period_seconds: period_seconds?,
        timeout_seconds: timeout_seconds?,
        success_threshold: success_threshold?,
        failure_threshold: failure_threshold?,
    })
}

fn read_handler(walk: &mut Walk<'_>, object: &Object<'_>, form: HttpForm) -> Option<ProbeHandler> {
    let given: Vec<&str> = HANDLERS.into_iter().filter(|name| object.get(name).is_some()).collect();
    let [name] = given.as_slice() else {
        let found = match given.as_slice() {
            [] => "no handler".to_owned(),
            several => listed(several),
        };
        walk.refuse(&object.at, format!("found {found}, expected exactly one of {}", listed(&HANDLERS)));
        return None;
    };
    let at = object.get(name)?;
    match *name {
        "exec" => read_exec(walk, &at),
        "httpGet" => read_http(walk, &at, form),
        _ => read_tcp(walk, &at),
    }
}

fn read_exec(walk: &mut Walk<'_>, at: &At<'_>) -> Option<ProbeHandler> {
    let object = walk.object_of(at, &["command"], |_| None)?;
    let command = walk.required(&object, "command", "a list of strings")?;
    Some(ProbeHandler::Exec { command: read_command(walk, &command)? })
}

fn read_tcp(walk: &mut Walk<'_>, at: &At<'_>) -> Option<ProbeHandler> {
    let object = walk.object_of(at, &["port"], |_| None)?;
    let port = walk.required(&object, "port", "a port from 1 to 65535")?;
    Some(ProbeHandler::TcpSocket { port: ports::read_port_number(walk, &port)? })
}

fn read_http(walk: &mut Walk<'_>, at: &At<'_>, form: HttpForm) -> Option<ProbeHandler> {
    let known: &[&str] = match form {
        HttpForm::Full => &["path", "port", "httpHeaders", "host", "scheme"],
        HttpForm::PathAndPort => &["path", "port", "httpHeaders"],
    };
    let object = walk.object_of(at, known, |name| match name {
        "host" | "scheme" => Some("only a `webservice`, a `daemon` and a `statefulset` have it"),
        _ => None,
    })?;
    let expected = "a path such as `/healthz`";
    let path = walk.required(&object, "path", expected).and_then(|at| {
        let path = walk.text(&at, expected)?;
        if path.is_empty() {
            walk.refuse(&at, format!("found {}, expected {expected}", walk.found(at.node)));
            return None;
        }
        Some(path.to_owned())
    });
    let port = walk
        .required(&object, "port", "a port from 1 to 65535")
        .and_then(|at| ports::read_port_number(walk, &at));
    let headers = read_headers(walk, &object);
    let host = optional(&object, "host", |at| walk.text(&at, "a host").map(str::to_owned));
    let scheme = optional(&object, "scheme", |at| walk.choice(&at, &SCHEMES));
    Some(ProbeHandler::HttpGet { path: path?, port: port?, host: host?, scheme: scheme?, headers: headers? })
}

fn read_headers(walk: &mut Walk<'_>, object: &Object<'_>) -> Option<Vec<(String, String)>> {
    let Some(at) = object.get("httpHeaders") else { return Some(Vec::new()) };
    let items = walk.list(&at, "a list of headers, each with `name` and `value`")?;
    let read: Vec<Option<(String, String)>> = items.iter().map(|item| read_header(walk, item)).collect();
    read.into_iter().collect()
}

fn read_header(walk: &mut Walk<'_>, at: &At<'_>) -> Option<(String, String)> {
    let object = walk.object_of(at, &["name", "value"], |_| None)?;
    let expected = "a header's name (letters, digits and `-`)";
    let name = walk.required(&object, "name", expected).and_then(|at| {
        let name = |text: &str| {
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        walk.checked(&at, expected, name)
    });
    let value = walk.required(&object, "value", "a string").and_then(|at| walk.text(&at, "a string"));
    Some((name?.to_owned(), value?.to_owned()))
}
