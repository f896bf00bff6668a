//! Retries on a paused clock: their delays, their budgets and their end.

use http::{Request, Response};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::client::{AuthError, Body};
use tower::service_fn;

use super::*;
use crate::cluster::workload_cache::WorkloadCache;
use crate::cluster::workload_watch::{WatchScope, watch_workloads};
use crate::oam::kind::WorkloadKind;

/// A session over a server that answers with this code.
fn answering(seed: u64, code: u16) -> Session {
    let service = service_fn(move |_: Request<Body>| async move {
        let body = format!(r#"{{"kind":"Status","apiVersion":"v1","message":"as it is","code":{code}}}"#);
        Ok::<_, kube::Error>(Response::builder().status(code).body(Body::from(body.into_bytes())).unwrap())
    });
    Session::seeded(seed, Client::new(service, "x"), Clock::system(), Timeouts::default())
}

/// The reported delays of the retries of a read that never succeeds, and when it ends.
async fn retries(seed: u64) -> Vec<Duration> {
    let reported = Rc::new(RefCell::new(Vec::new()));
    let sink = reported.clone();
    let session =
        answering(seed, 503).with_retry_observer(Rc::new(move |_, delay| sink.borrow_mut().push(delay)));
    let api = session.api::<ConfigMap>("x");
    let failed = session.read(|| api.get("y")).await;
    assert!(matches!(failed, Err(ClusterError::Exhausted { .. })), "{failed:?}");
    reported.take()
}

/// Fails writes of a session until it gives up. Returns the error and how long that took.
async fn failing(session: &Session) -> (ClusterError, Duration) {
    let begun = session.clock().elapsed();
    loop {
        // Other requests succeed while this one is in flight.
        let request = async {
            session.clock().pause(Duration::from_secs(2)).await;
            Ok(())
        };
        session.request_untracked(request).await.unwrap();
        if let Err(error) = session.wait_before_retry(&ClusterError::transient("no leader")).await {
            return (error, (session.clock().elapsed() - begun).unsigned_abs());
        }
    }
}

/// A session whose credential plugin fails from the second request on, with the client's error.
fn expiring() -> Session {
    let requests = std::sync::atomic::AtomicUsize::new(0);
    let service = service_fn(move |_: Request<Body>| {
        let is_first = requests.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
        async move {
            if is_first {
                let body = r#"{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"y"}}"#;
                return Ok(Response::new(Body::from(body.as_bytes().to_vec())));
            }
            let output = std::process::Command::new("false").output()?;
            let error = AuthError::AuthExecRun { cmd: "KEY=canary aws".to_owned(), out: Box::new(output) };
            Err::<_, tower::BoxError>(error.into())
        }
    });
    Session::new(Client::new(service, "x"), Clock::system(), Timeouts::default())
}

/// They are not reported as an outage, nor retried for as long.
#[tokio::test(start_paused = true)]
async fn expired_credentials_have_their_own_budget() {
    let reported = Rc::new(RefCell::new(Vec::new()));
    let sink = reported.clone();
    let session =
        expiring().with_retry_observer(Rc::new(move |message, _| sink.borrow_mut().push(message.to_owned())));
    let api = session.api::<ConfigMap>("x");
    session.read(|| api.get("y")).await.unwrap();
    let expired = ClusterError::Unauthorized("the credential plugin failed with exit status: 1".to_owned());
    for attempt in ["a read", "a watch"] {
        let begun = session.clock().elapsed();
        let failure = match attempt {
            "a read" => session.read(|| api.get("y")).await.unwrap_err(),
            _ => {
                let kind = WorkloadKind::Deployment;
                let scope =
                    WatchScope { namespace: "x".to_owned(), kind, selector: kube::core::Selector::default() };
                let cache = WorkloadCache::of([]);
                watch_workloads(&session, &scope, &cache).await;
                cache.failure().unwrap()
            }
        };
        assert_eq!(failure, expired, "{attempt}");
        let lasted = (session.clock().elapsed() - begun).unsigned_abs();
        assert!(
            Duration::from_secs(80) < lasted && lasted < Duration::from_secs(120),
            "{attempt}: {lasted:?}"
        );
    }
    assert!(reported.borrow().iter().all(|message| *message == expired.to_string()), "{reported:?}");
}

#[tokio::test(start_paused = true)]
async fn seeds_reproduce_their_delays() {
    let (one, other) = (retries(1).await, retries(2).await);
    assert!(one.len() > 3, "{one:?}");
    assert_ne!(one, other);
    assert_eq!(one, retries(1).await);
}

/// A hundred clients do not retry at the same moments when a server is back.
#[tokio::test(start_paused = true)]
async fn a_hundred_processes_do_not_retry_in_step() {
    let mut moments = std::collections::BTreeMap::<u128, usize>::new();
    for seed in 0..100 {
        let mut at = Duration::ZERO;
        for delay in retries(seed).await {
            at += delay;
            *moments.entry(at.as_millis() / 100).or_default() += 1;
        }
    }
    // All first retries come within the first tenths of a second; later ones spread out.
    let late = moments.into_iter().filter(|(tenth, _)| *tenth > 10).map(|(_, count)| count).max().unwrap();
    assert!(late < 35, "{late} of 100 processes in a tenth of a second");
}

#[tokio::test(start_paused = true)]
async fn successes_of_another_part_do_not_renew_the_budget() {
    let session = answering(0, 200);
    let config: Result<ConfigMap, _> =
        session.request_untracked(session.api::<ConfigMap>("x").get("y")).await;
    drop(config);
    session.was_connected.set(true);
    let (stuck, well) = (session.with_separate_budget(), session.with_separate_budget());
    let succeeding = async {
        loop {
            well.clock().pause(Duration::from_secs(1)).await;
            well.recovered();
            session.recovered();
        }
    };
    let (error, lasted) = tokio::select! {
        failed = session.clock().within(session.outage() * 10, failing(&stuck)) => failed.expect("it gives up"),
        () = succeeding => unreachable!(),
    };
    assert!(matches!(error, ClusterError::Exhausted { .. }), "{error}");
    assert!(lasted < session.outage() + BOUNDS.max * 2, "{lasted:?}");
}

/// Each of ten parts that fail concurrently has its own budget.
#[tokio::test(start_paused = true)]
async fn failures_of_another_part_do_not_use_up_the_budget() {
    let session = answering(0, 200);
    session.was_connected.set(true);
    let parts: Vec<Session> = (0..10).map(|_| session.with_separate_budget()).collect();
    for (error, lasted) in futures::future::join_all(parts.iter().map(failing)).await {
        assert!(matches!(error, ClusterError::Exhausted { .. }), "{error}");
        assert!(lasted >= session.outage(), "{lasted:?}");
    }
}

/// The deadline of a request starts when it is sent.
#[tokio::test(start_paused = true)]
async fn concurrent_requests_are_limited_except_for_the_lease() {
    let session = answering(1, 503);
    let (under_way, most) = (Cell::new(0), Cell::new(0));
    let request = |session: Session| {
        let (under_way, most) = (&under_way, &most);
        async move {
            let answer = async {
                under_way.set(under_way.get() + 1);
                most.set(most.get().max(under_way.get()));
                session.clock().pause(Duration::from_secs(20)).await;
                under_way.set(under_way.get() - 1);
                Ok(())
            };
            session.request_untracked(answer).await
        }
    };
    let requests = (0..5 * MAX_REQUESTS).map(|_| request(session.clone()));
    let answers = futures::future::join_all(requests).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(most.get(), MAX_REQUESTS);
    let requests = (0..2 * MAX_REQUESTS).map(|_| request(session.without_queue()));
    futures::future::join_all(requests).await;
    assert_eq!(most.get(), 2 * MAX_REQUESTS);
}

/// The Lease may have expired by the time that a write leaves the queue.
#[tokio::test(start_paused = true)]
async fn writes_are_dropped_if_the_condition_fails_while_they_are_queued() {
    let may_write = Rc::new(Cell::new(true));
    let asked = Rc::clone(&may_write);
    let session = answering(1, 503).with_condition_of_writes(move || asked.get());
    let sent = Cell::new(0);
    let write = || async {
        sent.set(sent.get() + 1);
        session.clock().pause(Duration::from_secs(20)).await;
        Ok(())
    };
    let writes = futures::future::join_all((0..=MAX_REQUESTS).map(|_| session.request_once(write())));
    let expire = async {
        session.clock().pause(Duration::from_secs(10)).await;
        may_write.set(false);
    };
    let (written, ()) = tokio::join!(writes, expire);
    assert_eq!(sent.get(), MAX_REQUESTS);
    assert!(matches!(written.last(), Some(Err(ClusterError::Transient { .. }))), "{written:?}");
    assert_eq!(session.request_untracked(write()).await, Ok(()), "what only reads is sent");
}

/// As behind a proxy that closes each response of a watch early.
#[tokio::test(start_paused = true)]
async fn watches_that_are_cut_within_their_first_event_are_reopened_rarely() {
    let opened = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = std::sync::Arc::clone(&opened);
    let service = service_fn(move |request: Request<Body>| {
        let is_watch = request.uri().query().is_some_and(|query| query.contains("watch=true"));
        count.fetch_add(usize::from(is_watch), std::sync::atomic::Ordering::Relaxed);
        let body = match is_watch {
            true => r#"{"type":"ADDED","object":{"kind":"Deployment","#,
            false => {
                r#"{"kind":"DeploymentList","apiVersion":"apps/v1","metadata":{"resourceVersion":"1"},"items":[]}"#
            }
        };
        async move { Ok::<_, kube::Error>(Response::new(Body::from(body.as_bytes().to_vec()))) }
    });
    let session = Session::new(Client::new(service, "x"), Clock::system(), Timeouts::default());
    let kind = WorkloadKind::Deployment;
    let scope = WatchScope { namespace: "x".to_owned(), kind, selector: kube::core::Selector::default() };
    let cache = WorkloadCache::of([]);
    let watching = watch_workloads(&session, &scope, &cache);
    session.clock().within(Duration::from_secs(20), watching).await;
    let opened = opened.load(std::sync::atomic::Ordering::Relaxed);
    assert!(opened > 3 && opened < 160, "{opened}");
}
