//! One process of the tool, over any client.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use rollout::cluster::clock::Clock;
use rollout::cluster::session::{Session, Timeouts};
use rollout::driver::context::{Context, FailFast, GateTrust, Limits, OnFailure};
use rollout::driver::control::{self, Control, Stopper};
use rollout::driver::outcome::{ApplicationOutcome, ComponentOutcome, Failure};
use rollout::driver::request::RolloutRequest;
use rollout::ops::apply;
use rollout::report::event::{Event, EventKind, Reporter};
use rollout::sandbox::fault::RequestInfo;
use tokio::sync::watch;

use super::fault::{Fate, PASS, Request, Tap, is_effect};
use super::probe::ScriptedProbe;

/// A process: its identity, its deadlines, and the fate of its requests.
pub(crate) struct Process {
    pub(crate) identity: String,
    pub(crate) limits: Limits,
    pub(crate) stopper: Stopper,
    pub(crate) tap: Arc<Tap>,
    /// The probe that answers its hooks and measurements.
    pub(crate) probe: Rc<ScriptedProbe>,
    control: Control,
    recorder: Rc<RefCell<Recorder>>,
    heard: watch::Receiver<usize>,
}

/// Longer than any run under test may take.
const ENDLESS: Duration = Duration::from_secs(2 * 3_600);

/// The actions of a process.
#[derive(Debug)]
pub(crate) struct Run {
    /// How its components ended; `None` if it died.
    pub(crate) ends: Option<Vec<(String, ComponentOutcome)>>,
    pub(crate) events: Vec<Event>,
    pub(crate) requests: Vec<Request>,
}

struct Recorder {
    events: Vec<Event>,
    heard: watch::Sender<usize>,
}

impl Reporter for Recorder {
    fn event(&mut self, event: &Event) {
        self.events.push(event.clone());
        self.heard.send_replace(self.events.len());
    }
}

/// The components of all applications.
pub(crate) fn components(outcomes: Vec<ApplicationOutcome>) -> Vec<(String, ComponentOutcome)> {
    outcomes.into_iter().flat_map(|outcome| outcome.components).collect()
}

impl Process {
    /// A process without faults.
    pub(crate) fn new(identity: &str) -> Self {
        Self::with(identity, |_| PASS)
    }

    /// A process whose requests get the fates of a script.
    pub(crate) fn with(
        identity: &str,
        script: impl Fn(&RequestInfo) -> Fate + Send + Sync + 'static,
    ) -> Self {
        let (stopper, control) = control::control();
        let (sender, heard) = watch::channel(0);
        Self {
            identity: identity.to_owned(),
            limits: Limits {
                run: Duration::ZERO,
                batch: Duration::from_secs(600),
                lock: Duration::from_secs(3_600),
                fail_fast: FailFast::Off,
                on_failure: OnFailure::Hold,
                logs: 8,
                gates: GateTrust::Trusted,
            },
            stopper,
            tap: Tap::new(script),
            probe: ScriptedProbe::good(),
            control,
            recorder: Rc::new(RefCell::new(Recorder { events: Vec::new(), heard: sender })),
            heard,
        }
    }

    /// Applies a manifest through a client, until the end or the process's death.
    pub(crate) async fn apply(&self, client: Client, clock: &Clock, request: &RolloutRequest) -> Run {
        let requests = std::slice::from_ref(request);
        let work = async |context: &Context| components(apply::apply(context, requests).await);
        self.perform(client, clock, work).await
    }

    /// Runs an operation through a client, until its end or the process's death.
    pub(crate) async fn perform(
        &self,
        client: Client,
        clock: &Clock,
        work: impl AsyncFnOnce(&Context) -> Vec<(String, ComponentOutcome)>,
    ) -> Run {
        self.tap.attach(clock);
        let context = Context {
            next_checks: std::rc::Rc::default(),
            session: Session::new(client, clock.clone(), Timeouts::default()),
            reporter: self.recorder.clone(),
            control: self.control.clone(),
            identity: self.identity.clone(),
            limits: self.limits,
            probe: Some(self.probe.clone()),
        };
        let ends = tokio::select! {
            biased;
            () = self.tap.death() => None,
            ends = work(&context) => Some(ends),
            () = clock.pause(ENDLESS) => panic!("it does not end"),
        };
        Run { ends, events: self.recorder.borrow().events.clone(), requests: self.tap.requests() }
    }

    /// Waits until this many matching events were reported.
    pub(crate) async fn heard(&self, count: usize, is_such: impl Fn(&EventKind) -> bool) {
        let mut heard = self.heard.clone();
        let recorder = self.recorder.clone();
        let is_enough =
            move || recorder.borrow().events.iter().filter(|event| is_such(&event.what)).count() >= count;
        while !is_enough() {
            heard.changed().await.unwrap();
        }
    }
}

impl Run {
    /// Whether every component succeeded, or is held as requested.
    pub(crate) fn is_success(&self) -> bool {
        self.ends.as_ref().is_some_and(|ends| {
            ends.iter().all(|(_, end)| {
                matches!(end, ComponentOutcome::Succeeded { .. } | ComponentOutcome::Held { .. })
            })
        })
    }

    /// Asserts that the run succeeded.
    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        assert!(self.is_success(), "{}", self.transcript());
        self
    }

    /// The failures of its components.
    pub(crate) fn failures(&self) -> Vec<&Failure> {
        let ends = self.ends.iter().flatten();
        ends.filter_map(|(_, end)| match end {
            ComponentOutcome::Failed(failure) => Some(failure),
            ComponentOutcome::Succeeded { .. }
            | ComponentOutcome::Held { .. }
            | ComponentOutcome::Skipped { .. } => None,
        })
        .collect()
    }

    /// The requests that may change something.
    pub(crate) fn writes(&self) -> Vec<&Request> {
        self.requests.iter().filter(|request| request.is_write()).collect()
    }

    /// Writes other than those of the Lease.
    pub(crate) fn effects(&self) -> Vec<&Request> {
        self.requests.iter().filter(|request| is_effect(&request.seen)).collect()
    }

    /// Its outcomes and its requests, for the message of a failed test.
    pub(crate) fn transcript(&self) -> String {
        let requests: Vec<String> = self.requests.iter().map(Request::line).collect();
        format!("ends: {:#?}\n{}", self.ends, requests.join("\n"))
    }
}
