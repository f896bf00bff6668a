//! Wraps the bodies of watches, so that one that ends at once is a failure, as behind a proxy that does not support
//! watches or cuts each of them within its first event. Otherwise, the watch would be restarted without a pause.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream;
use http::Uri;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, BodyStream, StreamBody};
use hyper::body::Frame;
use kube::client::Body;
use tower::BoxError;

use crate::cluster::clock::{Clock, Moment};

/// A watch that ends within this time has ended at once, with or without data.
const AT_ONCE: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
#[error("the watch ended at once")]
struct EndedAtOnce;

/// Whether a request is a watch.
pub(super) fn is_watch(uri: &Uri) -> bool {
    uri.query().is_some_and(|query| query.split('&').any(|pair| pair == "watch=true"))
}

struct Watch {
    body: BodyStream<Body>,
    clock: Clock,
    /// When the watch began, if it has not failed.
    began: Option<Moment>,
}

/// The body of a watch that begins now, with an error if it ends at once.
pub(super) fn checked(body: Body, clock: &Clock) -> UnsyncBoxBody<Bytes, BoxError> {
    let watch = Watch { body: BodyStream::new(body), clock: clock.clone(), began: Some(clock.moment()) };
    StreamBody::new(stream::unfold(watch, next)).boxed_unsync()
}

async fn next(mut watch: Watch) -> Option<(Result<Frame<Bytes>, BoxError>, Watch)> {
    match watch.body.next().await {
        Some(Ok(frame)) => Some((Ok(frame), watch)),
        Some(Err(error)) => {
            watch.began = None;
            Some((Err(error.into()), watch))
        }
        None => {
            let lasted = watch.clock.moment().saturating_since(watch.began.take()?);
            (lasted < AT_ONCE).then(|| (Err(EndedAtOnce.into()), watch))
        }
    }
}
