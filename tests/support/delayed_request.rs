//! A request that is delayed, or its response, until the test releases it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::Request;
use kube::Client;
use kube::client::Body;
use tokio::sync::Notify;

type Such = Arc<dyn Fn(&Request<Body>) -> bool + Send + Sync>;

/// What is delayed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Delayed {
    Request,
    Response,
}

/// Delays the first matching request, or its response, until it is released. The request then arrives even if its
/// caller no longer waits for the response.
#[derive(Clone)]
pub(crate) struct DelayedRequest {
    delayed: Delayed,
    is_such: Such,
    is_done: Arc<AtomicBool>,
    reached: Arc<Notify>,
    gate: Arc<Notify>,
}

impl DelayedRequest {
    /// Delays the request.
    pub(crate) fn new(is_such: impl Fn(&Request<Body>) -> bool + Send + Sync + 'static) -> Self {
        Self::on(Delayed::Request, is_such)
    }

    /// Delays the response of the request, after it has been applied.
    pub(crate) fn of_answer(is_such: impl Fn(&Request<Body>) -> bool + Send + Sync + 'static) -> Self {
        Self::on(Delayed::Response, is_such)
    }

    fn on(delayed: Delayed, is_such: impl Fn(&Request<Body>) -> bool + Send + Sync + 'static) -> Self {
        Self {
            delayed,
            is_such: Arc::new(is_such),
            is_done: Arc::default(),
            reached: Arc::default(),
            gate: Arc::default(),
        }
    }

    /// Waits until the request, or its response, is being delayed.
    pub(crate) async fn reached(&self) {
        self.reached.notified().await;
    }

    /// Lets the request arrive.
    pub(crate) fn release(&self) {
        self.gate.notify_one();
    }

    /// A client whose requests pass through this.
    pub(crate) fn over(self, client: Client) -> Client {
        let namespace = client.default_namespace().to_owned();
        let service = tower::service_fn(move |request: Request<Body>| {
            let (delayed_request, client) = (self.clone(), client.clone());
            let is_held =
                (delayed_request.is_such)(&request) && !delayed_request.is_done.swap(true, Ordering::Relaxed);
            async move {
                if !is_held {
                    return client.send(request).await;
                }
                if delayed_request.delayed == Delayed::Response {
                    let answer = client.send(request).await;
                    delayed_request.reached.notify_one();
                    delayed_request.gate.notified().await;
                    return answer;
                }
                delayed_request.reached.notify_one();
                let sent = tokio::spawn(async move {
                    delayed_request.gate.notified().await;
                    client.send(request).await
                });
                sent.await.unwrap()
            }
        });
        Client::new(service, namespace)
    }
}
