//! What every run of a process shares.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use jiff::{SignedDuration, Unit};

use crate::cluster::clock::Moment;
use crate::cluster::session::Session;
use crate::driver::control::{self, Control};
use crate::probe::{LiveProbe, Probe};
use crate::report::event::{Event, EventKind, Reporter};

/// How long a request or a command outside the cluster may take.
pub const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

/// What every run of a process shares.
#[derive(Clone)]
pub struct Context {
    /// The session with the API server.
    pub session: Session,
    /// The reporter that receives the events.
    pub reporter: Rc<RefCell<dyn Reporter>>,
    /// Tells runs when to stop.
    pub control: Control,
    /// The identity of this process.
    pub identity: String,
    /// The limits of waits.
    pub limits: Limits,
    /// Calls hooks and measures metrics; without a probe, runs skip the gates between batches.
    pub probe: Option<Rc<dyn Probe>>,
    /// When the runs of the process may check pods again.
    pub next_checks: Rc<NextChecks>,
}

/// When the runs of a process may check pods again, which bounds the cost of the checks for any number of components;
/// `None` means at once.
#[derive(Debug, Default)]
pub struct NextChecks {
    /// The next first check of a wait, which finds permanent problems.
    pub first: Cell<Option<Moment>>,
    /// The next repeated check.
    pub repeat: Cell<Option<Moment>>,
}

/// The limits of waits, where zero means no limit, and what to do on failures.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// For the whole run of a component.
    pub run: Duration,
    /// For each batch.
    pub batch: Duration,
    /// For another run of the same application to end.
    pub lock: Duration,
    /// What to do at a sign that waiting will not help.
    pub fail_fast: FailFast,
    /// What to do with a component whose pods do not become ready.
    pub on_failure: OnFailure,
    /// How many lines of a failing pod's log are shown.
    pub logs: u32,
    /// What gates between batches may do on this machine.
    pub gates: GateTrust,
}

/// What gates between batches may do on this machine, since they come from a manifest or from a record in the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GateTrust {
    /// Send requests without secrets.
    #[default]
    Untrusted,
    /// Also run commands, and send environment variables and files in headers.
    Trusted,
}

/// What to do with a component whose pods do not become ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// Leave it as it is.
    #[default]
    Hold,
    /// Have the caller roll it back to its state before the run.
    Undo,
}

/// What a run does at a sign that waiting will not help, such as an image that cannot be pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FailFast {
    /// Report it; the batch waits until its timeout.
    #[default]
    Off,
    /// End the run.
    On,
}

impl Context {
    /// A context that reports nothing, never stops and waits without limits.
    #[must_use]
    pub fn new(session: Session, identity: String) -> Self {
        Self {
            session,
            reporter: Rc::new(RefCell::new(Silent)),
            control: control::control().1,
            identity,
            limits: Limits::default(),
            probe: Some(Rc::new(LiveProbe::default())),
            next_checks: Rc::default(),
        }
    }

    /// The same context, reporting the retries of its session as events of an application.
    #[must_use]
    pub fn reporting_retries(&self, application: &str) -> Self {
        let (context, application) = (self.clone(), application.to_owned());
        let session = self.session.with_retry_observer(Rc::new(move |error, delay| {
            let delay = rounded(delay);
            context.emit(&application, None, EventKind::Retrying { error: error.to_owned(), delay });
        }));
        Self { session, ..self.clone() }
    }

    /// The same context, adding a namespace to events that name none.
    #[must_use]
    pub fn reporting_in(&self, namespace: &str) -> Self {
        let reporter = InNamespace { namespace: namespace.to_owned(), inner: Rc::clone(&self.reporter) };
        Self { reporter: Rc::new(RefCell::new(reporter)), ..self.clone() }
    }

    /// Waits for an answer from outside the cluster, for at most [`ANSWERED_WITHIN`].
    ///
    /// # Errors
    /// A message that there was no answer in time.
    pub async fn in_time<T>(&self, answer: impl Future<Output = T>) -> Result<T, String> {
        let answer = self.session.clock().within(ANSWERED_WITHIN, answer).await;
        answer.ok_or_else(|| format!("no answer after {}s", ANSWERED_WITHIN.as_secs()))
    }

    /// Reports an event.
    pub fn emit(&self, application: &str, component: Option<&str>, what: EventKind) {
        let event = Event {
            elapsed: self.session.clock().elapsed(),
            cluster: None,
            namespace: None,
            application: application.to_owned(),
            component: component.map(str::to_owned),
            what,
        };
        self.reporter.borrow_mut().event(&event);
    }
}

/// Adds the namespace to events.
struct InNamespace {
    namespace: String,
    inner: Rc<RefCell<dyn Reporter>>,
}

impl Reporter for InNamespace {
    fn event(&mut self, event: &Event) {
        let namespace = event.namespace.as_ref().unwrap_or(&self.namespace).clone();
        self.inner.borrow_mut().event(&Event { namespace: Some(namespace), ..event.clone() });
    }
}

/// Reports nothing.
struct Silent;

impl Reporter for Silent {
    fn event(&mut self, _: &Event) {}
}

/// A delay for printing: without milliseconds if it is above a second.
fn rounded(delay: Duration) -> SignedDuration {
    let delay = SignedDuration::try_from(delay).unwrap_or_default();
    if delay < SignedDuration::from_secs(1) { delay } else { delay.round(Unit::Second).unwrap_or(delay) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_printed_in_whole_seconds() {
        let cases = [(100, 100), (800, 800), (1_600, 2_000), (3_200, 3_000), (5_000, 5_000)];
        for (delay, printed) in cases {
            assert_eq!(
                rounded(Duration::from_millis(delay)),
                SignedDuration::from_millis(printed),
                "{delay}"
            );
        }
    }
}
