//! A request that is long on its way, or its answer: sent by a process, and going on when the test says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::Request;
use kube::Client;
use kube::client::Body;
use tokio::sync::Notify;

type Such = Arc<dyn Fn(&Request<Body>) -> bool + Send + Sync>;

/// Which way is long.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    There,
    Back,
}

/// Holds the first request of a kind, or its answer, until it is let go. A request then arrives, whoever still
/// waits for the answer.
#[derive(Clone)]
pub(crate) struct DelayedRequest {
    way: Way,
    is_such: Such,
    is_done: Arc<AtomicBool>,
    reached: Arc<Notify>,
    gate: Arc<Notify>,
}

impl DelayedRequest {
    /// Holds the request.
    pub(crate) fn new(is_such: impl Fn(&Request<Body>) -> bool + Send + Sync + 'static) -> Self {
        Self::on(Way::There, is_such)
    }

    /// Holds the answer of the request, which has been applied.
    pub(crate) fn of_answer(is_such: impl Fn(&Request<Body>) -> bool + Send + Sync + 'static) -> Self {
        Self::on(Way::Back, is_such)
    }

    fn on(way: Way, is_such: impl Fn(&Request<Body>) -> bool + Send + Sync + 'static) -> Self {
        Self {
            way,
            is_such: Arc::new(is_such),
            is_done: Arc::default(),
            reached: Arc::default(),
            gate: Arc::default(),
        }
    }

    /// Waits until the request is on its way.
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
                if delayed_request.way == Way::Back {
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
