//! Wraps the bodies of watches, so that one that ends at once without data is a failure, as behind a proxy that does
//! not support watches. Otherwise, the watch would be restarted without a pause.

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

/// A watch that ends without data within this time has ended at once.
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
    /// When the watch began, if there was no data yet.
    silent_since: Option<Moment>,
}

/// The body of a watch that begins now, with an error if it ends at once.
pub(super) fn checked(body: Body, clock: &Clock) -> UnsyncBoxBody<Bytes, BoxError> {
    let silent_since = Some(clock.moment());
    let watch = Watch { body: BodyStream::new(body), clock: clock.clone(), silent_since };
    StreamBody::new(stream::unfold(watch, next)).boxed_unsync()
}

async fn next(mut watch: Watch) -> Option<(Result<Frame<Bytes>, BoxError>, Watch)> {
    let frame = watch.body.next().await;
    let silent_since = watch.silent_since.take();
    match frame {
        Some(frame) => Some((frame.map_err(Into::into), watch)),
        None => {
            let lasted = watch.clock.moment().saturating_since(silent_since?);
            (lasted < AT_ONCE).then(|| (Err(EndedAtOnce.into()), watch))
        }
    }
}
