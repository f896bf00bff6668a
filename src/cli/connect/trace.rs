//! `--verbose`: prints a line for each request when its response arrives.

use http::Request;
use jiff::{SignedDuration, SignedDurationRound, Unit};
use kube::Client;
use kube::client::Body;
use tower::service_fn;

use crate::cluster::classify::{ServerName, classify_error};
use crate::cluster::clock::Clock;

/// A client that prints each request with its response. Watches are printed when they begin.
///
/// Errors are printed as in any other message, because the text of kube's own errors may contain credentials.
pub fn traced(
    client: Client,
    server: &ServerName,
    clock: &Clock,
    tell: impl Fn(&str) + Clone + Send + 'static,
) -> Client {
    let namespace = client.default_namespace().to_owned();
    let (server, clock) = (server.clone(), clock.clone());
    let service = service_fn(move |request: Request<Body>| {
        let (client, server, clock, tell) = (client.clone(), server.clone(), clock.clone(), tell.clone());
        let asked = format!("{} {}", request.method(), request.uri());
        async move {
            let begun = clock.elapsed();
            let answer = client.send(request).await;
            let taken = milliseconds(clock.elapsed() - begun);
            match &answer {
                Ok(response) => tell(&format!("{asked} {} after {taken}", response.status().as_u16())),
                Err(error) => {
                    tell(&format!("{asked} unanswered after {taken}: {}", classify_error(error, &server)));
                }
            }
            answer
        }
    });
    Client::new(service, namespace)
}

fn milliseconds(duration: SignedDuration) -> String {
    let whole = duration.round(SignedDurationRound::new().smallest(Unit::Millisecond)).unwrap_or(duration);
    format!("{}ms", whole.as_millis())
}
